//! OpenID metadata and the key set.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Extension, State};
use axum::http::{HeaderValue, Response, StatusCode, header};
use serde_json::{Value, json};

use crate::call::Call;
use crate::directory::{Authority, Tenant, TenantKind};
use crate::errors::EntraError;
use crate::provider::{Endpoint, Names, Provider, issuer};
use crate::service::Service;

/// `GET /<tenant>/v2.0/.well-known/openid-configuration`
pub async fn metadata(
    State(service): State<Arc<Service>>,
    names: Names,
    Extension(call): Extension<Arc<Call>>,
) -> Response<Body> {
    public(&call, describe(&service, &call, &names))
}

/// `GET /<tenant>/.well-known/openid-configuration`: Entra's older kind, or that of an OpenID provider.
pub async fn metadata_v1(
    State(service): State<Arc<Service>>,
    names: Names,
    Extension(call): Extension<Arc<Call>>,
) -> Response<Body> {
    let metadata = describe(&service, &call, &names).map(|mut metadata| {
        if let Some(fields) = metadata.as_object_mut()
            && service
                .directory
                .provider(&names)
                .is_ok_and(|provider| provider.is_entra())
        {
            let tenant = authority_id(&service, &names.tenant).unwrap_or_default();
            fields.insert(
                "issuer".into(),
                json!(format!("https://sts.windows.net/{}/", issuer_id(&tenant))),
            );
            fields.insert(
                "end_session_endpoint".into(),
                json!(format!("{}/{tenant}/oauth2/logout", call.base)),
            );
        }
        metadata
    });
    public(&call, metadata)
}

/// `GET /<tenant>/discovery/v2.0/keys`
pub async fn keys(
    State(service): State<Arc<Service>>,
    names: Names,
    Extension(call): Extension<Arc<Call>>,
) -> Response<Body> {
    let set = service.directory.provider(&names).and_then(|provider| {
        let issuer = issuer_of(&service, &call, provider, &names)?;
        let keys = service.keys.published().map(|key| {
            let mut jwk = key.jwk(&issuer);
            // Only Entra ID says more of a key than the standard.
            if !provider.is_entra()
                && let Some(fields) = jwk.as_object_mut()
            {
                fields.retain(|name, _| !["issuer", "x5c", "x5t"].contains(&name.as_str()));
            }
            jwk
        });
        Ok(json!({ "keys": keys.collect::<Vec<_>>() }))
    });
    public(&call, set)
}

fn issuer_of(
    service: &Service,
    call: &Call,
    provider: Provider<'_>,
    names: &Names,
) -> Result<String, EntraError> {
    match provider.tenant() {
        Some(tenant) => Ok(issuer(&call.base, tenant)),
        None => {
            let id = authority_id(service, &names.tenant)?;
            Ok(format!("{}/{}/v2.0", call.base, issuer_id(&id)))
        }
    }
}

fn describe(service: &Service, call: &Call, names: &Names) -> Result<Value, EntraError> {
    let provider = service.directory.provider(names)?;
    let issuer = issuer_of(service, call, provider, names)?;
    match (provider.kind(), provider.tenant()) {
        (TenantKind::B2c, _) => Ok(describe_b2c(call, provider, &names.tenant, &issuer)),
        (TenantKind::OpenId, Some(tenant)) => Ok(describe_plain(call, provider, tenant, &issuer)),
        _ => describe_entra(service, call, &names.tenant, &issuer),
    }
}

/// B2C's metadata: the addresses have the tenant's name as the client wrote it.
fn describe_b2c(call: &Call, provider: Provider<'_>, name: &str, issuer: &str) -> Value {
    let address = |endpoint| provider.address(&call.base, name, endpoint);
    json!({
        "issuer": issuer,
        "authorization_endpoint": address(Endpoint::Authorize),
        "token_endpoint": address(Endpoint::Token),
        "end_session_endpoint": address(Endpoint::Logout),
        "jwks_uri": address(Endpoint::Keys),
        "response_modes_supported": ["query", "fragment", "form_post"],
        "response_types_supported": ["code", "code id_token", "id_token"],
        "scopes_supported": ["openid"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
        "claims_supported": ["name", "given_name", "family_name", "emails", "oid", "sub", "tfp", "acr", "auth_time", "iss", "iat", "exp", "aud", "nonce"],
    })
}

/// What OpenID Connect Discovery asks for.
fn describe_plain(call: &Call, provider: Provider<'_>, tenant: &Tenant, issuer: &str) -> Value {
    let name = tenant.address_name();
    let address = |endpoint| provider.address(&call.base, &name, endpoint);
    json!({
        "issuer": issuer,
        "authorization_endpoint": address(Endpoint::Authorize),
        "token_endpoint": address(Endpoint::Token),
        "userinfo_endpoint": format!("{}/{name}/connect/userinfo", call.base),
        "end_session_endpoint": address(Endpoint::Logout),
        "jwks_uri": address(Endpoint::Keys),
        "scopes_supported": ["openid", "profile", "email", "offline_access"],
        "response_types_supported": ["code", "code id_token", "id_token"],
        "response_modes_supported": ["query", "fragment", "form_post"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "private_key_jwt"],
        "code_challenge_methods_supported": ["S256", "plain"],
    })
}

fn describe_entra(
    service: &Service,
    call: &Call,
    tenant: &str,
    issuer: &str,
) -> Result<Value, EntraError> {
    let base = &call.base;
    // Whoever asks by domain gets addresses with the id.
    let id = authority_id(service, tenant)?;
    Ok(json!({
        "token_endpoint": format!("{base}/{id}/oauth2/v2.0/token"),
        "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt", "client_secret_basic"],
        "jwks_uri": format!("{base}/{id}/discovery/v2.0/keys"),
        "response_modes_supported": ["query", "fragment", "form_post"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
        "scopes_supported": ["openid", "profile", "email", "offline_access"],
        "issuer": issuer,
        "request_uri_parameter_supported": false,
        "userinfo_endpoint": format!("{base}/oidc/userinfo"),
        "authorization_endpoint": format!("{base}/{id}/oauth2/v2.0/authorize"),
        "device_authorization_endpoint": format!("{base}/{id}/oauth2/v2.0/devicecode"),
        "http_logout_supported": true,
        "frontchannel_logout_supported": true,
        "end_session_endpoint": format!("{base}/{id}/oauth2/v2.0/logout"),
        "claims_supported": ["sub", "iss", "cloud_instance_name", "cloud_instance_host_name", "cloud_graph_host_name", "msgraph_host", "aud", "exp", "iat", "auth_time", "acr", "nonce", "preferred_username", "name", "tid", "ver", "at_hash", "c_hash", "email"],
        "kerberos_endpoint": format!("{base}/{id}/kerberos"),
        "tenant_region_scope": if service.directory.tenant(&id).is_some() { json!("NA") } else { Value::Null },
        "cloud_instance_name": "microsoftonline.com",
        "cloud_graph_host_name": "graph.windows.net",
        "msgraph_host": "graph.microsoft.com",
        "rbac_url": "https://pas.windows.net",
    }))
}

/// The `<tenant>` that addresses in answers have.
fn authority_id(service: &Service, tenant: &str) -> Result<String, EntraError> {
    Ok(match service.directory.authority(tenant)? {
        Authority::Tenant(tenant) => tenant.id.to_string(),
        Authority::Common => "common".to_owned(),
        Authority::Organizations => "organizations".to_owned(),
        Authority::Consumers => service
            .directory
            .tenants
            .iter()
            .find(|tenant| tenant.personal)
            .map_or("consumers".to_owned(), |tenant| tenant.id.to_string()),
    })
}

/// The `<tenant>` of the issuer: an authority of many tenants has Entra's literal placeholder.
fn issuer_id(authority: &str) -> &str {
    match authority {
        "common" | "organizations" => "{tenantid}",
        id => id,
    }
}

/// An answer that may be kept for a day.
fn public(call: &Call, answer: Result<Value, EntraError>) -> Response<Body> {
    let mut response = match answer {
        Ok(answer) => call.json(StatusCode::OK, &answer),
        Err(error) => EntraError {
            error: "invalid_tenant".to_owned(),
            ..error
        }
        .response(call),
    };
    if response.status() == StatusCode::OK {
        response.headers_mut().insert(
            header::CACHE_CONTROL,
            HeaderValue::from_static("max-age=86400, private"),
        );
        response.headers_mut().remove(header::PRAGMA);
        response.headers_mut().remove(header::EXPIRES);
    }
    response
}
