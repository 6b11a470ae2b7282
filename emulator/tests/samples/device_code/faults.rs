//! Whatever goes wrong at an endpoint that this flow asks, the sample lives on or ends with 1, and never panics.

use emulator::Emulator;

use super::{asked, emulator_for, emulator_of_short_tokens, world};
use crate::support::{EMPLOYEE, Outcome, World, side_by_side};

const ENDPOINTS: [&str; 5] = ["devicecode", "token", "me", "manager", "users"];

/// Gone the next time, wherever they happen.
const PASSING: [&str; 14] = [
    "status-429",
    "status-429=1",
    "status-429=date",
    "status-429-html=1",
    "status-500",
    "status-502-html",
    "status-503",
    "status-503=1",
    "status-503-html",
    "status-504",
    "reset",
    "cut",
    "slow=1",
    "rotate-keys",
];

/// What else the sample gets over.
#[rustfmt::skip] // one line per endpoint
const HARMLESS: [&str; 25] = [
    "devicecode:no-message", "devicecode:no-interval", "devicecode:interval=1", "devicecode:expires-in=60", "devicecode:aadsts=90033",
    "devicecode:verification-uri=https://login.example/d",
    "token:html", "token:empty", "token:status-404-html", "token:body=200 nonsense", "token:body=200 []", "token:body=200 {}",
    "token:body=200 {\"access_token\":5}", "token:body=502 Bad \u{1b}[2J gateway", "token:aadsts=90033", "token:slow_down",
    "token:error=authorization_pending", "token:error-200=authorization_pending", "token:no-refresh-token", "token:no-interval",
    "me:cae", "me:body=200 {\"displayName\":\"Contoso Employee\"}", "manager:cae", "manager:status-404", "users:cae",
];

/// What ends the run, wherever it happens.
const FATAL: [(&str, &str); 7] = [
    ("status-400", ""),
    ("status-403", ""),
    ("redirect=http://127.0.0.1:9/", "307"),
    ("huge=17", "more than 16 MiB"),
    ("crlf", "Line one Line two"),
    ("reset*always", ""),
    ("status-503*always", ""),
];

/// What ends it at one endpoint.
#[rustfmt::skip] // one line per fault
const FATAL_AT: [(&str, &str); 44] = [
    ("devicecode:status-429=121", "121 seconds"),
    ("devicecode:status-404-html", "404"),
    ("devicecode:empty", "without OAuth JSON"),
    ("devicecode:html", "without OAuth JSON"),
    ("devicecode:body=200 {}", "without OAuth JSON"),
    ("devicecode:body=200 []", "without OAuth JSON"),
    ("devicecode:body=200 {\"user_code\":5}", "without OAuth JSON"),
    ("devicecode:body=418 {\"teapot\":true}", "418"),
    ("devicecode:error=unauthorized_client", "error: unauthorized_client"),
    ("devicecode:error-200", "error: invalid_grant"),
    ("devicecode:aadsts=7000218", "Allow public client flows"),
    ("devicecode:aadsts=90002", "AADSTS90002"),
    ("devicecode:verification-uri=http://login.example/", "plain http"),
    ("devicecode:expires-in=0", "expired"),
    ("token:error=something_new", "error: something_new"),
    ("token:error-200", "error: invalid_grant"),
    ("token:expired_token", "expired"),
    ("token:authorization_declined", "declined"),
    ("token:aadsts=70018", "error: bad_verification_code"),
    ("token:aadsts=50196", "loop"),
    ("token:aadsts=53003", "Conditional Access"),
    ("me:status-429=121", "121 seconds"),
    ("me:status-403", "This call needs User.Read."),
    ("manager:status-403", "This call needs User.Read.All."),
    ("users:status-403", "This call needs User.ReadBasic.All"),
    ("me:status-401", "401"),
    ("me:status-404-html", "Not Found"),
    ("me:unauthorized", "401"),
    ("me:cae*2", "401"),
    ("me:empty", "Failed to call the Web Api: 200"),
    ("me:html", "Failed to call the Web Api: 200"),
    ("me:body=200 []", "Failed to call the Web Api: 200"),
    ("me:body=200 {\"half\":", "Failed to call the Web Api: 200"),
    ("manager:status-429=121", "121 seconds"),
    ("manager:unauthorized", "401"),
    ("manager:cae*2", "401"),
    ("manager:empty", "Failed to call the Web Api: 200"),
    ("manager:html", "Failed to call the Web Api: 200"),
    ("users:status-429=121", "121 seconds"),
    ("users:status-404", "404"),
    ("users:unauthorized", "401"),
    ("users:cae*2", "401"),
    ("users:empty", "Failed to call the Web Api: 200"),
    ("users:html", "Failed to call the Web Api: 200"),
];

/// Runs the sample so that it asks this endpoint.
fn run(emulator: &Emulator, endpoint: &str) -> Outcome {
    let world = world(emulator);
    let world = match endpoint {
        "manager" => world.arg("--manager"),
        "users" => world
            .env("SCOPE", "User.ReadBasic.All")
            .env("ENDPOINT", format!("{}/v1.0/users", emulator.url())),
        _ => world,
    };
    world.run()
}

/// Runs the sample with this fault, which must have happened.
fn run_with(fault: &str) -> Outcome {
    let emulator = emulator_for(EMPLOYEE);
    emulator.fault(fault).unwrap();
    if fault.starts_with("token:") && fault.ends_with("always") {
        // A poll is not given up before the code expires.
        emulator.fault("devicecode:expires-in=4").unwrap();
    }
    let outcome = run(&emulator, fault.split(':').next().unwrap());
    let requests = emulator.requests();
    assert!(
        requests.iter().any(|request| request.fault.is_some()),
        "{requests:#?}"
    );
    assert!(!outcome.stderr.contains("panicked"), "{outcome:#?}");
    // Nothing foreign reaches the terminal that could play with it.
    let harmful = |c: char| c != '\n' && c.is_control() || c == '\u{202e}';
    assert!(!outcome.stderr.contains(harmful), "{outcome:#?}");
    outcome
}

fn everywhere<'a>(faults: impl Iterator<Item = &'a str>) -> Vec<String> {
    faults
        .flat_map(|fault| ENDPOINTS.map(|endpoint| format!("{endpoint}:{fault}")))
        .collect()
}

#[test]
fn b6_faults_that_the_sample_gets_over() {
    let mut faults = everywhere(PASSING.into_iter());
    faults.extend(HARMLESS.map(String::from));
    side_by_side(&faults, |fault| {
        let answer = run_with(fault).json();
        if fault.starts_with("users") {
            assert!(answer["value"].is_array());
        } else {
            assert_eq!(answer["displayName"], "Contoso Employee");
        }
    });
}

#[test]
fn b12_faults_that_end_the_run() {
    let mut faults: Vec<(String, &str)> = FATAL_AT.map(|(fault, said)| (fault.into(), said)).into();
    for (fault, said) in FATAL {
        faults.extend(
            everywhere([fault].into_iter())
                .into_iter()
                .map(|fault| (fault, said)),
        );
    }
    side_by_side(&faults, |(fault, said)| {
        run_with(fault).fails(1, &[said]);
    });
}

/// A request that hangs is given up after 30 seconds and sent again.
#[test]
fn b6_survives_timeouts() {
    let hangs = everywhere(["hang"].into_iter());
    side_by_side(&hangs, |fault| drop(run_with(fault).json()));
}

/// The silent way to a token has its own troubles: an outage ends the run, a refusal leads to a new sign-in.
#[test]
fn b8_faults_of_the_silent_way() {
    let faults = [
        ("token:status-503", "", &["token", "me"][..]),
        ("token:reset", "", &["token", "me"]),
        ("token:no-refresh-token", "", &["token", "me"]),
        (
            "token:aadsts=50173",
            "",
            &["token", "devicecode", "token", "me"],
        ),
        (
            "token:error-200=invalid_grant",
            "",
            &["token", "devicecode", "token", "me"],
        ),
        (
            "token:error=interaction_required",
            "",
            &["token", "devicecode", "token", "me"],
        ),
        ("token:html", "without OAuth JSON", &["token"]),
        ("token:redirect=http://127.0.0.1:9/", "307", &["token"]),
        ("token:status-503*always", "503", &["token"]),
        ("token:huge=17", "more than 16 MiB", &["token"]),
    ];
    side_by_side(&faults, |(fault, said, requests)| {
        let emulator = emulator_of_short_tokens();
        let world: World = world(&emulator);
        world.run().json();
        emulator.clear_requests();
        emulator.fault(fault).unwrap();
        let outcome = world.run();
        match *said {
            "" => drop(outcome.json()),
            said => drop(outcome.fails(1, &[said])),
        }
        assert_eq!(asked(&emulator), *requests, "{outcome:#?}");
        // The account is still there, and so is the way on.
        emulator.clear_faults();
        world.run().json();
    });
}
