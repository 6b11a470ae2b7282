//! emulator/README.md does what it says: its programs, its steps for continuous integration and its seed data are taken
//! from the page and run, and its list of faults is the emulator's own.

use std::{
    collections::BTreeMap, env, fs, net::TcpListener, os::unix::fs::symlink, path::Path,
    process::Command,
};

use emulator::{
    Emulator, Options, SEED_DATA,
    faults::{self, FAULTS, openid},
};

use crate::{
    clients,
    support::{Outcome, Running, World, binary, workspace},
};

fn page() -> String {
    fs::read_to_string(workspace().join("emulator/README.md")).unwrap()
}

/// The blocks after this marker, without their fences.
fn blocks(marker: &str) -> Vec<String> {
    let begin = format!("<!-- runs: {marker} -->\n```");
    page()
        .split(&begin)
        .skip(1)
        .map(|rest| {
            let (_, content) = rest.split_once('\n').unwrap();
            content.split_once("```").unwrap().0.to_owned()
        })
        .collect()
}

/// A shell in an empty home folder that finds the emulator and the installed clients, and what came of a script in it.
/// Nothing where the clients are not installed.
fn shell(world: &World, script: &str) -> Option<Outcome> {
    let installed = clients::installed()?;
    let _ = symlink(
        installed.join("node_modules"),
        world.work().join("node_modules"),
    );
    let mut path = vec![
        Path::new(env!("CARGO_BIN_EXE_emulator"))
            .parent()
            .unwrap()
            .to_owned(),
        installed.join("venv/bin"),
    ];
    path.extend(env::split_paths(&env::var_os("PATH").unwrap_or_default()));
    let mut command = world.command_of("bash", &["-euo", "pipefail", "-c", script]);
    command.env("PATH", env::join_paths(path).unwrap());
    Some(Running::start(command, b"").wait())
}

/// The command is the one that the page names for the program.
fn page_runs(file: &str) {
    let page = page();
    let (before, _) = page.split_once(&format!("` runs this `{file}`")).unwrap();
    let (_, command) = before.rsplit_once('`').unwrap();
    let [program] = blocks(file).try_into().unwrap();
    let world = World::empty("device-code").file(file, program);
    if let Some(outcome) = shell(&world, &format!("emulator {command}")) {
        assert_eq!(outcome.status.code(), Some(0), "{outcome:#?}");
        let seen = ["1 passed", "# pass 1", "\"displayName\":\"python-cli\""];
        assert!(
            seen.iter().any(|seen| outcome.stdout.contains(seen)),
            "{outcome:#?}"
        );
    }
}

#[test]
fn the_program_in_python_runs() {
    page_runs("test_sign_in.py");
}

#[test]
fn the_program_in_javascript_runs() {
    page_runs("sign_in.test.mjs");
}

#[test]
fn the_program_in_shell_runs() {
    page_runs("sign_in.sh");
}

#[test]
fn the_test_in_rust_runs() -> anyhow::Result<()> {
    let program = binary("username-password");
    // <rust>
    let emulator = Emulator::start(Options::default())?;
    emulator.fault("token:status-503*2")?; // as on a bad day
    let settings = emulator.settings("username-password")?;
    let output = Command::new(program)
        .arg("--no-cache")
        .envs(settings)
        .output()?;
    assert!(output.status.success());
    let requests = emulator.requests();
    let tries = requests
        .iter()
        .filter(|request| request.path.ends_with("/token"));
    assert_eq!(tries.count(), 3);
    // </rust>
    Ok(())
}

/// Everything but the installation of the emulator, at a port that is free here.
#[test]
fn the_steps_for_continuous_integration_run() {
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    for steps in blocks("steps") {
        let mut script = "trap 'kill $(jobs -p) 2> /dev/null || true' EXIT\n".to_owned();
        for step in steps
            .split("\n- ")
            .map(|step| step.trim_start_matches("- "))
        {
            script += &as_script(step);
        }
        let script = script.replace("8443", &port.to_string());
        let [program] = blocks("test_sign_in.py").try_into().unwrap();
        let world = World::empty("device-code")
            .file("test_sign_in.py", program)
            .file("env", "");
        let work = world.work();
        let world = world
            .env("GITHUB_ENV", work.join("env").to_str().unwrap())
            .env("RUNNER_TEMP", work.to_str().unwrap());
        if let Some(outcome) = shell(&world, &script) {
            assert_eq!(outcome.status.code(), Some(0), "{script}\n{outcome:#?}");
            assert!(outcome.stdout.contains("1 passed"), "{outcome:#?}");
        }
    }
}

/// What a step does, in the environment that the steps before it have left.
fn as_script(step: &str) -> String {
    let (head, variables) = step.split_once("\n  env:\n").unwrap_or((step, ""));
    let (_, run) = head.split_once("run:").unwrap();
    let commands = run.trim().trim_start_matches("|\n");
    if commands.starts_with("cargo install") {
        return String::new();
    }
    let mut script = "set -a; . \"$GITHUB_ENV\"; set +a\n".to_owned();
    for line in variables.lines() {
        let (name, value) = line.trim().split_once(": ").unwrap();
        script += &format!("export {name}='{value}'\n");
    }
    script + commands + "\n"
}

#[test]
fn the_seed_data_work() {
    let [addition] = blocks("seed data").try_into().unwrap();
    let emulator = Emulator::start(Options {
        seed_data: Some(format!("{SEED_DATA}\n{addition}")),
        tls: true,
        ..Options::default()
    })
    .unwrap();
    let world = World::registered_as(&emulator, "device-code", "my-app")
        .env("AZURE_USERNAME", "pat@contoso.com")
        .env("AZURE_PASSWORD", "Parrot#9001")
        .arg("web-app");
    if let Some(outcome) = clients::run(&emulator, world, "with_msal.py") {
        assert_eq!(outcome.json()["displayName"], "Pat Parrot");
    }
}

#[test]
fn the_command_sets_a_fault() {
    let emulator = Emulator::start(Options::default()).unwrap();
    let page = page();
    let (_, rest) = page.split_once("$ curl").unwrap();
    let command = format!("curl --fail --silent{}", rest.lines().next().unwrap());
    let command = command.replace("http://127.0.0.1:8443", emulator.url());
    let script = format!(
        "{command} > /dev/null; curl --silent --output /dev/null --write-out '%{{http_code}} %header{{retry-after}}' {}/v1.0/me",
        emulator.url()
    );
    let outcome = Running::start(
        World::empty("device-code").command_of("sh", &["-ec", &script]),
        b"",
    )
    .wait();
    assert_eq!(outcome.stdout, "429 3", "{outcome:#?}");
}

/// `BLESS=1 cargo test` writes the list anew.
#[test]
fn the_list_of_faults_is_the_emulator_s() {
    let page = page();
    let (before, rest) = page.split_once("<!-- faults -->\n").unwrap();
    let (_, after) = rest.split_once("\n## ").unwrap();
    let shown = format!(
        "{before}<!-- faults -->\n{}\n## {after}",
        faults_in_markdown()
    );
    if shown != page && env::var_os("BLESS").is_some() {
        fs::write(workspace().join("emulator/README.md"), shown).unwrap();
    } else {
        assert!(
            shown == page,
            "BLESS=1 cargo test brings emulator/README.md up to date"
        );
    }
}

fn faults_in_markdown() -> String {
    let code = |names: Vec<&str>| format!("`{}`", names.join("`, `"));
    let mut special: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (endpoint, name, _) in openid::FAULTS {
        special.entry(endpoint).or_default().push(name);
    }
    let mut text = "| endpoint | faults |\n|---|---|\n".to_owned();
    let endpoints = faults::ENDPOINTS.iter().map(|(name, _)| *name).collect();
    let all = FAULTS.iter().map(|(name, _)| *name).collect();
    text += &format!("| {} | {} |\n", code(endpoints), code(all));
    for (endpoint, names) in special {
        text += &format!("| `{endpoint}` | {} |\n", code(names));
    }
    text
}

/// Whoever adds a client says so.
#[test]
fn the_page_on_differences_names_every_client() {
    let page = fs::read_to_string(workspace().join("docs/emulator.md")).unwrap();
    let scripts = workspace().join("emulator/tests/clients");
    for folder in ["python", "node"] {
        for entry in fs::read_dir(scripts.join(folder)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let is_client = name.starts_with("with_");
            assert!(
                !is_client || page.contains(&format!("{folder}/{name})")),
                "{name}"
            );
        }
    }
}
