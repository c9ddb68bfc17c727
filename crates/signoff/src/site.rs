//! Where a request comes from: protection of state-changing requests against other sites (CSRF).
//!
//! First Fetch Metadata, which browsers send and pages cannot forge; then `Origin`; then `Referer`. A request with none
//! of them does not come from a browser of this decade, which sends `Origin` with every POST (Fetch, section 3.2);
//! see [`Unproven`].

use crate::Rejection;

/// Proof that a request comes from a page of our own origin.
#[derive(Debug)]
pub struct SameOrigin(());

impl SameOrigin {
    /// Checked by the caller: the browser said so, by `Sec-Fetch-Site`, or by an `Origin` or `Referer` that `Host` names.
    const fn assertion() -> Self {
        Self(())
    }
}

/// What a request says of its origin: the fields as they came.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "adapters fill it in from a request, field by field")]
pub struct Fetch<'a> {
    /// `Sec-Fetch-Site`
    pub site: Option<&'a [u8]>,
    /// `Origin`
    pub origin: Option<&'a [u8]>,
    /// `Referer`
    pub referer: Option<&'a [u8]>,
    /// `Host`, or the authority of the request's target
    pub host: Option<&'a [u8]>,
    /// `Content-Type`
    pub content_type: Option<&'a [u8]>,
    /// `Sec-Purpose`
    pub purpose: Option<&'a [u8]>,
}

/// What is done with a request that says nothing of its origin.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[expect(clippy::exhaustive_enums, reason = "let through or refuse")]
pub enum Unproven {
    /// Let it through unless it looks like a form: scripts and services send no `Origin`, browsers do. The residual
    /// risk is a browser of before 2020 that is made to log its user out, which `SameSite` cookies prevent as well.
    #[default]
    Allow,
    /// Refuse it.
    Refuse,
}

/// Decides about a state-changing request: `Ok(Some)` from our own pages, `Ok(None)` not from another site.
///
/// `origins` are other origins that may send such requests, as `scheme://host[:port]`; they prove nothing about the page.
///
/// # Errors
///
/// [`CrossSite`]: another site caused the request, or may have. Answer 403 and do nothing.
pub fn judge(fetch: &Fetch<'_>, origins: &[String], unproven: Unproven) -> Result<Option<SameOrigin>, CrossSite> {
    if fetch.purpose.is_some() {
        return Err(CrossSite(()));
    }
    let listed = |origin: &[u8]| origins.iter().any(|own| own.as_bytes() == origin);
    let ours = |origin: &[u8]| {
        let authority = [&b"https://"[..], b"http://"].iter().find_map(|scheme| origin.strip_prefix(*scheme));
        authority.is_some_and(|authority| !authority.is_empty() && fetch.host == Some(authority))
    };
    if let Some(site) = fetch.site {
        return match site {
            b"same-origin" => Ok(Some(SameOrigin::assertion())),
            // The person themselves: an address typed in, a bookmark, a reload.
            b"none" => Ok(None),
            // "same-site" is a sibling subdomain, which may be anybody's. A listed origin names itself in `Origin`.
            _ if fetch.origin.is_some_and(listed) => Ok(None),
            _ => Err(CrossSite(())),
        };
    }
    if let Some(origin) = fetch.origin {
        return match origin {
            origin if ours(origin) => Ok(Some(SameOrigin::assertion())),
            origin if listed(origin) => Ok(None),
            _ => Err(CrossSite(())),
        };
    }
    if let Some(referer) = fetch.referer {
        let slash = referer.iter().enumerate().filter(|(_, byte)| **byte == b'/').nth(2).map(|(at, _)| at);
        let origin = slash.map_or(referer, |at| &referer[..at]);
        return if ours(origin) { Ok(Some(SameOrigin::assertion())) } else { Err(CrossSite(())) };
    }
    let media_type = fetch.content_type.map(|value| value.split(|byte| *byte == b';').next().unwrap_or_default());
    // What an HTML form can send; everything else needs a preflight, which we never grant.
    const FORMS: [&[u8]; 3] = [b"application/x-www-form-urlencoded", b"multipart/form-data", b"text/plain"];
    let form = media_type.is_some_and(|value| FORMS.iter().any(|f| value.trim_ascii().eq_ignore_ascii_case(f)));
    match unproven {
        Unproven::Allow if !form => Ok(None),
        _ => Err(CrossSite(())),
    }
}

/// A request that another site caused, or may have caused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CrossSite(());

impl std::fmt::Display for CrossSite {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("refused: the request may come from another site")
    }
}

impl std::error::Error for CrossSite {}

/// The credentials of a request, one way of presenting them at a time.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "none, by header, or by cookie")]
pub enum Credentials {
    /// By `Authorization: Bearer`.
    Bearer(crate::cookie::Presented),
    /// By cookie; several of one name are presented when a browser holds several.
    Cookie(Vec<crate::cookie::Presented>),
    /// None.
    None,
}

impl Credentials {
    /// Puts together what a request presents.
    ///
    /// # Errors
    ///
    /// [`Rejection::Ambiguous`] when it uses both ways (RFC 6750, section 2), or several bearer tokens.
    pub fn of(
        cookies: Vec<crate::cookie::Presented>,
        mut bearers: Vec<crate::cookie::Presented>,
    ) -> Result<Self, Rejection> {
        match (cookies.is_empty(), bearers.len()) {
            (true, 0) => Ok(Self::None),
            (false, 0) => Ok(Self::Cookie(cookies)),
            (true, 1) => Ok(bearers.pop().map_or(Self::None, Self::Bearer)),
            _ => Err(Rejection::Ambiguous),
        }
    }

    /// Every credential that is presented, for logging out.
    pub fn all(&self) -> Vec<&str> {
        match self {
            Self::Bearer(token) => vec![token.as_str()],
            Self::Cookie(tokens) => tokens.iter().map(crate::cookie::Presented::as_str).collect(),
            Self::None => Vec::new(),
        }
    }

    /// The one credential, for letting in; `None` when there is none.
    ///
    /// # Errors
    ///
    /// [`Rejection::Ambiguous`] when there are several: somebody may have planted one.
    pub fn one(&self) -> Result<Option<&str>, Rejection> {
        match self {
            Self::None => Ok(None),
            Self::Bearer(token) => Ok(Some(token.as_str())),
            Self::Cookie(tokens) => match tokens.as_slice() {
                [] => Ok(None),
                [one] => Ok(Some(one.as_str())),
                _ => Err(Rejection::Ambiguous),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fetch() -> Fetch<'static> {
        Fetch { host: Some(b"bank.example:8443"), ..Fetch::default() }
    }

    #[derive(PartialEq, Debug)]
    enum Verdict {
        Proven,
        Allowed,
        Refused,
    }

    fn check(fetch: &Fetch<'_>, expect: &Verdict) {
        let verdict = match judge(fetch, &["https://app.example".to_owned()], Unproven::Allow) {
            Ok(Some(_)) => Verdict::Proven,
            Ok(None) => Verdict::Allowed,
            Err(_) => Verdict::Refused,
        };
        assert_eq!(verdict, *expect, "{fetch:?}");
    }

    #[test]
    fn fetch_metadata_comes_first() {
        for (site, expect) in [
            ("same-origin", Verdict::Proven),
            ("none", Verdict::Allowed),
            ("same-site", Verdict::Refused),
            ("cross-site", Verdict::Refused),
            ("", Verdict::Refused),
            ("Same-Origin", Verdict::Refused),
        ] {
            check(&Fetch { site: Some(site.as_bytes()), ..fetch() }, &expect);
        }
        let claimed = Fetch { site: Some(b"cross-site"), origin: Some(b"https://bank.example:8443"), ..fetch() };
        check(&claimed, &Verdict::Refused);
        let listed = Fetch { site: Some(b"cross-site"), origin: Some(b"https://app.example"), ..fetch() };
        check(&listed, &Verdict::Allowed);
        let sibling = Fetch { site: Some(b"same-site"), origin: Some(b"https://app.example"), ..fetch() };
        check(&sibling, &Verdict::Allowed);
        check(&Fetch { site: Some(b"same-origin"), purpose: Some(b"prefetch"), ..fetch() }, &Verdict::Refused);
    }

    #[test]
    fn then_origin_exactly() {
        for (origin, expect) in [
            ("https://bank.example:8443", Verdict::Proven),
            ("http://bank.example:8443", Verdict::Proven),
            ("https://app.example", Verdict::Allowed),
            ("http://app.example", Verdict::Refused),
            ("https://bank.example", Verdict::Refused),
            ("https://bank.example:8443.", Verdict::Refused),
            ("https://bank.example.:8443", Verdict::Refused),
            ("https://BANK.example:8443", Verdict::Refused),
            ("https://evil.example", Verdict::Refused),
            ("https://bank.example:8443@evil.example", Verdict::Refused),
            ("ftp://bank.example:8443", Verdict::Refused),
            ("null", Verdict::Refused),
            ("", Verdict::Refused),
        ] {
            check(&Fetch { origin: Some(origin.as_bytes()), ..fetch() }, &expect);
        }
        check(
            &Fetch { origin: Some(b"null"), referer: Some(b"https://bank.example:8443/"), ..fetch() },
            &Verdict::Refused,
        );
        check(&Fetch { origin: Some(b"https://"), host: Some(b""), ..fetch() }, &Verdict::Refused);
    }

    #[test]
    fn then_referer_then_nothing() {
        for (referer, expect) in [
            ("https://bank.example:8443/account?x=/", Verdict::Proven),
            ("https://bank.example:8443", Verdict::Proven),
            ("https://evil.example/https://bank.example:8443/", Verdict::Refused),
            ("//", Verdict::Refused),
        ] {
            check(&Fetch { referer: Some(referer.as_bytes()), ..fetch() }, &expect);
        }
        check(&fetch(), &Verdict::Allowed);
        check(&Fetch { content_type: Some(b"application/json"), ..fetch() }, &Verdict::Allowed);
        for form in
            ["text/plain", "Text/Plain; charset=x", "application/x-www-form-urlencoded", "multipart/form-data; b"]
        {
            check(&Fetch { content_type: Some(form.as_bytes()), ..fetch() }, &Verdict::Refused);
        }
        assert!(judge(&fetch(), &[], Unproven::Refuse).is_err());
    }
}
