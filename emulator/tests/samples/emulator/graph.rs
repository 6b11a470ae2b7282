//! Lines 17, 25 and 26: Graph, and who may ask it what.

use serde_json::{Value, json};

use super::client::{Answer, claims};
use super::*;

fn user_token(emulator: &Emulator, scope: &str) -> String {
    emulator.user_token(EMPLOYEE, "device-code", scope).unwrap()
}

#[test]
fn line_17_tokens_are_checked_at_graph() {
    over_both(|emulator, client| {
        let token = user_token(emulator, "User.Read");
        let (head, rest) = token.split_once('.').unwrap();
        let (_, signature) = rest.split_once('.').unwrap();
        let vault = user_token(emulator, "https://vault.azure.net/.default");
        let app = emulator.application_token("client-credentials").unwrap();
        let roleless = emulator
            .application_token("client-credentials-role-missing")
            .unwrap();
        let object = "/v1.0/applications/6ed9c555-6dfd-4f35-b832-f1f634c0b876";
        for (row, token, path, status, words) in [
            ("a good one", token.as_str(), "/v1.0/me", 200, ""),
            ("none", "", "/v1.0/me", 401, "Access token is empty."),
            (
                "no JWT",
                "opaque",
                "/v1.0/me",
                401,
                "CompactToken parsing failed",
            ),
            (
                "another's claims",
                &format!("{head}.e30.{signature}"),
                "/v1.0/me",
                401,
                "Invalid signature",
            ),
            (
                "another audience",
                &vault,
                "/v1.0/me",
                401,
                "Invalid audience",
            ),
            (
                "User.Read at /users",
                &token,
                "/v1.0/users",
                403,
                "Insufficient privileges",
            ),
            (
                "User.Read at an application",
                &token,
                object,
                403,
                "Insufficient privileges",
            ),
            ("an application's own", &app, object, 200, ""),
            (
                "an application at /me",
                &app,
                "/v1.0/me",
                400,
                "delegated authentication",
            ),
            (
                "an application without a role",
                &roleless,
                object,
                403,
                "Insufficient privileges",
            ),
            (
                "Application.Read.All at /users",
                &app,
                "/v1.0/users",
                403,
                "Insufficient privileges",
            ),
        ] {
            let answer = client.graph(path, token);
            answer.shows(status, words);
            assert_eq!(
                answer.header("www-authenticate").is_some(),
                status == 401,
                "{row}"
            );
        }
    });
    let (emulator, client) = start(Options::default());
    let token = user_token(&emulator, "User.Read");
    emulator.advance_clock(3600);
    client
        .graph("/v1.0/me", &token)
        .shows(401, "the token is expired");
}

fn object(answer: &Answer) -> Vec<String> {
    answer.json().as_object().unwrap().keys().cloned().collect()
}

#[test]
fn line_25_users_and_their_managers() {
    over_both(|emulator, client| {
        let token = user_token(emulator, "openid profile User.Read User.ReadBasic.All");
        let get = |path: &str| client.graph(path, &token);
        let me = get("/v1.0/me");
        assert_eq!(
            object(&me),
            [
                "@odata.context",
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
                "id"
            ]
        );
        assert!(
            me.header("content-type")
                .unwrap()
                .starts_with("application/json;odata.metadata=minimal")
        );
        for name in [
            "request-id",
            "client-request-id",
            "odata-version",
            "x-ms-ags-diagnostic",
        ] {
            assert!(me.header(name).is_some(), "{name}");
        }
        assert_eq!(
            object(&get("/v1.0/me?$select=id,mail")),
            ["@odata.context", "id", "mail"]
        );
        assert_eq!(
            get("/v1.0/me?$select=nonsense").any_json()["error"]["code"],
            "BadRequest"
        );
        assert_eq!(
            get("/v1.0/me?$expand=manager").json()["manager"]["displayName"],
            "Contoso Manager"
        );
        let manager = get("/v1.0/me/manager").json();
        assert_eq!(manager["@odata.type"], "#microsoft.graph.user");
        assert_eq!(manager["userPrincipalName"], "contoso_manager@contoso.com");
        for path in [
            "/v1.0/users/e3a49d8b-d849-48eb-9947-37c1f9589812",
            "/v1.0/users/contoso_employee@contoso.com",
            "/v1.0/users/Contoso_Employee%40contoso.com",
        ] {
            assert_eq!(
                get(path).json()["displayName"],
                "Contoso Employee",
                "{path}"
            );
        }
        let missing = get("/v1.0/users/nobody@contoso.com");
        assert_eq!(
            (missing.status, &missing.any_json()["error"]["code"]),
            (404, &json!("Request_ResourceNotFound"))
        );
        let error = &missing.any_json()["error"];
        for name in ["date", "request-id", "client-request-id"] {
            assert!(error["innerError"][name].is_string(), "{name}: {error}");
        }
        assert_eq!(
            error["innerError"]["request-id"].as_str(),
            missing.header("request-id")
        );
        let manager = emulator
            .user_token("contoso_manager@contoso.com", "device-code", "User.Read")
            .unwrap();
        client
            .graph("/v1.0/me/manager", &manager)
            .shows(404, "Resource 'manager' does not exist");
    });
}

#[test]
fn line_25_pages_of_users() {
    let emulator = Emulator::start(Options {
        tls: true,
        generate: Some(250),
        ..Options::default()
    })
    .unwrap();
    for client in [Client::http(&emulator), Client::tls(&emulator)] {
        let token = user_token(&emulator, "User.ReadBasic.All");
        let (mut ids, mut sizes) = (std::collections::BTreeSet::new(), Vec::new());
        let mut next = "/v1.0/users?$select=id,displayName&$top=120".to_owned();
        loop {
            let page = client.graph(&next, &token).json();
            let users = page["value"].as_array().unwrap();
            sizes.push(users.len());
            for user in users {
                assert_eq!(
                    user.as_object().unwrap().len(),
                    2,
                    "the choice of fields goes on"
                );
                assert!(
                    ids.insert(user["id"].as_str().unwrap().to_owned()),
                    "nobody twice"
                );
            }
            match page.get("@odata.nextLink") {
                Some(link) => next = link.as_str().unwrap().to_owned(),
                None => break,
            }
            assert!(
                next.starts_with(&client.base) && next.contains("$skiptoken="),
                "{next}"
            );
        }
        assert_eq!(sizes[..2], [120, 120]);
        assert!(ids.len() > 250);
        for (query, words) in [
            ("$top=0", "Invalid page size"),
            ("$top=1000", "Invalid page size specified: '1000'"),
            ("$top=x", "$top"),
            ("$skip=1", "$skip"),
            ("$skiptoken=forged", "page token"),
        ] {
            client
                .graph(&format!("/v1.0/users?{query}"), &token)
                .shows(400, words);
        }
        let expanded = client
            .graph("/v1.0/users?$expand=manager&$top=999", &token)
            .json();
        assert_eq!(
            expanded["value"].as_array().unwrap().len(),
            100,
            "with managers, 100 at most"
        );
    }
}

#[test]
fn line_25_applications_userinfo_and_batches() {
    over_both(|emulator, client| {
        let app = emulator.application_token("client-credentials").unwrap();
        let by_id = client
            .graph(
                "/v1.0/applications/6ed9c555-6dfd-4f35-b832-f1f634c0b876",
                &app,
            )
            .json();
        let by_key = client
            .graph(
                "/v1.0/applications(appId='59c06144-a668-4828-9ca8-ed6e117c8344')",
                &app,
            )
            .json();
        assert_eq!(by_id["appId"], "59c06144-a668-4828-9ca8-ed6e117c8344");
        assert_eq!(by_id["displayName"], "python-cli");
        assert_eq!(by_id, by_key);
        assert!(!by_id.to_string().contains("toy~"), "no secret in clear");
        // The usual mistake: the client id is no object id.
        client
            .graph(
                "/v1.0/applications/59c06144-a668-4828-9ca8-ed6e117c8344",
                &app,
            )
            .shows(404, "Request_ResourceNotFound");

        let id = client_id(emulator, "username-password");
        let tokens = client
            .token(
                "contoso.com",
                &password_grant(&id, "openid profile email User.Read"),
            )
            .json();
        let token = tokens["access_token"].as_str().unwrap();
        let info = client.graph("/oidc/userinfo", token).json();
        assert_eq!(
            info["sub"],
            claims(tokens["id_token"].as_str().unwrap())["sub"]
        );
        let plain = user_token(emulator, "User.Read");
        assert_eq!(
            client.graph("/oidc/userinfo", &plain).status,
            403,
            "without openid"
        );

        let batch = json!({ "requests": [
            { "id": "1", "method": "GET", "url": "/me?$select=id" },
            { "id": "2", "method": "GET", "url": "/users" },
            { "id": "3", "method": "GET", "url": "/nowhere" },
            { "id": "4", "method": "GET", "url": "/$batch" },
        ] });
        let authorization = format!("Bearer {token}");
        let headers = [
            ("Authorization", authorization.as_str()),
            ("Content-Type", "application/json"),
        ];
        let answer = client
            .send("POST", "/v1.0/$batch", &headers, &batch.to_string())
            .json();
        let statuses: Vec<_> = answer["responses"]
            .as_array()
            .unwrap()
            .iter()
            .map(|part| part["status"].as_i64().unwrap())
            .collect();
        assert_eq!(statuses, [200, 403, 400, 400]);
        assert_eq!(
            answer["responses"][0]["body"]["id"],
            "e3a49d8b-d849-48eb-9947-37c1f9589812"
        );
        let many: Vec<Value> = (0..21)
            .map(|id| json!({ "id": id.to_string(), "method": "GET", "url": "/me" }))
            .collect();
        let answer = client.send(
            "POST",
            "/v1.0/$batch",
            &headers,
            &json!({ "requests": many }).to_string(),
        );
        assert_eq!(answer.status, 400);
    });
}

#[test]
fn line_26_a_revoked_user_is_challenged_until_a_token_answers() {
    let (emulator, client) = start(Options::default());
    let id = client_id(&emulator, "username-password");
    let grant = password_grant(&id, "offline_access User.Read");
    let tokens = client.token("contoso.com", &grant).json();
    let token = tokens["access_token"].as_str().unwrap();
    assert_eq!(client.graph("/v1.0/me", token).status, 200);
    let revoked = client.send("POST", "/_emulator/revoke", &[], EMPLOYEE);
    assert_eq!(revoked.status, 200, "{revoked:#?}");

    let challenged = client.graph("/v1.0/me", token);
    assert_eq!(challenged.status, 401);
    let header = challenged.header("www-authenticate").unwrap();
    assert!(header.contains("error=\"insufficient_claims\""), "{header}");
    let (_, rest) = header.split_once("claims=\"").unwrap();
    let claims = {
        use base64::{Engine, prelude::BASE64_STANDARD};
        let text = rest.split_once('"').unwrap().0;
        String::from_utf8(BASE64_STANDARD.decode(text).unwrap()).unwrap()
    };
    // Neither the same claims nor the refresh token of before the revocation will do; a new sign-in will.
    let refresh = [
        ("client_id", id.as_str()),
        ("grant_type", "refresh_token"),
        ("refresh_token", tokens["refresh_token"].as_str().unwrap()),
    ];
    assert_eq!(client.token("contoso.com", &refresh).code(), 50173);
    let answer = client
        .token("contoso.com", &with(&grant, "claims", &claims))
        .json();
    let token = answer["access_token"].as_str().unwrap();
    assert_eq!(
        client.graph("/v1.0/me", token).status,
        200,
        "a token that answers the challenge"
    );

    // A fault challenges once.
    emulator.fault("me:cae").unwrap();
    assert_eq!(client.graph("/v1.0/me", token).status, 401);
    assert_eq!(client.graph("/v1.0/me", token).status, 200);
}
