//! A second opinion on what is printed: the `cookie` crate reads the same name, value and attributes out of it.

use cookie::{Cookie, SameSite, time};
use proptest::prelude::*;
use signoff::{CookieLedger, Secret};

use crate::cleared;
use crate::described::{Described, Kind, config, described, value};

fn check(described: &Described, printed: &str, value: &str) -> Cookie<'static> {
    let spec = described.spec().unwrap();
    let read = Cookie::parse(printed.to_owned()).unwrap();
    assert_eq!((read.name(), read.value()), (spec.name(), value));
    assert_eq!(read.path(), Some(described.path.as_str()));
    assert_eq!(read.domain(), described.domain.map(str::to_ascii_lowercase).as_deref());
    assert_eq!(read.partitioned(), described.partitioned.then_some(true));
    assert_eq!(read.http_only(), (!described.readable).then_some(true));
    let same_site = match described.same_site {
        signoff::cookie::SameSite::Lax => SameSite::Lax,
        signoff::cookie::SameSite::None => SameSite::None,
        signoff::cookie::SameSite::Strict => SameSite::Strict,
    };
    assert_eq!(read.same_site(), Some(same_site));
    let needs_secure = described.kind != Kind::Unprefixed || described.partitioned || same_site == SameSite::None;
    assert_eq!(read.secure(), (described.secure || needs_secure).then_some(true));
    // Every attribute is one of these, and there once.
    assert_eq!(printed.split("; ").count(), read.to_string().split("; ").count());
    read
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn the_cookie_crate_reads_what_is_printed(described in described(), value in value()) {
        let spec = described.spec().unwrap();
        let read = check(&described, &spec.set(&Secret::new(value.as_str())).unwrap(), &value);
        let age = described.max_age.map(|age| time::Duration::seconds(age.clamp(1, 34_560_000).try_into().unwrap()));
        prop_assert_eq!(read.max_age(), age);
        prop_assert_eq!(read.expires(), None);
        let read = check(&described, &cleared(&CookieLedger::from(spec))[0], "");
        prop_assert_eq!(read.max_age(), Some(time::Duration::ZERO));
        prop_assert_eq!(read.expires_datetime(), Some(time::OffsetDateTime::UNIX_EPOCH));
    }
}
