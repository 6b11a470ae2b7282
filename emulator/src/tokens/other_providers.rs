//! What B2C, and OpenID providers that are none of Microsoft's, answer a user's grant with.

use serde_json::{Map, Value, json};

use super::UserGrant;
use crate::call::Call;
use crate::directory::Tenant;
use crate::errors::EntraError;
use crate::id_token::{Companions, LIFETIME, pairwise};
use crate::provider::issuer;
use crate::service::Service;

/// How long B2C says that a refresh token lives: 14 days.
const REFRESH_LIFETIME: i64 = 14 * 24 * 3600;

impl Service {
    /// B2C's answer: numbers are texts, and without a scope of an API there is no access token.
    pub(super) fn b2c_answer(
        &self,
        call: &Call,
        grant: &UserGrant<'_>,
        tenant: &Tenant,
    ) -> Result<Value, EntraError> {
        let user = grant.user;
        let mut answer = Map::new();
        if !grant.scopes.resource.is_empty() {
            let expires = call.now.saturating_add_unsigned(self.token_lifetime);
            let mut claims = Map::new();
            claims.insert("iss".into(), json!(issuer(&call.base, tenant)));
            claims.insert("exp".into(), json!(expires));
            claims.insert("nbf".into(), json!(call.now));
            claims.insert("aud".into(), json!(grant.scopes.resource));
            claims.insert("oid".into(), json!(user.id));
            claims.insert("sub".into(), json!(user.id));
            claims.insert("name".into(), json!(user.display_name));
            if let Some(flow) = &grant.browser.flow {
                claims.insert("tfp".into(), json!(flow));
            }
            claims.insert("scp".into(), json!(grant.scopes.permissions.join(" ")));
            claims.insert("azp".into(), json!(grant.application.client_name()));
            claims.insert("ver".into(), json!("1.0"));
            claims.insert("iat".into(), json!(call.now));
            answer.insert(
                "access_token".into(),
                json!(self.keys.sign(&Value::Object(claims))?),
            );
            answer.insert("expires_in".into(), json!(self.token_lifetime.to_string()));
            answer.insert("expires_on".into(), json!(expires.to_string()));
            answer.insert("resource".into(), json!(grant.scopes.resource));
        }
        if grant.scopes.has("openid") {
            answer.insert(
                "id_token".into(),
                json!(self.id_token(call, grant, Companions::default())?),
            );
            answer.insert("id_token_expires_in".into(), json!(LIFETIME.to_string()));
        }
        answer.insert("token_type".into(), json!("Bearer"));
        answer.insert("not_before".into(), json!(call.now.to_string()));
        answer.insert("scope".into(), json!(grant.scopes.as_sent.join(" ")));
        if grant.scopes.has("offline_access") {
            answer.insert(
                "refresh_token".into(),
                json!(self.refresh_token(call, grant)?),
            );
            answer.insert(
                "refresh_token_expires_in".into(),
                json!(REFRESH_LIFETIME.to_string()),
            );
        }
        Ok(Value::Object(answer))
    }

    /// The answer that RFC 6749 and OpenID Connect Core describe, and nothing beyond.
    pub(super) fn plain_answer(
        &self,
        call: &Call,
        grant: &UserGrant<'_>,
        tenant: &Tenant,
    ) -> Result<Value, EntraError> {
        let client = grant.application.client_name();
        let scope: Vec<&str> = grant
            .scopes
            .reserved
            .iter()
            .chain(&grant.scopes.permissions)
            .map(String::as_str)
            .collect();
        let issuer = issuer(&call.base, tenant);
        let claims = json!({
            "iss": issuer,
            "aud": issuer,
            "sub": pairwise(&client, grant.user.id),
            "oid": grant.user.id,
            "client_id": client,
            "scope": scope.join(" "),
            "iat": call.now,
            "exp": call.now.saturating_add_unsigned(self.token_lifetime),
        });
        let mut answer = Map::new();
        answer.insert("access_token".into(), json!(self.keys.sign(&claims)?));
        answer.insert("token_type".into(), json!("Bearer"));
        answer.insert("expires_in".into(), json!(self.token_lifetime));
        answer.insert("scope".into(), json!(scope.join(" ")));
        if grant.scopes.has("openid") {
            answer.insert(
                "id_token".into(),
                json!(self.id_token(call, grant, Companions::default())?),
            );
        }
        if grant.scopes.has("offline_access") {
            answer.insert(
                "refresh_token".into(),
                json!(self.refresh_token(call, grant)?),
            );
        }
        Ok(Value::Object(answer))
    }
}
