//! Console blocks: their commands are run, and what they print is what stands below them.
//!
//! The commands run in a folder with the files that a reader has. `cargo run -p <sample>` runs the sample with the
//! settings that the emulator has for it, as a reader's `.env` has those of a tenant.

use std::{
    env, fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Stdio},
};

use tempfile::TempDir;

use super::pages;
use crate::support::{Outcome, Running, binary, emulator, workspace};

/// Why a command is not run. Nothing else counts as a reason.
const REASONS: [&str; 7] = [
    "needs a tenant",
    "needs the network",
    "runs until Ctrl-C",
    "needs a running server",
    "runs these tests",
    "takes minutes",
    "prints a long list",
];

pub const SAMPLES: [&str; 4] = [
    "device-code",
    "client-credentials",
    "username-password",
    "flask-equivalent-web",
];

/// What stands for cargo: it builds nothing, since all is built.
const CARGO: &str = r#"#!/bin/sh
if [ "$1 $2" != "run -p" ]; then echo "cargo $*: only cargo run -p is replayed" >&2; exit 127; fi
package=$3; shift 3
if [ "$1" = -- ]; then shift; fi
if [ "$package" != emulator ]; then
  . "$WORLD/$package"
  export HOME="$WORLD" XDG_CACHE_HOME="$WORLD/cache"
fi
exec "$BINARIES/$package" "$@"
"#;

/// The password manager of the example.
const PASS: &str = "#!/bin/sh\necho 'Worker#1001'\n";

/// The lines of a block: each command, and what it prints to these streams.
pub fn content(streams: &str, lines: &[String]) -> String {
    let world = TempDir::new().unwrap();
    let emulator = emulator();
    for sample in SAMPLES {
        let settings = emulator.settings(sample).unwrap();
        let script: String = settings
            .iter()
            .map(|(name, value)| format!(": \"${{{name}={value}}}\"; export {name}\n"))
            .collect();
        fs::write(world.path().join(sample), script).unwrap();
    }
    let bin = world.path().join("bin");
    let work = world.path().join("work");
    for folder in [&bin, &work] {
        fs::create_dir(folder).unwrap();
    }
    for (name, script) in [("cargo", CARGO), ("pass", PASS)] {
        fs::write(bin.join(name), script).unwrap();
        fs::set_permissions(bin.join(name), fs::Permissions::from_mode(0o700)).unwrap();
    }
    files_of_a_reader(&work);
    let mut content = String::new();
    for command in lines.iter().filter(|line| line.starts_with("$ ")) {
        let outcome = run(command.trim_start_matches("$ "), world.path(), streams);
        if outcome.status.code() == Some(127) && env::var_os("CI").is_none() {
            println!("skipped, since a program is missing: {command}");
            return lines.iter().map(|line| format!("{line}\n")).collect();
        }
        // What a page shows of stderr alone may be a refusal.
        assert!(
            streams == "stderr" || outcome.status.success(),
            "{command}: {outcome:#?}"
        );
        let printed = match streams {
            "stdout" | "both" => &outcome.stdout,
            "stderr" => &outcome.stderr,
            other => panic!("{other} is no stream"),
        };
        let printed = printed.replace(emulator.url(), "https://microsoft.com");
        content += &format!("{command}\n{}", steady(&printed));
    }
    content
}

/// What the examples copy and look at.
fn files_of_a_reader(work: &Path) {
    for sample in SAMPLES {
        let folder = work.join(sample);
        fs::create_dir_all(folder.join("src")).unwrap();
        let files = fs::read_dir(workspace().join(sample)).unwrap();
        for file in files.map(|file| file.unwrap()) {
            if file.path().is_file() && file.file_name() != ".env" {
                fs::copy(file.path(), folder.join(file.file_name())).unwrap();
            }
        }
        let main = "src/main.rs";
        fs::copy(workspace().join(sample).join(main), folder.join(main)).unwrap();
    }
}

fn run(command: &str, world: &Path, streams: &str) -> Outcome {
    let mut shell = Command::new("sh");
    let command = match streams {
        "both" => format!("{{ {command}\n}} 2>&1"),
        _ => command.to_owned(),
    };
    let path = env::var("PATH").unwrap();
    shell
        .args(["-c", &command])
        .current_dir(world.join("work"))
        .env("PATH", format!("{}/bin:{path}", world.display()))
        .env("WORLD", world)
        .env("BINARIES", binary("emulator").parent().unwrap())
        // For `emulator exec`: the sample is built.
        .env("CARGO", "true")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    for name in emulator::settings::NAMES {
        shell.env_remove(name);
    }
    Running::start(shell, b"").wait()
}

/// With that evened out which differs from run to run.
pub fn steady(printed: &str) -> String {
    let mut text: String = printed
        .lines()
        // Only a build that takes its time says so.
        .filter(|line| !line.starts_with("emulator: building "))
        .map(|line| format!("{line}\n"))
        .collect();
    for (label, end, shown) in [
        (" enter the code ", " ", "BPPVYQZMA"),
        ("Token cache: ", "/entra-samples-rust", "/home/you/.cache"),
        ("http://127.0.0.1:", "/", "8443"),
        ("development tool, at http://127.0.0.1:", "\n", "8443"),
        ("Trace ID: ", " ", "<id>"),
        ("Correlation ID: ", " ", "<id>"),
        ("Timestamp: ", "\n", "<time>"),
        ("correlation_id: ", "\n", "<id>"),
        ("\"request-id\": \"", "\"", "<id>"),
        ("\"client-request-id\": \"", "\"", "<id>"),
        ("\"date\": \"", "\"", "<time>"),
    ] {
        text = with_each_after(&text, label, end, shown);
    }
    text
}

/// What stands between each `label` and the `end` after it on the same line is replaced.
fn with_each_after(text: &str, label: &str, end: &str, shown: &str) -> String {
    let mut pieces = text.split(label);
    let mut result = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        result += label;
        match piece.find(end).filter(|at| !piece[..*at].contains('\n')) {
            Some(at) => {
                result += shown;
                result += &piece[at..];
            }
            None => result += piece,
        }
    }
    result
}

/// Each command of a page is run, or it is said there why not.
#[test]
fn every_command_is_run_or_has_a_reason() {
    let mut unasked = Vec::new();
    for path in pages() {
        let page = fs::read_to_string(&path).unwrap();
        let lines: Vec<_> = page.lines().collect();
        for (index, line) in lines.iter().enumerate() {
            if !line.trim().starts_with("```console") {
                continue;
            }
            let before = lines[index.saturating_sub(1)].trim();
            // `template.rs` runs those of its page.
            let is_run = before.starts_with("<!-- replay: ")
                || path.ends_with("use-as-a-template.md") && before.starts_with("<!-- run: ");
            let reason = before
                .strip_prefix("<!-- not replayed: ")
                .and_then(|reason| reason.strip_suffix(" -->"));
            let is_reason = |reason: &str| match reason.strip_prefix("run by ") {
                Some(file) => workspace()
                    .join("emulator/tests/samples")
                    .join(file)
                    .is_file(),
                None => REASONS.contains(&reason),
            };
            if !is_run && !reason.is_some_and(is_reason) {
                unasked.push(format!("{}:{}", path.display(), index + 1));
            }
        }
    }
    assert!(
        unasked.is_empty(),
        "<!-- replay: both --> or <!-- not replayed: reason --> belongs before {unasked:#?}, the reason being `run by <file>` or one of {REASONS:?}"
    );
}
