//! The contract that all samples share (CT1–CT13): each row against each sample's binary.
//!
//! A table is a loop over rows. Each row is printed before it is tried, so that the output of a test that fails ends
//! with the row that did.

mod bad_settings;
mod cache;
mod challenges;
mod log;
mod output;
mod pages;
mod refusals;
mod retries;
mod settings;
mod transport;

use std::thread;

use emulator::{Emulator, Options, Recorded};

use crate::support::{self, EMPLOYEE, SAMPLES, World};

/// Tries each sample, side by side and each with an emulator of its own.
fn each_sample(check: impl Fn(&Emulator, &'static str) + Sync) {
    side_by_side(SAMPLES, |sample| check(&emulator(), sample));
}

/// Tries all items at once: a device sign-in mostly waits.
fn side_by_side<T: Send>(items: impl IntoIterator<Item = T>, check: impl Fn(T) + Sync) {
    thread::scope(|scope| {
        for item in items {
            scope.spawn(|| check(item));
        }
    });
}

/// An emulator that gives every sample what it asks for, and keeps its answers.
fn emulator() -> Emulator {
    Emulator::start(options()).unwrap()
}

fn options() -> Options {
    Options {
        auto_sign_in: Some(EMPLOYEE.into()),
        device_code_interval: Some(1),
        trace: true,
        ..Options::default()
    }
}

/// A world whose token cache has what the sample needs, so that Graph is the first to be asked. The emulator has
/// forgotten how it came to that.
fn signed_in(emulator: &Emulator, sample: &'static str) -> World {
    sign_in(emulator, World::at(emulator, sample))
}

fn sign_in(emulator: &Emulator, world: World) -> World {
    world.run().json();
    anew(emulator);
    world
}

/// For the next row: no faults, no requests.
fn anew(emulator: &Emulator) {
    emulator.clear_faults();
    emulator.clear_requests();
}

/// The endpoint of Entra ID at which the sample's sign-in begins, as faults call it.
fn first_endpoint(sample: &str) -> &'static str {
    match sample {
        "device-code" => "devicecode",
        _ => "token",
    }
}

/// How a sample begins to tell of a refused token request.
fn refused(sample: &str, error: &str) -> String {
    match sample {
        "client-credentials" => {
            format!("Error encountered when requesting access token: {error}\n")
        }
        _ => format!("error: {error}\n"),
    }
}

fn graph_calls(emulator: &Emulator) -> Vec<Recorded> {
    calls(emulator, |path| path.starts_with("/v1.0/"))
}

/// Requests for a device code or a token.
fn entra_calls(emulator: &Emulator) -> Vec<Recorded> {
    calls(emulator, |path| path.contains("/oauth2/"))
}

fn calls(emulator: &Emulator, is_wanted: impl Fn(&str) -> bool) -> Vec<Recorded> {
    let mut requests = emulator.requests();
    requests.retain(|request| is_wanted(&request.path));
    requests
}

/// Waits for something that is about to happen.
#[track_caller]
fn until(what: &str, happened: impl Fn() -> bool) {
    support::until(what, || happened().then_some(()));
}
