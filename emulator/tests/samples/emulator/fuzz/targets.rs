//! The endpoints, each with requests that make sense, from which those that make none are made.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD as BASE64URL};
use serde_json::json;

use super::super::*;
use super::fuzz;

#[test]
fn fuzz_discovery() {
    let (emulator, _) = start(Options::default());
    let none = String::new;
    fuzz(
        &emulator,
        &[
            ("/contoso.com/v2.0/.well-known/openid-configuration", none()),
            (
                "/contosob2c.onmicrosoft.com/v2.0/.well-known/openid-configuration?p=B2C_1_signupsignin1",
                none(),
            ),
            (
                "/contosob2c.onmicrosoft.com/B2C_1_signupsignin1/discovery/v2.0/keys",
                none(),
            ),
            ("/idp.example/.well-known/openid-configuration", none()),
            (
                "/common/discovery/instance?api-version=1.1&authorization_endpoint=https://login.microsoftonline.com/common/oauth2/v2.0/authorize",
                none(),
            ),
            (
                "/common/userrealm/contoso_employee@contoso.com?api-version=1.0",
                none(),
            ),
        ],
        &[
            "X-Forwarded-Host: evil.example",
            "client-request-id: 11111111-2222-3333-4444-555555555555",
        ],
    );
}

#[test]
fn fuzz_authorize() {
    let (emulator, _) = start(Options::default());
    let request = authorize(
        &emulator,
        &[
            ("response_mode", "form_post"),
            ("claims", "{\"id_token\":{\"auth_time\":null}}"),
            ("max_age", "7"),
        ],
    );
    let (path, query) = request.split_once('?').unwrap();
    fuzz(
        &emulator,
        &[(&request, String::new()), (path, query.to_owned())],
        &["Cookie: emulator_session=abc"],
    );
}

/// The same where everybody is signed in at once, so that there are redirects.
#[test]
fn fuzz_authorize_without_pages() {
    let (emulator, _) = signing_in();
    let code = authorize(&emulator, &[]);
    let both = authorize(
        &emulator,
        &[("response_type", "code id_token"), ("prompt", "none")],
    );
    let public = format!(
        "/organizations/oauth2/v2.0/authorize?{}",
        query(&[
            ("client_id", &client_id(&emulator, "desktop-browser")),
            ("response_type", "code"),
            ("scope", "openid"),
            ("redirect_uri", "http://localhost:61234")
        ])
    );
    fuzz(
        &emulator,
        &[
            (&code, String::new()),
            (&both, String::new()),
            (&public, String::new()),
        ],
        &[],
    );
}

#[test]
fn fuzz_token() {
    let (emulator, client) = signing_in();
    let path = "/contoso.com/oauth2/v2.0/token";
    let id = client_id(&emulator, "username-password");
    let web = settings(&emulator, "flask-equivalent-web");
    let code = client.get(&authorize(&emulator, &[])).carried()["code"].clone();
    let password = password_grant(&id, "openid offline_access User.Read");
    let refresh = client.token("contoso.com", &password).json()["refresh_token"]
        .as_str()
        .unwrap()
        .to_owned();
    let assertion = format!(
        "{}.{}.AAAA",
        BASE64URL.encode(json!({ "alg": "PS256", "x5t#S256": "x" }).to_string()),
        BASE64URL
            .encode(json!({ "iss": id, "sub": id, "aud": "x", "exp": 1, "jti": "1" }).to_string())
    );
    let deep = "[".repeat(3_000);
    let forms = [
        query(&password),
        query(&redemption(&web, &code)),
        query(&[
            ("client_id", &id),
            ("grant_type", "refresh_token"),
            ("refresh_token", &refresh),
            ("scope", "User.Read"),
        ]),
        query(&[
            ("client_id", &id),
            ("grant_type", "device_code"),
            ("device_code", "x"),
        ]),
        query(&[
            ("grant_type", "client_credentials"),
            (
                "client_assertion_type",
                "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            ),
            ("client_assertion", &assertion),
            ("scope", "https://graph.microsoft.com/.default"),
        ]),
        query(&with(
            &password,
            "claims",
            "{\"access_token\":{\"nbf\":{\"value\":\"7\"},\"xms_cc\":{\"values\":[\"cp1\"]}}}",
        )),
        query(&with(&password, "claims", &deep)),
    ];
    let examples: Vec<_> = forms.into_iter().map(|form| (path, form)).collect();
    fuzz(
        &emulator,
        &examples,
        &[
            "Authorization: Basic dXNlcjpwYXNz",
            "Origin: http://localhost:3000",
        ],
    );
}

#[test]
fn fuzz_device_code() {
    let (emulator, _) = start(Options::default());
    let id = client_id(&emulator, "device-code");
    let form = query(&[("client_id", &id), ("scope", "openid User.Read")]);
    fuzz(
        &emulator,
        &[("/contoso.com/oauth2/v2.0/devicecode", form)],
        &[],
    );
}

#[test]
fn fuzz_device_page() {
    let (emulator, client) = start(Options::default());
    let id = client_id(&emulator, "device-code");
    let begun = client
        .post(
            "/contoso.com/oauth2/v2.0/devicecode",
            &[("client_id", &id), ("scope", "User.Read")],
        )
        .json();
    let code = begun["user_code"].as_str().unwrap();
    let page = client.post("/devicelogin", &[("user_code", code)]).body;
    let state = page
        .split_once("name=\"state_of_page\" value=\"")
        .unwrap()
        .1
        .split_once('"')
        .unwrap()
        .0;
    fuzz(
        &emulator,
        &[
            ("/devicelogin", query(&[("user_code", code)])),
            (
                "/devicelogin",
                query(&[
                    ("state_of_page", state),
                    ("account", EMPLOYEE),
                    ("other_account", ""),
                ]),
            ),
        ],
        &[],
    );
}

#[test]
fn fuzz_sign_in_page() {
    let (emulator, client) = start(Options::default());
    let page = client
        .get(&authorize(&emulator, &[("login_hint", EMPLOYEE)]))
        .body;
    let state = page
        .split_once("name=\"state_of_page\" value=\"")
        .unwrap()
        .1
        .split_once('"')
        .unwrap()
        .0;
    let password = query(&[("state_of_page", state), ("password", EMPLOYEE_PASSWORD)]);
    let cancel = query(&[("state_of_page", state), ("cancel", "1")]);
    fuzz(
        &emulator,
        &[("/login", password), ("/login", cancel)],
        &["Cookie: emulator_session=abc; b=c"],
    );
}

#[test]
fn fuzz_logout() {
    let (emulator, client) = signing_in();
    let token = client
        .get(&authorize(&emulator, &[("response_type", "id_token")]))
        .carried()["id_token"]
        .clone();
    let fields = query(&[
        ("post_logout_redirect_uri", "http://localhost:5000/"),
        ("state", "a b"),
        ("id_token_hint", &token),
        ("logout_hint", EMPLOYEE),
    ]);
    let path = format!("/contoso.com/oauth2/v2.0/logout?{fields}");
    fuzz(
        &emulator,
        &[
            (&path, String::new()),
            ("/contoso.com/oauth2/v2.0/logout", fields),
        ],
        &[],
    );
}

#[test]
fn fuzz_graph() {
    let (emulator, _) = start(Options {
        generate: Some(50),
        ..Options::default()
    });
    let token = emulator
        .user_token(
            EMPLOYEE,
            "device-code",
            "openid User.Read User.ReadBasic.All",
        )
        .unwrap();
    let batch = json!({ "requests": [{ "id": "1", "method": "GET", "url": "/me?$select=id" }, { "id": "2", "method": "GET", "url": "/users?$top=2" }] });
    let none = String::new;
    fuzz(
        &emulator,
        &[
            (
                "/v1.0/me?$select=id,mail&$expand=manager($select=id)",
                none(),
            ),
            (
                "/v1.0/users?$top=5&$skiptoken=abc&$select=displayName",
                none(),
            ),
            ("/v1.0/users/contoso_employee@contoso.com/manager", none()),
            (
                "/v1.0/applications(appId='59c06144-a668-4828-9ca8-ed6e117c8344')",
                none(),
            ),
            ("/v1.0/$batch", batch.to_string()),
            ("/v1.0/$batch", "[".repeat(2_000)),
            ("/oidc/userinfo", none()),
            ("/api/me", none()),
            ("/idp.example/connect/userinfo", none()),
        ],
        &[&format!("Authorization: Bearer {token}")],
    );
}

#[test]
fn fuzz_tokens_at_graph() {
    let (emulator, _) = start(Options::default());
    let token = emulator
        .user_token(EMPLOYEE, "device-code", "openid User.Read")
        .unwrap();
    let part = |value: serde_json::Value| BASE64URL.encode(value.to_string());
    let none = format!(
        "{}.{}.",
        part(json!({ "alg": "none" })),
        part(json!({ "aud": "x" }))
    );
    fuzz(
        &emulator,
        &[
            ("/v1.0/me", String::new()),
            ("/oidc/userinfo", String::new()),
        ],
        &[
            &format!("Authorization: Bearer {none}"),
            &format!("authorization: Bearer {token}"),
        ],
    );
}

#[test]
fn fuzz_home_page() {
    let (emulator, _) = start(Options::default());
    let forms = [
        query(&[
            ("action", "add-fault"),
            ("other", "userrealm:status-404"),
            ("times", "2"),
        ]),
        query(&[("action", "revoke"), ("name", EMPLOYEE)]),
        query(&[("action", "clear-requests")]),
    ];
    let examples: Vec<_> = forms.into_iter().map(|form| ("/", form)).collect();
    fuzz(&emulator, &examples, &[]);
}

/// Faults are set by this, so the record is what is looked at in the end.
#[test]
fn fuzz_admin() {
    let (emulator, client) = start(Options::default());
    fuzz(
        &emulator,
        &[
            (
                "/_emulator/faults",
                "token:body=404 {\"a\": 1}*2\n# comment\nme:status-404".to_owned(),
            ),
            ("/_emulator/revoke", EMPLOYEE.to_owned()),
            ("/_emulator/requests", String::new()),
            ("/_emulator/live", String::new()),
            ("/_emulator/home.js", String::new()),
        ],
        &[],
    );
    assert_eq!(client.get("/_emulator/requests").status, 200);
    assert!(
        client
            .get("/_emulator/faults")
            .json()
            .as_array()
            .unwrap()
            .len()
            <= 1000
    );
}

/// Addresses that lead nowhere: no file is behind any of them.
#[test]
fn fuzz_paths() {
    let (emulator, _) = start(Options::default());
    let none = String::new;
    fuzz(
        &emulator,
        &[
            ("/_emulator/../../etc/passwd", none()),
            ("/..%2f..%2f..%2fetc/passwd", none()),
            ("//etc/passwd", none()),
            ("/_emulator/%2e%2e/Cargo.toml", none()),
            ("/keys/signing-1.pem", none()),
            ("/error?code=50126", none()),
            ("/%00", none()),
        ],
        &[],
    );
}
