//! Cookies as text: one description from which setting and clearing are printed, and a reader for `Cookie` fields.
//!
//! A browser replaces or removes a cookie only when name, domain and path agree (RFC 6265bis, section 5.7), and ignores
//! a header for a `__Host-` or `__Secure-` name that lacks an attribute, also a clearing one. So clearing repeats every
//! attribute, and the only way to clear is a [`Receipt`](crate::Receipt).

use std::fmt;
use std::time::Duration;

use crate::{Error, ErrorKind, Rejection, Secret};

/// When a browser sends the cookie along on requests that another site caused (`SameSite`).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[expect(clippy::exhaustive_enums, reason = "closed by RFC 6265bis; `None` is not offered for session cookies")]
pub enum SameSite {
    /// Also when the person follows a link from another site to ours.
    Lax,
    /// Never.
    Strict,
}

/// The description of one cookie.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct CookieSpec {
    name: String,
    path: String,
    domain: Option<String>,
    same_site: SameSite,
    max_age: Option<Duration>,
}

/// Name and value have at most this many bytes together (RFC 6265bis, section 5.6).
const MAX_PAIR: usize = 4096;
/// The lifetime cap of RFC 6265bis, section 5.5.
const MAX_AGE: Duration = Duration::from_secs(400 * 24 * 60 * 60);

impl CookieSpec {
    /// A cookie for this host alone: `__Host-` in front of the name, `Path=/`, `Secure`, `HttpOnly`, `SameSite=Strict`,
    /// gone when the browser closes. The right one unless something is shared on purpose.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Misuse`] when the name is not a token (RFC 9110, section 5.6.2) of at most 64 bytes.
    pub fn host(name: &str) -> Result<Self, Error> {
        Self::new("__Host-", name, "/", None)
    }

    /// A cookie for one path, and for a whole domain if one is given: `__Secure-` in front of the name, `Secure`,
    /// `HttpOnly`, `SameSite=Strict`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Misuse`] when name, path or domain do not fit into a `Set-Cookie`.
    pub fn secure(name: &str, path: &str, domain: Option<&str>) -> Result<Self, Error> {
        Self::new("__Secure-", name, path, domain)
    }

    fn new(prefix: &str, name: &str, path: &str, domain: Option<&str>) -> Result<Self, Error> {
        let misuse = |what| Err(Error::new(ErrorKind::Misuse, what));
        let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
        if name.is_empty() || name.len() > 64 || !name.bytes().all(token) {
            return misuse("the name of a cookie is a token of at most 64 bytes");
        }
        if name.to_ascii_lowercase().starts_with("__") {
            return misuse("the name of a cookie is given without its prefix");
        }
        if !path.starts_with('/') || path.len() > 256 || !path.bytes().all(|b| b.is_ascii_graphic() && b != b';') {
            return misuse("the path of a cookie starts with a slash and has no semicolon or space");
        }
        let label = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'.';
        if domain.is_some_and(|d| d.is_empty() || d.len() > 253 || d.starts_with('.') || !d.bytes().all(label)) {
            return misuse("the domain of a cookie is a host name");
        }
        Ok(Self {
            name: format!("{prefix}{name}"),
            path: path.to_owned(),
            domain: domain.map(str::to_ascii_lowercase),
            same_site: SameSite::Strict,
            max_age: None,
        })
    }

    /// Another `SameSite`.
    #[must_use]
    pub const fn same_site(mut self, same_site: SameSite) -> Self {
        self.same_site = same_site;
        self
    }

    /// Keeps the cookie when the browser closes; at most 400 days. The server's times decide all the same.
    #[must_use]
    pub fn max_age(mut self, max_age: Duration) -> Self {
        self.max_age = Some(max_age.min(MAX_AGE));
        self
    }

    /// Whether the browser keeps it when it closes.
    pub(crate) const fn is_persistent(&self) -> bool {
        self.max_age.is_some()
    }

    /// The name with its prefix.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The value of the `Set-Cookie` field that sets this cookie.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Misuse`] when name and value exceed 4096 bytes, which browsers drop without a word, or when the value
    /// has bytes that no token of ours has and a cookie may not have (RFC 6265bis, section 4.1.1).
    pub fn set(&self, token: &Secret) -> Result<String, Error> {
        let value = token.expose();
        if self.name.len() + value.len() > MAX_PAIR {
            return Err(Error::new(ErrorKind::Misuse, "the token is too large for a cookie: fewer claims, or opaque"));
        }
        let octet = |b: u8| b.is_ascii_graphic() && !b"\",;\\".contains(&b);
        if !value.bytes().all(octet) {
            return Err(Error::new(
                ErrorKind::Misuse,
                "the value of a cookie has no blanks, quotes, commas or semicolons",
            ));
        }
        let age = self.max_age.map(|age| format!("; Max-Age={}", age.as_secs())).unwrap_or_default();
        Ok(format!("{}={value}{}{age}", self.name, self.attributes()))
    }

    /// The value of the `Set-Cookie` field that removes this cookie. Both ways to say "now", because `Max-Age=0` was
    /// not in the grammar before 2026.
    pub(crate) fn clear(&self) -> String {
        format!("{}={}; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT", self.name, self.attributes())
    }

    fn attributes(&self) -> String {
        let domain = self.domain.as_ref().map(|domain| format!("; Domain={domain}")).unwrap_or_default();
        let same_site = match self.same_site {
            SameSite::Lax => "Lax",
            SameSite::Strict => "Strict",
        };
        format!("; Path={}{domain}; Secure; HttpOnly; SameSite={same_site}", self.path)
    }

    /// Finds this cookie in the `Cookie` fields of a request. There may be several fields (HTTP/2), and several cookies
    /// of one name; equal values count once.
    ///
    /// # Errors
    ///
    /// * [`Rejection::TooLarge`]: the fields have more than 16 KiB.
    /// * [`Rejection::Ambiguous`]: more than eight different values.
    pub fn find<'a>(&self, fields: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<Presented>, Rejection> {
        let mut found: Vec<Presented> = Vec::new();
        let mut total = 0;
        for field in fields {
            total += field.len();
            if total > MAX_FIELDS {
                return Err(Rejection::TooLarge);
            }
            for pair in field.split(|byte| *byte == b';') {
                let Some(value) = pair.trim_ascii().strip_prefix(self.name.as_bytes()) else { continue };
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
                found.push(Presented(Secret::new(text)));
            }
        }
        Ok(found)
    }
}

/// The cookies of an application, as far as they have to do with sessions.
#[derive(Clone, Debug)]
pub struct CookieLedger(CookieSpec);

impl CookieLedger {
    /// The session cookie.
    pub const fn session(&self) -> &CookieSpec {
        &self.0
    }

    pub(crate) fn clear(&self) -> Vec<String> {
        vec![self.0.clear()]
    }

    /// What a request presents in the session cookie, and in those of the past.
    pub(crate) fn presented<'a>(
        &self,
        fields: impl Iterator<Item = &'a [u8]>,
    ) -> Result<(Vec<Presented>, Vec<Presented>), Rejection> {
        Ok((self.0.find(fields)?, Vec::new()))
    }
}

impl From<CookieSpec> for CookieLedger {
    fn from(spec: CookieSpec) -> Self {
        Self(spec)
    }
}

const MAX_FIELDS: usize = 16 * 1024;
const MAX_PRESENTED: usize = 8;

/// A credential as a request presented it: unverified.
pub struct Presented(Secret);

impl Presented {
    /// Takes charge of a credential.
    pub fn new(text: &str) -> Self {
        Self(Secret::new(text))
    }

    /// The credential itself.
    pub fn as_str(&self) -> &str {
        self.0.expose()
    }
}

impl fmt::Debug for Presented {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Presented(redacted)")
    }
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
    let b64token = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(byte);
    if body.is_empty() || !body.iter().all(b64token) {
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

    #[test]
    fn setting_and_clearing_print_the_same_attributes() {
        let set = spec().set(&Secret::new("v")).unwrap();
        assert_eq!(set, "__Host-sid=v; Path=/; Secure; HttpOnly; SameSite=Strict");
        assert_eq!(
            spec().clear(),
            "__Host-sid=; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT"
        );
        let shared = CookieSpec::secure("rt", "/auth", Some("Example.com")).unwrap().same_site(SameSite::Lax);
        let shared = shared.max_age(Duration::MAX);
        assert_eq!(
            shared.set(&Secret::new("v")).unwrap(),
            "__Secure-rt=v; Path=/auth; Domain=example.com; Secure; HttpOnly; SameSite=Lax; Max-Age=34560000"
        );
        assert!(
            shared.clear().starts_with("__Secure-rt=; Path=/auth; Domain=example.com; Secure; HttpOnly; SameSite=Lax;")
        );
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        for name in ["", "a b", "a;b", "a=b", "__Host-x", "é", &"a".repeat(65)] {
            assert!(CookieSpec::host(name).is_err(), "{name:?}");
        }
        for path in ["", "x", "/a;b", "/a b", "/\r\n"] {
            assert!(CookieSpec::secure("x", path, None).is_err(), "{path:?}");
        }
        for domain in ["", ".example.com", "a b", "a;b"] {
            assert!(CookieSpec::secure("x", "/", Some(domain)).is_err(), "{domain:?}");
        }
        for value in ["v; Domain=evil.example", "v\r\nX: y", "a b", "a,b", "\"a\"", "é", "\0"] {
            assert_eq!(spec().set(&Secret::new(value)).unwrap_err().kind(), ErrorKind::Misuse, "{value:?}");
        }
        assert!(spec().set(&Secret::new("v".repeat(4096 - 10))).is_ok());
        assert_eq!(spec().set(&Secret::new("v".repeat(4097 - 10))).unwrap_err().kind(), ErrorKind::Misuse);
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
