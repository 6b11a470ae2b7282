//! `/applications`: registrations, by object id or `(appId='…')`. What writes to them is in `registration`.

use axum::http::Method;
use serde_json::{Value, json};

use super::access::Caller;
use super::filter::Filter;
use super::{Answer, CONTEXT, GraphError, entity, registration};
use crate::call::Call;
use crate::directory::{Application, Audience};
use crate::service::Service;

const READ: &[&str] = &[
    "Application.Read.All",
    "Application.ReadWrite.All",
    "Directory.Read.All",
];

/// All of `/applications`; `name` is that segment, with a key or without.
pub fn answer(
    service: &Service,
    call: &Call,
    caller: &Caller,
    name: &str,
    rest: &[&str],
) -> Result<Answer, GraphError> {
    let (wanted, rest) = match (name, rest) {
        ("applications", []) if call.method == Method::GET => {
            return list(service, call, caller).map(Answer::from);
        }
        ("applications", []) if call.method == Method::POST => {
            return registration::create(service, call, caller);
        }
        ("applications", []) => return Err(super::not_allowed()),
        ("applications", [object_id, rest @ ..]) => (Wanted::ObjectId(object_id), rest),
        (name, rest) => (Wanted::ClientId(super::key(name, "applications")?), rest),
    };
    match (&call.method, rest) {
        (&Method::GET, []) => {
            caller.need(READ, READ)?;
            let application = find(service, caller, &wanted)?;
            Ok(Answer::from(entity(
                "applications",
                describe(service, application),
            )))
        }
        (&Method::PATCH, []) => registration::update(service, call, caller, &wanted),
        (&Method::DELETE, []) => registration::delete(service, caller, &wanted),
        (&Method::POST, ["addPassword"]) => {
            registration::add_password(service, call, caller, &wanted)
        }
        (&Method::POST, ["removePassword"]) => {
            registration::remove_password(service, call, caller, &wanted)
        }
        (_, [] | ["addPassword" | "removePassword"]) => Err(super::not_allowed()),
        (_, [.., last]) => Err(super::unknown_segment(last)),
    }
}

/// How a request names one application.
pub enum Wanted<'a> {
    /// By object id; a client id finds nothing here, which is the usual mistake.
    ObjectId(&'a str),
    /// By client id.
    ClientId(&'a str),
}

/// The application of the caller's tenant that a request names.
pub fn find<'a>(
    service: &'a Service,
    caller: &Caller,
    wanted: &Wanted<'_>,
) -> Result<&'a Application, GraphError> {
    let (Wanted::ObjectId(id) | Wanted::ClientId(id)) = wanted;
    of_tenant(service, caller)
        .find(|application| {
            let own = match wanted {
                Wanted::ObjectId(_) => application.object_id,
                Wanted::ClientId(_) => application.client_id,
            };
            own.to_string().eq_ignore_ascii_case(id)
        })
        .ok_or_else(|| GraphError::not_found(id))
}

/// The applications of the caller's tenant.
pub fn of_tenant<'a>(
    service: &'a Service,
    caller: &Caller,
) -> impl Iterator<Item = &'a Application> {
    let tenant = caller.tenant;
    service.directory.applications().filter(move |application| {
        let home = service.directory.tenant(&application.tenant);
        home.is_some_and(|home| home.id == tenant)
    })
}

/// `GET /applications`, all of them on one page.
fn list(service: &Service, call: &Call, caller: &Caller) -> Result<Value, GraphError> {
    caller.need(READ, READ)?;
    let filter = Filter::read(
        call,
        &["appId", "displayName", "id", "identifierUris", "tags"],
    )?;
    let found: Vec<Value> = of_tenant(service, caller)
        .map(|application| describe(service, application))
        .filter(|object| filter.passes(object))
        .collect();
    Ok(json!({ "@odata.context": format!("{CONTEXT}applications"), "value": found }))
}

/// An application as Graph shows it: the properties that it began with, and what was written to them.
pub fn describe(service: &Service, application: &Application) -> Value {
    let publisher = service
        .directory
        .tenant(&application.tenant)
        .and_then(|tenant| tenant.domains.first());
    let audience = match application.audience {
        Audience::MyOrg => "AzureADMyOrg",
        Audience::MultipleOrgs => "AzureADMultipleOrgs",
        Audience::OrgsAndPersonal => "AzureADandPersonalMicrosoftAccount",
        Audience::Personal => "PersonalMicrosoftAccount",
    };
    let passwords = application.secrets.iter().map(|secret| {
        let hint: String = secret.value.chars().take(3).collect();
        json!({ "customKeyIdentifier": null, "displayName": secret.display_name, "endDateTime": secret.expires, "hint": hint, "keyId": secret.key_id, "secretText": null, "startDateTime": application.created })
    });
    let mut object = json!({
        "id": application.object_id,
        "deletedDateTime": null,
        "appId": application.client_id,
        "applicationTemplateId": null,
        "disabledByMicrosoftStatus": null,
        "createdDateTime": application.created,
        "displayName": application.display_name,
        "description": null,
        "groupMembershipClaims": null,
        "identifierUris": [],
        "isFallbackPublicClient": application.public_client,
        "publisherDomain": publisher,
        "signInAudience": audience,
        "tags": [],
        "verifiedPublisher": { "displayName": null, "verifiedPublisherId": null, "addedDateTime": null },
        "api": { "acceptMappedClaims": null, "knownClientApplications": [], "requestedAccessTokenVersion": null, "oauth2PermissionScopes": [], "preAuthorizedApplications": [] },
        "appRoles": [],
        "info": { "logoUrl": null, "marketingUrl": null, "privacyStatementUrl": null, "supportUrl": null, "termsOfServiceUrl": null },
        "keyCredentials": [],
        "passwordCredentials": passwords.collect::<Vec<_>>(),
        "publicClient": { "redirectUris": application.public_redirect_uris },
        "requiredResourceAccess": [],
        "spa": { "redirectUris": application.spa_redirect_uris },
        "web": {
            "homePageUrl": null,
            "logoutUrl": application.logout_url,
            "redirectUris": application.redirect_uris,
            "implicitGrantSettings": { "enableAccessTokenIssuance": application.access_tokens, "enableIdTokenIssuance": application.id_tokens },
        },
    });
    merge(&mut object, &Value::Object(application.written.clone()));
    // The key itself is never shown.
    let credentials = object
        .get_mut("keyCredentials")
        .and_then(Value::as_array_mut);
    for credential in credentials.into_iter().flatten() {
        if let Some(credential) = credential.as_object_mut() {
            credential.insert("key".into(), Value::Null);
        }
    }
    object
}

/// Writes a value over another; objects are merged property by property.
fn merge(old: &mut Value, new: &Value) {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            for (name, value) in new {
                merge(old.entry(name).or_insert(Value::Null), value);
            }
        }
        (old, new) => *old = new.clone(),
    }
}
