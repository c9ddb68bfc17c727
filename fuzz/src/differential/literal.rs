//! Texts of single JSON values: proper ones in all spellings, and improper ones that a sloppy reader would let pass.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use super::prng::Prng;

/// A string, spelled as we mint it.
pub(super) fn quote(text: &str) -> Vec<u8> {
    json!(text).to_string().into_bytes()
}

/// The same string with escapes where none are needed.
pub(super) fn escape(text: &str, prng: &mut Prng) -> Vec<u8> {
    let dense = 1 + prng.below(8);
    let mut spelled = String::from('"');
    for char in text.chars() {
        if char < ' ' || matches!(char, '"' | '\\') || prng.one_in(dense) {
            let upper = prng.one_in(2);
            for unit in char.encode_utf16(&mut [0; 2]) {
                let escaped = if upper { format!("\\u{unit:04X}") } else { format!("\\u{unit:04x}") };
                spelled.push_str(&escaped);
            }
        } else if char == '/' && prng.one_in(2) {
            spelled.push_str("\\/");
        } else {
            spelled.push(char);
        }
    }
    spelled.push('"');
    spelled.into_bytes()
}

/// A name as people and programs have them, short or long, in all scripts.
pub(super) fn name(prng: &mut Prng) -> String {
    const SCRIPTS: [&str; 8] =
        ["alice", "Ärger", "ли́са", "猫", "🦊", "a\"b\\c/d", "e\u{301}", "\u{a0}\u{2028}\u{feff}"];
    match prng.below(16) {
        0 => SCRIPTS.concat().chars().cycle().take(1 + prng.below(96)).collect(),
        1 => "x".repeat(250 + prng.below(6)),
        2 => format!("{}€", "x".repeat(252)),
        3 => char::from(b'!' + prng.below(94) as u8).to_string(),
        4..8 => prng.pick(&SCRIPTS).to_owned(),
        _ => format!("user-{}", prng.below(1_000_000)),
    }
}

/// What a name must not be, as the text of a JSON value. Some are no JSON at all.
pub(super) fn odd_string(text: &str, prng: &mut Prng) -> Vec<u8> {
    let inside = |middle: &[u8]| [b"\"", text.as_bytes(), middle, b"\""].concat();
    let around = |before: &[u8], after: &[u8]| [before, b"\"", text.as_bytes(), b"\"", after].concat();
    match prng.below(24) {
        0 => inside(&[prng.below(0x20) as u8]),
        1 => inside(format!("\\u00{:02x}", prng.below(0x20)).as_bytes()),
        2 => inside(b"\x7f"),
        3 => inside("\u{80}".as_bytes()),
        4 => inside(b"\\u009f"),
        5 => inside(b"\\u0000"),
        6 => inside(b"\\"),
        7 => inside(b"\\\\"),
        8 => inside(b"\\\""),
        9 => around(b"\"", b""),
        10 => around(b"", b"\""),
        11 => around(b"\\", b""),
        12 => {
            inside([b"\xff".as_slice(), b"\xc0\x80", b"\xed\xa0\x80", b"\xe2\x82", b"\xf4\x90\x80\x80"][prng.below(5)])
        }
        13 => inside(b"\\ud800"),
        14 => inside(b"\\udc00\\ud800"),
        15 => inside(b"\\ud83e\\udd8a"),
        16 => inside(prng.pick(&[r"\x41", r"\u00g0", r"\u12", r"\U0041", r"\'", r"\0", r"\e", r"\u+041"]).as_bytes()),
        17 => quote(""),
        18 => quote(&"x".repeat(254 + prng.below(4))),
        19 => quote(&"é".repeat(126 + prng.below(4))),
        20 => b"\"".to_vec(),
        21 => text.as_bytes().to_vec(),
        22 => format!("'{text}'").into_bytes(),
        _ => inside(b"\\b\\f\\n\\r\\t"),
    }
}

/// A number near `number`, in spellings good and bad.
pub(super) fn odd_number(number: u64, prng: &mut Prng) -> Vec<u8> {
    const FIXED: [&str; 40] = [
        "0",
        "1",
        "-0",
        "-1",
        "00",
        "01",
        "+1",
        "1.",
        ".5",
        "1.0",
        "1.5",
        "1e3",
        "1E3",
        "1e+3",
        "1e-3",
        "1.8e10",
        "18e8",
        "1e999",
        "-1e999",
        "1e",
        "0e0",
        "0x10",
        "1_000",
        "1 000",
        "NaN",
        "Infinity",
        "-",
        "",
        "253402300799",
        "253402300800",
        "253402300799.0",
        "9223372036854775807",
        "9223372036854775808",
        "18446744073709551615",
        "18446744073709551616",
        "99999999999999999",
        "100000000000000000000000000000",
        "00000000000000000001",
        "1٣",
        "１",
    ];
    let text = match prng.below(20) {
        0 => format!("0{number}"),
        1 => format!("+{number}"),
        2 => format!("-{number}"),
        3 => format!("{number}.0"),
        4 => format!("{number}.5"),
        5 => format!("{number}."),
        6 => format!("{number}e0"),
        7 => format!("{number}E-1"),
        8 => format!("\"{number}\""),
        9 => format!("{number} "),
        10 => format!(" {number}"),
        11 => format!("{number}{}", prng.number()),
        12 => format!("{number}{}", prng.pick(&["a", "\0", "\u{a0}", "n", "L", "_", "'", "/**/"])),
        13 => prng.number().to_string(),
        14 => (prng.number() >> prng.below(64)).to_string(),
        15 => number.wrapping_add(prng.below(5) as u64).wrapping_sub(2).to_string(),
        _ => prng.pick(&FIXED).to_owned(),
    };
    text.into_bytes()
}

/// A value of whatever type.
pub(super) fn odd_value(prng: &mut Prng) -> Vec<u8> {
    const FIXED: [&str; 20] = [
        "null",
        "true",
        "false",
        "\"\"",
        "\"x\"",
        "0",
        "-1",
        "1.5",
        "[]",
        "{}",
        "[[]]",
        "[null]",
        r#"{"a":1}"#,
        r#"{"a":1,"a":2}"#,
        r#"{"a":1,"\u0061":2}"#,
        r#"["",{},[]]"#,
        "nul",
        "True",
        "undefined",
        "",
    ];
    prng.pick(&FIXED).as_bytes().to_vec()
}

/// Arrays and objects in each other, so many levels deep.
pub(super) fn nested(depth: usize, prng: &mut Prng) -> Vec<u8> {
    let open: Vec<_> = (0..depth).map(|_| prng.one_in(2)).collect();
    let heads = open.iter().map(|array| if *array { "[" } else { r#"{"a":"# });
    let tails = open.iter().rev().map(|array| if *array { "]" } else { "}" });
    heads.chain(["1"]).chain(tails).collect::<String>().into_bytes()
}

/// A random id, well spelled.
pub(super) fn id(prng: &mut Prng) -> String {
    URL_SAFE_NO_PAD.encode(prng.array::<16>())
}

/// An id in another spelling than its own.
pub(super) fn odd_id(id: &str, prng: &mut Prng) -> Vec<u8> {
    let (rest, last) = id.split_at(id.len() - 1);
    match prng.below(12) {
        0 => quote(&format!("{rest}{}", (last.as_bytes()[0] + 1) as char)),
        1 => quote(&format!("{id}==")),
        2 => quote(&format!("{id}=")),
        3 => quote(rest),
        4 => quote(&format!("{id}A")),
        5 => quote(&id.replace(['-', '_'], "+")),
        6 => quote(&format!("{}/{last}", &rest[1..])),
        7 => quote(&format!("{}é{last}", &rest[2..])),
        8 => quote(&format!(" {rest}")),
        9 => quote(&"A".repeat(prng.below(64))),
        10 => quote(&id.to_ascii_uppercase()),
        _ => quote(&prng.array::<16>().map(|byte| format!("{byte:02x}")).concat()),
    }
}
