//! What takes the access tokens that Graph does not take: an OpenID provider's userinfo, and an API of one's own.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Extension, State};
use axum::http::{HeaderValue, Response, StatusCode, header};
use serde_json::{Map, Value, json};

use crate::call::Call;
use crate::directory::User;
use crate::id_token::insert_names;
use crate::scopes::GRAPH;
use crate::service::Service;

/// `GET` or `POST /<domain>/connect/userinfo`
pub async fn userinfo(
    State(service): State<Arc<Service>>,
    Extension(call): Extension<Arc<Call>>,
) -> Response<Body> {
    answer(&service, &call, |claims, user| {
        let granted = |word: &str| words(claims, "scope").any(|scope| scope == word);
        if !granted("openid") {
            return None;
        }
        let mut info = Map::new();
        info.insert("sub".into(), claims.get("sub")?.clone());
        if granted("profile") {
            info.insert("name".into(), json!(user.display_name));
            insert_names(&mut info, user);
            info.insert("preferred_username".into(), json!(user.sign_in_name()));
        }
        if granted("email")
            && let Some(mail) = &user.mail
        {
            info.insert("email".into(), json!(mail));
            info.insert("email_verified".into(), json!(true));
        }
        Some(info)
    })
}

/// `GET /api/me`: who calls, and with which permissions.
pub async fn me(
    State(service): State<Arc<Service>>,
    Extension(call): Extension<Arc<Call>>,
) -> Response<Body> {
    answer(&service, &call, |claims, user| {
        let scopes: Vec<&str> = words(claims, "scp").collect();
        let mut info = Map::new();
        info.insert("displayName".into(), json!(user.display_name));
        info.insert("signInName".into(), json!(user.sign_in_name()));
        info.insert("audience".into(), claims.get("aud")?.clone());
        info.insert("scopes".into(), json!(scopes));
        (!scopes.is_empty()).then_some(info)
    })
}

fn answer(
    service: &Service,
    call: &Call,
    describe: impl Fn(&Value, &User) -> Option<Map<String, Value>>,
) -> Response<Body> {
    let token = call
        .header("authorization")
        .and_then(|header| header.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .and_then(|(_, token)| service.keys.verify(token.trim()))
        .filter(|claims| {
            let expires = claims.get("exp").and_then(Value::as_i64).unwrap_or(0);
            let audience = claims.get("aud").and_then(Value::as_str);
            // An ID token is no access token: it has neither of the claims for permissions.
            let is_access = claims.get("scp").or(claims.get("scope")).is_some();
            expires > call.now && audience != Some(GRAPH) && is_access
        });
    let user = token.as_ref().and_then(|claims| {
        let id = claims.get("oid").and_then(Value::as_str)?;
        service.directory.user(id)
    });
    let (Some(claims), Some(user)) = (token, user) else {
        return refused(
            call,
            StatusCode::UNAUTHORIZED,
            "invalid_token",
            "The access token is missing, wrong or expired.",
        );
    };
    match describe(&claims, &user) {
        Some(info) => call.json(StatusCode::OK, &Value::Object(info)),
        None => refused(
            call,
            StatusCode::FORBIDDEN,
            "insufficient_scope",
            "The access token lacks a permission.",
        ),
    }
}

/// The refusal of RFC 6750.
fn refused(
    call: &Call,
    status: StatusCode,
    error: &'static str,
    description: &'static str,
) -> Response<Body> {
    let body = json!({ "error": error, "error_description": description });
    let mut response = call.json(status, &body);
    let challenge = match error {
        "invalid_token" => "Bearer error=\"invalid_token\"",
        _ => "Bearer error=\"insufficient_scope\"",
    };
    response.headers_mut().insert(
        header::WWW_AUTHENTICATE,
        HeaderValue::from_static(challenge),
    );
    response
}

fn words<'a>(claims: &'a Value, name: &str) -> impl Iterator<Item = &'a str> {
    claims
        .get(name)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .split_whitespace()
}
