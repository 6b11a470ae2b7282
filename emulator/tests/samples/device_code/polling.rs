//! Row B6: when the sample polls, what it survives, and when it stops. Row A7's order of things as well.

use std::{
    thread,
    time::{Duration, Instant},
};

use emulator::{Emulator, Options};

use super::{code, quiet_emulator, world};
use crate::support::{EMPLOYEE, Outcome, World, side_by_side, until};

/// A pause between two requests, as far as it can be known from outside: neither shorter nor longer than this.
struct Pause {
    shortest: Duration,
    longest: Duration,
}

/// Runs the sample, and measures the pauses between its requests.
fn pauses(emulator: &Emulator, world: &World) -> (Vec<Pause>, Outcome) {
    // Of each request, a moment when it had not come yet, and one when it had.
    let mut arrivals: Vec<(Instant, Instant)> = Vec::new();
    let mut before = Instant::now();
    let mut run = world.start();
    loop {
        let ended = run.has_ended();
        let look = Instant::now();
        let count = emulator.requests().len();
        arrivals.resize(count, (before, Instant::now()));
        if ended {
            break;
        }
        before = look;
        thread::sleep(Duration::from_millis(2));
    }
    let pauses = arrivals
        .windows(2)
        .map(|pair| Pause {
            shortest: pair[1].0.saturating_duration_since(pair[0].1),
            longest: pair[1].1.duration_since(pair[0].0),
        })
        .collect();
    (pauses, run.wait())
}

/// The user signs in between the first poll that the emulator itself answers and the second. The last pause, before
/// the call of Graph, has no rule.
#[test]
fn b6_the_pace_of_the_polls() {
    // The interval that the emulator tells, what goes wrong, and the seconds before each poll.
    let paces: [(u64, &[&str], &[u64]); 9] = [
        (2, &[], &[2, 2]),
        (2, &["devicecode:interval=0"], &[1, 1]),
        (2, &["devicecode:no-interval"], &[5, 5]),
        (1, &["token:slow_down"], &[1, 6, 6]),
        // The longer of interval and Retry-After, once.
        (1, &["token:status-429=3"], &[1, 3, 1]),
        (3, &["token:status-429=1"], &[3, 3, 3]),
        (1, &["token:status-429=date"], &[1, 1, 1]),
        // Never faster than the interval, whatever goes wrong.
        (2, &["token:reset"], &[2, 2, 2]),
        (2, &["token:status-503"], &[2, 2, 2]),
    ];
    side_by_side(&paces, |(interval, faults, expected)| {
        let emulator = Emulator::start(Options {
            auto_sign_in: Some(EMPLOYEE.into()),
            device_code_interval: Some(*interval),
            faults: faults.iter().map(|fault| (*fault).into()).collect(),
            ..Options::default()
        })
        .unwrap();
        let (pauses, outcome) = pauses(&emulator, &world(&emulator));
        outcome.json();
        assert_eq!(
            pauses.len(),
            expected.len() + 1,
            "{:#?}",
            emulator.requests()
        );
        for (number, (pause, seconds)) in pauses.iter().zip(*expected).enumerate() {
            let seconds = Duration::from_secs(*seconds);
            assert!(pause.longest >= seconds, "{number}: {:?}", pause.longest);
            // Backing off may double it; a busy machine adds its own.
            let limit = seconds * 2 + Duration::from_secs(10);
            assert!(pause.shortest < limit, "{number}: {:?}", pause.shortest);
        }
    });
}

#[test]
fn b6_ends_at_an_unknown_error() {
    // Inside an answer 200 as well.
    for fault in ["token:error=something_new", "token:error-200=something_new"] {
        let emulator = quiet_emulator();
        emulator.fault(fault).unwrap();
        world(&emulator).run().fails(1, &["error: something_new"]);
        assert_eq!(emulator.requests().len(), 2, "{:#?}", emulator.requests());
    }
}

/// By its own clock, whether polls are answered, hang, or come too late anyway.
#[test]
fn b6_ends_at_expires_in() {
    let starts = [
        ("devicecode:expires-in=3", "token:no-message", 3),
        ("devicecode:expires-in=3", "token:hang", 3),
        ("devicecode:expires-in=0", "token:no-message", 0),
        (
            r#"devicecode:body={"user_code":"A","device_code":"B","verification_uri":"https://microsoft.com/devicelogin","expires_in":2,"interval":18446744073709551615}"#,
            "token:no-message",
            2,
        ),
    ];
    side_by_side(&starts, |(start, poll, seconds)| {
        let emulator = quiet_emulator();
        emulator.fault(start).unwrap();
        emulator.fault(poll).unwrap();
        let outcome = world(&emulator).run();
        outcome.fails(1, &["The code expired"]);
        assert!(
            outcome.elapsed >= Duration::from_secs(*seconds),
            "{outcome:#?}"
        );
    });
}

/// A lifetime and a pause beyond any clock are no reason to panic.
#[test]
fn b6_absurd_numbers() {
    for numbers in [
        r#""expires_in":18446744073709551615,"interval":1"#,
        r#""expires_in":"900","interval":"1""#,
    ] {
        let emulator = quiet_emulator();
        let answer = format!(
            r#"{{"user_code":"A","device_code":"B","verification_uri":"https://microsoft.com/devicelogin",{numbers}}}"#
        );
        emulator
            .fault(&format!("devicecode:body={answer}"))
            .unwrap();
        world(&emulator).run().fails(1, &["bad_verification_code"]);
    }
    for numbers in [
        r#""expires_in":900,"interval":-1"#,
        r#""expires_in":-1,"interval":1"#,
        r#""expires_in":null,"interval":1"#,
        r#""interval":1"#,
    ] {
        let emulator = quiet_emulator();
        let answer = format!(
            r#"{{"user_code":"A","device_code":"B","verification_uri":"https://microsoft.com/devicelogin",{numbers}}}"#
        );
        emulator
            .fault(&format!("devicecode:body={answer}"))
            .unwrap();
        world(&emulator).run().fails(1, &["without OAuth JSON"]);
    }
}

/// At whatever it waits for: one clean line, and soon.
#[test]
fn b6_ctrl_c() {
    // What it waits for, and the last request by then.
    let waits = [
        ("devicecode:hang", "devicecode"),
        ("devicecode:status-429=100", "devicecode"),
        ("devicecode:interval=600", "devicecode"),
        ("token:hang", "token"),
        ("token:status-429=100", "token"),
        ("me:hang", "me"),
        ("me:slow=10000", "me"),
    ];
    side_by_side(&waits, |(fault, request)| {
        let mut seconds = (0..5).map(|_| {
            let emulator = super::emulator_for(EMPLOYEE);
            emulator.fault(fault).unwrap();
            let world = world(&emulator);
            let run = world.start();
            until(request, || {
                let last = emulator.requests().pop()?;
                let is_waiting = !fault.contains("status") || last.status.is_some();
                (last.path.ends_with(request) && is_waiting).then_some(())
            });
            // The answer of a poll or start takes a moment to be shown; nothing of it may follow the last line.
            if *fault == "devicecode:interval=600" {
                until("the prompt", || {
                    run.stderr().contains("Waiting").then_some(())
                });
            }
            let before = Instant::now();
            run.signal("INT");
            let outcome = run.wait();
            let elapsed = before.elapsed();
            outcome.fails(130, &[]);
            assert!(outcome.stderr.ends_with("\nInterrupted.\n"), "{outcome:#?}");
            assert_eq!(
                outcome.stderr.matches("Interrupted").count(),
                1,
                "{outcome:#?}"
            );
            elapsed
        });
        // Where other programs keep the machine busy, it may take several tries to see how quick it is.
        assert!(seconds.any(|elapsed| elapsed < Duration::from_secs(1)));
    });
}

/// The code is shown, and flushed, before anything is asked with it.
#[test]
fn a7_the_message_comes_before_the_first_poll() {
    let emulator = super::polled_every(600);
    let world = world(&emulator);
    let run = world.start();
    let message = format!(
        "To sign in, use a web browser to open the page {}/devicelogin and enter the code {} to authenticate.\n",
        emulator.url(),
        code(&emulator)
    );
    until("the message", || {
        run.stderr().contains(&message).then_some(())
    });
    assert_eq!(super::asked(&emulator), ["devicecode"]);
    assert_eq!(run.stdout(), "");
}
