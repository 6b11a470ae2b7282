//! Lines 19 to 21: the authorization endpoint.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD as BASE64URL};
use ring::digest::{SHA256, digest};

use super::client::claims;
use super::*;

/// `c_hash` and `at_hash` (OpenID Connect Core, 3.3.2.11).
fn half_hash(text: &str) -> String {
    BASE64URL.encode(&digest(&SHA256, text.as_bytes()).as_ref()[..16])
}

#[test]
fn line_19_response_types_and_modes() {
    over_both(|emulator, client| {
        for (response_type, mode, place) in [
            ("code", "", "?"),
            ("code", "query", "?"),
            ("code", "fragment", "#"),
            ("code id_token", "", "#"),
            ("id_token code", "fragment", "#"),
            ("id_token", "", "#"),
        ] {
            let request = authorize(
                emulator,
                &[("response_type", response_type), ("response_mode", mode)],
            );
            let answer = client.get(&request);
            let location = answer.location();
            let row = format!("{response_type} {mode}: {location}");
            assert!(
                location.starts_with(&format!("{REDIRECT_URI}{place}")),
                "{row}"
            );
            let fields = answer.carried();
            assert_eq!(fields["state"], "a state & more", "{row}");
            assert_eq!(
                fields.contains_key("code"),
                response_type.contains("code"),
                "{row}"
            );
            match fields.get("id_token") {
                Some(token) => {
                    let claims = claims(token);
                    assert_eq!(claims["nonce"], "a nonce", "{row}");
                    let hash = fields.get("code").map(|code| half_hash(code));
                    assert_eq!(
                        claims.get("c_hash").and_then(|hash| hash.as_str()),
                        hash.as_deref()
                    );
                }
                None => assert!(!response_type.contains("id_token"), "{row}"),
            }
        }
        for response_type in ["code", "code id_token", "id_token"] {
            let page = client.get(&authorize(
                emulator,
                &[
                    ("response_type", response_type),
                    ("response_mode", "form_post"),
                ],
            ));
            page.shows(
                200,
                &format!("<form method=\"post\" action=\"{REDIRECT_URI}\">"),
            );
            page.shows(200, "name=\"state\" value=\"a state &amp; more\"");
            let has = |name: &str| page.body.contains(&format!("name=\"{name}\" value=\""));
            assert_eq!(has("code"), response_type.contains("code"));
            assert_eq!(has("id_token"), response_type.contains("id_token"));
            let policy = page.header("content-security-policy").unwrap();
            assert!(
                policy.contains("form-action 'self' http://localhost:5000;"),
                "{policy}"
            );
        }
        // A token never gets into a log of addresses, and nothing comes that nobody knows.
        for (response_type, mode, error) in [
            ("id_token", "query", "invalid_request"),
            ("token", "", "unsupported_response_type"),
            ("code code", "", "unsupported_response_type"),
            ("something", "query", "unsupported_response_type"),
        ] {
            let request = authorize(
                emulator,
                &[("response_type", response_type), ("response_mode", mode)],
            );
            let fields = client.get(&request).carried();
            let told = (fields["error"].as_str(), fields["state"].as_str());
            assert_eq!(told, (error, "a state & more"), "{response_type}");
        }
    });
}

#[test]
fn line_19_access_tokens_from_the_authorization_endpoint() {
    let (emulator, client) = signing_in();
    let id = client_id(&emulator, "single-page");
    for response_type in ["id_token token", "token", "code id_token token"] {
        let request = authorize(
            &emulator,
            &[
                ("client_id", &id),
                ("redirect_uri", "http://localhost:3000/"),
                ("response_type", response_type),
                ("scope", "openid profile User.Read"),
            ],
        );
        let answer = client.get(&request);
        assert!(
            answer.location().starts_with("http://localhost:3000/#"),
            "{answer:#?}"
        );
        let fields = answer.carried();
        assert_eq!(
            (fields["token_type"].as_str(), fields["expires_in"].as_str()),
            ("Bearer", "3599")
        );
        let token = &fields["access_token"];
        assert_eq!(
            client.graph("/v1.0/me", token).json()["userPrincipalName"],
            EMPLOYEE
        );
        if let Some(id_token) = fields.get("id_token") {
            assert_eq!(claims(id_token)["at_hash"], half_hash(token));
        }
        assert_eq!(
            fields.contains_key("id_token"),
            response_type.contains("id_token")
        );
        assert_eq!(fields.contains_key("code"), response_type.contains("code"));
    }
}

/// What the browser brings back for the web sample.
fn code(emulator: &Emulator, client: &Client, more: &[(&str, &str)]) -> String {
    client.get(&authorize(emulator, more)).carried()["code"].clone()
}

#[test]
fn line_20_codes_are_good_once_and_for_one_request() {
    over_both(|emulator, client| {
        let settings = settings(emulator, "flask-equivalent-web");
        let redeem = |code: &str, name, value| {
            client.token(
                "contoso.com",
                &with(&redemption(&settings, code), name, value),
            )
        };
        let first = code(emulator, client, &[]);
        for (name, value, refusal) in [
            ("code_verifier", "wrong", 501481),
            ("code_verifier", "", 501481),
            ("redirect_uri", "http://localhost:1/getAToken", 500112),
            ("client_secret", "wrong", 7000215),
            ("client_secret", "", 7000218),
            ("code", "wrong", 70000),
        ] {
            assert_eq!(
                redeem(&first, name, value).code(),
                refusal,
                "{name}={value}"
            );
        }
        let tokens = redeem(&first, "", "").json();
        assert_eq!(
            claims(tokens["id_token"].as_str().unwrap())["nonce"],
            "a nonce"
        );
        assert_eq!(redeem(&first, "", "").code(), 54005);

        // PKCE is checked when it is used, and not required.
        let plain = code(
            emulator,
            client,
            &[("code_challenge", ""), ("code_challenge_method", "")],
        );
        assert_eq!(redeem(&plain, "code_verifier", "").status, 200);
        let other = client_id(emulator, "desktop-browser");
        let stolen = code(emulator, client, &[]);
        let fields = with(&redemption(&settings, &stolen), "client_id", &other);
        assert_eq!(
            client
                .token("contoso.com", &with(&fields, "client_secret", ""))
                .code(),
            70000
        );
    });
}

#[test]
fn line_20_codes_expire() {
    let (emulator, client) = signing_in();
    let settings = settings(&emulator, "flask-equivalent-web");
    let late = code(&emulator, &client, &[]);
    emulator.advance_clock(601);
    assert_eq!(
        client
            .token("contoso.com", &redemption(&settings, &late))
            .code(),
        70008
    );
}

#[test]
fn line_21_only_registered_addresses_are_redirected_to() {
    let (emulator, client) = signing_in();
    for (key, redirect_uri, is_registered) in [
        (
            "flask-equivalent-web",
            "http://localhost:5000/getAToken",
            true,
        ),
        (
            "flask-equivalent-web",
            "http://localhost:61234/getAToken",
            true,
        ),
        (
            "flask-equivalent-web",
            "http://localhost:5000/getatoken",
            false,
        ),
        (
            "flask-equivalent-web",
            "http://localhost:5000/getAToken/",
            false,
        ),
        (
            "flask-equivalent-web",
            "http://localhost:5000/getAToken?a=b",
            false,
        ),
        (
            "flask-equivalent-web",
            "https://web.contoso.com/getAToken",
            true,
        ),
        (
            "flask-equivalent-web",
            "https://web.contoso.com:444/getAToken",
            false,
        ),
        (
            "flask-equivalent-web",
            "https://web.contoso.com.evil.example/getAToken",
            false,
        ),
        (
            "flask-equivalent-web",
            "http://localhost:5000@evil.example/getAToken",
            false,
        ),
        ("flask-equivalent-web", "//evil.example/getAToken", false),
        ("flask-equivalent-web", "javascript:alert(1)", false),
        ("flask-equivalent-web", "", false),
        ("desktop-browser", "http://localhost:61234", true),
        ("desktop-browser", "http://localhost:61234/", true),
        ("desktop-browser", "http://127.0.0.1:5/", true),
        ("desktop-browser", "http://localhost:61234/path", false),
        (
            "flask-equivalent-web-redirect-uri-missing",
            "http://localhost:5000/getAToken",
            false,
        ),
    ] {
        let id = client_id(&emulator, key);
        // With and without something else that is wrong: that is told to registered addresses only.
        for response_type in ["code", "nonsense"] {
            let fields = [
                ("client_id", id.as_str()),
                ("response_type", response_type),
                ("scope", "openid"),
                ("redirect_uri", redirect_uri),
            ];
            let answer = client.get(&format!(
                "/contoso.com/oauth2/v2.0/authorize?{}",
                query(&fields)
            ));
            match is_registered {
                true => assert!(
                    answer.location().starts_with(redirect_uri),
                    "{redirect_uri}"
                ),
                false => {
                    assert_eq!(
                        (answer.status, answer.header("location")),
                        (400, None),
                        "{redirect_uri}"
                    );
                    let code = if redirect_uri.is_empty() {
                        "AADSTS900144"
                    } else {
                        "AADSTS50011"
                    };
                    answer.shows(400, code);
                }
            }
        }
    }
    let unknown = query(&[
        ("client_id", "00000000-0000-0000-0000-000000000001"),
        ("redirect_uri", REDIRECT_URI),
        ("response_type", "code"),
    ]);
    let page = client.get(&format!("/contoso.com/oauth2/v2.0/authorize?{unknown}"));
    page.shows(400, "AADSTS700016");
    assert_eq!(page.header("location"), None);
}

/// B2C's other form of addresses: the user flow in the query.
#[test]
fn b2c_takes_the_user_flow_from_the_query_too() {
    let (emulator, client) = signing_in();
    let settings = settings(&emulator, "flask-equivalent-web-b2c");
    let tenant = "contosob2c.onmicrosoft.com";
    let metadata = client
        .get(&format!(
            "/{tenant}/v2.0/.well-known/openid-configuration?p=B2C_1_signupsignin1"
        ))
        .json();
    let address = |name: &str| metadata[name].as_str().unwrap().to_owned();
    let token = format!(
        "{}/{tenant}/oauth2/v2.0/token?p=b2c_1_signupsignin1",
        client.base
    );
    assert_eq!(address("token_endpoint"), token);
    assert!(client.get(&address("jwks_uri")).json()["keys"].is_array());
    let fields = query(&[
        ("client_id", &settings["CLIENT_ID"]),
        ("response_type", "code"),
        ("redirect_uri", REDIRECT_URI),
        ("scope", "openid offline_access"),
    ]);
    let back = client
        .get(&format!("{}&{fields}", address("authorization_endpoint")))
        .carried();
    let redeem = with(&redemption(&settings, &back["code"]), "code_verifier", "");
    let path = token.strip_prefix(&client.base).unwrap();
    let tokens = client.post(path, &redeem).json();
    assert_eq!(
        claims(tokens["id_token"].as_str().unwrap())["tfp"],
        "B2C_1_signupsignin1"
    );
    assert_eq!(
        claims(tokens["id_token"].as_str().unwrap())["iss"],
        metadata["issuer"]
    );
    for wrong in ["", "?p=B2C_1_other"] {
        let answer = client.get(&format!(
            "/{tenant}/v2.0/.well-known/openid-configuration{wrong}"
        ));
        assert_eq!(answer.code(), 90010, "{wrong}");
    }
}
