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
    /// Client id of the application.
    pub application: Uuid,
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
        let application = id("appid").ok_or_else(|| refuse("Access token validation failure."))?;
        let application_itself = text("idtyp") == Some("app");
        let user = id("oid").filter(|_| !application_itself);
        let not_before = [user, Some(application)]
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
            application,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Emulator, Options};
    use axum::http::StatusCode;

    const USER: &str = "contoso_employee@contoso.com";

    /// What Graph says to a token, so many seconds from now.
    fn ask(emulator: &Emulator, token: &str, later: i64) -> Result<Caller, GraphError> {
        let mut call = Call::internal(emulator.url(), emulator.service.clock.now() + later);
        call.headers
            .insert("authorization", format!("Bearer {token}").parse().unwrap());
        Caller::authenticate(&emulator.service, &call)
    }

    #[test]
    fn a_token_counts_for_what_it_was_granted() {
        let emulator = Emulator::start(Options::default()).unwrap();
        let token = emulator
            .user_token(USER, "device-code", "User.Read")
            .unwrap();
        let caller = ask(&emulator, &token, 0).unwrap();
        assert!(caller.need(&["User.Read"], &[]).is_ok());
        assert_eq!(
            caller
                .need(&["User.ReadBasic.All"], &["User.Read"])
                .unwrap_err()
                .status,
            StatusCode::FORBIDDEN
        );
        assert!(ask(&emulator, &token, 3600).is_err_and(|error| error.message.contains("expired")));

        let token = emulator
            .user_token(USER, "device-code", "https://vault.azure.net/.default")
            .unwrap();
        assert!(ask(&emulator, &token, 0).is_err_and(|error| error.message.contains("audience")));

        let token = emulator.application_token("client-credentials").unwrap();
        let caller = ask(&emulator, &token, 0).unwrap();
        assert!(
            caller.user.is_none()
                && caller.may(&[], &["Application.Read.All"])
                && !caller.may(&["Application.Read.All"], &[])
        );
    }

    #[test]
    fn a_revoked_users_token_is_challenged_until_a_newer_one_comes() {
        let emulator = Emulator::start(Options::default()).unwrap();
        let token = emulator
            .user_token(USER, "device-code", "User.Read")
            .unwrap();
        emulator.challenge(USER).unwrap();
        let challenge = ask(&emulator, &token, 0)
            .err()
            .and_then(|error| error.challenge)
            .unwrap();
        assert!(challenge.contains(r#"error="insufficient_claims", claims=""#));
        // A token of the same second is no better; one of the next second is.
        assert!(
            ask(
                &emulator,
                &emulator
                    .user_token(USER, "device-code", "User.Read")
                    .unwrap(),
                0
            )
            .is_err()
        );
        emulator.advance_clock(1);
        assert!(
            ask(
                &emulator,
                &emulator
                    .user_token(USER, "device-code", "User.Read")
                    .unwrap(),
                0
            )
            .is_ok()
        );
    }
}
