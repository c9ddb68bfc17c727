//! Extractors for axum: who is asking, and whether they may ask from there.

use std::ops::Deref;
use std::sync::Arc;

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::request::Parts;
use signoff::web;

use crate::answer::response;
use crate::request::{Auth, Fields};

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
        let auth = <Auth as FromRequestParts<S>>::from_request_parts(parts, state).await?;
        auth.require().map(|live| Self(Arc::clone(live))).map_err(response)
    }
}

impl<S: Send + Sync> OptionalFromRequestParts<S> for Live {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Option<Self>, Response> {
        let auth = <Auth as FromRequestParts<S>>::from_request_parts(parts, state).await?;
        match auth.live() {
            None => Ok(None),
            Some(_) => auth.require().map(|live| Some(Self(Arc::clone(live)))).map_err(response),
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
/// and `DELETE`. Proof of that, see [`web::FromOurPages`].
#[derive(Debug)]
pub struct FromOurPages(web::FromOurPages);

impl Deref for FromOurPages {
    type Target = web::FromOurPages;

    fn deref(&self) -> &web::FromOurPages {
        &self.0
    }
}

impl<S: Send + Sync> FromRequestParts<S> for FromOurPages {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let auth = <Auth as FromRequestParts<S>>::from_request_parts(parts, state).await?;
        auth.check_site(&Fields::from(&*parts), None).map(Self).map_err(response)
    }
}

/// An answer of [`web`] as a response.
#[derive(Debug)]
pub struct Replied(web::Reply);

impl IntoResponse for Replied {
    fn into_response(self) -> Response {
        response(self.0)
    }
}

impl<T: Into<web::Reply>> From<T> for Replied {
    fn from(reply: T) -> Self {
        Self(reply.into())
    }
}
