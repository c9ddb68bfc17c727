//! The description of one cookie. What browsers would ignore is refused when it is described, or cannot be described.

use std::time::Duration;

use crate::{Error, ErrorKind};

/// When a browser sends the cookie along on requests that another site caused (`SameSite`).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[expect(clippy::exhaustive_enums, reason = "closed by RFC 6265bis")]
pub enum SameSite {
    /// Also when the person follows a link from another site to ours.
    Lax,
    /// Always: for pages that other sites embed. Such a cookie is `Secure`.
    None,
    /// Never.
    Strict,
}

/// The description of one cookie.
///
/// ```
/// use signoff::{CookieSpec, Secret};
///
/// let session = CookieSpec::host("sid")?;
/// let set = session.set(&Secret::new("v"))?;
/// assert_eq!(set, "__Host-sid=v; Path=/; Secure; HttpOnly; SameSite=Strict");
/// # Ok::<(), signoff::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct CookieSpec {
    pub(super) name: String,
    pub(super) path: String,
    /// In lower case. `None` is a cookie for one host only, which is another one than that of a domain of this name.
    pub(super) domain: Option<String>,
    pub(super) same_site: SameSite,
    pub(super) max_age: Option<Duration>,
    // Invariant: true with every prefix, with `SameSite=None` and with `Partitioned`.
    pub(super) secure: bool,
    // Invariant: true with the prefixes of `http` and `host_http`.
    pub(super) http_only: bool,
    pub(super) partitioned: bool,
}

impl CookieSpec {
    /// A cookie for this host alone: `__Host-` in front of the name, `Path=/`, `Secure`, `HttpOnly`, `SameSite=Strict`,
    /// gone when the browser closes. The right one unless something is shared on purpose.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Misuse`] when the name is not a token (RFC 9110, section 5.6.2) of at most 64 bytes, or makes another
    /// prefix of this one.
    pub fn host(name: &str) -> Result<Self, Error> {
        Self::new(Prefix::Host, name, "/", None)
    }

    /// As [`CookieSpec::host`] with `__Host-Http-` in front of the name: no script can have set it either. Browsers that
    /// do not know this prefix (Safari in 2025) treat it as `__Host-`.
    ///
    /// # Errors
    ///
    /// As [`CookieSpec::host`].
    pub fn host_http(name: &str) -> Result<Self, Error> {
        Self::new(Prefix::HostHttp, name, "/", None)
    }

    /// As [`CookieSpec::secure`] with `__Http-` in front of the name: no script can have set it either. Browsers that do
    /// not know this prefix see a name like any other.
    ///
    /// # Errors
    ///
    /// As [`CookieSpec::secure`].
    pub fn http(name: &str, path: &str, domain: Option<&str>) -> Result<Self, Error> {
        Self::new(Prefix::Http, name, path, domain)
    }

    /// A cookie for one path, and for a whole domain if one is given: `__Secure-` in front of the name, `Secure`,
    /// `HttpOnly`, `SameSite=Strict`. Every host of the domain can set it, too.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Misuse`] when name, path or domain do not fit into a `Set-Cookie`.
    pub fn secure(name: &str, path: &str, domain: Option<&str>) -> Result<Self, Error> {
        Self::new(Prefix::Secure, name, path, domain)
    }

    /// As [`CookieSpec::secure`] without a prefix: for cookies of the past, for those that a script must read, and for
    /// development. Nothing tells such a cookie from one that a sibling host or a page without TLS has planted.
    ///
    /// # Errors
    ///
    /// As [`CookieSpec::secure`]; a name that begins with a prefix belongs to the other constructors.
    pub fn unprefixed(name: &str, path: &str, domain: Option<&str>) -> Result<Self, Error> {
        Self::new(Prefix::None, name, path, domain)
    }

    fn new(prefix: Prefix, name: &str, path: &str, domain: Option<&str>) -> Result<Self, Error> {
        let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
        if name.is_empty() || name.len() > 64 || !name.bytes().all(token) {
            return Err(misuse("the name of a cookie is a token of at most 64 bytes"));
        }
        let full = format!("{}{name}", prefix.text());
        // `host("Http-sid")` would promise what its other attributes need not keep.
        if Prefix::of(&full) != prefix || (prefix != Prefix::None && name.starts_with("__")) {
            return Err(misuse("the name of a cookie is given without its prefix"));
        }
        if !path.starts_with('/') || path.len() > 256 || !path.bytes().all(|b| b.is_ascii_graphic() && b != b';') {
            return Err(misuse("the path of a cookie starts with a slash and has no semicolon or space"));
        }
        let octet = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
        let label = |label: &str| (1..=63).contains(&label.len()) && label.bytes().all(octet);
        // A dot at an end makes another name of it: browsers drop the first and match nothing with the last.
        if domain.is_some_and(|domain| domain.len() > 253 || !domain.split('.').all(label)) {
            return Err(misuse("the domain of a cookie is a host name"));
        }
        Ok(Self {
            name: full,
            path: path.to_owned(),
            domain: domain.map(str::to_ascii_lowercase),
            same_site: SameSite::Strict,
            max_age: None,
            secure: true,
            http_only: true,
            partitioned: false,
        })
    }

    /// Another `SameSite`. `SameSite=None` brings `Secure` along, without which browsers ignore it.
    ///
    /// `Strict` and `Lax` cookies can be neither set nor cleared by answers to what another site embeds or fetches.
    #[must_use]
    pub const fn same_site(mut self, same_site: SameSite) -> Self {
        self.same_site = same_site;
        self.secure |= matches!(same_site, SameSite::None);
        self
    }

    /// Keeps the cookie when the browser closes; at least a second, at most 400 days. The server's times decide all the
    /// same.
    #[must_use]
    pub fn max_age(mut self, max_age: Duration) -> Self {
        self.max_age = Some(max_age.clamp(MIN_AGE, MAX_AGE));
        self
    }

    /// One cookie for each site that embeds ours (`Partitioned`, CHIPS), which can only be cleared from within that site.
    /// Brings `Secure` along. Best with [`CookieSpec::host`], and with `SameSite=None`, or it is not sent when embedded.
    #[must_use]
    pub const fn partitioned(mut self) -> Self {
        self.partitioned = true;
        self.secure = true;
        self
    }

    /// Without `HttpOnly`, so that a script can read, change and delete it. Not for the cookie of a session.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Misuse`] for [`CookieSpec::http`] and [`CookieSpec::host_http`].
    pub fn readable_by_scripts(mut self) -> Result<Self, Error> {
        if matches!(Prefix::of(&self.name), Prefix::Http | Prefix::HostHttp) {
            return Err(misuse("a cookie whose prefix promises HttpOnly is not readable by scripts"));
        }
        self.http_only = false;
        Ok(self)
    }

    /// Without `Secure`: for cookies of the past, and for development on `http://localhost` with Safari, which keeps
    /// `Secure` cookies from it. Everybody on the way can read and plant such a cookie.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Misuse`] with a prefix, `SameSite=None` or `Partitioned`, which all need it.
    pub fn without_secure(mut self) -> Result<Self, Error> {
        if Prefix::of(&self.name) != Prefix::None || self.partitioned || self.same_site == SameSite::None {
            return Err(misuse("a cookie with a prefix, SameSite=None or Partitioned is Secure"));
        }
        self.secure = false;
        Ok(self)
    }

    /// Whether the browser keeps it when it closes.
    pub(crate) const fn is_persistent(&self) -> bool {
        self.max_age.is_some()
    }

    /// The name with its prefix.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// One of the pieces of a cookie that was split. Its name has the same prefix.
    pub(super) fn chunk(&self, n: usize) -> Self {
        Self { name: format!("{}.{n}", self.name), ..self.clone() }
    }
}

/// What the first bytes of a name promise (RFC 6265bis, section 4.1.3, and layered cookies).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Prefix {
    Host,
    HostHttp,
    Http,
    None,
    Secure,
}

impl Prefix {
    const fn text(self) -> &'static str {
        match self {
            Self::Host => "__Host-",
            Self::HostHttp => "__Host-Http-",
            Self::Http => "__Http-",
            Self::None => "",
            Self::Secure => "__Secure-",
        }
    }

    /// As browsers see it: in any case, the longest first.
    fn of(name: &str) -> Self {
        let begins = |prefix: &Self| {
            let text = prefix.text();
            name.get(..text.len()).is_some_and(|start| start.eq_ignore_ascii_case(text))
        };
        [Self::HostHttp, Self::Host, Self::Http, Self::Secure].into_iter().find(begins).unwrap_or(Self::None)
    }
}

pub(super) const fn misuse(what: &'static str) -> Error {
    Error::new(ErrorKind::Misuse, what)
}

/// Zero would clear.
const MIN_AGE: Duration = Duration::from_secs(1);
/// The lifetime cap of RFC 6265bis, section 5.5.
const MAX_AGE: Duration = Duration::from_secs(400 * 24 * 60 * 60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_refused() {
        let kinds = |name| {
            [
                CookieSpec::host(name),
                CookieSpec::host_http(name),
                CookieSpec::http(name, "/", None),
                CookieSpec::secure(name, "/", None),
                CookieSpec::unprefixed(name, "/", None),
            ]
        };
        for name in ["", "a b", "a;b", "a=b", "__Host-x", "__hTTp-x", "__SECURE-x", "é", &"a".repeat(65)] {
            for refused in kinds(name) {
                assert_eq!(refused.unwrap_err().kind(), ErrorKind::Misuse, "{name:?}");
            }
        }
        for path in ["", "x", "/a;b", "/a b", "/\r\n", &"/".repeat(257)] {
            assert!(CookieSpec::secure("x", path, None).is_err(), "{path:?}");
        }
        for domain in ["", ".example.com", "example.com.", "a..b", "a b", "a;b", "é.example", &"a".repeat(64)] {
            assert!(CookieSpec::secure("x", "/", Some(domain)).is_err(), "{domain:?}");
        }
    }

    #[test]
    fn no_name_makes_another_prefix() {
        for name in ["Http-sid", "http-sid", "HTTP-sid"] {
            assert!(CookieSpec::host(name).is_err(), "{name:?}");
            assert!(CookieSpec::secure(name, "/", None).is_ok(), "{name:?}");
        }
        assert_eq!(CookieSpec::unprefixed("__session", "/", None).unwrap().name(), "__session");
        assert_eq!(CookieSpec::host_http("sid").unwrap().name(), "__Host-Http-sid");
        assert_eq!(CookieSpec::http("sid", "/", None).unwrap().name(), "__Http-sid");
    }

    #[test]
    fn what_does_not_go_together_cannot_be_described() {
        let plain = || CookieSpec::unprefixed("x", "/", None).unwrap();
        for secure in [
            CookieSpec::host("x").unwrap(),
            CookieSpec::host_http("x").unwrap(),
            CookieSpec::http("x", "/", None).unwrap(),
            CookieSpec::secure("x", "/", None).unwrap(),
            plain().same_site(SameSite::None),
            plain().partitioned(),
        ] {
            assert_eq!(secure.without_secure().unwrap_err().kind(), ErrorKind::Misuse);
        }
        assert!(!plain().without_secure().unwrap().secure);
        assert!(plain().without_secure().unwrap().same_site(SameSite::None).secure);
        assert!(plain().without_secure().unwrap().partitioned().secure);
        for hidden in [CookieSpec::host_http("x").unwrap(), CookieSpec::http("x", "/", None).unwrap()] {
            assert_eq!(hidden.readable_by_scripts().unwrap_err().kind(), ErrorKind::Misuse);
        }
        assert!(!CookieSpec::host("x").unwrap().readable_by_scripts().unwrap().http_only);
    }
}
