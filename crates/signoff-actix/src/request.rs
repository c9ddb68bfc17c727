//! Requests of actix-web as signoff reads them.

use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use actix_web::dev::ServiceRequest;
use actix_web::http::Uri;
use actix_web::http::header::{HeaderMap, HeaderValue};
use actix_web::{HttpMessage, HttpRequest};
use signoff::web::{self, Answer, Head};

/// The credentials of a request and what became of them, see [`web::Auth`]; in the request's extensions. Cheap to clone, and
/// good on any thread.
#[derive(Clone, Debug)]
pub struct Auth {
    auth: web::Auth,
    refused: Arc<OnceLock<Answer>>,
}

impl Auth {
    pub(crate) fn new(auth: web::Auth) -> Self {
        Self { auth, refused: Arc::default() }
    }

    /// What [`SignoffLayer`](crate::SignoffLayer) left for a request.
    pub(crate) fn of(request: &impl HttpMessage) -> Option<Self> {
        request.extensions().get::<Self>().cloned()
    }

    /// Remembers that an extractor refused this request.
    pub(crate) fn refuse(&self, answer: &Answer) {
        let _ = self.refused.set(answer.clone());
    }

    pub(crate) fn refusal(&self) -> Option<Answer> {
        self.refused.get().cloned()
    }
}

impl Deref for Auth {
    type Target = web::Auth;

    fn deref(&self) -> &web::Auth {
        &self.auth
    }
}

/// The head of a request, for [`web::Auth::check_site`] and what else reads one.
#[derive(Clone, Copy, Debug)]
pub struct Fields<'a>(&'a HeaderMap, &'a Uri);

impl<'a> From<&'a HttpRequest> for Fields<'a> {
    fn from(request: &'a HttpRequest) -> Self {
        Self(request.headers(), request.uri())
    }
}

impl<'a> From<&'a ServiceRequest> for Fields<'a> {
    fn from(request: &'a ServiceRequest) -> Self {
        Self(request.headers(), request.uri())
    }
}

impl Head for Fields<'_> {
    fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.0.get_all(name).map(HeaderValue::as_bytes)
    }

    fn authority(&self) -> Option<&[u8]> {
        self.1.authority().map(|authority| authority.as_str().as_bytes())
    }
}
