//! `/oidc/userinfo`: OpenID Connect's own way to ask who has signed in.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Extension, State};
use axum::http::{Response, StatusCode};
use serde_json::{Map, Value, json};

use super::access::Caller;
use super::{GraphError, respond};
use crate::call::Call;
use crate::id_token::pairwise;
use crate::service::Service;

/// `GET` or `POST /oidc/userinfo`
pub async fn answer(
    State(service): State<Arc<Service>>,
    Extension(call): Extension<Arc<Call>>,
) -> Response<Body> {
    match describe(&service, &call) {
        Ok(body) => respond(
            &call,
            StatusCode::OK,
            "application/json; charset=utf-8",
            &body,
        ),
        Err(error) => error.response(&call),
    }
}

fn describe(service: &Service, call: &Call) -> Result<Value, GraphError> {
    let caller = Caller::authenticate(service, call)?;
    caller.need(&["openid"], &[])?;
    let user = caller
        .user
        .and_then(|id| service.directory.user(&id.to_string()))
        .ok_or_else(GraphError::forbidden)?;
    let mut claims = Map::new();
    // The same `sub` as in the id token.
    claims.insert(
        "sub".into(),
        json!(pairwise(&caller.application.to_string(), user.id)),
    );
    claims.insert("name".into(), json!(user.display_name));
    let rest = [
        ("family_name", &user.surname),
        ("given_name", &user.given_name),
        ("email", &user.mail),
    ];
    for (name, value) in rest
        .into_iter()
        .filter_map(|(name, value)| Some((name, value.as_ref()?)))
    {
        claims.insert(name.into(), json!(value));
    }
    claims.insert(
        "picture".into(),
        json!("https://graph.microsoft.com/v1.0/me/photo/$value"),
    );
    Ok(Value::Object(claims))
}
