//! Sealed values: what the emulator hands out and wants back unchanged and unread.
//!
//! Refresh tokens, page states and page links are JSON, encrypted and authenticated with a key that comes from the
//! fixed signing key. Nothing has to be remembered for them, and a restart signs nobody out.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD as BASE64URL};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::digest::{SHA256, digest};
use serde::{Serialize, de::DeserializeOwned};
use uuid::Uuid;

/// Seals and opens values.
#[derive(Debug)]
pub struct Seal(LessSafeKey);

impl Seal {
    /// A seal whose key is made from `secret`.
    pub fn new(secret: &[u8]) -> anyhow::Result<Self> {
        let key = digest(&SHA256, secret);
        let key = UnboundKey::new(&CHACHA20_POLY1305, key.as_ref())
            .map_err(|_| anyhow::anyhow!("the sealing key has a wrong length"))?;
        Ok(Self(LessSafeKey::new(key)))
    }

    /// The value as opaque text. What is sealed for one purpose cannot be opened for another.
    pub fn close(&self, purpose: &str, value: &impl Serialize) -> anyhow::Result<String> {
        // Random nonces are safe here: nobody seals 2^32 values with a toy.
        let mut nonce = [0; NONCE_LEN];
        nonce
            .iter_mut()
            .zip(Uuid::new_v4().as_bytes().iter().rev())
            .for_each(|(to, from)| *to = *from);
        let mut text = serde_json::to_vec(value)?;
        self.0
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(purpose),
                &mut text,
            )
            .map_err(|_| anyhow::anyhow!("the value is too long to be sealed"))?;
        Ok(BASE64URL.encode([&nonce[..], &text].concat()))
    }

    /// The value again, or nothing if the text was not sealed here for this purpose.
    pub fn open<T: DeserializeOwned>(&self, purpose: &str, text: &str) -> Option<T> {
        let mut sealed = BASE64URL.decode(text).ok()?;
        let (nonce, text) = sealed.split_at_mut_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let text = self.0.open_in_place(nonce, Aad::from(purpose), text).ok()?;
        serde_json::from_slice(text).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_seal_and_purpose_open_a_value() {
        let (seal, other) = (Seal::new(b"one").unwrap(), Seal::new(b"two").unwrap());
        let text = seal.close("a purpose", &("value", 7)).unwrap();
        assert_eq!(seal.open("a purpose", &text), Some(("value".to_owned(), 7)));
        assert_eq!(seal.open::<(String, i32)>("another", &text), None);
        assert_eq!(other.open::<(String, i32)>("a purpose", &text), None);
        assert_eq!(seal.open::<(String, i32)>("a purpose", &text[1..]), None);
        assert_eq!(seal.open::<(String, i32)>("a purpose", ""), None);
    }
}
