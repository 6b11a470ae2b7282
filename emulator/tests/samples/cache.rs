//! Row CT9 under stress: many runs at once, and runs that are killed. Nothing is lost, and nothing is ever half-written.

use std::{
    collections::BTreeSet,
    fs,
    io::ErrorKind,
    os::unix::fs::OpenOptionsExt,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread,
    time::Duration,
};

use emulator::{Emulator, Options};
use serde_json::Value;

use crate::{
    device_code::emulator_of_short_tokens,
    support::{Outcome, Running, World, emulator, side_by_side, until},
};

/// One of the emulator's made-up users.
fn user(number: usize) -> String {
    format!("user{number:07}@contoso.com")
}

fn start(world: &World, args: &[&str]) -> Running {
    let mut command = world.command();
    command.args(args);
    Running::start(command, &[])
}

/// Signs a user in to the code that this very run shows.
fn sign_in(emulator: &Emulator, run: &Running, user: &str) {
    let code = until("the code", || {
        let stderr = run.stderr();
        let (_, rest) = stderr.split_once("enter the code ")?;
        Some(rest.split_once(" to authenticate")?.0.to_owned())
    });
    emulator.sign_in(&code, user).unwrap();
}

/// The cache file, which is whole whenever it is there.
fn cache(world: &World) -> Option<Value> {
    match fs::read(world.cache_file()) {
        Ok(json) => Some(serde_json::from_slice(&json).unwrap()),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => panic!("{error}"),
    }
}

/// Who is in the cache, with how many access tokens.
fn accounts(world: &World) -> BTreeSet<(String, usize)> {
    let cache = cache(world).unwrap_or_default();
    let accounts = cache["accounts"].as_array().into_iter().flatten();
    accounts
        .map(|account| {
            let name = account["user_name"].as_str().unwrap().to_owned();
            (name, account["access_tokens"].as_array().unwrap().len())
        })
        .collect()
}

fn no_warning(outcome: &Outcome) {
    assert!(!outcome.stderr.contains("Warning"), "{outcome:#?}");
}

/// Looks at the cache file all the time while something happens.
fn watched<T>(world: &World, happens: impl FnOnce() -> T) -> T {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Relaxed) {
                cache(world);
            }
        });
        // However it ends, the watch has to end too.
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(happens));
        over.store(true, Relaxed);
        result.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

#[test]
fn ct9_twenty_runs_at_once_with_a_cached_account() {
    for emulator in [emulator(), emulator_of_short_tokens()] {
        let world = World::at(&emulator, "device-code");
        let profile = world.run().json();
        let before = accounts(&world);
        watched(&world, || {
            let runs: Vec<Running> = (0..20).map(|_| start(&world, &[])).collect();
            for run in runs {
                let outcome = run.wait();
                assert_eq!(outcome.json(), profile);
                no_warning(&outcome);
            }
        });
        assert_eq!(accounts(&world), before);
        world.run().json();
    }
}

/// Ten users, each with two scopes, all sign in at once into the same empty cache: everyone is in it afterwards.
#[test]
fn ct9_twenty_cold_runs_at_once_lose_nothing() {
    let emulator = Emulator::start(Options {
        device_code_interval: Some(1),
        generate: Some(10),
        ..Options::default()
    })
    .unwrap();
    let world = World::at(&emulator, "device-code");
    let wanted: Vec<(String, &str)> = (0..20)
        .map(|number| {
            (
                user(number / 2),
                ["User.Read", "User.ReadBasic.All"][number % 2],
            )
        })
        .collect();
    let start =
        |(user, scope): &(String, &str)| start(&world, &["--account", user, "--scope", scope]);

    watched(&world, || {
        let runs: Vec<Running> = wanted.iter().map(start).collect();
        for (run, (user, _)) in runs.iter().zip(&wanted) {
            sign_in(&emulator, run, user);
        }
        for run in runs {
            let outcome = run.wait();
            outcome.json();
            no_warning(&outcome);
        }
    });

    let everyone: BTreeSet<_> = (0..10).map(|number| (user(number), 2)).collect();
    assert_eq!(accounts(&world), everyone);
    emulator.clear_requests();
    for wanted in &wanted {
        assert_eq!(start(wanted).wait().json()["userPrincipalName"], wanted.0);
    }
    let requests = emulator.requests();
    assert!(
        requests.iter().all(|request| request.path == "/v1.0/me"),
        "{requests:#?}"
    );
}

/// Runs are killed at all moments around a write that renews an account: before, after, and in the middle of it.
#[test]
fn ct9_killed_while_the_cache_is_written() {
    let emulator = emulator_of_short_tokens();
    let world = World::at(&emulator, "device-code");
    thread::scope(|scope| {
        for number in 0..3 {
            let (world, emulator) = (&world, &emulator);
            scope.spawn(move || {
                let run = start(world, &["--account", &user(number)]);
                sign_in(emulator, &run, &user(number));
                run.wait().json();
            });
        }
    });
    let before = accounts(&world);
    assert_eq!(before.len(), 3);

    for step in 0..100 {
        emulator.clear_requests();
        let run = start(&world, &["--account", &user(step % 3)]);
        // The token has been sent, so that the write is about to come.
        until("the answer of the token endpoint", || {
            emulator.requests().first()?.status
        });
        thread::sleep(Duration::from_micros(80) * step as u32);
        drop(run); // kill -9
        assert_eq!(accounts(&world), before, "after the kill of step {step}");
    }
    for number in 0..3 {
        let outcome = start(&world, &["--account", &user(number)]).wait();
        assert_eq!(outcome.json()["userPrincipalName"], user(number));
        no_warning(&outcome);
    }
}

/// The same with the write that makes the file: then it is there as a whole, or not at all.
#[test]
fn ct9_killed_while_the_cache_is_made() {
    let moments: Vec<u32> = (0..16).collect();
    side_by_side(&moments, |moment| {
        let emulator = emulator();
        let world = World::at(&emulator, "device-code");
        let run = start(&world, &[]);
        until("a token", || {
            let requests = emulator.requests();
            let mut tokens = requests.iter().filter(|call| call.path.ends_with("/token"));
            tokens.find(|call| call.status == Some(200)).map(|_| ())
        });
        thread::sleep(Duration::from_micros(250) * *moment);
        drop(run); // kill -9
        cache(&world);
        let outcome = world.run();
        outcome.json();
        no_warning(&outcome);
        assert_eq!(accounts(&world).len(), 1);
    });
}

#[test]
fn ct9_leftovers_of_killed_runs_do_no_harm() {
    for mode in [0o600, 0o400] {
        let emulator = emulator_of_short_tokens();
        let world = World::at(&emulator, "device-code");
        world.run().json();
        let whole = fs::read(world.cache_file()).unwrap();
        let new = world.cache_folder().join("token_cache.new");
        let mut options = fs::OpenOptions::new();
        let mut file = options
            .write(true)
            .create(true)
            .mode(mode)
            .open(&new)
            .unwrap();
        std::io::Write::write_all(&mut file, &whole[..whole.len() / 2]).unwrap();

        let outcome = world.run();
        outcome.json();
        no_warning(&outcome);
        assert_ne!(
            fs::read(world.cache_file()).unwrap(),
            whole,
            "the cache was renewed"
        );
        assert_eq!(accounts(&world).len(), 1);
        assert!(!new.exists());
    }
}

/// A process that keeps the lock, stopped in a debugger say, costs a warning and no result.
#[test]
fn ct9_a_lock_that_is_never_released() {
    let emulator = emulator_of_short_tokens();
    let world = World::at(&emulator, "device-code");
    let profile = world.run().json();
    let lock = fs::File::open(world.cache_folder().join("token_cache.lock")).unwrap();
    lock.lock().unwrap();
    let outcome = world.run();
    assert_eq!(outcome.json(), profile);
    outcome.says(&["Warning", "another process keeps it locked"]);
    lock.unlock().unwrap();
    no_warning(&world.run());
}
