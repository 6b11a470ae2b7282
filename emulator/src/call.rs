//! One request, as every endpoint sees it, and the answers that the sign-in service gives.

use std::sync::{Arc, Mutex};

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, header};
use serde_json::Value;
use uuid::Uuid;

use crate::locked;

/// A request whose body has been read and whose address has been understood.
#[derive(Clone, Debug)]
pub struct Call {
    /// Scheme, host and port by which the client reached the emulator: the beginning of every URL in an answer.
    pub base: String,
    /// The method.
    pub method: Method,
    /// The path, as it was sent.
    pub path: String,
    /// The query.
    pub query: Form,
    /// The form in the body; empty if the body is none.
    pub form: Form,
    /// The body.
    pub body: Bytes,
    /// The headers.
    pub headers: HeaderMap,
    /// The emulator's own id for this request.
    pub request_id: Uuid,
    /// The client's id for this request, or one made for it.
    pub correlation_id: Uuid,
    /// When it came, in seconds since 1970.
    pub now: i64,
    /// Whether it came from this machine.
    pub is_local: bool,
    /// The polling interval that a fault makes the answer tell.
    pub told_interval: Option<u64>,
    /// The faults that were used for it; its parts (of a batch) share them.
    pub faults: Arc<Mutex<Vec<String>>>,
}

impl Call {
    /// A request that nobody sent: what the command line and tests ask for directly.
    pub fn internal(base: &str, now: i64) -> Self {
        Self {
            base: base.to_owned(),
            method: Method::POST,
            path: String::new(),
            query: Form::default(),
            form: Form::default(),
            body: Bytes::new(),
            headers: HeaderMap::new(),
            request_id: Uuid::new_v4(),
            correlation_id: Uuid::new_v4(),
            now,
            is_local: true,
            told_interval: None,
            faults: Arc::default(),
        }
    }

    /// Notes down that a fault was used.
    pub fn note_fault(&self, spec: &str) {
        locked(&self.faults).push(spec.to_owned());
    }

    /// A header's value, if it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The JSON answer of a sign-in endpoint.
    pub fn json(&self, status: StatusCode, body: &Value) -> Response<Body> {
        let mut response = Response::new(Body::from(body.to_string()));
        *response.status_mut() = status;
        // No Strict-Transport-Security, which the cloud service sends: it would lock browsers out of http://localhost.
        let headers = response.headers_mut();
        for (name, value) in [
            (header::CONTENT_TYPE, "application/json; charset=utf-8"),
            (header::CACHE_CONTROL, "no-store, no-cache"),
            (header::PRAGMA, "no-cache"),
            (header::EXPIRES, "-1"),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (HeaderName::from_static("x-ms-ests-server"), "emulator"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        headers.insert(
            "x-ms-request-id",
            header_value(&self.request_id.to_string()),
        );
        if self
            .header("return-client-request-id")
            .is_some_and(|value| value.eq_ignore_ascii_case("true"))
        {
            headers.insert(
                "client-request-id",
                header_value(&self.correlation_id.to_string()),
            );
        }
        response
    }
}

/// Text as a header value; control characters, which a header cannot hold, are left out.
pub fn header_value(text: &str) -> HeaderValue {
    let clean: String = text
        .chars()
        .filter(|char| matches!(char, ' '..='~'))
        .collect();
    HeaderValue::from_str(&clean).unwrap_or(HeaderValue::from_static(""))
}

/// An address or a host without its port. Some clients drop it: the names that they expect have none.
pub fn without_port(address: &str) -> &str {
    match address.rsplit_once(':') {
        Some((rest, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => rest,
        _ => address,
    }
}

/// Fields of a form or a query. Unknown fields are nobody's business, and of duplicates the first one counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Form(Vec<(String, String)>);

impl Form {
    /// Reads `a=1&b=2`; what is not UTF-8 is replaced, so that this cannot fail.
    pub fn parse(text: &[u8]) -> Self {
        Self(form_urlencoded::parse(text).into_owned().collect())
    }

    /// The value of a field that is there and not empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        let (_, value) = self.0.iter().find(|(field, _)| field == name)?;
        Some(value.as_str()).filter(|value| !value.is_empty())
    }

    /// All fields in the order in which they were sent.
    pub fn fields(&self) -> &[(String, String)] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_duplicate_fields_the_first_counts() {
        let form = Form::parse(b"scope=a+b%2Fc&scope=d&empty=&novalue&broken=%zz%ff");
        assert_eq!(form.get("scope"), Some("a b/c"));
        assert_eq!(
            (form.get("empty"), form.get("novalue"), form.get("other")),
            (None, None, None)
        );
        assert_eq!(form.get("broken"), Some("%zz\u{fffd}"));
    }
}
