//! What a successful token request is answered with: access, id and refresh tokens.

mod other_providers;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD as BASE64URL};
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::call::Call;
use crate::clock::iso_date;
use crate::directory::{Application, TenantKind, User};
use crate::errors::EntraError;
use crate::id_token::{Companions, pairwise};
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
    /// What the browser has left for the tokens.
    pub browser: BrowserSignIn,
}

/// What a sign-in in a browser leaves for the tokens.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct BrowserSignIn {
    /// The nonce of the authorization request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<String>,
    /// The browser session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<Uuid>,
    /// When the user has proved who they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_time: Option<i64>,
    /// Whether the application wants to know that.
    #[serde(default)]
    pub wants_auth_time: bool,
    /// The user flow of a B2C tenant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flow: Option<String>,
    /// The name that the user has typed in the flow that edits profiles.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The `claims` of the authorization request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claims: Option<String>,
    /// When the refresh tokens of a single-page application end; using them does not extend that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub single_page_until: Option<i64>,
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
    /// What the browser has left for the tokens, but for the nonce.
    #[serde(default)]
    pub browser: BrowserSignIn,
}

impl Service {
    /// The answer to a user's grant.
    pub fn user_answer(&self, call: &Call, grant: &UserGrant<'_>) -> Result<Value, EntraError> {
        let tenant = self.directory.tenant(&grant.tenant.to_string());
        match tenant.map(|tenant| (tenant, tenant.kind)) {
            Some((tenant, TenantKind::B2c)) => return self.b2c_answer(call, grant, tenant),
            Some((tenant, TenantKind::OpenId)) => return self.plain_answer(call, grant, tenant),
            _ => {}
        }
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
        let was_granted = |word: &&str| {
            grant.scopes.is_default()
                || granted
                    .iter()
                    .any(|name| Some(name.as_str()) == word.rsplit('/').next())
        };
        scope.extend(
            grant
                .scopes
                .as_sent
                .iter()
                .map(String::as_str)
                .filter(was_granted),
        );
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
            grant.browser.claims.as_deref(),
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
            if let Some(end) = grant.browser.single_page_until {
                answer.insert("refresh_token_expires_in".into(), json!(end - call.now));
            }
        }
        if grant.scopes.has("openid") {
            answer.insert(
                "id_token".into(),
                json!(self.id_token(call, grant, Companions::default())?),
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
        let mut claims = self.access_claims(call, resource, tenant, application, proof, None)?;
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
        claims_of_browser: Option<&str>,
    ) -> Result<Map<String, Value>, EntraError> {
        let asked = ClaimsRequest::read(call.form.get("claims").or(claims_of_browser))?;
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

    /// A refresh token for the same again.
    pub fn refresh_token(&self, call: &Call, grant: &UserGrant<'_>) -> anyhow::Result<String> {
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
            browser: BrowserSignIn {
                nonce: None, // answers one request only
                claims: None,
                ..grant.browser.clone()
            },
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
    fn read(text: Option<&str>) -> Result<Self, EntraError> {
        let Some(text) = text else {
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
