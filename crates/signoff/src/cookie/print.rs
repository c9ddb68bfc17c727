//! `Set-Cookie` as text. Setting and clearing differ in the value and the lifetime, and in nothing else.

use std::fmt::Write;

use super::spec::{CookieSpec, SameSite, misuse};
use crate::{Error, Secret};

impl CookieSpec {
    /// The value of the `Set-Cookie` field that sets this cookie.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Misuse`](crate::ErrorKind::Misuse) when name and value exceed 4096 bytes, which browsers drop without a
    /// word, or when the value has bytes that no token of ours has and a cookie may not have (RFC 6265bis, section 4.1.1).
    pub fn set(&self, token: &Secret) -> Result<String, Error> {
        let value = token.expose();
        if self.name.len() + value.len() > MAX_PAIR {
            return Err(misuse("the token is too large for a cookie: fewer claims, or opaque"));
        }
        let octet = |b: u8| b.is_ascii_graphic() && !b"\",;\\".contains(&b);
        if !value.bytes().all(octet) {
            return Err(misuse("the value of a cookie has no blanks, quotes, commas or semicolons"));
        }
        let mut printed = self.print(value);
        if let Some(age) = self.max_age {
            let _ = write!(printed, "; Max-Age={}", age.as_secs());
        }
        Ok(printed)
    }

    /// The value of the `Set-Cookie` field that removes this cookie. Both ways to say "now", because `Max-Age=0` was
    /// not in the grammar before 2026.
    pub(crate) fn clear(&self) -> String {
        self.print("") + "; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT"
    }

    /// Whether a browser takes the two for one cookie: setting one replaces the other. The attributes that are not
    /// compared decide who may do so, and when.
    pub(super) fn is_the_same_cookie(&self, other: &Self) -> bool {
        let identity = |spec: &Self| (spec.name.clone(), spec.domain.clone(), spec.path.clone(), spec.partitioned);
        identity(self) == identity(other)
    }

    fn print(&self, value: &str) -> String {
        let mut printed = format!("{}={value}; Path={}", self.name, self.path);
        if let Some(domain) = &self.domain {
            let _ = write!(printed, "; Domain={domain}");
        }
        let same_site = match self.same_site {
            SameSite::Lax => "; SameSite=Lax",
            SameSite::None => "; SameSite=None",
            SameSite::Strict => "; SameSite=Strict",
        };
        let flag = |is_set: bool, text: &'static str| if is_set { text } else { "" };
        printed += flag(self.secure, "; Secure");
        printed += flag(self.http_only, "; HttpOnly");
        printed += same_site;
        printed += flag(self.partitioned, "; Partitioned");
        printed
    }
}

/// Name and value have at most this many bytes together (RFC 6265bis, section 5.6).
const MAX_PAIR: usize = 4096;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::ErrorKind;

    const GONE: &str = "; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT";

    fn unprefixed() -> CookieSpec {
        CookieSpec::unprefixed("x", "/a", None).unwrap()
    }

    #[test]
    fn setting_and_clearing_print_the_same_attributes() {
        let shared = CookieSpec::secure("rt", "/auth", Some("Example.com")).unwrap();
        for (spec, name, attributes) in [
            (CookieSpec::host("sid").unwrap(), "__Host-sid", "; Path=/; Secure; HttpOnly; SameSite=Strict"),
            (CookieSpec::host_http("sid").unwrap(), "__Host-Http-sid", "; Path=/; Secure; HttpOnly; SameSite=Strict"),
            (
                CookieSpec::http("sid", "/", Some("example.com")).unwrap().same_site(SameSite::Lax),
                "__Http-sid",
                "; Path=/; Domain=example.com; Secure; HttpOnly; SameSite=Lax",
            ),
            (
                shared.same_site(SameSite::None).partitioned().readable_by_scripts().unwrap(),
                "__Secure-rt",
                "; Path=/auth; Domain=example.com; Secure; SameSite=None; Partitioned",
            ),
            (unprefixed().without_secure().unwrap(), "x", "; Path=/a; HttpOnly; SameSite=Strict"),
            (
                unprefixed().without_secure().unwrap().partitioned(),
                "x",
                "; Path=/a; Secure; HttpOnly; SameSite=Strict; Partitioned",
            ),
        ] {
            assert_eq!(spec.set(&Secret::new("v")).unwrap(), format!("{name}=v{attributes}"));
            assert_eq!(spec.clear(), format!("{name}={attributes}{GONE}"));
            let kept = spec.max_age(Duration::MAX);
            assert_eq!(kept.set(&Secret::new("v")).unwrap(), format!("{name}=v{attributes}; Max-Age=34560000"));
            assert_eq!(kept.clear(), format!("{name}={attributes}{GONE}"));
        }
        let shortest = unprefixed().max_age(Duration::ZERO).set(&Secret::new("v")).unwrap();
        assert!(shortest.ends_with("; Max-Age=1"), "{shortest}");
    }

    #[test]
    fn values_that_do_not_fit_are_refused() {
        let spec = CookieSpec::host("sid").unwrap();
        for value in ["v; Domain=evil.example", "v\r\nX: y", "a b", "a,b", "\"a\"", "é", "\0"] {
            assert_eq!(spec.set(&Secret::new(value)).unwrap_err().kind(), ErrorKind::Misuse, "{value:?}");
        }
        assert!(spec.set(&Secret::new("v".repeat(4096 - 10))).is_ok());
        assert_eq!(spec.set(&Secret::new("v".repeat(4097 - 10))).unwrap_err().kind(), ErrorKind::Misuse);
    }
}
