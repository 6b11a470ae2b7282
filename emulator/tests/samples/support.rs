//! What the tests share: a sample's binary, the world that it runs in, and what came of it.

use std::{
    collections::BTreeMap,
    env,
    ffi::OsString,
    fmt::Debug,
    fs,
    io::{Read, Write},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, OnceLock},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use emulator::{Emulator, Options};
use serde_json::Value;
use tempfile::TempDir;

/// The user of the seeds.
pub const EMPLOYEE: &str = "contoso_employee@contoso.com";
pub const EMPLOYEE_PASSWORD: &str = "Worker#1001";

/// The console samples, all of which keep the contract.
pub const SAMPLES: [&str; 3] = ["device-code", "client-credentials", "username-password"];

/// Longer than anything here takes, even on a busy machine. A test that waits for less will fail on one some day.
pub const PATIENCE: Duration = Duration::from_secs(300);

/// The binary of a sample. `cargo test` builds none of a package without integration tests, so they are built here,
/// once, with the profile of this test; and with the features that all packages need together, as the crates that
/// they depend on have been built for this test already.
pub fn binary(sample: &str) -> PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        let workspace = workspace();
        for sample in SAMPLES.into_iter().chain(["flask-equivalent-web"]) {
            let env = workspace.join(sample).join(".env");
            assert!(
                !env.exists(),
                "the samples would read {}: move it away for the tests",
                env.display()
            );
        }
        let folder = Path::new(env!("CARGO_BIN_EXE_emulator")).parent().unwrap();
        let mut cargo = Command::new(cargo());
        cargo
            .args(["build", "--quiet", "--workspace", "--target-dir"])
            .arg(folder.parent().unwrap())
            .args(["--profile", profile()]);
        without_outer_cargo(&mut cargo);
        assert!(cargo.current_dir(workspace).status().unwrap().success());
        folder.to_owned()
    });
    folder
        .join(sample)
        .with_extension(env::consts::EXE_EXTENSION)
}

/// `emulator exec`. It builds nothing: a sample alone needs fewer features than all together, so that each build would
/// replace what other tests run, and wait for theirs.
pub fn exec_command(args: &[&str]) -> Command {
    binary("emulator");
    let mut command = Command::new(env!("CARGO_BIN_EXE_emulator"));
    command
        .arg("exec")
        .args(args)
        .env("CARGO", "true")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// The cargo that runs this test.
pub fn cargo() -> OsString {
    env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// The profile of this test, by the name that cargo takes.
pub fn profile() -> &'static str {
    let folder = Path::new(env!("CARGO_BIN_EXE_emulator")).parent().unwrap();
    match folder.file_name().unwrap().to_str().unwrap() {
        "debug" => "dev",
        other => other,
    }
}

/// For a command that builds something: what the outer cargo says of this package would have dependencies with build
/// scripts built anew, each time.
pub fn without_outer_cargo(command: &mut Command) {
    for name in env::vars().map(|(name, _)| name) {
        if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") {
            command.env_remove(name);
        }
    }
}

/// The folder of the workspace.
pub fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// An emulator at which Contoso Employee signs in to each device code after its first poll, one second after it began.
pub fn emulator() -> Emulator {
    Emulator::start(Options {
        auto_sign_in: Some(EMPLOYEE.into()),
        device_code_interval: Some(1),
        ..Options::default()
    })
    .unwrap()
}

/// A sample and the world that it runs in. It may run there more than once.
pub struct World {
    sample: &'static str,
    home: TempDir,
    env: BTreeMap<String, String>,
    args: Vec<String>,
    stdin: Vec<u8>,
}

impl World {
    /// An empty world: no settings, an empty home, an empty working directory.
    pub fn empty(sample: &'static str) -> Self {
        let home = TempDir::new().unwrap();
        fs::create_dir(home.path().join("work")).unwrap();
        Self {
            sample,
            home,
            env: BTreeMap::new(),
            args: Vec::new(),
            stdin: Vec::new(),
        }
    }

    /// A world with the settings in its environment that the emulator has for the sample.
    pub fn at(emulator: &Emulator, sample: &'static str) -> Self {
        Self::registered_as(emulator, sample, sample)
    }

    /// The same with the settings of another app registration in the seed data.
    pub fn registered_as(emulator: &Emulator, sample: &'static str, application: &str) -> Self {
        let mut world = Self::empty(sample);
        world.env = emulator
            .settings(application)
            .unwrap()
            .into_iter()
            .collect();
        world
    }

    pub fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.env.insert(name.into(), value.into());
        self
    }

    pub fn without(mut self, name: &str) -> Self {
        self.env.remove(name);
        self
    }

    pub fn arg(mut self, arg: impl Into<String>) -> Self {
        self.args.push(arg.into());
        self
    }

    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = bytes.into();
        self
    }

    /// A setting of the environment.
    pub fn setting(&self, name: &str) -> String {
        self.env[name].clone()
    }

    /// Writes a file into the working directory.
    pub fn file(self, name: &str, content: impl AsRef<[u8]>) -> Self {
        fs::write(self.work().join(name), content).unwrap();
        self
    }

    /// The working directory.
    pub fn work(&self) -> PathBuf {
        self.home.path().join("work")
    }

    /// The token cache's folder and file.
    pub fn cache_folder(&self) -> PathBuf {
        self.home.path().join("cache/entra-samples-rust")
    }

    pub fn cache_file(&self) -> PathBuf {
        self.cache_folder().join("token_cache.json")
    }

    /// The command, for a test that starts it in a way of its own.
    pub fn command(&self) -> Command {
        self.command_of(binary(self.sample).as_os_str().to_str().unwrap(), &[])
    }

    /// Another program (a shell, say) in this world, with the sample's arguments after its own.
    pub fn command_of(&self, program: &str, args: &[&str]) -> Command {
        let mut command = Command::new(program);
        command
            .args(args)
            .args(&self.args)
            .env_clear()
            .env("HOME", self.home.path())
            .env("XDG_CACHE_HOME", self.home.path().join("cache"))
            .env("PATH", env::var_os("PATH").unwrap_or_default())
            .envs(&self.env)
            .current_dir(self.work())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Starts the sample.
    pub fn start(&self) -> Running {
        Running::start(self.command(), &self.stdin)
    }

    /// Runs the sample to its end.
    pub fn run(&self) -> Outcome {
        self.start().wait()
    }

    /// Runs the sample to its end, for this once with a change to its command.
    pub fn run_with(&self, change: impl FnOnce(&mut Command)) -> Outcome {
        let mut command = self.command();
        change(&mut command);
        Running::start(command, &self.stdin).wait()
    }

    /// Runs the sample to its end from a shell script, in which `"$@"` stands for the sample and its arguments.
    pub fn run_in_shell(&self, script: &str) -> Outcome {
        let sample = binary(self.sample);
        let command = self.command_of("sh", &["-c", script, "sh", sample.to_str().unwrap()]);
        Running::start(command, &self.stdin).wait()
    }
}

/// A sample on its way.
pub struct Running {
    child: Child,
    started: Instant,
    stdout: Option<Pipe>,
    stderr: Option<Pipe>,
}

impl Running {
    pub fn start(mut command: Command, stdin: &[u8]) -> Self {
        let started = Instant::now();
        let mut child = command.spawn().unwrap();
        // A sample that does not read closes the pipe, which is fine.
        if let Some(mut pipe) = child.stdin.take() {
            let _ = pipe.write_all(stdin);
        }
        let stdout = child.stdout.take().map(Pipe::read);
        let stderr = child.stderr.take().map(Pipe::read);
        Self {
            child,
            started,
            stdout,
            stderr,
        }
    }

    /// Sends a signal by its number.
    pub fn signal(&self, signal: &str) {
        let sent = Command::new("kill")
            .arg(format!("-{signal}"))
            .arg(self.child.id().to_string())
            .status()
            .unwrap();
        assert!(sent.success());
    }

    pub fn wait(mut self) -> Outcome {
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            if self.started.elapsed() > PATIENCE {
                let _ = self.child.kill();
                panic!("the sample does not end");
            }
            thread::sleep(Duration::from_millis(5));
        };
        let text = |pipe: Option<Pipe>| {
            String::from_utf8(pipe.map(Pipe::read_to_its_end).unwrap_or_default()).unwrap()
        };
        Outcome {
            status,
            stdout: text(self.stdout.take()),
            stderr: text(self.stderr.take()),
            elapsed: self.started.elapsed(),
        }
    }

    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// What has come on stdout so far.
    pub fn stdout(&self) -> String {
        self.stdout.as_ref().unwrap().so_far()
    }

    /// What has come on stderr so far.
    pub fn stderr(&self) -> String {
        self.stderr.as_ref().unwrap().so_far()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A pipe from the sample, read as it comes.
struct Pipe {
    bytes: Arc<Mutex<Vec<u8>>>,
    thread: JoinHandle<()>,
}

impl Pipe {
    fn read(mut pipe: impl Read + Send + 'static) -> Self {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let shared = bytes.clone();
        let thread = thread::spawn(move || {
            let mut piece = [0; 8192];
            while let Ok(length @ 1..) = pipe.read(&mut piece) {
                shared.lock().unwrap().extend_from_slice(&piece[..length]);
            }
        });
        Self { bytes, thread }
    }

    fn so_far(&self) -> String {
        String::from_utf8_lossy(&self.bytes.lock().unwrap()).into_owned()
    }

    fn read_to_its_end(self) -> Vec<u8> {
        self.thread.join().unwrap();
        std::mem::take(&mut self.bytes.lock().unwrap())
    }
}

/// What came of a run.
#[derive(Debug)]
pub struct Outcome {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
    pub elapsed: Duration,
}

impl Outcome {
    /// Exit status 0; the JSON on stdout.
    #[track_caller]
    pub fn json(&self) -> Value {
        assert_eq!(self.status.code(), Some(0), "{self:#?}");
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }

    /// This exit status, an empty stdout, and each of these texts on stderr.
    #[track_caller]
    pub fn fails(&self, status: i32, said: &[&str]) -> &Self {
        assert_eq!(self.status.code(), Some(status), "{self:#?}");
        assert_eq!(self.stdout, "", "{self:#?}");
        self.says(said)
    }

    /// Each of these texts on stderr.
    #[track_caller]
    pub fn says(&self, said: &[&str]) -> &Self {
        for text in said {
            assert!(
                self.stderr.contains(text),
                "\"{text}\" is missing: {self:#?}"
            );
        }
        self
    }

    /// This text exactly so many times on stderr.
    #[track_caller]
    pub fn says_times(&self, times: usize, text: &str) -> &Self {
        let found = self.stderr.matches(text).count();
        assert_eq!(found, times, "\"{text}\": {self:#?}");
        self
    }
}

/// Waits for what must come in the end.
#[track_caller]
pub fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(started.elapsed() < PATIENCE, "still missing: {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// Tries all rows of a table at the same time, each on a thread that goes by the name of its row: most of what a
/// sample does is waiting.
pub fn side_by_side<T: Debug + Sync>(rows: &[T], test: impl Fn(&T) + Sync) {
    thread::scope(|scope| {
        let test = &test;
        for row in rows {
            let thread = thread::Builder::new().name(format!("{row:?}"));
            thread.spawn_scoped(scope, move || test(row)).unwrap();
        }
    });
}
