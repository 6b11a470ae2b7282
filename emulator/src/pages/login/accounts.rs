//! Who it can be that signs in.

use std::borrow::Cow;

use uuid::Uuid;

use super::Journey;
use crate::browser_session::SignedIn;
use crate::directory::{Condition, User};
use crate::errors::EntraError;
use crate::sign_in;

impl<'a> Journey<'a> {
    /// The accounts of the browser that the request can mean.
    pub(super) fn known_accounts(&self) -> Vec<SignedIn> {
        let request = &self.progress.request;
        let accounts = self
            .session
            .accounts_at(self.service, self.provider.authority);
        let fits = |account: &SignedIn, user: &User| {
            let is_fresh = request
                .max_age
                .is_none_or(|age| account.at.saturating_add(age) > self.call.now);
            let is_hinted = request.login_hint.as_ref().is_none_or(|hint| {
                user.sign_in_name().eq_ignore_ascii_case(hint)
                    || user.upn.eq_ignore_ascii_case(hint)
            });
            let is_of_domain = request.domain_hint.as_ref().is_none_or(|domain| {
                user.sign_in_name()
                    .rsplit_once('@')
                    .is_some_and(|(_, own)| own.eq_ignore_ascii_case(domain))
                    || matches!(domain.as_str(), "organizations" | "consumers")
            });
            is_fresh && is_hinted && is_of_domain
        };
        accounts
            .into_iter()
            .filter(|(account, user)| fits(account, user))
            .map(|(account, _)| account)
            .collect()
    }

    /// Whether a user need not prove again who they are.
    pub(super) fn is_signed_in(&self, user: Uuid) -> bool {
        let request = &self.progress.request;
        let is_fresh = |account: &SignedIn| {
            request
                .max_age
                .is_none_or(|age| account.at.saturating_add(age) > self.call.now)
        };
        !request.prompt.login && self.session.account(user).is_some_and(is_fresh)
    }

    pub(super) fn hinted_user(&self) -> Option<Cow<'a, User>> {
        let hint = self.progress.request.login_hint.as_deref()?;
        self.service
            .directory
            .account(self.provider.authority, hint)
            .ok()
    }

    /// Who signs in without pages: whom the request names, the user of the options, or the first one who can.
    pub(super) fn automatic_user(&self) -> Result<Cow<'a, User>, EntraError> {
        let directory = &self.service.directory;
        let authority = self.provider.authority;
        let name = self.service.auto_sign_in.as_deref().unwrap_or_default();
        let user = match self.hinted_user() {
            Some(user) => user,
            None => directory.account(authority, name).or_else(|error| {
                let first = directory.users.iter().find(|user| {
                    user.condition == Condition::Fine
                        && directory
                            .account(authority, user.sign_in_name())
                            .is_ok_and(|account| account.id == user.id)
                });
                first.map(Cow::Borrowed).ok_or(error)
            })?,
        };
        sign_in::in_person(&user)?;
        Ok(user)
    }
}
