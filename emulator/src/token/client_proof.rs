//! Which client asks, and how it proves that: by nothing, a secret (in the body or as Basic), or an assertion.

use axum::http::header;
use base64::{Engine, prelude::BASE64_STANDARD};

use super::assertion;
use crate::call::{Call, Form};
use crate::clock::iso_date;
use crate::directory::{Application, Authority};
use crate::errors::EntraError;
use crate::service::Service;

/// How a client has proved itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProofKind {
    /// Not at all: a public client.
    None,
    /// By a secret.
    Secret,
    /// By a signed assertion.
    Assertion,
}

impl ProofKind {
    /// The value of the claim `appidacr`.
    pub fn acr(self) -> &'static str {
        match self {
            Self::None => "0",
            Self::Secret => "1",
            Self::Assertion => "2",
        }
    }
}

/// The client of a token request, and how it has proved itself.
pub fn identify<'a>(
    service: &'a Service,
    call: &Call,
    authority: Authority<'_>,
    tenant: &str,
) -> Result<(&'a Application, ProofKind), EntraError> {
    let basic = basic(call);
    // An assertion names its client too.
    let asserted = assertion::client_id(call);
    let client_id = call
        .form
        .get("client_id")
        .or(basic.as_ref().map(|basic| basic.client_id.as_str()))
        .or(asserted.as_deref());
    let client_id = client_id.ok_or_else(|| EntraError::about(900144, &["client_id"]))?;
    let application = service
        .directory
        .application_at(client_id, authority, tenant)?;

    if let Some(assertion) = call.form.get("client_assertion") {
        if application.certificates.is_empty()
            && application.federated_credentials.is_empty()
            && application.public_client
        {
            return Err(EntraError::new(700025));
        }
        assertion::check(service, call, assertion, application, authority, tenant)?;
        return Ok((application, ProofKind::Assertion));
    }
    // A Basic header of someone else (of a proxy, say) proves nothing about the client in the body.
    let basic = basic.as_ref().filter(|basic| basic.client_id == client_id);
    let secrets = match (call.form.get("client_secret"), basic) {
        (Some(secret), _) => vec![secret],
        (None, Some(basic)) => vec![basic.secret.as_str(), basic.secret_as_sent.as_str()],
        (None, None) => return Ok((application, ProofKind::None)),
    };
    check_secret(application, &secrets, call.now).map(|()| (application, ProofKind::Secret))
}

/// Whether one of these is a good secret of the application.
fn check_secret(application: &Application, secrets: &[&str], now: i64) -> Result<(), EntraError> {
    let id = application.client_id.to_string();
    if application.secrets.is_empty() && application.public_client {
        return Err(EntraError::new(700025));
    }
    match application
        .secrets
        .iter()
        .find(|known| secrets.contains(&known.value.as_str()))
    {
        None => Err(EntraError::about(7000215, &[&id])),
        // Dates of this form sort like text.
        Some(known) if known.expires < iso_date(now) => Err(EntraError::about(7000222, &[&id])),
        Some(_) => Ok(()),
    }
}

/// User and password of a Basic header. Both are form-encoded first (RFC 6749, 2.3.1), but many libraries leave that out,
/// so the secret counts in either form.
struct Basic {
    client_id: String,
    secret: String,
    secret_as_sent: String,
}

fn basic(call: &Call) -> Option<Basic> {
    let header = call.header(header::AUTHORIZATION.as_str())?;
    let (scheme, credentials) = header.split_once(' ')?;
    let credentials = String::from_utf8(BASE64_STANDARD.decode(credentials.trim()).ok()?).ok()?;
    let (user, password) = credentials.split_once(':')?;
    let decode = |text: &str| {
        Form::parse(format!("text={text}").as_bytes())
            .get("text")
            .unwrap_or_default()
            .to_owned()
    };
    scheme.eq_ignore_ascii_case("basic").then(|| Basic {
        client_id: decode(user),
        secret: decode(password),
        secret_as_sent: password.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_basic_header_is_form_encoded_or_not() {
        for (sent, decoded) in [("a+b%2F%25", "a b/%"), ("a+b/%", "a b/%")] {
            let mut call = Call::internal("http://localhost", 0);
            let credentials = BASE64_STANDARD.encode(format!("id:{sent}"));
            call.headers.insert(
                header::AUTHORIZATION,
                format!("Basic {credentials}").parse().unwrap(),
            );
            let basic = basic(&call).unwrap();
            assert_eq!(basic.client_id, "id");
            assert_eq!(basic.secret, decoded);
            assert_eq!(basic.secret_as_sent, sent);
        }
    }
}
