//! Writes the inputs that fuzzing begins with: `cargo run --no-default-features --example seeds`.
//!
//! They are the same bytes every time, so that running it again changes nothing.

#![forbid(unsafe_code)]

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use signoff_fuzz::{NOW, complete, header, sign};

fn main() {
    compact_jws();
    cookie_header();
    dump();
    opaque();
    revocation_model();
}

/// One file of a corpus: the first byte chooses a way to read the rest.
fn seed(target: &str, name: &str, way: u8, rest: impl AsRef<[u8]>) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(name), [&[way], rest.as_ref()].concat()).unwrap();
}

fn payload() -> Value {
    json!({
        "iss": "https://bank.example", "sub": "alice", "aud": "https://bank.example/api", "exp": NOW + 60, "iat": NOW,
        "jti": "AAECAwQFBgcICQoLDA0ODw", "sid": "Dw4NDAsKCQgHBgUEAwIBAA", "pos": NOW * 1_000_000,
        "client_id": "https://bank.example/api",
    })
}

fn with(name: &str, value: impl Into<Value>) -> String {
    let mut payload = payload();
    payload[name] = value.into();
    payload.to_string()
}

fn compact_jws() {
    let raw = |name: &str, token: &str| seed("compact_jws", &format!("raw-{name}"), 0, token);
    let good = sign(header().as_bytes(), payload().to_string().as_bytes());
    raw("good", &good);
    raw("long-signature", &format!("{good}AAAA"));
    raw("padded", &format!("{good}="));
    raw("four-parts", &format!("{good}.AA"));
    raw("no-signature", &good[..=good.rfind('.').unwrap()]);
    raw("large", &format!("{good}{}", "A".repeat(8 * 1024)));
    raw("opaque", &complete(&"0".repeat(43)));
    for (name, token) in RFC_VECTORS {
        raw(name, token);
    }

    let signed = |name: &str, header: &str| {
        let parts = [header.as_bytes(), &[0xff], payload().to_string().as_bytes()].concat();
        seed("compact_jws", &format!("header-{name}"), 1, parts);
    };
    let good = header();
    let more = |member: &str| good.replacen('{', &format!("{{{member},"), 1);
    signed("good", &good);
    signed("application", &good.replace("at+jwt", "application/AT+JWT"));
    signed("jwt", &good.replace("at+jwt", "JWT"));
    signed("none", &good.replace("HS256", "none"));
    signed("eddsa", &good.replace("HS256", "EdDSA"));
    signed("duplicate", &more(r#""kid":"x""#));
    signed("crit", &more(r#""crit":["exp"]"#));
    signed("jwk", &more(r#""jwk":{"kty":"oct","k":"AA"}"#));
    signed("unknown", &more(r#""x":{"y":[1,"\u00e9"]}"#));
    signed("acme", &more(r#""url":7,"nonce":null"#));
    signed("no-kid", r#"{"alg":"HS256","typ":"at+jwt"}"#);

    let claims = |name: &str, payload: &str| seed("compact_jws", &format!("payload-{name}"), 2, payload);
    claims("good", &payload().to_string());
    claims("audiences", &with("aud", json!(["x", "https://bank.example/api"])));
    claims("audience-wrong", &with("aud", json!(["x"])));
    claims("issuer-wrong", &with("iss", "https://evil.example"));
    claims("expired", &with("exp", NOW));
    claims("expires-never", &with("exp", u64::MAX));
    claims("expires-as-text", &with("exp", "9999999999"));
    claims("expires-as-float", &with("exp", 1.9e9));
    claims("not-before", &with("nbf", NOW));
    claims("not-yet", &with("nbf", NOW + 1));
    claims("position-large", &with("pos", u64::MAX));
    claims("revoked-subject", &with("sub", "mallory").replace("1800000000000000", "1"));
    claims("own", &with("own", json!({"roles": ["teller", null, true, 1.5, -7], "name": "Zo\u{eb} \u{1f600}"})));
    claims("scope", &with("scope", "read write"));
    claims("deep", &with("own", json!([[[[[[[7]]]]]]])));
    claims("too-deep", &with("own", json!([[[[[[[[7]]]]]]]])));
    claims("duplicate", &payload().to_string().replacen('{', r#"{"sub":"bob","#, 1));
    claims("duplicate-escaped", &payload().to_string().replacen('{', r#"{"s\u0075b":"bob","#, 1));
    claims("trailing", &format!("{} {{}}", payload()));
    claims("array", "[]");
    claims("empty", "");

    let built = |name: &str, choices: &[u8]| seed("compact_jws", &format!("built-{name}"), 3, choices);
    built("good", &GOOD.concat());
    for (name, claim, choice) in BUILT {
        let mut choices = GOOD;
        choices[claim] = choice;
        built(name, &choices.concat());
    }
    for n in 0..8 {
        built(&format!("mixed-{n}"), &(0..96).map(|i| mix(n, i)).collect::<Vec<_>>());
    }
}

/// Which claims a good payload is built of, in the order in which the target asks.
const GOOD: [&[u8]; 14] = [
    &[9],                                                 // iss
    &[9],                                                 // aud
    &[3, 7],                                              // pos: 7
    &[7, 3, b'a', b'l', b'i', b'c', b'e', b'!'],          // sub
    &[7, 1, b'a', b'p'],                                  // client_id
    &[7, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1, 2, 3, 4, 5, 6], // sid
    &[7, 6, 5, 4, 3, 2, 1, 0, 9, 8, 7, 6, 5, 4, 3, 2, 1], // jti
    &[4, 60],                                             // exp: in a minute
    &[3, 60],                                             // iat: a minute ago
    &[1],                                                 // nbf: none
    &[7],                                                 // scope: none
    &[3],                                                 // own: three arrays
    &[0],                                                 // nothing twice
    &[0],                                                 // in this order
];

/// What is changed in it, one claim at a time, mostly to either side of a limit.
const BUILT: [(&str, usize, &[u8]); 52] = [
    ("iss-slash", 0, &[0]),
    ("iss-number", 0, &[1]),
    ("iss-array", 0, &[2]),
    ("iss-missing", 0, &[3]),
    ("aud-other", 1, &[0]),
    ("aud-none", 1, &[1]),
    ("aud-others", 1, &[2]),
    ("aud-mixed", 1, &[3]),
    ("aud-object", 1, &[4]),
    ("aud-missing", 1, &[5]),
    ("aud-several", 1, &[6]),
    ("aud-array", 1, &[7]),
    ("pos-last", 2, &[2, 1]),
    ("pos-behind-last", 2, &[2, 2]),
    ("pos-large", 2, &[0, 255, 255, 255, 255, 255, 255, 255, 255]),
    ("sub-revoked", 3, &[0]),
    ("sub-null", 3, &[1]),
    ("sub-missing", 3, &[2]),
    ("sub-longest", 3, &[4, 254]),
    ("sub-too-long", 3, &[4, 255]),
    ("sub-empty", 3, &[7, 0]),
    ("sub-delete", 3, &[7, 1, b'a', 0x7f]),
    ("sub-c1-control", 3, &[7, 1, 0xc2, 0x85]),
    ("sub-no-break-space", 3, &[7, 1, 0xc2, 0xa0]),
    ("sub-nul", 3, &[7, 1, 0, 0]),
    ("client-revoked", 4, &[0]),
    ("client-too-long", 4, &[3, 86]),
    ("sid-revoked", 5, &[0]),
    ("sid-long", 5, &[1]),
    ("sid-short", 5, &[2]),
    ("sid-stray-bits", 5, &[3]),
    ("sid-padded", 5, &[4]),
    ("sid-array", 5, &[5]),
    ("jti-revoked", 6, &[0]),
    ("jti-stray-bits", 6, &[3]),
    ("exp-now", 7, &[2, 1]),
    ("exp-next", 7, &[2, 2]),
    ("exp-last", 7, &[1, 1]),
    ("exp-behind-last", 7, &[1, 2]),
    ("exp-large", 7, &[0, 255, 255, 255, 255, 255, 255, 255, 255]),
    ("iat-future", 8, &[4, 60]),
    ("iat-behind-last", 8, &[1, 2]),
    ("nbf-now", 9, &[3, 2, 1]),
    ("nbf-next", 9, &[3, 2, 2]),
    ("nbf-negative", 9, &[0]),
    ("scope-null", 10, &[0]),
    ("scope-array", 10, &[1]),
    ("scope-text", 10, &[2, 2, b'r', b' ', b'w', b'x']),
    ("own-deepest", 11, &[7]),
    ("own-too-deep", 11, &[8]),
    ("own-text", 11, &[0, 2, b'"', b'\\', 0, 0xff]),
    ("twice", 12, &[1, 4]),
];

/// Examples of the standards. None is a token of ours: they have other keys, types and claims.
const RFC_VECTORS: [(&str, &str); 5] = [
    (
        "rfc7515-a1",
        "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
    ),
    (
        "rfc7515-a3",
        "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
    ),
    (
        "rfc7515-a5",
        "eyJhbGciOiJub25lIn0.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.",
    ),
    ("rfc7515-a4-payload", "eyJhbGciOiJFUzUxMiJ9.UGF5bG9hZA.AA"),
    (
        "rfc8037-a4",
        "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
    ),
];

fn cookie_header() {
    let many: String = (0..9).map(|n| format!("__Host-sid={n}; ")).collect();
    let eight: String = (0..8).map(|n| format!("__Host-sid={n}; ")).collect();
    let large = format!("__Host-sid=x; pad={}", "a".repeat(16 * 1024));
    let cookies: [(&str, &[u8]); 22] = [
        ("one", b"__Host-sid=x"),
        ("others", b"a=1; __Host-sid=x; b=2"),
        ("fields", b"a=1\0__Host-sid=x\0b=2"),
        ("twice", b"__Host-sid=x; __Host-sid=x"),
        ("two", b"__Host-sid=x; __Host-sid=y"),
        ("again", b"__Host-sid=x; __Host-sid=y; __Host-sid=x"),
        ("eight", eight.as_bytes()),
        ("many", many.as_bytes()),
        ("large", large.as_bytes()),
        ("quoted", b"__Host-sid=\"x\""),
        ("quote", b"__Host-sid=\""),
        ("quotes", b"__Host-sid=\"\"\"\""),
        ("not-utf8", b"__Host-sid=\xff; __Host-sid=?"),
        ("spaces", b" \t__Host-sid= x \x0b;\x0c__Host-sid =y\r\n"),
        ("other-case", b"__host-sid=x; __HOST-SID=y"),
        ("near", b"sid=x; __Host-sidx=y; x__Host-sid=z; __Host-sid; __Secure-sid=q"),
        ("empty", b"__Host-sid=; ;;=;"),
        ("equals", b"__Host-sid==x=y=="),
        ("retired", b"sid=x; __Host-sid=y; __Secure-sid=z; csrf=c"),
        ("retired-equal", b"sid=x; __Host-sid=x; __Secure-sid=x"),
        ("chunks", b"sid.1=b; sid.0=a\0sid.2=c; sid=ab"),
        ("chunks-planted", b"sid.0=1; sid.0=2; sid.0=3; sid.1=1; sid.1=2; sid.1=3"),
    ];
    for (name, field) in cookies {
        seed("cookie_header", &format!("cookie-{name}"), 0, field);
    }
    for (n, field) in [
        "Bearer abc.d-_~+/==",
        "bearer abc",
        "BEARER   abc=",
        "Bearer",
        "Bearer ",
        "Bearer =",
        "Bearer a=b",
        "Bearer a b",
        "Bearer\ta",
        "Bearer \ta\t",
        "Basic YTpi",
        "Bearerabc",
        "Bearer é",
    ]
    .iter()
    .enumerate()
    {
        seed("cookie_header", &format!("bearer-{n:02}"), 1, field);
    }
    // Which fields are there, what is done with the unproven, and the fields in the order of `Fetch`.
    for (name, present, policy, fields) in [
        ("same-origin", 1, 0, "same-origin"),
        ("cross-site", 1 | 2 | 8, 0, "cross-site\0https://bank.example\0bank.example"),
        ("cross-site-listed", 1 | 2, 0, "cross-site\0https://app.example"),
        ("odd-site-listed", 1 | 2, 0, "\0https://app.example"),
        ("listed-and-own", 2 | 8, 0, "https://app.example\0app.example"),
        ("same-site-listed", 1 | 2, 0, "same-site\0https://app.example"),
        ("same-site-unlisted", 1 | 2, 2, "same-site\0https://app.example"),
        ("none", 1, 1, "none"),
        ("origin", 2 | 8, 0, "https://bank.example:8443\0bank.example:8443"),
        ("origin-http", 2 | 8, 0, "http://bank.example\0bank.example"),
        ("origin-null", 2 | 4 | 8, 0, "null\0https://bank.example/\0bank.example"),
        ("origin-listed", 2, 0, "https://app.example"),
        ("origin-listed-longer", 2, 0, "https://app.example.evil.example"),
        ("origin-listed-port", 2, 0, "https://app.example:8443"),
        ("origin-userinfo", 2 | 8, 0, "https://bank.example@evil.example\0bank.example"),
        ("origin-empty-host", 2 | 8, 0, "https://\0"),
        ("referer", 4 | 8, 0, "https://bank.example/account?x=/\0bank.example"),
        ("referer-bare", 4 | 8, 0, "https://bank.example\0bank.example"),
        ("referer-inside", 4 | 8, 0, "https://evil.example/https://bank.example/\0bank.example"),
        ("referer-listed", 4, 0, "https://app.example/x"),
        ("nothing", 0, 0, ""),
        ("nothing-refused", 0, 1, ""),
        ("form", 16, 0, "Text/Plain; charset=x"),
        ("json", 16, 0, "application/json"),
        ("multipart", 8 | 16, 0, "bank.example\0multipart/form-data; boundary=x"),
        ("prefetch", 1 | 32, 0, "same-origin\0prefetch"),
    ] {
        let fields = [&[present, policy], fields.as_bytes()].concat();
        seed("cookie_header", &format!("site-{name}"), 2, fields);
    }
}

fn opaque() {
    let good = complete("signofffuzztargetopaquetokenABCDEFGHIJ01234");
    let text = |name: &str, text: &str| seed("opaque", &format!("text-{name}"), 0, text);
    text("good", &good);
    text("good-without-prefix", &good[4..]);
    text("zeros", &complete(&"0".repeat(43)));
    text("last", &complete(&"z".repeat(43)));
    text("short", &good[..52]);
    text("long", &format!("{good}0"));
    text("line", &format!("{good}\n"));
    text("lower", &good.to_lowercase());
    text("other-kind", &good.replace("soa_", "sor_"));
    text("upper-kind", &good.replace("soa_", "SOA_"));
    text("two-bytes", &format!("soa_{}0", "\u{e9}".repeat(24)));
    text("fullwidth", &format!("soa_{}0", "\u{ff10}".repeat(16)));
    text("zero-checksum", &format!("soa_{}", "0".repeat(49)));
    text("dots", "soa_.e30.AA");
    text("prefix", "soa_");
    text("empty", "");
    for n in 0..12 {
        seed("opaque", &format!("made-{n:02}"), 1, (0..43 + n * 5).map(|i| mix(n, i)).collect::<Vec<_>>());
    }
    seed("opaque", "made-empty", 1, "");
}

fn revocation_model() {
    // Operations: 0 revoke (kind, id, step, expiry), 4 read on, 7 any page, 9 nonsense, 10 purge, 11 clocks, 13 check.
    let scenarios: [(&str, &[u8]); 13] = [
        ("revoke-read-check", &[4, 0, 1, 2, 9, 4, 13, 2, 2, 2, 2, 2, 0, 1, 1, 0]),
        ("unready", &[13, 1, 1, 1, 1, 1, 0, 0, 0, 0]),
        ("gap", &[4, 0, 0, 1, 1, 9, 0, 0, 1, 2, 9, 7, 1, 2, 0, 0, 4, 13, 1, 1, 1, 1, 1, 0, 1, 1, 0]),
        ("overlap", &[0, 2, 1, 1, 9, 0, 2, 1, 1, 9, 0, 3, 1, 1, 9, 4, 7, 0, 3, 0, 0, 7, 1, 2, 0, 0, 13, 1, 1, 1, 1]),
        ("repeat", &[0, 2, 1, 1, 9, 7, 0, 1, 0, 0, 7, 0, 1, 0, 0, 13, 0, 0, 1, 0, 0, 0, 1, 0, 0]),
        ("purge", &[0, 2, 1, 1, 9, 0, 2, 2, 1, 20, 4, 10, 9, 13, 0, 0, 1, 0, 0, 0, 1, 0, 0, 7, 0, 2, 1, 0, 4, 10, 255]),
        ("older-again", &[0, 2, 1, 1, 9, 0, 2, 1, 1, 9, 7, 0, 2, 0, 0, 7, 0, 1, 0, 0, 13, 0, 0, 1, 0, 0, 0, 1, 1, 0]),
        ("same-id", &[0, 0, 1, 1, 9, 0, 1, 1, 1, 9, 0, 2, 1, 1, 9, 0, 3, 1, 1, 9, 0, 4, 1, 1, 9, 0, 5, 1, 1, 9, 4]),
        (
            "other-kind",
            &[0, 0, 1, 1, 9, 4, 13, 0, 1, 1, 1, 1, 0, 0, 0, 0, 0, 4, 1, 1, 9, 4, 13, 2, 2, 2, 1, 2, 0, 0, 0, 0],
        ),
        ("back", &[0, 2, 1, 1, 9, 4, 7, 0, 1, 0, 255, 13, 0, 0, 1, 0, 0, 0, 1, 0, 0]),
        ("distrust", &[4, 12, 255, 13, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 13]),
        ("nonsense", &[0, 2, 1, 1, 9, 9, 0, 0, 9, 0, 1, 9, 0, 2, 4, 9, 1, 2, 13]),
        ("clocks", &[11, 1, 90, 59, 11, 1, 0, 59, 11, 0, 255, 255, 255, 255, 255, 255, 255, 255, 255, 11, 1, 200, 200]),
    ];
    for (name, operations) in scenarios {
        seed("revocation_model", name, operations[0], &operations[1..]);
    }
    for n in 0..16 {
        let operations: Vec<_> = (0..256).map(|i| if i % 3 == 0 { mix(n, i) % 16 } else { mix(n, i) }).collect();
        seed("revocation_model", &format!("mixed-{n:02}"), operations[0], &operations[1..]);
    }
}

fn dump() {
    // Parts with their lengths before them: entries are 4, names 2, crowded kinds 3.
    let narrow = |region: u8, tag: u8| [12, 4, region, tag, 1, 9, 0, 0, 0, 7, 0, 0, 1];
    let wide = |region: u8, tag: u8| [&[20, 4, region, tag, 1, 9, 0, 0, 0, 7, 0, 0, 1][..], &[3; 8]].concat();
    let name = |kind: u8, id: &[u8]| [&[14 + id.len() as u8, 2, kind, 9, 0, 0, 0][..], &[5; 8], id].concat();
    let scenarios: [(&str, &[&[u8]]); 12] = [
        ("nothing", &[]),
        ("empty-part", &[&[0]]),
        ("narrow", &[&narrow(0, 1), &narrow(0, 2), &narrow(5, 1), &narrow(127, 1)]),
        ("wide", &[&narrow(3, 1), &wide(128, 1), &wide(255, 2)]),
        ("twice", &[&narrow(3, 1), &narrow(3, 1), &wide(130, 1), &wide(130, 1)]),
        ("backwards", &[&narrow(3, 1), &narrow(2, 1)]),
        ("no-tag", &[&narrow(3, 0), &[12, 4, 3, 0, 0, 9, 0, 0, 0, 7, 0, 0, 1]]),
        ("large-tag", &[&[12, 4, 3, 0, 0x80, 9, 0, 0, 0, 7, 0, 0, 1]]),
        ("names", &[&name(4, b"app"), &name(5, b"key"), &name(6, b""), &name(4, b"app")]),
        ("no-names", &[&name(6, b"x"), &name(1, b"x"), &name(4, b"\xff"), &name(9, b"")]),
        ("crowded", &[&name(4, b"app"), &[2, 3, 4], &name(4, b"late"), &wide(200, 1), &[2, 3, 5], &[2, 3, 1]]),
        ("cut", &[&narrow(3, 1)[..9], &[1, 4, 2, 4, 9, 1, 9]]),
    ];
    for (name, parts) in scenarios {
        seed("dump", name, 1, parts.concat());
        seed("dump", &format!("{name}-without-keys"), 0, parts.concat());
    }
    for n in 0..8 {
        let parts: Vec<_> = (0..6).flat_map(|i| narrow(mix(n, 2 * i) % 128, mix(n, 2 * i + 1))).collect();
        seed("dump", &format!("mixed-{n}"), 1, parts);
    }
}

/// A byte that looks random and is the same every time (SplitMix64).
fn mix(n: usize, i: usize) -> u8 {
    let mut z = ((n as u64) << 32 | i as u64).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (z ^ (z >> 31)).to_le_bytes()[0]
}
