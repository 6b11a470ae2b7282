//! `--all` over a large directory: complete, and from the first page on as it comes. (Its memory is in the contract.)

use std::collections::BTreeSet;

use emulator::{Emulator, Options};

use crate::support::{EMPLOYEE, World, until};

/// A directory of so many users beyond those of the seed data, and a sample that lists them.
fn directory(generate: usize) -> (Emulator, World) {
    let emulator = Emulator::start(Options {
        auto_sign_in: Some(EMPLOYEE.into()),
        device_code_interval: Some(1),
        generate: Some(generate),
        ..Options::default()
    })
    .unwrap();
    let world = World::at(&emulator, "device-code")
        .env("SCOPE", "User.ReadBasic.All")
        .env(
            "ENDPOINT",
            format!("{}/v1.0/users?$top=999", emulator.url()),
        )
        .arg("--all");
    (emulator, world)
}

/// Lets this request for a page hang, all others be.
fn hang_at(emulator: &Emulator, page: usize) {
    emulator
        .fault(&format!("users:no-message*{}", page - 1))
        .unwrap(); // changes nothing
    emulator.fault("users:hang").unwrap();
}

fn pages(emulator: &Emulator) -> usize {
    let requests = emulator.requests();
    requests
        .iter()
        .filter(|request| request.path == "/v1.0/users")
        .count()
}

#[test]
fn ct11_all_users_of_a_large_directory() {
    let (emulator, world) = directory(10_000);
    let all = world.run().json();
    assert_eq!(pages(&emulator), 11);
    assert_eq!(all.get("@odata.nextLink"), None);
    let users = all["value"].as_array().unwrap();
    let ids: BTreeSet<&str> = users
        .iter()
        .map(|user| user["id"].as_str().unwrap())
        .collect();
    assert_eq!(ids.len(), users.len(), "nobody twice");
    let generated = users
        .iter()
        .filter(|user| user["displayName"].as_str().unwrap().starts_with("User "));
    assert_eq!(generated.count(), 10_000);
    assert!(
        users
            .iter()
            .any(|user| user["userPrincipalName"] == EMPLOYEE)
    );
}

#[test]
fn ct11_the_first_user_comes_before_the_last_page() {
    let (emulator, world) = directory(10_000);
    hang_at(&emulator, 3);
    let run = world.start();
    until("the first user", || {
        run.stdout().contains(EMPLOYEE).then_some(())
    });
    until("the third page", || (pages(&emulator) == 3).then_some(()));
    // The second page is out as well, before a third one is there.
    until("a user of the second page", || {
        run.stdout().contains("user0001900@").then_some(())
    });
}
