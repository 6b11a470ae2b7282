//! `/applications/{object id}` and `/applications(appId='…')`.

use serde_json::{Value, json};

use super::access::Caller;
use super::{CONTEXT, GraphError};
use crate::directory::{Application, Audience};
use crate::service::Service;

const READ: &[&str] = &[
    "Application.Read.All",
    "Application.ReadWrite.All",
    "Directory.Read.All",
];

/// `GET /applications/{object id}`; the client id finds nothing here, which is the usual mistake.
pub fn by_object_id(
    service: &Service,
    caller: &Caller,
    object_id: &str,
) -> Result<Value, GraphError> {
    find(service, caller, object_id, |application| {
        application
            .object_id
            .to_string()
            .eq_ignore_ascii_case(object_id)
    })
}

/// `GET /applications(appId='…')`
pub fn by_key(service: &Service, caller: &Caller, segment: &str) -> Result<Value, GraphError> {
    let client_id = segment
        .strip_prefix("applications(appId='")
        .and_then(|rest| rest.strip_suffix("')"));
    let client_id = client_id.ok_or_else(|| {
        GraphError::bad_request(
            "BadRequest",
            "The key in the address is not one of applications(appId='…').",
        )
    })?;
    find(service, caller, client_id, |application| {
        application
            .client_id
            .to_string()
            .eq_ignore_ascii_case(client_id)
    })
}

fn find(
    service: &Service,
    caller: &Caller,
    id: &str,
    is_wanted: impl Fn(&Application) -> bool,
) -> Result<Value, GraphError> {
    caller.need(READ, READ)?;
    let directory = &service.directory;
    let is_of_tenant = |application: &Application| {
        directory
            .tenant(&application.tenant)
            .is_some_and(|tenant| tenant.id == caller.tenant)
    };
    let application = directory
        .applications
        .iter()
        .find(|application| is_wanted(application) && is_of_tenant(application));
    application
        .map(|application| describe(service, application))
        .ok_or_else(|| GraphError::not_found(id))
}

fn describe(service: &Service, application: &Application) -> Value {
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
        json!({ "customKeyIdentifier": null, "displayName": "toy secret", "endDateTime": secret.expires, "hint": hint, "keyId": secret.key_id, "secretText": null, "startDateTime": application.created })
    });
    json!({
        "@odata.context": format!("{CONTEXT}applications/$entity"),
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
        "publicClient": { "redirectUris": [] },
        "requiredResourceAccess": [],
        "spa": { "redirectUris": [] },
        "web": {
            "homePageUrl": null,
            "logoutUrl": null,
            "redirectUris": application.redirect_uris,
            "implicitGrantSettings": { "enableAccessTokenIssuance": false, "enableIdTokenIssuance": false },
        },
    })
}
