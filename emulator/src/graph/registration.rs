//! Writing to `/applications`: an app that is registered here can sign in at once, until the emulator stops.

use std::convert::Infallible;

use base64::{
    Engine,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD as BASE64URL},
};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::access::Caller;
use super::applications::{Wanted, describe, find};
use super::permissions::{self, GRAPH_APP_ID};
use super::{Answer, CONTEXT, GraphError, body, entity};
use crate::call::Call;
use crate::clock::iso_date;
use crate::directory::{Application, Audience, Secret};
use crate::service::Service;

const WRITE: &[&str] = &["Application.ReadWrite.All"];
const RESOURCE: &str = "Application";

/// How long a secret lives that is added without an end: two years, in seconds.
const SECRET_LIFETIME: i64 = 2 * 365 * 24 * 3600;

/// `POST /applications`
pub fn create(service: &Service, call: &Call, caller: &Caller) -> Result<Answer, GraphError> {
    caller.need(WRITE, WRITE)?;
    let body = body::read(call, RESOURCE, body::APPLICATION)?;
    let display_name = body.get("displayName").and_then(Value::as_str);
    let client_id = Uuid::new_v4();
    let mut application = Application {
        key: client_id.to_string(),
        tenant: caller.tenant.to_string(),
        object_id: Uuid::new_v4(),
        client_id,
        plain_client_id: None,
        display_name: display_name
            .ok_or_else(|| body::missing(RESOURCE, "displayName"))?
            .to_owned(),
        note: None,
        created: now(call),
        audience: Audience::MyOrg,
        public_client: false,
        disabled: false,
        permissions: Vec::new(),
        consented: Vec::new(),
        roles: Vec::new(),
        withheld: Vec::new(),
        redirect_uris: Vec::new(),
        public_redirect_uris: Vec::new(),
        spa_redirect_uris: Vec::new(),
        logout_url: None,
        id_tokens: false,
        access_tokens: false,
        secrets: Vec::new(),
        certificates: Vec::new(),
        federated_credentials: Vec::new(),
        written: Map::new(),
        lacks_service_principal: true,
        deleted: false,
    };
    write(&mut application, body)?;
    let written = service.directory.write(|| Ok::<_, Infallible>(application));
    let Ok(written) = written;
    let object = describe(service, written.ok_or_else(GraphError::full)?);
    Ok(Answer::created(entity("applications", object)))
}

/// `PATCH /applications/{…}`
pub fn update(
    service: &Service,
    call: &Call,
    caller: &Caller,
    wanted: &Wanted<'_>,
) -> Result<Answer, GraphError> {
    caller.need(WRITE, WRITE)?;
    let body = body::read(call, RESOURCE, body::APPLICATION)?;
    change(service, caller, wanted, |application| {
        write(application, body)
    })?;
    Ok(Answer::no_content())
}

/// `DELETE /applications/{…}`
pub fn delete(
    service: &Service,
    caller: &Caller,
    wanted: &Wanted<'_>,
) -> Result<Answer, GraphError> {
    caller.need(WRITE, WRITE)?;
    change(service, caller, wanted, |application| {
        application.deleted = true;
        Ok(())
    })?;
    Ok(Answer::no_content())
}

/// `POST /applications/{…}/addPassword`: the only answer that ever shows the secret.
pub fn add_password(
    service: &Service,
    call: &Call,
    caller: &Caller,
    wanted: &Wanted<'_>,
) -> Result<Answer, GraphError> {
    caller.need(WRITE, WRITE)?;
    let body = body::read(call, RESOURCE, body::ADD_PASSWORD)?;
    let asked = |name: &str| body.get("passwordCredential")?.get(name)?.as_str();
    let text: Vec<u8> = [Uuid::new_v4(), Uuid::new_v4()]
        .iter()
        .flat_map(|id| id.into_bytes())
        .collect();
    let secret = Secret {
        key_id: Uuid::new_v4(),
        display_name: asked("displayName").unwrap_or_default().to_owned(),
        // No dash at its beginning, which a careless command line takes for a flag.
        value: format!("toy~{}", BASE64URL.encode(text)),
        expires: asked("endDateTime").map_or_else(
            || iso_date(call.now.saturating_add(SECRET_LIFETIME)) + "Z",
            str::to_owned,
        ),
    };
    let hint: String = secret.value.chars().take(3).collect();
    let answer = json!({
        "@odata.context": format!("{CONTEXT}microsoft.graph.passwordCredential"),
        "customKeyIdentifier": null,
        "displayName": secret.display_name,
        "endDateTime": secret.expires,
        "hint": hint,
        "keyId": secret.key_id,
        "secretText": secret.value,
        "startDateTime": asked("startDateTime").map_or_else(|| now(call), str::to_owned),
    });
    change(service, caller, wanted, |application| {
        application.secrets.push(secret);
        Ok(())
    })?;
    Ok(Answer::from(answer))
}

/// `POST /applications/{…}/removePassword`
pub fn remove_password(
    service: &Service,
    call: &Call,
    caller: &Caller,
    wanted: &Wanted<'_>,
) -> Result<Answer, GraphError> {
    caller.need(WRITE, WRITE)?;
    let body = body::read(call, RESOURCE, body::REMOVE_PASSWORD)?;
    let key_id = body::guid(&body, RESOURCE, "keyId")?;
    change(service, caller, wanted, |application| {
        let before = application.secrets.len();
        application.secrets.retain(|secret| secret.key_id != key_id);
        if application.secrets.len() == before {
            return Err(GraphError::bad_request(
                "Request_BadRequest",
                format!("No password credential found with keyId '{key_id}'."),
            ));
        }
        Ok(())
    })?;
    Ok(Answer::no_content())
}

/// Writes another version of an application.
pub fn change<'a>(
    service: &'a Service,
    caller: &Caller,
    wanted: &Wanted<'_>,
    change: impl FnOnce(&mut Application) -> Result<(), GraphError>,
) -> Result<&'a Application, GraphError> {
    let written = service.directory.write(|| {
        let mut application = find(service, caller, wanted)?.clone();
        change(&mut application)?;
        Ok::<_, GraphError>(application)
    })?;
    written.ok_or_else(GraphError::full)
}

/// Writes properties, and has what matters to sign-ins follow them.
fn write(application: &mut Application, mut body: Map<String, Value>) -> Result<(), GraphError> {
    if let Some(keys) = body.get_mut("keyCredentials").and_then(Value::as_array_mut) {
        keep_keys(application, keys);
        application.certificates = keys.iter().map(certificate).collect::<Result<_, _>>()?;
    }
    let texts = |value: Option<&Value>| -> Vec<String> {
        let values = value.and_then(Value::as_array).into_iter().flatten();
        values
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect()
    };
    for (name, value) in &body {
        match (name.as_str(), value) {
            ("displayName", Value::String(name)) => application.display_name.clone_from(name),
            ("displayName", _) => return Err(body::missing(RESOURCE, "displayName")),
            ("isFallbackPublicClient", value) => {
                application.public_client = value.as_bool().unwrap_or(false);
            }
            ("signInAudience", value) => {
                application.audience = Audience::deserialize(value)
                    .map_err(|_| body::missing(RESOURCE, "signInAudience"))?;
            }
            ("publicClient", value) if value.get("redirectUris").is_some() => {
                application.public_redirect_uris = texts(value.get("redirectUris"));
            }
            ("spa", value) if value.get("redirectUris").is_some() => {
                application.spa_redirect_uris = texts(value.get("redirectUris"));
            }
            ("web", value) => {
                if value.get("redirectUris").is_some() {
                    application.redirect_uris = texts(value.get("redirectUris"));
                }
                if let Some(url) = value.get("logoutUrl") {
                    application.logout_url = url.as_str().map(str::to_owned);
                }
                let grants = value.get("implicitGrantSettings");
                let flag = |name| grants.and_then(|grants| grants.get(name)?.as_bool());
                if let Some(flag) = flag("enableIdTokenIssuance") {
                    application.id_tokens = flag;
                }
                if let Some(flag) = flag("enableAccessTokenIssuance") {
                    application.access_tokens = flag;
                }
            }
            ("requiredResourceAccess", value) => application.permissions = delegated(value),
            _ => {}
        }
    }
    for (name, value) in body {
        application.written.insert(name, value);
    }
    Ok(())
}

/// Graph never shows a key, so that a list that is written back lacks those that are there already.
fn keep_keys(application: &Application, keys: &mut [Value]) {
    let known = application.written.get("keyCredentials");
    let known = known
        .and_then(Value::as_array)
        .map_or(&[][..], Vec::as_slice);
    for key in keys {
        if key.get("key").is_some_and(|key| !key.is_null()) {
            continue;
        }
        let same = |other: &&Value| other.get("keyId") == key.get("keyId");
        let kept = known.iter().find(same).and_then(|known| known.get("key"));
        if let (Some(kept), Some(key)) = (kept, key.as_object_mut()) {
            key.insert("key".into(), kept.clone());
        }
    }
}

/// The certificate of a key credential. Clients break its base64 into lines.
fn certificate(credential: &Value) -> Result<Vec<u8>, GraphError> {
    let key = credential.get("key").and_then(Value::as_str);
    let key: Option<String> = key.map(|key| key.split_whitespace().collect());
    key.and_then(|key| BASE64_STANDARD.decode(key).ok())
        .ok_or_else(|| {
            GraphError::bad_request(
                "KeyCredentialsInvalidKey",
                "The value for the key credential is invalid: it is no certificate in base64.",
            )
        })
}

/// The delegated permissions of Graph in a `requiredResourceAccess`.
fn delegated(value: &Value) -> Vec<String> {
    let resources = value.as_array().into_iter().flatten();
    let id = |value: &Value, name: &str| Uuid::try_parse(value.get(name)?.as_str()?).ok();
    resources
        .filter(|resource| id(resource, "resourceAppId") == Some(GRAPH_APP_ID))
        .filter_map(|resource| resource.get("resourceAccess")?.as_array())
        .flatten()
        .filter(|access| access.get("type").and_then(Value::as_str) == Some("Scope"))
        .filter_map(|access| permissions::name(permissions::DELEGATED, id(access, "id")?))
        .map(str::to_owned)
        .collect()
}

fn now(call: &Call) -> String {
    iso_date(call.now) + "Z"
}
