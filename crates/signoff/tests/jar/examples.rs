//! The jar and its reader against what RFC 6265bis, layered cookies and CHIPS say, example by example.

use crate::jar::{By, Ignored, Jar, Visit};
use crate::set_cookie::{SameSite, SetCookie, parse};
use crate::{NOW, date, visit};

const HOUR: i64 = 3600;

/// A jar after these fields, each from its own visit.
fn jar(fields: &[(&str, Visit<'_>)]) -> Jar {
    let mut jar = Jar::default();
    for (field, visit) in fields {
        jar.set(field, visit).unwrap_or_else(|reason| panic!("{field:?} is ignored: {reason:?}"));
    }
    jar
}

fn here() -> Visit<'static> {
    visit("www.example.com", "/a/b")
}

fn with(by: By) -> Visit<'static> {
    Visit { by, ..here() }
}

#[test]
fn reads_every_text() {
    let text = |name: &str, value: &str| SetCookie { name: name.into(), value: value.into(), ..Default::default() };
    let n = || text("n", "v");
    for (field, expected) in [
        ("n=v", n()),
        ("  n\t =  v ; ; x=y", n()),
        ("n=v=w", text("n", "v=w")),
        ("v", text("", "v")),
        ("=v", text("", "v")),
        ("n=\"v\"", text("n", "\"v\"")),
        ("n=v; SECURE; httponly; Partitioned", SetCookie { secure: true, http_only: true, partitioned: true, ..n() }),
        ("n=v; Secure=no", SetCookie { secure: true, ..n() }),
        ("n=v; Path=/a; Path=/b", SetCookie { path: Some(Some("/b".into())), ..n() }),
        ("n=v; Path=/a; Path", SetCookie { path: Some(None), ..n() }),
        ("n=v; Path=a", SetCookie { path: Some(None), ..n() }),
        ("n=v; Domain=.Example.COM", SetCookie { domain: Some("example.com".into()), ..n() }),
        ("n=v; SameSite=strict", SetCookie { same_site: SameSite::Strict, ..n() }),
        ("n=v; SameSite=None; SameSite=x", n()),
        ("n=v; Max-Age=10", SetCookie { max_age: Some(10), ..n() }),
        ("n=v; Max-Age=-1", SetCookie { max_age: Some(0), ..n() }),
        ("n=v; Max-Age=99999999999999999999", SetCookie { max_age: Some(34_560_000), ..n() }),
        ("n=v; Max-Age=1s; Max-Age=; Max-Age=+1", n()),
        ("n=v; Max-Age=1; Max-Age=x", SetCookie { max_age: Some(1), ..n() }),
        ("n=v; Expires=Thu, 01 Jan 1970 00:00:00 GMT", SetCookie { expires: Some(0), ..n() }),
        ("n=v; Expires=never", n()),
    ] {
        assert_eq!(parse(field), Some(expected), "{field:?}");
    }
    let long = "p".repeat(1024);
    assert_eq!(parse(&format!("n=v; Path=/{long}")), Some(n()), "an attribute of more than 1024 bytes");
    assert!(parse(&format!("n=v; Path=/{}", &long[1..])).unwrap().path.is_some());
    assert!(parse(&format!("n={}", "v".repeat(4095))).is_some());
    for ignored in [&format!("n={}", "v".repeat(4096)), "n=v\0", "n=v; Path=/\r\n", "n\x7f=v"] {
        assert_eq!(parse(ignored), None);
    }
}

#[test]
fn reads_dates() {
    for (text, expected) in [
        ("Sun, 06 Nov 1994 08:49:37 GMT", Some(784_111_777)),
        ("Sunday, 06-Nov-94 08:49:37 GMT", Some(784_111_777)),
        ("Sun Nov  6 08:49:37 1994", Some(784_111_777)),
        ("Thu, 29 Feb 2024 00:00:00 GMT", Some(1_709_164_800)),
        ("1 jan 69 0:0:0", Some(3_124_224_000)),
        ("Thu, 29 Feb 2023 00:00:00 GMT", None),
        ("Sun, 06 Nov 1600 08:49:37 GMT", None),
        ("Sun, 06 Nov 1994 24:00:00 GMT", None),
        ("Sun, 06 Nov 1994", None),
        ("", None),
    ] {
        assert_eq!(date::parse(text), expected, "{text:?}");
    }
}

#[test]
fn what_is_kept_and_what_is_ignored() {
    let http = || Visit { tls: false, ..here() };
    let embedded = || Visit { top: "https://other.example", ..with(By::CrossSiteSubresource) };
    for (field, visit, expected) in [
        ("n=v", here(), Ok(())),
        ("", here(), Err(Ignored::Text)),
        ("=; Path=/", here(), Err(Ignored::Text)),
        ("n=v; Domain=example.com", here(), Ok(())),
        ("n=v; Domain=www.example.com", here(), Ok(())),
        ("n=v; Domain=w.example.com", here(), Err(Ignored::Domain)),
        ("n=v; Domain=ww.example.com", here(), Err(Ignored::Domain)),
        ("n=v; Domain=a.www.example.com", here(), Err(Ignored::Domain)),
        ("n=v; Domain=example.org", here(), Err(Ignored::Domain)),
        ("n=v; Domain=com", here(), Err(Ignored::PublicSuffix)),
        ("n=v; Domain=2.1", Visit { host: "192.0.2.1", ..here() }, Err(Ignored::Domain)),
        ("n=v; Domain=192.0.2.1", Visit { host: "192.0.2.1", ..here() }, Ok(())),
        ("n=v; Secure", http(), Err(Ignored::Insecure)),
        ("n=v; HttpOnly", with(By::Script), Err(Ignored::Script)),
        ("n=v; SameSite=None", here(), Err(Ignored::NoneWithoutSecure)),
        ("n=v", with(By::CrossSiteForm), Ok(())),
        ("n=v; SameSite=Strict", with(By::CrossSiteLink), Ok(())),
        ("n=v", embedded(), Err(Ignored::CrossSite)),
        ("n=v; SameSite=Lax", embedded(), Err(Ignored::CrossSite)),
        ("n=v; SameSite=None; Secure", embedded(), Ok(())),
        ("n=v", with(By::EmbeddedScript), Err(Ignored::CrossSite)),
        ("__Secure-n=v; Secure", here(), Ok(())),
        ("__Secure-n=v", here(), Err(Ignored::Prefix)),
        ("__sECURE-n=v", here(), Err(Ignored::Prefix)),
        ("__Host-n=v; Secure; Path=/", here(), Ok(())),
        ("__Host-n=v; Secure; Path=/a", here(), Err(Ignored::Prefix)),
        ("__Host-n=v; Secure", visit("www.example.com", "/"), Err(Ignored::Prefix)),
        ("__host-n=v; Path=/", here(), Err(Ignored::Prefix)),
        ("__Host-n=v; Secure; Path=/; Domain=www.example.com", here(), Err(Ignored::Prefix)),
        ("=__Host-n=v", here(), Err(Ignored::Prefix)),
        ("__SECURE-n", here(), Err(Ignored::Prefix)),
        ("__Http-n=v; Secure; HttpOnly; Domain=example.com", here(), Ok(())),
        ("__Http-n=v; Secure", here(), Err(Ignored::Prefix)),
        ("__http-n=v; HttpOnly", here(), Err(Ignored::Prefix)),
        ("__Http-n=v; Secure", with(By::Script), Err(Ignored::Prefix)),
        ("__Host-Http-n=v; Secure; HttpOnly; Path=/", here(), Ok(())),
        ("__Host-Http-n=v; Secure; Path=/", here(), Err(Ignored::Prefix)),
        ("__Host-Http-n=v; Secure; HttpOnly; Path=/; Domain=example.com", here(), Err(Ignored::Prefix)),
        ("n=v; Partitioned", here(), Err(Ignored::PartitionedWithoutSecure)),
        ("n=v; Partitioned; Secure; Domain=example.com", here(), Ok(())),
    ] {
        let mut jar = Jar::default();
        assert_eq!(jar.set(field, &visit), expected, "{field:?}");
        assert_eq!(jar.cookies().len(), usize::from(expected.is_ok()), "{field:?}");
    }
}

#[test]
fn a_cookie_is_its_name_domain_path_and_partition() {
    let other_top = || Visit { top: "https://other.example", ..here() };
    for (first, second, visit, kept) in [
        ("n=v", "n=w", here(), 1),
        ("n=v", "N=w", here(), 2),
        ("n=v; Path=/a", "n=w", here(), 1),
        ("n=v; Path=/", "n=w", here(), 2),
        ("n=v", "n=w; Domain=www.example.com", here(), 2),
        ("n=v; Domain=www.example.com", "n=w; Domain=.WWW.example.com", here(), 1),
        ("n=v; Domain=example.com", "n=w; Domain=www.example.com", here(), 2),
        ("n=v; Secure", "n=w; HttpOnly; SameSite=Lax", here(), 1),
        ("n=v; Secure; Partitioned", "n=w; Secure", here(), 2),
        ("n=v; Secure; Partitioned", "n=w; Secure; Partitioned", here(), 1),
        ("n=v; Secure; Partitioned", "n=w; Secure; Partitioned", other_top(), 2),
        ("n=v", "n=w", Visit { host: "WWW.example.com", ..here() }, 1),
        ("n=v", "n=w", Visit { host: "a.example.com", ..here() }, 2),
        ("n=v", "n=; Max-Age=0", here(), 0),
        ("n=v", "n=; Expires=Thu, 01 Jan 1970 00:00:00 GMT", here(), 0),
        ("n=v", "n=; Max-Age=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT", here(), 1),
        ("n=v", "n=; Max-Age=0; Expires=Fri, 01 Jan 2100 00:00:00 GMT", here(), 0),
    ] {
        let mut jar = jar(&[(first, here())]);
        jar.set(second, &visit).unwrap();
        assert_eq!(jar.cookies().len(), kept, "{first:?}, then {second:?}");
    }
}

#[test]
fn secure_and_hidden_cookies_are_left_alone() {
    let http = |path| Visit { tls: false, path, ..here() };
    let mut jar = jar(&[("n=v; Secure; Path=/login", here()), ("h=v; HttpOnly; Path=/", here())]);
    let overlays = Err(Ignored::OverlaysSecure);
    assert_eq!(jar.set("n=x; Path=/login", &http("/")), overlays);
    assert_eq!(jar.set("n=x; Path=/login/en", &http("/")), overlays);
    assert_eq!(jar.set("n=x; Path=/login/en; Domain=example.com", &http("/")), overlays);
    assert_eq!(jar.set("n=x; Path=/", &http("/")), Ok(()));
    assert_eq!(jar.set("h=; Max-Age=0; Path=/", &with(By::Script)), Err(Ignored::Script));
    assert_eq!(jar.send(&with(By::Script)), "n=x");
    assert_eq!(jar.send(&here()), "h=v; n=x");
}

#[test]
fn what_is_sent() {
    let mut jar = jar(&[
        ("root=1; Path=/; SameSite=Lax", here()),
        ("deep=2; Path=/a/b; SameSite=Strict", here()),
        ("shared=3; Path=/a; Domain=example.com; Secure; SameSite=None", here()),
        ("part=4; Path=/a; Secure; SameSite=None; Partitioned", here()),
        ("plain=5; Path=/a/; Max-Age=10", here()),
    ]);
    assert_eq!(jar.send(&here()), "deep=2; plain=5; shared=3; part=4; root=1", "longer paths first, then older ones");
    jar.set("shared=3; Path=/a; Domain=example.com; Secure; SameSite=None", &here()).unwrap();
    assert_eq!(jar.send(&here()), "deep=2; plain=5; shared=3; part=4; root=1", "what is replaced keeps its age");
    assert_eq!(jar.send(&with(By::CrossSiteLink)), "plain=5; shared=3; part=4; root=1");
    assert_eq!(jar.send(&with(By::CrossSiteForm)), "shared=3; part=4");
    let other = Visit { top: "https://other.example", ..with(By::CrossSiteSubresource) };
    assert_eq!(jar.send(&other), "shared=3");
    assert_eq!(jar.send(&Visit { host: "a.example.com", ..here() }), "shared=3");
    assert_eq!(jar.send(&Visit { path: "/ab", ..here() }), "root=1");
    assert_eq!(jar.send(&Visit { tls: false, path: "/a", ..here() }), "root=1");
    assert_eq!(jar.send(&Visit { now: NOW + 10, path: "/a/", ..here() }), "shared=3; part=4; root=1");
}

#[test]
fn nothing_is_kept_for_more_than_400_days() {
    for field in ["n=v; Max-Age=99999999", "n=v; Expires=Fri, 01 Jan 2100 00:00:00 GMT"] {
        let mut jar = jar(&[(field, here())]);
        assert_eq!(jar.cookies()[0].expires, Some(NOW + 400 * 24 * HOUR));
        assert_eq!(jar.send(&Visit { now: NOW + 400 * 24 * HOUR - 1, ..here() }), "n=v");
        assert_eq!(jar.send(&Visit { now: NOW + 400 * 24 * HOUR, ..here() }), "");
    }
}
