//! D10: where the password comes from, and where it never goes.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
};

use emulator::{Emulator, Options, SEED_DATA};
use serde_json::json;

use super::{SAMPLE, steps};
use crate::support::{EMPLOYEE_PASSWORD, World, emulator, until};

const SPECIAL: &str = r##" ~!@#$%^&*()_+-=[]{}|\;':",.<>/?` a+b%20c&d=e äß€日本🔑 "##;
const LONGEST: usize = 256;

/// The sample, whose password is on its stdin.
fn with_stdin(emulator: &Emulator, stdin: impl Into<Vec<u8>>) -> World {
    // Stdin is stronger than the environment.
    World::at(emulator, SAMPLE)
        .env("AZURE_PASSWORD", "another")
        .arg("--password-stdin")
        .arg("--no-cache")
        .stdin(stdin)
}

#[test]
fn d10_one_final_line_end_is_no_part_of_the_password() {
    let emulator = emulator();
    let (long, wide) = ("ä".repeat(LONGEST), "🔑".repeat(LONGEST));
    for (stdin, password) in [
        (EMPLOYEE_PASSWORD.to_owned(), EMPLOYEE_PASSWORD),
        (format!("{EMPLOYEE_PASSWORD}\n"), EMPLOYEE_PASSWORD),
        (format!("{EMPLOYEE_PASSWORD}\r\n"), EMPLOYEE_PASSWORD),
        ("two\n\n".into(), "two\n"),
        ("two\r\n\r\n".into(), "two\r\n"),
        ("two\r\n\n".into(), "two\r\n"),
        ("cr\r".into(), "cr\r"),
        ("\nfirst".into(), "\nfirst"),
        (" blanks\t \n".into(), " blanks\t "),
        (" \n".into(), " "),
        (
            "Enter_the_Password_Here\n".into(),
            "Enter_the_Password_Here",
        ),
        (SPECIAL.to_owned(), SPECIAL),
        (format!("{SPECIAL}\r\n"), SPECIAL),
        (format!("{long}\n"), &long),
        (format!("{wide}\r\n"), &wide),
    ] {
        emulator.clear_requests();
        let outcome = with_stdin(&emulator, stdin.clone()).run();
        assert!(
            emulator.requests()[1].carried("password", password),
            "{stdin:?}: {outcome:#?}"
        );
        assert_eq!(outcome.status.success(), password == EMPLOYEE_PASSWORD);
    }
}

#[test]
fn d10_no_password_on_stdin() {
    let emulator = emulator();
    let long = "is longer than 256 characters";
    for (stdin, said) in [
        (Vec::new(), "is empty"),
        ("\n".into(), "is empty"),
        ("\r\n".into(), "is empty"),
        ("a".repeat(LONGEST + 1).into(), long),
        // However many bytes a character has, and wherever reading stops.
        ("ä".repeat(LONGEST + 1).into(), long),
        ("ä".repeat(3 * LONGEST).into(), long),
        ("日".repeat(3 * LONGEST).into(), long),
        ("🔑".repeat(3 * LONGEST).into(), long),
        (format!("a{}", "🔑".repeat(3 * LONGEST)).into(), long),
        ("a".repeat(1 << 20).into(), long),
        (b"w\xf6rd\n".to_vec(), "is no UTF-8 text"),
    ] {
        with_stdin(&emulator, stdin)
            .run()
            .fails(2, &[&format!("The password from stdin {said}")]);
    }
    assert!(emulator.requests().is_empty());
}

#[test]
fn d10_a_password_of_the_environment() {
    let line = "password = \"Worker#1001\"";
    assert!(SEED_DATA.contains(line));
    let special = format!("password = {}", toml::Value::from(SPECIAL));
    let emulator = Emulator::start(Options {
        seed_data: Some(SEED_DATA.replace(line, &special)),
        ..Options::default()
    })
    .unwrap();
    let world = World::at(&emulator, SAMPLE);
    assert_eq!(world.setting("AZURE_PASSWORD"), SPECIAL);
    world.run().json();

    emulator.clear_requests();
    for (password, said) in [
        ("ä".repeat(LONGEST + 1), "is longer than 256 characters"),
        (String::new(), "is blank"),
        (" ".into(), "is blank"),
        ("<password>".into(), "is still a placeholder"),
    ] {
        World::at(&emulator, SAMPLE)
            .env("AZURE_PASSWORD", password)
            .run()
            .fails(
                2,
                &[&format!("AZURE_PASSWORD (from the environment) {said}")],
            );
    }
    World::at(&emulator, SAMPLE)
        .without("AZURE_PASSWORD")
        .run()
        .fails(
            2,
            &[
                "There is no password, and no terminal to ask at.\n",
                "--password-stdin or in AZURE_PASSWORD",
            ],
        );
    assert!(emulator.requests().is_empty());
}

#[test]
fn d10_never_an_argument() {
    let emulator = emulator();
    for flag in ["--password=Worker#1001", "--azure-password=Worker#1001"] {
        World::at(&emulator, SAMPLE)
            .arg(flag)
            .run()
            .fails(2, &["unexpected argument"]);
    }
    assert!(emulator.requests().is_empty());

    // Nor does the sample put it where `ps` shows it.
    emulator.fault("token:hang").unwrap();
    let world = World::at(&emulator, SAMPLE);
    let mut child = world.command().spawn().unwrap();
    until("the token request", || {
        (steps(&emulator) == ["realm", "password"]).then_some(())
    });
    let arguments = fs::read_to_string(format!("/proc/{}/cmdline", child.id())).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(arguments.contains(SAMPLE) && !arguments.contains(EMPLOYEE_PASSWORD));
}

/// Neither in the cache nor in the log, as it is or as a form has it.
#[test]
fn d10_the_password_is_kept_nowhere() {
    let emulator = emulator();
    let world = World::at(&emulator, SAMPLE)
        .arg("--verbose")
        .env("RUST_LOG", "trace");
    let signed_in = world.run();
    signed_in.json();
    let cache = fs::read_to_string(world.cache_file()).unwrap();
    let refused = world
        .env("AZURE_USERNAME", "contoso_manager@contoso.com")
        .run();
    refused.fails(1, &["AADSTS50126"]);
    for text in [&cache, &signed_in.stderr, &refused.stderr] {
        for password in [EMPLOYEE_PASSWORD, "Worker%231001"] {
            assert!(!text.contains(password), "{text}");
        }
    }
}

#[test]
fn d10_a_parameters_file_that_others_can_read() {
    let emulator = emulator();
    let holding = json!({ "password": EMPLOYEE_PASSWORD }).to_string();
    let none = json!({ "username": "x" }).to_string();
    let warning = "Warning: parameters.json holds a password and can be read by other users. Run: chmod 600 parameters.json\n";
    for (content, mode, warned) in [
        (&holding, 0o600, 0),
        (&holding, 0o640, 1),
        (&holding, 0o604, 1),
        (&none, 0o644, 0),
    ] {
        // Whether it is used or not: in the end it is the file that others read.
        for stronger in [false, true] {
            if content == &none && !stronger {
                continue;
            }
            let mut world = World::at(&emulator, SAMPLE)
                .arg("parameters.json")
                .file("parameters.json", content);
            let file = world.work().join("parameters.json");
            fs::set_permissions(file, Permissions::from_mode(mode)).unwrap();
            if !stronger {
                world = world.without("AZURE_PASSWORD");
            }
            let outcome = world.run();
            outcome.json();
            let found = outcome.stderr.matches(warning).count();
            assert_eq!(found, warned, "{mode:o}: {outcome:#?}");
        }
    }
}
