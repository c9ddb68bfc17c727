//! The mutants of a clearing header: each lacks one attribute that matters, or has another, and leaves the cookie where it is.

use proptest::prelude::*;
use signoff::{CookieLedger, Secret};

use crate::cleared;
use crate::described::{Described, Kind, config, described};
use crate::jar::{By, Jar, Visit};
use crate::words::with;

/// Every change that a browser notices, with the name of it.
fn mutants(described: &Described, header: &str) -> Vec<(&'static str, String)> {
    let mut mutants = vec![
        ("no path", with(header, "Path", None)),
        ("another path", with(header, "Path", Some("/elsewhere"))),
        ("the path of a page", with(header, "Path", Some(&described.page()))),
        ("no end", with(&with(header, "Max-Age", None), "Expires", None)),
        ("an end to come", with(header, "Max-Age", Some("1"))),
        ("another name", format!("x{header}")),
        (
            "the name without its prefix",
            header.trim_start_matches("__Host-").trim_start_matches("__Secure-").to_owned(),
        ),
        ("not partitioned", with(header, "Partitioned", None)),
        ("partitioned", format!("{header}; Partitioned")),
        ("no domain", with(header, "Domain", None)),
        ("another domain", format!("{header}; Domain=com")),
    ];
    mutants.retain(|(_, mutant)| mutant != header);
    if described.partitioned {
        mutants.retain(|(name, _)| *name != "partitioned");
    }
    match described.domain {
        Some("shop.example.com") => mutants.push(("the domain above", with(header, "Domain", Some("example.com")))),
        Some("example.com") => mutants.push(("the domain below", with(header, "Domain", Some("shop.example.com")))),
        Some(_) => mutants.push(("the domain above", with(header, "Domain", Some("shop.example.com")))),
        None => mutants.push(("a domain", format!("{header}; Domain={}", crate::described::HOST))),
    }
    if described.kind != Kind::Unprefixed || described.partitioned || header.contains("SameSite=None") {
        mutants.push(("not secure", with(header, "Secure", None)));
    }
    if matches!(described.kind, Kind::Http | Kind::HostHttp) {
        mutants.push(("not hidden", with(header, "HttpOnly", None)));
    }
    mutants
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_clearing_header_with_one_mistake_clears_nothing(described in described()) {
        let spec = described.spec().unwrap();
        let page = described.page();
        let visit = described.visit(&page);
        let mut jar = Jar::default();
        jar.set(&spec.set(&Secret::new("v")).unwrap(), &visit).unwrap();
        let header = cleared(&CookieLedger::from(spec.clone())).remove(0);
        let is_there = |jar: &Jar| jar.cookies().iter().any(|cookie| cookie.name == spec.name());
        for (mistake, mutant) in mutants(&described, &header) {
            let mut jar = jar.clone();
            // Whether it is ignored or taken for another cookie does not matter.
            let _ = jar.set(&mutant, &visit);
            prop_assert!(is_there(&jar), "{} clears: {}", mistake, mutant);
        }
        // Out of place, the right header clears nothing either.
        for (place, visit) in [
            ("on another host", Visit { host: "example.org", ..visit.clone() }),
            ("by a script", Visit { by: By::Script, ..visit.clone() }),
            ("without TLS", Visit { tls: false, ..visit.clone() }),
            ("embedded elsewhere", Visit { by: By::CrossSiteSubresource, top: "https://other.example", ..visit.clone() }),
        ] {
            let mut jar = jar.clone();
            let _ = jar.set(&header, &visit);
            let clears = match place {
                "by a script" => !header.contains("; HttpOnly"),
                "without TLS" => !header.contains("; Secure"),
                "embedded elsewhere" => header.contains("; SameSite=None") && !described.partitioned,
                _ => false,
            };
            prop_assert_eq!(is_there(&jar), !clears, "{}", place);
        }
        jar.set(&header, &visit).unwrap();
        prop_assert!(jar.cookies().is_empty());
    }

    /// The answer to a request that another site embeds clears only by saying `SameSite=None` again.
    #[test]
    fn without_same_site_an_embedded_page_clears_nothing(described in described()) {
        let spec = described.spec().unwrap().same_site(signoff::cookie::SameSite::None);
        let page = described.page();
        let visit = Visit { by: By::CrossSiteSubresource, top: "https://other.example", ..described.visit(&page) };
        let mut jar = Jar::default();
        jar.set(&spec.set(&Secret::new("v")).unwrap(), &visit).unwrap();
        let header = cleared(&CookieLedger::from(spec)).remove(0);
        for mutant in [with(&header, "SameSite", None), with(&header, "SameSite", Some("Lax"))] {
            prop_assert_eq!(jar.set(&mutant, &visit), Err(crate::jar::Ignored::CrossSite));
        }
        jar.set(&header, &visit).unwrap();
        prop_assert!(jar.cookies().is_empty());
    }
}
