//! The same JSON object in another spelling: other order, other white space, other escapes. Numbers stay as they are.

use super::literal;
use super::prng::Prng;
use crate::scan;

/// Spells an object anew; `None` when it is no JSON object in the first place.
pub(super) fn respell(text: &[u8], prng: &mut Prng) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(text).ok()?;
    serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(text).ok()?;
    let mut members: Vec<_> = scan::object(text)
        .members
        .into_iter()
        .map(|(name, value)| format!("{}:{value}", serde_json::Value::from(name)))
        .collect();
    match prng.below(4) {
        0 => {}
        1 => members.reverse(),
        // As we mint: then it is read in the fast way, if it is at all.
        2 => members
            .sort_by_key(|member| MINTED.iter().position(|name| member.starts_with(name)).unwrap_or(MINTED.len())),
        _ => prng.shuffle(&mut members),
    }
    let plain = format!("{{{}}}", members.join(","));
    let spaces = prng.one_in(2).then(|| 1 + prng.below(8));
    let escapes = prng.one_in(2);
    Some(retell(&plain, spaces, escapes, prng))
}

const MINTED: [&str; 10] = [
    "\"iss\":",
    "\"sub\":",
    "\"aud\":",
    "\"exp\":",
    "\"iat\":",
    "\"jti\":",
    "\"sid\":",
    "\"pos\":",
    "\"client_id\":",
    "\"scope\":",
];

/// The same text with white space at some places, and strings with many escapes or with as few as can be.
fn retell(text: &str, spaces: Option<usize>, escapes: bool, prng: &mut Prng) -> Vec<u8> {
    let mut told = Vec::with_capacity(text.len() * 2);
    let mut at = 0;
    while let Some(byte) = text.as_bytes().get(at) {
        let end = if *byte == b'"' { scan::string_end(text, at) } else { at + 1 };
        let is_structural = b"{}[]:,".contains(byte);
        let mut space = |told: &mut Vec<u8>| {
            if is_structural && spaces.is_some_and(|sparse| prng.one_in(sparse)) {
                told.extend(prng.pick(&[" ", "\t", "\n", "\r", "\r\n  "]).bytes());
            }
        };
        space(&mut told);
        told.extend(&text.as_bytes()[at..if *byte == b'"' { at } else { end }]);
        space(&mut told);
        if *byte == b'"' {
            let string: String = serde_json::from_str(&text[at..end]).unwrap_or_default();
            told.extend(if escapes { literal::escape(&string, prng) } else { literal::quote(&string) });
        }
        at = end;
    }
    told
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn says_the_same() {
        let text = r#"{"iss":"a\"\\","sub":"\ud83e\udd8a\/","own":[1.50,{"x":[ ]}, -0 ],"exp":12345678901234567890}"#;
        let value: Value = serde_json::from_str(text).unwrap();
        for index in 0..1000 {
            let told = respell(text.as_bytes(), &mut Prng::new(0, index)).unwrap();
            assert_eq!(serde_json::from_slice::<Value>(&told).unwrap(), value, "{}", String::from_utf8_lossy(&told));
            assert!(told.windows(4).any(|part| part == b"1.50"));
        }
        assert!(respell(b"[]", &mut Prng::new(0, 0)).is_none());
        assert!(respell(b"{\"a\":1} x", &mut Prng::new(0, 0)).is_none());
    }
}
