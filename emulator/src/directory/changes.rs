//! What has been written to applications since the start.

use std::collections::BTreeSet;
use std::sync::{Mutex, OnceLock};

use super::Application;
use crate::locked;

/// How many writes there may be: each one keeps the application as it was before.
const LIMIT: usize = 4096;

/// Every version of every application that was written, oldest first. A version never changes, so that a request goes
/// on with the one that it has found, and needs no lock for it.
#[derive(Debug)]
pub struct Changes {
    versions: Box<[OnceLock<Application>]>,
    taken: Mutex<usize>,
}

impl Default for Changes {
    fn default() -> Self {
        Self {
            versions: (0..LIMIT).map(|_| OnceLock::new()).collect(),
            taken: Mutex::new(0),
        }
    }
}

impl Changes {
    /// The latest version of each application that was written, deleted ones included; the latest write comes first.
    pub fn latest(&self) -> Vec<&Application> {
        let mut seen = BTreeSet::new();
        let written: Vec<_> = self.versions.iter().map_while(OnceLock::get).collect();
        let is_latest = |application: &&Application| seen.insert(application.object_id);
        written.into_iter().rev().filter(is_latest).collect()
    }

    /// Writes the version that `next` makes of the latest state, which nobody else writes meanwhile. `None` if this
    /// emulator has taken too many writes already.
    pub fn write<E>(
        &self,
        next: impl FnOnce() -> Result<Application, E>,
    ) -> Result<Option<&Application>, E> {
        let mut taken = locked(&self.taken);
        let Some(slot) = self.versions.get(*taken) else {
            return Ok(None);
        };
        let version = next()?;
        *taken += 1;
        Ok(Some(slot.get_or_init(|| version)))
    }
}
