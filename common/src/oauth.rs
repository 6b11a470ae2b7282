//! Talking to Entra ID with the oauth2 crate: the client, how an answer is judged, and what a refusal says.
//!
//! This is the only file with the generics of oauth2.

use std::{fmt, future::Future, pin::Pin, time::Duration};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use oauth2::{
    AsyncHttpClient, AuthType, ClientId, DeviceAuthorizationUrl, EndpointNotSet, EndpointSet,
    ErrorResponse, ExtraDeviceAuthorizationFields, ExtraTokenFields, HttpRequest, HttpResponse,
    RequestTokenError, StandardRevocableToken, StandardTokenResponse, TokenUrl,
    basic::{
        BasicErrorResponse, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse,
        BasicTokenType,
    },
    http::{
        HeaderValue, Method, StatusCode, Uri,
        header::{CONTENT_TYPE, HeaderMap},
    },
    url::{Url, form_urlencoded},
};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value, json};

use crate::{
    advice,
    config::Config,
    http::{CLIENT_REQUEST_ID, HttpClient, HttpError, is_overload, retry_after},
    text,
};

/// A token endpoint's answer.
pub type TokenResponse = StandardTokenResponse<EntraFields, BasicTokenType>;

/// A device authorization endpoint's answer (RFC 8628 section 3.2), with Entra's `message`.
pub type DeviceAuthorization = oauth2::DeviceAuthorizationResponse<EntraMessage>;

type OAuthClient = oauth2::Client<
    BasicErrorResponse,
    TokenResponse,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    EndpointNotSet,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointSet,
>;

/// The client of one app registration at one authority. It dereferences to [`oauth2::Client`], whose
/// `exchange_…` methods are the grants; their requests are sent with [`EntraClient::http`].
pub struct EntraClient {
    oauth: OAuthClient,
    http: EntraHttp,
}

impl EntraClient {
    /// The client of the app registration that the settings name. It has no secret of its own: a confidential client
    /// adds its [`Credential`](crate::credential::Credential) to each request.
    pub fn new(config: &Config, http: &HttpClient) -> Self {
        let authority = &config.authority;
        let oauth = oauth2::Client::new(ClientId::new(config.client_id.clone()))
            .set_auth_type(AuthType::RequestBody)
            .set_token_uri(TokenUrl::from_url(authority.token_url()))
            .set_device_authorization_url(DeviceAuthorizationUrl::from_url(
                authority.device_authorization_url(),
            ));
        Self {
            oauth,
            http: EntraHttp::new(http),
        }
    }

    /// Asks who keeps the password of a work or school account: Entra ID, or a server of the user's organization
    /// (a federated account).
    ///
    /// # Errors
    /// The question was not answered. It is not asked again.
    pub async fn user_realm(&self, user_name: &str) -> Result<UserRealm, EntraError> {
        let mut url = self.oauth.token_uri().url().clone();
        url.set_path("/common/userrealm");
        if let Ok(mut path) = url.path_segments_mut() {
            path.push(user_name);
        }
        url.set_query(Some("api-version=1.0"));
        let mut request = HttpRequest::new(Vec::new());
        *request.uri_mut() = uri(&url)?;
        let answer = self.http.http.send_once(request).await?;
        serde_json::from_slice(answer.body()).map_err(|_| EntraError::NotOAuth {
            status: answer.status(),
            retry_after: None,
        })
    }

    /// The HTTP client for the requests that oauth2 prepares.
    pub fn http(&self) -> &EntraHttp {
        &self.http
    }

    /// Sends a token request of a grant once, without the retries of [`EntraClient::http`]: for a caller that asks
    /// again at its own pace. The client id is added to `parameters`.
    ///
    /// # Errors
    /// As [`EntraHttp`], and a success that has no access token.
    pub async fn poll_token(
        &self,
        parameters: &[(&str, &str)],
    ) -> Result<TokenResponse, EntraError> {
        let body = form_urlencoded::Serializer::new(String::new())
            .append_pair("client_id", self.oauth.client_id())
            .extend_pairs(parameters)
            .finish();
        let mut request = HttpRequest::new(body.into_bytes());
        *request.method_mut() = Method::POST;
        *request.uri_mut() = uri(self.oauth.token_uri().url())?;
        request.headers_mut().insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/x-www-form-urlencoded"),
        );
        let answer = judge(self.http.http.send_once(request).await?)?;
        serde_json::from_slice(answer.body()).map_err(|_| EntraError::NotOAuth {
            status: answer.status(),
            retry_after: None,
        })
    }
}

fn uri(url: &Url) -> Result<Uri, HttpError> {
    let uri = url.as_str().parse();
    uri.map_err(|error| HttpError::Setup(format!("{url} is no URI: {error}.")))
}

/// Who keeps a user's password.
#[derive(Debug, Deserialize)]
pub struct UserRealm {
    account_type: String,
}

impl UserRealm {
    /// Whether the password is checked elsewhere, so that Entra ID has no use for it.
    pub fn is_federated(&self) -> bool {
        self.account_type.eq_ignore_ascii_case("federated")
    }
}

impl std::ops::Deref for EntraClient {
    type Target = OAuthClient;

    fn deref(&self) -> &OAuthClient {
        &self.oauth
    }
}

/// Sends oauth2's requests and judges Entra's answers, so that only a success is left for oauth2 to read.
///
/// # Errors
/// [`EntraError`]: a refusal, an answer that is no OAuth, or none at all.
pub struct EntraHttp {
    http: HttpClient,
    single_use: bool,
}

impl EntraHttp {
    /// For requests that may be sent again.
    pub fn new(http: &HttpClient) -> Self {
        Self {
            http: http.clone(),
            single_use: false,
        }
    }

    /// For requests that work only once: the redemption of an authorization code.
    pub fn single_use(http: &HttpClient) -> Self {
        Self {
            http: http.clone(),
            single_use: true,
        }
    }
}

impl<'c> AsyncHttpClient<'c> for EntraHttp {
    type Error = EntraError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, EntraError>> + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(async move {
            let answer = match self.single_use {
                true => self.http.send_single_use(request).await,
                false => self.http.send(request).await,
            };
            judge(answer?)
        })
    }
}

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum EntraError {
    /// Entra ID refused, and said why.
    #[error("error: {0}")]
    Refused(Box<Refusal>),
    /// The answer is not Entra's: a proxy's page, a redirect, an outage.
    #[error(
        "The sign-in service answered {status} without OAuth JSON.\n{}",
        advice::for_status(*status)
    )]
    NotOAuth {
        /// The status of the answer.
        status: StatusCode,
        /// What its `Retry-After` header asks for.
        retry_after: Option<Duration>,
    },
    /// No answer arrived.
    #[error(transparent)]
    Http(#[from] HttpError),
}

impl EntraError {
    /// The OAuth `error` of a refusal, for example `invalid_grant`; empty where it was none.
    pub fn error(&self) -> &str {
        match self {
            Self::Refused(refusal) => &refusal.error,
            _ => "",
        }
    }

    /// Whether this says nothing about the request itself: an outage, throttling, a proxy's page, a time-out.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Refused(refusal) => refusal.is_transient(),
            Self::NotOAuth { status, .. } => !status.is_redirection(),
            Self::Http(error) => error.is_transient(),
        }
    }

    /// How long to wait before the next try: as long as the server asks for, else twice as long as before, at most a
    /// minute.
    pub fn back_off(&self, last: Duration) -> Duration {
        let asked = match self {
            Self::Refused(refusal) => refusal.retry_after,
            Self::NotOAuth { retry_after, .. } => *retry_after,
            Self::Http(_) => None,
        };
        asked.unwrap_or_else(|| last.saturating_mul(2).min(Duration::from_secs(60)))
    }
}

/// What oauth2 finds wrong with an answer that was judged to be a success: it lacks what the grant promises.
impl<T: ErrorResponse + 'static> From<RequestTokenError<EntraError, T>> for EntraError {
    fn from(error: RequestTokenError<EntraError, T>) -> Self {
        match error {
            RequestTokenError::Request(error) => error,
            // Neither is shown: the texts of a parser quote what they read, which may be a token.
            RequestTokenError::ServerResponse(_)
            | RequestTokenError::Parse(..)
            | RequestTokenError::Other(_) => Self::NotOAuth {
                status: StatusCode::OK,
                retry_after: None,
            },
        }
    }
}

/// An OAuth error answer (RFC 6749 section 5.2) with what Entra ID adds to it, see
/// [Error codes](https://learn.microsoft.com/entra/identity-platform/reference-error-codes).
#[derive(Debug)]
pub struct Refusal {
    /// The OAuth error name. Programs decide by this alone.
    pub error: String,
    /// Entra's text, for people; it begins with an AADSTS number.
    pub description: String,
    /// The id by which Microsoft's support finds the request.
    pub correlation_id: String,
    /// The AADSTS numbers.
    pub codes: Vec<u32>,
    /// The HTTP status.
    pub status: StatusCode,
    /// What the next sign-in has to answer, where Entra ID says so.
    pub claims: Option<Claims>,
    retry_after: Option<Duration>,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.error)?;
        writeln!(f, "error_description: {}", self.description)?;
        write!(f, "correlation_id: {}", self.correlation_id)?;
        match self.advice() {
            Some(advice) => write!(f, "\n{advice}"),
            None => Ok(()),
        }
    }
}

impl Refusal {
    /// An error that a browser brings back from the authorization endpoint (RFC 6749 section 4.1.2.1).
    pub fn from_redirect(error: &str, description: &str) -> Self {
        let description = text::one_line(description, text::LONGEST);
        Self {
            error: text::one_line(error, text::LONGEST),
            correlation_id: word_after(&description, "Correlation ID: ").unwrap_or_default(),
            codes: codes_in(&description),
            description,
            status: StatusCode::BAD_REQUEST,
            claims: None,
            retry_after: None,
        }
    }

    /// Whether it says that the server is busy, and nothing about the request.
    pub fn is_transient(&self) -> bool {
        is_overload(self.status)
    }

    /// What to do about it, if anything is known.
    pub fn advice(&self) -> Option<String> {
        advice::for_refusal(&self.error, &self.codes)
    }

    fn read(json: &Map<String, Value>, status: StatusCode, headers: &HeaderMap) -> Option<Self> {
        let field = |name: &str| {
            let text = json.get(name).and_then(Value::as_str)?;
            Some(text::one_line(text, text::LONGEST))
        };
        let error = field("error")?;
        let description = field("error_description").unwrap_or_default();
        let correlation_id = field("correlation_id")
            .filter(|id| !id.is_empty())
            .or_else(|| word_after(&description, "Correlation ID: "))
            .or_else(|| {
                let id = headers.get(CLIENT_REQUEST_ID)?.to_str().ok()?;
                Some(text::one_line(id, 100))
            })
            .unwrap_or_default();
        let listed = json.get("error_codes").and_then(Value::as_array);
        let mut codes: Vec<u32> = listed
            .into_iter()
            .flatten()
            .filter_map(|code| u32::try_from(code.as_u64()?).ok())
            .collect();
        if codes.is_empty() {
            codes = codes_in(&description);
        }
        Some(Self {
            error,
            description,
            correlation_id,
            codes,
            status,
            claims: json
                .get("claims")
                .and_then(|claims| Claims::parse(claims.as_str()?.as_bytes())),
            retry_after: retry_after(headers),
        })
    }
}

/// The AADSTS number that a description begins with.
fn codes_in(description: &str) -> Vec<u32> {
    let code = word_after(description, "AADSTS");
    let code = code.and_then(|code| code.trim_end_matches(':').parse().ok());
    code.into_iter().collect()
}

fn word_after(text: &str, label: &str) -> Option<String> {
    let (_, rest) = text.split_once(label)?;
    rest.split_whitespace().next().map(str::to_owned)
}

/// `error` at any status is a refusal. A success is JSON without it, whose numbers are made numbers where they came
/// as strings, as some of Entra's older endpoints send them.
pub(crate) fn judge(answer: HttpResponse) -> Result<HttpResponse, EntraError> {
    let (status, headers) = (answer.status(), answer.headers());
    let json = serde_json::from_slice::<Map<String, Value>>(answer.body()).ok();
    let refusal = json
        .as_ref()
        .and_then(|json| Refusal::read(json, status, headers));
    match (refusal, json) {
        (Some(refusal), _) => Err(EntraError::Refused(Box::new(refusal))),
        (None, Some(mut json)) if status.is_success() => {
            for name in ["expires_in", "interval"] {
                if let Some(value) = json.get_mut(name)
                    && let Some(number) = value.as_str().and_then(|text| text.parse::<u64>().ok())
                {
                    *value = number.into();
                }
            }
            Ok(HttpResponse::new(
                Value::Object(json).to_string().into_bytes(),
            ))
        }
        _ => Err(EntraError::NotOAuth {
            status,
            retry_after: retry_after(headers),
        }),
    }
}

/// What Entra ID adds to a token answer. Only who signed in is kept.
#[derive(Debug, Default, Deserialize, Serialize)]
pub struct EntraFields {
    #[serde(default, rename = "id_token", deserialize_with = "claims_of")]
    claims: Option<IdClaims>,
}

impl ExtraTokenFields for EntraFields {}

impl EntraFields {
    /// The user who signed in; none for an app's own token.
    pub fn user(&self) -> Option<User> {
        let claims = self.claims.as_ref()?;
        // A user name can change hands, so it is for people; the key is what never changes.
        let id = match (&claims.oid, &claims.tid) {
            (Some(oid), Some(tid)) => format!("{oid}.{tid}"),
            _ => format!("{} {}", claims.iss.as_deref()?, claims.sub.as_deref()?),
        };
        let name = claims.preferred_username.as_deref().unwrap_or(&id);
        Some(User {
            name: text::one_line(name, 256),
            id,
        })
    }
}

/// A user, as the ID token names them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Object id and tenant id, or issuer and subject.
    pub id: String,
    /// The name to show and to choose by, for example `alice@contoso.com`.
    pub name: String,
}

#[derive(Debug, Deserialize, Serialize)]
struct IdClaims {
    iss: Option<String>,
    sub: Option<String>,
    oid: Option<String>,
    tid: Option<String>,
    preferred_username: Option<String>,
}

/// The claims of an ID token that came straight from the token endpoint. TLS vouches for it (OpenID Connect Core
/// 3.1.3.7, point 6), and here it only labels a cache entry, so that its signature is left alone; a web app that
/// lets people in by an ID token checks it in full.
fn claims_of<'de, D: Deserializer<'de>>(token: D) -> Result<Option<IdClaims>, D::Error> {
    let token = Value::deserialize(token)?;
    let claims = || {
        let payload = token.as_str()?.split('.').nth(1)?;
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()
    };
    Ok(claims())
}

/// What Entra ID adds to a device authorization answer.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct EntraMessage {
    /// The instructions for the user, in Entra's own words.
    pub message: Option<String>,
}

impl ExtraDeviceAuthorizationFields for EntraMessage {}

/// The `claims` parameter of a token request, see
/// [Claims challenges](https://learn.microsoft.com/entra/identity-platform/claims-challenge). It always has `cp1`,
/// which says that this client can answer a challenge of continuous access evaluation, and for which tokens live
/// longer; and it has what Graph asks for, once Graph has asked.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Claims(Option<Map<String, Value>>);

impl Claims {
    /// Reads the JSON of a challenge; none where it asks nothing of an access token.
    pub fn parse(challenge: &[u8]) -> Option<Self> {
        let claims: Map<String, Value> = serde_json::from_slice(challenge).ok()?;
        claims.get("access_token")?.as_object()?;
        Some(Self(Some(claims)))
    }

    /// Whether they answer a challenge, which no cached token does.
    pub fn answer_challenge(&self) -> bool {
        self.0.is_some()
    }
}

impl fmt::Display for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut claims = self.0.clone().unwrap_or_default();
        let access_token = claims.entry("access_token").or_insert_with(|| json!({}));
        if let Some(access_token) = access_token.as_object_mut() {
            access_token.insert("xms_cc".into(), json!({ "values": ["cp1"] }));
        }
        Value::Object(claims).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> HttpResponse {
        let mut answer = HttpResponse::new(body.as_bytes().to_vec());
        *answer.status_mut() = StatusCode::from_u16(status).unwrap();
        answer
    }

    #[test]
    fn a_refusal_is_one_at_any_status() {
        for status in [200, 400, 401, 503] {
            let body = r#"{"error":"invalid_grant","error_description":"AADSTS50173: gone.\r\nTrace ID: 1\r\nCorrelation ID: 2\r\nTimestamp: 3"}"#;
            let Err(EntraError::Refused(refusal)) = judge(answer(status, body)) else {
                panic!("{status}")
            };
            assert_eq!(refusal.codes, [50173]);
            assert_eq!(refusal.correlation_id, "2");
            assert_eq!(refusal.to_string().lines().count(), 4, "{refusal}");
            assert!(
                EntraError::Refused(refusal)
                    .to_string()
                    .starts_with("error: invalid_grant\n")
            );
        }
    }

    #[test]
    fn no_oauth() {
        for (status, body) in [
            (200, "<html>"),
            (503, ""),
            (307, "{}"),
            (200, "[]"),
            (400, "{\"error\":5}"),
        ] {
            assert!(
                matches!(
                    judge(answer(status, body)),
                    Err(EntraError::NotOAuth { .. })
                ),
                "{status} {body}"
            );
        }
    }

    #[test]
    fn numbers_may_be_strings() {
        let answer = judge(answer(
            200,
            r#"{"access_token":"a","token_type":"Bearer","expires_in":"3599"}"#,
        ))
        .unwrap();
        let token: TokenResponse = serde_json::from_slice(answer.body()).unwrap();
        assert_eq!(
            oauth2::TokenResponse::expires_in(&token),
            Some(Duration::from_secs(3599))
        );
    }

    #[test]
    fn a_challenge_is_merged_with_cp1() {
        let claims = r#"{"access_token":{"nbf":{"essential":true,"value":"1"}}}"#;
        assert_eq!(
            Claims::parse(claims.as_bytes()).unwrap().to_string(),
            r#"{"access_token":{"nbf":{"essential":true,"value":"1"},"xms_cc":{"values":["cp1"]}}}"#
        );
        assert_eq!(
            Claims::default().to_string(),
            r#"{"access_token":{"xms_cc":{"values":["cp1"]}}}"#
        );
        for nothing in ["", "[]", "{}", r#"{"access_token":1}"#] {
            assert_eq!(Claims::parse(nothing.as_bytes()), None, "{nothing}");
        }
    }
}
