//! Row C: the client credentials flow.

mod certificates;

use std::{collections::BTreeMap, fs};

use emulator::{Emulator, Options, SEED_DATA};
use serde_json::{Value, json};

use crate::listener::{Exchange, listener};
use crate::support::{Outcome, World, emulator};

const SAMPLE: &str = "client-credentials";
const CLIENT_ID: &str = "59c06144-a668-4828-9ca8-ed6e117c8344";
const FETCHING: &str = "Could not find a cached token, so fetching a new one.\n";

/// How many requests for a token there were, and how many for the application.
fn counts(emulator: &Emulator) -> (usize, usize) {
    let requests = emulator.requests();
    let tokens = requests
        .iter()
        .filter(|request| request.path.ends_with("/token"))
        .count();
    (tokens, requests.len() - tokens)
}

/// C3: the sentence exactly as often as a token was asked for.
#[track_caller]
fn fetched(outcome: &Outcome, times: usize) {
    assert_eq!(
        outcome.stderr.matches(FETCHING).count(),
        times,
        "{outcome:#?}"
    );
}

/// A cold run asks for a token and the application, over one connection; the next one finds the token.
#[test]
fn c2_c3_c5_the_seeds_output() {
    let emulator = emulator();
    let world = World::at(&emulator, SAMPLE);
    let outcome = world.run();
    let application = outcome.json();
    fetched(&outcome, 1);
    outcome.says(&["Graph API call result:\n"]);

    // The seed's fields in the seed's order, with its values.
    let fields: Vec<_> = application.as_object().unwrap().iter().take(10).collect();
    let expected = json!({
        "@odata.context": "https://graph.microsoft.com/v1.0/$metadata#applications/$entity",
        "id": "6ed9c555-6dfd-4f35-b832-f1f634c0b876",
        "deletedDateTime": null,
        "appId": CLIENT_ID,
        "applicationTemplateId": null,
        "disabledByMicrosoftStatus": null,
        "createdDateTime": "2021-01-17T15:30:55Z",
        "displayName": "python-cli",
        "description": null,
        "groupMembershipClaims": null,
    });
    assert_eq!(
        fields,
        expected.as_object().unwrap().iter().collect::<Vec<_>>()
    );

    let requests = emulator.requests();
    assert_eq!(counts(&emulator), (1, 1));
    assert_eq!(requests[0].connection, requests[1].connection);
    assert_eq!(
        requests[1].path,
        "/v1.0/applications/6ed9c555-6dfd-4f35-b832-f1f634c0b876"
    );

    let outcome = world.run();
    assert_eq!(outcome.json(), application);
    fetched(&outcome, 0);
    assert_eq!(counts(&emulator), (1, 2));
}

/// C3: without a cache, and with a token that has too little left, each run fetches one and says so.
#[test]
fn c3_the_sentence_stands_for_a_request() {
    let without_cache = emulator();
    let short_lived = Emulator::start(Options {
        token_lifetime: Some(200),
        ..Options::default()
    })
    .unwrap();
    for (emulator, flags) in [(&without_cache, &["--no-cache"][..]), (&short_lived, &[])] {
        let world = flags
            .iter()
            .fold(World::at(emulator, SAMPLE), |world, flag| world.arg(*flag));
        for run in 1..=2 {
            let outcome = world.run();
            outcome.json();
            fetched(&outcome, 1);
            assert_eq!(counts(emulator), (run, run));
        }
    }
}

/// C5 and C6: the defaults, without SCOPE and ENDPOINT.
#[test]
fn c5_c6_defaults() {
    let emulator = emulator();
    let world = World::at(&emulator, SAMPLE)
        .without("SCOPE")
        .without("ENDPOINT");
    world.run().json();
    let requests = emulator.requests();
    assert_eq!(
        requests[0].field("scope"),
        Some("https://graph.microsoft.com/.default")
    );
    assert_eq!(
        requests[1].path,
        format!("/v1.0/applications/{}", world.setting("CLIENT_OBJECTID"))
    );
}

/// An emulator at which the sample's app has this secret.
fn emulator_with_secret(secret: &str) -> Emulator {
    let old = "value = \"toy~Secret.of-the_client~credentials+sample/%\"";
    let new = format!("value = {}", toml::Value::from(secret));
    assert!(SEED_DATA.contains(old));
    Emulator::start(Options {
        seed_data: Some(SEED_DATA.replace(old, &new)),
        ..Options::default()
    })
    .unwrap()
}

#[test]
fn c1_a_secret_of_any_characters() {
    // In an order in which it is no placeholder: `<` after `>`.
    let secret = r##" ~!@#$%^&*()_+-=[]{}|\;':",.>/<?` a+b%20c&d=e äß€日本🔑 "##;
    let emulator = emulator_with_secret(secret);
    let world = World::at(&emulator, SAMPLE).arg("--no-cache");
    assert_eq!(world.setting("CLIENT_SECRET"), secret);
    world.run().json();

    let world = world
        .without("CLIENT_SECRET")
        .arg("app.json")
        .file("app.json", json!({ "client_secret": secret }).to_string());
    world.run().json();
    for request in emulator.requests().iter().step_by(2) {
        assert!(request.carried("client_secret", secret));
    }
}

#[test]
fn c1_two_proofs_are_one_too_many() {
    let emulator = emulator();
    let proofs = [
        "CLIENT_SECRET",
        "CLIENT_CERTIFICATE",
        "AZURE_FEDERATED_TOKEN_FILE",
    ];
    for [one, other] in [[0, 1], [0, 2], [1, 2]].map(|pair| pair.map(|at| proofs[at])) {
        World::at(&emulator, SAMPLE)
            .without("CLIENT_SECRET")
            .env(one, "one")
            .file(".env", format!("{other}=other\n"))
            .run()
            .fails(
                2,
                &[
                    &format!("{one} (from the environment) and {other} (from .env) are both set")
                        .replace(
                            // They are told in one order, wherever they come from.
                            "\0", "",
                        ),
                ],
            );
    }
    World::at(&emulator, SAMPLE)
        .without("CLIENT_SECRET")
        .run()
        .fails(2, &["CLIENT_SECRET is not set"]);
    assert!(emulator.requests().is_empty());
}

/// The sample with a token of another issuer in the file `token`.
fn federated(emulator: &Emulator, token: &str) -> World {
    World::at(emulator, SAMPLE)
        .without("CLIENT_SECRET")
        .env("AZURE_FEDERATED_TOKEN_FILE", "token")
        .file("token", token)
}

#[test]
fn c1_a_federated_token() {
    let emulator = emulator();
    let token = emulator.federated_token(SAMPLE).unwrap();
    federated(&emulator, &format!("{token}\n")).run().json();
    let requests = emulator.requests();
    assert!(requests[0].carried("client_assertion", &token));
    assert_eq!(requests[0].field("client_secret"), None);

    emulator.clear_requests();
    for (content, said) in [
        ("", "names an empty file"),
        (" \r\n", "names an empty file"),
    ] {
        let said = format!("AZURE_FEDERATED_TOKEN_FILE (from the environment) {said}");
        federated(&emulator, content).run().fails(2, &[&said]);
    }
    for (path, said) in [
        ("missing", "names a file that cannot be read: No such file"),
        (".", "names no plain file"),
    ] {
        let world = federated(&emulator, "").env("AZURE_FEDERATED_TOKEN_FILE", path);
        world
            .run()
            .fails(2, &[said, "Certificates & secrets > Federated credentials"]);
    }
    assert!(emulator.requests().is_empty());

    // A token of somebody else: Entra ID says so.
    federated(&emulator, "e30.e30.e30").run().fails(
        1,
        &["Error encountered when requesting access token: invalid_client\n"],
    );
}

/// The file is renewed by others while the sample runs: each request has what stands in it then.
#[test]
fn c1_the_token_file_is_read_at_every_request() {
    let emulator = emulator();
    let (one, other) = (
        emulator.federated_token(SAMPLE).unwrap(),
        emulator.federated_token(SAMPLE).unwrap() + "\n\n",
    );
    let challenge = "401 Unauthorized\r\nWWW-Authenticate: Bearer error=\"insufficient_claims\", claims=\"eyJhY2Nlc3NfdG9rZW4iOnt9fQ==\"";
    for (second, status) in [(Some(other), 0), (None, 1)] {
        let graph = listener();
        let world = federated(&emulator, &one)
            .arg("--endpoint")
            .arg(format!("http://{}/", graph.local_addr().unwrap()));
        emulator.clear_requests();
        let run = world.start();
        let exchange = Exchange::accept(&graph);
        let file = world.work().join("token");
        match &second {
            Some(token) => fs::write(file, token).unwrap(),
            None => fs::remove_file(file).unwrap(),
        }
        exchange.answer(challenge, "{}");
        if second.is_some() {
            Exchange::accept(&graph).answer("200 OK", "{}");
        }
        let outcome = run.wait();
        assert_eq!(outcome.status.code(), Some(status), "{outcome:#?}");
        match second {
            Some(token) => {
                assert!(emulator.requests()[1].carried("client_assertion", token.trim()));
            }
            None => drop(outcome.fails(
                1,
                &["AZURE_FEDERATED_TOKEN_FILE (token) names a file that cannot be read"],
            )),
        }
    }
}

#[test]
fn c7_what_people_mix_up() {
    let emulator = emulator();
    for secret_id in [
        "322eccf0-599b-4ccb-9815-595f3b7fee63",
        " 322ECCF0-599B-4CCB-9815-595F3B7FEE63 ",
    ] {
        World::at(&emulator, SAMPLE)
            .env("CLIENT_SECRET", secret_id)
            .run()
            .fails(
                2,
                &[
                    "CLIENT_SECRET (from the environment)",
                    "that is the Secret ID, not its Value",
                ],
            );
    }
    assert!(emulator.requests().is_empty());

    // The object id: warned of, and the run goes on to whatever comes of it.
    let same = "Warning: CLIENT_OBJECTID is the same as CLIENT_ID";
    let world = World::at(&emulator, SAMPLE).env("CLIENT_OBJECTID", CLIENT_ID.to_uppercase());
    let outcome = world.run();
    outcome.json();
    outcome.says(&[same]);
    world.without("ENDPOINT").run().fails(
        1,
        &[
            same,
            "Failed to call the Web Api: 404 Not Found",
            "Request_ResourceNotFound",
            "Graph has no such object: check the id",
        ],
    );
    let outcome = World::at(&emulator, SAMPLE).run();
    assert!(!outcome.stderr.contains("Warning"), "{outcome:#?}");
}

#[test]
fn c8_an_app_needs_a_tenant() {
    let emulator = emulator();
    for name in ["common", "organizations", "consumers", "Common/"] {
        World::at(&emulator, SAMPLE)
            .env("AUTHORITY", format!("{}/{name}", emulator.url()))
            .run()
            .fails(
                2,
                &[
                    "AUTHORITY (from the environment) names no tenant",
                    "Directory (tenant) ID",
                ],
            );
    }
    assert!(emulator.requests().is_empty());
}

#[test]
fn c2_c9_a_refused_request() {
    let emulator = emulator();
    let wrong = World::at(&emulator, SAMPLE).env("CLIENT_SECRET", "wrong~Secret");
    let expired = World::registered_as(&emulator, SAMPLE, "client-credentials-secret-expired");
    for (world, code, advice) in [
        (
            wrong,
            "AADSTS7000215",
            "Set CLIENT_SECRET to the secret's Value, not its Secret ID",
        ),
        (
            expired,
            "AADSTS7000222",
            "The client secret has expired: make a new one",
        ),
    ] {
        let outcome = world.run();
        outcome.fails(1, &[advice]);
        let (_, said) = outcome.stderr.split_once(FETCHING).unwrap();
        let lines: Vec<_> = said.lines().collect();
        assert_eq!(
            lines[0],
            "Error encountered when requesting access token: invalid_client"
        );
        assert!(
            lines[1].starts_with(&format!("error_description: {code}: ")),
            "{said}"
        );
        let id = lines[2].strip_prefix("correlation_id: ").unwrap();
        assert_eq!(id.len(), 36, "{said}");
        assert_eq!(lines.len(), 4, "{said}");
        assert!(!outcome.stderr.contains("wrong~Secret"), "{outcome:#?}");
    }
    // Nothing of a refusal is kept, and the request was not repeated.
    assert_eq!(counts(&emulator), (2, 0));
}

#[test]
fn c10_the_permission_is_missing() {
    let emulator = emulator();
    World::registered_as(&emulator, SAMPLE, "client-credentials-role-missing")
        .run()
        .fails(
            1,
            &[
                "Failed to call the Web Api: 403 Forbidden\n",
                "Authorization_RequestDenied",
                "Grant admin consent",
                "the application permission Application.Read.All",
            ],
        );
}

/// Tokens of an app are of one authority, one client and one list of scopes; none takes the place of another.
#[test]
fn c3_the_key_of_a_cached_token() {
    let emulator = emulator();
    let first = World::at(&emulator, SAMPLE);
    let authority = first.setting("AUTHORITY");
    let other = "client-credentials-role-missing";
    let settings: BTreeMap<_, _> = emulator.settings(other).unwrap().into_iter().collect();
    let by_other_client = |world: World| {
        ["CLIENT_ID", "CLIENT_SECRET"]
            .iter()
            .fold(world, |world, name| world.env(name, &settings[*name]))
    };
    let secret = first.setting("CLIENT_SECRET");
    let mut world = first;
    // Twice, so that each finds its own token the second time.
    for expected in [1, 0] {
        let fetches = |world: &World| {
            let before = counts(&emulator).0;
            world.run(); // Graph refuses the other client, which is all the same here.
            assert_eq!(counts(&emulator).0 - before, expected);
        };
        fetches(&world);
        world = world.env("AUTHORITY", format!("{}/contoso.com", emulator.url()));
        fetches(&world);
        world = world
            .env("AUTHORITY", &authority)
            .env("SCOPE", "00000003-0000-0000-c000-000000000000/.default");
        fetches(&world);
        world = by_other_client(world.env("SCOPE", "https://graph.microsoft.com/.default"));
        fetches(&world);
        world = world
            .env("CLIENT_ID", CLIENT_ID)
            .env("CLIENT_SECRET", &secret);
    }
}

/// Issue 4: one token request in total.
#[test]
fn c3_twenty_runs_share_a_token() {
    let emulator = emulator();
    let world = World::at(&emulator, SAMPLE);
    world.run().json();
    let runs: Vec<_> = (0..20).map(|_| world.start()).collect();
    for run in runs {
        let outcome = run.wait();
        outcome.json();
        fetched(&outcome, 0);
    }
    assert_eq!(counts(&emulator), (1, 21));
}

/// Continuous access evaluation: Graph's challenge is answered once, with its claims and `cp1`.
#[test]
fn c3_a_claims_challenge() {
    let emulator = emulator();
    let world = World::at(&emulator, SAMPLE);
    world.run().json();
    for disturb in [Emulator::challenge, Emulator::revoke] {
        disturb(&emulator, CLIENT_ID).unwrap();
        // A token of the same second would be from before.
        emulator.advance_clock(2);
        emulator.clear_requests();
        let outcome = world.run();
        outcome.json();
        fetched(&outcome, 1);
        assert_eq!(counts(&emulator), (1, 2));
        let claims: Value =
            serde_json::from_str(emulator.requests()[1].field("claims").unwrap()).unwrap();
        assert_eq!(
            claims["access_token"]["xms_cc"],
            json!({ "values": ["cp1"] })
        );
        assert_eq!(claims["access_token"]["nbf"]["essential"], true);
        // The new token is kept.
        fetched(&world.run(), 0);
    }

    emulator.clear_requests();
    emulator.fault("applications:cae*always").unwrap();
    let outcome = world.run();
    outcome.fails(1, &["401 Unauthorized"]);
    fetched(&outcome, 1);
    assert_eq!(counts(&emulator), (1, 2), "never a loop");
}
