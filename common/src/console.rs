//! What a terminal shows, and with which status the program ends.
//!
//! Data goes to stdout; labels, prompts and errors go to stderr. `eprintln!` would panic where stderr is closed.

use std::{
    fmt::Display,
    future::Future,
    io::{self, IsTerminal, Write},
    process::{self, ExitCode},
};

use crate::config::ConfigError;

/// Writes one line to stderr. Where nobody listens, nothing is lost.
pub fn say(line: impl Display) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// Whether a person sits at the keyboard and sees stderr.
pub fn is_interactive() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Exit status 2: the error is told, and nothing has been sent.
pub fn misconfigured(error: &ConfigError) -> ExitCode {
    say(error);
    ExitCode::from(2)
}

/// Runs the sample and turns its outcome into the exit status: 0, 1 after an error, 130 after Ctrl-C.
pub async fn run(sample: impl Future<Output = anyhow::Result<()>>) -> ExitCode {
    let outcome = tokio::select! {
        // Listens before the sample begins, which may block to ask for a password.
        biased;
        Ok(()) = tokio::signal::ctrl_c() => {
            clear_line();
            say("Interrupted.");
            // At once: a name look-up under way would keep the runtime alive.
            process::exit(130)
        }
        outcome = sample => outcome,
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            clear_line();
            say(format_args!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// On a terminal, removes what stands on the current line (a countdown, or `^C`).
pub fn clear_line() {
    if io::stderr().is_terminal() {
        let _ = write!(io::stderr(), "\r\x1b[K");
    }
}
