//! An answer as text, for adapters to convert.

use std::borrow::Cow;
use std::fmt;

/// A whole answer to a request.
#[must_use = "send it"]
pub struct Reply {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Cow<'static, str>,
}

impl Reply {
    /// With this status and a body of this type, and what every answer of this library carries: it is not stored, not sniffed, and
    /// tells nobody where it came from.
    pub(crate) fn new(status: u16, kind: &str, body: impl Into<Cow<'static, str>>) -> Self {
        let headers = vec![
            ("cache-control", "no-store".to_owned()),
            ("x-content-type-options", "nosniff".to_owned()),
            ("referrer-policy", "no-referrer".to_owned()),
            ("content-type", kind.to_owned()),
        ];
        Self { status, headers, body: body.into() }
    }

    pub(crate) fn json(status: u16, body: impl Into<Cow<'static, str>>) -> Self {
        Self::new(status, "application/json; charset=utf-8", body)
    }

    /// 303: the browser gets this page next, by `GET` (RFC 9110, section 15.4.4).
    pub(crate) fn see_other(page: &str) -> Self {
        let mut reply = Self::new(303, "text/plain; charset=utf-8", "");
        reply.headers.retain(|(name, _)| *name != "content-type");
        reply.with("location", page)
    }

    /// Adds a field. Fields of one name stay beside each other: append them.
    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Says this of storing instead.
    pub(crate) fn cached(mut self, how: String) -> Self {
        self.headers.retain(|(name, _)| *name != "cache-control");
        self.with("cache-control", how)
    }

    /// The status.
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// The fields, names in lower case. There may be several of one name (`set-cookie`), each a field of its own.
    pub fn headers(&self) -> &[(&'static str, String)] {
        &self.headers
    }

    /// The body.
    pub fn body(&self) -> &str {
        &self.body
    }

    /// Status, fields and body, to be sent.
    pub fn into_parts(self) -> (u16, Vec<(&'static str, String)>, Cow<'static, str>) {
        (self.status, self.headers, self.body)
    }
}

impl fmt::Debug for Reply {
    // Not the body and the values, which may hold a token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.headers.iter().map(|(name, _)| name).collect();
        f.debug_struct("Reply").field("status", &self.status).field("headers", &names).finish_non_exhaustive()
    }
}
