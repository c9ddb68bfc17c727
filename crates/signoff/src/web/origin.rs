//! Whether another site may have caused a request.

use super::{Answer, Auth, Csrf, Form, Head, Web};
use crate::site::{self, Credentials, CrossSite, Fetch, SameOrigin};

/// Proof that no other site caused a state-changing request, as far as a browser can be believed.
#[derive(Debug)]
pub struct FromOurPages(Option<SameOrigin>);

impl FromOurPages {
    /// Proof that a page of our own sent it; `None` for a bearer token, or a script that says nothing of its origin.
    pub const fn proof(&self) -> Option<&SameOrigin> {
        self.0.as_ref()
    }
}

impl Auth {
    /// Whether another site may have caused this request: for everything that changes state. A bearer token is proof
    /// enough, because no browser sends it along by itself. `form` is the body, if it is one: its field `csrf_token` is as good
    /// as the header.
    ///
    /// # Errors
    ///
    /// The answer: 403. Do nothing.
    pub fn check_site(&self, head: &impl Head, form: Option<&Form>) -> Result<FromOurPages, Answer> {
        if matches!(self.credentials(), Credentials::Bearer(_)) {
            return Ok(FromOurPages(None));
        }
        let site = judge(self.web(), head).map_err(|cross_site| {
            tracing::warn!(target: "signoff", "{cross_site}");
            Answer::CrossSite
        })?;
        if self.web().0.csrf == Csrf::Token && matches!(self.credentials(), Credentials::Cookie(_)) {
            let in_form = form.and_then(|form| form.field("csrf_token").transpose()).transpose()?;
            let token = head.one("x-csrf-token").or_else(|| in_form.map(str::as_bytes));
            if !token.is_some_and(|token| self.is_csrf_token(token)) {
                tracing::warn!(target: "signoff", "refused: not the CSRF token of the session");
                return Err(Answer::Csrf);
            }
        }
        Ok(FromOurPages(site))
    }
}

/// Whether this opens a WebSocket that a page of another site may hold the other end of: any page may open one to any host, and
/// reads what comes (RFC 6455, section 10.2).
///
/// Browsers send this field with every handshake, over HTTP/2 too, where there is no `Upgrade` (RFC 8441, section 5.1); no page can
/// set it, or leave it out.
pub(super) fn is_hijack(web: &Web, head: &impl Head) -> bool {
    if head.one("sec-websocket-version").is_none() {
        return false;
    }
    let judged = judge(web, head);
    judged.inspect_err(|_| tracing::warn!(target: "signoff", "a WebSocket of another site gets no session")).is_err()
}

fn judge(web: &Web, head: &impl Head) -> Result<Option<SameOrigin>, CrossSite> {
    let fetch = Fetch {
        site: head.one("sec-fetch-site"),
        origin: head.one("origin"),
        referer: head.one("referer"),
        host: head.one("host").or_else(|| head.authority()),
        content_type: head.one("content-type"),
        purpose: head.one("sec-purpose"),
    };
    site::judge(&fetch, &web.0.origins, web.0.unproven)
}
