//! Lines 9, 10 and 12 to 16: the token endpoint.

use base64::{
    Engine,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD as BASE64URL},
};
use serde_json::{Value, json};

use super::client::claims;
use super::*;

const SECRET: &str = "toy~Secret.of-the_client~credentials+sample/%";
const GRAPH: &str = "https://graph.microsoft.com/.default";

/// The fields by which client-credentials asks, without a proof.
fn app_grant(id: &str) -> Vec<(&str, &str)> {
    vec![
        ("client_id", id),
        ("grant_type", "client_credentials"),
        ("scope", GRAPH),
    ]
}

#[test]
fn line_09_what_is_not_known_is_ignored() {
    over_both(|emulator, client| {
        let id = client_id(emulator, "username-password");
        let mut grant = password_grant(&id, "User.Read");
        grant.extend([
            ("x-client-SKU", "MSAL.Python"),
            ("x-client-current-telemetry", "4|301,2|"),
            ("client-request-id", "1"),
            ("scope", "a second scope is none"),
            ("", ""),
        ]);
        let path = "/contoso.com/oauth2/v2.0/token?client-request-id=7&slice=testslice&dc=x";
        assert!(client.post(path, &grant).json()["access_token"].is_string());
    });
}

#[test]
fn line_10_a_client_proves_itself_in_the_body_or_as_basic() {
    over_both(|emulator, client| {
        let id = client_id(emulator, "client-credentials");
        let basic = |user: &str, password: &str| {
            // RFC 6749, 2.3.1: both are form-encoded first.
            let encode = |text: &str| -> String {
                form_urlencoded::byte_serialize(text.as_bytes()).collect()
            };
            format!(
                "Basic {}",
                BASE64_STANDARD.encode(format!("{}:{}", encode(user), encode(password)))
            )
        };
        let with_secret = |secret| with(&app_grant(&id), "client_secret", secret);
        let without_id = with(&app_grant(&id), "client_id", "");
        type Row<'a> = (&'a str, Option<String>, Vec<(&'a str, &'a str)>, u64);
        let rows: [Row; 7] = [
            ("in the body", None, with_secret(SECRET), 0),
            (
                "as Basic, nothing in the body",
                Some(basic(&id, SECRET)),
                without_id.clone(),
                0,
            ),
            (
                "as Basic, the id in the body too",
                Some(basic(&id, SECRET)),
                app_grant(&id),
                0,
            ),
            (
                "a Basic header of a proxy",
                Some(basic("proxy-user", "x")),
                with_secret(SECRET),
                0,
            ),
            (
                "a Basic header of a proxy, and no proof",
                Some(basic("proxy-user", "x")),
                app_grant(&id),
                7000216,
            ),
            ("a wrong secret", None, with_secret("wrong"), 7000215),
            (
                "a wrong secret as Basic",
                Some(basic(&id, "wrong")),
                without_id,
                7000215,
            ),
        ];
        for (row, header, fields, code) in rows {
            let headers: Vec<_> = header
                .iter()
                .map(|header| ("Authorization", header.as_str()))
                .collect();
            let answer = client.post_with("/contoso.com/oauth2/v2.0/token", &headers, &fields);
            assert_eq!(answer.code(), code, "{row}: {answer:#?}");
        }
    });
}

#[test]
fn line_12_the_device_grant_goes_by_two_names() {
    for (grant_type, field) in [
        (
            "urn:ietf:params:oauth:grant-type:device_code",
            "device_code",
        ),
        ("device_code", "device_code"),
        ("device_code", "code"),
        ("urn:ietf:params:oauth:grant-type:device_code", "code"),
    ] {
        let (emulator, client) = signing_in();
        let id = client_id(&emulator, "device-code");
        let start = [("client_id", id.as_str()), ("scope", "User.Read")];
        let begun = client
            .post("/contoso.com/oauth2/v2.0/devicecode", &start)
            .json();
        let poll = [
            ("client_id", id.as_str()),
            ("grant_type", grant_type),
            (field, begun["device_code"].as_str().unwrap()),
        ];
        assert_eq!(client.token("contoso.com", &poll).code(), 70016);
        let tokens = client.token("contoso.com", &poll).json();
        assert!(tokens["access_token"].is_string(), "{grant_type} {field}");
    }
}

#[test]
fn line_13_scopes_come_in_many_forms_and_are_echoed_as_sent() {
    over_both(|emulator, client| {
        let id = client_id(emulator, "username-password");
        let ask = |scope: &str| client.token("contoso.com", &password_grant(&id, scope));
        for (sent, answered) in [
            ("User.Read", "User.Read"),
            (
                "User.ReadBasic.All User.Read",
                "User.ReadBasic.All User.Read",
            ),
            (
                "https://graph.microsoft.com/User.Read",
                "https://graph.microsoft.com/User.Read",
            ),
            (
                "User.Read openid profile offline_access",
                "openid profile User.Read",
            ),
            (
                "profile https://graph.microsoft.com/User.Read openid",
                "profile openid https://graph.microsoft.com/User.Read",
            ),
        ] {
            assert_eq!(ask(sent).json()["scope"], answered, "{sent}");
        }
        for everything in [
            GRAPH,
            "https://graph.microsoft.com//.default",
            ".default",
            "openid .default",
        ] {
            let tokens = ask(everything).json();
            let scopes = claims(tokens["access_token"].as_str().unwrap())["scp"]
                .as_str()
                .unwrap()
                .to_owned();
            assert!(
                scopes.contains("User.Read") && scopes.contains("User.ReadBasic.All"),
                "{everything}: {scopes}"
            );
        }
        for (scope, code) in [
            ("User.Read https://vault.azure.net/.default", 28000),
            ("User.Reed", 70011),
            ("https://nowhere.example/.default", 500011),
            ("User.Read .default", 70011),
            ("", 900144),
        ] {
            assert_eq!(ask(scope).code(), code, "{scope}");
        }
    });
}

#[test]
fn line_14_refresh_tokens() {
    over_both(|emulator, client| {
        let id = client_id(emulator, "username-password");
        let first = client
            .token(
                "contoso.com",
                &password_grant(&id, "openid offline_access User.Read"),
            )
            .json();
        let text = |tokens: &Value, name: &str| tokens[name].as_str().unwrap().to_owned();
        let refresh = |token: &str, scope: &str| {
            let fields = [
                ("client_id", id.as_str()),
                ("grant_type", "refresh_token"),
                ("refresh_token", token),
            ];
            client.token("contoso.com", &with(&fields, "scope", scope))
        };
        let old = text(&first, "refresh_token");
        for (scope, granted) in [
            ("", "User.Read"),
            ("openid offline_access User.Read", "User.Read"),
            ("User.Read User.ReadBasic.All", "User.ReadBasic.All"), // more than at first, and consented
        ] {
            // The old one stays good, each time.
            let tokens = refresh(&old, scope).json();
            assert!(
                text(&tokens, "scope").contains(granted),
                "{scope}: {tokens}"
            );
            assert_ne!(text(&tokens, "refresh_token"), old);
            assert_eq!(refresh(&text(&tokens, "refresh_token"), "").status, 200);
        }
        assert_eq!(
            refresh(&old, "User.Read.All").code(),
            65001,
            "what nobody has consented to"
        );
        assert_eq!(refresh("1.forged", "").code(), 70000);
        let other = client_id(emulator, "device-code");
        let stolen = [
            ("client_id", other.as_str()),
            ("grant_type", "refresh_token"),
            ("refresh_token", &old),
        ];
        let answer = client.token("contoso.com", &stolen).any_json();
        assert_eq!(answer["suberror"], "client_mismatch");
    });
}

#[test]
fn line_14_a_refresh_token_ends() {
    let (emulator, client) = start(Options::default());
    let id = client_id(&emulator, "username-password");
    let tokens = client
        .token(
            "contoso.com",
            &password_grant(&id, "offline_access User.Read"),
        )
        .json();
    let refresh = [
        ("client_id", id.as_str()),
        ("grant_type", "refresh_token"),
        ("refresh_token", tokens["refresh_token"].as_str().unwrap()),
    ];
    emulator.advance_clock(89 * 24 * 3600);
    assert_eq!(client.token("contoso.com", &refresh).status, 200);
    emulator.revoke(EMPLOYEE).unwrap();
    assert_eq!(client.token("contoso.com", &refresh).code(), 50173);
    emulator.advance_clock(2 * 24 * 3600);
    assert_eq!(client.token("contoso.com", &refresh).code(), 700082);
}

#[test]
fn line_15_shape_of_an_answer() {
    over_both(|emulator, client| {
        let id = client_id(emulator, "username-password");
        let grant = password_grant(&id, "openid offline_access User.Read");
        let plain = client.token("contoso.com", &grant).json();
        assert_eq!(plain["token_type"], "Bearer");
        assert!(plain["expires_in"].is_i64() && plain["ext_expires_in"].is_i64());
        assert!(plain.get("client_info").is_none());

        let asked = client
            .token("contoso.com", &with(&grant, "client_info", "1"))
            .json();
        let info = BASE64URL
            .decode(asked["client_info"].as_str().unwrap())
            .unwrap();
        let info: Value = serde_json::from_slice(&info).unwrap();
        assert_eq!(
            info,
            json!({ "uid": "e3a49d8b-d849-48eb-9947-37c1f9589812", "utid": CONTOSO })
        );

        let app = client_id(emulator, "client-credentials");
        let mut grant = with(&app_grant(&app), "client_secret", SECRET);
        grant.push(("client_info", "1"));
        let own = client.token("contoso.com", &grant).json();
        for name in ["client_info", "refresh_token", "id_token", "scope"] {
            assert!(own.get(name).is_none(), "{name}: {own}");
        }
        assert!(own["expires_in"].is_i64());
    });
}

#[test]
fn line_16_tokens_come_with_the_scopes_that_ask_for_them() {
    over_both(|emulator, client| {
        let id = client_id(emulator, "username-password");
        for (scope, refresh, id_token) in [
            ("User.Read", false, false),
            ("User.Read offline_access", true, false),
            ("User.Read openid", false, true),
        ] {
            let tokens = client
                .token("contoso.com", &password_grant(&id, scope))
                .json();
            assert_eq!(tokens.get("refresh_token").is_some(), refresh, "{scope}");
            assert_eq!(tokens.get("id_token").is_some(), id_token, "{scope}");
        }
        let tokens = client
            .token("contoso.com", &password_grant(&id, "openid profile"))
            .json();
        let claims = claims(tokens["id_token"].as_str().unwrap());
        for (name, value) in [
            ("iss", json!(format!("{}/{CONTOSO}/v2.0", client.base))),
            ("aud", json!(id)),
            ("oid", json!("e3a49d8b-d849-48eb-9947-37c1f9589812")),
            ("tid", json!(CONTOSO)),
            ("preferred_username", json!(EMPLOYEE)),
            ("name", json!("Contoso Employee")),
            ("ver", json!("2.0")),
        ] {
            assert_eq!(claims[name], value, "{name}");
        }
        let time = |name: &str| claims[name].as_i64().unwrap();
        assert!(time("iat") == time("nbf") && time("exp") == time("iat") + 3600);
        assert!(!claims["sub"].as_str().unwrap().is_empty());
        assert!(claims.get("nonce").is_none(), "only if one was sent");
    });
}
