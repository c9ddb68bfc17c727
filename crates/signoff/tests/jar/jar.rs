//! A browser's cookies, after the storage model of RFC 6265bis (section 5.7), layered cookies (`__Http-`, `__Host-Http-`) and
//! CHIPS (`Partitioned`). It is written from those texts, and knows nothing of what this library prints.

use super::set_cookie::{MAX_AGE, SameSite, SetCookie, parse};

/// The cookies of one browser.
#[derive(Clone, Debug, Default)]
pub(crate) struct Jar {
    cookies: Vec<Cookie>,
    created: u64,
}

#[derive(Clone, Debug)]
pub(crate) struct Cookie {
    pub(crate) name: String,
    pub(crate) value: String,
    /// `None` ends with the browser.
    pub(crate) expires: Option<i64>,
    pub(crate) domain: String,
    pub(crate) path: String,
    created: u64,
    pub(crate) host_only: bool,
    pub(crate) secure: bool,
    pub(crate) http_only: bool,
    pub(crate) same_site: SameSite,
    pub(crate) partition: Option<String>,
}

/// A request and the answer to it, or a script of a page, with what decides about cookies.
#[derive(Clone, Debug)]
pub(crate) struct Visit<'a> {
    pub(crate) host: &'a str,
    pub(crate) path: &'a str,
    pub(crate) tls: bool,
    pub(crate) by: By,
    /// The site in the address bar: the partition.
    pub(crate) top: &'a str,
    /// Seconds since the epoch.
    pub(crate) now: i64,
}

/// Who caused it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum By {
    /// A form or a `POST` of another site that takes the person to ours.
    CrossSiteForm,
    /// A link of another site that takes the person to ours.
    CrossSiteLink,
    /// What another site embeds or fetches.
    CrossSiteSubresource,
    /// `document.cookie` of a page of ours that another site embeds.
    EmbeddedScript,
    /// Our own page.
    SameSite,
    /// `document.cookie` of our own page.
    Script,
}

impl By {
    const fn is_script(self) -> bool {
        matches!(self, Self::EmbeddedScript | Self::Script)
    }
}

/// Why a `Set-Cookie` is ignored.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Ignored {
    CrossSite,
    Domain,
    Insecure,
    NoneWithoutSecure,
    OverlaysSecure,
    PartitionedWithoutSecure,
    Prefix,
    PublicSuffix,
    Script,
    Text,
}

impl Jar {
    /// Takes one `Set-Cookie` field, or one assignment to `document.cookie`. An expired cookie removes the one it replaces.
    pub(crate) fn set(&mut self, field: &str, visit: &Visit<'_>) -> Result<(), Ignored> {
        self.expire(visit.now);
        let parsed = parse(field).ok_or(Ignored::Text)?;
        // Step 2.
        if parsed.name.is_empty() && parsed.value.is_empty() {
            return Err(Ignored::Text);
        }
        let cookie = self.judge(&parsed, visit)?;
        // Step 23: the identity of a cookie.
        let replaced = self.cookies.iter().position(|old| old.identity() == cookie.identity());
        if replaced.is_some_and(|at| visit.by.is_script() && self.cookies[at].http_only) {
            return Err(Ignored::Script);
        }
        let created = replaced.map(|at| self.cookies.remove(at).created);
        self.created += 1;
        self.cookies.push(Cookie { created: created.unwrap_or(self.created), ..cookie });
        self.expire(visit.now);
        Ok(())
    }

    /// Steps 5 to 22.
    fn judge(&self, parsed: &SetCookie, visit: &Visit<'_>) -> Result<Cookie, Ignored> {
        let expires = match (parsed.max_age, parsed.expires) {
            (Some(seconds), _) => Some(if seconds <= 0 { i64::MIN } else { visit.now + seconds }),
            (None, Some(date)) => Some(date.min(visit.now + MAX_AGE)),
            (None, None) => None,
        };
        let host = visit.host.to_ascii_lowercase();
        let mut domain = parsed.domain.clone().unwrap_or_default();
        if !domain.is_ascii() {
            return Err(Ignored::Domain);
        }
        if PUBLIC_SUFFIXES.contains(&domain.as_str()) {
            if domain != host {
                return Err(Ignored::PublicSuffix);
            }
            domain.clear();
        }
        let host_only = domain.is_empty();
        if !host_only && !domain_matches(&host, &domain) {
            return Err(Ignored::Domain);
        }
        let cookie = Cookie {
            name: parsed.name.clone(),
            value: parsed.value.clone(),
            expires,
            domain: if host_only { host } else { domain },
            path: parsed.path.clone().flatten().unwrap_or_else(|| default_path(visit.path)),
            created: 0,
            host_only,
            secure: parsed.secure,
            http_only: parsed.http_only,
            same_site: parsed.same_site,
            partition: parsed.partitioned.then(|| visit.top.to_owned()),
        };
        // Steps 13 and 15.
        if cookie.secure && !visit.tls {
            return Err(Ignored::Insecure);
        }
        if cookie.http_only && visit.by.is_script() {
            return Err(Ignored::Script);
        }
        // Step 16: leave secure cookies alone.
        let overlays = |old: &Cookie| {
            let domains = domain_matches(&old.domain, &cookie.domain) || domain_matches(&cookie.domain, &old.domain);
            old.secure && old.name == cookie.name && domains && path_matches(&cookie.path, &old.path)
        };
        if !cookie.secure && !visit.tls && self.cookies.iter().any(overlays) {
            return Err(Ignored::OverlaysSecure);
        }
        // Step 18. A navigation of the whole page may set cookies, whoever caused it.
        let cross_site = matches!(visit.by, By::CrossSiteSubresource | By::EmbeddedScript);
        if cookie.same_site != SameSite::None && cross_site {
            return Err(Ignored::CrossSite);
        }
        if cookie.same_site == SameSite::None && !cookie.secure {
            return Err(Ignored::NoneWithoutSecure);
        }
        if !keeps_the_promise_of_its_prefix(&cookie, parsed) {
            return Err(Ignored::Prefix);
        }
        if parsed.partitioned && !cookie.secure {
            return Err(Ignored::PartitionedWithoutSecure);
        }
        Ok(cookie)
    }

    /// The `Cookie` field of a request, or what a script reads (section 5.8.3).
    pub(crate) fn send(&mut self, visit: &Visit<'_>) -> String {
        self.expire(visit.now);
        let mut sent: Vec<&Cookie> = self.cookies.iter().filter(|cookie| cookie.is_for(visit)).collect();
        sent.sort_by_key(|cookie| (std::cmp::Reverse(cookie.path.len()), cookie.created));
        let pair = |cookie: &&Cookie| match cookie.name.as_str() {
            "" => cookie.value.clone(),
            name => format!("{name}={}", cookie.value),
        };
        sent.iter().map(pair).collect::<Vec<_>>().join("; ")
    }

    pub(crate) fn cookies(&self) -> &[Cookie] {
        &self.cookies
    }

    fn expire(&mut self, now: i64) {
        self.cookies.retain(|cookie| cookie.expires.is_none_or(|expires| expires > now));
    }
}

impl Cookie {
    fn identity(&self) -> (&str, &str, bool, &str, Option<&str>) {
        (&self.name, &self.domain, self.host_only, &self.path, self.partition.as_deref())
    }

    fn is_for(&self, visit: &Visit<'_>) -> bool {
        let host = visit.host.to_ascii_lowercase();
        let site = match visit.by {
            By::SameSite | By::Script => true,
            By::CrossSiteLink => self.same_site != SameSite::Strict,
            By::CrossSiteForm | By::CrossSiteSubresource | By::EmbeddedScript => self.same_site == SameSite::None,
        };
        let domain = if self.host_only { host == self.domain } else { domain_matches(&host, &self.domain) };
        let partition = self.partition.as_deref().is_none_or(|partition| partition == visit.top);
        let api = !(self.http_only && visit.by.is_script());
        site && domain && partition && api && path_matches(visit.path, &self.path) && (visit.tls || !self.secure)
    }
}

/// Steps 20 to 22, and the same for layered cookies. Names count in any case.
fn keeps_the_promise_of_its_prefix(cookie: &Cookie, parsed: &SetCookie) -> bool {
    // A cookie without a name is sent as its value alone, which must not look like a name.
    let name = if cookie.name.is_empty() { &cookie.value } else { &cookie.name }.to_ascii_lowercase();
    let has = |prefix: &str| name.starts_with(prefix);
    if cookie.name.is_empty() {
        return !["__secure-", "__host-", "__http-"].into_iter().any(has);
    }
    let hosted = cookie.host_only && cookie.path == "/" && parsed.path.is_some();
    (!has("__secure-") || cookie.secure)
        && (!has("__host-") || (cookie.secure && hosted))
        && (!has("__http-") || (cookie.secure && cookie.http_only))
        && (!has("__host-http-") || (cookie.secure && cookie.http_only && hosted))
}

/// Section 5.1.3.
fn domain_matches(host: &str, domain: &str) -> bool {
    let is_address = host.parse::<std::net::IpAddr>().is_ok();
    let below = host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'));
    host == domain || (below && !is_address)
}

/// Section 5.1.4.
fn path_matches(path: &str, of_cookie: &str) -> bool {
    let below = path.strip_prefix(of_cookie).is_some_and(|rest| of_cookie.ends_with('/') || rest.starts_with('/'));
    path == of_cookie || below
}

/// Section 5.1.4: up to the last slash, which is left out unless it is all there is.
fn default_path(path: &str) -> String {
    match path.rfind('/') {
        Some(at) if at > 0 && path.starts_with('/') => path[..at].to_owned(),
        _ => "/".to_owned(),
    }
}

/// As many as the tests need.
const PUBLIC_SUFFIXES: [&str; 3] = ["com", "example", "co.uk"];
