//! Who calls Graph: the access token's signature, audience, times, and permissions.

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use uuid::Uuid;

use super::GraphError;
use crate::call::Call;
use crate::scopes::GRAPH;
use crate::service::Service;

/// How far clocks may be apart, in seconds.
const SKEW: i64 = 300;

/// The owner of a good access token.
pub struct Caller {
    /// The user, unless an application acts as itself.
    pub user: Option<Uuid>,
    /// The tenant.
    pub tenant: Uuid,
    /// Delegated permissions (`scp`) of a user's token, application permissions (`roles`) of an application's.
    permissions: Vec<String>,
}

impl Caller {
    /// Checks the access token of a request.
    pub fn authenticate(service: &Service, call: &Call) -> Result<Self, GraphError> {
        let refuse = |message: &str| GraphError::unauthorized(call, message);
        let token = call
            .header("authorization")
            .and_then(|header| header.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        let token = token
            .map(|(_, token)| token.trim())
            .filter(|token| !token.is_empty())
            .ok_or_else(|| refuse("Access token is empty."))?;
        if token.split('.').count() != 3 {
            return Err(refuse(
                "CompactToken parsing failed with error code: 80049217",
            ));
        }
        let claims = service
            .keys
            .verify(token)
            .ok_or_else(|| refuse("Access token validation failure. Invalid signature."))?;
        let text = |name: &str| claims.get(name).and_then(Value::as_str);
        let number = |name: &str| claims.get(name).and_then(Value::as_i64).unwrap_or(0);
        let id = |name: &str| text(name).and_then(|id| Uuid::try_parse(id).ok());
        if text("aud") != Some(GRAPH) {
            return Err(refuse("Access token validation failure. Invalid audience."));
        }
        if number("exp") <= call.now {
            return Err(refuse("Lifetime validation failed, the token is expired."));
        }
        if number("nbf") > call.now + SKEW {
            return Err(refuse(
                "Lifetime validation failed, the token is not yet valid.",
            ));
        }
        let tenant = id("tid").ok_or_else(|| refuse("Access token validation failure."))?;
        let application_itself = text("idtyp") == Some("app");
        let user = id("oid").filter(|_| !application_itself);
        let owners = [user, id("appid")];
        let not_before = owners
            .into_iter()
            .flatten()
            .map(|id| service.revocations.not_before(id))
            .max()
            .unwrap_or(0);
        if number("nbf") < not_before {
            return Err(claims_challenge(call, not_before));
        }
        let permissions = match claims.get("roles").and_then(Value::as_array) {
            Some(roles) if application_itself => roles
                .iter()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect(),
            _ => text("scp")
                .unwrap_or_default()
                .split(' ')
                .map(str::to_owned)
                .collect(),
        };
        Ok(Self {
            user,
            tenant,
            permissions,
        })
    }

    /// Whether one of these permissions has been granted: to the user's application, or to the application itself.
    pub fn may(&self, delegated: &[&str], application: &[&str]) -> bool {
        let enough = if self.user.is_some() {
            delegated
        } else {
            application
        };
        self.permissions
            .iter()
            .any(|permission| enough.contains(&permission.as_str()))
    }

    /// Refuses who has none of these permissions.
    pub fn need(&self, delegated: &[&str], application: &[&str]) -> Result<(), GraphError> {
        if self.may(delegated, application) {
            Ok(())
        } else {
            Err(GraphError::forbidden())
        }
    }
}

/// The refusal of continuous access evaluation: come back with a token that is not older than this.
pub fn claims_challenge(call: &Call, not_before: i64) -> GraphError {
    let claims = json!({ "access_token": { "nbf": { "essential": true, "value": not_before.to_string() } } });
    let claims = BASE64_STANDARD.encode(claims.to_string());
    let message = "Continuous access evaluation resulted in claims challenge with result: InteractionRequired and code: TokenIssuedBeforeRevocationTimestamp";
    let mut error = GraphError::unauthorized(call, message);
    error.challenge = error
        .challenge
        .map(|challenge| format!(r#"{challenge}, error="insufficient_claims", claims="{claims}""#));
    error
}
