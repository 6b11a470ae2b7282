//! Row X2: a sample that is copied out together with `common`, under a name of its own, builds and runs. And CT2, for
//! which a crate is needed whose folder a test may put an `.env` into.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    sync::Mutex,
};

use emulator::Emulator;
use serde_json::Value;
use tempfile::TempDir;

use crate::support::{Outcome, Running, SAMPLES, World, emulator, until, workspace};

/// The reader's name for it.
const NAME: &str = "my-app";

/// A sample where a reader has copied it to.
struct Copy {
    folder: TempDir,
    sample: &'static str,
}

impl Copy {
    fn of(sample: &'static str) -> Self {
        let folder = TempDir::new().unwrap();
        for package in [sample, "common"] {
            copy_all(&workspace().join(package), &folder.path().join(package));
        }
        let copy = Self { folder, sample };
        // The first thing that a reader does; and the workspace's own binary is left alone by that.
        let manifest = copy.crate_folder().join("Cargo.toml");
        let text = fs::read_to_string(&manifest).unwrap();
        let name = format!("name = \"{sample}\"");
        assert!(text.contains(&name));
        let text = text.replacen(&name, &format!("name = \"{NAME}\""), 1);
        fs::write(&manifest, text).unwrap();
        // The versions that are on this machine.
        fs::copy(
            workspace().join("Cargo.lock"),
            copy.crate_folder().join("Cargo.lock"),
        )
        .unwrap();
        copy
    }

    fn crate_folder(&self) -> PathBuf {
        self.folder.path().join(self.sample)
    }

    /// Builds the crate and takes its binary. In the workspace's target folder the crates of others are ready, so that
    /// this takes seconds; what comes of the copied ones is removed from there.
    fn build(&self) -> PathBuf {
        // The copies share a name, and `common` has its own.
        static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
        let _turn = ONE_AT_A_TIME.lock().unwrap();
        let profile_folder = Path::new(env!("CARGO_BIN_EXE_emulator")).parent().unwrap();
        let profile = match profile_folder.file_name().unwrap().to_str().unwrap() {
            "debug" => "dev",
            other => other,
        };
        let target = profile_folder.parent().unwrap();
        let build = ["build", "--message-format", "json", "--profile", profile];
        let binary = self.folder.path().join("binary");
        for line in self.cargo(target, &build).lines() {
            let artifact: Value = serde_json::from_str(line).unwrap();
            let is_copied = artifact["manifest_path"]
                .as_str()
                .is_some_and(|path| Path::new(path).starts_with(self.folder.path()));
            if !is_copied || artifact["reason"] != "compiler-artifact" {
                continue;
            }
            if let Some(executable) = artifact["executable"].as_str() {
                fs::copy(executable, &binary).unwrap();
            }
            for file in artifact["filenames"].as_array().unwrap() {
                fs::remove_file(file.as_str().unwrap()).unwrap();
            }
        }
        self.cargo(target, &["clean", "--package", NAME]);
        binary
    }

    fn cargo(&self, target: &Path, args: &[&str]) -> String {
        let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo
            .args(args)
            .arg("--offline")
            .env("CARGO_TARGET_DIR", target)
            .env("CARGO_INCREMENTAL", "0")
            .current_dir(self.crate_folder());
        // What the outer cargo says of this package would have dependencies with build scripts built anew.
        for (name, _) in env::vars() {
            if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") {
                cargo.env_remove(name);
            }
        }
        let output = cargo.output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{errors}");
        String::from_utf8(output.stdout).unwrap()
    }
}

fn copy_all(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (from, to) = {
            let entry = entry.unwrap();
            (entry.path(), to.join(entry.file_name()))
        };
        match from.is_dir() {
            true => copy_all(&from, &to),
            false => drop(fs::copy(&from, &to).unwrap()),
        }
    }
}

/// Settings as lines of an `.env` file. Secrets of every kind keep their characters between single quotes.
fn dot_env(settings: &[(String, String)], filter: impl Fn(&str) -> bool) -> String {
    settings
        .iter()
        .filter(|(name, _)| filter(name))
        .map(|(name, value)| format!("{name}='{value}'\n"))
        .collect()
}

fn run(binary: &Path, world: &World, folder: &Path) -> Outcome {
    let mut command = world.command_of(binary.to_str().unwrap(), &[]);
    command.current_dir(folder);
    Running::start(command, &[]).wait()
}

#[test]
fn x2_a_copied_sample_builds_and_runs() {
    for sample in SAMPLES {
        let copy = Copy::of(sample);
        let binary = copy.build();
        let emulator = emulator();
        let settings = emulator.settings(sample).unwrap();
        let own = copy.crate_folder().join(".env");

        // As its README has it: everything in the crate's own folder, from wherever it is run.
        fs::write(&own, dot_env(&settings, |_| true)).unwrap();
        let world = World::empty(sample);
        run(&binary, &world, &copy.crate_folder()).json();
        run(&binary, &world, &world.work()).json();

        ct2_both_folders(&copy, &binary, &emulator);
    }
}

#[test]
fn x2_ct2_a_copied_web_sample_builds_and_runs() {
    let sample = "flask-equivalent-web";
    let copy = Copy::of(sample);
    let binary = copy.build();
    let emulator = emulator();
    let settings = emulator.settings(sample).unwrap();
    let own = copy.crate_folder().join(".env");
    let world = World::empty(sample).file(".env", dot_env(&settings, |_| true));
    // What it says once it listens; at whichever port, since tests run side by side.
    let started = || {
        let command = world.command_of(binary.to_str().unwrap(), &["--port", "0"]);
        let app = Running::start(command, &[]);
        until("the app listens", || {
            app.stderr().contains("Open ").then_some(())
        });
        app.stderr()
    };
    // The working directory's `.env` is enough; where both have a setting, that of the crate's folder counts.
    let said = started();
    assert!(!said.contains("Almost there"), "{said}");
    fs::write(&own, "CLIENT_ID=your_client_id\n").unwrap();
    let said = started();
    let place = format!("CLIENT_ID (from {}) is still a placeholder", own.display());
    assert!(said.contains(&place), "{said}");
    fs::write(&own, "SESSION_STORE=memory\n").unwrap();
    let place = format!("SESSION_STORE (from {}) is no redis://", own.display());
    run(&binary, &world, &world.work()).fails(2, &[&place]);
}

/// CT2: `.env` of the crate's folder and of the working directory, both read, the former stronger; none of a parent's.
fn ct2_both_folders(copy: &Copy, binary: &Path, emulator: &Emulator) {
    let settings = emulator.settings(copy.sample).unwrap();
    let own = copy.crate_folder().join(".env");
    let above = copy.folder.path().join(".env");
    fs::write(&own, dot_env(&settings, |name| name == "CLIENT_ID")).unwrap();
    // The parents' would fail the run: a blank value counts as set.
    fs::write(&above, "SCOPE=\"\"\n").unwrap();
    let unknown = "CLIENT_ID=00000000-0000-0000-0000-000000000001\n";
    let here = dot_env(&settings, |name| !["CLIENT_ID", "SCOPE"].contains(&name));
    let world = World::empty(copy.sample)
        .file(".env", format!("{unknown}{here}"))
        .file("../.env", "SCOPE=\"\"\n");
    run(binary, &world, &world.work()).json();

    // The stronger one is named, with its place.
    fs::write(&own, "CLIENT_ID=your_client_id\n").unwrap();
    let place = format!("CLIENT_ID (from {}) is still a placeholder", own.display());
    run(binary, &world, &world.work()).fails(2, &[&place]);

    // The working directory's alone is enough as well.
    fs::remove_file(&own).unwrap();
    let world = World::empty(copy.sample).file(".env", dot_env(&settings, |_| true));
    run(binary, &world, &world.work()).json();
}
