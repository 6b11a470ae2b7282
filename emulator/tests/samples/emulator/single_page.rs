//! Scripts in browsers: what they may read, and how their codes are redeemed.

use super::client::Answer;
use super::*;
use crate::support::PATIENCE;

const PAGE: &str = "http://localhost:3000";
const REPLY: &str = "http://localhost:3000/";

fn redeem(client: &Client, fields: &[(&str, &str)], origin: Option<&str>) -> Answer {
    let headers: Vec<_> = origin.iter().map(|origin| ("Origin", *origin)).collect();
    client.post_with("/contoso.com/oauth2/v2.0/token", &headers, fields)
}

#[test]
fn a_single_page_application_redeems_its_codes_from_its_own_origin() {
    let (emulator, client) = signing_in();
    let id = client_id(&emulator, "single-page");
    let request = authorize(&emulator, &[("client_id", &id), ("redirect_uri", REPLY)]);
    let code = client.get(&request).carried()["code"].clone();
    let fields = [
        ("client_id", id.as_str()),
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", REPLY),
        ("code_verifier", VERIFIER),
    ];
    let refused = redeem(&client, &fields, None);
    assert_eq!(refused.code(), 9002327, "without an origin");
    let answer = redeem(&client, &fields, Some(PAGE));
    let tokens = answer.json();
    assert_eq!(answer.header("access-control-allow-origin"), Some(PAGE));
    assert_eq!(tokens["refresh_token_expires_in"], 86400);

    let refresh = [
        ("client_id", id.as_str()),
        ("grant_type", "refresh_token"),
        ("refresh_token", tokens["refresh_token"].as_str().unwrap()),
    ];
    assert_eq!(redeem(&client, &refresh, None).code(), 9002327);
    emulator.advance_clock(3600);
    let renewed = redeem(&client, &refresh, Some(PAGE)).json();
    // The clock runs on meanwhile.
    let left = renewed["refresh_token_expires_in"].as_u64().unwrap();
    let possible = 86400 - 3600 - PATIENCE.as_secs()..=86400 - 3600;
    assert!(possible.contains(&left), "using it extends nothing: {left}");
    let newest = with(
        &refresh,
        "refresh_token",
        renewed["refresh_token"].as_str().unwrap(),
    );
    emulator.advance_clock(23 * 3600);
    let late = redeem(&client, &newest, Some(PAGE));
    assert_eq!(late.code(), 700084);
    assert_eq!(
        late.header("access-control-allow-origin"),
        Some(PAGE),
        "a refusal can be read too"
    );

    // Without PKCE there is no code at all.
    let bare = authorize(
        &emulator,
        &[
            ("client_id", &id),
            ("redirect_uri", REPLY),
            ("code_challenge", ""),
            ("code_challenge_method", ""),
        ],
    );
    let refused = client.get(&bare).carried();
    assert!(
        refused["error_description"].starts_with("AADSTS9002325"),
        "{refused:?}"
    );
}

#[test]
fn other_applications_redeem_no_code_across_origins() {
    let (emulator, client) = signing_in();
    let settings = settings(&emulator, "flask-equivalent-web");
    let code = client.get(&authorize(&emulator, &[])).carried()["code"].clone();
    let fields = redemption(&settings, &code);
    for origin in [PAGE, "https://evil.example", "null"] {
        assert_eq!(
            redeem(&client, &fields, Some(origin)).code(),
            9002326,
            "{origin}"
        );
    }
    let tokens = redeem(&client, &fields, Some(&client.base)).json();
    let refresh = [
        ("client_id", settings["CLIENT_ID"].as_str()),
        ("client_secret", &settings["CLIENT_SECRET"]),
        ("grant_type", "refresh_token"),
        ("refresh_token", tokens["refresh_token"].as_str().unwrap()),
    ];
    assert_eq!(redeem(&client, &refresh, Some(PAGE)).code(), 9002326);
}

#[test]
fn scripts_read_what_they_may_and_nothing_else() {
    over_both(|_, client| {
        let foreign = "https://evil.example";
        for (path, origin, reader) in [
            (
                "/common/v2.0/.well-known/openid-configuration",
                foreign,
                Some("*"),
            ),
            ("/common/discovery/v2.0/keys", foreign, Some("*")),
            (
                "/common/discovery/instance?authorization_endpoint=x",
                foreign,
                Some("*"),
            ),
            ("/v1.0/me", foreign, Some("*")),
            ("/oidc/userinfo", foreign, Some("*")),
            ("/common/oauth2/v2.0/token", PAGE, Some(PAGE)),
            (
                "/common/oauth2/v2.0/token",
                "http://localhost:61234",
                Some("http://localhost:61234"),
            ),
            ("/common/oauth2/v2.0/token", foreign, None),
            (
                "/common/oauth2/v2.0/token",
                "http://localhost.evil.example:3000",
                None,
            ),
            ("/common/oauth2/v2.0/token", "null", None),
            ("/common/oauth2/v2.0/devicecode", PAGE, None),
            ("/common/oauth2/v2.0/authorize", PAGE, None),
            ("/common/userrealm/x", PAGE, None),
            ("/", PAGE, None),
            ("/login", PAGE, None),
            ("/devicelogin", PAGE, None),
            ("/_emulator/requests", PAGE, None),
            ("/_emulator/faults", PAGE, None),
        ] {
            let asked = [
                ("Origin", origin),
                ("Access-Control-Request-Method", "POST"),
                ("Access-Control-Request-Headers", "authorization"),
            ];
            let preflight = client.send("OPTIONS", path, &asked, "");
            assert_eq!(
                preflight.header("access-control-allow-origin"),
                reader,
                "{path} {origin}"
            );
            assert_eq!(preflight.status == 204, reader.is_some(), "{path} {origin}");
            if reader.is_some() {
                assert_eq!(
                    preflight.header("access-control-allow-headers"),
                    Some("authorization")
                );
            }
            for method in ["GET", "POST"] {
                let answer = client.send(method, path, &[("Origin", origin)], "");
                assert_eq!(
                    answer.header("access-control-allow-origin"),
                    reader,
                    "{method} {path} {origin}"
                );
                assert_eq!(answer.header("access-control-allow-credentials"), None);
            }
        }
        let plain = client.get("/common/v2.0/.well-known/openid-configuration");
        assert_eq!(
            plain.header("access-control-allow-origin"),
            None,
            "nobody asked"
        );
    });
}
