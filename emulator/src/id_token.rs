//! ID tokens: who has signed in, to which application, in the words of each kind of provider.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD as BASE64URL};
use ring::digest::{SHA256, digest};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::call::Call;
use crate::directory::{Tenant, TenantKind, User};
use crate::errors::EntraError;
use crate::faults::openid::IdTokenEdit;
use crate::forgery;
use crate::provider::issuer;
use crate::service::Service;
use crate::tokens::UserGrant;

/// How long an ID token lives, in seconds.
pub const LIFETIME: i64 = 3600;

/// What a browser brings along with an ID token, which vouches for it. The token endpoint's ID tokens vouch for nothing.
#[derive(Clone, Copy, Default)]
pub struct Companions<'a> {
    /// An authorization code.
    pub code: Option<&'a str>,
    /// An access token.
    pub access_token: Option<&'a str>,
}

impl Service {
    /// The ID token of a grant.
    pub fn id_token(
        &self,
        call: &Call,
        grant: &UserGrant<'_>,
        companions: Companions<'_>,
    ) -> Result<String, EntraError> {
        let tenant = self
            .directory
            .tenant(&grant.tenant.to_string())
            .ok_or_else(|| EntraError::about(90002, &[&grant.tenant.to_string()]))?;
        let mut claims = Map::new();
        claims.insert("aud".into(), json!(grant.application.client_name()));
        claims.insert("iss".into(), json!(issuer(&call.base, tenant)));
        claims.insert("iat".into(), json!(call.now));
        claims.insert("nbf".into(), json!(call.now));
        claims.insert("exp".into(), json!(call.now + LIFETIME));
        for (claim, companion) in [
            ("c_hash", companions.code),
            ("at_hash", companions.access_token),
        ] {
            if let Some(companion) = companion {
                claims.insert(claim.into(), json!(half_hash(companion)));
            }
        }
        if let Some(nonce) = &grant.browser.nonce {
            claims.insert("nonce".into(), json!(nonce));
        }
        match tenant.kind {
            TenantKind::Workforce | TenantKind::ExternalId => {
                entra_claims(&mut claims, call, grant, tenant);
            }
            TenantKind::B2c => b2c_claims(&mut claims, grant, tenant),
            TenantKind::OpenId => plain_claims(&mut claims, grant),
        }
        self.sign_id_token(call, claims)
    }

    /// Signs an ID token, unless a fault has something else in store for it.
    fn sign_id_token(
        &self,
        call: &Call,
        mut claims: Map<String, Value>,
    ) -> Result<String, EntraError> {
        let Some(edit) = self.faults.take_id_token_edit(call) else {
            return Ok(self.keys.sign(&Value::Object(claims))?);
        };
        forgery::change(&mut claims, &edit, call.now);
        let claims = Value::Object(claims);
        Ok(match edit {
            IdTokenEdit::Signature(forgery) => forgery::forge(&self.keys, &claims, forgery)?,
            IdTokenEdit::Garbage => "this is no token".to_owned(),
            _ => self.keys.sign(&claims)?,
        })
    }
}

fn entra_claims(
    claims: &mut Map<String, Value>,
    call: &Call,
    grant: &UserGrant<'_>,
    tenant: &Tenant,
) {
    let user = grant.user;
    if let Some(at) = grant
        .browser
        .auth_time
        .filter(|_| grant.browser.wants_auth_time)
    {
        claims.insert("auth_time".into(), json!(at));
    }
    if grant.scopes.has("email")
        && let Some(mail) = &user.mail
    {
        claims.insert("email".into(), json!(mail));
    }
    claims.insert("name".into(), json!(user.display_name));
    claims.insert("oid".into(), json!(user.id));
    claims.insert("preferred_username".into(), json!(user.sign_in_name()));
    if let Some(sid) = grant.browser.sid {
        claims.insert("sid".into(), json!(sid));
    }
    claims.insert(
        "sub".into(),
        json!(pairwise(&grant.application.client_name(), user.id)),
    );
    claims.insert("tid".into(), json!(tenant.id));
    claims.insert(
        "uti".into(),
        json!(BASE64URL.encode(call.request_id.as_bytes())),
    );
    claims.insert("ver".into(), json!("2.0"));
}

/// B2C has the object id as `sub`, names the user flow, and says nothing of the tenant.
fn b2c_claims(claims: &mut Map<String, Value>, grant: &UserGrant<'_>, tenant: &Tenant) {
    let user = grant.user;
    claims.insert("ver".into(), json!("1.0"));
    claims.insert("sub".into(), json!(user.id));
    claims.insert("oid".into(), json!(user.id));
    if let Some(at) = grant.browser.auth_time {
        claims.insert("auth_time".into(), json!(at));
    }
    let name = grant.browser.name.as_ref().unwrap_or(&user.display_name);
    claims.insert("name".into(), json!(name));
    insert_names(claims, user);
    claims.insert(
        "emails".into(),
        json!([user.mail.as_deref().unwrap_or(user.sign_in_name())]),
    );
    let flow = tenant
        .user_flows
        .iter()
        .find(|flow| Some(&flow.name) == grant.browser.flow.as_ref());
    if let Some(flow) = flow {
        claims.insert(flow.claim.clone(), json!(flow.name));
    }
}

/// What OpenID Connect itself knows, and no more than was asked for.
fn plain_claims(claims: &mut Map<String, Value>, grant: &UserGrant<'_>) {
    let user = grant.user;
    claims.shift_remove("nbf");
    claims.insert(
        "sub".into(),
        json!(pairwise(&grant.application.client_name(), user.id)),
    );
    if let Some(at) = grant.browser.auth_time {
        claims.insert("auth_time".into(), json!(at));
    }
    if grant.scopes.has("profile") {
        claims.insert("name".into(), json!(user.display_name));
        insert_names(claims, user);
        claims.insert("preferred_username".into(), json!(user.sign_in_name()));
    }
    if grant.scopes.has("email")
        && let Some(mail) = &user.mail
    {
        claims.insert("email".into(), json!(mail));
        claims.insert("email_verified".into(), json!(true));
    }
}

/// The first and the last name, if there are any.
pub fn insert_names(claims: &mut Map<String, Value>, user: &User) {
    for (claim, name) in [
        ("given_name", &user.given_name),
        ("family_name", &user.surname),
    ] {
        if let Some(name) = name {
            claims.insert(claim.into(), json!(name));
        }
    }
}

/// `c_hash` and `at_hash`: the left half of the SHA-256 (OpenID Connect Core, 3.3.2.11).
pub fn half_hash(text: &str) -> String {
    let hash = digest(&SHA256, text.as_bytes());
    let half = hash.as_ref().get(..16).unwrap_or_default();
    BASE64URL.encode(half)
}

/// The `sub` that a user has for one audience, and for no other.
pub fn pairwise(audience: &str, user: Uuid) -> String {
    BASE64URL.encode(digest(&SHA256, format!("{audience} {user}").as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_a_hash_is_that_of_the_standard() {
        // OpenID Connect Core, A.3 and A.4.
        assert_eq!(
            half_hash("jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y"),
            "77QmUPtjPfzWtF2AnpK9RQ"
        );
        assert_eq!(
            half_hash("Qcb0Orv1zh30vL1MPRsbm-diHiMwcLyZvn1arpZv-Jxf_11jnpEX3Tgfvk"),
            "LDktKdoQak3Pk0cnXxCltA"
        );
    }
}
