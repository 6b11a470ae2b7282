//! The token cache on disk, and the silent way to a token: from the cache, else by the refresh token.
//!
//! One JSON file for all samples, readable by its owner alone, in the clear: that is what a sample can promise on
//! every system. A product would ask the system's key store (Keychain, DPAPI, libsecret), as MSAL's extensions do.
//!
//! Here is what the cache knows and when it is used; `file` has what can be wrong with a disk.

pub(crate) mod file;

use std::{
    cell::RefCell,
    io,
    time::{SystemTime, UNIX_EPOCH},
};

use oauth2::{AccessToken, RefreshToken, Scope, TokenResponse as _};
use serde::{Deserialize, Serialize};

use self::file::Store;
use crate::{
    config::{Config, ConfigError},
    console,
    graph::GraphError,
    oauth::{Claims, EntraClient, EntraError, TokenResponse, User},
    text,
};

/// A token with less than this many seconds left is renewed first.
const LEEWAY: u64 = 300;
/// Refresh tokens live for 90 days, in seconds.
const REFRESH_TOKEN_LIFETIME: u64 = 90 * 24 * 60 * 60;

/// Whose token is wanted.
#[derive(Clone, Copy, Debug)]
pub enum Identity<'a> {
    /// The app's own.
    App,
    /// A user's: the one with this user name, who also has to be the one that signs in, or the only one in the cache.
    User(Option<&'a str>),
    /// That of the user who signs in by this name, whatever name the ID token has for them.
    SignIn(&'a str),
}

/// The tokens of one app registration, at one authority, for one user (or the app itself) and one list of scopes.
pub struct TokenCache {
    store: Option<Store>,
    authority: String,
    client_id: String,
    scopes: Vec<Scope>,
    target: String,
    wanted: Option<String>,
    sign_in_name: Option<String>,
    account: RefCell<Option<Account>>,
}

/// The user who signed in is not the one who was asked for.
#[derive(Debug, thiserror::Error)]
#[error(
    "{found} has signed in, but {wanted} was asked for with --account.\nSign in as {wanted}, or leave --account out."
)]
pub struct OtherUser {
    found: String,
    wanted: String,
}

impl TokenCache {
    /// Reads the cache and chooses the account. `in_memory` neither reads nor writes the disk.
    ///
    /// # Errors
    /// Several accounts and no choice. An unusable cache is no error: it is warned of and counts as empty.
    pub fn open(
        config: &Config,
        in_memory: bool,
        identity: Identity<'_>,
    ) -> Result<Self, ConfigError> {
        let store = if in_memory { None } else { Store::find() };
        let (authority, client_id) = (config.authority.to_string(), config.client_id.clone());
        let mut accounts = store.as_ref().map(Store::read).unwrap_or_default();
        accounts.retain(|account| {
            account.authority == authority
                && account.client_id == client_id
                && account.is_app() == matches!(identity, Identity::App)
        });
        let (wanted, sign_in_name) = match identity {
            Identity::App => (None, None),
            Identity::User(name) => (name.map(str::to_owned), None),
            Identity::SignIn(name) => (None, Some(name.to_owned())),
        };
        let account = match wanted.as_ref().or(sign_in_name.as_ref()) {
            Some(name) => accounts
                .into_iter()
                .find(|account| same_name(&account.user_name, name)),
            None if accounts.len() > 1 => Some(choose(accounts)?),
            None => accounts.pop(),
        };
        Ok(Self {
            store,
            authority,
            client_id,
            scopes: match identity {
                Identity::App => config.api_scopes().collect(),
                _ => config.scopes().collect(),
            },
            target: target(config.api_scopes()),
            wanted,
            sign_in_name,
            account: RefCell::new(account),
        })
    }

    /// Whether a token may be had without asking anybody.
    pub fn may_be_silent(&self) -> bool {
        let account = self.account.borrow();
        account.as_ref().is_some_and(|account| {
            account.refresh_token.is_some() || account.fresh_token(&self.target).is_some()
        })
    }

    /// A token without asking anybody: the cached one while it has 5 minutes left, else one for the refresh token.
    /// None means that somebody has to sign in. With `claims` that answer a challenge, the cached token is of no use and
    /// is dropped. A refusal may bring claims of its own: they take their place, for the sign-in that follows.
    ///
    /// # Errors
    /// Entra ID cannot be reached. A refused refresh token is no error: somebody has to sign in.
    pub async fn acquire_token_silent(
        &self,
        entra: &EntraClient,
        claims: &mut Claims,
    ) -> Result<Option<AccessToken>, EntraError> {
        if claims.answer_challenge() {
            self.forget_access_token();
        }
        let Some(account) = self.account.borrow().clone() else {
            return Ok(None);
        };
        if let Some(token) = account.fresh_token(&self.target) {
            return Ok(Some(token.clone()));
        }
        let Some(refresh_token) = &account.refresh_token else {
            return Ok(None);
        };
        let answer = entra
            .exchange_refresh_token(refresh_token)
            .add_scopes(self.scopes.iter().cloned())
            .add_extra_param("claims", claims.to_string())
            .request_async(entra.http())
            .await
            .map_err(EntraError::from);
        let refusal = match answer {
            Ok(answer) => return Ok(Some(self.remember(&answer, Some(account.user())))),
            Err(EntraError::Refused(refusal)) if !refusal.is_transient() => refusal,
            Err(error) => return Err(error),
        };
        console::say(format_args!(
            "{}: the cached sign-in is no longer accepted ({}).",
            account.user_name, refusal.error
        ));
        if refusal.error == "invalid_grant" {
            let refused = refresh_token.secret();
            self.change(|account| {
                account
                    .refresh_token
                    .take_if(|token| token.secret() == refused);
            });
        }
        if let Some(asked) = refusal.claims {
            *claims = asked;
        }
        Ok(None)
    }

    /// Keeps the tokens of a sign-in, and returns the access token.
    ///
    /// # Errors
    /// Somebody else has signed in than was asked for.
    pub fn store(&self, answer: TokenResponse) -> Result<AccessToken, OtherUser> {
        let mut user = answer.extra_fields().user();
        if let (Some(user), Some(name)) = (&mut user, &self.sign_in_name) {
            user.name = text::one_line(name, 256);
        }
        if let Some(wanted) = &self.wanted {
            let found = user.as_ref().map_or("Somebody unnamed", |user| &user.name);
            if !same_name(found, wanted) {
                return Err(OtherUser {
                    found: found.to_owned(),
                    wanted: text::one_line(wanted, 256),
                });
            }
        }
        Ok(self.remember(&answer, user))
    }

    /// Drops the access token if Graph has refused it, and returns the claims that Graph wants a new one to answer.
    pub fn challenge(&self, outcome: &Result<(), GraphError>) -> Option<Claims> {
        let Err(GraphError::Unauthorized { challenge, .. }) = outcome else {
            return None;
        };
        self.forget_access_token();
        challenge.clone()
    }

    fn forget_access_token(&self) {
        let target = self.target.clone();
        self.change(|account| {
            account
                .access_tokens
                .retain(|cached| cached.target != target)
        });
    }

    fn remember(&self, answer: &TokenResponse, user: Option<User>) -> AccessToken {
        let token = answer.access_token().clone();
        let now = now();
        let cached = CachedToken {
            target: self.target.clone(),
            token: token.clone(),
            obtained_at: now,
            expires_at: now.saturating_add(answer.expires_in().unwrap_or_default().as_secs()),
        };
        let user = user.unwrap_or_else(User::app);
        let account = self.account.take();
        let account = account
            .filter(|account| account.user_id == user.id)
            .unwrap_or_else(|| Account::new(&self.authority, &self.client_id, &user));
        self.account.replace(Some(account));
        self.change(|account| {
            account.user_name.clone_from(&user.name);
            account.used_at = now;
            // Entra ID may leave the refresh token out of an answer: then the old one stays good.
            if let Some(refresh_token) = answer.refresh_token() {
                account.refresh_token = Some(refresh_token.clone());
            }
            account
                .access_tokens
                .retain(|other| other.target != self.target);
            account.access_tokens.push(cached.clone());
        });
        token
    }

    fn change(&self, change: impl Fn(&mut Account)) {
        if let Some(account) = self.account.borrow_mut().as_mut() {
            change(account);
            if let Some(store) = &self.store {
                store.change(account, change);
            }
        }
    }
}

/// Scopes in one spelling: their order and case mean nothing.
fn target(scopes: impl Iterator<Item = Scope>) -> String {
    let mut scopes: Vec<_> = scopes.map(|scope| scope.to_lowercase()).collect();
    scopes.sort();
    scopes.dedup();
    scopes.join(" ")
}

fn same_name(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.trim().to_lowercase()
}

/// Asks the person at the terminal which account to use.
fn choose(mut accounts: Vec<Account>) -> Result<Account, ConfigError> {
    let names: Vec<_> = accounts
        .iter()
        .map(|account| account.user_name.clone())
        .collect();
    if !console::is_interactive() {
        return Err(ConfigError::Usage(format!(
            "The token cache holds several accounts: {}.\nChoose one with --account.",
            names.join(", ")
        )));
    }
    console::say("The token cache holds several accounts:");
    for (index, name) in names.iter().enumerate() {
        console::say(format_args!("  {}  {name}", index + 1));
    }
    console::say("Which one? (number)");
    let mut line = String::new();
    let number = match io::stdin().read_line(&mut line) {
        Ok(_) => line.trim().parse::<usize>().unwrap_or_default(),
        Err(_) => 0,
    };
    if (1..=accounts.len()).contains(&number) {
        return Ok(accounts.swap_remove(number - 1));
    }
    Err(ConfigError::Usage(format!(
        "\"{}\" is none of the numbers above. Choose an account with --account.",
        text::one_line(&line, 100)
    )))
}

fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

impl User {
    /// An app's own token belongs to no user.
    fn app() -> Self {
        Self {
            id: String::new(),
            name: String::new(),
        }
    }
}

#[derive(Clone, Deserialize, Serialize)]
pub(crate) struct Account {
    authority: String,
    client_id: String,
    user_id: String,
    user_name: String,
    /// In seconds since 1970, like all times here.
    used_at: u64,
    refresh_token: Option<RefreshToken>,
    access_tokens: Vec<CachedToken>,
}

impl Account {
    fn new(authority: &str, client_id: &str, user: &User) -> Self {
        Self {
            authority: authority.to_owned(),
            client_id: client_id.to_owned(),
            user_id: user.id.clone(),
            user_name: user.name.clone(),
            used_at: 0,
            refresh_token: None,
            access_tokens: Vec::new(),
        }
    }

    fn user(&self) -> User {
        User {
            id: self.user_id.clone(),
            name: self.user_name.clone(),
        }
    }

    fn is_app(&self) -> bool {
        self.user_id.is_empty()
    }

    fn is_same(&self, other: &Self) -> bool {
        (&self.authority, &self.client_id, &self.user_id)
            == (&other.authority, &other.client_id, &other.user_id)
    }

    fn fresh_token(&self, target: &str) -> Option<&AccessToken> {
        let now = now();
        let mut tokens = self.access_tokens.iter();
        let fresh = tokens.find(|cached| cached.target == target && cached.is_fresh(now));
        fresh.map(|cached| &cached.token)
    }

    fn is_alive(&self, now: u64) -> bool {
        let refreshable = self.refresh_token.is_some()
            && self.used_at.saturating_add(REFRESH_TOKEN_LIFETIME) > now;
        refreshable || !self.access_tokens.is_empty()
    }
}

#[derive(Clone, Deserialize, Serialize)]
struct CachedToken {
    target: String,
    token: AccessToken,
    obtained_at: u64,
    expires_at: u64,
}

impl CachedToken {
    /// A token from the future says that the clock was set back, so that its end means nothing.
    fn is_fresh(&self, now: u64) -> bool {
        self.obtained_at <= now && self.expires_at.saturating_sub(now) >= LEEWAY
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fresh_means_five_minutes_left() {
        let token = |obtained_at, expires_at| CachedToken {
            target: String::new(),
            token: AccessToken::new("secret".into()),
            obtained_at,
            expires_at,
        };
        assert!(token(1000, 4600).is_fresh(4300));
        assert!(!token(1000, 4600).is_fresh(4301));
        assert!(!token(1000, 4600).is_fresh(5000));
        assert!(!token(1000, 4600).is_fresh(999), "the clock was set back");
    }

    #[test]
    fn order_and_case_of_scopes_mean_nothing() {
        let scopes = |list: &[&str]| target(list.iter().map(|scope| Scope::new(scope.to_string())));
        assert_eq!(
            scopes(&["User.Read", "Mail.Read"]),
            scopes(&["mail.read", "user.read", "User.Read"])
        );
    }
}
