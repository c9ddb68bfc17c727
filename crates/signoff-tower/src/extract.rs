//! Extractors for axum: who is asking, and whether they may ask from there.

use std::ops::Deref;
use std::sync::Arc;

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use axum::response::{IntoResponse, Response};
use http::header::{self, HeaderValue};
use http::request::Parts;
use http::{HeaderName, StatusCode};
use signoff::site::SameOrigin;

use crate::answer::Answer;
use crate::request::Auth;

/// The verified token of the request. As an argument of a handler it refuses everybody else:
///
/// * no credential: 401; a bad one: 401 `invalid_token`; an outage: 503.
///
/// `Option<Live>` is `None` without a credential; a bad one is refused all the same, so that "logged out" is never
/// mistaken for "anonymous".
#[derive(Clone, Debug)]
pub struct Live(Arc<signoff::Live>);

impl Deref for Live {
    type Target = signoff::Live;

    fn deref(&self) -> &signoff::Live {
        &self.0
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Live {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let live = <Self as OptionalFromRequestParts<S>>::from_request_parts(parts, state).await?;
        live.ok_or_else(|| Answer::Unauthenticated.into_response())
    }
}

impl<S: Send + Sync> OptionalFromRequestParts<S> for Live {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Option<Self>, Response> {
        let auth = <Auth as FromRequestParts<S>>::from_request_parts(parts, state).await?;
        match auth.live() {
            None => Ok(None),
            Some(Ok(live)) => Ok(Some(Self(Arc::clone(live)))),
            Some(Err(denied)) => Err(Answer::to_denial(denied).into_response()),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Auth {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Response> {
        let missing = || (StatusCode::INTERNAL_SERVER_ERROR, "Is SignoffLayer enabled?").into_response();
        parts.extensions.get::<Self>().cloned().ok_or_else(missing)
    }
}

/// Refuses state-changing requests that another site may have caused, with 403. For handlers of `POST`, `PUT`, `PATCH`
/// and `DELETE`.
#[derive(Debug)]
#[non_exhaustive]
pub struct FromOurPages {
    /// Proof that a page of our own sent it; `None` for a bearer token, or a script that says nothing of its origin.
    pub proof: Option<SameOrigin>,
}

impl<S: Send + Sync> FromRequestParts<S> for FromOurPages {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let auth = <Auth as FromRequestParts<S>>::from_request_parts(parts, state).await?;
        match auth.check_site(parts) {
            Ok(proof) => Ok(Self { proof }),
            Err(cross_site) => {
                tracing::warn!(target: "signoff", "{cross_site}");
                let vary = [(header::VARY, HeaderValue::from_static("Sec-Fetch-Site, Origin"))];
                Err((vary, Answer::CrossSite).into_response())
            }
        }
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let json: (HeaderName, HeaderValue) = (header::CONTENT_TYPE, JSON);
        (self.status(), [json], self.headers(), self.body()).into_response()
    }
}

pub(crate) const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");
