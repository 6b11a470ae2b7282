//! The keys that tokens are signed with, and signed tokens (JWT) themselves.
//!
//! The keys are fixed toys that anyone can read in `keys/`: nothing may ever trust them outside of a test.

use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, anyhow};
use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD as BASE64URL};
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use ring::rand::SystemRandom;
use ring::rsa::{KeyPair, PublicKeyComponents};
use ring::signature::{
    KeyPair as _, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, UnparsedPublicKey,
};
use serde_json::{Value, json};

const SIGNING_KEYS: [&str; 3] = [
    include_str!("../keys/signing-1.pem"),
    include_str!("../keys/signing-2.pem"),
    include_str!("../keys/signing-3.pem"),
];

/// The signing keys: the one in use, the one before or after it, and one that nobody has seen yet.
#[derive(Debug)]
pub struct Keys {
    keys: Vec<Key>,
    rotations: AtomicUsize,
}

/// A signing key and its certificate.
#[derive(Debug)]
pub struct Key {
    pair: KeyPair,
    certificate: Vec<u8>,
    /// The certificate's SHA-1 thumbprint, which names the key.
    kid: String,
}

impl Keys {
    /// Reads the embedded keys.
    pub fn embedded() -> anyhow::Result<Self> {
        let keys = SIGNING_KEYS
            .iter()
            .map(|text| Key::from_pem(text))
            .collect::<anyhow::Result<_>>()?;
        Ok(Self {
            keys,
            rotations: AtomicUsize::new(0),
        })
    }

    /// The fixed secret from which other keys of the emulator are made.
    pub fn secret() -> &'static [u8] {
        let [first, ..] = SIGNING_KEYS;
        first.as_bytes()
    }

    /// Signs from now on with a key that was not published so far; the one in use until now stays valid.
    pub fn rotate(&self) {
        self.rotations.fetch_add(1, Ordering::Relaxed);
    }

    /// The keys that are published: the first one signs.
    pub fn published(&self) -> impl Iterator<Item = &Key> {
        // Going backwards through the circle: (0, 1), then (2, 0), then (1, 2).
        let first = self.keys.len() - self.rotations.load(Ordering::Relaxed) % self.keys.len();
        self.keys.iter().cycle().skip(first).take(2)
    }

    /// The key in use, and another one that is published.
    pub fn pair(&self) -> anyhow::Result<[&Key; 2]> {
        let mut published = self.published();
        match (published.next(), published.next()) {
            (Some(first), Some(second)) => Ok([first, second]),
            _ => Err(anyhow!("there are not two signing keys")),
        }
    }

    /// A token with these claims, signed with the key in use.
    pub fn sign(&self, claims: &Value) -> anyhow::Result<String> {
        let key = self.published().next().context("there is no signing key")?;
        key.sign(
            json!({ "typ": "JWT", "alg": "RS256", "x5t": key.kid, "kid": key.kid }),
            claims,
        )
    }

    /// The claims of a token that one of the keys has signed.
    pub fn verify(&self, token: &str) -> Option<Value> {
        let token = Jwt::parse(token)?;
        let kid = token.header.get("kid")?.as_str()?;
        let key = self.keys.iter().find(|key| key.kid == kid)?;
        let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key.pair.public_key());
        let valid = token.header.get("alg")?.as_str()? == "RS256"
            && public.verify(token.signed, &token.signature).is_ok();
        valid.then_some(token.claims)
    }
}

impl Key {
    /// Reads a private key (PKCS#8) and its certificate from one PEM text.
    pub fn from_pem(text: &str) -> anyhow::Result<Self> {
        let key = pem("PRIVATE KEY", text).context("there is no private key in the PEM text")?;
        let certificate =
            pem("CERTIFICATE", text).context("there is no certificate in the PEM text")?;
        let pair = KeyPair::from_pkcs8(&key)
            .map_err(|error| anyhow!("the private key is unusable: {error}"))?;
        let kid = BASE64URL.encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, &certificate));
        Ok(Self {
            pair,
            certificate,
            kid,
        })
    }

    /// A token with this header and these claims, signed by RS256.
    pub fn sign(&self, header: Value, claims: &Value) -> anyhow::Result<String> {
        let mut token = format!(
            "{}.{}",
            BASE64URL.encode(header.to_string()),
            BASE64URL.encode(claims.to_string())
        );
        let mut signature = vec![0; self.pair.public().modulus_len()];
        self.pair
            .sign(
                &RSA_PKCS1_SHA256,
                &SystemRandom::new(),
                token.as_bytes(),
                &mut signature,
            )
            .map_err(|_| anyhow!("the token could not be signed"))?;
        token.push('.');
        BASE64URL.encode_string(signature, &mut token);
        Ok(token)
    }

    /// The key's name.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The public half, as DER.
    pub fn public_key(&self) -> &[u8] {
        self.pair.public_key().as_ref()
    }

    /// The public half as an entry of a JSON Web Key Set.
    pub fn jwk(&self, issuer: &str) -> Value {
        let public = PublicKeyComponents::<Vec<u8>>::from(self.pair.public());
        json!({
            "kty": "RSA",
            "use": "sig",
            "kid": self.kid,
            "x5t": self.kid,
            "n": BASE64URL.encode(public.n),
            "e": BASE64URL.encode(public.e),
            "x5c": [BASE64_STANDARD.encode(&self.certificate)],
            "issuer": issuer,
        })
    }
}

/// A signed token, taken apart but not yet believed.
pub struct Jwt<'a> {
    /// The first part.
    pub header: Value,
    /// The second part.
    pub claims: Value,
    /// What the signature covers.
    pub signed: &'a [u8],
    /// The third part.
    pub signature: Vec<u8>,
}

impl<'a> Jwt<'a> {
    /// Takes a token apart.
    pub fn parse(token: &'a str) -> Option<Self> {
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let json = |part: &str| serde_json::from_slice(&BASE64URL.decode(part).ok()?).ok();
        Some(Self {
            header: json(header)?,
            claims: json(claims)?,
            signed: signed.as_bytes(),
            signature: BASE64URL.decode(signature).ok()?,
        })
    }

    /// A claim that is text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.claims.get(name)?.as_str()
    }

    /// A claim that is a time; some libraries write these as fractions.
    pub fn time(&self, name: &str) -> Option<i64> {
        let value = self.claims.get(name)?;
        value
            .as_i64()
            .or_else(|| value.as_f64().map(|seconds| seconds as i64))
    }
}

/// The first block with this label in a PEM text, as DER.
pub fn pem(label: &str, text: &str) -> Option<Vec<u8>> {
    let (_, rest) = text.split_once(&format!("-----BEGIN {label}-----"))?;
    let (body, _) = rest.split_once(&format!("-----END {label}-----"))?;
    BASE64_STANDARD
        .decode(body.split_whitespace().collect::<String>())
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_believed_only_unchanged() {
        let keys = Keys::embedded().unwrap();
        let token = keys.sign(&json!({ "sub": "someone" })).unwrap();
        assert_eq!(keys.verify(&token), Some(json!({ "sub": "someone" })));

        let (header, rest) = token.split_once('.').unwrap();
        let (_, signature) = rest.split_once('.').unwrap();
        let other = BASE64URL.encode(json!({ "sub": "someone else" }).to_string());
        assert_eq!(keys.verify(&format!("{header}.{other}.{signature}")), None);
        let none = BASE64URL.encode(json!({ "alg": "none" }).to_string());
        assert_eq!(keys.verify(&format!("{none}.{other}.")), None);
        assert_eq!(keys.verify("not.a.token"), None);
    }

    #[test]
    fn rotation_signs_with_a_new_key_and_keeps_the_old_one() {
        let keys = Keys::embedded().unwrap();
        let kids = |keys: &Keys| {
            keys.published()
                .map(|key| key.kid.clone())
                .collect::<Vec<_>>()
        };
        let (before, token) = (kids(&keys), keys.sign(&json!({})).unwrap());
        keys.rotate();
        let after = kids(&keys);
        assert!(!before.contains(&after[0]) && after[1] == before[0]);
        assert!(keys.verify(&token).is_some());
        keys.rotate();
        assert_eq!(kids(&keys)[1], after[0]);
    }
}
