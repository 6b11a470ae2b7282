//! CT12: what is tried again, how often, and after how long. And the answers that are too large.

use std::{
    io::{Read, pipe},
    net::TcpListener,
    time::Duration,
};

use emulator::Emulator;

use super::{
    anew, each_sample, entra_calls, first_endpoint, graph_calls, refused, side_by_side, signed_in,
};
use crate::support::{Outcome, SAMPLES, World};

/// The two places where a sample's requests go: its first question to Entra ID, and its call to Graph.
#[derive(Clone, Copy, Debug)]
enum Place {
    Entra,
    Graph,
}

/// A sample whose requests to one place can be spoilt.
struct Trial<'e> {
    emulator: &'e Emulator,
    place: Place,
    endpoint: &'static str,
    world: World,
}

impl Trial<'_> {
    /// Runs the sample with this fault, and returns how often it sent the request to which that happened.
    fn run(&self, fault: &str) -> (Outcome, usize) {
        println!("{}:{fault}", self.endpoint);
        anew(self.emulator);
        self.set(fault);
        let outcome = self.world.run();
        (outcome, self.requests())
    }

    fn set(&self, fault: &str) {
        let fault = format!("{}:{fault}", self.endpoint);
        self.emulator.fault(&fault).unwrap();
    }

    fn requests(&self) -> usize {
        let requests = match self.place {
            Place::Entra => entra_calls(self.emulator),
            Place::Graph => graph_calls(self.emulator),
        };
        // The device code is asked for at an endpoint of its own; polls are none of this.
        let path = requests.first().map(|call| call.path.clone());
        let same = requests
            .iter()
            .filter(|call| Some(&call.path) == path.as_ref());
        same.count()
    }
}

/// Tries each sample at both places, all at once.
fn each_place(check: impl Fn(&Trial) + Sync) {
    let trials = SAMPLES
        .iter()
        .flat_map(|sample| [(*sample, Place::Entra), (*sample, Place::Graph)]);
    side_by_side(trials, |(sample, place)| {
        let emulator = &super::emulator();
        let trial = match place {
            Place::Entra => Trial {
                emulator,
                place,
                endpoint: first_endpoint(sample),
                world: World::at(emulator, sample).arg("--no-cache"),
            },
            Place::Graph => Trial {
                emulator,
                place,
                endpoint: "graph",
                world: signed_in(emulator, sample),
            },
        };
        check(&trial);
    });
}

#[test]
fn ct12_five_tries_and_no_more() {
    // With a Retry-After of 0, or a date that has passed, no time is lost.
    each_place(|trial| {
        for status in [429, 500, 502, 503, 504, 599] {
            for kind in ["", "-html"] {
                let (outcome, tries) = trial.run(&format!("status-{status}{kind}=0*always"));
                outcome.fails(
                    1,
                    &[
                        "Try 2 of 5 follows in 0.0 s",
                        "Try 5 of 5",
                        &status.to_string(),
                    ],
                );
                assert_eq!(tries, 5, "{outcome:#?}");
            }
        }
        let (outcome, tries) = trial.run("status-503=0*4");
        outcome.json();
        assert_eq!(tries, 5);
    });
}

#[test]
fn ct12_other_refusals_are_final() {
    each_place(|trial| {
        for status in [400, 401, 403, 404, 405, 408, 409, 410, 412, 418, 423, 451] {
            for retry_after in ["", "=0"] {
                let (outcome, tries) = trial.run(&format!("status-{status}{retry_after}*always"));
                outcome.fails(1, &[]).says_times(0, "Try 2");
                assert_eq!(tries, 1, "{outcome:#?}");
            }
        }
    });
}

#[test]
fn ct12_retry_after() {
    each_place(|trial| {
        for (fault, said, at_least) in [
            ("status-429=2", "follows in 2.0 s", 2000),
            ("status-503-html=1", "follows in 1.0 s", 1000),
            // Two seconds ahead, less what is left of the second in which that was said.
            ("status-503=date", "follows in ", 900),
        ] {
            let (outcome, tries) = trial.run(fault);
            outcome.json();
            outcome.says(&["Try 2 of 5 ", said]);
            assert_eq!(tries, 2, "{outcome:#?}");
            assert!(
                outcome.elapsed >= Duration::from_millis(at_least),
                "{outcome:#?}"
            );
        }
    });
}

#[test]
fn ct12_too_long_a_wait() {
    each_place(|trial| {
        for seconds in [121, 3600, u64::MAX] {
            let (outcome, tries) = trial.run(&format!("status-429={seconds}"));
            let said = format!("It asks for {seconds} seconds of patience; giving up");
            outcome.fails(1, &[&said]);
            assert_eq!(tries, 1, "{outcome:#?}");
        }
        // Up to 120 seconds are waited.
        anew(trial.emulator);
        trial.set("status-429=120");
        let mut command = trial.world.command();
        let (mut stderr, writer) = pipe().unwrap();
        let mut child = command.stderr(writer).spawn().unwrap();
        drop(command);
        let mut said = String::new();
        while !said.contains("follows in 120.0 s") {
            let mut bytes = [0; 1000];
            let count = stderr.read(&mut bytes).unwrap();
            assert_ne!(count, 0, "{said}");
            said += &String::from_utf8_lossy(&bytes[..count]);
        }
        child.kill().unwrap();
        child.wait().unwrap();
    });
}

#[test]
fn ct12_connections_that_fail() {
    each_place(|trial| {
        for fault in ["reset", "cut", "status-503"] {
            let (outcome, tries) = trial.run(fault);
            outcome.json();
            outcome.says(&["Try 2 of 5 follows in 0.5 s"]);
            assert_eq!(tries, 2, "{outcome:#?}");
            assert!(
                outcome.elapsed >= Duration::from_millis(500),
                "{outcome:#?}"
            );
        }
    });
}

#[test]
fn ct12_backoff() {
    each_place(|trial| {
        let (outcome, tries) = trial.run("reset*always");
        let waits = [
            "2 of 5 follows in 0.5 s",
            "3 of 5 follows in 1.0 s",
            "4 of 5 follows in 2.0 s",
            "5 of 5 follows in 4.0 s",
        ];
        outcome.fails(1, &waits).says(&["could not be reached"]);
        assert_eq!(tries, 5, "{outcome:#?}");
    });
}

#[test]
fn ct12_nobody_listens() {
    each_sample(|emulator, sample| {
        let port = {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            listener.local_addr().unwrap().port()
        };
        let authority = format!("http://127.0.0.1:{port}/contoso.com");
        let outcome = World::at(emulator, sample)
            .env("AUTHORITY", authority)
            .run();
        outcome.fails(1, &["Try 5 of 5", "could not be reached", "refused"]);
        assert!(emulator.requests().is_empty());
    });
}

#[test]
fn ct12_a_try_takes_30_seconds() {
    // The only test that takes so long. An answer that trickles in is as bad as none.
    each_place(|trial| {
        let fault = match trial.place {
            Place::Entra => "hang",
            Place::Graph => "slow=1000",
        };
        let (outcome, tries) = trial.run(fault);
        outcome.json();
        outcome.says(&["no complete answer within 30 seconds. Try 2 of 5"]);
        assert_eq!(tries, 2, "{outcome:#?}");
        assert!(outcome.elapsed >= Duration::from_secs(30), "{outcome:#?}");
    });
}

#[test]
fn ct12_renewals_are_tried_again_too() {
    each_sample(|emulator, sample| {
        emulator.fault("token:expires-in=60*always").unwrap();
        let world = signed_in(emulator, sample);
        emulator.fault("token:status-503=0*always").unwrap();
        let said = refused(sample, "temporarily_unavailable");
        world.run().fails(1, &[&said]);
        assert_eq!(entra_calls(emulator).len(), 5);
        anew(emulator);
        emulator.fault("token:status-503=0*4").unwrap();
        world.run().json();
        assert_eq!(entra_calls(emulator).len(), 5);
    });
}

#[test]
fn ct12_answers_of_more_than_16_mib() {
    each_place(|trial| {
        let (outcome, tries) = trial.run("huge=17");
        outcome.fails(
            1,
            &["sent an answer of more than 16 MiB, which was refused"],
        );
        assert_eq!(tries, 1, "{outcome:#?}");
    });
}
