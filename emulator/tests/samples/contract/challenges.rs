//! CT13: continuous access evaluation, and tokens that Graph does not want.

use emulator::Emulator;
use serde_json::{Value, json};

use super::{anew, each_sample, entra_calls, graph_calls, signed_in};
use crate::support::World;

/// The claims of each token request.
fn claims(emulator: &Emulator) -> Vec<Value> {
    let calls = entra_calls(emulator);
    let tokens = calls.iter().filter(|call| call.path.ends_with("/token"));
    tokens
        .map(|call| serde_json::from_str(call.field("claims").unwrap()).unwrap())
        .collect()
}

#[test]
fn ct13_a_challenge_is_answered_once_and_silently() {
    each_sample(|emulator, sample| {
        let world = signed_in(emulator, sample);
        emulator.fault("graph:cae").unwrap();
        let outcome = world.run();
        outcome.json();
        outcome.says_times(0, "enter the code");
        outcome.says_times(0, "Failed to call");
        assert_eq!(graph_calls(emulator).len(), 2);
        let calls = entra_calls(emulator);
        assert_eq!(calls.len(), 1);
        let grant = match sample {
            "client-credentials" => "client_credentials",
            _ => "refresh_token",
        };
        assert_eq!(calls[0].field("grant_type"), Some(grant));
        // What Graph asks for, and that this client can answer such questions.
        let claims = claims(emulator).remove(0);
        assert_eq!(claims["access_token"]["nbf"]["essential"], true);
        assert!(claims["access_token"]["nbf"]["value"].is_string());
        assert_eq!(
            claims["access_token"]["xms_cc"],
            json!({ "values": ["cp1"] })
        );
        // The new token is the cached one.
        anew(emulator);
        world.run().json();
        assert_eq!(entra_calls(emulator).len(), 0);
    });
}

#[test]
fn ct13_without_a_refresh_token_by_signing_in_again() {
    each_sample(|emulator, sample| {
        emulator.fault("token:no-refresh-token*always").unwrap();
        let world = signed_in(emulator, sample);
        emulator.fault("graph:cae").unwrap();
        world.run().json();
        assert_eq!(graph_calls(emulator).len(), 2);
        let claims = claims(emulator);
        assert!(
            claims
                .iter()
                .all(|claims| claims["access_token"]["nbf"].is_object())
        );
        assert_ne!(claims.len(), 0);
    });
}

#[test]
fn ct13_never_a_loop() {
    each_sample(|emulator, sample| {
        // With a cached token, and with one that was fetched for the purpose.
        for world in [signed_in(emulator, sample), World::at(emulator, sample)] {
            anew(emulator);
            emulator.fault("graph:cae*always").unwrap();
            world
                .run()
                .fails(1, &["Failed to call the Web Api: 401 Unauthorized"]);
            assert_eq!(graph_calls(emulator).len(), 2);
        }
    });
}

#[test]
fn ct13_every_token_request_says_that_challenges_are_understood() {
    each_sample(|emulator, sample| {
        emulator.fault("token:expires-in=60*always").unwrap();
        let world = World::at(emulator, sample);
        world.run().json();
        world.run().json();
        let claims = claims(emulator);
        assert!(claims.len() >= 2);
        for claims in claims {
            assert_eq!(
                claims,
                json!({ "access_token": { "xms_cc": { "values": ["cp1"] } } })
            );
        }
    });
}

#[test]
fn ct13_a_plain_401_drops_the_token() {
    // The last one asks for nothing that a token could answer.
    let refusals = ["unauthorized", "status-401", "body=401 {}"];
    each_sample(|emulator, sample| {
        let world = signed_in(emulator, sample);
        for refusal in refusals {
            println!("{sample} {refusal}");
            anew(emulator);
            emulator.fault(&format!("graph:{refusal}")).unwrap();
            let said = "Failed to call the Web Api: 401 Unauthorized";
            world.run().fails(1, &[said, "#graph-unauthorized"]);
            assert_eq!(graph_calls(emulator).len(), 1);
            assert_eq!(entra_calls(emulator).len(), 0);
            // The next run asks for a new one.
            anew(emulator);
            world.run().json();
            assert_eq!(entra_calls(emulator).len(), 1);
        }
    });
}

/// The token endpoint may ask for claims as well, when it refuses a refresh token.
#[test]
fn ct13_claims_of_a_refused_refresh_are_answered_by_the_sign_in() {
    let refusal = r#"{"error":"interaction_required","claims":"{\"access_token\":{\"polids\":{\"essential\":true,\"values\":[\"5\"]}}}"}"#;
    each_sample(|emulator, sample| {
        if sample == "client-credentials" {
            return; // an app has no refresh token
        }
        emulator.fault("token:expires-in=60").unwrap();
        let world = signed_in(emulator, sample);
        emulator
            .fault(&format!("token:body=400 {refusal}"))
            .unwrap();
        world.run().json();
        let claims = claims(emulator);
        assert!(claims[0]["access_token"]["polids"].is_null());
        for claims in &claims[1..] {
            assert_eq!(claims["access_token"]["polids"]["values"], json!(["5"]));
            assert_eq!(claims["access_token"]["xms_cc"]["values"], json!(["cp1"]));
        }
        assert!(claims.len() >= 2);
    });
}
