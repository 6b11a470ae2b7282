//! Row X2: a sample that is copied as `docs/use-as-a-template.md` says, under a name of its own, builds and signs in; the
//! page's own commands are run. And CT2, for which a crate is needed whose folder a test may put an `.env` into.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    sync::{Mutex, MutexGuard, PoisonError},
};

use emulator::Emulator;
use tempfile::TempDir;

use crate::registration::WebRun;
use crate::support::{
    Outcome, Running, SAMPLES, World, binary, cargo, emulator, side_by_side, until,
    without_outer_cargo, workspace,
};

/// The reader's name for it.
const NAME: &str = "my-app";
/// The project's address on the page, for which a repository of this machine stands in.
const REPOSITORY: &str = "https://github.com/<owner>/<repository>";
/// The crate on the page, for which there may be another one.
const CRATE: &str = "device-code";
const WEB: &str = "flask-equivalent-web";

/// The one that takes longest is the first to be built.
const CRATES: [&str; 4] = [WEB, SAMPLES[0], SAMPLES[1], SAMPLES[2]];

/// The commands in the block of this name, one after another.
fn commands(block: &str) -> Vec<String> {
    let page = fs::read_to_string(workspace().join("docs/use-as-a-template.md")).unwrap();
    let marker = format!("<!-- run: {block} -->\n```console\n");
    let (_, rest) = page.split_once(&marker).expect("the block");
    let (block, _) = rest.split_once("```").unwrap();
    let commands = block.lines().map(|line| line.strip_prefix("$ "));
    commands
        .map(|line| line.expect("a command").to_owned())
        .collect()
}

/// The files of `common` that a crate can do without, as the page has them.
fn not_needed(sample: &str) -> Vec<String> {
    let page = fs::read_to_string(workspace().join("docs/use-as-a-template.md")).unwrap();
    let row = page
        .lines()
        .find_map(|line| line.strip_prefix(&format!("| `{sample}` | ")));
    let files = row.expect("the crate's row").split('`').skip(1).step_by(2);
    files.map(str::to_owned).collect()
}

/// The workspace as somebody would clone it, in a repository of its own.
struct Repository(TempDir);

impl Repository {
    fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("clone-").tempdir().unwrap();
        for entry in fs::read_dir(workspace()).unwrap() {
            let from = entry.unwrap().path();
            let name = from.file_name().unwrap();
            if name != "target" && name != ".git" {
                copy_all(&from, &folder.path().join(name));
            }
        }
        let author = ["-c", "user.name=test", "-c", "user.email=test@localhost"];
        for args in [
            &["init", "--quiet"][..],
            &["add", "--all"],
            &[&author[..], &["commit", "--quiet", "--message", "all"]].concat(),
        ] {
            let mut git = Command::new("git");
            git.args(args)
                .current_dir(folder.path())
                .env("GIT_CONFIG_GLOBAL", "/dev/null");
            let done = git.output().unwrap();
            assert!(done.status.success(), "{done:#?}");
        }
        Self(folder)
    }

    fn url(&self) -> String {
        format!("file://{}", self.0.path().display())
    }

    /// The name by which Cargo keeps it.
    fn name(&self) -> &str {
        self.0.path().file_name().unwrap().to_str().unwrap()
    }
}

impl Drop for Repository {
    /// Takes it out of Cargo's cache of repositories, and what was built of copies, which have another path in the next
    /// run, out of the target folder.
    fn drop(&mut self) {
        let _one_at_a_time = one_at_a_time();
        for folder in ["deps", ".fingerprint"] {
            let entries = fs::read_dir(Path::new(TARGET).join("debug").join(folder));
            for entry in entries.into_iter().flatten().flatten() {
                let name = entry.file_name();
                let name = name.to_string_lossy();
                let name = name.strip_prefix("lib").unwrap_or(&name);
                if ["my-app-", "my_app-", "common-"]
                    .iter()
                    .any(|own| name.starts_with(own))
                {
                    let path = entry.path();
                    let _ = fs::remove_file(&path).or_else(|_| fs::remove_dir_all(&path));
                }
            }
        }
        let home = env::var_os("CARGO_HOME").map(PathBuf::from);
        let home = home.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cargo")));
        for cache in ["git/db", "git/checkouts"] {
            let kept = home.as_ref().map(|home| fs::read_dir(home.join(cache)));
            for entry in kept.into_iter().flatten().flatten().flatten() {
                if entry.file_name().to_string_lossy().starts_with(self.name()) {
                    let _ = fs::remove_dir_all(entry.path());
                }
            }
        }
    }
}

/// The target folder of all copies, where the crates of others stay built. It is not the workspace's, for which other
/// tests would have to wait.
const TARGET: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/copies");

/// All copies have one name there, so that one is built after another.
fn one_at_a_time() -> MutexGuard<'static, ()> {
    static BUILDS: Mutex<()> = Mutex::new(());
    BUILDS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A sample where a reader has copied it to.
struct Copy {
    folder: TempDir,
    sample: &'static str,
    /// The crate's folder in it.
    crate_folder: PathBuf,
}

impl Copy {
    /// Runs the page's commands in an empty folder, up to the one that needs a tenant or builds the copy.
    fn of(sample: &'static str, block: &str, repository: &Repository) -> Self {
        let folder = TempDir::new().unwrap();
        let mut script = String::from(
            // The emulator and the samples are built already, and a page is not read here. A signed-in `az` is another test's matter.
            "cargo() { [ \"$1 $2 $3\" = 'run -p emulator' ] && shift 4 && \"$EMULATOR\" \"$@\" > run.json; }\nless() { test -s \"$1\"; }\n",
        );
        for command in commands(block) {
            if command.starts_with("az ") || command == "cargo build" {
                break;
            }
            let command = command.replace(REPOSITORY, &repository.url());
            let command = command.replace(CRATE, sample);
            // The web sample would serve until it is stopped; that it runs at the emulator is tested elsewhere.
            if !(sample == WEB && command.contains("exec")) {
                script += &format!("{command}\n");
            }
        }
        script += "pwd\n";
        let mut bash = Command::new("bash");
        bash.args(["-euo", "pipefail", "-c", &script])
            .current_dir(folder.path())
            .env("EMULATOR", binary("emulator"))
            .env("CARGO", "true");
        let done = bash.output().unwrap();
        assert!(
            done.status.success(),
            "{script}\n{}",
            String::from_utf8_lossy(&done.stderr)
        );
        let crate_folder = String::from_utf8(done.stdout).unwrap();
        let copy = Self {
            folder,
            sample,
            crate_folder: PathBuf::from(crate_folder.trim_end()),
        };
        let manifest = fs::read_to_string(copy.crate_folder.join("Cargo.toml")).unwrap();
        assert!(
            manifest.contains(&format!("\nname = \"{NAME}\"\n")),
            "{manifest}"
        );
        // The versions that are on this machine.
        fs::copy(
            workspace().join("Cargo.lock"),
            copy.crate_folder.join("Cargo.lock"),
        )
        .unwrap();
        copy
    }

    /// Deletes what the page says is not needed for this flow.
    fn delete_what_is_not_needed(&self) {
        let source = self.crate_folder.join("../common/src");
        let mut library = fs::read_to_string(source.join("lib.rs")).unwrap();
        for file in not_needed(self.sample) {
            fs::remove_file(source.join(&file)).unwrap();
            let module = file.strip_suffix(".rs").unwrap();
            let folder = source.join(module);
            if folder.exists() {
                fs::remove_dir_all(folder).unwrap();
            }
            library = library.replace(&format!("#[cfg(test)]\nmod {module};\n"), "");
            library = library.replace(&format!("pub mod {module};\n"), "");
            assert!(!library.contains(&format!("mod {module};")));
        }
        fs::write(source.join("lib.rs"), library).unwrap();
    }

    /// Builds the crate and takes its binary away from where the next one will be.
    fn build(&self, block: &str) -> PathBuf {
        let mut cargo = Command::new(cargo());
        cargo
            .args(["build", "--quiet", "--target-dir", TARGET])
            // What takes its time, but does not matter here.
            .env("CARGO_INCREMENTAL", "0")
            .env("CARGO_PROFILE_DEV_DEBUG", "0")
            // Offline would refuse a repository of this machine as well. So: no registry is reached, nor asked twice.
            .env("CARGO_HTTP_PROXY", "http://127.0.0.1:9")
            .env("CARGO_NET_RETRY", "0")
            .current_dir(&self.crate_folder);
        without_outer_cargo(&mut cargo);
        let _one_at_a_time = one_at_a_time();
        let output = cargo.output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{errors}");
        let target = Path::new(TARGET);
        let binary = target.join(format!("{} {block}", self.sample));
        fs::rename(target.join("debug").join(NAME), &binary).unwrap();
        binary
    }

    /// The copied program signs in at the emulator, with everything in an `.env` of its own folder.
    fn signs_in(&self, binary: &Path, emulator: &Emulator) {
        let settings = emulator.settings(self.sample).unwrap();
        let own = self.crate_folder.join(".env");
        if self.sample == WEB {
            let settings: Vec<_> = settings
                .into_iter()
                .filter(|(name, _)| name != "REDIRECT_URI")
                .collect();
            fs::write(&own, dot_env(&settings, |_| true)).unwrap();
            let world = World::empty(WEB);
            let command = world.command_of(binary.to_str().unwrap(), &[]);
            WebRun::start(command).signs_in(emulator);
            return;
        }
        fs::write(&own, dot_env(&settings, |_| true)).unwrap();
        let world = World::empty(self.sample);
        run(binary, &world, &self.crate_folder).json();
        run(binary, &world, &world.work()).json();
    }
}

fn copy_all(from: &Path, to: &Path) {
    if !from.is_dir() {
        fs::copy(from, to).unwrap();
        return;
    }
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let from = entry.unwrap().path();
        copy_all(&from, &to.join(from.file_name().unwrap()));
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
    let repository = Repository::new();
    side_by_side(&CRATES, |&sample| {
        let copy = Copy::of(sample, "by path", &repository);
        copy.delete_what_is_not_needed();
        let binary = copy.build("by path");
        let emulator = emulator();
        copy.signs_in(&binary, &emulator);
        if sample == CRATE {
            runs_at_the_emulator(&copy, &binary);
        }
        match sample {
            WEB => ct2_of_the_web_sample(&copy, &binary, &emulator),
            _ => ct2_both_folders(&copy, &binary, &emulator),
        }
    });
}

#[test]
fn x2_a_copied_sample_builds_with_common_from_git() {
    let repository = Repository::new();
    side_by_side(&CRATES, |&sample| {
        let copy = Copy::of(sample, "by git", &repository);
        copy.signs_in(&copy.build("by git"), &emulator());
    });
}

/// The page's command for a copy without a tenant; the program is built already.
fn runs_at_the_emulator(copy: &Copy, binary: &Path) {
    let commands = commands("emulator");
    let [command] = commands.as_slice() else {
        panic!("one command: {commands:?}")
    };
    let built = "cargo run --manifest-path ../samples/Cargo.toml -p emulator -- ";
    let words = command
        .strip_prefix(built)
        .expect("the emulator of the clone");
    let words = words
        .strip_suffix("cargo run")
        .expect("the copy at its end");
    let mut exec = Command::new(env!("CARGO_BIN_EXE_emulator"));
    exec.args(words.split_whitespace()).arg(binary);
    // Where nobody has an .env.
    let output = exec.current_dir(copy.folder.path()).output().unwrap();
    assert!(output.status.success(), "{output:#?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("Contoso Employee"));
}

/// The newcomer's path, counted where it stands.
#[test]
fn ten_commands_are_enough() {
    let commands = commands("by path");
    assert!(commands.len() <= 10, "{commands:#?}");
    let hidden = |command: &String| command.contains(" && ") || command.contains("; ");
    assert!(!commands.iter().any(hidden), "{commands:#?}");
    for needed in [
        "git clone",
        "exec device-code",
        "src/main.rs",
        "cp -r",
        "> .env",
        "cargo run",
    ] {
        assert!(
            commands.iter().any(|command| command.contains(needed)),
            "{needed}"
        );
    }
}

/// CT2: `.env` of the crate's folder and of the working directory, both read, the former stronger; none of a parent's.
fn ct2_both_folders(copy: &Copy, binary: &Path, emulator: &Emulator) {
    let settings = emulator.settings(copy.sample).unwrap();
    let own = copy.crate_folder.join(".env");
    let above = copy.crate_folder.join("../.env");
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

/// The same for the web sample, by what it says once it listens.
fn ct2_of_the_web_sample(copy: &Copy, binary: &Path, emulator: &Emulator) {
    let settings = emulator.settings(WEB).unwrap();
    let own = copy.crate_folder.join(".env");
    let world = World::empty(WEB).file(".env", dot_env(&settings, |_| true));
    // At whichever port, since tests run side by side.
    let started = || {
        let command = world.command_of(binary.to_str().unwrap(), &["--port", "0"]);
        let app = Running::start(command, &[]);
        until("the app listens", || {
            app.stderr().contains("Open ").then_some(())
        });
        app.stderr()
    };
    fs::remove_file(&own).unwrap();
    let said = started();
    assert!(!said.contains("Almost there"), "{said}");
    fs::write(&own, "CLIENT_ID=your_client_id\n").unwrap();
    let said = started();
    let place = format!("CLIENT_ID (from {}) is still a placeholder", own.display());
    assert!(said.contains(&place), "{said}");
    fs::write(&own, "SESSION_STORE=memory\n").unwrap();
    let place = format!("SESSION_STORE (from {}) is no redis://", own.display());
    run(binary, &world, &world.work()).fails(2, &[&place]);
}
