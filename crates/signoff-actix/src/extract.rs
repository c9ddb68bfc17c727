//! Extractors: who is asking, and whether they may ask from there.

use std::future::{Ready, ready};
use std::ops::Deref;
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::{Error, FromRequest, HttpRequest};
use signoff::web;

use crate::answer::{missing, refusal, response};
use crate::request::{Auth, Fields};

/// The verified token of the request. As an argument of a handler it refuses everybody else:
///
/// * no credential: 401; a bad one: 401 `invalid_token`; an outage: 503.
///
/// `Option<Live>` is `None` without a credential. With a bad one it is `None` as well, because actix-web makes it of whatever
/// an extractor says; but "logged out" must never be mistaken for "anonymous", so a successful answer (2xx, or the 101 of a
/// WebSocket) to such a request is replaced by the refusal. A handler that changes something for nobody asks [`Auth`] instead.
#[derive(Clone, Debug)]
pub struct Live(Arc<signoff::Live>);

impl Deref for Live {
    type Target = signoff::Live;

    fn deref(&self) -> &signoff::Live {
        &self.0
    }
}

impl FromRequest for Live {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Auth::of(request).ok_or_else(|| refusal(missing())).and_then(|auth| match auth.require() {
            Ok(live) => Ok(Self(Arc::clone(live))),
            Err(answer) => {
                if answer != web::Answer::Unauthenticated {
                    auth.refuse(&answer);
                }
                Err(refusal(response(answer)))
            }
        }))
    }
}

impl FromRequest for Auth {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Self::of(request).ok_or_else(|| refusal(missing())))
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

impl FromRequest for FromOurPages {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Auth::of(request).ok_or_else(|| refusal(missing())).and_then(|auth| {
            auth.check_site(&Fields::from(request), None).map(Self).map_err(|answer| refusal(response(answer)))
        }))
    }
}
