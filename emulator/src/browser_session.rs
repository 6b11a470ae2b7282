//! Who is signed in to a browser: a sealed cookie, so that nothing has to be remembered, and a restart signs nobody out.

use std::borrow::Cow;

use axum::http::{HeaderValue, header};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::call::{Call, header_value};
use crate::directory::{Application, Authority, User};
use crate::service::Service;
use crate::sign_in;

/// The cookie's name.
const COOKIE: &str = "emulator_session";
/// What cookies are sealed for.
const PURPOSE: &str = "browser session";
/// How long somebody stays signed in.
const LIFETIME: i64 = 24 * 3600;
/// How many accounts a browser can have: a cookie holds 4 KiB.
const LIMIT: usize = 10;
/// How many applications are told of the end of one.
const CLIENTS: usize = 5;

/// The accounts of a browser.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct BrowserSession {
    accounts: Vec<SignedIn>,
}

/// An account that has signed in to a browser.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct SignedIn {
    /// Object id of the user.
    pub user: Uuid,
    /// The session's id, the claim `sid`.
    pub sid: Uuid,
    /// When, in seconds since 1970.
    pub at: i64,
    /// How often the user's sessions had been revoked by then.
    revocations: u64,
    /// Client ids of the applications that want to be told when this ends.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub clients: Vec<Uuid>,
}

impl BrowserSession {
    /// The session that a request's cookie holds.
    pub fn of(service: &Service, call: &Call) -> Self {
        let cookies = call.headers.get_all(header::COOKIE);
        let mut values = cookies
            .iter()
            .filter_map(|line| line.to_str().ok())
            .flat_map(|line| line.split(';'))
            .filter_map(|cookie| cookie.trim().split_once('='))
            .filter(|(name, _)| *name == COOKIE);
        let mut session: Self = values
            .find_map(|(_, value)| service.seal.open(PURPOSE, value))
            .unwrap_or_default();
        session.accounts.retain(|account| {
            account.at.saturating_add(LIFETIME) > call.now
                && account.revocations >= service.revocations.count(account.user)
        });
        session
    }

    /// The accounts that are good at an authority.
    pub fn accounts_at<'a>(
        &self,
        service: &'a Service,
        authority: Authority<'_>,
    ) -> Vec<(SignedIn, Cow<'a, User>)> {
        let accounts = self.accounts.iter().filter_map(|account| {
            let user = service.directory.user(&account.user.to_string())?;
            let own = service
                .directory
                .account(authority, user.sign_in_name())
                .ok()?;
            (own.id == user.id && sign_in::in_person(&user).is_ok())
                .then_some((account.clone(), user))
        });
        accounts.collect()
    }

    /// The account of this user.
    pub fn account(&self, user: Uuid) -> Option<&SignedIn> {
        self.accounts.iter().find(|account| account.user == user)
    }

    /// Signs a user in, now.
    pub fn sign_in(&mut self, service: &Service, call: &Call, user: Uuid) -> SignedIn {
        self.accounts.retain(|account| account.user != user);
        let account = SignedIn {
            user,
            sid: Uuid::new_v4(),
            at: call.now,
            revocations: service.revocations.count(user),
            clients: Vec::new(),
        };
        self.accounts.insert(0, account.clone());
        self.accounts.truncate(LIMIT);
        account
    }

    /// An account has been used for an application; one with a front-channel logout URL is told when that ends.
    pub fn used_for(&mut self, user: Uuid, application: &Application) {
        let account = self
            .accounts
            .iter_mut()
            .find(|account| account.user == user);
        if let Some(account) = account
            && application.logout_url.is_some()
            && !account.clients.contains(&application.client_id)
        {
            account.clients.truncate(CLIENTS - 1);
            account.clients.insert(0, application.client_id);
        }
    }

    /// Signs the one account out that `is_meant`, or all of them if it is none; who has been signed out.
    pub fn sign_out(&mut self, is_meant: impl Fn(&SignedIn) -> bool) -> Vec<SignedIn> {
        let all = !self.accounts.iter().any(&is_meant);
        let (gone, left) = std::mem::take(&mut self.accounts)
            .into_iter()
            .partition(|account| all || is_meant(account));
        self.accounts = left;
        gone
    }

    /// The session as a `Set-Cookie` header; without accounts it ends the cookie.
    pub fn cookie(&self, service: &Service, call: &Call) -> anyhow::Result<HeaderValue> {
        let secure = if call.base.starts_with("https://") {
            "; Secure"
        } else {
            ""
        };
        let attributes = format!("Path=/; HttpOnly; SameSite=Lax{secure}");
        Ok(if self.accounts.is_empty() {
            header_value(&format!("{COOKIE}=; Max-Age=0; {attributes}"))
        } else {
            let value = service.seal.close(PURPOSE, self)?;
            header_value(&format!(
                "{COOKIE}={value}; Max-Age={LIFETIME}; {attributes}"
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Emulator, Options};

    const USER: &str = "contoso_employee@contoso.com";

    #[test]
    fn a_cookie_brings_a_session_back_until_it_ends() {
        let emulator = Emulator::start(Options::default()).unwrap();
        let service = &emulator.service;
        let mut call = Call::internal("https://login.example", service.clock.now());
        let user = service.directory.user(USER).unwrap().id;
        let mut session = BrowserSession::default();
        let account = session.sign_in(service, &call, user);
        let cookie = session.cookie(service, &call).unwrap();
        let cookie = cookie.to_str().unwrap();
        assert!(cookie.contains("; HttpOnly; SameSite=Lax; Secure"));
        let (cookie, _) = cookie.split_once(';').unwrap();

        call.headers
            .insert(header::COOKIE, format!("a=b; {cookie}").parse().unwrap());
        let again = BrowserSession::of(service, &call);
        assert_eq!(again.account(user), Some(&account));
        let at = |authority: &str| {
            again
                .accounts_at(service, service.directory.authority(authority).unwrap())
                .len()
        };
        assert_eq!(
            (at("contoso.com"), at("common"), at("fabrikam.com")),
            (1, 1, 0)
        );

        emulator.revoke(USER).unwrap();
        assert_eq!(BrowserSession::of(service, &call).account(user), None);
        session.sign_out(|_| false);
        assert!(
            session
                .cookie(service, &call)
                .unwrap()
                .to_str()
                .unwrap()
                .contains("Max-Age=0")
        );
    }
}
