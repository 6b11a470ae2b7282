//! Client assertions (RFC 7523): a token signed with a certificate's key, or one that an outside issuer has signed.
//! All of them are really verified.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD as BASE64URL};
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use rustls::pki_types::{CertificateDer, SignatureVerificationAlgorithm};
use serde_json::Value;
use webpki::EndEntityCert;
use webpki::ring::{RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256_LEGACY_KEY};

use crate::call::Call;
use crate::clock::iso_date;
use crate::directory::{Application, Authority};
use crate::errors::EntraError;
use crate::keys::Jwt;
use crate::locked;
use crate::service::Service;

/// The only kind of assertion there is.
const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// How far clocks may be apart, in seconds.
const SKEW: i64 = 300;

/// The client that an assertion speaks for, if the assertion says so. It is not verified by that.
pub fn client_id(call: &Call) -> Option<String> {
    let token = Jwt::parse(call.form.get("client_assertion")?)?;
    token.text("sub").map(str::to_owned)
}

/// Whether the assertion proves that the client is this application.
pub fn check(
    service: &Service,
    call: &Call,
    assertion: &str,
    application: &Application,
    authority: Authority<'_>,
    tenant: &str,
) -> Result<(), EntraError> {
    if call.form.get("client_assertion_type") != Some(TYPE) {
        return Err(EntraError::about(
            50012,
            &["the client_assertion_type is not supported."],
        ));
    }
    let token = Jwt::parse(assertion)
        .ok_or_else(|| EntraError::about(50012, &["the client assertion is no signed JWT."]))?;
    let client_id = application.client_id.to_string();
    let own = token
        .text("iss")
        .is_some_and(|issuer| issuer.eq_ignore_ascii_case(&client_id));
    if !own {
        return check_federated(call, &token, application);
    }

    let certificate = certificate_of(&token, application)?;
    check_signature(&token, certificate)?;
    if !token
        .text("sub")
        .is_some_and(|subject| subject.eq_ignore_ascii_case(&client_id))
    {
        return Err(EntraError::about(
            50012,
            &["the subject of the client assertion is not the client."],
        ));
    }
    let names = names_of(authority, tenant);
    let addresses = names.iter().flat_map(|name| {
        ["oauth2/v2.0/token", "oauth2/token", "v2.0"]
            .map(|path| format!("{}/{name}/{path}", call.base))
    });
    let addresses: Vec<String> = addresses.collect();
    if !audiences(&token).any(|audience| addresses.iter().any(|address| address == audience)) {
        return Err(EntraError::about(
            50012,
            &["the audience of the client assertion is neither the token endpoint nor the issuer."],
        ));
    }
    check_times(&token, call.now)?;
    // Only an assertion that is good in every other way is used up.
    if is_replayed(service, call, &token, &client_id) {
        return Err(EntraError::about(
            50012,
            &["the client assertion was used before (its jti is known)."],
        ));
    }
    Ok(())
}

/// Whether an id was used for another assertion, or the assertion for the very same request. Client libraries keep an
/// assertion for some minutes and send it with several requests (one per scope, say), which is no replay.
fn is_replayed(service: &Service, call: &Call, token: &Jwt<'_>, client_id: &str) -> bool {
    let Some(id) = token.text("jti") else {
        return false;
    };
    let expires = token.time("exp").unwrap_or(call.now).saturating_add(SKEW);
    let mut assertions = locked(&service.assertions);
    let key = format!("{client_id} {id}");
    if !assertions.insert(call.now, expires, key.clone(), token.signature.clone())
        && assertions
            .get(&key)
            .is_some_and(|known| *known != token.signature)
    {
        return true;
    }
    let request = BASE64URL.encode(digest(&SHA256, &call.body));
    !assertions.insert(call.now, expires, format!("{key} {request}"), Vec::new())
}

/// A token of an outside issuer: issuer, subject and audience have to match a federated credential exactly. It may be
/// used again as long as it lives, as the token that a platform puts into a file is.
fn check_federated(
    call: &Call,
    token: &Jwt<'_>,
    application: &Application,
) -> Result<(), EntraError> {
    let matching = application.federated_credentials.iter().find(|credential| {
        token.text("iss") == Some(credential.issuer.as_str())
            && token.text("sub") == Some(credential.subject.as_str())
            && audiences(token).any(|audience| audience == credential.audience)
    });
    let credential = matching
        .ok_or_else(|| EntraError::about(700213, &[token.text("sub").unwrap_or_default()]))?;
    check_signature(token, &credential.certificate)?;
    check_times(token, call.now)
}

/// The registered certificate that the header names by its thumbprint.
fn certificate_of<'a>(
    token: &Jwt<'_>,
    application: &'a Application,
) -> Result<&'a [u8], EntraError> {
    let header = |name: &str| token.header.get(name).and_then(Value::as_str);
    let (algorithm, thumbprint) = match (header("x5t#S256"), header("x5t")) {
        (Some(thumbprint), _) => (&SHA256, thumbprint),
        (None, Some(thumbprint)) => (&SHA1_FOR_LEGACY_USE_ONLY, thumbprint),
        (None, None) => {
            return Err(EntraError::about(
                700027,
                &["The header has no thumbprint of a certificate (x5t#S256)."],
            ));
        }
    };
    let wanted = decode_any_base64(thumbprint);
    let known = application
        .certificates
        .iter()
        .find(|certificate| wanted.as_deref() == Some(digest(algorithm, certificate).as_ref()));
    known.map(Vec::as_slice).ok_or_else(|| {
        EntraError::about(
            700027,
            &[&format!(
                "The key was not found. Thumbprint of key used by client: '{thumbprint}'"
            )],
        )
    })
}

fn check_signature(token: &Jwt<'_>, certificate: &[u8]) -> Result<(), EntraError> {
    let invalid = |reason: &str| EntraError::about(700027, &[reason]);
    let algorithm: &dyn SignatureVerificationAlgorithm =
        match token.header.get("alg").and_then(Value::as_str) {
            Some("PS256") => RSA_PSS_2048_8192_SHA256_LEGACY_KEY,
            Some("RS256") => RSA_PKCS1_2048_8192_SHA256,
            _ => return Err(invalid("The algorithm is neither PS256 nor RS256.")),
        };
    let certificate = CertificateDer::from(certificate);
    let certificate = EndEntityCert::try_from(&certificate)
        .map_err(|_| invalid("The certificate is unusable."))?;
    certificate
        .verify_signature(algorithm, token.signed, &token.signature)
        .map_err(|_| invalid("The signature is invalid."))
}

fn check_times(token: &Jwt<'_>, now: i64) -> Result<(), EntraError> {
    let begins = token.time("nbf").or(token.time("iat"));
    let ends = token.time("exp");
    let is_valid = begins.is_none_or(|begins| begins <= now.saturating_add(SKEW))
        && ends.is_some_and(|ends| ends > now.saturating_sub(SKEW));
    let shown = |time: Option<i64>| {
        time.map_or("(missing)".to_owned(), |time| {
            format!("{}Z", iso_date(time))
        })
    };
    if is_valid {
        Ok(())
    } else {
        Err(EntraError::about(
            700024,
            &[&shown(Some(now)), &shown(begins), &shown(ends)],
        ))
    }
}

/// `aud` is one text or several.
fn audiences<'a>(token: &'a Jwt<'_>) -> impl Iterator<Item = &'a str> {
    let audience = token.claims.get("aud");
    let several = audience.and_then(Value::as_array).into_iter().flatten();
    audience
        .into_iter()
        .chain(several)
        .filter_map(Value::as_str)
}

/// What the `<tenant>` of an address may be, in the place of the one that was used.
fn names_of<'a>(authority: Authority<'a>, used: &'a str) -> Vec<String> {
    let mut names = vec![used.to_owned()];
    if let Authority::Tenant(tenant) = authority {
        names.push(tenant.id.to_string());
        names.extend(tenant.domains.iter().cloned());
    }
    names
}

/// Base64 for URLs or plain, padded or not.
fn decode_any_base64(text: &str) -> Option<Vec<u8>> {
    BASE64URL
        .decode(
            text.trim_end_matches('=')
                .replace('+', "-")
                .replace('/', "_"),
        )
        .ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::call::Form;
    use crate::keys::{Key, pem};
    use crate::{CLIENT_CERTIFICATE, Emulator, Options};

    /// The code of the refusal of a request with this assertion, or 0.
    fn refusal(emulator: &Emulator, assertion: &str) -> u32 {
        let service = &emulator.service;
        let authority = service.directory.authority("contoso.com").unwrap();
        let application = service
            .directory
            .application_by_key("client-credentials")
            .unwrap();
        let mut call = Call::internal(emulator.url(), service.clock.now());
        call.form = Form::parse(format!("client_assertion_type={TYPE}").as_bytes());
        check(
            service,
            &call,
            assertion,
            application,
            authority,
            "contoso.com",
        )
        .err()
        .map_or(0, |error| error.code)
    }

    /// An assertion of the sample's certificate with some claims changed.
    fn assertion(emulator: &Emulator, changes: Value) -> String {
        let certificate = pem("CERTIFICATE", CLIENT_CERTIFICATE).unwrap();
        let thumbprint = BASE64URL.encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, &certificate));
        let client = emulator
            .directory()
            .application_by_key("client-credentials")
            .unwrap()
            .client_id;
        let now = emulator.service.clock.now();
        let mut claims = json!({ "aud": format!("{}/contoso.com/oauth2/v2.0/token", emulator.url()), "iss": client, "sub": client, "jti": "1", "nbf": now, "exp": now as f64 + 300.5 });
        claims
            .as_object_mut()
            .unwrap()
            .extend(changes.as_object().unwrap().clone());
        Key::from_pem(CLIENT_CERTIFICATE)
            .unwrap()
            .sign(
                json!({ "typ": "JWT", "alg": "RS256", "x5t": thumbprint }),
                &claims,
            )
            .unwrap()
    }

    #[test]
    fn a_certificate_assertion_has_to_be_right_in_everything() {
        let emulator = Emulator::start(Options::default()).unwrap();
        let now = emulator.service.clock.now();
        assert_eq!(
            refusal(
                &emulator,
                &assertion(&emulator, json!({ "aud": "https://elsewhere.example" }))
            ),
            50012
        );
        assert_eq!(
            refusal(
                &emulator,
                &assertion(&emulator, json!({ "exp": now - 600 }))
            ),
            700024
        );
        assert_eq!(
            refusal(
                &emulator,
                &assertion(&emulator, json!({ "nbf": now + 600 }))
            ),
            700024
        );
        assert_eq!(refusal(&emulator, "a.b.c"), 50012);

        let good = assertion(&emulator, json!({}));
        let (signed, _) = good.rsplit_once('.').unwrap();
        let (_, foreign) = assertion(&emulator, json!({ "jti": "2" }))
            .rsplit_once('.')
            .map(|(a, b)| (a.to_owned(), b.to_owned()))
            .unwrap();
        assert_eq!(refusal(&emulator, &format!("{signed}.{foreign}")), 700027);
        assert_eq!(refusal(&emulator, &good), 0);
        assert_eq!(refusal(&emulator, &good), 50012, "a replay");
    }

    #[test]
    fn an_outside_token_has_to_match_a_federated_credential() {
        let emulator = Emulator::start(Options::default()).unwrap();
        let token = emulator.federated_token("client-credentials").unwrap();
        assert_eq!(
            (refusal(&emulator, &token), refusal(&emulator, &token)),
            (0, 0),
            "it may be used again"
        );
        emulator.advance_clock(3600 + SKEW);
        assert_eq!(refusal(&emulator, &token), 700024);
        assert_eq!(
            refusal(
                &emulator,
                &assertion(&emulator, json!({ "iss": "https://issuer.example/toy" }))
            ),
            700213
        );
    }
}
