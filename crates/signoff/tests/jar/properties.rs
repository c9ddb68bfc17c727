//! Set, then cleared: the jar is empty, whatever was described.

use proptest::collection::vec;
use proptest::prelude::*;
use signoff::{CookieLedger, CookieSpec, Secret};

use crate::cleared;
use crate::described::{Described, config, described, value};
use crate::jar::Jar;

fn set(jar: &mut Jar, described: &Described, value: &str) {
    let page = described.page();
    let field = described.spec().unwrap().set(&Secret::new(value)).unwrap();
    assert_eq!(jar.set(&field, &described.visit(&page)), Ok(()), "{field}");
}

fn clear(jar: &mut Jar, ledger: &CookieLedger) {
    for field in cleared(ledger) {
        // No page of the application is at the path of all its cookies, and the one that clears is at none.
        assert_eq!(jar.set(&field, &crate::visit(crate::described::HOST, "/elsewhere/logout")), Ok(()), "{field}");
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn what_is_set_is_read_and_cleared(described in described(), value in value()) {
        let spec = described.spec().unwrap();
        let mut jar = Jar::default();
        set(&mut jar, &described, &value);
        prop_assert_eq!(jar.cookies().len(), 1);
        let page = described.page();
        let sent = jar.send(&described.visit(&page));
        let found = spec.find([sent.as_bytes()]).unwrap();
        prop_assert_eq!(found.iter().map(|one| one.as_str()).collect::<Vec<_>>(), [value.as_str()]);
        let ledger = CookieLedger::from(spec);
        prop_assert_eq!(cleared(&ledger).len(), 1);
        clear(&mut jar, &ledger);
        prop_assert!(jar.cookies().is_empty(), "{:?}", jar.cookies());
    }

    #[test]
    fn a_ledger_clears_everything_that_it_knows(
        session in described(),
        others in vec(described(), 0..3),
        retired in vec((described(), 0..4_usize), 0..5),
        value in value(),
    ) {
        let mut ledger = CookieLedger::new(session.spec().unwrap());
        let mut jar = Jar::default();
        set(&mut jar, &session, "session");
        for other in &others {
            ledger = ledger.and(other.spec().unwrap()).unwrap();
            set(&mut jar, other, &value);
        }
        for (n, (old, chunks)) in retired.iter().enumerate() {
            ledger = ledger.retired_chunks(old.spec().unwrap(), *chunks).unwrap();
            set(&mut jar, old, &format!("{value}{n}"));
            for n in 0..*chunks {
                // With a name of full length the chunk's is too long to be described.
                let chunk = Described { name: format!("{}.{n}", old.name), ..old.clone() };
                if chunk.spec().is_some() {
                    set(&mut jar, &chunk, &value);
                }
            }
        }
        let known = jar.cookies().len();
        let headers = cleared(&ledger);
        prop_assert!(headers.len() >= known);
        clear(&mut jar, &ledger);
        prop_assert!(jar.cookies().is_empty(), "{:?} are left by {:?}", jar.cookies(), headers);

        // One header for each cookie: were they set, none of them would replace another.
        let printed = headers.iter().map(|header| header.replace("; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT", ""));
        for field in printed {
            prop_assert_eq!(jar.set(&field, &crate::visit(crate::described::HOST, "/")), Ok(()));
        }
        prop_assert_eq!(jar.cookies().len(), headers.len());
    }

    #[test]
    fn a_logout_hears_of_every_session_that_is_sent(session in described(), retired in vec(described(), 0..4)) {
        let mut ledger = CookieLedger::new(session.spec().unwrap());
        let mut jar = Jar::default();
        for (n, old) in retired.iter().enumerate() {
            ledger = ledger.retired(old.spec().unwrap()).unwrap();
            set(&mut jar, old, &format!("old{n}"));
        }
        set(&mut jar, &session, "new");
        let page = session.page();
        let sent = jar.send(&session.visit(&page));
        let values = |found: Vec<signoff::cookie::Presented>| {
            found.iter().map(|one| one.as_str().to_owned()).collect::<std::collections::BTreeSet<_>>()
        };
        let sent_as = |is_ours: &dyn Fn(&str) -> bool| {
            let pairs = sent.split("; ").filter_map(|pair| pair.split_once('='));
            pairs.filter(|(name, _)| is_ours(name)).map(|(_, value)| value.to_owned()).collect()
        };
        let name = ledger.session().name();
        prop_assert_eq!(values(ledger.find([sent.as_bytes()]).unwrap()), sent_as(&|sent| sent == name));
        // Everything in this jar is the session's, under a name of today or of the past.
        prop_assert_eq!(values(ledger.find_all([sent.as_bytes()]).unwrap()), sent_as(&|_| true));
    }
}

/// The descriptions of several years of one application.
#[test]
fn years_of_cookies_are_gone_after_one_logout() {
    let old = |name: &str, path: &str, domain| CookieSpec::unprefixed(name, path, domain).unwrap();
    let mut jar = Jar::default();
    let site = crate::visit(crate::described::HOST, "/app");
    for field in [
        "session=1; Path=/",
        "session=2; Path=/app; HttpOnly",
        "session=3; Path=/; Domain=.example.com; Secure",
        "session.0=4; Path=/; Secure; HttpOnly; SameSite=Lax",
        "session.1=5; Path=/; Secure; HttpOnly; SameSite=Lax",
        "__Secure-session=6; Path=/; Domain=example.com; Secure; HttpOnly; SameSite=Lax; Max-Age=8640000",
        "__Host-sid=7; Path=/; Secure; HttpOnly; SameSite=Lax",
    ] {
        jar.set(field, &site).unwrap();
    }
    let ledger = CookieLedger::new(CookieSpec::host("sid").unwrap())
        .retired(CookieSpec::secure("session", "/", Some("example.com")).unwrap())
        .and_then(|ledger| ledger.retired_chunks(old("session", "/", None), 2))
        .and_then(|ledger| ledger.retired(old("session", "/app", None).without_secure()?))
        .and_then(|ledger| ledger.retired(old("session", "/", Some("example.com"))))
        .unwrap();
    let sent = jar.send(&site);
    let found = ledger.find_all([sent.as_bytes()]).unwrap();
    assert_eq!(found.iter().map(|one| one.as_str()).collect::<Vec<_>>(), ["7", "6", "2", "1", "3", "45"]);
    clear(&mut jar, &ledger);
    assert!(jar.cookies().is_empty(), "{:?}", jar.cookies());
}
