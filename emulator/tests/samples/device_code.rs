//! Rows A and B: the device code flow.

mod accounts;
mod faults;
mod polling;
mod terminal;

use std::{
    io::{BufRead, BufReader},
    net::TcpListener,
};

use emulator::{Emulator, Options};
use serde_json::{Value, json};

use crate::support::{EMPLOYEE, Outcome, Running, World, emulator, side_by_side, until, workspace};

const MANAGER: &str = "contoso_manager@contoso.com";
/// Has no manager.
const ZOE: &str = "zoe@contoso.com";

/// The profile as the README of the first seed shows it.
const PROFILE: &str = r#"{
  "@odata.context": "https://graph.microsoft.com/v1.0/$metadata#users/$entity",
  "businessPhones": ["+1 (999) 5551001"],
  "displayName": "Contoso Employee",
  "givenName": "Contoso",
  "jobTitle": "Worker",
  "mail": "cemployee@contoso.com",
  "mobilePhone": "1 999-555-1001",
  "officeLocation": "Contoso Plaza/F30",
  "preferredLanguage": null,
  "surname": "Employee",
  "userPrincipalName": "contoso_employee@contoso.com",
  "id": "e3a49d8b-d849-48eb-9947-37c1f9589812"
}"#;

/// An emulator at which nobody signs in unless the test does.
fn quiet_emulator() -> Emulator {
    polled_every(1)
}

fn polled_every(seconds: u64) -> Emulator {
    let options = Options {
        device_code_interval: Some(seconds),
        ..Options::default()
    };
    Emulator::start(options).unwrap()
}

/// An emulator at which this user signs in to each code after its first poll.
fn emulator_for(user: &str) -> Emulator {
    let options = Options {
        auto_sign_in: Some(user.into()),
        device_code_interval: Some(1),
        ..Options::default()
    };
    Emulator::start(options).unwrap()
}

/// The usual emulator, but with tokens that are from their first second on too short-lived to be used again.
pub fn emulator_of_short_tokens() -> Emulator {
    let options = Options {
        auto_sign_in: Some(EMPLOYEE.into()),
        device_code_interval: Some(1),
        token_lifetime: Some(299),
        generate: Some(10),
        ..Options::default()
    };
    Emulator::start(options).unwrap()
}

fn world(emulator: &Emulator) -> World {
    World::at(emulator, "device-code")
}

/// The code that a sample has just asked for.
fn code(emulator: &Emulator) -> String {
    until("a device code", || emulator.pending_codes().pop())
}

/// Runs the sample in this world once more, with further arguments, and signs this user in if it asks for that.
fn run_as(emulator: &Emulator, world: &World, args: &[&str], user: &str) -> Outcome {
    let mut command = world.command();
    command.args(args);
    let mut run = Running::start(command, &[]);
    let code = until("a device code or the end", || {
        let code = emulator.pending_codes().pop();
        (code.is_some() || run.has_ended()).then_some(code)
    });
    if let Some(code) = code {
        emulator.sign_in(&code, user).unwrap();
    }
    run.wait()
}

/// The last parts of the paths that were asked for, in order, polls of the same code counted once.
fn asked(emulator: &Emulator) -> Vec<String> {
    let mut asked: Vec<String> = emulator
        .requests()
        .iter()
        .map(|request| request.path.rsplit('/').next().unwrap().to_owned())
        .collect();
    asked.dedup();
    asked
}

#[test]
fn a1_signs_in_and_calls_graph_as_the_user() {
    let emulator = emulator();
    world(&emulator).run().json();
    let requests = emulator.requests();
    let [start, polls @ .., call] = requests.as_slice() else {
        panic!("{requests:#?}")
    };
    assert!(start.path.ends_with("/oauth2/v2.0/devicecode"));
    assert!(!polls.is_empty());
    for poll in polls {
        assert!(poll.path.ends_with("/oauth2/v2.0/token"));
        assert_eq!(
            poll.field("grant_type"),
            Some("urn:ietf:params:oauth:grant-type:device_code")
        );
    }
    assert_eq!(
        (call.method.as_str(), call.path.as_str()),
        ("GET", "/v1.0/me")
    );
    assert_eq!(call.header("authorization"), Some("Bearer ***"));
}

#[test]
fn a2_a3_b11_the_profile_of_contoso_employee() {
    let emulator = emulator();
    let outcome = world(&emulator).run();
    outcome.json();
    // Value for value, in Graph's order, nulls included, and nothing else on stdout.
    let profile: Value = serde_json::from_str(PROFILE).unwrap();
    assert_eq!(outcome.stdout, format!("{profile:#}\n"));
    outcome.says(&["\nGraph API call result:\n"]);
}

#[test]
fn a4_runs_with_no_arguments() {
    let emulator = emulator();
    let settings = emulator.settings("device-code").unwrap();
    let dot_env: Vec<String> = settings
        .iter()
        .map(|(name, value)| format!("{name}={value}\n"))
        .collect();
    let world = World::empty("device-code").file(".env", dot_env.concat());
    assert_eq!(world.run().json()["displayName"], "Contoso Employee");
}

#[test]
fn a6_default_scope_and_endpoint() {
    let emulator = emulator();
    let world = world(&emulator).without("SCOPE").without("ENDPOINT");
    assert_eq!(world.run().json()["displayName"], "Contoso Employee");
    let scope = emulator.requests()[0].field("scope").unwrap().to_owned();
    let mut scopes: Vec<&str> = scope.split(' ').collect();
    scopes.sort();
    assert_eq!(scopes, ["User.Read", "offline_access", "openid", "profile"]);
}

/// No cloud is asked here: a token from the emulator, put into the cache as if that cloud had issued it, is on its way
/// to Graph when the proxy of this test learns where.
#[test]
fn a6_default_endpoint_of_each_cloud() {
    let clouds = [
        ("login.microsoftonline.com", "graph.microsoft.com"),
        ("login.microsoftonline.us", "graph.microsoft.us"),
        (
            "login.partner.microsoftonline.cn",
            "microsoftgraph.chinacloudapi.cn",
        ),
    ];
    side_by_side(&clouds, |(login, graph)| {
        let emulator = emulator();
        let world = world(&emulator);
        world.run().json();
        let cache = std::fs::read_to_string(world.cache_file()).unwrap();
        let login = format!("https://{login}");
        std::fs::write(world.cache_file(), cache.replace(emulator.url(), &login)).unwrap();

        let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
        let authority = world.setting("AUTHORITY").replace(emulator.url(), &login);
        let world = world
            .env("AUTHORITY", authority)
            .without("ENDPOINT")
            .env(
                "HTTPS_PROXY",
                format!("http://{}", proxy.local_addr().unwrap()),
            )
            .env(
                "SSL_CERT_FILE",
                workspace()
                    .join("emulator/keys/client.pem")
                    .to_str()
                    .unwrap(),
            );
        let run = world.start();
        proxy.set_nonblocking(true).unwrap();
        let connection = until("a connection to the proxy", || proxy.accept().ok());
        connection.0.set_nonblocking(false).unwrap();
        let mut line = String::new();
        BufReader::new(connection.0).read_line(&mut line).unwrap();
        assert_eq!(
            line,
            format!("CONNECT {graph}:443 HTTP/1.1\r\n"),
            "{}",
            run.stderr()
        );
    });
}

#[test]
fn a8_public_client_flows_not_allowed() {
    let emulator = emulator();
    World::registered_as(
        &emulator,
        "device-code",
        "device-code-no-public-client-flow",
    )
    .run()
    .fails(1, &["AADSTS7000218", "Allow public client flows"]);
}

/// A refusal has its parts on lines of their own (B12), be it at the start (A9) or at a poll.
#[test]
fn a9_b12_what_a_refusal_says() {
    let no_app = "00000000-0000-4000-8000-000000000000";
    let refusals = [
        (
            "CLIENT_ID",
            no_app,
            "",
            "unauthorized_client",
            "AADSTS700016",
        ),
        ("SCOPE", "No.Such", "", "invalid_scope", "AADSTS70011"),
        (
            "SCOPE",
            "User.Read",
            "token:aadsts=53003",
            "access_denied",
            "AADSTS53003",
        ),
        (
            "SCOPE",
            "User.Read",
            "token:aadsts=50057",
            "invalid_grant",
            "AADSTS50057",
        ),
    ];
    side_by_side(&refusals, |(name, value, fault, error, number)| {
        let emulator = emulator();
        if !fault.is_empty() {
            emulator.fault(fault).unwrap();
        }
        let outcome = world(&emulator).env(name, *value).run();
        outcome.fails(1, &[]);
        let lines: Vec<&str> = outcome.stderr.lines().collect();
        let at = lines
            .iter()
            .position(|line| *line == format!("error: {error}"));
        let [description, correlation_id, advice] = lines[at.expect(&outcome.stderr) + 1..] else {
            panic!("{outcome:#?}")
        };
        assert!(
            description.starts_with(&format!("error_description: {number}: ")),
            "{outcome:#?}"
        );
        // The id that Entra knows the request by is the one that was sent with it.
        let sent = emulator.requests().pop().unwrap();
        let id = sent.header("client-request-id").unwrap();
        assert_eq!(correlation_id, format!("correlation_id: {id}"));
        assert!(advice.contains("docs/troubleshooting.md#"), "{outcome:#?}");
    });
}

#[test]
fn a10_declined_and_expired() {
    type Step = fn(&Emulator, &str) -> anyhow::Result<()>;
    let ends: [(Step, &str); 2] = [
        (|emulator, code| emulator.decline(code), "declined"),
        (|emulator, code| emulator.expire(code), "expired"),
    ];
    side_by_side(&ends, |(step, word)| {
        let emulator = quiet_emulator();
        let world = world(&emulator);
        let run = world.start();
        step(&emulator, &code(&emulator)).unwrap();
        run.wait().fails(1, &[word]);
    });
}

#[test]
fn b1_parameters_file() {
    let emulator = emulator();
    let settings = world(&emulator);
    let parameters = json!({
        "authority": settings.setting("AUTHORITY"),
        "client_id": settings.setting("CLIENT_ID"),
        "scope": ["User.Read"],
        "endpoint": settings.setting("ENDPOINT"),
    });
    let world = World::empty("device-code")
        .file("parameters.json", parameters.to_string())
        .arg("parameters.json");
    assert_eq!(world.run().json()["displayName"], "Contoso Employee");
}

#[test]
fn b1_bad_parameters_file() {
    for (content, said) in [
        (None, ["parameters.json", "cannot be read"]),
        (
            Some("{\n  \"scope\": }"),
            ["parameters.json", "line 2 column 12"],
        ),
        (Some("{\"scope\": 5}"), ["parameters.json", "\"scope\""]),
        (Some("{\"scope\": [5]}"), ["parameters.json", "\"scope\""]),
        (
            Some("{\"client_id\": null}"),
            ["parameters.json", "\"client_id\""],
        ),
        (Some("[]"), ["parameters.json", "no object"]),
    ] {
        let emulator = quiet_emulator();
        let mut world = world(&emulator).arg("parameters.json");
        if let Some(content) = content {
            world = world.file("parameters.json", content);
        }
        world.run().fails(2, &said);
        assert_eq!(asked(&emulator), [""; 0]);
    }
}

#[test]
fn b2_the_manager() {
    let users = [
        (EMPLOYEE, Some("Contoso Manager")),
        (MANAGER, None),
        (ZOE, None),
    ];
    side_by_side(&users, |(user, manager)| {
        let emulator = emulator_for(user);
        let profile = world(&emulator).arg("--manager").run().json();
        assert_eq!(profile["userPrincipalName"], *user);
        let (last, value) = profile.as_object().unwrap().iter().next_back().unwrap();
        assert_eq!(last, "manager");
        match manager {
            Some(name) => assert_eq!(value["displayName"], *name),
            None => assert_eq!(*value, Value::Null),
        }
    });
}

#[test]
fn b2_the_manager_refused() {
    let emulator = emulator();
    let refused = world(&emulator)
        // User.ReadBasic.All shows colleagues, but not whom they report to.
        .env("SCOPE", "User.ReadBasic.All")
        .env(
            "ENDPOINT",
            format!("{}/v1.0/users/{MANAGER}", emulator.url()),
        )
        .arg("--manager");
    refused
        .run()
        .fails(1, &["403", "User.Read.All", "API permissions"]);
}

#[test]
fn b3_lists_users() {
    let emulator = emulator();
    let users = world(&emulator)
        .env("SCOPE", "User.ReadBasic.All")
        .env("ENDPOINT", format!("{}/v1.0/users", emulator.url()))
        .run()
        .json();
    let names: Vec<&str> = users["value"]
        .as_array()
        .unwrap()
        .iter()
        .map(|user| user["userPrincipalName"].as_str().unwrap())
        .collect();
    for user in [EMPLOYEE, MANAGER, ZOE] {
        assert!(names.contains(&user), "{names:?}");
    }
}

#[test]
fn b7_authorities_of_many_tenants() {
    let sign_ins = [
        ("common", "contoso_employee@contoso.com", "Contoso Employee"),
        ("common", "someone@outlook.com", "Sam Someone"),
        ("organizations", "ada@fabrikam.com", "Ada Fabrikam"),
        ("consumers", "someone@outlook.com", "Sam Someone"),
        ("contoso.com", "ada@fabrikam.com", "Ada Guest"),
    ];
    side_by_side(&sign_ins, |(tenant, user, name)| {
        let emulator = quiet_emulator();
        let world = World::registered_as(&emulator, "device-code", "device-code-any-account")
            .env("AUTHORITY", format!("{}/{tenant}", emulator.url()));
        assert_eq!(
            run_as(&emulator, &world, &[], user).json()["displayName"],
            *name
        );
        emulator.clear_requests();
        assert_eq!(world.run().json()["displayName"], *name);
        assert_eq!(asked(&emulator), ["me"], "the account is in the cache");
    });
}
