//! Where a request comes from: the verdict against the documented rules, written down as a table.

use signoff::site::{Fetch, Unproven, judge};

use crate::cursor::Cursor;

const LISTED: &str = "https://app.example";

#[derive(PartialEq, Debug)]
enum Answer {
    Proven,
    Allowed,
    Refused,
}

/// A byte says which fields are there, the next how to treat what is unproven; NUL separates the fields.
pub(crate) fn check(data: &[u8]) {
    let mut cursor = Cursor::new(data);
    let (present, policy) = (cursor.byte(), cursor.byte());
    let mut values = data.get(2..).unwrap_or_default().split(|byte| *byte == 0);
    let mut field = |bit: u8| (present & bit != 0).then(|| values.next().unwrap_or_default());
    let fetch = Fetch {
        site: field(1),
        origin: field(2),
        referer: field(4),
        host: field(8),
        content_type: field(16),
        purpose: field(32),
    };
    let origins = [LISTED.to_owned()];
    let origins = if policy & 2 == 0 { &origins[..] } else { &[] };
    let unproven = if policy & 1 == 0 { Unproven::Allow } else { Unproven::Refuse };

    let answer = match judge(&fetch, origins, unproven) {
        Ok(Some(_)) => Answer::Proven,
        Ok(None) => Answer::Allowed,
        Err(_) => Answer::Refused,
    };
    assert_eq!(answer, reference(&fetch, origins, unproven), "{fetch:?}");

    if answer == Answer::Proven {
        // Said once more, for it is what must never go wrong: the list proves nothing, only the browser or `Host` does.
        let claimed = fetch.origin.or(fetch.referer).unwrap_or_default();
        let own = fetch.host.is_some_and(|host| !host.is_empty() && is_at(claimed, host));
        assert!(fetch.site == Some(b"same-origin") || (fetch.site.is_none() && own), "{fetch:?}");
    }
}

fn reference(fetch: &Fetch<'_>, origins: &[String], unproven: Unproven) -> Answer {
    let listed = |origin: &[u8]| origins.iter().any(|other| other.as_bytes() == origin);
    match (fetch.purpose, fetch.site, fetch.origin, fetch.referer) {
        // A speculative request changes nothing.
        (Some(_), ..) => Answer::Refused,
        (None, Some(b"same-origin"), ..) => Answer::Proven,
        (None, Some(b"none"), ..) => Answer::Allowed,
        (None, None, Some(origin), _) if is_own(origin, fetch.host) => Answer::Proven,
        (None, _, Some(origin), _) if listed(origin) => Answer::Allowed,
        (None, Some(_), ..) | (None, None, Some(_), _) => Answer::Refused,
        (None, None, None, Some(referer)) if is_own(&origin_of(referer), fetch.host) => Answer::Proven,
        (None, None, None, Some(_)) => Answer::Refused,
        (None, None, None, None) if unproven == Unproven::Refuse || is_form(fetch.content_type) => Answer::Refused,
        (None, None, None, None) => Answer::Allowed,
    }
}

fn is_own(origin: &[u8], host: Option<&[u8]>) -> bool {
    let Some(host) = host.filter(|host| !host.is_empty()) else { return false };
    origin == [b"https://", host].concat() || origin == [b"http://", host].concat()
}

fn is_at(url: &[u8], host: &[u8]) -> bool {
    url.starts_with(&[b"https://", host].concat()) || url.starts_with(&[b"http://", host].concat())
}

/// Everything before the third slash.
fn origin_of(referer: &[u8]) -> Vec<u8> {
    let parts: Vec<_> = referer.splitn(4, |byte| *byte == b'/').collect();
    parts[..parts.len().min(3)].join(&b"/"[..])
}

fn is_form(content_type: Option<&[u8]>) -> bool {
    let text = String::from_utf8_lossy(content_type.unwrap_or_default()).to_ascii_lowercase();
    let essence = text.split(';').next().unwrap_or_default().trim_matches([' ', '\t', '\n', '\r', '\x0c']);
    ["application/x-www-form-urlencoded", "multipart/form-data", "text/plain"].contains(&essence)
}
