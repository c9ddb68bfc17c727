//! What sibling hosts, other sites, scripts and pages without TLS can do to our cookies, and what they cannot.

use signoff::cookie::{Presented, SameSite};
use signoff::site::Credentials;
use signoff::{CookieLedger, CookieSpec, Rejection, Secret};

use crate::jar::{By, Ignored, Jar, Visit};
use crate::{cleared, visit};

fn ours() -> Visit<'static> {
    visit("app.example.com", "/account")
}

fn sibling() -> Visit<'static> {
    visit("blog.example.com", "/")
}

fn jar_with(spec: &CookieSpec, value: &str, visit: &Visit<'_>) -> Jar {
    let mut jar = Jar::default();
    jar.set(&spec.set(&Secret::new(value)).unwrap(), visit).unwrap();
    jar
}

fn values(found: &[Presented]) -> Vec<&str> {
    found.iter().map(Presented::as_str).collect()
}

#[test]
fn a_sibling_cannot_plant_a_host_cookie() {
    let spec = CookieSpec::host("sid").unwrap();
    let mut jar = jar_with(&spec, "good", &ours());
    for planted in [
        "__Host-sid=evil; Path=/; Secure; Domain=example.com",
        "__HOST-sid=evil; Path=/; Secure; Domain=example.com",
        "=__Host-sid=evil; Path=/; Secure; Domain=example.com",
        "__Host-sid=evil; Path=/account; Secure",
    ] {
        assert_eq!(jar.set(planted, &sibling()), Err(Ignored::Prefix), "{planted}");
    }
    // What it can plant is for itself, or has another name, which is not ours.
    jar.set("__Host-sid=evil; Path=/; Secure", &sibling()).unwrap();
    jar.set("sid=evil; Path=/; Secure; Domain=example.com", &sibling()).unwrap();
    let sent = jar.send(&ours());
    assert_eq!(values(&spec.find([sent.as_bytes()]).unwrap()), ["good"]);
}

#[test]
fn what_a_sibling_plants_lets_nobody_in_and_is_logged_out() {
    let ledger = CookieLedger::new(CookieSpec::secure("sid", "/", Some("example.com")).unwrap());
    let mut jar = jar_with(ledger.session(), "good", &ours());
    jar.set("__Secure-sid=evil; Path=/account; Secure; Domain=example.com", &sibling()).unwrap();
    let sent = jar.send(&ours());
    assert_eq!(sent, "__Secure-sid=evil; __Secure-sid=good");
    let credentials = Credentials::of(ledger.find([sent.as_bytes()]).unwrap(), Vec::new()).unwrap();
    assert_eq!(credentials.one(), Err(Rejection::Ambiguous));
    assert_eq!(credentials.all(), ["evil", "good"]);
    assert_eq!(values(&ledger.find_all([sent.as_bytes()]).unwrap()), ["evil", "good"]);
    for header in cleared(&ledger) {
        jar.set(&header, &ours()).unwrap();
    }
    // Nobody told us under which path it was planted. Its session is dead, and a retired description would clear it.
    assert_eq!(jar.send(&ours()), "__Secure-sid=evil");
    let ledger = ledger.retired(CookieSpec::secure("sid", "/account", Some("example.com")).unwrap()).unwrap();
    for header in cleared(&ledger) {
        jar.set(&header, &ours()).unwrap();
    }
    assert_eq!(jar.send(&ours()), "");
}

#[test]
fn a_page_without_tls_plants_what_has_no_prefix() {
    let http = Visit { tls: false, ..ours() };
    let unprefixed = CookieSpec::unprefixed("sid", "/", None).unwrap();
    let mut jar = jar_with(&unprefixed, "good", &ours());
    assert_eq!(jar.set("sid=evil; Path=/", &http), Err(Ignored::OverlaysSecure));
    let mut empty = Jar::default();
    assert_eq!(empty.set("sid=evil; Path=/", &http), Ok(()));
    for spec in [CookieSpec::host("sid").unwrap(), CookieSpec::secure("sid", "/", None).unwrap()] {
        assert_eq!(empty.set(&format!("{}=evil; Path=/", spec.name()), &http), Err(Ignored::Prefix));
    }
}

#[test]
fn another_site_neither_sends_nor_clears_a_strict_cookie() {
    let ledger = CookieLedger::new(CookieSpec::host("sid").unwrap());
    let mut jar = jar_with(ledger.session(), "good", &ours());
    let header = cleared(&ledger).remove(0);
    for by in [By::CrossSiteSubresource, By::EmbeddedScript, By::CrossSiteForm, By::CrossSiteLink] {
        assert_eq!(jar.send(&Visit { by, ..ours() }), "", "{by:?}");
    }
    let embedded = Visit { by: By::CrossSiteSubresource, ..ours() };
    assert_eq!(jar.set(&header, &embedded), Err(Ignored::CrossSite));
    assert_eq!(jar.send(&ours()), "__Host-sid=good");
    // A navigation of the whole page may clear: who answers it decides whether that is meant.
    jar.set(&header, &Visit { by: By::CrossSiteForm, ..ours() }).unwrap();
    assert!(jar.cookies().is_empty());
}

#[test]
fn scripts_cannot_touch_what_is_hidden_from_them() {
    let csrf = CookieSpec::unprefixed("csrf", "/", None).unwrap().readable_by_scripts().unwrap();
    let ledger = CookieLedger::new(CookieSpec::host("sid").unwrap()).and(csrf.clone()).unwrap();
    let mut jar = jar_with(ledger.session(), "good", &ours());
    jar.set(&csrf.set(&Secret::new("readable")).unwrap(), &ours()).unwrap();
    let script = Visit { by: By::Script, ..ours() };
    assert_eq!(jar.send(&script), "csrf=readable");
    for deletes in ["__Host-sid=; Path=/; Secure; Max-Age=0", "__Host-sid=; Path=/; Secure; HttpOnly; Max-Age=0"] {
        assert_eq!(jar.set(deletes, &script), Err(Ignored::Script));
    }
    let http = CookieSpec::host_http("sid").unwrap();
    let planted = format!("{}=evil; Path=/; Secure", http.name());
    assert_eq!(Jar::default().set(&planted, &script), Err(Ignored::Prefix), "nor plant it where there is none");
    for header in cleared(&ledger) {
        jar.set(&header, &ours()).unwrap();
    }
    assert!(jar.cookies().is_empty());
}

#[test]
fn a_partitioned_cookie_is_cleared_where_it_is() {
    let spec = CookieSpec::host("sid").unwrap().same_site(SameSite::None).partitioned();
    let ledger = CookieLedger::from(spec);
    let shop = Visit { by: By::CrossSiteSubresource, top: "https://shop.example", ..ours() };
    let news = Visit { top: "https://news.example", ..shop.clone() };
    let mut jar = jar_with(ledger.session(), "shop", &shop);
    jar.set(&ledger.session().set(&Secret::new("news")).unwrap(), &news).unwrap();
    assert_eq!((jar.send(&shop), jar.send(&news)), ("__Host-sid=shop".to_owned(), "__Host-sid=news".to_owned()));
    let header = cleared(&ledger).remove(0);
    jar.set(&header, &ours()).unwrap();
    jar.set(&header, &news).unwrap();
    assert_eq!((jar.send(&shop), jar.send(&news)), ("__Host-sid=shop".to_owned(), String::new()));
}
