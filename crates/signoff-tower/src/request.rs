//! Requests of `http` as signoff reads them.

use std::ops::Deref;

use http::request::Parts;
use http::{HeaderMap, HeaderValue, Request, Uri, header};
use signoff::web::{self, Head};

/// The credentials of a request and what became of them, see [`web::Auth`]; in the request's extensions. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Auth(pub(crate) web::Auth);

impl Deref for Auth {
    type Target = web::Auth;

    fn deref(&self) -> &web::Auth {
        &self.0
    }
}

/// The head of a request, for [`web::Auth::check_site`] and what else reads one.
#[derive(Clone, Copy, Debug)]
pub struct Fields<'a>(&'a HeaderMap, &'a Uri);

impl<'a, B> From<&'a Request<B>> for Fields<'a> {
    fn from(request: &'a Request<B>) -> Self {
        Self(request.headers(), request.uri())
    }
}

impl<'a> From<&'a Parts> for Fields<'a> {
    fn from(parts: &'a Parts) -> Self {
        Self(&parts.headers, &parts.uri)
    }
}

impl Head for Fields<'_> {
    fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        // Those that every request is asked for: their names need not be read.
        let found = match name {
            "authorization" => self.0.get_all(header::AUTHORIZATION),
            "cookie" => self.0.get_all(header::COOKIE),
            "sec-websocket-version" => self.0.get_all(header::SEC_WEBSOCKET_VERSION),
            other => self.0.get_all(other),
        };
        found.iter().map(HeaderValue::as_bytes)
    }

    fn authority(&self) -> Option<&[u8]> {
        self.1.authority().map(|authority| authority.as_str().as_bytes())
    }
}
