//! Answers as values of `http`.

use http::header::{self, HeaderName, HeaderValue};
use http::{HeaderMap, StatusCode};
use signoff::web::{Finish, Reply, Written};

/// Status, fields and body of a reply.
pub(crate) fn parts(reply: Reply) -> (StatusCode, HeaderMap, std::borrow::Cow<'static, str>) {
    let (status, fields, body) = reply.into_parts();
    let mut headers = HeaderMap::with_capacity(fields.len());
    for (name, value) in fields {
        let Ok(mut value) = HeaderValue::try_from(value) else { continue };
        value.set_sensitive(name == "set-cookie");
        headers.append(HeaderName::from_static(name), value);
    }
    (StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), headers, body)
}

/// What an answer has already that matters here.
pub(crate) fn written(headers: &HeaderMap) -> Written<'_> {
    Written {
        cookies: headers.get_all(header::SET_COOKIE).iter().map(HeaderValue::as_bytes).collect(),
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
            let Ok(mut value) = HeaderValue::from_bytes(&cookie.0) else { continue };
            value.set_sensitive(true);
            headers.append(header::SET_COOKIE, value);
        }
    }
}

#[cfg(feature = "axum")]
pub(crate) fn response(reply: impl Into<Reply>) -> axum::response::Response {
    let (status, headers, body) = parts(reply.into());
    let mut response = axum::response::Response::new(body.into());
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}
