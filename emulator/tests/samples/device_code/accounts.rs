//! Rows B8 and B9: what the token cache saves, and whose token is used.

use emulator::{Emulator, Options};

use super::{MANAGER, ZOE, asked, emulator_of_short_tokens, quiet_emulator, run_as, world};
use crate::support::{EMPLOYEE, emulator};

#[test]
fn b8_the_second_run_asks_nobody() {
    let emulator = emulator();
    let world = world(&emulator);
    let first = world.run();
    first.json();
    assert_eq!(asked(&emulator), ["devicecode", "token", "me"]);
    emulator.clear_requests();
    let second = world.run();
    assert_eq!(second.json(), first.json());
    assert_eq!(emulator.requests().len(), 1, "{:#?}", emulator.requests());
    for prompt in ["To sign in", "devicelogin", "Waiting", "Only continue"] {
        assert!(first.stderr.contains(prompt), "{first:#?}");
        assert!(!second.stderr.contains(prompt), "{second:#?}");
    }
}

#[test]
fn b8_an_expired_token_costs_one_request_more() {
    let emulator = emulator_of_short_tokens();
    let world = world(&emulator);
    world.run().json();
    emulator.clear_requests();
    let second = world.run();
    assert_eq!(second.json()["displayName"], "Contoso Employee");
    assert!(!second.stderr.contains("To sign in"), "{second:#?}");
    let requests = emulator.requests();
    assert_eq!(requests.len(), 2, "{requests:#?}");
    assert_eq!(requests[0].field("grant_type"), Some("refresh_token"));
    assert_eq!(requests[1].path, "/v1.0/me");
}

#[test]
fn b8_one_connection_per_host() {
    let emulator = Emulator::start(Options {
        auto_sign_in: Some(EMPLOYEE.into()),
        device_code_interval: Some(1),
        generate: Some(250),
        ..Options::default()
    })
    .unwrap();
    // Two names for one machine: Entra ID's and Graph's.
    let graph = emulator.url().replace("127.0.0.1", "localhost");
    world(&emulator)
        .env("SCOPE", "User.ReadBasic.All")
        .env("ENDPOINT", format!("{graph}/v1.0/users"))
        .arg("--all")
        .run()
        .json();
    for host in ["127.0.0.1:", "localhost:"] {
        let mut requests = emulator.requests();
        requests.retain(|request| request.header("host").unwrap().starts_with(host));
        assert!(requests.len() >= 3, "{requests:#?}");
        let connection = requests[0].connection;
        assert!(
            requests
                .iter()
                .all(|request| request.connection == connection),
            "{requests:#?}"
        );
    }
}

#[test]
fn b9_several_cached_accounts() {
    let emulator = quiet_emulator();
    let world = world(&emulator);
    let run = |args: &[&str], user| run_as(&emulator, &world, args, user);
    run(&[], EMPLOYEE).json();
    // Not in the cache: signs in, and is added.
    run(&["--account", MANAGER], MANAGER).json();
    emulator.clear_requests();

    run(&[], EMPLOYEE).fails(2, &["--account", EMPLOYEE, MANAGER]);
    assert_eq!(asked(&emulator), [""; 0]);

    for (account, name) in [
        ("Contoso_EMPLOYEE@contoso.com", "Contoso Employee"),
        (MANAGER, "Contoso Manager"),
    ] {
        let outcome = run(&["--account", account], ZOE);
        assert_eq!(outcome.json()["displayName"], name);
    }
    assert_eq!(asked(&emulator), ["me"], "both were in the cache");

    run(&["--account", ZOE], EMPLOYEE).fails(1, &[EMPLOYEE, ZOE, "--account"]);
    assert!(
        !asked(&emulator)[1..].contains(&"me".into()),
        "no call as somebody else"
    );
    let cache = std::fs::read_to_string(world.cache_file()).unwrap();
    assert!(!cache.contains(ZOE));
}
