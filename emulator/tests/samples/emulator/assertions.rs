//! Line 11: applications that prove themselves by a certificate.

use std::{
    cell::Cell,
    time::{SystemTime, UNIX_EPOCH},
};

use base64::{
    Engine,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE, BASE64_URL_SAFE_NO_PAD as BASE64URL},
};
use emulator::CLIENT_CERTIFICATE;
use ring::{
    digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest},
    rand::SystemRandom,
    rsa::KeyPair,
    signature::{RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaEncoding},
};
use serde_json::{Value, json};

use super::client::Answer;
use super::*;

const GRAPH: &str = "https://graph.microsoft.com/.default";

/// How an assertion is written.
#[derive(Clone)]
struct Assertion {
    alg: &'static str,
    thumbprint: fn(&[u8]) -> String,
    claims: Value,
    /// The last byte of the signature is another one.
    is_broken: bool,
}

impl Assertion {
    fn text(&self) -> String {
        let block = |label: &str| {
            let (_, rest) = CLIENT_CERTIFICATE
                .split_once(&format!("-----BEGIN {label}-----"))
                .unwrap();
            let (body, _) = rest.split_once("-----END").unwrap();
            BASE64_STANDARD
                .decode(body.split_whitespace().collect::<String>())
                .unwrap()
        };
        let key = KeyPair::from_pkcs8(&block("PRIVATE KEY")).unwrap();
        let (name, hash, padding): (_, _, &dyn RsaEncoding) = match self.alg {
            "PS256" => ("x5t#S256", &SHA256, &RSA_PSS_SHA256),
            _ => ("x5t", &SHA1_FOR_LEGACY_USE_ONLY, &RSA_PKCS1_SHA256),
        };
        let thumbprint = (self.thumbprint)(digest(hash, &block("CERTIFICATE")).as_ref());
        let header = json!({ "alg": self.alg, "typ": "JWT", name: thumbprint });
        let signed = format!(
            "{}.{}",
            BASE64URL.encode(header.to_string()),
            BASE64URL.encode(self.claims.to_string())
        );
        let mut signature = vec![0; key.public().modulus_len()];
        key.sign(
            padding,
            &SystemRandom::new(),
            signed.as_bytes(),
            &mut signature,
        )
        .unwrap();
        if self.is_broken {
            *signature.last_mut().unwrap() ^= 1;
        }
        format!("{signed}.{}", BASE64URL.encode(signature))
    }
}

#[test]
fn line_11_assertions_of_every_shape_and_really_checked() {
    over_both(|emulator, client| {
        let id = client_id(emulator, "client-credentials");
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap()
            .as_secs() as i64;
        let serial = Cell::new(0);
        let good = || {
            serial.set(serial.get() + 1);
            Assertion {
                alg: "PS256",
                thumbprint: |hash| BASE64URL.encode(hash),
                claims: json!({
                    "aud": format!("{}/{CONTOSO}/oauth2/v2.0/token", client.base),
                    "iss": id, "sub": id, "jti": format!("{}-{}", client.base, serial.get()),
                    "nbf": now, "iat": now, "exp": now + 600,
                }),
                is_broken: false,
            }
        };
        let send = |assertion: &Assertion, more: &[(&str, &str)]| -> Answer {
            let text = assertion.text();
            let mut fields = vec![
                ("grant_type", "client_credentials"),
                ("scope", GRAPH),
                (
                    "client_assertion_type",
                    "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
                ),
                ("client_assertion", &text),
            ];
            fields.extend(more);
            client.token("contoso.com", &fields)
        };
        let claim = |name: &str, value: Value| {
            let mut assertion = good();
            match value {
                Value::Null => drop(assertion.claims.as_object_mut().unwrap().remove(name)),
                value => assertion.claims[name] = value,
            }
            assertion
        };
        let own = [("client_id", id.as_str())];
        for (row, assertion) in [
            ("PS256, x5t#S256", good()),
            (
                "RS256, x5t",
                Assertion {
                    alg: "RS256",
                    ..good()
                },
            ),
            (
                "padded base64url",
                Assertion {
                    thumbprint: |hash| BASE64_URL_SAFE.encode(hash),
                    ..good()
                },
            ),
            (
                "plain base64",
                Assertion {
                    alg: "RS256",
                    thumbprint: |hash| BASE64_STANDARD.encode(hash),
                    ..good()
                },
            ),
            ("exp as a fraction", claim("exp", json!(now as f64 + 599.5))),
            ("iat as a fraction", claim("iat", json!(now as f64 - 0.5))),
            ("no iat", claim("iat", Value::Null)),
            ("no nbf", claim("nbf", Value::Null)),
            (
                "the issuer as audience",
                claim("aud", json!(format!("{}/{CONTOSO}/v2.0", client.base))),
            ),
            (
                "the address by domain",
                claim(
                    "aud",
                    json!(format!("{}/contoso.com/oauth2/v2.0/token", client.base)),
                ),
            ),
        ] {
            assert_eq!(send(&assertion, &own).code(), 0, "{row}");
        }
        assert_eq!(
            send(&good(), &[]).code(),
            0,
            "the assertion names the client"
        );

        for (row, assertion, code) in [
            (
                "a broken signature",
                Assertion {
                    is_broken: true,
                    ..good()
                },
                700027,
            ),
            (
                "an unknown thumbprint",
                Assertion {
                    thumbprint: |_| BASE64URL.encode([7; 32]),
                    ..good()
                },
                700027,
            ),
            (
                "another audience",
                claim("aud", json!("https://login.example/token")),
                50012,
            ),
            ("expired", claim("exp", json!(now - 700)), 700024),
            ("not yet valid", claim("nbf", json!(now + 3600)), 700024),
            ("another subject", claim("sub", json!("somebody")), 50012),
        ] {
            let answer = send(&assertion, &own);
            assert_eq!(
                (answer.status, answer.code()),
                (401, code),
                "{row}: {answer:#?}"
            );
        }
        let twice = good();
        assert_eq!(send(&twice, &own).code(), 0);
        assert_eq!(send(&twice, &own).code(), 50012, "the same jti again");
    });
}
