//! `emulator exec`: what a stranger runs first.

use std::{
    collections::HashMap,
    fs,
    io::{Read, Write},
    net::TcpStream,
    os::unix::fs::PermissionsExt,
    path::Path,
};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{
    EMPLOYEE, EMPLOYEE_PASSWORD, Running, cargo, exec_command, profile, until, without_outer_cargo,
    workspace,
};

/// `emulator exec` with these arguments. What it starts carries `mark` in its environment, by which it can be found.
pub fn exec(mark: &str, args: &[&str]) -> Running {
    let mut command = exec_command(args);
    command.env("TEST_MARK", mark);
    Running::start(command, b"")
}

/// How many processes carry the mark.
fn marked(mark: &str) -> usize {
    let mark = format!("TEST_MARK={mark}\0");
    let is_marked = |id: &str| {
        // A process that has ended, but was not waited for yet, has no environment left.
        fs::read(format!("/proc/{id}/environ")).is_ok_and(|environment| {
            environment
                .windows(mark.len())
                .any(|window| window == mark.as_bytes())
        })
    };
    let processes = fs::read_dir("/proc").unwrap();
    processes
        .filter(|process| is_marked(process.as_ref().unwrap().file_name().to_str().unwrap()))
        .count()
}

#[test]
fn a_sample_runs_and_ends_as_it_ends() {
    let outcome = exec("profile", &["device-code"]).wait();
    assert_eq!(outcome.json()["displayName"], "Contoso Employee");
    outcome.says(&[
        "development tool",
        "enter the code",
        "Graph API call result:",
    ]);

    for (args, status) in [
        (&["device-code", "--no-such-flag"][..], 2),
        (&["--fault", "token:aadsts=53003", "device-code"], 1),
        (&["client-credentials"], 0),
        (
            &[
                "--as",
                "client-credentials-secret-expired",
                "client-credentials",
            ],
            1,
        ),
        (&["username-password"], 0),
        (&["--", "sh", "-c", "test -n \"$AUTHORITY\" && exit 7"], 7),
        (&["no-such-program"], 1),
    ] {
        let outcome = exec("status", args).wait();
        assert_eq!(outcome.status.code(), Some(status), "{args:?} {outcome:#?}");
    }
}

/// Cargo, which `CARGO` names, builds the sample of this profile in this target folder, and nothing else.
#[test]
fn the_sample_is_built() {
    let folder = TempDir::new().unwrap();
    let stand_in = folder.path().join("cargo");
    // The features of the whole workspace, with which everything is built already.
    let script = "#!/bin/sh\necho \"asked: $*\" >&2\nexec \"$REAL\" \"$@\" --workspace\n";
    fs::write(&stand_in, script).unwrap();
    fs::set_permissions(&stand_in, fs::Permissions::from_mode(0o700)).unwrap();
    let mut command = exec_command(&["client-credentials"]);
    command.env("CARGO", &stand_in).env("REAL", cargo());
    without_outer_cargo(&mut command);
    let outcome = Running::start(command, b"").wait();
    outcome.json();
    let target = Path::new(env!("CARGO_BIN_EXE_emulator")).ancestors().nth(2);
    outcome.says(&[&format!(
        "asked: build --quiet --package client-credentials --profile {} --target-dir {} --manifest-path {}\n",
        profile(),
        target.unwrap().display(),
        workspace().join("Cargo.toml").display(),
    )]);

    let mut command = exec_command(&["client-credentials"]);
    command.env("CARGO", "false");
    Running::start(command, b"").wait().fails(1, &[]);
}

/// Seed 003 as its parameters.json sets it: the list of users.
#[test]
fn arguments_may_name_the_emulator_s_address() {
    let args = [
        "username-password",
        "--scope",
        "User.ReadBasic.All",
        "--endpoint",
        "{base}/v1.0/users",
    ];
    let users = exec("users", &args).wait().json();
    assert_eq!(users["value"][0]["displayName"], "Contoso Employee");
}

/// Ctrl-C reaches all processes of a terminal, a service manager's signal only one: neither leaves anything behind.
#[test]
fn nothing_stays_behind() {
    for (signal, status) in [("INT", 130), ("TERM", 143)] {
        let mark = format!("signal-{signal}-{}", std::process::id());
        let running = exec(&mark, &["--browser", "device-code"]);
        until("the prompt", || {
            running.stderr().contains("Waiting for").then_some(())
        });
        assert_eq!(marked(&mark), 2, "the emulator and the sample");
        running.signal(signal);
        let outcome = running.wait();
        assert_eq!(outcome.status.code(), Some(status), "{outcome:#?}");
        assert_eq!(outcome.stdout, "");
        assert_eq!(marked(&mark), 0);
    }
}

/// `--browser` leaves the sign-in to a person: here one who reads the pages with a program.
#[test]
fn a_person_signs_in_at_the_page() {
    let running = exec("browser", &["--browser", "device-code"]);
    let (page, code) = until("the prompt", || {
        let stderr = running.stderr();
        let (_, rest) = stderr.split_once("open the page ")?;
        let (page, rest) = rest.split_once(" and enter the code ")?;
        Some((page.to_owned(), rest.split_once(' ')?.0.to_owned()))
    });
    let (host, path) = page
        .strip_prefix("http://")
        .unwrap()
        .split_once('/')
        .unwrap();
    let post = |fields: &[(&str, &str)]| {
        let body = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish();
        let mut stream = TcpStream::connect(host).unwrap();
        write!(
            stream,
            "POST /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    // What stands in the sealed field of a page goes along with the answer to it.
    let sealed = |html: &str| {
        let (_, rest) = html
            .split_once("name=\"state_of_page\" value=\"")
            .unwrap_or_else(|| panic!("{html}"));
        rest.split_once('"').unwrap().0.to_owned()
    };
    assert!(
        post(&[("user_code", "WRONG")]).contains("work"),
        "a wrong code is told"
    );
    let mut html = post(&[("user_code", &code)]);
    for (shows, field, value) in [
        ("Pick an account", "account", EMPLOYEE),
        ("password", "password", EMPLOYEE_PASSWORD),
        ("would like to", "", ""),
        ("Are you trying to sign in", "", ""),
    ] {
        // Consent is asked for only where it was not given before.
        if html.contains(shows) {
            html = post(&[("state_of_page", &sealed(&html)), (field, value)]);
        }
    }
    assert!(html.contains("signed in"), "{html}");
    assert_eq!(running.wait().json()["userPrincipalName"], EMPLOYEE);
}

/// The trace shows the exchange as HTTP, and none of its secrets.
#[test]
fn a_trace_has_no_secrets() {
    let outcome = exec("trace", &["--trace=markdown", "username-password"]).wait();
    let _: Value = outcome.json();
    outcome.says(&["POST /", "grant_type=password", "GET /v1.0/me"]);
    let hidden: HashMap<_, _> = [("the password", EMPLOYEE_PASSWORD), ("a token", "eyJ")].into();
    for (what, secret) in hidden {
        assert!(!outcome.stderr.contains(secret), "{what}: {outcome:#?}");
    }
}
