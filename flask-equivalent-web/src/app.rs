//! What all requests share, and the silent way to a token: from the session, else by its refresh token.

use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, http::header::LOCATION};
use common::{graph::GraphClient, http::HttpClient, oauth::Claims};
use oauth2::TokenResponse as _;
use oauth2::url::Url;
use tokio::sync::{Mutex, MutexGuard};

use crate::{
    config::{AppConfig, RedirectUri},
    error::AppError,
    guard::Front,
    id_token::Identity,
    provider::{Provider, TokenResponse, now},
    session::{ApiToken, Cookies, Session, SessionId, SignIn},
    store::{Store, StoreError},
};

/// Sessions that share a lock wait for each other while one of them is renewed, which is rare and harmless.
const LOCKS: usize = 1024;
/// How often a lock of another instance is asked for, and the pause in between.
const LOCK_TRIES: u32 = 400;
const LOCK_PAUSE: Duration = Duration::from_millis(100);

/// The app, as far as its registration is complete.
pub struct App {
    pub provider: Provider,
    pub graph: GraphClient,
    pub store: Store,
    pub cookies: Cookies,
    pub redirect_uri: RedirectUri,
    pub scopes: Vec<String>,
    pub endpoint: Option<Url>,
    locks: Vec<Mutex<()>>,
}

impl From<StoreError> for AppError {
    fn from(error: StoreError) -> Self {
        Self::Store(error.to_string())
    }
}

impl App {
    /// The app of a registration, with its sessions.
    pub async fn new(config: AppConfig, front: Front, store: Store) -> Result<Self, StoreError> {
        let http = HttpClient::default();
        let redirect_uri = front.redirect_uri.clone();
        let cookies = Cookies::new(&store.secret().await?, front)
            .ok_or_else(|| StoreError::Failed("the app's secret is damaged".into()))?;
        Ok(Self {
            graph: GraphClient::new(&http),
            scopes: config.scopes.clone(),
            endpoint: config.endpoint.clone(),
            provider: Provider::new(config, &redirect_uri, &http),
            store,
            cookies,
            redirect_uri,
            locks: (0..LOCKS).map(|_| Mutex::new(())).collect(),
        })
    }

    /// The session of a browser whose user is known for sure: the ID token has not ended, or was renewed.
    pub async fn session(
        &self,
        request: &HttpRequest,
    ) -> Result<Option<(SessionId, Session)>, AppError> {
        let Some(id) = self.cookies.session(request) else {
            return Ok(None);
        };
        let session = match self.load(&id).await? {
            Some(session) if session.id_expires_at <= now() => {
                self.renew(&id, &[], &mut None, |session| {
                    session.id_expires_at <= now()
                })
                .await?
            }
            session => session,
        };
        Ok(session.map(|session| (id, session)))
    }

    async fn load(&self, id: &SessionId) -> Result<Option<Session>, AppError> {
        let stored = self.store.get(&id.key()).await?;
        Ok(stored.and_then(|json| serde_json::from_slice(&json).ok()))
    }

    /// The session with a token for SCOPE. None: the user has to sign in for it, with `claims` that the provider may have
    /// asked for.
    pub async fn with_api_token(
        &self,
        id: &SessionId,
        session: Session,
        claims: &mut Option<Claims>,
    ) -> Result<Option<ApiToken>, AppError> {
        let is_challenged = claims.is_some();
        let refused = session.api.as_ref().map(|api| api.obtained_at);
        let needs_token = |session: &Session| match &session.api {
            // Another request may have answered the challenge in the meantime.
            Some(api) if is_challenged => {
                Some(api.obtained_at) == refused && !api.answers_challenge
            }
            Some(api) => !api.is_fresh(),
            None => true,
        };
        let session = match needs_token(&session) {
            true => self.renew(id, &self.scopes, claims, needs_token).await?,
            false => Some(session),
        };
        Ok(session.and_then(|session| session.api))
    }

    /// Uses the refresh token, unless another request has just done so. None: the user has to sign in.
    async fn renew(
        &self,
        id: &SessionId,
        scopes: &[String],
        claims: &mut Option<Claims>,
        is_needed: impl Fn(&Session) -> bool,
    ) -> Result<Option<Session>, AppError> {
        let key = id.key();
        let _here = self.lock(&key).await;
        let holder = SessionId::new().key();
        for _ in 0..LOCK_TRIES {
            if self.store.try_lock(&key, &holder).await? {
                let renewed = self.renew_locked(id, scopes, claims, is_needed).await;
                self.store.unlock(&key, &holder).await?;
                return renewed;
            }
            tokio::time::sleep(LOCK_PAUSE).await;
        }
        Err(AppError::Store(
            "a session stayed locked by another instance".into(),
        ))
    }

    async fn renew_locked(
        &self,
        id: &SessionId,
        scopes: &[String],
        claims: &mut Option<Claims>,
        is_needed: impl Fn(&Session) -> bool,
    ) -> Result<Option<Session>, AppError> {
        let Some(mut session) = self.load(id).await? else {
            return Ok(None);
        };
        if !is_needed(&session) {
            return Ok(Some(session));
        }
        let Some(refresh_token) = session.refresh_token.clone() else {
            return Ok(None);
        };
        let user_flow = session.user_flow.clone();
        let answer = match self
            .provider
            .refresh(
                user_flow.as_deref(),
                &refresh_token,
                scopes,
                claims.as_ref(),
            )
            .await
        {
            Ok(answer) => answer,
            Err(AppError::Refused(refusal)) => {
                tracing::info!(
                    error = refusal.error,
                    correlation_id = refusal.correlation_id,
                    "a session could not be renewed"
                );
                if let Some(asked) = refusal.claims {
                    *claims = Some(asked);
                }
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        // OpenID Connect Core 12.2: an ID token may be missing here, but must not be of somebody else.
        if answer.extra_fields().id_token().is_some() {
            let identity = self
                .provider
                .identify(user_flow.as_deref(), &answer, None)
                .await;
            match identity {
                Ok(identity) if (&identity.iss, &identity.sub) == (&session.iss, &session.sub) => {
                    session.id_expires_at = identity.exp;
                }
                Ok(_) => {
                    tracing::warn!("a renewed ID token is of another user");
                    return Ok(None);
                }
                Err(error) => {
                    tracing::warn!(%error, "a renewed ID token was refused");
                    return Ok(None);
                }
            }
        }
        if session.id_expires_at <= now() {
            return Ok(None);
        }
        session.refresh_token = answer.refresh_token().cloned().or(session.refresh_token);
        if !scopes.is_empty() {
            session.api = Some(self.api_token(&answer, claims.is_some()));
        }
        // Gone in the meantime means signed out: then it stays gone.
        let kept = self.store.replace(&id.key(), to_json(&session)?).await?;
        Ok(kept.then_some(session))
    }

    /// Keeps a new sign-in in a session with a new id, and forgets the one that the browser had.
    pub async fn start_session(
        &self,
        request: &HttpRequest,
        identity: Identity,
        answer: &TokenResponse,
        sign_in: &SignIn,
    ) -> Result<SessionId, AppError> {
        let session = Session {
            iss: identity.iss,
            sub: identity.sub,
            name: identity.name,
            id_expires_at: identity.exp,
            user_flow: sign_in.user_flow.clone(),
            refresh_token: answer.refresh_token().cloned(),
            api: sign_in
                .for_api
                .then(|| self.api_token(answer, sign_in.answers_challenge)),
        };
        let id = SessionId::new();
        self.store.insert(&id.key(), to_json(&session)?).await?;
        if let Some(old) = self.cookies.session(request) {
            self.store.remove(&old.key()).await?;
        }
        Ok(id)
    }

    fn api_token(&self, answer: &TokenResponse, answers_challenge: bool) -> ApiToken {
        let now = now();
        // Without a list, all that was asked for was granted (RFC 6749 section 5.1).
        let granted = answer.scopes();
        let ungranted = self.scopes.iter().filter(|wanted| {
            granted.is_some_and(|granted| !granted.iter().any(|scope| is_same_scope(scope, wanted)))
        });
        ApiToken {
            token: answer.access_token().clone(),
            obtained_at: now,
            expires_at: now.saturating_add(answer.expires_in().unwrap_or_default().as_secs()),
            ungranted: ungranted.cloned().collect(),
            answers_challenge,
        }
    }

    /// Sends the browser to the provider, to come back to `return_to`.
    pub async fn begin_sign_in(
        &self,
        request: &HttpRequest,
        user_flow: Option<&str>,
        for_api: bool,
        claims: Option<&Claims>,
        return_to: String,
    ) -> Result<HttpResponse, AppError> {
        let scopes = if for_api { self.scopes.as_slice() } else { &[] };
        let begun = self.provider.begin(user_flow, scopes, claims).await?;
        let sign_in = SignIn {
            state: begun.state,
            nonce: begun.nonce,
            verifier: begun.verifier.into_secret(),
            user_flow: user_flow.map(str::to_owned),
            for_api,
            answers_challenge: claims.is_some(),
            return_to,
            began_at: now(),
        };
        let cookies = self.cookies.set_sign_in(request, &sign_in);
        let cookies =
            cookies.ok_or_else(|| AppError::Internal("a sign-in could not be sealed".into()))?;
        let mut response = HttpResponse::Found();
        for cookie in cookies {
            response.cookie(cookie);
        }
        Ok(response
            .insert_header((LOCATION, begun.url.as_str()))
            .finish())
    }

    async fn lock(&self, key: &str) -> Option<MutexGuard<'_, ()>> {
        let hash = key.bytes().fold(0_usize, |hash, byte| {
            hash.wrapping_mul(31).wrapping_add(byte.into())
        });
        match self.locks.get(hash % LOCKS) {
            Some(lock) => Some(lock.lock().await),
            None => None,
        }
    }
}

fn to_json(session: &Session) -> Result<Vec<u8>, AppError> {
    serde_json::to_vec(session).map_err(|error| AppError::Internal(error.to_string()))
}

/// Entra ID names a scope of Graph with or without the API in front of it, and in any case. Those of OpenID Connect are
/// granted without being told.
fn is_same_scope(granted: &str, wanted: &str) -> bool {
    let short = |scope: &str| scope.rsplit('/').next().unwrap_or_default().to_lowercase();
    ["openid", "profile", "offline_access", "email", ".default"].contains(&short(wanted).as_str())
        || short(granted) == short(wanted)
}
