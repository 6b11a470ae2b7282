//! Validates an ID token: OpenID Connect Core 3.1.3.7, with what is peculiar to Entra ID, see
//! [ID token claims](https://learn.microsoft.com/entra/identity-platform/id-token-claims-reference).

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use common::text;
use ring::{
    digest::{SHA256, digest},
    signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents},
};
use serde::Deserialize;
use serde_json::{Map, Value};

/// How far clocks may be apart, in seconds.
const SKEW: u64 = 120;
/// A longer token, in bytes, is none.
const LONGEST: usize = 64 << 10;

/// A key of the provider (RFC 7517), with the issuer that Entra ID adds to it.
#[derive(Clone, Debug, Deserialize)]
pub struct Key {
    pub kid: Option<String>,
    kty: String,
    #[serde(default)]
    r#use: Option<String>,
    #[serde(default)]
    n: String,
    #[serde(default)]
    e: String,
    issuer: Option<String>,
}

/// What a token has to say.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// The metadata's issuer; Entra ID writes `{tenantid}` where the tenant is anybody's.
    pub issuer: &'a str,
    pub client_id: &'a str,
    /// What the sign-in sent along; none after a refresh, which has none.
    pub nonce: Option<&'a str>,
    /// Whether `tid` is a must, as it is at Entra ID and External ID.
    pub tenant: bool,
    /// The access token that came with it, for `at_hash`.
    pub access_token: &'a str,
    /// Seconds since 1970.
    pub now: u64,
}

/// Who has signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub iss: String,
    pub sub: String,
    /// The name to show.
    pub name: String,
    /// Seconds since 1970.
    pub exp: u64,
}

/// The id of the key that a token names in its header.
///
/// # Errors
/// No token, or one without `kid`, or of an algorithm other than RS256.
pub fn key_id(token: &str) -> Result<String, &'static str> {
    if token.len() > LONGEST {
        return Err("it is too long");
    }
    let header = part(token, 0).ok_or("it is no JWT")?;
    if header.get("alg").and_then(Value::as_str) != Some("RS256") {
        return Err("its algorithm (alg) is not RS256");
    }
    if header.contains_key("crit") {
        return Err("it has critical header fields (crit) that this app does not know");
    }
    let kid = header.get("kid").and_then(Value::as_str);
    kid.map(str::to_owned).ok_or("it names no key (kid)")
}

/// Checks a token with the key that it names.
///
/// # Errors
/// The first thing that is wrong with it.
pub fn validate(token: &str, key: &Key, expected: Expected<'_>) -> Result<Identity, &'static str> {
    check_signature(token, key)?;
    let claims = part(token, 1).ok_or("it is no JWT")?;
    let claim = |name: &str| {
        claims
            .get(name)
            .and_then(Value::as_str)
            .filter(|value| !value.is_empty())
    };

    let tid = claim("tid");
    if expected.tenant && !tid.is_some_and(is_guid) {
        return Err("its tenant (tid) is missing or no GUID");
    }
    let iss = claim("iss").ok_or("its issuer (iss) is missing")?;
    let is_issuer = |template: &str| template.replace("{tenantid}", tid.unwrap_or_default()) == iss;
    if !is_issuer(expected.issuer) || !key.issuer.as_deref().is_none_or(is_issuer) {
        return Err("its issuer (iss) is another one");
    }
    if expected.tenant && !iss.split('/').any(|part| Some(part) == tid) {
        return Err("its tenant (tid) is not the issuer's");
    }
    let audience = match claims.get("aud") {
        Some(Value::Array(one)) if one.len() == 1 => one.first(),
        audience => audience,
    };
    if audience.and_then(Value::as_str) != Some(expected.client_id) {
        return Err("it is for another app, or for several (aud)");
    }
    if claims
        .get("azp")
        .is_some_and(|azp| azp.as_str() != Some(expected.client_id))
    {
        return Err("it was given to another app (azp)");
    }
    let sub = claim("sub").ok_or("its subject (sub) is missing")?;

    let exp = time(&claims, "exp")?.ok_or("its end (exp) is missing")?;
    let iat = time(&claims, "iat")?.ok_or("its beginning (iat) is missing")?;
    let nbf = time(&claims, "nbf")?;
    if exp.saturating_add(SKEW) <= expected.now {
        return Err("it has expired (exp)");
    }
    if iat.max(nbf.unwrap_or(0)) > expected.now.saturating_add(SKEW) {
        return Err("it is not valid yet (iat, nbf): check this machine's clock");
    }
    if expected.nonce.is_some() && claim("nonce") != expected.nonce {
        return Err("it belongs to another sign-in (nonce)");
    }
    if claims
        .get("at_hash")
        .is_some_and(|hash| hash.as_str() != Some(&half_hash(expected.access_token)))
    {
        return Err("it belongs to another access token (at_hash)");
    }
    let name = claim("name").or(claim("preferred_username")).unwrap_or(sub);
    Ok(Identity {
        iss: iss.to_owned(),
        sub: sub.to_owned(),
        name: text::one_line(name, 256),
        exp,
    })
}

fn check_signature(token: &str, key: &Key) -> Result<(), &'static str> {
    if key.kty != "RSA" || key.r#use.as_deref().is_some_and(|r#use| r#use != "sig") {
        return Err("the key that it names is not for RSA signatures");
    }
    let decode = |text: &str| URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok();
    let (Some(n), Some(e)) = (decode(&key.n), decode(&key.e)) else {
        return Err("the key that it names is malformed");
    };
    // Some write the modulus with a zero byte in front, which is no part of the number.
    let n = n
        .iter()
        .copied()
        .skip_while(|byte| *byte == 0)
        .collect::<Vec<_>>();
    let (message, signature) = token.rsplit_once('.').ok_or("it is no JWT")?;
    let signature = decode(signature).ok_or("it is no JWT")?;
    RsaPublicKeyComponents { n, e }
        .verify(&RSA_PKCS1_2048_8192_SHA256, message.as_bytes(), &signature)
        .map_err(|_| "its signature is wrong")
}

/// One of the two JSON parts of a token with exactly three parts.
fn part(token: &str, index: usize) -> Option<Map<String, Value>> {
    let parts: Vec<_> = token.split('.').collect();
    let [header, claims, _] = parts.as_slice() else {
        return None;
    };
    let part = if index == 0 { header } else { claims };
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

/// Seconds since 1970; a fraction does not count.
fn time(claims: &Map<String, Value>, name: &str) -> Result<Option<u64>, &'static str> {
    let number = match claims.get(name) {
        None => return Ok(None),
        Some(value) => value.as_u64().or(value
            .as_f64()
            .filter(|time| *time >= 0.0)
            .map(|time| time as u64)),
    };
    number.map(Some).ok_or("one of its times is no number")
}

fn half_hash(token: &str) -> String {
    let hash = digest(&SHA256, token.as_bytes());
    URL_SAFE_NO_PAD.encode(hash.as_ref().get(..16).unwrap_or_default())
}

/// As Entra ID writes them: 8-4-4-4-12 hexadecimal digits.
pub fn is_guid(text: &str) -> bool {
    let lengths: Vec<_> = text.split('-').map(str::len).collect();
    lengths == [8, 4, 4, 4, 12]
        && text
            .bytes()
            .all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}
