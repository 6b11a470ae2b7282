//! CT10: the log of requests.

use std::collections::HashSet;

use serde_json::Value;

use super::{anew, each_sample, graph_calls};
use crate::support::{EMPLOYEE_PASSWORD, Outcome, World};

/// The log's line for each request that the emulator has seen: no more and no fewer.
#[track_caller]
fn logs_each_request(emulator: &emulator::Emulator, outcome: &Outcome) {
    let requests = emulator.requests();
    assert_ne!(requests.len(), 0);
    for request in &requests {
        let line = format!(
            "method={} url={}{} status={} request_id={}\n",
            request.method,
            emulator.url(),
            request.path,
            request.status.unwrap(),
            request.header("client-request-id").unwrap(),
        );
        outcome.says_times(1, &line);
    }
    outcome.says_times(requests.len(), "INFO common::http: ");
}

/// Every secret of a run: those that were set, and all that Entra ID has answered.
fn secrets(emulator: &emulator::Emulator, world: &World, sample: &str) -> Vec<String> {
    let mut secrets = vec![EMPLOYEE_PASSWORD.to_owned()];
    if sample == "client-credentials" {
        secrets.push(world.setting("CLIENT_SECRET"));
    }
    for request in emulator.requests() {
        let answer = request.answer.unwrap_or_default();
        let Ok(answer) = serde_json::from_slice::<Value>(&answer) else {
            continue;
        };
        for name in ["access_token", "refresh_token", "id_token", "device_code"] {
            secrets.extend(answer[name].as_str().map(str::to_owned));
        }
    }
    secrets
}

#[test]
fn ct10_each_request_and_no_secret() {
    each_sample(|emulator, sample| {
        let query = "?$select=displayName&hush=hush";
        let world = World::at(emulator, sample);
        let endpoint = world.setting("ENDPOINT") + query;
        let world = world.env("ENDPOINT", endpoint);
        for (arg, level) in [
            ("--verbose", None),
            ("-v", None),
            ("--no-cache", Some("info")),
            ("--no-cache", Some("common::http=debug")),
            ("--verbose", Some("not=a=filter")),
            ("--verbose", Some("trace")),
        ] {
            println!("{sample} {arg} {level:?}");
            anew(emulator);
            // A refusal, a second token for the cached sign-in, and tries that fail.
            emulator.fault("graph:cae").unwrap();
            emulator.fault("graph:status-503=0").unwrap();
            let outcome = world.run_with(|command| {
                command.arg(arg);
                if let Some(level) = level {
                    command.env("RUST_LOG", level);
                }
            });
            outcome.json();
            logs_each_request(emulator, &outcome);
            outcome.says_times(0, "hush");
            let secrets = secrets(emulator, &world, sample);
            assert!(secrets.len() > 1);
            for secret in secrets {
                outcome.says_times(0, &secret);
            }
        }
    });
}

#[test]
fn ct10_failures_are_logged_too_and_nothing_unasked() {
    each_sample(|emulator, sample| {
        let world = World::at(emulator, sample);
        world.run().says_times(0, "common::http");
        anew(emulator);
        emulator.fault("graph:reset").unwrap();
        emulator.fault("graph:status-404").unwrap();
        let outcome = world.run_with(|command| {
            command.arg("--verbose");
        });
        let calls = graph_calls(emulator);
        assert_eq!(calls.len(), 2);
        for call in calls {
            outcome.says(&[call.header("client-request-id").unwrap()]);
        }
        outcome.says(&[" error=", "status=404"]);
    });
}

#[test]
fn ct10_a_fresh_id_for_each_request() {
    each_sample(|emulator, sample| {
        let world = World::at(emulator, sample);
        emulator.fault("graph:status-503=0*3").unwrap();
        world.run().json();
        emulator.fault("graph:cae").unwrap();
        world.run().json();
        let requests = emulator.requests();
        let ids: HashSet<_> = requests
            .iter()
            .map(|request| request.header("client-request-id").unwrap())
            .inspect(|id| assert_eq!(id.len(), 36, "{id} is no GUID"))
            .collect();
        assert_eq!(ids.len(), requests.len());
    });
}
