//! `/<tenant>/oauth2/v2.0/authorize`: a browser asks for a code, on behalf of an application.

pub mod answer;
pub mod codes;
pub mod request;

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Extension, State};
use axum::http::{Method, Response};

use crate::call::Call;
use crate::pages::login;
use crate::provider::Names;
use crate::service::Service;
use request::Request;

/// The endpoint.
pub async fn answer(
    State(service): State<Arc<Service>>,
    names: Names,
    Extension(call): Extension<Arc<Call>>,
) -> Response<Body> {
    let fields = if call.method == Method::POST {
        &call.form
    } else {
        &call.query
    };
    let refusal = match Request::read(&service, &call, &names, fields) {
        Ok(request) => return login::begin(&service, &call, request),
        Err(refusal) => refusal,
    };
    let error = match names.policy {
        Some(_) => refusal.error.in_b2c(),
        None => refusal.error,
    };
    match refusal.target {
        Some(target) => target.refusal(&service, &call, &error),
        None => login::refusal(&call, &error),
    }
}
