//! Credentials as requests present them: the values of a cookie, and the token of an `Authorization` field.
//!
//! Nothing here says whether a credential is good.

use std::fmt;

use super::CookieSpec;
use crate::Rejection;

impl CookieSpec {
    /// Finds this cookie in the `Cookie` fields of a request. There may be several fields (HTTP/2), and several cookies
    /// of one name; equal values count once.
    ///
    /// # Errors
    ///
    /// * [`Rejection::TooLarge`]: the fields have more than 16 KiB.
    /// * [`Rejection::Ambiguous`]: more than eight different values.
    pub fn find<'a>(&self, fields: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<Presented>, Rejection> {
        read(self.name(), fields)
    }
}

/// The different values of the cookies of this name, in order. A request does not tell the paths and domains of its cookies.
pub(super) fn read<'a>(name: &str, fields: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<Presented>, Rejection> {
    let mut found: Vec<Presented> = Vec::new();
    let mut total = 0;
    for field in fields {
        total += field.len();
        if total > MAX_FIELDS {
            return Err(Rejection::TooLarge);
        }
        for pair in field.split(|byte| *byte == b';') {
            let Some(value) = pair.trim_ascii().strip_prefix(name.as_bytes()) else { continue };
            let Some(value) = value.strip_prefix(b"=") else { continue };
            // A value in quotes means the same, and other bytes than a token's can be no token of ours.
            let value = value.strip_prefix(b"\"").and_then(|v| v.strip_suffix(b"\"")).unwrap_or(value);
            let text = std::str::from_utf8(value).unwrap_or("?");
            if found.iter().any(|known| known.as_str() == text) {
                continue;
            }
            if found.len() == MAX_PRESENTED {
                return Err(Rejection::Ambiguous);
            }
            found.push(Presented::new(text));
        }
    }
    Ok(found)
}

const MAX_FIELDS: usize = 16 * 1024;
pub(super) const MAX_PRESENTED: usize = 8;

/// A credential as a request presented it: unverified.
///
/// It is not wiped when it is dropped, as a [`Secret`](crate::Secret) is: the same bytes are in the buffer that the request was
/// read into, which nobody wipes.
pub struct Presented(Box<str>);

impl Presented {
    /// Takes charge of a credential.
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    /// The credential itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Presented {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Presented(redacted)")
    }
}

/// Whether it is a character of `b64token` (RFC 6750, section 2.1), without the padding. Without a branch, so that the compiler
/// looks at many bytes at once: tokens are long.
const fn is_b64token(byte: u8) -> bool {
    let is_letter = (byte | 0x20).wrapping_sub(b'a') < 26;
    // From '-' through '.' and '/' to '9'.
    let is_digit = byte.wrapping_sub(b'-') < 13;
    is_letter | is_digit | (byte == b'_') | (byte == b'~') | (byte == b'+')
}

/// Reads the token of an `Authorization` field: `Bearer`, in any case, spaces, a token (RFC 6750, section 2.1).
///
/// `None` for another scheme, which is not ours to judge.
///
/// # Errors
///
/// [`Rejection::Malformed`] when the scheme is right and the rest is not.
pub fn bearer(field: &[u8]) -> Result<Option<Presented>, Rejection> {
    let (scheme, rest) = field.split_at_checked(6).unwrap_or((field, &[]));
    if !scheme.eq_ignore_ascii_case(b"bearer") || rest.first().is_some_and(|byte| *byte != b' ') {
        return Ok(None);
    }
    let token = rest.strip_prefix(b" ").unwrap_or_default();
    let token = &token[token.iter().take_while(|byte| **byte == b' ').count()..];
    let body = token.iter().rposition(|byte| *byte != b'=').map_or(&[][..], |last| &token[..=last]);
    let is_good = body.iter().fold(true, |good, byte| good & is_b64token(*byte));
    if body.is_empty() || !is_good {
        return Err(Rejection::Malformed);
    }
    std::str::from_utf8(token).map(|token| Some(Presented::new(token))).map_err(|_| Rejection::Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec() -> CookieSpec {
        CookieSpec::host("sid").unwrap()
    }

    fn found(fields: &[&[u8]]) -> Vec<String> {
        let found = spec().find(fields.iter().copied()).unwrap();
        found.iter().map(|presented| presented.as_str().to_owned()).collect()
    }

    #[test]
    fn reads_cookie_fields() {
        assert_eq!(found(&[b"a=1; __Host-sid=x; b=2"]), ["x"]);
        assert_eq!(found(&[b"a=1", b"__Host-sid=x"]), ["x"], "several fields");
        assert_eq!(found(&[b"__Host-sid=x; __Host-sid=x"]), ["x"], "equal values count once");
        assert_eq!(found(&[b"__Host-sid=x; __Host-sid=y"]), ["x", "y"]);
        assert_eq!(found(&[b"__Host-sid=\"x\""]), ["x"]);
        assert_eq!(found(&[b"__Host-sid=\xff"]), ["?"], "not UTF-8: presented, but no token");
        for other in [&b"sid=x"[..], b"__host-sid=x", b"__Host-sid", b"__Host-sidx=x", b"x__Host-sid=x", b"", b";;=;"] {
            assert!(found(&[other]).is_empty(), "{other:?}");
        }
    }

    #[test]
    fn hostile_cookie_fields_are_bounded() {
        let large = vec![b'a'; 64 * 1024];
        assert_eq!(spec().find([large.as_slice()]).unwrap_err(), Rejection::TooLarge);
        let many: String = (0..9).map(|n| format!("__Host-sid={n}; ")).collect();
        assert_eq!(spec().find([many.as_bytes()]).unwrap_err(), Rejection::Ambiguous);
    }

    #[test]
    fn knows_the_characters_of_a_bearer_token() {
        for byte in 0..=u8::MAX {
            let expected = byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
            assert_eq!(is_b64token(byte), expected, "{byte:#x}");
        }
    }

    #[test]
    fn reads_bearer_tokens() {
        let read = |field: &str| bearer(field.as_bytes()).map(|found| found.map(|token| token.as_str().to_owned()));
        for good in ["Bearer abc.d-_~+/==", "bearer abc.d-_~+/==", "BEARER   abc.d-_~+/=="] {
            assert_eq!(read(good).unwrap().unwrap(), "abc.d-_~+/==");
        }
        for other in ["Basic abc", "Bearerabc", "DPoP abc", "", "Bear"] {
            assert_eq!(read(other).unwrap(), None, "{other:?}");
        }
        for bad in [
            "Bearer",
            "Bearer ",
            "Bearer a b",
            "Bearer \tabc",
            "Bearer abc ",
            "Bearer abc\r\n",
            "Bearer =",
            "Bearer a=b",
            "Bearer é",
        ] {
            assert!(read(bad).is_err(), "{bad:?}");
        }
    }
}
