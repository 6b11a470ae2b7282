//! The samples against curl, side by side in one run: `cargo bench -p emulator --bench against_curl`; with `BLESS=1` its
//! tables go into docs/performance.md.
//!
//! Each row runs a sample's release binary and curl with the same requests in turn, and prints the ratio of the medians;
//! below 1 the sample is the faster, or the smaller. The emulator runs in this process, so its work counts for neither.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod report;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Instant,
};

use emulator::{Emulator, Options};
use tempfile::TempDir;
use wait4::Wait4;

const EMPLOYEE: &str = "contoso_employee@contoso.com";
const RUNS: usize = 31;
/// With this argument, this program runs another one and prints what that costs.
const MEASURE: &str = "measure";

fn main() {
    let mut args = std::env::args_os().skip(1);
    if args.next().is_some_and(|arg| arg == MEASURE) {
        return run(Command::new(args.next().unwrap()).args(args));
    }
    // `cargo test --benches` and the like only want to know that it builds.
    if !std::env::args().any(|arg| arg == "--bench") {
        return;
    }
    build();
    let benches = [("http", Bench::new(false)), ("TLS", Bench::new(true))];
    report::publish("against_curl", |table, label| match table {
        0 => {
            let words: Vec<_> = label.split(", ").collect();
            let (_, bench) = benches.iter().find(|(name, _)| *name == words[2]).unwrap();
            bench.compare(words[0], words[1])
        }
        1 => certificate(label),
        2 => listing(label),
        _ => size(label),
    });
}

fn size(sample: &str) -> Vec<String> {
    let size = binary(sample).metadata().unwrap().len() as f64 / 1e6;
    let source = fs::read_to_string(workspace().join(sample).join("src/main.rs")).unwrap();
    vec![format!("{size:.1} MB"), source.lines().count().to_string()]
}

/// An emulator with every sample signed in, and what curl needs to do the same.
struct Bench {
    emulator: Emulator,
    home: TempDir,
}

impl Bench {
    fn new(tls: bool) -> Self {
        let home = TempDir::new().unwrap();
        let emulator = Emulator::start(Options {
            tls,
            ca_file: Some(home.path().join("ca.pem")),
            auto_sign_in: Some(EMPLOYEE.into()),
            device_code_interval: Some(1),
            ..Options::default()
        })
        .unwrap();
        // The emulator's CA among the system's roots, as a corporate one would be.
        let mut roots = fs::read("/etc/ssl/certs/ca-certificates.crt").unwrap_or_default();
        roots.extend(emulator.ca_pem().unwrap_or_default().bytes());
        fs::write(home.path().join("roots.pem"), roots).unwrap();
        Self { emulator, home }
    }

    fn setting(&self, sample: &str, name: &str) -> String {
        let settings = self.emulator.settings(sample).unwrap();
        settings
            .into_iter()
            .find(|(setting, _)| setting == name)
            .unwrap()
            .1
    }

    fn command(&self, program: impl AsRef<std::ffi::OsStr>, sample: &str) -> Command {
        let roots = self.home.path().join("roots.pem");
        let mut command = to_measure(program);
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.home.path())
            .env("XDG_CACHE_HOME", self.home.path().join(sample))
            .env("SSL_CERT_FILE", &roots)
            .env("CURL_CA_BUNDLE", &roots)
            .envs(self.emulator.settings(sample).unwrap())
            .current_dir(self.home.path());
        command
    }

    /// curl with the requests of a cold or a cached run, all in one process and over one connection.
    fn curl(&self, sample: &str, cold: bool) -> Command {
        let mut curl = self.command("curl", sample);
        curl.args(["--silent", "--fail"]);
        let authority = self.setting(sample, "AUTHORITY");
        let token_url = format!("{authority}/oauth2/v2.0/token");
        let client_id = self.setting(sample, "CLIENT_ID");
        if cold && sample == "client-credentials" {
            curl.args([
                "--data-urlencode",
                &format!("client_secret={}", self.setting(sample, "CLIENT_SECRET")),
            ]);
            curl.args([
                "--data",
                "grant_type=client_credentials&scope=https%3A%2F%2Fgraph.microsoft.com%2F.default",
            ]);
            curl.args([
                "--data",
                &format!("client_id={client_id}"),
                &token_url,
                "--next",
                "--silent",
                "--fail",
            ]);
        } else if cold {
            curl.arg(format!(
                "{}/common/userrealm/{EMPLOYEE}?api-version=1.0",
                self.emulator.url()
            ));
            curl.args(["--next", "--silent", "--fail"]);
            curl.args([
                "--data",
                "grant_type=password&scope=openid+profile+offline_access+User.Read",
            ]);
            curl.args(["--data-urlencode", &format!("username={EMPLOYEE}")]);
            curl.args([
                "--data-urlencode",
                &format!("password={}", self.setting(sample, "AZURE_PASSWORD")),
            ]);
            curl.args([
                "--data",
                &format!("client_id={client_id}"),
                &token_url,
                "--next",
                "--silent",
                "--fail",
            ]);
        }
        let token = match sample {
            "client-credentials" => self.emulator.application_token(sample).unwrap(),
            _ => self
                .emulator
                .user_token(EMPLOYEE, sample, "User.Read")
                .unwrap(),
        };
        curl.args([
            "--header",
            &format!("Authorization: Bearer {token}"),
            &self.setting(sample, "ENDPOINT"),
        ]);
        curl
    }

    fn compare(&self, sample: &str, run: &str) -> Vec<String> {
        let ours = || {
            let mut command = self.command(binary(sample), sample);
            if run == "cold" {
                command.arg("--no-cache");
            }
            command
        };
        let curl = || self.curl(sample, run == "cold");
        // The first run of each fills the token cache and the system's own.
        measure(ours());
        measure(curl());
        self.emulator.clear_requests();
        measure(ours());
        let requests = self.emulator.requests();
        let mut connections: Vec<_> = requests.iter().map(|request| request.connection).collect();
        connections.dedup();

        let (mut a, mut b) = (Vec::new(), Vec::new());
        for _ in 0..RUNS {
            a.push(measure(ours()));
            b.push(measure(curl()));
        }
        let (a, b) = (Cost::median(&a), Cost::median(&b));
        vec![
            requests.len().to_string(),
            connections.len().to_string(),
            format!("{:.2}", a.wall / b.wall),
            format!("{:.2}", a.cpu / b.cpu),
            format!("{:.2}", a.memory / b.memory),
            format!("{:.1} ms", a.wall * 1e3),
            format!("{:.1} ms", a.cpu * 1e3),
            format!("{:.1} MiB", a.memory),
        ]
    }
}

/// What one run of a program costs: seconds, and MiB at the peak.
#[derive(Clone, Copy)]
struct Cost {
    wall: f64,
    cpu: f64,
    memory: f64,
}

impl Cost {
    fn median(costs: &[Self]) -> Self {
        let median = |of: fn(&Self) -> f64| {
            let mut values: Vec<_> = costs.iter().map(of).collect();
            values.sort_by(f64::total_cmp);
            values[values.len() / 2]
        };
        Self {
            wall: median(|cost| cost.wall),
            cpu: median(|cost| cost.cpu),
            memory: median(|cost| cost.memory),
        }
    }
}

/// A command that is started by a process of its own, since Linux counts the memory of whoever starts a program as the
/// program's, and the emulator is in this process.
fn to_measure(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.arg(MEASURE).arg(program);
    command
}

fn measure(mut command: Command) -> Cost {
    let output = command.stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success(), "{command:?}");
    let output = String::from_utf8(output.stdout).unwrap();
    let figures: Vec<f64> = output
        .split_whitespace()
        .map(|figure| figure.parse().unwrap())
        .collect();
    Cost {
        wall: figures[0],
        cpu: figures[1],
        memory: figures[2],
    }
}

/// Runs a program and prints what it costs, in the order of [`Cost`].
fn run(command: &mut Command) {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let start = Instant::now();
    let used = command.spawn().expect("curl is installed").wait4().unwrap();
    assert!(used.status.success(), "{command:?}");
    let wall = start.elapsed().as_secs_f64();
    let cpu = (used.rusage.utime + used.rusage.stime).as_secs_f64();
    let memory = used.rusage.maxrss as f64 / f64::from(1 << 20);
    println!("{wall} {cpu} {memory}");
}

/// What it costs to sign an assertion, beside sending a secret.
fn certificate(proof: &str) -> Vec<String> {
    let bench = Bench::new(false);
    let path = bench.home.path().join("app.pem");
    fs::write(&path, emulator::CLIENT_CERTIFICATE).unwrap();
    let sample = "client-credentials";
    let run = || {
        let mut command = bench.command(binary(sample), sample);
        command.arg("--no-cache");
        if proof == "certificate" {
            command
                .env_remove("CLIENT_SECRET")
                .env("CLIENT_CERTIFICATE", &path);
        }
        measure(command)
    };
    let costs: Vec<_> = (0..RUNS).map(|_| run()).collect();
    vec![format!("{:.1} ms", Cost::median(&costs).cpu * 1e3)]
}

/// `--all` over ever more users: the peak memory stays.
fn listing(users: &str) -> Vec<String> {
    let home = TempDir::new().unwrap();
    let emulator = Emulator::start(Options {
        generate: Some(users.parse().unwrap()),
        ..Options::default()
    })
    .unwrap();
    let mut command = to_measure(binary("username-password"));
    command
        .env_clear()
        .envs(emulator.settings("username-password").unwrap())
        .env("HOME", home.path())
        .env("SCOPE", "User.ReadBasic.All")
        .env("ENDPOINT", format!("{}/v1.0/users", emulator.url()))
        .args(["--all", "--no-cache"])
        .current_dir(home.path());
    let cost = measure(command);
    vec![
        format!("{:.1} MiB", cost.memory),
        format!("{:.2} s", cost.wall),
    ]
}

fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn binary(sample: &str) -> PathBuf {
    let emulator = Path::new(env!("CARGO_BIN_EXE_emulator"));
    emulator
        .with_file_name(sample)
        .with_extension(std::env::consts::EXE_EXTENSION)
}

fn build() {
    let target = binary("emulator")
        .parent()
        .unwrap()
        .parent()
        .unwrap()
        .to_owned();
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .args([
            "build",
            "--release",
            "--quiet",
            "--workspace",
            "--target-dir",
        ])
        .arg(target);
    assert!(cargo.current_dir(workspace()).status().unwrap().success());
}
