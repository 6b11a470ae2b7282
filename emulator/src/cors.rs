//! What scripts of other origins may read (the Fetch standard's CORS protocol).
//!
//! As in the cloud: metadata, keys and Graph are for everyone; the token endpoint is for the pages of applications that
//! are registered as single-page ones. The emulator's own addresses are for nobody else.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};

use crate::call::Call;
use crate::faults::endpoint_of;
use crate::redirect_uri::is_single_page;
use crate::service::Service;

/// Headers that a script may read beside the harmless ones.
const EXPOSED: &str =
    "client-request-id, request-id, retry-after, www-authenticate, x-ms-request-id";

/// Who may read the answer to a request: the value of `Access-Control-Allow-Origin`.
pub fn reader(service: &Service, call: &Call) -> Option<HeaderValue> {
    let origin = call.headers.get(header::ORIGIN)?;
    match endpoint_of(&call.path)? {
        "discovery" | "keys" | "instance" | "graph" | "me" | "manager" | "users"
        | "applications" | "userinfo" | "api" => Some(HeaderValue::from_static("*")),
        "token" => {
            let page = origin.to_str().ok()?;
            let mut applications = service.directory.applications();
            applications
                .any(|application| is_single_page(application, page))
                .then(|| origin.clone())
        }
        _ => None,
    }
}

/// The answer to a browser that asks beforehand. One whose page may read nothing gets none, and so does not go on.
pub fn preflight(call: &Call, reader: Option<&HeaderValue>) -> Option<Response<Body>> {
    let wanted = call.headers.get(header::ACCESS_CONTROL_REQUEST_METHOD);
    if call.method != Method::OPTIONS || wanted.is_none() {
        return None;
    }
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    allow(headers, reader?.clone());
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_METHODS,
        HeaderValue::from_static("GET, POST, PATCH, PUT, DELETE"),
    );
    headers.insert(
        header::ACCESS_CONTROL_MAX_AGE,
        HeaderValue::from_static("600"),
    );
    if let Some(names) = call.headers.get(header::ACCESS_CONTROL_REQUEST_HEADERS) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, names.clone());
    }
    Some(response)
}

/// Lets the reader read.
pub fn allow(headers: &mut HeaderMap, reader: HeaderValue) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, reader);
    headers.insert(
        header::ACCESS_CONTROL_EXPOSE_HEADERS,
        HeaderValue::from_static(EXPOSED),
    );
    headers.append(header::VARY, HeaderValue::from_static("origin"));
}
