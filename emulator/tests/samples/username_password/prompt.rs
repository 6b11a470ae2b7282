//! D10: the question for the password, on a terminal of its own.

use std::{
    fs,
    io::{Read, Write},
    path::Path,
    process::{Child, ChildStdin, Command},
    sync::mpsc::{Receiver, channel},
    thread,
};

use emulator::Emulator;
use serde_json::Value;

use super::{SAMPLE, steps};
use crate::support::{EMPLOYEE, EMPLOYEE_PASSWORD, PATIENCE, World, binary, emulator, until};

/// A shell on a terminal: it runs the sample, whose stdout goes into a file, and then tells the exit status and how it
/// finds the terminal.
struct Terminal {
    child: Child,
    keyboard: ChildStdin,
    screen: Receiver<Vec<u8>>,
    shown: String,
}

impl Terminal {
    /// None on a machine that has no `script` (of util-linux) to make a terminal with.
    fn start(world: &World) -> Option<Self> {
        if !Path::new("/usr/bin/script").exists() {
            println!("not tested: this machine has no script(1)");
            return None;
        }
        let sample = binary(SAMPLE);
        let line = format!(
            "echo tty=$(tty); '{}' >answer; echo status=$?; stty -a; echo the end",
            sample.display()
        );
        let mut child = world
            .command_of("script", &["-qec", &line, "/dev/null"])
            .spawn()
            .unwrap();
        let (keyboard, mut output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let (sender, screen) = channel();
        thread::spawn(move || {
            let mut piece = [0; 4096];
            while let Ok(length @ 1..) = output.read(&mut piece) {
                if sender.send(piece[..length].to_vec()).is_err() {
                    break;
                }
            }
        });
        Some(Self {
            child,
            keyboard,
            screen,
            shown: String::new(),
        })
    }

    /// Waits until the screen shows this.
    fn shows(&mut self, text: &str) {
        while !self.shown.contains(text) {
            let piece = self.screen.recv_timeout(PATIENCE);
            let piece = piece.unwrap_or_else(|_| panic!("\"{text}\" is missing: {}", self.shown));
            self.shown += &String::from_utf8_lossy(&piece);
        }
    }

    fn types(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
    }

    /// All that was shown, after the sample ended with this exit status and left the terminal as it was.
    fn ends_with(mut self, status: i32) -> String {
        self.shows("the end");
        let (session, modes) = self.shown.split_once("status=").unwrap();
        assert!(
            modes.starts_with(&format!("{status}\r\n")),
            "{}",
            self.shown
        );
        for mode in ["isig", "icanon", "echo"] {
            assert!(modes.split_whitespace().any(|word| word == mode), "{modes}");
        }
        session.to_owned()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn at_the_prompt(emulator: &Emulator, world: &World) -> Option<Terminal> {
    let mut terminal = Terminal::start(world)?;
    terminal.shows("Password: ");
    // Nobody types as fast as a test, which has to wait for the moment after the question.
    let (_, rest) = terminal.shown.split_once("tty=").unwrap();
    let device = rest.split_whitespace().next().unwrap();
    until("the end of the echo", || {
        let modes = Command::new("stty").args(["-F", device, "-a"]).output();
        let modes = String::from_utf8(modes.unwrap().stdout).unwrap();
        modes.contains(" -echo ").then_some(())
    });
    assert_eq!(
        steps(emulator).last().unwrap(),
        "realm",
        "asked when it is needed"
    );
    Some(terminal)
}

#[test]
fn d10_the_prompt_shows_nothing_of_what_is_typed() {
    let emulator = emulator();
    let world = World::at(&emulator, SAMPLE).without("AZURE_PASSWORD");
    let Some(mut terminal) = at_the_prompt(&emulator, &world) else {
        return;
    };
    terminal.types(&format!("{EMPLOYEE_PASSWORD}\n"));
    let shown = terminal.ends_with(0);
    for piece in ["Worker", "1001", "***"] {
        assert!(!shown.contains(piece), "{shown}");
    }
    assert_eq!(shown.matches("Password: ").count(), 1, "{shown}");
    let answer: Value =
        serde_json::from_slice(&fs::read(world.work().join("answer")).unwrap()).unwrap();
    assert_eq!(answer["userPrincipalName"], EMPLOYEE);
    assert_eq!(steps(&emulator), ["realm", "password", "graph"]);

    // D5: the next run asks nothing.
    let shown = Terminal::start(&world).unwrap().ends_with(0);
    assert!(!shown.contains("Password"), "{shown}");
}

#[test]
fn d10_ctrl_c_at_the_prompt() {
    let emulator = emulator();
    let world = World::at(&emulator, SAMPLE).without("AZURE_PASSWORD");
    let Some(mut terminal) = at_the_prompt(&emulator, &world) else {
        return;
    };
    terminal.types("Work\x03");
    let shown = terminal.ends_with(130);
    assert!(shown.contains("Interrupted.\r\n"), "{shown}");
    assert!(!shown.contains("Work"), "{shown}");
    assert_eq!(steps(&emulator), ["realm"]);
    assert_eq!(fs::read(world.work().join("answer")).unwrap(), b"");
}

#[test]
fn d10_a_password_that_is_none() {
    for (keys, said) in [
        ("\n".to_owned(), "The password is empty.\r\n"),
        (
            "a".repeat(257) + "\n",
            "The password is longer than 256 characters",
        ),
        ("\x04".into(), "The password could not be read"),
    ] {
        let emulator = emulator();
        let world = World::at(&emulator, SAMPLE).without("AZURE_PASSWORD");
        let Some(mut terminal) = at_the_prompt(&emulator, &world) else {
            return;
        };
        terminal.types(&keys);
        let shown = terminal.ends_with(1);
        assert!(shown.contains(said), "{shown}");
        assert_eq!(steps(&emulator), ["realm"]);
    }
}
