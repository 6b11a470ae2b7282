//! What the app remembers of a browser: a session after sign-in, and before that only what a cookie of the browser's
//! own can hold.

use actix_web::{
    HttpRequest,
    cookie::{Cookie, SameSite, time},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use oauth2::{AccessToken, CsrfToken, RefreshToken};
use ring::{
    aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    digest::{SHA256, digest},
    rand::{SecureRandom, SystemRandom},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{guard::Front, provider::now, store::SESSION_LIFETIME};

/// How long a sign-in may take, in seconds.
pub const SIGN_IN_LIFETIME: u64 = 15 * 60;
/// How many sign-ins a browser may have begun at once, one for each tab.
const MOST_SIGN_INS: usize = 8;
/// A token with less than this many seconds left is renewed.
const LEEWAY: u64 = 300;

/// Who is signed in, and with which tokens.
#[derive(Clone, Deserialize, Serialize)]
pub struct Session {
    pub iss: String,
    pub sub: String,
    pub name: String,
    /// When the ID token ends, in seconds since 1970, like all times here.
    pub id_expires_at: u64,
    /// The user flow of the sign-in (B2C).
    pub user_flow: Option<String>,
    pub refresh_token: Option<RefreshToken>,
    /// The API's token, once there is one.
    pub api: Option<ApiToken>,
}

/// An access token for SCOPE.
#[derive(Clone, Deserialize, Serialize)]
pub struct ApiToken {
    pub token: AccessToken,
    pub obtained_at: u64,
    pub expires_at: u64,
    /// The scopes that were asked for, but not granted.
    pub ungranted: Vec<String>,
    /// Whether it answers a claims challenge: a second one in a row is not answered.
    pub answers_challenge: bool,
}

impl ApiToken {
    /// Whether it can be used without renewing it first. One that lives for less than ten minutes is used for half of
    /// its life.
    pub fn is_fresh(&self) -> bool {
        let lifetime = self.expires_at.saturating_sub(self.obtained_at);
        let left = self.expires_at.saturating_sub(now());
        self.obtained_at <= now() && left > 0 && left >= LEEWAY.min(lifetime / 2)
    }
}

/// A session's id, as the browser has it. The store has only its hash, so that who reads the store cannot act as anybody.
#[derive(Clone)]
pub struct SessionId(String);

impl SessionId {
    /// An id that nobody can guess.
    pub fn new() -> Self {
        Self(CsrfToken::new_random_len(32).into_secret())
    }

    /// The key of the session in the store.
    pub fn key(&self) -> String {
        let hash = digest(&SHA256, self.0.as_bytes());
        format!("session:{}", URL_SAFE_NO_PAD.encode(hash))
    }
}

/// A sign-in that has begun: what has to fit when the browser comes back.
#[derive(Deserialize, Serialize)]
pub struct SignIn {
    pub state: String,
    pub nonce: String,
    pub verifier: String,
    pub user_flow: Option<String>,
    /// Whether SCOPE was asked for.
    pub for_api: bool,
    pub answers_challenge: bool,
    /// The path and query to go back to.
    pub return_to: String,
    pub began_at: u64,
}

/// The cookies of the app. Until somebody has signed in nothing is stored: the sign-in travels in a cookie of its own,
/// sealed, since it holds the PKCE verifier.
pub struct Cookies {
    key: LessSafeKey,
    front: Front,
}

impl Cookies {
    /// `secret` has 32 bytes.
    pub fn new(secret: &[u8], front: Front) -> Option<Self> {
        let key = UnboundKey::new(&CHACHA20_POLY1305, secret).ok()?;
        Some(Self {
            key: LessSafeKey::new(key),
            front,
        })
    }

    /// What a cookie's name begins with over https: the browser then refuses it from any other host, and over plain
    /// http.
    fn prefix(&self, request: &HttpRequest) -> &'static str {
        match self.front.is_https(request) {
            true => "__Host-",
            false => "",
        }
    }

    fn name(&self, request: &HttpRequest, name: &str) -> String {
        format!("{}{name}", self.prefix(request))
    }

    fn cookie(
        &self,
        request: &HttpRequest,
        name: &str,
        value: String,
        lifetime: u64,
    ) -> Cookie<'static> {
        Cookie::build(self.name(request, name), value)
            .path("/")
            .http_only(true)
            .secure(self.front.is_https(request))
            .same_site(SameSite::Lax)
            .max_age(time::Duration::seconds(lifetime as i64))
            .finish()
    }

    fn removed(&self, request: &HttpRequest, name: &str) -> Cookie<'static> {
        self.cookie(request, name, String::new(), 0)
    }

    /// The session that the browser says it has.
    pub fn session(&self, request: &HttpRequest) -> Option<SessionId> {
        let cookie = request.cookie(&self.name(request, "session"))?;
        let is_id = cookie.value().len() == 43; // 32 bytes in base64url
        is_id.then(|| SessionId(cookie.value().to_owned()))
    }

    /// Gives the browser its session.
    pub fn set_session(&self, request: &HttpRequest, id: &SessionId) -> Cookie<'static> {
        self.cookie(request, "session", id.0.clone(), SESSION_LIFETIME)
    }

    /// Takes the session from the browser.
    pub fn remove_session(&self, request: &HttpRequest) -> Cookie<'static> {
        self.removed(request, "session")
    }

    /// Gives the browser a sign-in to come back with; where it has too many, the oldest go.
    pub fn set_sign_in(
        &self,
        request: &HttpRequest,
        sign_in: &SignIn,
    ) -> Option<Vec<Cookie<'static>>> {
        let mut begun: Vec<_> = self.sign_ins(request).collect();
        begun.sort_by_key(|(_, sign_in)| sign_in.began_at);
        let surplus = (begun.len() + 1).saturating_sub(MOST_SIGN_INS);
        let mut cookies: Vec<_> = begun
            .iter()
            .take(surplus)
            .map(|(name, _)| self.removed(request, name))
            .collect();
        let name = sign_in_name(&sign_in.state);
        let sealed = self.seal(&name, sign_in)?;
        cookies.push(self.cookie(request, &name, sealed, SIGN_IN_LIFETIME));
        Some(cookies)
    }

    /// The sign-in that belongs to `state`, and the cookie that takes it away.
    pub fn sign_in(&self, request: &HttpRequest, state: &str) -> Option<(SignIn, Cookie<'static>)> {
        let name = sign_in_name(state);
        let cookie = request.cookie(&self.name(request, &name))?;
        let sign_in: SignIn = self.open(&name, cookie.value())?;
        (sign_in.state == state).then(|| (sign_in, self.removed(request, &name)))
    }

    fn sign_ins(&self, request: &HttpRequest) -> impl Iterator<Item = (String, SignIn)> {
        let prefix = self.prefix(request);
        let cookies = request
            .cookies()
            .map(|cookies| cookies.clone())
            .unwrap_or_default();
        cookies.into_iter().filter_map(move |cookie| {
            let name = cookie.name().strip_prefix(prefix)?.to_owned();
            name.starts_with("sign-in-").then_some(())?;
            let sign_in = self.open(&name, cookie.value())?;
            Some((name, sign_in))
        })
    }

    /// Encrypts a value for one name of a cookie.
    fn seal(&self, name: &str, value: &impl Serialize) -> Option<String> {
        let mut nonce = [0; NONCE_LEN];
        SystemRandom::new().fill(&mut nonce).ok()?;
        let mut sealed = serde_json::to_vec(value).ok()?;
        let aad = Aad::from(name.as_bytes());
        self.key
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), aad, &mut sealed)
            .ok()?;
        Some(URL_SAFE_NO_PAD.encode([nonce.as_slice(), &sealed].concat()))
    }

    fn open<T: DeserializeOwned>(&self, name: &str, sealed: &str) -> Option<T> {
        let mut bytes = URL_SAFE_NO_PAD.decode(sealed).ok()?;
        let (nonce, sealed) = bytes.split_at_mut_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let value = self
            .key
            .open_in_place(nonce, Aad::from(name.as_bytes()), sealed)
            .ok()?;
        serde_json::from_slice(value).ok()
    }
}

/// Each sign-in has a cookie of its own, so that two tabs do not disturb each other.
fn sign_in_name(state: &str) -> String {
    let hash = digest(&SHA256, state.as_bytes());
    format!(
        "sign-in-{}",
        URL_SAFE_NO_PAD.encode(hash.as_ref().get(..9).unwrap_or_default())
    )
}
