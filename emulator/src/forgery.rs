//! Carries the faults of ID tokens out: wrong claims, wrong headers, wrong signatures.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD as BASE64URL};
use ring::hmac;
use serde_json::{Map, Value, json};

use crate::CLIENT_CERTIFICATE;
use crate::faults::openid::{FOREIGN_ID, FOREIGN_ISSUER, Forgery, IdTokenEdit};
use crate::keys::{Key, Keys};

/// Changes the claims of an ID token.
pub fn change(claims: &mut Map<String, Value>, edit: &IdTokenEdit, now: i64) {
    let text = |claims: &Map<String, Value>, name: &str| {
        claims
            .get(name)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    match edit {
        IdTokenEdit::Claim(name, value) => {
            claims.insert(name.clone(), value.clone());
        }
        IdTokenEdit::Without(name) => {
            claims.shift_remove(name);
        }
        IdTokenEdit::IssuerSlash => {
            let issuer = text(claims, "iss");
            let changed = match issuer.strip_suffix('/') {
                Some(without) => without.to_owned(),
                None => format!("{issuer}/"),
            };
            claims.insert("iss".into(), json!(changed));
        }
        IdTokenEdit::IssuerTemplate => {
            let changed = text(claims, "iss").replace(&text(claims, "tid"), "{tenantid}");
            claims.insert("iss".into(), json!(changed));
        }
        IdTokenEdit::ForeignTenant => {
            let tenant = text(claims, "tid");
            let changed = if tenant.is_empty() {
                FOREIGN_ISSUER.to_owned()
            } else {
                text(claims, "iss").replace(&tenant, FOREIGN_ID)
            };
            claims.insert("iss".into(), json!(changed));
            claims.insert("tid".into(), json!(FOREIGN_ID));
        }
        IdTokenEdit::Audiences { other, azp } => {
            let client = text(claims, "aud");
            if *azp {
                claims.insert("azp".into(), json!(client));
            }
            match (other, azp) {
                (true, _) => claims.insert("aud".into(), json!([client, FOREIGN_ID])),
                (false, false) => claims.insert("aud".into(), json!([client])),
                (false, true) => None,
            };
        }
        IdTokenEdit::Time(name, seconds) => {
            claims.insert((*name).to_owned(), json!(now + seconds));
            if *name == "exp" {
                // A token of long ago, consistent in itself.
                for begin in ["iat", "nbf"] {
                    claims.insert(begin.to_owned(), json!(now + seconds - 3600));
                }
            }
        }
        IdTokenEdit::TextTime(name) => {
            let time = claims.get(*name).map(Value::to_string).unwrap_or_default();
            claims.insert((*name).to_owned(), json!(time));
        }
        IdTokenEdit::Signature(_) | IdTokenEdit::Garbage => {}
    }
}

/// A token with these claims and something wrong in its header or signature.
pub fn forge(keys: &Keys, claims: &Value, forgery: Forgery) -> anyhow::Result<String> {
    let [first, second] = keys.pair()?;
    let kid = first.kid();
    let plain = json!({ "typ": "JWT", "alg": "RS256", "x5t": kid, "kid": kid });
    Ok(match forgery {
        Forgery::AlgNone => {
            let header = json!({ "typ": "JWT", "alg": "none" });
            format!("{}.", unsigned(&header, claims))
        }
        Forgery::AlgHs256 => {
            let header = json!({ "typ": "JWT", "alg": "HS256", "kid": kid });
            let text = unsigned(&header, claims);
            let secret = hmac::Key::new(hmac::HMAC_SHA256, first.public_key());
            let signature = BASE64URL.encode(hmac::sign(&secret, text.as_bytes()));
            format!("{text}.{signature}")
        }
        Forgery::AlgWrong => first.sign(
            json!({ "typ": "JWT", "alg": "RS512", "x5t": kid, "kid": kid }),
            claims,
        )?,
        Forgery::NoKid => first.sign(json!({ "typ": "JWT", "alg": "RS256" }), claims)?,
        Forgery::UnknownKid => {
            let other = "a-key-that-nobody-has-ever-seen";
            first.sign(
                json!({ "typ": "JWT", "alg": "RS256", "x5t": other, "kid": other }),
                claims,
            )?
        }
        Forgery::OtherKid => {
            let other = second.kid();
            first.sign(
                json!({ "typ": "JWT", "alg": "RS256", "x5t": other, "kid": other }),
                claims,
            )?
        }
        Forgery::EmbeddedKey => {
            let stranger = Key::from_pem(CLIENT_CERTIFICATE)?;
            let header = json!({ "typ": "JWT", "alg": "RS256", "kid": kid, "jwk": stranger.jwk(FOREIGN_ISSUER) });
            stranger.sign(header, claims)?
        }
        Forgery::BadSignature => {
            let other = first.sign(plain.clone(), &json!({}))?;
            let signature = other.rsplit('.').next().unwrap_or_default();
            format!("{}.{signature}", unsigned(&plain, claims))
        }
        Forgery::NoSignature => format!("{}.", unsigned(&plain, claims)),
    })
}

fn unsigned(header: &Value, claims: &Value) -> String {
    format!(
        "{}.{}",
        BASE64URL.encode(header.to_string()),
        BASE64URL.encode(claims.to_string())
    )
}
