//! Whose sessions have been revoked: the state behind continuous access evaluation (CAE).

use std::sync::Mutex;

use uuid::Uuid;

use crate::expiring::Expiring;
use crate::locked;

/// How many revocations are remembered, and for how long: as long as a refresh token lives.
const LIMIT: usize = 10_000;
const LIFETIME: i64 = 90 * 24 * 3600;

/// Revocations of users and of applications (by their client ids).
#[derive(Debug)]
pub struct Revocations(Mutex<Expiring<Uuid, Revocation>>);

#[derive(Clone, Copy, Debug, Default)]
struct Revocation {
    /// How often sessions were revoked; a refresh token remembers the number it was issued under.
    count: u64,
    /// Access tokens must not be older than this.
    not_before: i64,
}

impl Revocations {
    /// Nobody's sessions have been revoked.
    pub fn new() -> Self {
        Self(Mutex::new(Expiring::new(LIMIT)))
    }

    /// Ends all sessions: refresh tokens are refused, and access tokens challenged.
    pub fn revoke(&self, now: i64, id: Uuid) {
        self.update(now, id, |revocation| revocation.count += 1);
    }

    /// Has Graph challenge the access tokens issued until now; refresh tokens stay good.
    pub fn challenge(&self, now: i64, id: Uuid) {
        self.update(now, id, |_| {});
    }

    /// How often the sessions of this id were revoked.
    pub fn count(&self, id: Uuid) -> u64 {
        self.get(id).count
    }

    /// The second before which access tokens of this id are refused.
    pub fn not_before(&self, id: Uuid) -> i64 {
        self.get(id).not_before
    }

    fn update(&self, now: i64, id: Uuid, change: impl FnOnce(&mut Revocation)) {
        let mut revocations = locked(&self.0);
        revocations.insert(now, now + LIFETIME, id, Revocation::default());
        if let Some(revocation) = revocations.get(&id) {
            change(revocation);
            // A token of this very second is from before the revocation.
            revocation.not_before = now + 1;
        }
    }

    fn get(&self, id: Uuid) -> Revocation {
        locked(&self.0).get(&id).copied().unwrap_or_default()
    }
}
