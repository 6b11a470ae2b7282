//! `POST /v1.0/$batch`: several calls in one.

use axum::body::Bytes;
use axum::http::{Method, Uri};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Answer, GraphError, dispatch};
use crate::call::{Call, Form};
use crate::service::Service;

/// How many calls a batch may hold.
const LIMIT: usize = 20;

#[derive(Deserialize)]
struct Batch {
    requests: Vec<Part>,
}

#[derive(Deserialize)]
struct Part {
    id: String,
    method: String,
    url: String,
}

/// Answers each part as if it had come alone.
pub fn answer(service: &Service, call: &Call) -> Result<Value, GraphError> {
    let batch: Batch = serde_json::from_slice(&call.body).map_err(|error| {
        GraphError::bad_request(
            "BadRequest",
            format!("Invalid batch payload format: {error}."),
        )
    })?;
    if batch.requests.len() > LIMIT {
        return Err(GraphError::bad_request(
            "BadRequest",
            format!("Number of batch request steps exceeds the maximum value of {LIMIT}."),
        ));
    }
    let responses = batch.requests.into_iter().map(|part| {
        let (status, content_type, body) = match single(service, call, &part) {
            Ok(answer) => (answer.status.as_u16(), "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8", answer.body),
            Err(error) => (error.status.as_u16(), "application/json", error.body(call)),
        };
        json!({ "id": part.id, "status": status, "headers": { "Content-Type": content_type }, "body": body })
    });
    let mut answer = Map::new();
    answer.insert("responses".into(), responses.collect());
    Ok(Value::Object(answer))
}

fn single(service: &Service, call: &Call, part: &Part) -> Result<Answer, GraphError> {
    let bad = |_| {
        GraphError::bad_request(
            "BadRequest",
            format!("Invalid batch request '{}'.", part.id),
        )
    };
    let uri: Uri = format!("/v1.0/{}", part.url.trim_start_matches('/'))
        .parse()
        .map_err(|_| bad(()))?;
    if uri.path().ends_with("$batch") {
        return Err(bad(()));
    }
    let call = Call {
        method: Method::from_bytes(part.method.as_bytes()).map_err(|_| bad(()))?,
        path: uri.path().to_owned(),
        query: Form::parse(uri.query().unwrap_or_default().as_bytes()),
        body: Bytes::new(),
        ..call.clone()
    };
    dispatch(service, &call)
}
