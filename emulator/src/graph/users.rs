//! `/me`, `/users` and their managers.

use std::borrow::Cow;

use form_urlencoded::byte_serialize;
use serde_json::{Map, Value, json};

use super::access::Caller;
use super::{CONTEXT, GraphError};
use crate::call::Call;
use crate::directory::{Condition, User};
use crate::service::Service;

/// What an answer has without `$select`, in Graph's order.
const DEFAULT_FIELDS: &[&str] = &[
    "businessPhones",
    "displayName",
    "givenName",
    "jobTitle",
    "mail",
    "mobilePhone",
    "officeLocation",
    "preferredLanguage",
    "surname",
    "userPrincipalName",
    "id",
];

const READ_ANYONE: &[&str] = &[
    "User.ReadBasic.All",
    "User.Read.All",
    "User.ReadWrite.All",
    "Directory.Read.All",
];
const READ_MANAGERS: &[&str] = &["User.Read.All", "User.ReadWrite.All", "Directory.Read.All"];
const READ_AS_APPLICATION: &[&str] = &["User.Read.All", "User.ReadWrite.All", "Directory.Read.All"];
const READ_ME: &[&str] = &[
    "User.Read",
    "User.ReadWrite",
    "User.ReadBasic.All",
    "User.Read.All",
    "User.ReadWrite.All",
    "Directory.Read.All",
];

/// `GET /me`
pub fn me(service: &Service, call: &Call, caller: &Caller) -> Result<Value, GraphError> {
    let user = signed_in_user(service, caller)?;
    caller.need(READ_ME, &[])?;
    View::read(call)?.entity(service, &user)
}

/// `GET /me/manager`. The documentation disagrees with itself on the permission; User.Read is enough here.
pub fn my_manager(service: &Service, call: &Call, caller: &Caller) -> Result<Value, GraphError> {
    let user = signed_in_user(service, caller)?;
    caller.need(READ_ME, &[])?;
    manager_of(service, call, &user)
}

/// `GET /users/{id or name}`
pub fn one(
    service: &Service,
    call: &Call,
    caller: &Caller,
    name: &str,
) -> Result<Value, GraphError> {
    let user = find(service, caller, name, READ_ANYONE)?;
    View::read(call)?.entity(service, &user)
}

/// `GET /users/{id or name}/manager`
pub fn manager(
    service: &Service,
    call: &Call,
    caller: &Caller,
    name: &str,
) -> Result<Value, GraphError> {
    let user = find(service, caller, name, READ_MANAGERS)?;
    manager_of(service, call, &user)
}

/// `GET /users`, page by page. Users are looked up as the page is written, so the length of the list costs nothing.
pub fn list(service: &Service, call: &Call, caller: &Caller) -> Result<Value, GraphError> {
    caller.need(READ_ANYONE, READ_AS_APPLICATION)?;
    let view = View::read(call)?;
    if option(call, "$skip").is_some() {
        return Err(GraphError::bad_request(
            "Request_BadRequest",
            "'$skip' is not supported by the service.",
        ));
    }
    // Without a refusal, a program would take everyone for the ones that it has asked for.
    if ["$filter", "$search", "$orderby", "$count"]
        .into_iter()
        .any(|name| option(call, name).is_some())
    {
        return Err(GraphError::bad_request(
            "Request_UnsupportedQuery",
            "Unsupported Query.",
        ));
    }
    let top = match option(call, "$top") {
        None => 100,
        Some(text) => {
            let top: usize = text.parse().map_err(|_| {
                GraphError::bad_request(
                    "BadRequest",
                    format!("Invalid value '{text}' for $top query option found."),
                )
            })?;
            if !(1..=999).contains(&top) {
                let message = format!(
                    "Invalid page size specified: '{top}'. Must be between 1 and 999 inclusive."
                );
                return Err(GraphError::bad_request("Request_BadRequest", message));
            }
            top
        }
    };
    let top = if view.manager.is_some() {
        top.min(100)
    } else {
        top
    };
    let first = match option(call, "$skiptoken") {
        None => 0,
        Some(token) => service.seal.open("page of users", token).ok_or_else(|| {
            GraphError::bad_request(
                "Directory_ExpiredPageToken",
                "The specified page token value has expired or is invalid.",
            )
        })?,
    };

    let directory = &service.directory;
    let belongs = |user: &User| {
        directory
            .tenant_of(user)
            .is_some_and(|tenant| tenant.id == caller.tenant)
    };
    let mut users = (first..directory.user_count())
        .filter_map(|index| Some((index, directory.user_at(index)?)))
        .filter(|(_, user)| belongs(user));
    let page = users
        .by_ref()
        .take(top)
        .map(|(_, user)| view.user(service, &user))
        .collect::<Result<Vec<_>, _>>()?;

    let mut answer = Map::new();
    answer.insert(
        "@odata.context".into(),
        json!(format!("{CONTEXT}users{}", view.context_suffix())),
    );
    if let Some((next, _)) = users.next() {
        answer.insert(
            "@odata.nextLink".into(),
            json!(next_link(service, call, next)?),
        );
    }
    answer.insert("value".into(), json!(page));
    Ok(Value::Object(answer))
}

/// The address of the page that begins with this user: the same question, with an opaque place to go on from.
fn next_link(service: &Service, call: &Call, next: usize) -> Result<String, GraphError> {
    let token = service
        .seal
        .close("page of users", &next)
        .map_err(|error| GraphError::bad_request("UnknownError", error.to_string()))?;
    let mut link = format!("{}/v1.0/users?", call.base);
    for (name, value) in call
        .query
        .fields()
        .iter()
        .filter(|(name, _)| !name.ends_with("skiptoken"))
    {
        let encoded: String = byte_serialize(value.as_bytes()).collect();
        link.push_str(&format!("{name}={}&", encoded.replace('+', "%20")));
    }
    Ok(format!("{link}$skiptoken={token}"))
}

fn signed_in_user<'a>(service: &'a Service, caller: &Caller) -> Result<Cow<'a, User>, GraphError> {
    let id = caller.user.ok_or_else(|| {
        GraphError::bad_request(
            "BadRequest",
            "/me request is only valid with delegated authentication flow.",
        )
    })?;
    service
        .directory
        .user(&id.to_string())
        .ok_or_else(|| GraphError::not_found(&id.to_string()))
}

/// A user of the caller's tenant, if the caller may see that one.
fn find<'a>(
    service: &'a Service,
    caller: &Caller,
    name: &str,
    delegated: &[&str],
) -> Result<Cow<'a, User>, GraphError> {
    let user = service.directory.user(name).filter(|user| {
        service
            .directory
            .tenant_of(user)
            .is_some_and(|tenant| tenant.id == caller.tenant)
    });
    let is_self = user
        .as_ref()
        .is_some_and(|user| Some(user.id) == caller.user);
    caller.need(
        if is_self { READ_ME } else { delegated },
        READ_AS_APPLICATION,
    )?;
    user.ok_or_else(|| GraphError::not_found(name))
}

fn manager_of(service: &Service, call: &Call, user: &User) -> Result<Value, GraphError> {
    let manager = user
        .manager
        .as_deref()
        .and_then(|name| service.directory.user(name))
        .ok_or_else(|| GraphError::not_found("manager"))?;
    let view = View::read(call)?;
    let mut answer = Map::new();
    answer.insert(
        "@odata.context".into(),
        json!(format!(
            "{CONTEXT}directoryObjects{}/$entity",
            view.context_suffix()
        )),
    );
    answer.insert("@odata.type".into(), json!("#microsoft.graph.user"));
    answer.extend(view.user(service, &manager)?);
    Ok(Value::Object(answer))
}

/// What of a user the request wants to see.
struct View<'a> {
    select: Option<Vec<&'a str>>,
    /// `$expand=manager`, with the fields wanted of the manager.
    manager: Option<Vec<&'a str>>,
}

impl<'a> View<'a> {
    fn read(call: &'a Call) -> Result<Self, GraphError> {
        for (name, _) in call.query.fields() {
            let name = name.trim_start_matches('$');
            if matches!(name, "filter" | "search" | "orderby" | "count" | "apply") {
                return Err(GraphError::bad_request(
                    "Request_UnsupportedQuery",
                    format!("The emulator does not answer ${name}."),
                ));
            }
        }
        let fields = |text: &'a str| {
            text.split(',')
                .map(str::trim)
                .filter(|field| !field.is_empty())
                .collect::<Vec<_>>()
        };
        let select = option(call, "$select")
            .map(fields)
            .filter(|fields| !fields.contains(&"*"));
        let manager = match option(call, "$expand").map(str::trim) {
            None => None,
            Some("manager") => Some(DEFAULT_FIELDS.to_vec()),
            Some(expand) => {
                let inner = expand
                    .strip_prefix("manager(")
                    .and_then(|inner| inner.strip_suffix(')'));
                let inner = inner.ok_or_else(|| {
                    GraphError::bad_request(
                        "Request_UnsupportedQuery",
                        format!("The emulator does not expand '{expand}'."),
                    )
                })?;
                let select = inner
                    .split(';')
                    .find_map(|option| option.strip_prefix("$select="));
                Some(select.map_or(DEFAULT_FIELDS.to_vec(), fields))
            }
        };
        Ok(Self { select, manager })
    }

    /// What follows `users` in the context.
    fn context_suffix(&self) -> String {
        let mut parts: Vec<&str> = self.select.iter().flatten().copied().collect();
        parts.extend(self.manager.as_ref().map(|_| "manager()"));
        if parts.is_empty() {
            String::new()
        } else {
            format!("({})", parts.join(","))
        }
    }

    fn entity(&self, service: &Service, user: &User) -> Result<Value, GraphError> {
        let mut answer = Map::new();
        answer.insert(
            "@odata.context".into(),
            json!(format!("{CONTEXT}users{}/$entity", self.context_suffix())),
        );
        answer.extend(self.user(service, user)?);
        Ok(Value::Object(answer))
    }

    fn user(&self, service: &Service, user: &User) -> Result<Map<String, Value>, GraphError> {
        let mut object = fields_of(user, self.select.as_deref().unwrap_or(DEFAULT_FIELDS))?;
        let manager = user
            .manager
            .as_deref()
            .and_then(|name| service.directory.user(name));
        if let (Some(fields), Some(manager)) = (&self.manager, manager) {
            let mut inner = Map::new();
            inner.insert("@odata.type".into(), json!("#microsoft.graph.user"));
            inner.extend(fields_of(&manager, fields)?);
            object.insert("manager".into(), Value::Object(inner));
        }
        Ok(object)
    }
}

fn fields_of(user: &User, fields: &[&str]) -> Result<Map<String, Value>, GraphError> {
    fields
        .iter()
        .map(|name| Ok(((*name).to_owned(), field_of(user, name)?)))
        .collect()
}

/// Properties that a user has at Graph as well, and that nobody in this directory has a value for.
const UNSET: &[&str] = &[
    "ageGroup",
    "city",
    "companyName",
    "country",
    "createdDateTime",
    "department",
    "employeeHireDate",
    "employeeId",
    "employeeType",
    "externalUserState",
    "faxNumber",
    "lastPasswordChangeDateTime",
    "mailNickname",
    "onPremisesSyncEnabled",
    "postalCode",
    "state",
    "streetAddress",
    "usageLocation",
];

fn field_of(user: &User, name: &str) -> Result<Value, GraphError> {
    Ok(match name {
        "accountEnabled" => json!(user.condition != Condition::Disabled),
        "businessPhones" => json!(user.business_phones),
        "displayName" => json!(user.display_name),
        "givenName" => json!(user.given_name),
        "id" => json!(user.id),
        "jobTitle" => json!(user.job_title),
        "mail" => json!(user.mail),
        "mobilePhone" => json!(user.mobile_phone),
        "officeLocation" => json!(user.office_location),
        "preferredLanguage" => json!(user.preferred_language),
        "surname" => json!(user.surname),
        "userPrincipalName" => json!(user.upn),
        "userType" => json!(user.user_type),
        name if UNSET.contains(&name) => Value::Null,
        _ => {
            return Err(GraphError::bad_request(
                "BadRequest",
                format!("Could not find a property named '{name}' on type 'microsoft.graph.user'."),
            ));
        }
    })
}

/// A query option, with its dollar sign or without.
fn option<'a>(call: &'a Call, name: &str) -> Option<&'a str> {
    call.query
        .get(name)
        .or_else(|| call.query.get(name.trim_start_matches('$')))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use axum::http::StatusCode;

    use super::*;
    use crate::call::Form;
    use crate::{Emulator, Options};

    #[test]
    fn pages_lead_to_every_user_once() {
        let emulator = Emulator::start(Options {
            generate: Some(2500),
            ..Options::default()
        })
        .unwrap();
        let token = emulator
            .user_token(
                "contoso_employee@contoso.com",
                "device-code",
                "User.ReadBasic.All",
            )
            .unwrap();
        let mut call = Call::internal(emulator.url(), emulator.service.clock.now());
        call.headers
            .insert("authorization", format!("Bearer {token}").parse().unwrap());
        call.query = Form::parse(b"$top=999&$select=id");
        let caller = Caller::authenticate(&emulator.service, &call).unwrap();

        let (mut ids, mut sizes) = (HashSet::new(), Vec::new());
        loop {
            let page = list(&emulator.service, &call, &caller).unwrap();
            let users = page["value"].as_array().unwrap();
            sizes.push(users.len());
            ids.extend(users.iter().map(|user| user["id"].to_string()));
            let Some(link) = page.get("@odata.nextLink") else {
                break;
            };
            let (_, query) = link.as_str().unwrap().split_once("/v1.0/users?").unwrap();
            call.query = Form::parse(query.as_bytes());
            assert_eq!(call.query.get("$select"), Some("id"));
        }
        let of_contoso = emulator
            .directory()
            .users
            .iter()
            .filter(|user| user.upn.contains("@contoso."))
            .count();
        assert_eq!(
            (ids.len(), sizes.iter().sum()),
            (2500 + of_contoso, 2500 + of_contoso)
        );
        assert_eq!(sizes[..2], [999, 999]);

        call.query = Form::parse(b"$top=1&$select=displayName,department");
        let page = list(&emulator.service, &call, &caller).unwrap();
        assert_eq!(page["value"][0]["department"], Value::Null);
        for query in [
            "$filter=accountEnabled eq true",
            "$orderby=displayName",
            "$select=nonsense",
        ] {
            call.query = Form::parse(query.as_bytes());
            let refusal = list(&emulator.service, &call, &caller).unwrap_err();
            assert_eq!(refusal.status, StatusCode::BAD_REQUEST, "{query}");
        }

        call.query = Form::parse(b"$skiptoken=forged");
        assert_eq!(
            list(&emulator.service, &call, &caller).unwrap_err().code,
            "Directory_ExpiredPageToken"
        );
    }
}
