//! `POST /<tenant>/oauth2/v2.0/token`: one file per grant.

mod assertion;
mod authorization_code;
mod client_credentials;
pub mod client_proof;
mod device_code;
mod password;
mod refresh_token;

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Extension, State};
use axum::http::{Response, StatusCode};
use serde_json::Value;

use crate::call::Call;
use crate::directory::{Application, Authority};
use crate::errors::EntraError;
use crate::provider::{Names, Provider};
use crate::scopes::Scopes;
use crate::service::Service;
use client_proof::ProofKind;

/// A token request whose client is known and has proved itself, if it has anything to prove.
pub struct TokenRequest<'a> {
    service: &'a Service,
    call: &'a Call,
    provider: Provider<'a>,
    authority: Authority<'a>,
    application: &'a Application,
    proof: ProofKind,
}

/// The endpoint.
pub async fn answer(
    State(service): State<Arc<Service>>,
    names: Names,
    Extension(call): Extension<Arc<Call>>,
) -> Response<Body> {
    match grant(&service, &call, names.clone()) {
        Ok(answer) => call.json(StatusCode::OK, &answer),
        Err(error) if names.policy.is_some() => error.in_b2c().response(&call),
        Err(error) => error.response(&call),
    }
}

fn grant(service: &Service, call: &Call, mut names: Names) -> Result<Value, EntraError> {
    // A device flow that began at one tenant may be polled at `common`.
    let begun_at = call.form.get("device_code").and_then(|code| {
        service
            .device_codes
            .polled(code, |code| code.authority.clone())
    });
    if let Some(begun_at) = begun_at.filter(|_| names.tenant == "common") {
        names.tenant = begun_at;
    }
    let provider = service.directory.provider(&names)?;
    let (authority, tenant) = (provider.authority, names.tenant.as_str());
    let grant_type = call
        .form
        .get("grant_type")
        .ok_or_else(|| EntraError::about(900144, &["grant_type"]))?;
    let (application, proof) = client_proof::identify(service, call, authority, tenant)?;
    let request = TokenRequest {
        service,
        call,
        provider,
        authority,
        application,
        proof,
    };
    match grant_type {
        "urn:ietf:params:oauth:grant-type:device_code" | "device_code" => request.device_code(),
        "authorization_code" => request.authorization_code(),
        "refresh_token" => request.refresh_token(),
        "client_credentials" if provider.is_entra() => request.client_credentials(),
        "password" if provider.is_entra() => request.password(),
        other => Err(EntraError::about(70003, &[other])),
    }
}

impl TokenRequest<'_> {
    /// A required field of the form.
    fn field(&self, name: &str) -> Result<&str, EntraError> {
        self.call
            .form
            .get(name)
            .ok_or_else(|| EntraError::about(900144, &[name]))
    }

    /// Reads a `scope` as this provider does.
    fn scopes(&self, scope: &str) -> Result<Scopes, EntraError> {
        self.service.scopes(
            scope,
            &self.call.base,
            self.provider.kind(),
            self.application,
        )
    }

    /// Whether the request is a script's, from a page of another origin than the emulator's own.
    fn is_cross_origin(&self) -> bool {
        self.call
            .header("origin")
            .is_some_and(|origin| origin != self.call.base)
    }

    /// Only a client that has proved itself, or one that need not, may act for a user.
    fn require_proof_or_public_client(&self) -> Result<(), EntraError> {
        match self.proof {
            ProofKind::None if !self.application.public_client => Err(EntraError::new(7000218)),
            _ => Ok(()),
        }
    }
}
