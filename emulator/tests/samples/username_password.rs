//! Row D: user name and password.

mod password;
mod prompt;

use axum::http::Uri;
use emulator::{Emulator, Options};
use serde_json::json;

use crate::support::{EMPLOYEE, EMPLOYEE_PASSWORD, World, emulator};

const SAMPLE: &str = "username-password";
const MANAGER: &str = "contoso_manager@contoso.com";
const DEFAULT_REDIRECT_URI: &str = "https://login.microsoftonline.com/common/oauth2/nativeclient";

/// What was asked for, in order: `realm`, the grants, `graph`.
fn steps(emulator: &Emulator) -> Vec<String> {
    let step = |request: &emulator::Recorded| match request.field("grant_type") {
        Some(grant) => grant.to_owned(),
        None if request.path.contains("/userrealm/") => "realm".into(),
        None => "graph".into(),
    };
    emulator.requests().iter().map(step).collect()
}

/// An emulator whose access tokens are too short-lived to be used twice, so that each run needs the refresh token.
fn forgetful_emulator() -> Emulator {
    Emulator::start(Options {
        token_lifetime: Some(200),
        ..Options::default()
    })
    .unwrap()
}

/// A cold run is three requests over one connection.
#[test]
fn d1_the_profile() {
    let emulator = emulator();
    let world = World::at(&emulator, SAMPLE)
        .without("SCOPE")
        .without("ENDPOINT");
    let outcome = world.run();
    outcome.says(&["Graph API call result:\n"]);
    assert_eq!(outcome.json()["userPrincipalName"], EMPLOYEE);

    assert_eq!(steps(&emulator), ["realm", "password", "graph"]);
    let requests = emulator.requests();
    assert_eq!(requests[1].field("username"), Some(EMPLOYEE));
    assert_eq!(
        requests[1].field("client_id"),
        Some(world.setting("CLIENT_ID").as_str())
    );
    assert!(requests[1].carried("password", EMPLOYEE_PASSWORD));
    let scopes: Vec<_> = requests[1].field("scope").unwrap().split(' ').collect();
    assert_eq!(scopes, ["openid", "profile", "offline_access", "User.Read"]);
    assert_eq!(requests[2].path, "/v1.0/me");
    assert!(
        requests
            .iter()
            .all(|request| request.connection == requests[0].connection)
    );
}

/// As the sample's parameters.json has it.
#[test]
fn d2_the_users() {
    let emulator = emulator();
    let settings = World::at(&emulator, SAMPLE);
    let parameters = json!({
        "authority": settings.setting("AUTHORITY"),
        "client_id": settings.setting("CLIENT_ID"),
        "username": EMPLOYEE,
        "password": EMPLOYEE_PASSWORD,
        "scope": ["User.ReadBasic.All"],
        "endpoint": format!("{}/v1.0/users", emulator.url()),
    });
    let outcome = World::empty(SAMPLE)
        .arg("parameters.json")
        .file("parameters.json", parameters.to_string())
        .run();
    let users = outcome.json()["value"].as_array().unwrap().len();
    assert!(users > 5, "{outcome:#?}");
}

#[test]
fn d3_the_warning_and_the_authorities() {
    let emulator = emulator();
    let world = World::at(&emulator, SAMPLE);
    let warning = "Warning: a password sign-in is a legacy flow: not recommended, and without multifactor authentication.\n";
    for _ in ["cold", "cached"] {
        let outcome = world.run();
        outcome.json();
        assert_eq!(outcome.stderr.matches(warning).count(), 1, "{outcome:#?}");
    }

    emulator.clear_requests();
    let at = |tenant: &str| {
        let authority = format!("{}/{tenant}", emulator.url());
        World::at(&emulator, SAMPLE)
            .env("AUTHORITY", authority)
            .run()
    };
    for tenant in ["common", "consumers", "Consumers"] {
        at(tenant).fails(
            2,
            &[
                "AUTHORITY (from the environment) lets personal accounts in",
                "organizations",
            ],
        );
    }
    assert!(emulator.requests().is_empty());
    at("organizations").json();
}

/// The second run sends no password and asks for none, even where there is one to send.
#[test]
fn d5_the_cache_comes_first() {
    let emulator = emulator();
    let world = World::at(&emulator, SAMPLE);
    world.run().json();
    let mut world = world.env("AZURE_USERNAME", "Contoso_EMPLOYEE@contoso.COM");
    for password in [Some(EMPLOYEE_PASSWORD), Some("wrong"), None] {
        world = match password {
            Some(password) => world.env("AZURE_PASSWORD", password),
            None => world.without("AZURE_PASSWORD"),
        };
        emulator.clear_requests();
        let outcome = world.run();
        assert_eq!(outcome.json()["userPrincipalName"], EMPLOYEE);
        assert_eq!(steps(&emulator), ["graph"]);
        assert!(!outcome.stderr.contains("Password:"), "{outcome:#?}");
    }

    // Another user's token is no use.
    emulator.clear_requests();
    let world = world.env("AZURE_USERNAME", MANAGER);
    world.run().fails(2, &["There is no password"]);
    let outcome = world.env("AZURE_PASSWORD", "Manager#1002").run();
    assert_eq!(outcome.json()["userPrincipalName"], MANAGER);
}

#[test]
fn d5_the_refresh_token_comes_before_the_password() {
    let emulator = forgetful_emulator();
    let world = World::at(&emulator, SAMPLE);
    world.run().json();
    let world = world.without("AZURE_PASSWORD");
    for _ in 0..2 {
        emulator.clear_requests();
        world.run().json();
        assert_eq!(steps(&emulator), ["refresh_token", "graph"]);
    }

    // A refused one is not the end: the password is, where there is none.
    let ended = "the cached sign-in is no longer accepted (invalid_grant)";
    emulator.revoke(EMPLOYEE).unwrap();
    emulator.advance_clock(2); // a token of the same second would be from before
    emulator.clear_requests();
    world.run().fails(
        1,
        &[
            ended,
            "The cached sign-in has ended, and there is no terminal to ask for the password.\n",
            "--password-stdin",
        ],
    );
    assert_eq!(steps(&emulator), ["refresh_token", "realm"]);
}

#[test]
fn d5_a_refused_refresh_token_leads_to_the_password() {
    let emulator = forgetful_emulator();
    let world = World::at(&emulator, SAMPLE);
    world.run().json();
    emulator.revoke(EMPLOYEE).unwrap();
    emulator.advance_clock(2);
    emulator.clear_requests();
    let outcome = world.run();
    outcome.json();
    outcome.says(&["the cached sign-in is no longer accepted"]);
    assert_eq!(
        steps(&emulator),
        ["refresh_token", "realm", "password", "graph"]
    );
    // The new one is kept.
    emulator.clear_requests();
    world.run().json();
    assert_eq!(steps(&emulator), ["refresh_token", "graph"]);
}

/// Continuous access evaluation: answered by the refresh token, so that nobody is asked for a password.
#[test]
fn d5_a_claims_challenge() {
    let emulator = emulator();
    let world = World::at(&emulator, SAMPLE);
    world.run().json();
    emulator.challenge(EMPLOYEE).unwrap();
    emulator.advance_clock(2);
    emulator.clear_requests();
    world.without("AZURE_PASSWORD").run().json();
    assert_eq!(steps(&emulator), ["graph", "refresh_token", "graph"]);
}

/// Each cause with its code and its advice, after a single try: more of them would lock the account.
#[test]
fn d6_refusals() {
    let emulator = emulator();
    for (user, password, code, advice) in [
        (EMPLOYEE, "wrong", 50126, "User name or password is wrong"),
        (
            "nobody@contoso.com",
            "x",
            50034,
            "There is no such user in this tenant",
        ),
        (
            "mfa@contoso.com",
            "Second#1006",
            50076,
            "use the device-code or the flask-equivalent-web sample",
        ),
        (
            "expired@contoso.com",
            "Expired#1005",
            50055,
            "The password has expired: sign in once in a browser",
        ),
        (
            "disabled@contoso.com",
            "Disabled#1004",
            50057,
            "The account is disabled",
        ),
        (
            "locked@contoso.com",
            "Locked#1008",
            50053,
            "The account is locked",
        ),
        (
            "passwordless@contoso.com",
            "x",
            50056,
            "This account has no password in Entra ID: use the device-code sample",
        ),
    ] {
        emulator.clear_requests();
        let outcome = World::at(&emulator, SAMPLE)
            .arg("--username")
            .arg(user)
            .env("AZURE_PASSWORD", password)
            .run();
        outcome.fails(1, &[advice]);
        let (_, said) = outcome.stderr.split_once("token_cache.json\n").unwrap();
        let lines: Vec<_> = said.lines().collect();
        assert_eq!(lines[0], "error: invalid_grant", "{said}");
        assert!(
            lines[1].starts_with(&format!("error_description: AADSTS{code}: ")),
            "{said}"
        );
        assert_eq!(lines[2].strip_prefix("correlation_id: ").unwrap().len(), 36);
        assert_eq!(lines.len(), 4, "{said}");
        assert_eq!(steps(&emulator), ["realm", "password"]);
    }
}

/// Both pages are a person's next step, so they have to be right in every parameter.
#[test]
fn d7_where_consent_is_given() {
    let emulator = emulator();
    let own = "http://localhost:8400/back?from=a&to=b c";
    for (setting, redirect_uri) in [(None, DEFAULT_REDIRECT_URI), (Some(own), own)] {
        let mut world = World::registered_as(&emulator, SAMPLE, "username-password-not-consented")
            .env("SCOPE", "User.ReadBasic.All User.Read");
        if let Some(setting) = setting {
            world = world.env("REDIRECT_URI", setting);
        }
        let outcome = world.run();
        outcome.fails(
            1,
            &[
                "error: invalid_grant\n",
                "AADSTS65001",
                "Grant admin consent",
            ],
        );

        let authority = world.setting("AUTHORITY");
        let scope = "openid profile offline_access User.ReadBasic.All User.Read";
        let common = [
            ("client_id", world.setting("CLIENT_ID")),
            ("redirect_uri", redirect_uri.to_owned()),
            ("scope", scope.to_owned()),
        ];
        let user = [
            ("response_type", "code".to_owned()),
            ("prompt", "consent".to_owned()),
        ];
        for (label, path, parameters) in [
            (
                "Visit this to consent: ",
                "/oauth2/v2.0/authorize",
                [&user[..], &common].concat(),
            ),
            (
                "An administrator can consent for everybody: ",
                "/v2.0/adminconsent",
                common.to_vec(),
            ),
        ] {
            let (_, rest) = outcome.stderr.split_once(label).unwrap();
            let page = rest.lines().next().unwrap();
            page.parse::<Uri>().unwrap();
            let (place, query) = page.split_once('?').unwrap();
            assert_eq!(place, format!("{authority}{path}"));
            let mut found: Vec<_> = form_urlencoded::parse(query.as_bytes()).collect();
            let mut expected: Vec<_> = parameters
                .iter()
                .map(|(name, value)| ((*name).into(), value.into()))
                .collect();
            found.sort();
            expected.sort();
            assert_eq!(found, expected, "{page}");
        }
    }

    emulator.clear_requests();
    World::at(&emulator, SAMPLE)
        .env("REDIRECT_URI", "http://app.example/back")
        .run()
        .fails(2, &["REDIRECT_URI (from the environment) is plain http"]);
    assert!(emulator.requests().is_empty());
}

#[test]
fn d9_the_permission_is_missing() {
    let emulator = emulator();
    World::at(&emulator, SAMPLE)
        .env("ENDPOINT", format!("{}/v1.0/users", emulator.url()))
        .run()
        .fails(
            1,
            &[
                "Failed to call the Web Api: 403 Forbidden\nContent: {",
                "Insufficient privileges to complete the operation.",
                "Grant admin consent",
                "User.ReadBasic.All",
            ],
        );
}

/// The password of a federated account never leaves the machine.
#[test]
fn d11_a_federated_account() {
    let emulator = emulator();
    World::at(&emulator, SAMPLE)
        .env("AZURE_USERNAME", "federated@contoso.com")
        .env("AZURE_PASSWORD", "Elsewhere#1007")
        .run()
        .fails(
            1,
            &[
                "federated@contoso.com is a federated account",
                "Use the device-code sample.",
            ],
        );
    let requests = emulator.requests();
    assert_eq!(requests.len(), 1, "no token request");
    assert_eq!(requests[0].method, "GET");
    assert_eq!(requests[0].query, [("api-version".into(), "1.0".into())]);
    let path = requests[0].path.replace("%40", "@");
    assert_eq!(path, "/common/userrealm/federated@contoso.com");
    assert!(!requests[0].carried("password", "Elsewhere#1007"));
}

/// A user name stays one segment of the path.
#[test]
fn d11_a_user_name_of_any_characters() {
    let emulator = emulator();
    World::at(&emulator, SAMPLE)
        .env("AZURE_USERNAME", "../me/ä?b#c%2f@contoso.com")
        .run()
        .fails(1, &["AADSTS50034"]);
    let path = &emulator.requests()[0].path;
    let segment = path.strip_prefix("/common/userrealm/").unwrap();
    assert!(!segment.contains(['/', '?', '#']), "{path}");
}

/// Who cannot learn the realm goes on without, after one try.
#[test]
fn d11_the_realm_question_may_fail() {
    for fault in [
        "status-503",
        "status-429=60",
        "status-404",
        "reset",
        "cut",
        "html",
        "empty",
        "body={}",
        "body=[]",
    ] {
        let emulator = emulator();
        emulator
            .fault(&format!("userrealm:{fault}*always"))
            .unwrap();
        World::at(&emulator, SAMPLE).run().json();
        assert_eq!(steps(&emulator), ["realm", "password", "graph"], "{fault}");
    }
}
