//! Line 18: the device code flow, at the endpoints and at the page where a person types the code.

use serde_json::Value;

use super::client::Browser;
use super::*;

const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

fn begin(emulator: &Emulator, client: &Client) -> (String, Value) {
    let id = client_id(emulator, "device-code");
    let fields = [
        ("client_id", id.as_str()),
        ("scope", "User.Read User.ReadBasic.All"),
    ];
    let begun = client.post("/contoso.com/oauth2/v2.0/devicecode", &fields);
    (id.clone(), begun.json())
}

/// What the token endpoint says to a poll: the error and the AADSTS code.
fn poll(client: &Client, id: &str, code: &str) -> (String, u64) {
    let fields = [
        ("client_id", id),
        ("grant_type", GRANT),
        ("device_code", code),
    ];
    let answer = client.token("contoso.com", &fields);
    let error = answer.any_json()["error"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    assert_eq!(answer.status == 400, !error.is_empty(), "{answer:#?}");
    (error, answer.code())
}

fn text<'a>(begun: &'a Value, name: &str) -> &'a str {
    begun[name].as_str().unwrap()
}

#[test]
fn line_18_the_start_says_everything_that_devices_show() {
    over_both(|emulator, client| {
        let (_, begun) = begin(emulator, client);
        let code = text(&begun, "user_code");
        assert_eq!(code.len(), 9);
        assert!(text(&begun, "message").contains(code));
        assert!(text(&begun, "message").contains(text(&begun, "verification_uri")));
        assert_eq!(
            (begun["expires_in"].as_i64(), begun["interval"].as_i64()),
            (Some(900), Some(5))
        );
        assert!(!text(&begun, "device_code").contains(code));
    });
}

#[test]
fn line_18_each_end_of_a_code_has_its_own_error() {
    let pending = ("authorization_pending".to_owned(), 70016);
    let error = |name: &str, code| (name.to_owned(), code);

    let (emulator, client) = start(Options::default());
    let (id, begun) = begin(&emulator, &client);
    assert_eq!(poll(&client, &id, text(&begun, "device_code")), pending);
    emulator.decline(text(&begun, "user_code")).unwrap();
    let declined = error("authorization_declined", 65004);
    assert_eq!(poll(&client, &id, text(&begun, "device_code")), declined);

    let (_, begun) = begin(&emulator, &client);
    let other = client_id(&emulator, "device-code-any-account");
    let mismatch = error("invalid_grant", 7000014);
    assert_eq!(poll(&client, &other, text(&begun, "device_code")), mismatch);
    assert_eq!(
        poll(&client, &id, "of-somebody-else"),
        error("bad_verification_code", 70018)
    );

    emulator
        .sign_in(text(&begun, "user_code"), EMPLOYEE)
        .unwrap();
    assert_eq!(
        poll(&client, &id, text(&begun, "device_code")),
        error("", 0),
        "tokens"
    );
    assert_eq!(
        poll(&client, &id, text(&begun, "device_code")),
        error("invalid_grant", 70000)
    );

    let (_, begun) = begin(&emulator, &client);
    emulator.advance_clock(901);
    assert_eq!(
        poll(&client, &id, text(&begun, "device_code")),
        error("expired_token", 70020)
    );
}

/// One library gives up at `slow_down`.
#[test]
fn line_18_only_a_client_that_is_too_fast_is_told_so() {
    let (emulator, client) = start(Options {
        device_code_interval: Some(1),
        ..Options::default()
    });
    let (id, begun) = begin(&emulator, &client);
    for _ in 0..20 {
        // With this interval no poll is much too early.
        let (error, _) = poll(&client, &id, text(&begun, "device_code"));
        assert_eq!(error, "authorization_pending");
    }
    let (emulator, client) = start(Options {
        device_code_interval: Some(3600),
        ..Options::default()
    });
    let (id, begun) = begin(&emulator, &client);
    let first = poll(&client, &id, text(&begun, "device_code")).0;
    let second = poll(&client, &id, text(&begun, "device_code")).0;
    assert_eq!(
        (first.as_str(), second.as_str()),
        ("authorization_pending", "slow_down")
    );
}

#[test]
fn line_18_and_22_a_person_types_the_code() {
    over_both(|emulator, client| {
        emulator
            .withdraw_consent(EMPLOYEE, "device-code-any-account")
            .unwrap();
        let id = client_id(emulator, "device-code-any-account");
        let fields = [("client_id", id.as_str()), ("scope", "User.Read")];
        let begun = client
            .post("/common/oauth2/v2.0/devicecode", &fields)
            .json();
        let code = text(&begun, "user_code");

        let mut browser = Browser::open(client, "/devicelogin");
        browser.page.shows(200, "Enter code");
        browser
            .fill(&[("user_code", "WRONG")])
            .page
            .shows(200, "didn&#39;t work");
        let spaced = format!(" {}-{} ", &code[..4].to_lowercase(), &code[4..]);
        browser
            .fill(&[("user_code", &spaced)])
            .page
            .shows(200, "Pick an account");
        browser
            .fill(&[("account", EMPLOYEE)])
            .page
            .shows(200, "Enter password");
        browser
            .fill(&[("password", "wrong")])
            .page
            .shows(200, "AADSTS50126");
        browser
            .fill(&[("password", EMPLOYEE_PASSWORD)])
            .page
            .shows(200, "Sign you in and read your profile");
        browser.fill(&[]).page.shows(
            200,
            "Are you trying to sign in to <strong>device-code-sample</strong>?",
        );
        let waits = [
            ("client_id", id.as_str()),
            ("grant_type", GRANT),
            ("device_code", text(&begun, "device_code")),
        ];
        browser.fill(&[]).page.shows(200, "You have signed in");
        assert!(client.token("common", &waits).json()["access_token"].is_string());

        let begun = client
            .post("/common/oauth2/v2.0/devicecode", &fields)
            .json();
        let mut browser = Browser::open(client, "/devicelogin");
        browser.fill(&[("user_code", text(&begun, "user_code"))]);
        browser
            .fill(&[("cancel", "1")])
            .page
            .shows(200, "cancelled");
        let (error, _) = {
            let waits = [
                ("client_id", id.as_str()),
                ("grant_type", GRANT),
                ("device_code", text(&begun, "device_code")),
            ];
            let answer = client.token("common", &waits);
            (answer.any_json()["error"].as_str().unwrap().to_owned(), 0)
        };
        assert_eq!(error, "authorization_declined");
    });
}
