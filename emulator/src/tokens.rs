//! What a successful token request is answered with: access, id and refresh tokens.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD as BASE64URL};
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::call::Call;
use crate::clock::iso_date;
use crate::directory::{Application, User};
use crate::errors::EntraError;
use crate::scopes::{GRAPH, Scopes};
use crate::service::Service;
use crate::token::client_proof::ProofKind;

/// How long a refresh token lives: 90 days.
const REFRESH_LIFETIME: i64 = 90 * 24 * 3600;

/// What a user has granted an application, ready to be turned into tokens.
pub struct UserGrant<'a> {
    /// The user.
    pub user: &'a User,
    /// The tenant that the user signed in to.
    pub tenant: Uuid,
    /// The application.
    pub application: &'a Application,
    /// What was asked for.
    pub scopes: Scopes,
    /// How the application has proved itself.
    pub proof: ProofKind,
    /// The nonce of the authorization request.
    pub nonce: Option<String>,
}

/// What a refresh token holds under its seal.
#[derive(Debug, Deserialize, Serialize)]
pub struct RefreshToken {
    /// Object id of the user.
    pub user: Uuid,
    /// Tenant that the user signed in to.
    pub tenant: Uuid,
    /// Client id that it was issued to.
    pub client: Uuid,
    /// The scope of the first grant.
    pub scope: String,
    /// When it was issued.
    pub issued: i64,
    /// How often the user's sessions had been revoked by then.
    pub revocations: u64,
}

impl Service {
    /// The answer to a user's grant.
    pub fn user_answer(&self, call: &Call, grant: &UserGrant<'_>) -> Result<Value, EntraError> {
        let granted = self
            .consents
            .granted(grant.user, grant.application, &grant.scopes)?;
        let lifetime = self.token_lifetime;

        // Reserved words come first, the resource's scopes in the form they were sent; offline_access is left out.
        let mut scope: Vec<&str> = grant
            .scopes
            .reserved
            .iter()
            .map(String::as_str)
            .filter(|word| *word != "offline_access")
            .collect();
        scope.extend(grant.scopes.as_sent.iter().map(String::as_str));
        let expanded: Vec<String> = granted
            .iter()
            .map(|name| format!("{}/{name}", grant.scopes.resource))
            .collect();
        if grant.scopes.is_default() {
            scope.extend(expanded.iter().map(String::as_str));
        }

        let mut claims = self.access_claims(
            call,
            &grant.scopes.resource,
            grant.tenant,
            grant.application,
            grant.proof,
        )?;
        let user = grant.user;
        claims.insert("name".into(), json!(user.display_name));
        claims.insert("oid".into(), json!(user.id));
        let reserved = grant
            .scopes
            .reserved
            .iter()
            .filter(|word| *word != "offline_access");
        claims.insert(
            "scp".into(),
            json!(
                granted
                    .iter()
                    .chain(reserved)
                    .map(String::as_str)
                    .collect::<Vec<_>>()
                    .join(" ")
            ),
        );
        claims.insert("sub".into(), json!(pairwise(GRAPH, user.id)));
        claims.insert("unique_name".into(), json!(user.upn));
        claims.insert("upn".into(), json!(user.upn));

        let mut answer = Map::new();
        answer.insert("token_type".into(), json!("Bearer"));
        answer.insert("scope".into(), json!(scope.join(" ")));
        answer.insert("expires_in".into(), json!(lifetime));
        answer.insert("ext_expires_in".into(), json!(lifetime));
        answer.insert(
            "access_token".into(),
            json!(self.keys.sign(&Value::Object(claims))?),
        );
        if grant.scopes.has("offline_access") {
            answer.insert(
                "refresh_token".into(),
                json!(self.refresh_token(call, grant)?),
            );
        }
        if grant.scopes.has("openid") {
            answer.insert(
                "id_token".into(),
                json!(self.keys.sign(&id_claims(call, grant))?),
            );
        }
        if call.form.get("client_info") == Some("1") {
            let client_info = json!({ "uid": user.id, "utid": grant.tenant });
            answer.insert(
                "client_info".into(),
                json!(BASE64URL.encode(client_info.to_string())),
            );
        }
        Ok(Value::Object(answer))
    }

    /// The answer to an application that acts as itself.
    pub fn application_answer(
        &self,
        call: &Call,
        resource: &str,
        tenant: Uuid,
        application: &Application,
        proof: ProofKind,
    ) -> Result<Value, EntraError> {
        let lifetime = self.token_lifetime;
        let mut claims = self.access_claims(call, resource, tenant, application, proof)?;
        claims.insert("idtyp".into(), json!("app"));
        claims.insert("oid".into(), json!(service_principal(application)));
        claims.insert("sub".into(), json!(service_principal(application)));
        if resource == GRAPH && !application.roles.is_empty() {
            claims.insert("roles".into(), json!(application.roles));
        }
        Ok(json!({
            "token_type": "Bearer",
            "expires_in": lifetime,
            "ext_expires_in": lifetime,
            "access_token": self.keys.sign(&Value::Object(claims))?,
        }))
    }

    /// The claims that all access tokens have. They are of the older kind (`ver` 1.0), as Graph's are.
    fn access_claims(
        &self,
        call: &Call,
        resource: &str,
        tenant: Uuid,
        application: &Application,
        proof: ProofKind,
    ) -> Result<Map<String, Value>, EntraError> {
        let asked = ClaimsRequest::read(call)?;
        // A claims challenge may ask for a token that is not older than the next second.
        let not_before = asked
            .not_before
            .filter(|wanted| *wanted <= call.now + 5)
            .unwrap_or(call.now)
            .max(call.now);
        let mut claims = Map::new();
        claims.insert("aud".into(), json!(resource));
        // Not the emulator's own address: the token stays good after a restart on another port.
        claims.insert(
            "iss".into(),
            json!(format!("https://sts.windows.net/{tenant}/")),
        );
        claims.insert("iat".into(), json!(call.now));
        claims.insert("nbf".into(), json!(not_before));
        claims.insert(
            "exp".into(),
            json!(call.now.saturating_add_unsigned(self.token_lifetime)),
        );
        claims.insert("app_displayname".into(), json!(application.display_name));
        claims.insert("appid".into(), json!(application.client_id));
        claims.insert("appidacr".into(), json!(proof.acr()));
        claims.insert("tid".into(), json!(tenant));
        claims.insert(
            "uti".into(),
            json!(BASE64URL.encode(call.request_id.as_bytes())),
        );
        claims.insert("ver".into(), json!("1.0"));
        if asked.handles_challenges {
            claims.insert("xms_cc".into(), json!(["cp1"]));
        }
        Ok(claims)
    }

    fn refresh_token(&self, call: &Call, grant: &UserGrant<'_>) -> anyhow::Result<String> {
        let scope: Vec<&str> = grant
            .scopes
            .reserved
            .iter()
            .chain(&grant.scopes.as_sent)
            .map(String::as_str)
            .collect();
        let token = RefreshToken {
            user: grant.user.id,
            tenant: grant.tenant,
            client: grant.application.client_id,
            scope: scope.join(" "),
            issued: call.now,
            revocations: self.revocations.count(grant.user.id),
        };
        Ok(format!("1.{}", self.seal.close("refresh token", &token)?))
    }

    /// The refresh token again, if it is one of ours, still good, and this client's.
    pub fn open_refresh_token(
        &self,
        call: &Call,
        text: &str,
        application: &Application,
    ) -> Result<RefreshToken, EntraError> {
        let bad = || EntraError {
            suberror: Some("bad_token"),
            ..EntraError::about(70000, &["refresh_token"])
        };
        let token: RefreshToken = text
            .strip_prefix("1.")
            .and_then(|sealed| self.seal.open("refresh token", sealed))
            .ok_or_else(bad)?;
        if token.client != application.client_id {
            return Err(EntraError {
                suberror: Some("client_mismatch"),
                ..bad()
            });
        }
        if token.issued.saturating_add(REFRESH_LIFETIME) < call.now {
            return Err(EntraError::about(700082, &[&iso_date(token.issued)]));
        }
        if token.revocations < self.revocations.count(token.user) {
            return Err(EntraError::new(50173));
        }
        Ok(token)
    }
}

/// What the `claims` parameter asks of the access token.
#[derive(Default)]
struct ClaimsRequest {
    not_before: Option<i64>,
    handles_challenges: bool,
}

impl ClaimsRequest {
    fn read(call: &Call) -> Result<Self, EntraError> {
        let Some(text) = call.form.get("claims") else {
            return Ok(Self::default());
        };
        let claims: Value = serde_json::from_str(text)
            .map_err(|_| EntraError::about(90023, &["The claims parameter is no JSON."]))?;
        let access = claims.get("access_token");
        let not_before = access
            .and_then(|claims| claims.get("nbf")?.get("value"))
            .and_then(|value| value.as_i64().or_else(|| value.as_str()?.parse().ok()));
        let capabilities =
            access.and_then(|claims| claims.get("xms_cc")?.get("values")?.as_array());
        let handles_challenges = capabilities.is_some_and(|values| {
            values.iter().any(|value| {
                value
                    .as_str()
                    .is_some_and(|value| value.eq_ignore_ascii_case("cp1"))
            })
        });
        Ok(Self {
            not_before,
            handles_challenges,
        })
    }
}

/// The claims of an id token.
fn id_claims(call: &Call, grant: &UserGrant<'_>) -> Value {
    let (user, tenant) = (grant.user, grant.tenant);
    let mut claims = Map::new();
    claims.insert("aud".into(), json!(grant.application.client_id));
    claims.insert("iss".into(), json!(format!("{}/{tenant}/v2.0", call.base)));
    claims.insert("iat".into(), json!(call.now));
    claims.insert("nbf".into(), json!(call.now));
    claims.insert("exp".into(), json!(call.now + 3600));
    if grant.scopes.has("email")
        && let Some(mail) = &user.mail
    {
        claims.insert("email".into(), json!(mail));
    }
    claims.insert("name".into(), json!(user.display_name));
    if let Some(nonce) = &grant.nonce {
        claims.insert("nonce".into(), json!(nonce));
    }
    claims.insert("oid".into(), json!(user.id));
    claims.insert("preferred_username".into(), json!(user.sign_in_name()));
    claims.insert(
        "sub".into(),
        json!(pairwise(&grant.application.client_id.to_string(), user.id)),
    );
    claims.insert("tid".into(), json!(tenant));
    claims.insert(
        "uti".into(),
        json!(BASE64URL.encode(call.request_id.as_bytes())),
    );
    claims.insert("ver".into(), json!("2.0"));
    Value::Object(claims)
}

/// The `sub` that a user has for one audience, and for no other.
pub fn pairwise(audience: &str, user: Uuid) -> String {
    BASE64URL.encode(digest(&SHA256, format!("{audience} {user}").as_bytes()))
}

/// The object id of an application's service principal: neither its object id nor its client id.
pub fn service_principal(application: &Application) -> Uuid {
    let hash = digest(&SHA256, application.object_id.as_bytes());
    let mut bytes = [0; 16];
    bytes
        .iter_mut()
        .zip(hash.as_ref())
        .for_each(|(to, from)| *to = *from);
    uuid::Builder::from_random_bytes(bytes).into_uuid()
}
