//! A cookie in words, which can be described again with another name, and what a `Set-Cookie` is with a mistake in it.
//! Real browsers are tried with the same words as the jar (`signoff-tower`, `tests/it/browser/cookies.rs`).

use std::time::Duration;

use signoff::CookieSpec;
use signoff::cookie::SameSite;

/// A description, in words that can be described again with another name.
#[derive(Clone, Debug)]
pub(crate) struct Described {
    pub(crate) kind: Kind,
    pub(crate) name: String,
    pub(crate) path: String,
    pub(crate) domain: Option<&'static str>,
    pub(crate) same_site: SameSite,
    pub(crate) max_age: Option<u64>,
    pub(crate) partitioned: bool,
    pub(crate) readable: bool,
    pub(crate) secure: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Host,
    HostHttp,
    Http,
    Secure,
    Unprefixed,
}

impl Described {
    /// `None` for what is refused.
    pub(crate) fn spec(&self) -> Option<CookieSpec> {
        let mut spec = match self.kind {
            Kind::Host => CookieSpec::host(&self.name),
            Kind::HostHttp => CookieSpec::host_http(&self.name),
            Kind::Http => CookieSpec::http(&self.name, &self.path, self.domain),
            Kind::Secure => CookieSpec::secure(&self.name, &self.path, self.domain),
            Kind::Unprefixed => CookieSpec::unprefixed(&self.name, &self.path, self.domain),
        }
        .ok()?;
        spec = if self.readable { spec.readable_by_scripts().ok()? } else { spec };
        spec = if self.secure { spec } else { spec.without_secure().ok()? };
        spec = spec.same_site(self.same_site);
        spec = if self.partitioned { spec.partitioned() } else { spec };
        Some(match self.max_age {
            Some(age) => spec.max_age(Duration::from_secs(age)),
            None => spec,
        })
    }
}

/// The header without the attribute of this name, or with another value in its place.
pub(crate) fn with(header: &str, name: &str, value: Option<&str>) -> String {
    let changed =
        header.split("; ").filter_map(|attribute| match attribute.split_once('=').unwrap_or((attribute, "")) {
            (found, _) if found == name => value.map(|value| format!("{name}={value}")),
            _ => Some(attribute.to_owned()),
        });
    changed.collect::<Vec<_>>().join("; ")
}
