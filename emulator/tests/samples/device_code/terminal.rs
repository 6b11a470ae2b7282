//! What the user sees: the prompt (rows A7, B4, B16), and what only a terminal shows (B4, B6, B9).

use std::{
    io::{PipeWriter, Write, pipe},
    path::Path,
};

use super::{MANAGER, code, polled_every, quiet_emulator, run_as, world};
use crate::support::{EMPLOYEE, Outcome, Running, World, binary, side_by_side, until};

/// The server's words and its page, whatever they are; nothing of it is known to the sample.
#[test]
fn a7_b4_the_prompt_is_the_servers() {
    let prompts = [
        (
            r#","message":"Öffnen Sie login.example/d: Q7X""#,
            "\nÖffnen Sie login.example/d: Q7X\n",
        ),
        // Without a message, a sentence of the fields.
        (
            "",
            "\nTo sign in, open the page https://login.example/d in a web browser on any device and enter the code Q7X.\n",
        ),
        // A message is one line, and none that plays with the terminal.
        (
            r#","message":"one\r\ntwo\u001b[2Jthree\u202e""#,
            "\none two[2Jthree\n",
        ),
    ];
    side_by_side(&prompts, |(message, said)| {
        let emulator = quiet_emulator();
        let answer = format!(
            r#"{{"user_code":"Q7X","device_code":"B","verification_uri":"https://login.example/d","expires_in":1{message}}}"#
        );
        emulator
            .fault(&format!("devicecode:body={answer}"))
            .unwrap();
        let outcome = world(&emulator).run();
        outcome.fails(1, &[said]);
        assert!(
            !outcome.stderr.contains("microsoft.com/devicelogin"),
            "{outcome:#?}"
        );
    });
}

#[test]
fn b4_a_page_that_is_not_https_is_refused() {
    for page in [
        "http://login.example/devicelogin",
        "http://127.0.0.1.example/devicelogin",
        "ftp://login.example/",
        "javascript:alert(1)",
        "file:///etc/passwd",
        "https://user@login.example/",
    ] {
        let emulator = quiet_emulator();
        emulator
            .fault(&format!("devicecode:verification-uri={page}"))
            .unwrap();
        let outcome = world(&emulator).run();
        outcome.fails(1, &["sign-in page"]);
        // It is not shown to be clicked either, and no code with it.
        assert!(!outcome.stderr.contains(page), "{outcome:#?}");
        assert!(!outcome.stderr.contains(&code(&emulator)), "{outcome:#?}");
        assert_eq!(emulator.requests().len(), 1, "no poll follows");
    }
}

#[test]
fn b4_b6_b16_in_a_pipe_the_prompt_is_plain() {
    let emulator = quiet_emulator();
    let outcome = run_as(&emulator, &world(&emulator), &[], EMPLOYEE);
    outcome.json();
    outcome.says(&[
        "\nOnly continue if you started this sign-in yourself",
        "\nWaiting for the sign-in; the code is valid for 15:00.\n",
    ]);
    // No colours, no returning cursor, no drawing.
    assert!(
        !outcome.stderr.contains(['\r', '\x1b', '█', '▀', '▄']),
        "{outcome:#?}"
    );
}

/// A sample on a terminal of its own; only its stdout goes into a file.
struct Terminal {
    run: Running,
    keyboard: PipeWriter,
}

impl Terminal {
    /// None on machines that have no `script` (of util-linux) to make a terminal with.
    fn start(world: &World) -> Option<Self> {
        if !Path::new("/usr/bin/script").exists() {
            println!("not tested: this machine has no script(1)");
            return None;
        }
        let sample = binary("device-code");
        let line = format!("exec '{}' >stdout", sample.display());
        let mut command = world.command_of("script", &["-qec", &line, "/dev/null"]);
        let (keys, keyboard) = pipe().unwrap();
        command.stdin(keys);
        let run = Running::start(command, &[]);
        Some(Self { run, keyboard })
    }

    fn shows(&self, text: &str) {
        until(text, || self.run.stdout().contains(text).then_some(()));
    }

    fn types(&mut self, text: &str) {
        self.keyboard.write_all(text.as_bytes()).unwrap();
    }

    /// The end, with stdout and the screen where they belong.
    fn wait(self, world: &World) -> Outcome {
        let mut outcome = self.run.wait();
        outcome.stderr = outcome.stdout;
        outcome.stdout = std::fs::read_to_string(world.work().join("stdout")).unwrap();
        outcome
    }
}

#[test]
fn b4_b6_on_a_terminal() {
    let emulator = polled_every(2);
    let world = world(&emulator);
    let Some(terminal) = Terminal::start(&world) else {
        return;
    };
    // The countdown moves on in its line.
    terminal.shows(
        "\r\x1b[KWaiting for the sign-in; 14:59 left.\r\x1b[KWaiting for the sign-in; 14:58 left.",
    );
    emulator.sign_in(&code(&emulator), EMPLOYEE).unwrap();
    let outcome = terminal.wait(&world);
    assert_eq!(outcome.json()["displayName"], "Contoso Employee");
    outcome.says(&["█▀▀▀", "Only continue if you started this"]);
    // And leaves nothing behind.
    assert!(
        outcome
            .stderr
            .ends_with(" left.\r\x1b[KGraph API call result:\r\n"),
        "{outcome:#?}"
    );
}

#[test]
fn b6_ctrl_c_on_a_terminal() {
    // During the countdown, and where nothing but the terminal's own ^C stands on the line.
    for (fault, shown) in [
        ("devicecode:interval=600", "Waiting"),
        ("devicecode:hang", "Token cache"),
    ] {
        let emulator = quiet_emulator();
        emulator.fault(fault).unwrap();
        let world = world(&emulator);
        let Some(mut terminal) = Terminal::start(&world) else {
            return;
        };
        terminal.shows(shown);
        until("the request", || emulator.requests().pop());
        terminal.types("\x03");
        let outcome = terminal.wait(&world);
        outcome.fails(130, &[]);
        assert!(
            outcome.stderr.ends_with("\r\x1b[KInterrupted.\r\n"),
            "{outcome:#?}"
        );
        assert_eq!(
            outcome.stderr.matches("Interrupted").count(),
            1,
            "{outcome:#?}"
        );
    }
}

#[test]
fn b9_on_a_terminal_the_user_chooses() {
    let emulator = quiet_emulator();
    let world = world(&emulator);
    for user in [EMPLOYEE, MANAGER] {
        run_as(&emulator, &world, &["--account", user], user).json();
    }
    emulator.clear_requests();
    for (typed, name) in [
        ("2\n", Some("Contoso Manager")),
        ("1\n", Some("Contoso Employee")),
        ("3\n", None),
        ("\n", None),
        ("\x04", None),
    ] {
        let Some(mut terminal) = Terminal::start(&world) else {
            return;
        };
        terminal.shows("Which one?");
        terminal.types(typed);
        let outcome = terminal.wait(&world);
        outcome.says(&[&format!("1  {EMPLOYEE}"), &format!("2  {MANAGER}")]);
        match name {
            Some(name) => assert_eq!(outcome.json()["displayName"], name),
            None => drop(outcome.fails(2, &["--account"])),
        }
    }
    assert_eq!(super::asked(&emulator), ["me"]);
}
