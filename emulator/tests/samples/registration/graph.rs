//! Graph's `/applications` itself: what it takes, what it refuses, and from whom.

use serde_json::{Value, json};

use super::Tenant;
use crate::support::side_by_side;

const APPLICATIONS: &str = "v1.0/applications";

#[test]
fn an_app_is_created_changed_found_and_deleted() {
    let tenant = Tenant::new();
    let body = json!({ "displayName": "it's new", "tags": ["one"], "@odata.type": "#microsoft.graph.application" });
    let (status, app) = tenant.graph("POST", APPLICATIONS, &body.to_string());
    assert_eq!(status, 201, "{app:#}");
    let one = format!("{APPLICATIONS}/{}", app["id"].as_str().unwrap());
    let client = app["appId"].as_str().unwrap();
    let by_key = format!("{APPLICATIONS}(appId='{client}')");

    let change = r#"{ "displayName": "newer", "web": { "redirectUris": ["http://localhost"] }, "notes": null }"#;
    assert_eq!(tenant.graph("PATCH", &one, change).0, 204);
    let (_, changed) = tenant.graph("GET", &by_key, "");
    assert_eq!(changed["displayName"], "newer");
    assert_eq!(changed["tags"], json!(["one"]));
    assert_eq!(changed["web"]["redirectUris"], json!(["http://localhost"]));
    assert_eq!(changed["web"]["logoutUrl"], Value::Null);

    let found = |filter: &str| {
        let path = format!("{APPLICATIONS}?$filter={}", filter.replace(' ', "%20"));
        let (status, list) = tenant.graph("GET", &path, "");
        assert_eq!(status, 200, "{list:#}");
        list["value"].as_array().unwrap().len()
    };
    assert_eq!(found("displayName eq 'newer'"), 1);
    assert_eq!(found("displayName eq 'it''s new'"), 0);
    assert_eq!(found("startswith(displayName,'NEW')"), 1);
    assert_eq!(
        found(&format!("appId eq '{client}' and tags/any(t:t eq 'one')")),
        1
    );

    assert_eq!(tenant.graph("DELETE", &one, "").0, 204);
    assert_eq!(tenant.graph("GET", &one, "").0, 404);
    assert_eq!(found("displayName eq 'newer'"), 0);
}

#[test]
fn a_secret_is_shown_once_and_removed_by_its_id() {
    let tenant = Tenant::new();
    let (_, app) = tenant.graph(
        "POST",
        APPLICATIONS,
        r#"{ "displayName": "with a secret" }"#,
    );
    let one = format!("{APPLICATIONS}/{}", app["id"].as_str().unwrap());
    let asked = r#"{ "passwordCredential": { "displayName": "mine", "endDateTime": "2030-01-01T00:00:00Z" } }"#;
    let (status, secret) = tenant.graph("POST", &format!("{one}/addPassword"), asked);
    assert_eq!(status, 200, "{secret:#}");
    assert!(secret["secretText"].as_str().unwrap().len() > 30);
    let (_, app) = tenant.graph("GET", &one, "");
    let listed = &app["passwordCredentials"][0];
    assert_eq!(listed["keyId"], secret["keyId"]);
    assert_eq!(listed["displayName"], "mine");
    assert_eq!(listed["endDateTime"], "2030-01-01T00:00:00Z");
    assert_eq!(listed["secretText"], Value::Null);

    let removal = json!({ "keyId": secret["keyId"] }).to_string();
    assert_eq!(
        tenant
            .graph("POST", &format!("{one}/removePassword"), &removal)
            .0,
        204
    );
    assert_eq!(
        tenant
            .graph("POST", &format!("{one}/removePassword"), &removal)
            .0,
        400
    );
    assert_eq!(
        tenant.graph("GET", &one, "").1["passwordCredentials"],
        json!([])
    );
}

#[test]
fn what_graph_does_not_know_it_refuses() {
    let tenant = Tenant::new();
    let rows = [
        (
            APPLICATIONS,
            r#"{ "displayname": "x" }"#,
            "Invalid property 'displayname'.",
        ),
        (
            APPLICATIONS,
            r#"{ "displayName": 1 }"#,
            "Invalid value specified for property 'displayName' of resource 'Application'.",
        ),
        (
            APPLICATIONS,
            r#"{ "displayName": "x", "isFallbackPublicClient": "true" }"#,
            "Invalid value specified for property 'isFallbackPublicClient'",
        ),
        (
            APPLICATIONS,
            r#"{ "displayName": "x", "signInAudience": "MyOrg" }"#,
            "Invalid value specified for property 'signInAudience'",
        ),
        (
            APPLICATIONS,
            r#"{ "displayName": "x", "web": { "redirectUri": [] } }"#,
            "Invalid property 'redirectUri'.",
        ),
        (
            APPLICATIONS,
            r#"{ "displayName": "x", "requiredResourceAccess": [{ "resourceAppId": "graph" }] }"#,
            "Invalid value specified for property 'resourceAppId'",
        ),
        (
            APPLICATIONS,
            r#"{ "displayName": "x", "passwordCredentials": [] }"#,
            "Invalid property 'passwordCredentials'.",
        ),
        (
            APPLICATIONS,
            r#"{ "notes": "x" }"#,
            "A value is required for property 'displayName'",
        ),
        (APPLICATIONS, "{", "Unable to read JSON request payload."),
        (
            "v1.0/servicePrincipals",
            r#"{ "appId": "00000000-0000-0000-0000-000000000001" }"#,
            "referenced in the request does not exist",
        ),
        (
            "v1.0/oauth2PermissionGrants",
            r#"{ "clientid": "x" }"#,
            "Invalid property 'clientid'.",
        ),
    ];
    side_by_side(&rows, |(path, body, message)| {
        let (status, answer) = tenant.graph("POST", path, body);
        assert_eq!(status, 400, "{answer:#}");
        let said = answer["error"]["message"].as_str().unwrap();
        assert!(said.contains(message), "{said}");
    });
    let path = format!("{APPLICATIONS}?$filter=notes%20eq%20'x'");
    assert_eq!(
        tenant.graph("GET", &path, "").1["error"]["code"],
        "Request_UnsupportedQuery"
    );
}

#[test]
fn who_may_only_read_writes_nothing() {
    let tenant = Tenant::new();
    let token = tenant
        .emulator
        .application_token("client-credentials")
        .unwrap();
    let body = r#"{ "displayName": "not mine to make" }"#;
    let request = format!(
        "POST /{APPLICATIONS} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let (head, answer) = super::send(super::port(tenant.emulator.url()), &request);
    assert!(
        head.contains(" 403 ") && answer.contains("Authorization_RequestDenied"),
        "{head}{answer}"
    );
}

/// AADSTS7000229: registered, but in no tenant.
#[test]
fn an_app_without_a_service_principal_gets_no_token() {
    let tenant = Tenant::new();
    let (_, app) = tenant.graph("POST", APPLICATIONS, r#"{ "displayName": "homeless" }"#);
    let one = format!("{APPLICATIONS}/{}", app["id"].as_str().unwrap());
    let (_, secret) = tenant.graph("POST", &format!("{one}/addPassword"), "{}");
    let secret = secret["secretText"].as_str().unwrap();
    let client = app["appId"].as_str().unwrap();
    let form = format!(
        "grant_type=client_credentials&client_id={client}&client_secret={secret}&scope=https://graph.microsoft.com/.default"
    );
    let ask = || {
        let request = format!(
            "POST /{}/oauth2/v2.0/token HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
            tenant.id(),
            form.len()
        );
        super::send(super::port(tenant.emulator.url()), &request).1
    };
    assert!(ask().contains("AADSTS7000229"), "{}", ask());
    let principal = json!({ "appId": client }).to_string();
    assert_eq!(
        tenant.graph("POST", "v1.0/servicePrincipals", &principal).0,
        201
    );
    assert_eq!(
        tenant.graph("POST", "v1.0/servicePrincipals", &principal).0,
        409
    );
    assert!(ask().contains("access_token"), "{}", ask());
}
