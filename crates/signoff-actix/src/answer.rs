//! Answers as values of actix-web.

use actix_web::error::InternalError;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, Responder};
use signoff::web::{Finish, Reply, Written};

pub(crate) fn response(reply: impl Into<Reply>) -> HttpResponse {
    let (status, fields, body) = reply.into().into_parts();
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = HttpResponse::with_body(status, body).map_into_boxed_body();
    for (name, value) in fields {
        if let Ok(value) = HeaderValue::try_from(value) {
            response.headers_mut().append(HeaderName::from_static(name), value);
        }
    }
    response
}

/// An answer by which an extractor or a middleware refuses a request.
pub(crate) fn refusal(response: HttpResponse) -> actix_web::Error {
    InternalError::from_response("refused", response).into()
}

/// The answer where the layer is missing.
pub(crate) fn missing() -> HttpResponse {
    HttpResponse::InternalServerError().body("Is SignoffLayer enabled?")
}

/// What an answer has already that matters here.
pub(crate) fn written(headers: &HeaderMap) -> Written<'_> {
    Written {
        cookies: headers.get_all(header::SET_COOKIE).map(HeaderValue::as_bytes).collect(),
        cache_control: headers.get(header::CACHE_CONTROL).map(HeaderValue::as_bytes),
    }
}

/// Changes an answer as it must be.
pub(crate) fn apply(finish: Finish, headers: &mut HeaderMap) {
    for (name, value) in finish.headers {
        headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    if let Some(value) = finish.cache_control {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(value));
    }
    if let Some(cookies) = finish.cookies {
        headers.remove(header::SET_COOKIE);
        for cookie in cookies {
            if let Ok(value) = HeaderValue::from_bytes(&cookie.0) {
                headers.append(header::SET_COOKIE, value);
            }
        }
    }
}

/// An answer of [`signoff::web`] as a response.
#[derive(Debug)]
pub struct Replied(Reply);

impl Responder for Replied {
    type Body = actix_web::body::BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        response(self.0)
    }
}

impl<T: Into<Reply>> From<T> for Replied {
    fn from(reply: T) -> Self {
        Self(reply.into())
    }
}
