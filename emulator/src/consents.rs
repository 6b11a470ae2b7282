//! Who has allowed which application what.

use std::collections::BTreeSet;
use std::sync::Mutex;

use uuid::Uuid;

use crate::directory::{Application, User};
use crate::errors::EntraError;
use crate::expiring::Expiring;
use crate::locked;
use crate::scopes::{GRAPH, PERMISSIONS, Scopes};

/// How many users' own consents are remembered, and for how long.
const LIMIT: usize = 10_000;
const LIFETIME: i64 = 365 * 24 * 3600;

/// What users have consented to since the start; what an admin has granted stands in the directory.
#[derive(Debug)]
pub struct Consents(Mutex<Expiring<(Uuid, Uuid), Vec<String>>>);

impl Consents {
    /// Nobody has consented to anything.
    pub fn new() -> Self {
        Self(Mutex::new(Expiring::new(LIMIT)))
    }

    /// The user allows the application what it asks for.
    pub fn give(&self, now: i64, user: &User, application: &Application, scopes: &Scopes) {
        let names = self.missing(user, application, scopes);
        if names.is_empty() {
            return; // an admin's grant, say, is nothing to remember
        }
        let mut consents = locked(&self.0);
        consents.insert(now, now + LIFETIME, key(user, application), Vec::new());
        if let Some(given) = consents.get(&key(user, application)) {
            given.extend(names);
        }
    }

    /// The user has agreed before a restart, as a refresh token proves: as `give`, unless something newer is known.
    pub fn recall(&self, now: i64, user: &User, application: &Application, scopes: &Scopes) {
        if locked(&self.0).get(&key(user, application)).is_none() {
            self.give(now, user, application, scopes);
        }
    }

    /// The application loses what the user has allowed it.
    pub fn withdraw(&self, now: i64, user: &User, application: &Application) {
        let mut consents = locked(&self.0);
        consents.insert(now, now + LIFETIME, key(user, application), Vec::new());
        if let Some(given) = consents.get(&key(user, application)) {
            given.clear();
        }
    }

    /// The permissions that a token for these scopes carries, or the refusal if one of them is not granted.
    pub fn granted(
        &self,
        user: &User,
        application: &Application,
        scopes: &Scopes,
    ) -> Result<Vec<String>, EntraError> {
        let mut granted = self.wanted(user, application, scopes);
        granted.retain(|name| !application.withheld.contains(name));
        if !self.missing(user, application, scopes).is_empty()
            || scopes.is_default() && granted.is_empty()
        {
            let id = application.client_id.to_string();
            return Err(EntraError::about(65001, &[&id, &application.display_name]));
        }
        Ok(granted)
    }

    /// The permissions that are asked for and not granted yet.
    pub fn missing(&self, user: &User, application: &Application, scopes: &Scopes) -> Vec<String> {
        let mut wanted = self.wanted(user, application, scopes);
        if scopes.resource != GRAPH {
            return Vec::new(); // the emulator has no other service that anyone would have to be asked about
        }
        if scopes.is_default() && wanted.is_empty() {
            wanted = application.permissions.clone();
        }
        let given = self.given(user, application);
        wanted.retain(|name| !application.consented.contains(name) && !given.contains(name));
        wanted
    }

    /// What the scopes mean: `.default` is all that has been granted so far.
    fn wanted(&self, user: &User, application: &Application, scopes: &Scopes) -> Vec<String> {
        match (scopes.is_default(), scopes.resource == GRAPH) {
            (false, _) => scopes.permissions.clone(),
            (true, false) => vec!["user_impersonation".to_owned()],
            (true, true) => application
                .consented
                .iter()
                .cloned()
                .chain(self.given(user, application))
                .collect::<BTreeSet<_>>()
                .into_iter()
                .collect(),
        }
    }

    fn given(&self, user: &User, application: &Application) -> Vec<String> {
        locked(&self.0)
            .get(&key(user, application))
            .cloned()
            .unwrap_or_default()
    }
}

/// Whether one of these permissions is beyond what a user can grant.
pub fn needs_admin(names: &[String]) -> bool {
    names.iter().any(|name| {
        PERMISSIONS
            .iter()
            .any(|permission| permission.admin_only && permission.name == name)
    })
}

fn key(user: &User, application: &Application) -> (Uuid, Uuid) {
    (user.id, application.client_id)
}
