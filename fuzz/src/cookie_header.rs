//! Reading request headers: cookies, bearer tokens and origins against plain references.

use signoff::cookie::{self, CookieLedger, CookieSpec, Presented};
use signoff::{Rejection, Secret};

use crate::site;

/// Reads header fields; the first byte chooses which, and NUL, which no field contains, separates them.
pub fn cookie_header(data: &[u8]) {
    let Some((way, rest)) = data.split_first() else { return };
    match way % 3 {
        0 => check_cookies(&rest.split(|byte| *byte == 0).collect::<Vec<_>>()),
        1 => check_bearer(rest),
        _ => site::check(rest),
    }
}

fn check_cookies(fields: &[&[u8]]) {
    let ledger = ledger();
    let spec = ledger.session();
    let expected = reference_values(fields, b"__Host-sid");
    let too_large = fields.iter().map(|field| field.len()).sum::<usize>() > 16 * 1024;
    let found = match spec.find(fields.iter().copied()) {
        Err(Rejection::TooLarge) => return assert!(too_large),
        // Which of the two is found first depends on the order of the fields, and does not matter.
        Err(Rejection::Ambiguous) => return assert!(expected.len() > 8),
        Err(other) => panic!("{other:?} is no answer"),
        Ok(found) => found,
    };
    assert!(!too_large && expected.len() <= 8);
    assert_eq!(texts(&found), expected);

    // One large field, many small ones: where it is cut does not matter.
    let joined = fields.join(&b"; "[..]);
    if let Ok(again) = spec.find([joined.as_slice()]) {
        assert_eq!(texts(&again), expected);
    }
    check_ledger(&ledger, fields, &expected);
    for value in expected {
        check_round_trip(spec, &value);
    }
}

fn ledger() -> CookieLedger {
    let old = |name: &str| CookieSpec::unprefixed(name, "/", None).unwrap();
    let ledger = CookieLedger::new(CookieSpec::host("sid").unwrap()).and(old("csrf")).unwrap();
    let ledger = ledger.retired_chunks(old("sid"), 2).unwrap();
    ledger.retired(CookieSpec::secure("sid", "/", Some("bank.example")).unwrap()).unwrap()
}

/// A logout hears of what lets in, and of what the retired cookies hold, whole or in two chunks.
fn check_ledger(ledger: &CookieLedger, fields: &[&[u8]], expected: &[String]) {
    assert_eq!(texts(&ledger.find(fields.iter().copied()).unwrap()), expected);
    let read = |name: &str| reference_values(fields, name.as_bytes());
    let (whole, first, second, secure) = (read("sid"), read("sid.0"), read("sid.1"), read("__Secure-sid"));
    let combined = first.len() * second.len().max(1);
    // The second chunk of a cookie that has no first is not looked at.
    let too_many = [whole.len(), first.len(), secure.len(), combined].iter().any(|count| *count > 8);
    let all = match ledger.find_all(fields.iter().copied()) {
        Err(reason) => return assert!(reason == Rejection::Ambiguous && too_many),
        Ok(all) => all,
    };
    assert!(!too_many);
    let joined = |start: &String| match second.as_slice() {
        [] => vec![start.clone()],
        ends => ends.iter().map(|end| format!("{start}{end}")).collect(),
    };
    let mut values = expected.to_vec();
    for value in whole.iter().cloned().chain(first.iter().flat_map(joined)).chain(secure) {
        if !values.contains(&value) {
            values.push(value);
        }
    }
    assert_eq!(texts(&all), values);
}

fn texts(found: &[Presented]) -> Vec<&str> {
    found.iter().map(Presented::as_str).collect()
}

/// What is set is what is found, unless the value has an outside of its own: white space or quotes.
fn check_round_trip(spec: &CookieSpec, value: &str) {
    if value.ends_with(is_space) || value.starts_with('"') {
        return;
    }
    let Ok(printed) = spec.set(&Secret::new(value)) else { return };
    let again = spec.find([printed.as_bytes()]).unwrap();
    assert_eq!(again.iter().map(|one| one.as_str()).collect::<Vec<_>>(), [value]);
}

/// The different values of one name in order, by the rules of the documentation, one byte at a time.
fn reference_values(fields: &[&[u8]], name: &[u8]) -> Vec<String> {
    let mut values = Vec::new();
    for field in fields {
        let mut pairs = vec![Vec::new()];
        for byte in *field {
            if *byte == b';' { pairs.push(Vec::new()) } else { pairs.last_mut().unwrap().push(*byte) }
        }
        for pair in pairs {
            let mut pair = pair.as_slice();
            while pair.first().is_some_and(|byte| is_space(char::from(*byte))) {
                pair = &pair[1..];
            }
            while pair.last().is_some_and(|byte| is_space(char::from(*byte))) {
                pair = &pair[..pair.len() - 1];
            }
            // The first equals sign ends the name, also when the value has more of them.
            let Some(equals) = pair.iter().position(|byte| *byte == b'=') else { continue };
            if &pair[..equals] != name {
                continue;
            }
            let mut value = &pair[equals + 1..];
            if value.len() >= 2 && value[0] == b'"' && value[value.len() - 1] == b'"' {
                value = &value[1..value.len() - 1];
            }
            let value = String::from_utf8(value.to_vec()).unwrap_or_else(|_| "?".to_owned());
            if !values.contains(&value) {
                values.push(value);
            }
        }
    }
    values
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\x0c')
}

fn check_bearer(field: &[u8]) {
    let read = cookie::bearer(field).map(|found| found.map(|token| token.as_str().to_owned()));
    let text = String::from_utf8_lossy(field);
    let scheme = text.get(..6).is_some_and(|scheme| scheme.eq_ignore_ascii_case("bearer"));
    let ours = scheme && matches!(text.as_bytes().get(6), None | Some(b' '));
    match &read {
        Ok(None) => assert!(!ours),
        Ok(Some(token)) => {
            assert!(ours && is_b64token(token), "{text:?}");
            // Nothing but the scheme and white space was left out.
            assert_eq!(text[6..].trim_matches(is_space), token);
        }
        Err(reason) => assert!(ours && *reason == Rejection::Malformed),
    }
    // Whatever follows the grammar to the letter is read.
    if let (true, Some(token)) = (ours, text.get(6..).map(|rest| rest.trim_start_matches(' ')))
        && is_b64token(token)
    {
        assert_eq!(read.unwrap().as_deref(), Some(token));
    }
}

/// `1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="` (RFC 6750, section 2.1).
fn is_b64token(text: &str) -> bool {
    let body = text.trim_end_matches('=');
    !body.is_empty() && body.chars().all(|c| c.is_ascii_alphanumeric() || "-._~+/".contains(c))
}
