//! Microsoft Graph, `/v1.0`: dispatch, answers and refusals.

mod access;
mod applications;
mod batch;
mod body;
mod filter;
mod permissions;
mod registration;
mod service_principals;
pub mod userinfo;
mod users;

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Extension, State};
use axum::http::{HeaderName, HeaderValue, Method, Response, StatusCode, header};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};

use crate::call::{Call, header_value};
use crate::clock::iso_date;
use crate::service::Service;
use access::Caller;
pub use access::claims_challenge;

/// Where contexts point: to Graph's own metadata, whatever the emulator's address is, so that output stays the same.
const CONTEXT: &str = "https://graph.microsoft.com/v1.0/$metadata#";

/// A refusal by Graph.
#[derive(Debug)]
pub struct GraphError {
    /// The HTTP status.
    pub status: StatusCode,
    /// The error's code.
    pub code: &'static str,
    /// The error's message.
    pub message: String,
    /// What an answer 401 asks for.
    pub challenge: Option<String>,
}

impl GraphError {
    /// A refusal without a challenge.
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            challenge: None,
        }
    }

    /// The token is missing or no good.
    pub fn unauthorized(call: &Call, message: &str) -> Self {
        let challenge = format!(
            r#"Bearer realm="", authorization_uri="{}/common/oauth2/authorize", client_id="00000003-0000-0000-c000-000000000000""#,
            call.base
        );
        Self {
            challenge: Some(challenge),
            ..Self::new(
                StatusCode::UNAUTHORIZED,
                "InvalidAuthenticationToken",
                message,
            )
        }
    }

    fn bad_request(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    fn not_found(id: &str) -> Self {
        let message = format!(
            "Resource '{id}' does not exist or one of its queried reference-property objects are not present."
        );
        Self::new(StatusCode::NOT_FOUND, "Request_ResourceNotFound", message)
    }

    /// Somebody has written too much to this one emulator, which keeps everything in memory.
    fn full() -> Self {
        Self::new(
            StatusCode::INSUFFICIENT_STORAGE,
            "Directory_QuotaExceeded",
            "The emulator takes no more changes. Restart it.",
        )
    }

    fn forbidden() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "Authorization_RequestDenied",
            "Insufficient privileges to complete the operation.",
        )
    }

    /// The JSON body.
    fn body(&self, call: &Call) -> Value {
        json!({ "error": {
            "code": self.code,
            "message": self.message,
            "innerError": {
                "date": iso_date(call.now),
                "request-id": call.request_id,
                "client-request-id": call.correlation_id,
            },
        } })
    }

    /// The answer.
    pub fn response(&self, call: &Call) -> Response<Body> {
        let mut response = respond(call, self.status, "application/json", &self.body(call));
        if let Some(challenge) = &self.challenge {
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, header_value(challenge));
        }
        response
    }
}

/// What Graph answers to a call that it does not refuse.
struct Answer {
    status: StatusCode,
    /// `null` for an answer without a body.
    body: Value,
}

impl Answer {
    fn created(body: Value) -> Self {
        Self {
            status: StatusCode::CREATED,
            body,
        }
    }

    fn no_content() -> Self {
        Self {
            status: StatusCode::NO_CONTENT,
            body: Value::Null,
        }
    }
}

impl From<Value> for Answer {
    fn from(body: Value) -> Self {
        Self {
            status: StatusCode::OK,
            body,
        }
    }
}

/// All of `/v1.0`.
pub async fn answer(
    State(service): State<Arc<Service>>,
    Extension(call): Extension<Arc<Call>>,
) -> Response<Body> {
    const CONTENT_TYPE: &str = "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8";
    match dispatch(&service, &call) {
        Ok(answer) => respond(&call, answer.status, CONTENT_TYPE, &answer.body),
        Err(error) => error.response(&call),
    }
}

fn dispatch(service: &Service, call: &Call) -> Result<Answer, GraphError> {
    let caller = Caller::authenticate(service, call)?;
    if call.method == Method::POST && call.path == "/v1.0/$batch" {
        return batch::answer(service, call).map(Answer::from);
    }
    let path = call.path.trim_start_matches("/v1.0").trim_matches('/');
    let segments: Vec<_> = path
        .split('/')
        .map(|segment| percent_decode_str(segment).decode_utf8_lossy())
        .collect();
    let segments: Vec<&str> = segments.iter().map(AsRef::as_ref).collect();
    match segments.as_slice() {
        [name, rest @ ..] if is_collection(name, "applications") => {
            applications::answer(service, call, &caller, name, rest)
        }
        [name, rest @ ..] if is_collection(name, "servicePrincipals") => {
            service_principals::answer(service, call, &caller, name, rest)
        }
        ["oauth2PermissionGrants", rest @ ..] | ["oAuth2PermissionGrants", rest @ ..] => {
            service_principals::grants(service, call, &caller, rest)
        }
        _ if call.method != Method::GET => Err(not_allowed()),
        segments => read(service, call, &caller, segments).map(Answer::from),
    }
}

fn read(
    service: &Service,
    call: &Call,
    caller: &Caller,
    segments: &[&str],
) -> Result<Value, GraphError> {
    match segments {
        ["me"] => users::me(service, call, caller),
        ["me", "manager"] => users::my_manager(service, call, caller),
        ["users"] => users::list(service, call, caller),
        ["users", name] => users::one(service, call, caller, name),
        ["users", name, "manager"] => users::manager(service, call, caller, name),
        [.., last] => Err(unknown_segment(last)),
        [] => Err(GraphError::not_found("")),
    }
}

/// An object of a collection, as an answer that is nothing else has it.
fn entity(collection: &str, object: Value) -> Value {
    let mut entity = Map::new();
    let context = format!("{CONTEXT}{collection}/$entity");
    entity.insert("@odata.context".into(), json!(context));
    if let Value::Object(object) = object {
        entity.extend(object);
    }
    Value::Object(entity)
}

/// Whether a segment is the collection, or one of it by key: `applications(appId='…')`.
fn is_collection(segment: &str, collection: &str) -> bool {
    segment
        .strip_prefix(collection)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('('))
}

/// The client id in `(appId='…')`, which follows the name of a collection.
fn key<'a>(segment: &'a str, collection: &str) -> Result<&'a str, GraphError> {
    let key = segment
        .strip_prefix(collection)
        .and_then(|rest| rest.strip_prefix("(appId='")?.strip_suffix("')"));
    key.ok_or_else(|| {
        GraphError::bad_request(
            "BadRequest",
            format!("The key in the address is not one of {collection}(appId='…')."),
        )
    })
}

fn unknown_segment(segment: &str) -> GraphError {
    GraphError::bad_request(
        "BadRequest",
        format!("Resource not found for the segment '{segment}'."),
    )
}

fn not_allowed() -> GraphError {
    let message = "Specified HTTP method is not allowed for the request target.";
    GraphError::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "Request_BadRequest",
        message,
    )
}

fn respond(
    call: &Call,
    status: StatusCode,
    content_type: &'static str,
    body: &Value,
) -> Response<Body> {
    let mut response = Response::new(match body {
        Value::Null => Body::empty(),
        body => Body::from(body.to_string()),
    });
    *response.status_mut() = status;
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, content_type),
        (header::CACHE_CONTROL, "no-cache"),
        (HeaderName::from_static("odata-version"), "4.0"),
        (HeaderName::from_static("x-ms-resource-unit"), "1"),
        (
            HeaderName::from_static("x-ms-ags-diagnostic"),
            r#"{"ServerInfo":{"DataCenter":"Emulator","Slice":"E","Ring":"1","ScaleUnit":"000","RoleInstance":"emulator"}}"#,
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.insert("request-id", header_value(&call.request_id.to_string()));
    headers.insert(
        "client-request-id",
        header_value(&call.correlation_id.to_string()),
    );
    response
}
