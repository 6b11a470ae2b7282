//! The faults that are set and still to come.

use std::sync::Mutex;

use anyhow::bail;
use serde::Serialize;

use super::endpoints;
use super::openid::{IdTokenEdit, WayBackEdit};
use super::{Effect, Fault};
use crate::call::Call;
use crate::locked;

/// The faults that are set.
#[derive(Debug, Default)]
pub struct Faults(Mutex<Vec<Fault>>);

/// How many faults can wait at once.
const LIMIT: usize = 1000;

impl Faults {
    /// Sets one more fault; it waits until those that were set earlier for the same endpoint are used up.
    pub fn add(&self, spec: &str) -> anyhow::Result<()> {
        let fault = spec.parse()?;
        let mut faults = locked(&self.0);
        if faults.len() >= LIMIT {
            bail!("there are {LIMIT} faults already");
        }
        faults.push(fault);
        Ok(())
    }

    /// A fault that was taken, and then could not be used, waits on.
    pub fn put_back(&self, unused: &Fault) {
        if unused.times.is_none() {
            return; // it is always there
        }
        let mut faults = locked(&self.0);
        match faults.iter_mut().find(|fault| fault.spec == unused.spec) {
            Some(fault) => fault.times = fault.times.map(|times| times.saturating_add(1)),
            None => faults.insert(
                0,
                Fault {
                    times: Some(1),
                    ..unused.clone()
                },
            ),
        }
    }

    /// Nothing goes wrong on purpose any more.
    pub fn clear(&self) {
        locked(&self.0).clear();
    }

    /// The faults that are still to come.
    pub fn list(&self) -> Vec<Fault> {
        locked(&self.0).clone()
    }

    /// Takes the next fault for a request to this path. What an endpoint has to do itself is left to it.
    pub fn take(&self, path: &str) -> Option<Fault> {
        let names = endpoints::names_of(path);
        let is_browser = names.contains(&"authorize");
        self.take_first(|fault| {
            let own = match fault.effect {
                Effect::IdToken(_) | Effect::WayBack(_) | Effect::WayBackError(_) => true,
                // In a browser these are no answers with a JSON body, but a way back to the application.
                Effect::Error { .. } | Effect::Aadsts(_) | Effect::Crlf => is_browser,
                _ => false,
            };
            names.contains(&fault.endpoint.as_str()) && !own
        })
    }

    /// Takes the next change to an ID token.
    pub fn take_id_token_edit(&self, call: &Call) -> Option<IdTokenEdit> {
        let fault = self.take_first(|fault| matches!(fault.effect, Effect::IdToken(_)))?;
        call.note_fault(&fault.spec);
        match fault.effect {
            Effect::IdToken(edit) => Some(edit),
            _ => None,
        }
    }

    /// Takes the next change to what a browser brings back.
    pub fn take_way_back_edit(&self, call: &Call) -> Option<WayBackEdit> {
        let fault = self.take_first(|fault| matches!(fault.effect, Effect::WayBack(_)))?;
        call.note_fault(&fault.spec);
        match fault.effect {
            Effect::WayBack(edit) => Some(edit),
            _ => None,
        }
    }

    /// Takes the next refusal that a browser brings back.
    pub fn take_way_back_error(&self, call: &Call) -> Option<Effect> {
        let fault = self.take_first(|fault| {
            matches!(
                fault.effect,
                Effect::WayBackError(_) | Effect::Error { .. } | Effect::Aadsts(_) | Effect::Crlf
            ) && ["authorize", "any"].contains(&fault.endpoint.as_str())
        })?;
        call.note_fault(&fault.spec);
        Some(fault.effect)
    }

    fn take_first(&self, is_meant: impl Fn(&Fault) -> bool) -> Option<Fault> {
        let mut faults = locked(&self.0);
        let index = faults.iter().position(is_meant)?;
        let fault = faults.get_mut(index)?;
        let taken = fault.clone();
        if let Some(times) = &mut fault.times {
            *times = times.saturating_sub(1);
        }
        if fault.times == Some(0) {
            faults.remove(index);
        }
        Some(taken).filter(|fault| fault.times != Some(0))
    }
}

/// A fault as the emulator's own pages show it.
#[derive(Serialize)]
pub struct Shown {
    /// `<endpoint>:<fault>`
    pub fault: String,
    /// How many more times; nothing means always.
    pub times: Option<u32>,
}

impl From<Fault> for Shown {
    fn from(fault: Fault) -> Self {
        Self {
            fault: fault.spec,
            times: fault.times,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_used_up() {
        let faults = Faults::default();
        for spec in ["graph:hang*2", "me:cut", "token:empty*0"] {
            faults.add(spec).unwrap();
        }
        let effect = |path: &str| faults.take(path).map(|fault| fault.effect);
        assert_eq!(effect("/v1.0/me"), Some(Effect::Hang));
        assert_eq!(effect("/common/oauth2/v2.0/token"), None);
        assert_eq!(effect("/v1.0/users"), Some(Effect::Hang));
        assert_eq!(effect("/v1.0/users"), None);
        assert_eq!(effect("/v1.0/me"), Some(Effect::Cut));
        assert!(faults.list().is_empty());
    }
}
