//! Compact JWS: what signoff accepts, jsonwebtoken accepts and reads in the same way; and nothing near it is accepted.

use base64::alphabet::URL_SAFE;
use signoff::Rejection;

use crate::built::{self, Built};
use crate::judge::{Judged, judge};
use crate::service::{forge, header, service, sign};

/// Presents a token, in one of four ways that the first byte chooses: as text; as a header and a payload, separated by
/// `0xff`, which no JSON contains; as a payload; or claim by claim. All but the first come well signed.
pub fn compact_jws(data: &[u8]) {
    let Some((way, rest)) = data.split_first() else { return };
    let token = match way % 4 {
        0 => String::from_utf8_lossy(rest).into_owned(),
        1 => {
            let mut parts = rest.splitn(2, |byte| *byte == 0xff);
            sign(parts.next().unwrap_or_default(), parts.next().unwrap_or_default())
        }
        2 => sign(header().as_bytes(), rest),
        _ => return check_built(&built::payload(rest)),
    };
    let _ = present(&token);
}

fn check_built(built: &Built) {
    let token = sign(header().as_bytes(), built.payload.as_bytes());
    match present(&token) {
        Ok(()) => assert!(built.faults.is_empty(), "{:?} went unnoticed: {}", built.faults, built.payload),
        Err(Rejection::TooLarge) => assert!(token.len() > MAX_TOKEN),
        Err(reason) => assert!(built.faults.contains(&reason), "{reason:?}: {}", built.payload),
    }
}

const MAX_TOKEN: usize = 8 * 1024;

fn present(token: &str) -> Result<(), Rejection> {
    match judge(token) {
        Judged::BothAccept(_) => {
            check_accepted(token);
            Ok(())
        }
        Judged::BothRefuse(reason) | Judged::Stricter(reason, _) => {
            // The answer does not depend on what was asked before.
            assert_eq!(service().signoff.verify(token).unwrap_err(), reason);
            Err(reason)
        }
    }
}

/// Nothing near an accepted token is accepted.
fn check_accepted(token: &str) {
    assert!(token.len() <= MAX_TOKEN);
    let (input, signature) = token.rsplit_once('.').unwrap();
    let refused = |token: &str| service().signoff.verify(token).unwrap_err();
    assert_eq!(refused(&forge(input)), Rejection::BadSignature, "signed with another key: {token}");
    assert_eq!(service().stranger.verify(token).unwrap_err(), Rejection::UnknownKey);
    // Every other last character, so also those that differ only in the bits that base64 leaves over.
    let (rest, last) = signature.split_at(signature.len() - 1);
    for digit in URL_SAFE.as_str().chars().filter(|digit| !last.starts_with(*digit)) {
        assert!(matches!(refused(&format!("{input}.{rest}{digit}")), Rejection::BadSignature | Rejection::Malformed));
    }
    for odd in [format!("{token}="), format!("{token} "), format!(" {token}"), format!("{token}."), input.to_owned()] {
        refused(&odd);
    }
}
