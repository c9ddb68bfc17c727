//! Every cookie that can be described, at random.

use proptest::prelude::*;
use proptest::test_runner::Config;
use signoff::cookie::SameSite;

use crate::jar::Visit;
use crate::visit;
pub(crate) use crate::words::{Described, Kind};

/// A host that may set cookies for all domains that are described here.
pub(crate) const HOST: &str = "app.shop.example.com";

impl Described {
    /// Where the cookie is sent to. The default path of this is never the path of the cookie, so that one which is left out
    /// is noticed.
    pub(crate) fn page(&self) -> String {
        let slash = if self.path.ends_with('/') { "" } else { "/" };
        format!("{}{slash}any/page", self.path)
    }

    pub(crate) fn visit<'a>(&self, page: &'a str) -> Visit<'a> {
        visit(HOST, page)
    }
}

pub(crate) fn described() -> impl Strategy<Value = Described> {
    let kind = prop_oneof![
        Just(Kind::Host),
        Just(Kind::HostHttp),
        Just(Kind::Http),
        Just(Kind::Secure),
        Just(Kind::Unprefixed)
    ];
    // Few of the short names, so that two descriptions often have one name.
    let name = prop_oneof!["[ab]", "[sS]id", "(?i:http-|_)?[a-z]{1,3}", "[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}"];
    let path = prop_oneof![3 => Just("/".to_owned()), 2 => "/[ab]", 2 => "(/[!-:<-~]{1,12}){1,4}/?"];
    let domain = prop_oneof![
        Just(None),
        Just(Some("example.com")),
        Just(Some("shop.example.com")),
        Just(Some("APP.shop.example.com"))
    ];
    let same_site = prop_oneof![Just(SameSite::Lax), Just(SameSite::None), Just(SameSite::Strict)];
    let max_age = proptest::option::of(prop_oneof![0..3_u64, 0..100_000_000_u64, Just(u64::MAX)]);
    let flags = (any::<bool>(), any::<bool>(), prop::bool::weighted(0.8));
    let all = (kind, name, path, domain, same_site, max_age, flags);
    let all = all.prop_map(|(kind, name, path, domain, same_site, max_age, (partitioned, readable, secure))| {
        // These have no choice.
        let (path, domain) = match kind {
            Kind::Host | Kind::HostHttp => ("/".to_owned(), None),
            _ => (path, domain),
        };
        Described { kind, name, path, domain, same_site, max_age, partitioned, readable, secure }
    });
    all.prop_filter("refused", |described| described.spec().is_some())
}

pub(crate) fn value() -> impl Strategy<Value = String> {
    "[A-Za-z0-9._~+/=-]{1,40}"
}

pub(crate) fn config() -> Config {
    let cases = std::env::var("SIGNOFF_CASES").map_or(2_000, |cases| cases.parse().unwrap());
    Config {
        cases,
        failure_persistence: None,
        max_global_rejects: u32::MAX,
        max_local_rejects: u32::MAX,
        ..Config::default()
    }
}
