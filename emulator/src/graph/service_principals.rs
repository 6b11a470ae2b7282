//! `/servicePrincipals`, what an application is in its tenant, with the application permissions that it was granted
//! (`appRoleAssignments`); and `/oauth2PermissionGrants`, the delegated permissions that an admin granted for all.

use axum::http::Method;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD as BASE64URL};
use serde_json::{Value, json};
use uuid::{Uuid, uuid};

use super::access::Caller;
use super::applications::{Wanted, find, of_tenant};
use super::filter::Filter;
use super::permissions::{self, GRAPH_APP_ID};
use super::{Answer, CONTEXT, GraphError, body, entity, registration};
use crate::call::Call;
use crate::directory::Application;
use crate::service::Service;
use crate::tokens::service_principal;

const READ: &[&str] = &[
    "Application.Read.All",
    "Application.ReadWrite.All",
    "Directory.Read.All",
];
const WRITE: &[&str] = &["Application.ReadWrite.All"];
const ASSIGN: &[&str] = &["AppRoleAssignment.ReadWrite.All"];
const GRANT: &[&str] = &["DelegatedPermissionGrant.ReadWrite.All"];

/// Microsoft Graph's own service principal, whose id differs from tenant to tenant.
const GRAPH: Uuid = uuid!("c9f2d0b1-7f0e-4a50-9f7d-2f6c3a0c5b11");

/// All of `/servicePrincipals`; `name` is that segment, with a key or without.
pub fn answer(
    service: &Service,
    call: &Call,
    caller: &Caller,
    name: &str,
    rest: &[&str],
) -> Result<Answer, GraphError> {
    let (id, rest) = match (name, rest) {
        ("servicePrincipals", []) if call.method == Method::GET => {
            return list(service, call, caller).map(Answer::from);
        }
        ("servicePrincipals", []) if call.method == Method::POST => {
            return create(service, call, caller);
        }
        ("servicePrincipals", []) => return Err(super::not_allowed()),
        ("servicePrincipals", [id, rest @ ..]) => (*id, rest),
        (name, rest) => (super::key(name, "servicePrincipals")?, rest),
    };
    // Either of its ids: each is a GUID of its own.
    let all = all(service, caller);
    let same = |object: &&Value, name: &str| {
        let own = object.get(name).and_then(Value::as_str);
        own.is_some_and(|own| own.eq_ignore_ascii_case(id))
    };
    let field = if name == "servicePrincipals" {
        "id"
    } else {
        "appId"
    };
    let found = all.iter().find(|object| same(object, field));
    match (&call.method, rest) {
        (&Method::GET, []) => {
            caller.need(READ, READ)?;
            let found = found.cloned().ok_or_else(|| GraphError::not_found(id))?;
            Ok(Answer::from(entity("servicePrincipals", found)))
        }
        (&Method::GET, ["appRoleAssignments"]) => {
            caller.need(READ, READ)?;
            let application = owner(service, caller, found, id)?;
            let rows: Vec<Value> = assignments(application).collect();
            Ok(Answer::from(
                json!({ "@odata.context": format!("{CONTEXT}appRoleAssignments"), "value": rows }),
            ))
        }
        (&Method::POST, ["appRoleAssignments" | "appRoleAssignedTo"]) => {
            assign(service, call, caller)
        }
        (_, [] | ["appRoleAssignments" | "appRoleAssignedTo"]) => Err(super::not_allowed()),
        (_, [.., last]) => Err(super::unknown_segment(last)),
    }
}

/// The application of a service principal, which Graph itself has none of in this tenant.
fn owner<'a>(
    service: &'a Service,
    caller: &Caller,
    found: Option<&Value>,
    id: &str,
) -> Result<&'a Application, GraphError> {
    let client = found.and_then(|object| object.get("appId")?.as_str());
    let client = client.ok_or_else(|| GraphError::not_found(id))?;
    find(service, caller, &Wanted::ClientId(client))
}

/// `GET /servicePrincipals`, all of them on one page.
fn list(service: &Service, call: &Call, caller: &Caller) -> Result<Value, GraphError> {
    caller.need(READ, READ)?;
    let filter = Filter::read(
        call,
        &["appId", "displayName", "id", "servicePrincipalNames"],
    )?;
    let mut found = all(service, caller);
    found.retain(|object| filter.passes(object));
    Ok(json!({ "@odata.context": format!("{CONTEXT}servicePrincipals"), "value": found }))
}

/// The service principals of the caller's tenant, Microsoft Graph's first.
fn all(service: &Service, caller: &Caller) -> Vec<Value> {
    let graph = describe(GRAPH, GRAPH_APP_ID, "Microsoft Graph");
    let own = of_tenant(service, caller)
        .filter(|application| !application.lacks_service_principal)
        .map(of_application);
    std::iter::once(graph).chain(own).collect()
}

fn of_application(application: &Application) -> Value {
    let id = service_principal(application);
    describe(id, application.client_id, &application.display_name)
}

fn describe(id: Uuid, client: Uuid, name: &str) -> Value {
    let is_graph = client == GRAPH_APP_ID;
    let rows = |permissions: &[(Uuid, &str)]| -> Value {
        let rows = permissions.iter().filter(|_| is_graph);
        rows.map(|(id, name)| json!({ "id": id, "isEnabled": true, "value": name }))
            .collect()
    };
    json!({
        "id": id,
        "deletedDateTime": null,
        "accountEnabled": true,
        "appDisplayName": name,
        "appId": client,
        "displayName": name,
        "servicePrincipalNames": [client],
        "servicePrincipalType": "Application",
        "tags": [],
        "appRoles": rows(permissions::APPLICATION),
        "oauth2PermissionScopes": rows(permissions::DELEGATED),
    })
}

/// `POST /servicePrincipals`
fn create(service: &Service, call: &Call, caller: &Caller) -> Result<Answer, GraphError> {
    const RESOURCE: &str = "ServicePrincipal";
    caller.need(WRITE, WRITE)?;
    let body = body::read(call, RESOURCE, body::SERVICE_PRINCIPAL)?;
    let client = body::guid(&body, RESOURCE, "appId")?.to_string();
    let wanted = Wanted::ClientId(&client);
    find(service, caller, &wanted).map_err(|_| {
        GraphError::bad_request(
            "Request_BadRequest",
            format!("The appId '{client}' referenced in the request does not exist."),
        )
    })?;
    let application = registration::change(service, caller, &wanted, |application| {
        if application.lacks_service_principal {
            application.lacks_service_principal = false;
            return Ok(());
        }
        Err(conflict(
            "The service principal cannot be created, updated, or restored because the service principal name is already in use.",
        ))
    })?;
    Ok(Answer::created(entity(
        "servicePrincipals",
        of_application(application),
    )))
}

fn conflict(message: &str) -> GraphError {
    GraphError::new(
        axum::http::StatusCode::CONFLICT,
        "Request_MultipleObjectsWithSameKeyValue",
        message,
    )
}

/// The application permissions that an application was granted.
fn assignments(application: &Application) -> impl Iterator<Item = Value> {
    let known = permissions::APPLICATION.iter();
    known
        .filter(|(_, name)| application.roles.iter().any(|role| role == name))
        .map(|(role, _)| assignment(application, *role))
}

fn assignment(application: &Application, role: Uuid) -> Value {
    let principal = service_principal(application);
    let id = [principal.as_bytes().as_slice(), role.as_bytes()].concat();
    json!({
        "id": BASE64URL.encode(id),
        "appRoleId": role,
        "principalDisplayName": application.display_name,
        "principalId": principal,
        "principalType": "ServicePrincipal",
        "resourceDisplayName": "Microsoft Graph",
        "resourceId": GRAPH,
    })
}

/// `POST …/appRoleAssignments`: an admin's consent to an application permission.
fn assign(service: &Service, call: &Call, caller: &Caller) -> Result<Answer, GraphError> {
    const RESOURCE: &str = "AppRoleAssignment";
    caller.need(ASSIGN, ASSIGN)?;
    let body = body::read(call, RESOURCE, body::APP_ROLE_ASSIGNMENT)?;
    let principal = body::guid(&body, RESOURCE, "principalId")?;
    let role = body::guid(&body, RESOURCE, "appRoleId")?;
    if body::guid(&body, RESOURCE, "resourceId")? != GRAPH {
        return Err(GraphError::bad_request(
            "Request_BadRequest",
            "Not a valid reference update.",
        ));
    }
    let name = permissions::name(permissions::APPLICATION, role).ok_or_else(|| {
        GraphError::bad_request(
            "Request_BadRequest",
            "Permission being assigned was not found on application",
        )
    })?;
    let client = client_of(service, caller, principal)?;
    let application =
        registration::change(service, caller, &Wanted::ClientId(&client), |application| {
            if application.roles.iter().any(|role| role == name) {
                return Err(GraphError::bad_request(
                    "Request_BadRequest",
                    "Permission being assigned already exists on the object",
                ));
            }
            application.roles.push(name.to_owned());
            Ok(())
        })?;
    Ok(Answer::created(entity(
        "appRoleAssignments",
        assignment(application, role),
    )))
}

/// The client id of the application that has this service principal.
fn client_of(service: &Service, caller: &Caller, principal: Uuid) -> Result<String, GraphError> {
    of_tenant(service, caller)
        .filter(|application| !application.lacks_service_principal)
        .find(|application| service_principal(application) == principal)
        .map(|application| application.client_id.to_string())
        .ok_or_else(|| GraphError::not_found(&principal.to_string()))
}

/// All of `/oauth2PermissionGrants`. Grants for all users stand in the registration; those of one user are consents,
/// which are given on pages.
pub fn grants(
    service: &Service,
    call: &Call,
    caller: &Caller,
    rest: &[&str],
) -> Result<Answer, GraphError> {
    match (&call.method, rest) {
        (&Method::GET, []) => {
            caller.need(GRANT, GRANT)?;
            let filter = Filter::read(call, &["clientId", "consentType", "resourceId"])?;
            let mut rows: Vec<Value> = of_tenant(service, caller)
                .filter(|application| !application.consented.is_empty())
                .map(grant)
                .collect();
            rows.retain(|row| filter.passes(row));
            Ok(Answer::from(
                json!({ "@odata.context": format!("{CONTEXT}oauth2PermissionGrants"), "value": rows }),
            ))
        }
        (&Method::POST, []) => add_grant(service, call, caller),
        (&Method::DELETE, [id]) => {
            caller.need(GRANT, GRANT)?;
            let found = of_tenant(service, caller)
                .find(|application| grant(application).get("id").is_some_and(|own| own == id))
                .ok_or_else(|| GraphError::not_found(id))?;
            let client = found.client_id.to_string();
            registration::change(service, caller, &Wanted::ClientId(&client), |application| {
                application.consented.clear();
                Ok(())
            })?;
            Ok(Answer::no_content())
        }
        (_, [] | [_]) => Err(super::not_allowed()),
        (_, [.., last]) => Err(super::unknown_segment(last)),
    }
}

fn grant(application: &Application) -> Value {
    let client = service_principal(application);
    let id = [client.as_bytes().as_slice(), GRAPH.as_bytes()].concat();
    json!({
        "id": BASE64URL.encode(id),
        "clientId": client,
        "consentType": "AllPrincipals",
        "principalId": null,
        "resourceId": GRAPH,
        "scope": application.consented.join(" "),
    })
}

fn add_grant(service: &Service, call: &Call, caller: &Caller) -> Result<Answer, GraphError> {
    const RESOURCE: &str = "OAuth2PermissionGrant";
    caller.need(GRANT, GRANT)?;
    let body = body::read(call, RESOURCE, body::PERMISSION_GRANT)?;
    let text = |name: &str| body.get(name).and_then(Value::as_str);
    if text("consentType") != Some("AllPrincipals") {
        return Err(GraphError::bad_request(
            "Request_BadRequest",
            "The emulator takes grants for all users (AllPrincipals) alone.",
        ));
    }
    if body::guid(&body, RESOURCE, "resourceId")? != GRAPH {
        return Err(GraphError::not_found(
            text("resourceId").unwrap_or_default(),
        ));
    }
    let scope = text("scope").ok_or_else(|| body::missing(RESOURCE, "scope"))?;
    let client = client_of(service, caller, body::guid(&body, RESOURCE, "clientId")?)?;
    let application =
        registration::change(service, caller, &Wanted::ClientId(&client), |application| {
            if !application.consented.is_empty() {
                return Err(conflict("Permission entry already exists."));
            }
            application.consented = scope.split_whitespace().map(str::to_owned).collect();
            Ok(())
        })?;
    Ok(Answer::created(entity(
        "oauth2PermissionGrants",
        grant(application),
    )))
}
