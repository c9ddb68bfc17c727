//! The application's own claims: what may stand among the members of a payload. It gives them no meaning.

use crate::claims::REGISTERED;
use crate::json;

/// How many members the quick look can tell apart.
const MEMBERS: usize = 16;

/// Whether these members, without the braces around them, are the application's own: well-formed JSON, no name twice in
/// any object, none that we give a meaning, and at most eight levels deep, the braces included.
pub(crate) fn is_own(members: &str) -> bool {
    members.is_empty() || is_plain(members.as_bytes()).unwrap_or_else(|| is_own_by_the_book(members))
}

fn is_own_by_the_book(members: &str) -> bool {
    let object = json::object(format!("{{{members}}}").as_bytes());
    object.is_some_and(|object| !object.is_empty() && REGISTERED.iter().all(|name| !object.contains_key(*name)))
}

/// Decides about the common case without allocating: a few members with plain names, and texts without escapes, short
/// integers, or words for values. `None` when it is something else, good or bad.
fn is_plain(mut rest: &[u8]) -> Option<bool> {
    let mut names: [&[u8]; MEMBERS] = [b""; MEMBERS];
    for n in 0..MEMBERS {
        let name = text(&mut rest)?;
        if REGISTERED.iter().any(|registered| registered.as_bytes() == name) || names[..n].contains(&name) {
            return Some(false);
        }
        names[n] = name;
        expect(&mut rest, b":")?;
        match rest.first()? {
            b'"' => drop(text(&mut rest)?),
            b't' => expect(&mut rest, b"true")?,
            b'f' => expect(&mut rest, b"false")?,
            b'n' => expect(&mut rest, b"null")?,
            _ => drop(number(&mut rest)?),
        }
        if rest.is_empty() {
            return Some(true);
        }
        expect(&mut rest, b",")?;
    }
    None
}

/// Takes a literal off the front.
pub(super) fn expect(rest: &mut &[u8], literal: &[u8]) -> Option<()> {
    *rest = rest.strip_prefix(literal)?;
    Some(())
}

/// Takes a quoted text off the front: printable ASCII without escapes.
pub(super) fn text<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    expect(rest, b"\"")?;
    let text = until_quote(rest)?;
    Some(text)
}

/// Takes printable ASCII without escapes off the front, and the quote that ends it.
pub(super) fn until_quote<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (text, tail) = rest.split_at_checked(memchr::memchr(b'"', rest)?)?;
    *rest = &tail[1..];
    is_printable(text).then_some(text)
}

/// Whether a text stands in JSON as it is: printable ASCII without quotes and backslashes.
pub(super) fn is_printable(text: &[u8]) -> bool {
    // Without a branch per byte, so that the compiler uses vectors.
    text.iter().fold(true, |so_far, byte| so_far & (matches!(byte, b' '..=b'~') & (*byte != b'"') & (*byte != b'\\')))
}

/// Takes a whole number off the front: up to 16 digits, no leading zero.
pub(super) fn number(rest: &mut &[u8]) -> Option<u64> {
    let digits = rest.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(rest.len());
    let (number, tail) = rest.split_at(digits);
    if !matches!(digits, 1..=16) || digits > 1 && number[0] == b'0' {
        return None;
    }
    *rest = tail;
    Some(number.iter().fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0')))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_an_application_may_claim() {
        for (members, own) in [
            (r#""role":"customer""#, true),
            (r#""role":"customer","level":3,"vip":true,"x":null,"y":false,"zero":0"#, true),
            (r#""a":{"b":[1.5,-2,"\u00e9"]}"#, true),
            (r#""é":"é""#, true),
            (r#""a":9007199254740993000"#, true),
            (r#""a":1,"a":2"#, false),
            (r#""a":1,"\u0061":2"#, false),
            (r#""a":{"b":1,"b":2}"#, false),
            (r#""sub":"bob""#, false),
            (r#""a":1,"nbf":0"#, false),
            (r#""su\u0062":"bob""#, false),
            (r#""a":01"#, false),
            (r#""a":1,"#, false),
            (r#","a":1"#, false),
            (r#""a":1}{"b":2"#, false),
            (r#""a":1},"b":{"c":2"#, false),
            (r#""a""#, false),
            (r#""a":"#, false),
            (r#""a":tru"#, false),
            ("\"a\":\"\u{0}\"", false),
            (" ", false),
            ("\"a\":1\0", false),
        ] {
            assert_eq!(is_own(members), own, "{members}");
        }
        let many = |count: usize| (0..count).map(|n| format!("\"a{n}\":{n}")).collect::<Vec<_>>().join(",");
        assert!((1..40).all(|count| is_own(&many(count))));
        assert!(!is_own(&format!("{},\"a3\":1", many(30))));
    }

    proptest! {
        /// The quick look never decides otherwise than the full reader.
        #[test]
        fn the_quick_look_agrees_with_the_book(
            members in proptest::collection::vec((
                prop_oneof![Just("\"a\""), Just("\"b\""), Just("\"sub\""), Just("\"\""), Just("\"\\u0061\""), Just("a")],
                prop_oneof![Just(":"), Just(":"), Just(":"), Just(" : "), Just("")],
                prop_oneof![
                    "[0-9]{1,20}", "-?[0-9][0-9.eE+-]{0,4}", "\"[ -~]{0,6}\"", "(true|false|null|nul|truefalse)",
                    Just("{}".to_owned()), Just("[1]".to_owned()),
                ],
            ), 0..5),
            joint in prop_oneof![Just(","), Just(","), Just(", "), Just(""), Just(",,")],
        ) {
            let text = members.iter().map(|(name, colon, value)| format!("{name}{colon}{value}")).collect::<Vec<_>>();
            let text = text.join(joint);
            if let Some(plain) = is_plain(text.as_bytes()) {
                prop_assert_eq!(plain, is_own_by_the_book(&text), "{}", text);
            }
        }
    }
}
