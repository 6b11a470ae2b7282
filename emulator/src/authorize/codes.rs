//! Authorization codes: each is good once, for ten minutes, for one client, redirect URI and verifier.

use std::sync::Mutex;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD as BASE64URL};
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::expiring::Expiring;
use crate::locked;
use crate::redirect_uri::Platform;
use crate::scopes::Scopes;
use crate::tokens::BrowserSignIn;

/// How long a code lives, in seconds.
pub const LIFETIME: i64 = 600;
/// How many codes are remembered; the oldest make room.
const LIMIT: usize = 5000;

/// What a code stands for.
#[derive(Clone, Debug)]
pub struct Code {
    /// Client id of the application that asked for it.
    pub client: Uuid,
    /// The `<tenant>` at which it was asked for.
    pub authority: String,
    /// Object id of the user who signed in.
    pub user: Uuid,
    /// The tenant that the user signed in to.
    pub tenant: Uuid,
    /// Where the code was sent to.
    pub redirect_uri: String,
    /// How that address is registered.
    pub platform: Platform,
    /// What was asked for.
    pub scopes: Scopes,
    /// What the code verifier has to fit to.
    pub challenge: Option<Challenge>,
    /// What the browser leaves for the tokens.
    pub browser: BrowserSignIn,
    /// When it ends.
    pub expires: i64,
    /// Whether it was used.
    pub redeemed: bool,
}

/// A `code_challenge` (RFC 7636).
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub enum Challenge {
    /// The verifier itself.
    Plain(String),
    /// Its SHA-256.
    S256(String),
}

impl Challenge {
    /// Whether a verifier fits.
    pub fn fits(&self, verifier: &str) -> bool {
        match self {
            Self::Plain(challenge) => challenge == verifier,
            Self::S256(challenge) => {
                *challenge == BASE64URL.encode(digest(&SHA256, verifier.as_bytes()))
            }
        }
    }
}

/// The codes of the last minutes, used ones included.
#[derive(Debug)]
pub struct Codes(Mutex<Expiring<String, Code>>);

impl Codes {
    /// No codes.
    pub fn new() -> Self {
        Self(Mutex::new(Expiring::new(LIMIT)))
    }

    /// A new code.
    pub fn issue(&self, now: i64, code: Code) -> String {
        let text = format!(
            "1.{}",
            BASE64URL.encode([*Uuid::new_v4().as_bytes(), *Uuid::new_v4().as_bytes()].concat())
        );
        // Kept for a while after its end, so that a late request is told that it is late.
        locked(&self.0).insert(now, code.expires + LIFETIME, text.clone(), code);
        text
    }

    /// Lets `change` see, and change, what a code stands for.
    pub fn with<T>(&self, code: &str, change: impl FnOnce(&mut Code) -> T) -> Option<T> {
        locked(&self.0).get(code).map(change)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verifier_fits_its_challenge() {
        // RFC 7636, appendix B.
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        let hashed = Challenge::S256("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM".to_owned());
        assert!(
            hashed.fits(verifier) && !hashed.fits("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM")
        );
        let plain = Challenge::Plain(verifier.to_owned());
        assert!(plain.fits(verifier) && !plain.fits(""));
    }
}
