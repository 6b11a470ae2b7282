//! The OpenID provider: its metadata and keys, each fetched when first needed, and the requests to its token endpoint.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use common::{
    authority::{Authority, Kind, secure_url},
    credential::{Credential, CredentialError},
    http::HttpClient,
    oauth::{Claims, EntraError, EntraHttp},
};
use oauth2::{
    AsyncHttpClient, AuthType, AuthUrl, AuthorizationCode, ClientId, CsrfToken, EndpointNotSet,
    EndpointSet, ExtraTokenFields, HttpRequest, HttpResponse, PkceCodeChallenge, PkceCodeVerifier,
    RedirectUrl, RefreshToken, Scope, StandardRevocableToken, StandardTokenResponse, TokenUrl,
    basic::{
        BasicErrorResponse, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse,
        BasicTokenType,
    },
    url::Url,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    config::{AppConfig, RedirectUri, Tenant},
    error::AppError,
    id_token::{self, Expected, Identity, Key},
};

/// Keys and metadata are asked for anew after this time; until it succeeds, the old ones stay good.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// After keys were fetched because of an unknown `kid`, the next such fetch waits this long. So does one that failed.
const REFETCH: Duration = Duration::from_secs(5 * 60);
/// How long a fetch may take where there is something older to go on with.
const REFETCH_PATIENCE: Duration = Duration::from_secs(10);

/// A token answer with its ID token.
pub type TokenResponse = StandardTokenResponse<IdTokenField, BasicTokenType>;

/// The field that OpenID Connect adds.
#[derive(Debug, Deserialize, Serialize)]
pub struct IdTokenField {
    id_token: Option<oauth2::AccessToken>,
}

impl ExtraTokenFields for IdTokenField {}

impl IdTokenField {
    /// The token as it was sent.
    pub fn id_token(&self) -> Option<&str> {
        self.id_token.as_ref().map(|token| token.secret().as_str())
    }
}

type Client = oauth2::Client<
    BasicErrorResponse,
    TokenResponse,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointSet,
>;

/// Where the provider does what (OpenID Connect Discovery 1.0).
#[derive(Debug, Deserialize)]
pub struct Metadata {
    pub issuer: String,
    authorization_endpoint: Url,
    token_endpoint: Url,
    jwks_uri: Url,
    pub end_session_endpoint: Option<Url>,
}

/// A sign-in about to begin: where the browser goes, and what has to come back.
pub struct Begun {
    pub url: Url,
    pub state: String,
    pub nonce: String,
    pub verifier: PkceCodeVerifier,
}

/// The provider of one app registration.
pub struct Provider {
    http: HttpClient,
    client_id: String,
    credential: Credential,
    redirect_uri: String,
    tenant: Tenant,
    /// Each with the time at which it is asked for anew.
    metadata: Mutex<HashMap<String, (Arc<Metadata>, Instant)>>,
    keys: tokio::sync::Mutex<HashMap<Url, KeySet>>,
}

#[derive(Clone)]
struct KeySet {
    keys: Arc<Vec<Key>>,
    fetched: Instant,
    refetched: Option<Instant>,
}

impl Provider {
    pub fn new(app: AppConfig, redirect_uri: &RedirectUri, http: &HttpClient) -> Self {
        Self {
            http: http.clone(),
            client_id: app.client_id,
            credential: app.credential,
            redirect_uri: redirect_uri.text.clone(),
            tenant: app.tenant,
            metadata: Mutex::default(),
            keys: tokio::sync::Mutex::default(),
        }
    }

    /// The user flows of a B2C tenant.
    pub fn user_flows(&self) -> Option<&crate::config::UserFlows> {
        match &self.tenant {
            Tenant::B2c(flows) => Some(flows),
            _ => None,
        }
    }

    /// The metadata of a user flow (B2C), or of the tenant.
    pub async fn metadata(&self, user_flow: Option<&str>) -> Result<Arc<Metadata>, AppError> {
        let base = match &self.tenant {
            Tenant::Entra(authority) => format!("{authority}/v2.0"),
            Tenant::Oidc(issuer) => issuer.as_str().trim_end_matches('/').to_owned(),
            Tenant::B2c(flows) => {
                format!(
                    "{}/{}/v2.0",
                    flows.tenant,
                    user_flow.unwrap_or(&flows.sign_in)
                )
            }
        };
        let known = {
            let known = self.metadata.lock().unwrap_or_else(PoisonError::into_inner);
            known.get(&base).cloned()
        };
        if let Some((metadata, due)) = &known
            && Instant::now() < *due
        {
            return Ok(metadata.clone());
        }
        let address = format!("{base}/.well-known/openid-configuration");
        let fetched = self.fetch::<Metadata>(&address, known.is_some());
        let fetched = fetched.await.and_then(|metadata| {
            self.check(&metadata)
                .map_err(|problem| AppError::provider(&address, problem))?;
            Ok(Arc::new(metadata))
        });
        let (metadata, lifetime) = match (fetched, known) {
            (Ok(metadata), _) => (metadata, DAY),
            (Err(_), Some((old, _))) => (old, REFETCH),
            (Err(error), None) => return Err(error),
        };
        let mut known = self.metadata.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(base, (metadata.clone(), Instant::now() + lifetime));
        Ok(metadata)
    }

    /// The issuer must be the one that was asked for, and no endpoint may be somebody else's.
    fn check(&self, metadata: &Metadata) -> Result<(), &'static str> {
        let endpoints = [
            &metadata.authorization_endpoint,
            &metadata.token_endpoint,
            &metadata.jwks_uri,
        ];
        let ends = metadata.end_session_endpoint.iter();
        if endpoints
            .into_iter()
            .chain(ends)
            .any(|url| secure_url(url.as_str()).is_err())
        {
            return Err("names an endpoint that is not https");
        }
        let own = match &self.tenant {
            Tenant::Entra(authority) => {
                is_issuer_of(&metadata.issuer, authority)
                    && metadata.token_endpoint.origin().ascii_serialization() == authority.origin()
            }
            Tenant::Oidc(issuer) => {
                metadata.issuer.trim_end_matches('/') == issuer.as_str().trim_end_matches('/')
            }
            // The issuer names the tenant by its GUID, with or without the user flow.
            Tenant::B2c(flows) => {
                let issuer = secure_url(&metadata.issuer).ok();
                let own = flows.tenant.origin();
                issuer.is_some_and(|issuer| issuer.origin() == own)
                    && metadata.token_endpoint.origin() == own
            }
        };
        if own {
            Ok(())
        } else {
            Err("is of another issuer")
        }
    }

    /// Whether `tid` has to be in an ID token.
    fn has_tenants(&self) -> bool {
        matches!(self.tenant, Tenant::Entra(_))
    }

    /// Asks for a document of the provider. Where an older one is known, nobody waits long for the new one.
    async fn fetch<T: serde::de::DeserializeOwned>(
        &self,
        address: &str,
        is_known: bool,
    ) -> Result<T, AppError> {
        let unreachable = |problem: &str| AppError::provider(address, problem);
        let mut request = HttpRequest::new(Vec::new());
        *request.uri_mut() = address.parse().map_err(|_| unreachable("is no URL"))?;
        let patience = if is_known {
            REFETCH_PATIENCE
        } else {
            Duration::MAX
        };
        let answer = tokio::time::timeout(patience, self.http.send(request))
            .await
            .map_err(|_| unreachable("did not answer in time"))?
            .map_err(|error| unreachable(&error.to_string()))?;
        if !answer.status().is_success() {
            return Err(unreachable(&format!("answered {}", answer.status())));
        }
        serde_json::from_slice(answer.body())
            .map_err(|_| unreachable("did not answer with the JSON of OpenID Connect"))
    }

    /// A sign-in for these scopes, to be sent to the provider (RFC 6749 section 4.1.1, with PKCE and a nonce).
    pub async fn begin(
        &self,
        user_flow: Option<&str>,
        scopes: &[String],
        claims: Option<&Claims>,
    ) -> Result<Begun, AppError> {
        let metadata = self.metadata(user_flow).await?;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let nonce = CsrfToken::new_random().into_secret();
        let client = self.client(&metadata)?;
        let mut request = client
            .authorize_url(CsrfToken::new_random)
            .add_scopes(all_scopes(scopes))
            .set_pkce_challenge(challenge)
            .add_extra_param("nonce", &nonce);
        if let Some(claims) = claims {
            request = request.add_extra_param("claims", claims.to_string());
        }
        let (url, state) = request.url();
        Ok(Begun {
            url,
            state: state.into_secret(),
            nonce,
            verifier,
        })
    }

    /// Redeems an authorization code (RFC 6749 section 4.1.3).
    pub async fn redeem(
        &self,
        user_flow: Option<&str>,
        code: String,
        verifier: PkceCodeVerifier,
    ) -> Result<TokenResponse, AppError> {
        let metadata = self.metadata(user_flow).await?;
        let client = self.client(&metadata)?;
        let mut request = client
            .exchange_code(AuthorizationCode::new(code))
            .set_pkce_verifier(verifier);
        for (name, value) in self.prove(&metadata)? {
            request = request.add_extra_param(name, value);
        }
        let http = EntraHttp::single_use(&self.http);
        let answer = request
            .request_async(&|request| self.send(&http, request))
            .await;
        answer.map_err(|error| AppError::from(EntraError::from(error)))
    }

    /// Asks for new tokens for a refresh token (RFC 6749 section 6).
    pub async fn refresh(
        &self,
        user_flow: Option<&str>,
        refresh_token: &RefreshToken,
        scopes: &[String],
        claims: Option<&Claims>,
    ) -> Result<TokenResponse, AppError> {
        let metadata = self.metadata(user_flow).await?;
        let client = self.client(&metadata)?;
        let mut request = client
            .exchange_refresh_token(refresh_token)
            .add_scopes(all_scopes(scopes));
        if let Some(claims) = claims {
            request = request.add_extra_param("claims", claims.to_string());
        }
        for (name, value) in self.prove(&metadata)? {
            request = request.add_extra_param(name, value);
        }
        let http = EntraHttp::new(&self.http);
        let answer = request
            .request_async(&|request| self.send(&http, request))
            .await;
        answer.map_err(|error| AppError::from(EntraError::from(error)))
    }

    /// B2C gives no access token to who asks for no API's scope, and oauth2 cannot do without: an empty one takes its
    /// place.
    async fn send(
        &self,
        http: &EntraHttp,
        request: HttpRequest,
    ) -> Result<HttpResponse, EntraError> {
        let mut answer = http.call(request).await?;
        if matches!(self.tenant, Tenant::B2c(_))
            && let Ok(mut json) = serde_json::from_slice::<Map<String, Value>>(answer.body())
        {
            json.entry("access_token").or_insert("".into());
            *answer.body_mut() = Value::Object(json).to_string().into_bytes();
        }
        Ok(answer)
    }

    fn client(&self, metadata: &Metadata) -> Result<Client, AppError> {
        let redirect_uri = RedirectUrl::new(self.redirect_uri.clone())
            .map_err(|error| AppError::Internal(format!("REDIRECT_URI: {error}")))?;
        Ok(oauth2::Client::new(ClientId::new(self.client_id.clone()))
            .set_auth_type(AuthType::RequestBody)
            .set_auth_uri(AuthUrl::from_url(metadata.authorization_endpoint.clone()))
            .set_token_uri(TokenUrl::from_url(metadata.token_endpoint.clone()))
            .set_redirect_uri(redirect_uri))
    }

    fn prove(&self, metadata: &Metadata) -> Result<Vec<(&'static str, String)>, AppError> {
        let proof = self
            .credential
            .prove(&self.client_id, &metadata.token_endpoint);
        proof.map_err(|error: CredentialError| AppError::Internal(error.to_string()))
    }

    /// Checks the ID token of an answer. A key that is not known is looked for once more.
    pub async fn identify(
        &self,
        user_flow: Option<&str>,
        answer: &TokenResponse,
        nonce: Option<&str>,
    ) -> Result<Identity, AppError> {
        use oauth2::TokenResponse as _;
        let refused = AppError::IdToken;
        let token = answer
            .extra_fields()
            .id_token()
            .ok_or(refused("it is missing"))?;
        let kid = id_token::key_id(token).map_err(refused)?;
        let metadata = self.metadata(user_flow).await?;
        let key = self.key(&metadata.jwks_uri, &kid).await?;
        let key = key.ok_or(refused("the key that it names (kid) is not the provider's"))?;
        let expected = Expected {
            issuer: &metadata.issuer,
            client_id: &self.client_id,
            nonce,
            tenant: self.has_tenants(),
            access_token: answer.access_token().secret(),
            now: now(),
        };
        id_token::validate(token, &key, expected).map_err(refused)
    }

    async fn key(&self, jwks_uri: &Url, kid: &str) -> Result<Option<Key>, AppError> {
        #[derive(Deserialize)]
        struct Keys {
            keys: Vec<serde_json::Value>,
        }
        // Held while fetching, so that many sign-ins at once fetch the keys once.
        let mut sets = self.keys.lock().await;
        let find = |set: &KeySet| {
            set.keys
                .iter()
                .find(|key| key.kid.as_deref() == Some(kid))
                .cloned()
        };
        let known = sets.get(jwks_uri).cloned();
        let found = known.as_ref().and_then(find);
        let is_young = |since: Instant, age: Duration| since.elapsed() < age;
        if let Some(set) = &known {
            let may_refetch = !set.refetched.is_some_and(|last| is_young(last, REFETCH));
            let wanted = if found.is_some() {
                !is_young(set.fetched, DAY)
            } else {
                true
            };
            if !wanted || !may_refetch {
                return Ok(found);
            }
        }
        // A key of a kind that is not known here does not spoil the others, but without any it is no set of keys.
        let fetched = self.fetch::<Keys>(jwks_uri.as_str(), known.is_some());
        let fetched = fetched.await.and_then(|set| {
            let keys: Vec<Key> = set
                .keys
                .into_iter()
                .filter_map(|key| serde_json::from_value(key).ok())
                .collect();
            match keys.is_empty() {
                true => Err(AppError::provider(jwks_uri.as_str(), "has no keys")),
                false => Ok(keys),
            }
        });
        match fetched {
            Ok(keys) => {
                let set = KeySet {
                    keys: Arc::new(keys),
                    fetched: Instant::now(),
                    refetched: known.is_some().then(Instant::now),
                };
                let found = find(&set);
                sets.insert(jwks_uri.clone(), set);
                Ok(found)
            }
            Err(_) if known.is_some() => {
                if let Some(set) = sets.get_mut(jwks_uri) {
                    set.refetched = Some(Instant::now());
                }
                Ok(found)
            }
            Err(error) => Err(error),
        }
    }
}

/// The API's scopes, and those with which the provider says who signed in and gives a refresh token.
fn all_scopes(scopes: &[String]) -> impl Iterator<Item = Scope> {
    let reserved = ["openid", "profile", "offline_access"].map(str::to_owned);
    let missing = reserved
        .into_iter()
        .filter(|reserved| !scopes.contains(reserved));
    missing.chain(scopes.iter().cloned()).map(Scope::new)
}

/// Whether metadata's issuer belongs to an authority. Entra ID names the tenant by its GUID, or by `{tenantid}` where
/// it may be anybody's; External ID has it in the host as well.
fn is_issuer_of(issuer: &str, authority: &Authority) -> bool {
    let Some(rest) = issuer.strip_suffix("/v2.0") else {
        return false;
    };
    let Some((origin, tenant)) = rest.rsplit_once('/') else {
        return false;
    };
    let is_own_origin = origin == authority.origin();
    match authority.kind() {
        Kind::Common | Kind::Organizations => is_own_origin && tenant == "{tenantid}",
        Kind::Tenant(name) if id_token::is_guid(name) => {
            is_own_origin && tenant.eq_ignore_ascii_case(name)
        }
        Kind::ExternalId(_) => {
            id_token::is_guid(tenant) && origin == format!("https://{tenant}.ciamlogin.com")
        }
        _ => is_own_origin && id_token::is_guid(tenant),
    }
}

/// Seconds since 1970.
pub fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}
