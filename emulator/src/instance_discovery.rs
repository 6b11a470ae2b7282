//! `GET /common/discovery/instance`: is this host a sign-in service, and by what other names does it go?

use std::sync::Arc;

use axum::body::Body;
use axum::extract::Extension;
use axum::http::{Response, StatusCode, Uri};
use serde_json::json;

use crate::call::{Call, without_port};
use crate::errors::EntraError;

/// The real login hosts: preferred network name, preferred cache name, all names.
const CLOUDS: &[(&str, &str, &[&str])] = &[
    (
        "login.microsoftonline.com",
        "login.windows.net",
        &[
            "login.microsoftonline.com",
            "login.windows.net",
            "login.microsoft.com",
            "sts.windows.net",
        ],
    ),
    (
        "login.partner.microsoftonline.cn",
        "login.partner.microsoftonline.cn",
        &["login.partner.microsoftonline.cn", "login.chinacloudapi.cn"],
    ),
    (
        "login.microsoftonline.us",
        "login.microsoftonline.us",
        &["login.microsoftonline.us", "login.usgovcloudapi.net"],
    ),
];

/// The endpoint.
pub async fn answer(Extension(call): Extension<Arc<Call>>) -> Response<Body> {
    let Some(endpoint) = call.query.get("authorization_endpoint") else {
        return EntraError::about(900144, &["authorization_endpoint"]).response(&call);
    };
    let own_host = call.base.split_once("://").map_or("", |(_, host)| host);
    let own_name = without_port(own_host);
    let uri: Uri = endpoint.parse().unwrap_or_default();
    let host = uri.authority().map_or("", |authority| authority.as_str());
    let is_own = host == own_host || host == own_name;
    if !is_own && !CLOUDS.iter().any(|(_, _, aliases)| aliases.contains(&host)) {
        let refusal = EntraError {
            code: 50049,
            error: "invalid_instance".to_owned(),
            description: "Unknown or invalid instance.".to_owned(),
            ..EntraError::new(90002)
        };
        return refusal.response(&call);
    }
    let tenant = uri
        .path()
        .split('/')
        .find(|segment| !segment.is_empty())
        .unwrap_or("common");
    let scheme_and_host = if is_own {
        call.base.clone()
    } else {
        format!("https://{host}")
    };
    let own = json!({ "preferred_network": own_host, "preferred_cache": own_host, "aliases": [own_host, own_name] });
    let clouds = CLOUDS.iter().map(|(network, cache, aliases)| json!({ "preferred_network": network, "preferred_cache": cache, "aliases": aliases }));
    let answer = json!({
        "tenant_discovery_endpoint": format!("{scheme_and_host}/{tenant}/v2.0/.well-known/openid-configuration"),
        "api-version": "1.1",
        "metadata": std::iter::once(own).chain(clouds).collect::<Vec<_>>(),
    });
    call.json(StatusCode::OK, &answer)
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;
    use serde_json::Value;

    use super::*;
    use crate::call::Form;

    /// MSAL for Python asks for the host without its port.
    #[tokio::test]
    async fn the_own_host_goes_without_its_port_too() {
        for (host, status) in [
            ("localhost:8443", StatusCode::OK),
            ("localhost", StatusCode::OK),
            ("localhost:1", StatusCode::BAD_REQUEST),
            ("nowhere.example", StatusCode::BAD_REQUEST),
        ] {
            let mut call = Call::internal("https://localhost:8443", 0);
            let endpoint = format!("https://{host}/contoso.com/oauth2/v2.0/authorize");
            call.query = Form::parse(format!("authorization_endpoint={endpoint}").as_bytes());
            let response = answer(Extension(Arc::new(call))).await;
            assert_eq!(response.status(), status, "{host}");
            let body = to_bytes(response.into_body(), 10_000).await.unwrap();
            let body: Value = serde_json::from_slice(&body).unwrap();
            if status == StatusCode::OK {
                assert_eq!(
                    body["tenant_discovery_endpoint"],
                    "https://localhost:8443/contoso.com/v2.0/.well-known/openid-configuration"
                );
                assert_eq!(body["metadata"][0]["aliases"][1], "localhost");
            }
        }
    }
}
