//! All cookies that a logout has to clear: those in use, and those that older versions of the application left behind.

use super::presented::{Presented, read};
use super::spec::{CookieSpec, misuse};
use crate::{Error, Rejection, Secret};

/// The cookie of the session, and everything else that a logout clears along with it.
///
/// When a cookie gets another name, path, domain or partition, browsers keep the one under the old description for up to 400
/// days. So an old description stays here, as [retired](Self::retired).
///
/// ```
/// use signoff::{CookieLedger, CookieSpec};
///
/// let cookies = CookieLedger::new(CookieSpec::host("sid")?)
///     .and(CookieSpec::unprefixed("csrf", "/", None)?.readable_by_scripts()?)?
///     .retired(CookieSpec::unprefixed("sid", "/app", Some("example.com"))?)?;
/// assert_eq!(cookies.session().name(), "__Host-sid");
/// # Ok::<(), signoff::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CookieLedger {
    session: CookieSpec,
    others: Vec<CookieSpec>,
    retired: Vec<Retired>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct Retired {
    whole: CookieSpec,
    chunks: Vec<CookieSpec>,
}

impl CookieLedger {
    /// With this cookie for the session.
    pub const fn new(session: CookieSpec) -> Self {
        Self { session, others: Vec::new(), retired: Vec::new() }
    }

    /// Another cookie in use that holds no session, such as a CSRF token: a logout clears it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Misuse`](crate::ErrorKind::Misuse) when more than 32 different cookies were to be cleared.
    pub fn and(mut self, spec: CookieSpec) -> Result<Self, Error> {
        self.others.push(spec);
        self.bounded()
    }

    /// A description of the session cookie that was used in the past. It lets nobody in and is never set; a logout destroys
    /// the session of what it still carries, and clears it.
    ///
    /// # Errors
    ///
    /// As [`CookieLedger::and`].
    pub fn retired(self, spec: CookieSpec) -> Result<Self, Error> {
        self.retired_chunks(spec, 0)
    }

    /// As [`CookieLedger::retired`], for a cookie that was split when it was large: also `name.0` to `name.{n-1}`, whose
    /// values together are one.
    ///
    /// # Errors
    ///
    /// As [`CookieLedger::and`].
    pub fn retired_chunks(mut self, spec: CookieSpec, n: usize) -> Result<Self, Error> {
        // One more than the bound is enough to go over it.
        let chunks = (0..n.min(MAX_COOKIES + 1)).map(|n| spec.chunk(n)).collect();
        self.retired.push(Retired { whole: spec, chunks });
        self.bounded()
    }

    fn bounded(self) -> Result<Self, Error> {
        // All of them are in the answer to a logout, whose head servers and proxies bound to 8 KiB and more.
        if self.distinct().len() > MAX_COOKIES {
            return Err(misuse("a logout clears at most 32 cookies"));
        }
        Ok(self)
    }

    /// The cookie of the session, for setting it.
    pub const fn session(&self) -> &CookieSpec {
        &self.session
    }

    /// The values of the session cookie in the `Cookie` fields of a request, for letting in: [`CookieSpec::find`].
    ///
    /// # Errors
    ///
    /// As [`CookieSpec::find`].
    pub fn find<'a>(&self, fields: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<Presented>, Rejection> {
        self.session.find(fields)
    }

    /// The values of the session cookie and of every retired one, for logging out. Equal values count once; the chunks of a
    /// cookie are put together.
    ///
    /// # Errors
    ///
    /// As [`CookieSpec::find`]; eight different values are the limit for each name. Somebody who can plant that many keeps a
    /// browser from logging out, which it is told, rather than hide a session from a logout.
    pub fn find_all<'a>(&self, fields: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<Presented>, Rejection> {
        let fields: Vec<&[u8]> = fields.into_iter().collect();
        let mut all = self.find(fields.iter().copied())?;
        let mut add = |found: Vec<Presented>| {
            for value in found {
                if all.iter().all(|known| known.as_str() != value.as_str()) {
                    all.push(value);
                }
            }
        };
        for Retired { whole, chunks } in &self.retired {
            add(whole.find(fields.iter().copied())?);
            add(joined(chunks, &fields)?);
        }
        Ok(all)
    }

    /// One `Set-Cookie` for each cookie that a browser can tell from the others, those in use first.
    pub(crate) fn clear(&self) -> impl Iterator<Item = String> {
        self.distinct().into_iter().map(CookieSpec::clear)
    }

    /// As [`CookieLedger::clear`], but only those of the past: beside a session cookie that is being set.
    pub(crate) fn clear_retired(&self) -> impl Iterator<Item = String> {
        let in_use = |spec: &CookieSpec| {
            self.session.is_the_same_cookie(spec) || self.others.iter().any(|other| other.is_the_same_cookie(spec))
        };
        self.distinct().into_iter().filter(move |spec| !in_use(spec)).map(CookieSpec::clear)
    }

    pub(crate) const fn has_retired(&self) -> bool {
        !self.retired.is_empty()
    }

    fn distinct(&self) -> Vec<&CookieSpec> {
        let in_use = std::iter::once(&self.session).chain(&self.others);
        let retired = self.retired.iter().flat_map(|retired| std::iter::once(&retired.whole).chain(&retired.chunks));
        let mut distinct: Vec<&CookieSpec> = Vec::new();
        for spec in in_use.chain(retired) {
            if !distinct.iter().any(|known| known.is_the_same_cookie(spec)) {
                distinct.push(spec);
            }
        }
        distinct
    }
}

impl From<CookieSpec> for CookieLedger {
    fn from(session: CookieSpec) -> Self {
        Self::new(session)
    }
}

/// The values that chunks make together, up to the first that is missing. Where a chunk has several values, for one may be
/// planted, each is tried with each.
fn joined(chunks: &[CookieSpec], fields: &[&[u8]]) -> Result<Vec<Presented>, Rejection> {
    let mut joined: Vec<Secret> = Vec::new();
    for (n, chunk) in chunks.iter().enumerate() {
        let found = read(chunk.name(), fields.iter().copied())?;
        if found.is_empty() {
            break;
        }
        if n == 0 {
            joined.push(Secret::new(""));
        }
        let pairs = joined.iter().flat_map(|start| found.iter().map(move |end| (start.expose(), end.as_str())));
        joined = pairs.map(|(start, end)| Secret::new([start, end].concat())).collect();
        if joined.len() > super::presented::MAX_PRESENTED {
            return Err(Rejection::Ambiguous);
        }
    }
    Ok(joined.iter().map(|value| Presented::new(value.expose())).collect())
}

const MAX_COOKIES: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    fn old(name: &str, path: &str, domain: Option<&str>) -> CookieSpec {
        CookieSpec::unprefixed(name, path, domain).unwrap()
    }

    fn ledger() -> CookieLedger {
        CookieLedger::new(CookieSpec::host("sid").unwrap())
            .retired_chunks(old("sid", "/", None), 3)
            .and_then(|ledger| ledger.retired(CookieSpec::host("old").unwrap()))
            .and_then(|ledger| ledger.and(old("csrf", "/", None).readable_by_scripts()?))
            .unwrap()
    }

    fn all(fields: &[&[u8]]) -> Vec<String> {
        let found = ledger().find_all(fields.iter().copied()).unwrap();
        found.iter().map(|presented| presented.as_str().to_owned()).collect()
    }

    #[test]
    fn clears_what_is_in_use_first_and_each_cookie_once() {
        let ledger = ledger()
            .retired(old("sid", "/", None).same_site(super::super::SameSite::Lax))
            .and_then(|ledger| ledger.retired(old("sid", "/", Some("Example.com"))))
            .and_then(|ledger| ledger.retired(old("sid", "/", Some("example.COM"))))
            .and_then(|ledger| ledger.retired(old("sid", "/a", None)))
            .and_then(|ledger| ledger.retired(old("SID", "/", None)))
            .and_then(|ledger| ledger.retired(CookieSpec::host("sid")?.partitioned()))
            .unwrap();
        let cleared: Vec<_> =
            ledger.clear().map(|header| header.split("; SameSite").next().unwrap().to_owned()).collect();
        assert_eq!(
            cleared,
            [
                "__Host-sid=; Path=/; Secure; HttpOnly",
                "csrf=; Path=/; Secure",
                "sid=; Path=/; Secure; HttpOnly",
                "sid.0=; Path=/; Secure; HttpOnly",
                "sid.1=; Path=/; Secure; HttpOnly",
                "sid.2=; Path=/; Secure; HttpOnly",
                "__Host-old=; Path=/; Secure; HttpOnly",
                "sid=; Path=/; Domain=example.com; Secure; HttpOnly",
                "sid=; Path=/a; Secure; HttpOnly",
                "SID=; Path=/; Secure; HttpOnly",
                "__Host-sid=; Path=/; Secure; HttpOnly",
            ]
        );
    }

    #[test]
    fn lets_in_by_the_session_cookie_alone_and_logs_out_all() {
        let fields = [b"sid=b; csrf=c; __Host-old=a; __Host-sid=a; sid=d".as_slice()];
        let found = ledger().find(fields).unwrap();
        assert_eq!(found.iter().map(Presented::as_str).collect::<Vec<_>>(), ["a"]);
        assert_eq!(all(&fields), ["a", "b", "d"]);
        assert_eq!(all(&[b"csrf=c"]), [""; 0]);
    }

    #[test]
    fn puts_chunks_together() {
        assert_eq!(all(&[b"sid.1=b; sid.0=a", b"sid.2=c; sid.3=d"]), ["abc"]);
        assert_eq!(all(&[b"sid.0=a; sid.2=c"]), ["a"]);
        assert_eq!(all(&[b"sid.1=b; sid.2=c"]), [""; 0]);
        assert_eq!(all(&[b"sid.0=a; sid.0=x; sid.1=b"]), ["ab", "xb"], "one of them may be planted");
        let planted = b"sid.0=1; sid.0=2; sid.0=3; sid.1=1; sid.1=2; sid.1=3".as_slice();
        assert_eq!(ledger().find_all([planted]).unwrap_err(), Rejection::Ambiguous);
    }

    #[test]
    fn clears_no_more_than_fit_into_an_answer() {
        let new = || CookieLedger::from(CookieSpec::host("sid").unwrap());
        let most = new().retired_chunks(old("sid", "/", None), 30).unwrap();
        assert_eq!(most.clear().count(), 32);
        let most = most.retired(old("sid", "/", None)).unwrap();
        assert_eq!(most.clone().and(old("x", "/", None)).unwrap_err().kind(), ErrorKind::Misuse);
        assert_eq!(most.retired(old("x", "/", None)).unwrap_err().kind(), ErrorKind::Misuse);
        for n in [31, 32, usize::MAX] {
            assert_eq!(new().retired_chunks(old("sid", "/", None), n).unwrap_err().kind(), ErrorKind::Misuse);
        }
    }
}
