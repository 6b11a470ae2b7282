//! What an OpenID provider, or somebody who plays one, can do wrong: the mistakes of the relying-party conformance
//! tests, by name.

use anyhow::{Context, bail};
use serde_json::Value;

use super::{Edit, Effect};

/// The faults, each with the endpoint that it is for.
#[rustfmt::skip] // one line per fault
pub const FAULTS: &[(&str, &str, &str)] = &[
    ("idtoken", "wrong-iss", "another provider's iss; =ISSUER: this one"),
    ("idtoken", "iss-slash", "the right iss with a slash more, or less"),
    ("idtoken", "iss-template", "an iss with the literal {tenantid}"),
    ("idtoken", "no-iss", "no iss"),
    ("idtoken", "wrong-aud", "another client's aud"),
    ("idtoken", "no-aud", "no aud"),
    ("idtoken", "aud-array", "aud is an array of the client and another, without azp"),
    ("idtoken", "aud-array-azp", "aud is an array of the client and another, with the right azp"),
    ("idtoken", "aud-array-one", "aud is an array of the client alone, which is right"),
    ("idtoken", "wrong-azp", "another client's azp"),
    ("idtoken", "right-azp", "the client's azp, which is right"),
    ("idtoken", "no-sub", "no sub"),
    ("idtoken", "wrong-sub", "another sub; at a refresh: the sub has changed"),
    ("idtoken", "wrong-nonce", "another nonce"),
    ("idtoken", "no-nonce", "no nonce"),
    ("idtoken", "wrong-at-hash", "an at_hash of another access token"),
    ("idtoken", "wrong-c-hash", "a c_hash of another code"),
    ("idtoken", "no-c-hash", "no c_hash"),
    ("idtoken", "alg-none", "alg none and no signature"),
    ("idtoken", "alg-hs256", "alg HS256, the public key as its secret"),
    ("idtoken", "alg-wrong", "alg RS512 over a signature of RS256"),
    ("idtoken", "no-kid", "no kid (and no x5t)"),
    ("idtoken", "unknown-kid", "the kid of no key"),
    ("idtoken", "other-kid", "the kid of another published key"),
    ("idtoken", "embedded-key", "a stranger's key, which the header brings along as jwk"),
    ("idtoken", "bad-signature", "a signature of something else"),
    ("idtoken", "no-signature", "the right header, and no signature"),
    ("idtoken", "expired", "exp an hour ago"),
    ("idtoken", "no-exp", "no exp"),
    ("idtoken", "text-exp", "exp is text"),
    ("idtoken", "not-yet-valid", "nbf in an hour"),
    ("idtoken", "no-iat", "no iat"),
    ("idtoken", "future-iat", "iat in an hour"),
    ("idtoken", "no-tid", "no tid"),
    ("idtoken", "wrong-tid", "another tenant's tid, the iss unchanged"),
    ("idtoken", "foreign-tenant", "another tenant's tid, and its iss"),
    ("idtoken", "garbage", "no token at all, but some words"),
    ("idtoken", "without=CLAIM", "without this claim"),
    ("idtoken", "claim=CLAIM=JSON", "with this value of a claim"),
    ("authorize", "no-state", "the answer without state"),
    ("authorize", "wrong-state", "the answer with another state"),
    ("authorize", "state-twice", "the answer with state, and another state"),
    ("authorize", "no-code", "the answer without code"),
    ("authorize", "wrong-code", "the answer with a code that was never issued"),
    ("authorize", "code-twice", "the answer with code, and another code"),
    ("authorize", "code-and-error", "the answer with both code and error"),
    ("authorize", "iss=ISSUER", "the answer with this iss (RFC 9207)"),
    ("authorize", "bare-error=NAME", "an error of this name without a description"),
    ("authorize", "cancel", "the user cancels (at B2C: AADB2C90091)"),
    ("authorize", "forgot-password", "the user chooses \"Forgot your password?\" (AADB2C90118)"),
    ("discovery", "wrong-issuer", "another provider's issuer; =ISSUER: this one"),
    ("discovery", "http-endpoints", "all addresses begin with http://login.example"),
    ("discovery", "foreign-endpoints", "all addresses begin with https://login.example"),
    ("discovery", "without=FIELD", "without this field, such as jwks_uri or end_session_endpoint"),
    ("discovery", "field=FIELD=JSON", "with this value of a field"),
    ("keys", "no-keys", "an empty list of keys"),
    ("keys", "strange-keys", "only keys that nobody signs with"),
    ("keys", "wrong-issuer", "keys of another issuer; =ISSUER: this one"),
    ("keys", "no-kid", "keys without kid"),
    ("keys", "garbage", "JSON that ends in the middle"),
    ("userinfo", "wrong-sub", "another sub"),
    ("userinfo", "without=FIELD", "without this field"),
    ("token", "no-id-token", "the answer without id_token"),
    ("token", "no-access-token", "the answer without access_token"),
    ("token", "without-scope=SCOPE", "the answer without this word in scope: partly granted"),
];

/// Somebody else's issuer.
pub const FOREIGN_ISSUER: &str = "https://login.example/11111111-2222-3333-4444-555555555555/v2.0";
/// Somebody else's id.
pub const FOREIGN_ID: &str = "11111111-2222-3333-4444-555555555555";

/// A change to an ID token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IdTokenEdit {
    /// A claim has this value.
    Claim(String, Value),
    /// A claim is left out.
    Without(String),
    /// The issuer has a slash more or less at its end.
    IssuerSlash,
    /// The issuer has Entra's placeholder in the place of the tenant.
    IssuerTemplate,
    /// Another tenant, with its own issuer.
    ForeignTenant,
    /// `aud` is an array: with another client, with `azp`.
    Audiences {
        /// Another client is in it.
        other: bool,
        /// `azp` names the client.
        azp: bool,
    },
    /// A time is so many seconds from now.
    Time(&'static str, i64),
    /// A time is text.
    TextTime(&'static str),
    /// Something about header or signature.
    Signature(Forgery),
    /// No token.
    Garbage,
}

/// What is wrong with header or signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forgery {
    /// `none`.
    AlgNone,
    /// `HS256` with the public key.
    AlgHs256,
    /// A name of another algorithm.
    AlgWrong,
    /// No `kid`.
    NoKid,
    /// A `kid` that no key has.
    UnknownKid,
    /// The `kid` of another key.
    OtherKid,
    /// A key in the header.
    EmbeddedKey,
    /// The signature of something else.
    BadSignature,
    /// An empty signature.
    NoSignature,
}

/// A change to what the browser brings back to the application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WayBackEdit {
    /// A field is left out.
    Without(&'static str),
    /// A field has this value.
    Set(&'static str, String),
    /// A field comes once more, with another value.
    Twice(&'static str),
    /// Code and error.
    CodeAndError,
}

/// A refusal at the authorization endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WayBackError {
    /// An error without a description.
    Bare(String),
    /// The user cancels.
    Cancel,
    /// The user has forgotten the password.
    ForgotPassword,
}

/// The fault of this name at this endpoint, if there is one.
pub(super) fn effect(
    endpoint: &str,
    name: &str,
    argument: Option<&str>,
) -> anyhow::Result<Option<Effect>> {
    Ok(match endpoint {
        "idtoken" => match id_token_edit(name, argument)? {
            Some(edit) => Some(Effect::IdToken(edit)),
            None => bail!("there is no fault '{name}' for ID tokens"),
        },
        "authorize" => authorize_effect(name, argument)?,
        "discovery" | "keys" | "userinfo" | "token" => {
            document_edit(endpoint, name, argument)?.map(Effect::Edit)
        }
        _ => None,
    })
}

fn id_token_edit(name: &str, argument: Option<&str>) -> anyhow::Result<Option<IdTokenEdit>> {
    use IdTokenEdit::*;
    let claim = |name: &str, value: &str| Claim(name.to_owned(), Value::from(value));
    let without = |name: &str| Without(name.to_owned());
    let another = "of-somebody-else";
    Ok(Some(match name {
        "wrong-iss" => claim("iss", argument.unwrap_or(FOREIGN_ISSUER)),
        "iss-slash" => IssuerSlash,
        "iss-template" => IssuerTemplate,
        "wrong-aud" => claim("aud", FOREIGN_ID),
        "aud-array" => Audiences {
            other: true,
            azp: false,
        },
        "aud-array-azp" => Audiences {
            other: true,
            azp: true,
        },
        "aud-array-one" => Audiences {
            other: false,
            azp: false,
        },
        "wrong-azp" => claim("azp", FOREIGN_ID),
        "right-azp" => Audiences {
            other: false,
            azp: true,
        },
        "wrong-sub" => claim("sub", another),
        "wrong-nonce" => claim("nonce", another),
        "wrong-at-hash" => claim("at_hash", "77QmUPtjPfzWtF2AnpK9RQ"),
        "wrong-c-hash" => claim("c_hash", "LDktKdoQak3Pk0cnXxCltA"),
        "no-c-hash" => without("c_hash"),
        "wrong-tid" => claim("tid", FOREIGN_ID),
        "foreign-tenant" => ForeignTenant,
        "no-iss" | "no-aud" | "no-sub" | "no-nonce" | "no-exp" | "no-iat" | "no-tid" => {
            without(name.trim_start_matches("no-"))
        }
        "alg-none" => Signature(Forgery::AlgNone),
        "alg-hs256" => Signature(Forgery::AlgHs256),
        "alg-wrong" => Signature(Forgery::AlgWrong),
        "no-kid" => Signature(Forgery::NoKid),
        "unknown-kid" => Signature(Forgery::UnknownKid),
        "other-kid" => Signature(Forgery::OtherKid),
        "embedded-key" => Signature(Forgery::EmbeddedKey),
        "bad-signature" => Signature(Forgery::BadSignature),
        "no-signature" => Signature(Forgery::NoSignature),
        "expired" => Time("exp", -3600),
        "not-yet-valid" => Time("nbf", 3600),
        "future-iat" => Time("iat", 3600),
        "text-exp" => TextTime("exp"),
        "garbage" => Garbage,
        "without" => without(argument.context("without needs the name of a claim")?),
        "claim" => {
            let (name, value) = name_and_json(argument)?;
            Claim(name, value)
        }
        _ => return Ok(None),
    }))
}

fn authorize_effect(name: &str, argument: Option<&str>) -> anyhow::Result<Option<Effect>> {
    use WayBackEdit::*;
    let another = || "of-somebody-else".to_owned();
    let edit = match name {
        "no-state" => Without("state"),
        "wrong-state" => Set("state", another()),
        "state-twice" => Twice("state"),
        "no-code" => Without("code"),
        "wrong-code" => Set("code", another()),
        "code-twice" => Twice("code"),
        "code-and-error" => CodeAndError,
        "iss" => Set("iss", argument.context("iss needs an issuer")?.to_owned()),
        "bare-error" => {
            let name = argument.context("bare-error needs a name")?.to_owned();
            return Ok(Some(Effect::WayBackError(WayBackError::Bare(name))));
        }
        "cancel" => return Ok(Some(Effect::WayBackError(WayBackError::Cancel))),
        "forgot-password" => {
            return Ok(Some(Effect::WayBackError(WayBackError::ForgotPassword)));
        }
        _ => return Ok(None),
    };
    Ok(Some(Effect::WayBack(edit)))
}

fn document_edit(
    endpoint: &str,
    name: &str,
    argument: Option<&str>,
) -> anyhow::Result<Option<Edit>> {
    let text = |name: &str, value: &str| Edit::Set(name.to_owned(), Value::from(value));
    let issuer = argument.unwrap_or(FOREIGN_ISSUER);
    Ok(Some(match (endpoint, name) {
        ("discovery", "wrong-issuer") => text("issuer", issuer),
        ("discovery", "http-endpoints") => Edit::Addresses("http://login.example"),
        ("discovery", "foreign-endpoints") => Edit::Addresses("https://login.example"),
        ("discovery", "field") => {
            let (name, value) = name_and_json(argument)?;
            Edit::Set(name, value)
        }
        ("discovery" | "userinfo", "without") => {
            Edit::Remove(argument.context("without needs a name")?.to_owned())
        }
        ("keys", "no-keys") => Edit::Set("keys".to_owned(), Value::Array(Vec::new())),
        ("keys", "strange-keys") => Edit::StrangeKeys,
        ("keys", "wrong-issuer") => Edit::OfEachKey("issuer", Some(issuer.to_owned())),
        ("keys", "no-kid") => Edit::OfEachKey("kid", None),
        ("keys", "garbage") => Edit::Half,
        ("userinfo", "wrong-sub") => text("sub", "of-somebody-else"),
        ("token", "no-id-token") => Edit::Remove("id_token".to_owned()),
        ("token", "no-access-token") => Edit::Remove("access_token".to_owned()),
        ("token", "without-scope") => {
            Edit::WithoutScope(argument.context("without-scope needs a scope")?.to_owned())
        }
        _ => return Ok(None),
    }))
}

/// `name=JSON`; what is no JSON is text.
fn name_and_json(argument: Option<&str>) -> anyhow::Result<(String, Value)> {
    let (name, value) = argument
        .and_then(|argument| argument.split_once('='))
        .context("a name, = and a value are needed")?;
    let json = serde_json::from_str(value).unwrap_or_else(|_| Value::from(value));
    Ok((name.to_owned(), json))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_listed_fault_can_be_set() {
        for (endpoint, form, _) in FAULTS {
            let fault = form
                .replace("=CLAIM=JSON", "=sub=7")
                .replace("=FIELD=JSON", "=issuer=[]");
            assert!(
                format!("{endpoint}:{fault}")
                    .parse::<super::super::Fault>()
                    .is_ok(),
                "{endpoint}:{form}"
            );
        }
        assert!("idtoken:hang".parse::<super::super::Fault>().is_err());
        assert!("token:wrong-iss".parse::<super::super::Fault>().is_err());
    }
}
