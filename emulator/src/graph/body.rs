//! What the bodies of writing requests may hold. Graph refuses what it does not know, and so does this: a misspelt
//! property is found here and not at a tenant.

use serde_json::{Map, Value};
use uuid::Uuid;

use super::GraphError;
use crate::call::Call;

/// What a property may hold. Each may be `null` as well.
pub enum Shape {
    /// Text.
    Text,
    /// `true` or `false`.
    Flag,
    /// A whole number.
    Number,
    /// A GUID.
    Guid,
    /// One of these words.
    Word(&'static [&'static str]),
    /// An array.
    List(&'static Shape),
    /// An object with these properties.
    Object(&'static [Property]),
}

/// A property and what it may hold.
pub type Property = (&'static str, Shape);

use Shape::{Flag, Guid, List, Number, Object, Text, Word};

/// `PATCH` and `POST /applications`: what can be written, after the resource type `application` of Graph v1.0.
/// Secrets are made by `addPassword` and cannot be written.
pub const APPLICATION: &[Property] = &[
    ("api", Object(API)),
    ("appRoles", List(&Object(APP_ROLE))),
    ("applicationTemplateId", Guid),
    ("defaultRedirectUri", Text),
    ("description", Text),
    ("displayName", Text),
    ("groupMembershipClaims", Text),
    ("identifierUris", List(&Text)),
    ("info", Object(INFO)),
    ("isDeviceOnlyAuthSupported", Flag),
    ("isFallbackPublicClient", Flag),
    ("keyCredentials", List(&Object(KEY_CREDENTIAL))),
    ("notes", Text),
    ("oauth2RequirePostResponse", Flag),
    ("publicClient", Object(&[("redirectUris", List(&Text))])),
    ("requiredResourceAccess", List(&Object(RESOURCE_ACCESS))),
    ("samlMetadataUrl", Text),
    ("serviceManagementReference", Text),
    ("signInAudience", Word(AUDIENCES)),
    ("spa", Object(&[("redirectUris", List(&Text))])),
    ("tags", List(&Text)),
    ("tokenEncryptionKeyId", Guid),
    ("uniqueName", Text),
    ("web", Object(WEB)),
];
const AUDIENCES: &[&str] = &[
    "AzureADMyOrg",
    "AzureADMultipleOrgs",
    "AzureADandPersonalMicrosoftAccount",
    "PersonalMicrosoftAccount",
];
const API: &[Property] = &[
    ("acceptMappedClaims", Flag),
    ("knownClientApplications", List(&Guid)),
    ("oauth2PermissionScopes", List(&Object(PERMISSION_SCOPE))),
    (
        "preAuthorizedApplications",
        List(&Object(&[
            ("appId", Guid),
            ("delegatedPermissionIds", List(&Guid)),
        ])),
    ),
    ("requestedAccessTokenVersion", Number),
];
const APP_ROLE: &[Property] = &[
    ("allowedMemberTypes", List(&Word(&["User", "Application"]))),
    ("description", Text),
    ("displayName", Text),
    ("id", Guid),
    ("isEnabled", Flag),
    ("value", Text),
];
const PERMISSION_SCOPE: &[Property] = &[
    ("adminConsentDescription", Text),
    ("adminConsentDisplayName", Text),
    ("id", Guid),
    ("isEnabled", Flag),
    ("type", Word(&["User", "Admin"])),
    ("userConsentDescription", Text),
    ("userConsentDisplayName", Text),
    ("value", Text),
];
const INFO: &[Property] = &[
    ("marketingUrl", Text),
    ("privacyStatementUrl", Text),
    ("supportUrl", Text),
    ("termsOfServiceUrl", Text),
];
const KEY_CREDENTIAL: &[Property] = &[
    ("customKeyIdentifier", Text),
    ("displayName", Text),
    ("endDateTime", Text),
    ("key", Text),
    ("keyId", Guid),
    ("startDateTime", Text),
    ("type", Word(&["AsymmetricX509Cert", "X509CertAndPassword"])),
    ("usage", Word(&["Verify", "Sign"])),
];
const RESOURCE_ACCESS: &[Property] = &[
    ("resourceAppId", Guid),
    (
        "resourceAccess",
        List(&Object(&[("id", Guid), ("type", Word(&["Scope", "Role"]))])),
    ),
];
const WEB: &[Property] = &[
    ("homePageUrl", Text),
    (
        "implicitGrantSettings",
        Object(&[
            ("enableAccessTokenIssuance", Flag),
            ("enableIdTokenIssuance", Flag),
        ]),
    ),
    ("logoutUrl", Text),
    ("redirectUris", List(&Text)),
];

/// `POST …/addPassword`
pub const ADD_PASSWORD: &[Property] = &[(
    "passwordCredential",
    Object(&[
        ("displayName", Text),
        ("endDateTime", Text),
        ("startDateTime", Text),
    ]),
)];
/// `POST …/removePassword`
pub const REMOVE_PASSWORD: &[Property] = &[("keyId", Guid)];
/// `POST /servicePrincipals`
pub const SERVICE_PRINCIPAL: &[Property] = &[
    ("accountEnabled", Flag),
    ("appId", Guid),
    ("notes", Text),
    ("tags", List(&Text)),
];
/// `POST …/appRoleAssignments` and `…/appRoleAssignedTo`
pub const APP_ROLE_ASSIGNMENT: &[Property] = &[
    ("appRoleId", Guid),
    ("principalId", Guid),
    ("resourceId", Guid),
];
/// `POST /oauth2PermissionGrants`
pub const PERMISSION_GRANT: &[Property] = &[
    ("clientId", Guid),
    ("consentType", Word(&["AllPrincipals", "Principal"])),
    ("principalId", Guid),
    ("resourceId", Guid),
    ("scope", Text),
];

/// The body of a writing request, if it is JSON and has nothing in it but what these properties may hold.
pub fn read(
    call: &Call,
    resource: &str,
    properties: &[Property],
) -> Result<Map<String, Value>, GraphError> {
    let is_json = call
        .header("content-type")
        .is_some_and(|value| value.to_ascii_lowercase().starts_with("application/json"));
    let body = serde_json::from_slice(&call.body).ok().filter(|_| is_json);
    let body: Map<String, Value> = body.ok_or_else(|| {
        GraphError::bad_request(
            "BadRequest",
            "Unable to read JSON request payload. Please ensure Content-Type header is set and payload is of valid JSON format.",
        )
    })?;
    object(resource, properties, &body)?;
    Ok(without_annotations(body))
}

fn object(
    resource: &str,
    properties: &[Property],
    body: &Map<String, Value>,
) -> Result<(), GraphError> {
    for (name, value) in body {
        if name.starts_with('@') {
            continue; // an annotation, such as @odata.type
        }
        let found = properties.iter().find(|(known, _)| known == name);
        let (_, shape) = found.ok_or_else(|| {
            GraphError::bad_request("Request_BadRequest", format!("Invalid property '{name}'."))
        })?;
        value_of(resource, name, shape, value)?;
    }
    Ok(())
}

fn value_of(resource: &str, name: &str, shape: &Shape, value: &Value) -> Result<(), GraphError> {
    let fits = match (shape, value) {
        (_, Value::Null) | (Text, Value::String(_)) | (Flag, Value::Bool(_)) => true,
        (Number, Value::Number(number)) => number.is_i64(),
        (Guid, Value::String(text)) => Uuid::try_parse(text).is_ok(),
        (Word(words), Value::String(text)) => words.contains(&text.as_str()),
        (List(shape), Value::Array(values)) => {
            return values
                .iter()
                .try_for_each(|value| value_of(resource, name, shape, value));
        }
        (Object(properties), Value::Object(inner)) => return object(resource, properties, inner),
        _ => false,
    };
    if fits {
        return Ok(());
    }
    Err(GraphError::bad_request(
        "Request_BadRequest",
        format!("Invalid value specified for property '{name}' of resource '{resource}'."),
    ))
}

fn without_annotations(body: Map<String, Value>) -> Map<String, Value> {
    let kept = body.into_iter().filter(|(name, _)| !name.starts_with('@'));
    kept.map(|(name, value)| (name, without_annotations_in(value)))
        .collect()
}

fn without_annotations_in(value: Value) -> Value {
    match value {
        Value::Object(inner) => Value::Object(without_annotations(inner)),
        Value::Array(values) => values.into_iter().map(without_annotations_in).collect(),
        other => other,
    }
}

/// The GUID in a property that has to be there.
pub fn guid(body: &Map<String, Value>, resource: &str, name: &str) -> Result<Uuid, GraphError> {
    let text = body.get(name).and_then(Value::as_str);
    text.and_then(|text| Uuid::try_parse(text).ok())
        .ok_or_else(|| missing(resource, name))
}

/// The refusal of a body that lacks a property.
pub fn missing(resource: &str, name: &str) -> GraphError {
    GraphError::bad_request(
        "Request_BadRequest",
        format!("A value is required for property '{name}' of resource '{resource}'."),
    )
}
