//! The command line: `serve`, `ca`, `token`, `users`, `faults`. What `exec` does has tests of its own.

use std::{
    fs,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

use serde_json::Value;
use tempfile::TempDir;

use super::client::claims;
use super::*;
use crate::support::{Outcome, Running};

fn command(args: &[&str], home: &TempDir) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_emulator"));
    command
        .args(args)
        .env("HOME", home.path())
        .env("XDG_DATA_HOME", home.path().join("data"))
        .env("XDG_STATE_HOME", home.path().join("state"))
        .env("XDG_CONFIG_HOME", home.path().join("config"))
        .stdin(Stdio::null());
    command
}

fn run(args: &[&str]) -> Outcome {
    run_in(&TempDir::new().unwrap(), args)
}

fn run_in(home: &TempDir, args: &[&str]) -> Outcome {
    let mut command = command(args, home);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    Running::start(command, b"").wait()
}

/// `emulator serve`, until it is dropped.
struct Serve {
    process: Child,
    greeting: Vec<String>,
}

impl Serve {
    fn start(args: &[&str]) -> Self {
        Self::start_in(&TempDir::new().unwrap(), args)
    }

    fn start_in(home: &TempDir, args: &[&str]) -> Self {
        let mut process = command(&["serve", "--listen", "127.0.0.1:0"], home)
            .args(args)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let mut greeting = Vec::new();
        for line in lines {
            greeting.push(line.unwrap());
            if greeting
                .last()
                .unwrap()
                .starts_with("CLIENT_SECRET='toy~Secret.web-redirect")
            {
                break;
            }
        }
        Self { process, greeting }
    }

    fn get(&self, path: &str) -> Value {
        Client::at(&self.greeting[0]).get(path).json()
    }
}

impl Drop for Serve {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn serve_says_where_it_is_first_and_then_the_settings() {
    let serve = Serve::start(&["--fault", "me:cut*2", "--clock-offset", "86400"]);
    let base = &serve.greeting[0];
    assert!(base.starts_with("http://127.0.0.1:"), "{base}");
    assert!(serve.greeting[1].contains("development tool"));
    let all = serve.greeting.join("\n");
    for line in [
        "# device-code\n",
        &format!("AUTHORITY='{base}/{CONTOSO}'\n"),
        "CLIENT_SECRET='toy~Secret.of-the_client~credentials+sample/%'\n",
        "AZURE_PASSWORD='Worker#1001'\n",
    ] {
        assert!(all.contains(line), "{line}: {all}");
    }
    assert_eq!(
        serve.get("/_emulator/faults"),
        serde_json::json!([{ "fault": "me:cut", "times": 2 }])
    );
}

/// Ctrl-C ends it, and so does what stops a container; as soon as it has said where it is.
#[test]
fn serve_ends_well() {
    for signal in ["-INT", "-TERM"] {
        let mut serve = Serve::start(&[]);
        let id = serve.process.id().to_string();
        let kill = Command::new("kill").args([signal, &id]).status().unwrap();
        assert!(kill.success());
        assert_eq!(serve.process.wait().unwrap().code(), Some(0), "{signal}");
    }
}

#[test]
fn serve_speaks_tls_with_the_ca_that_ca_writes() {
    let home = TempDir::new().unwrap();
    let file = home.path().join("ca.crt");
    let ca = |out: &str| {
        let output = run_in(&home, &["ca", "--out", out]);
        assert!(output.status.success());
        output.stdout
    };
    let shown = ca(file.to_str().unwrap());
    for name in ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"] {
        assert!(
            shown.contains(&format!("export {name}='{}'\n", file.display())),
            "{shown}"
        );
    }
    let first = fs::read_to_string(&file).unwrap();
    assert!(first.starts_with("-----BEGIN CERTIFICATE-----") && !first.contains("PRIVATE"));
    ca(file.to_str().unwrap());
    assert_eq!(fs::read_to_string(&file).unwrap(), first, "made once");

    let serve = Serve::start_in(&home, &["--tls"]);
    let url = &serve.greeting[0];
    assert!(url.starts_with("https://localhost:"), "{url}");
    let client = Client::trusting(&first, url);
    let path = "/contoso.com/v2.0/.well-known/openid-configuration";
    assert_eq!(
        client.get(path).json()["issuer"],
        format!("{url}/{CONTOSO}/v2.0")
    );
    assert_eq!(Client::at(url).get(path).status, 200, "http at once");
}

#[test]
fn serve_listens_for_other_machines_only_when_told_so() {
    for listen in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
        let refused = run(&["serve", "--listen", listen]);
        assert_eq!(refused.status.code(), Some(1), "{listen}");
        assert!(
            refused.stderr.contains("add --allow-remote if you mean it"),
            "{refused:?}"
        );
    }
    let alone = run(&["serve", "--allow-remote-admin"]);
    assert_eq!(alone.status.code(), Some(2), "needs --allow-remote");
    // The library is no way around it.
    let listen = Some("0.0.0.0:0".parse().unwrap());
    assert!(
        Emulator::start(Options {
            listen,
            ..Options::default()
        })
        .is_err()
    );
    assert!(
        Emulator::start(Options {
            listen,
            allow_remote: true,
            ..Options::default()
        })
        .is_ok()
    );
}

#[test]
fn faults_come_from_files_too() {
    let folder = TempDir::new().unwrap();
    let page = folder.path().join("page.html");
    fs::write(&page, "<h1>5 * 3 = down*always</h1>").unwrap();
    let list = folder.path().join("faults");
    let body = format!("discovery:body-file=503 {}", page.display());
    fs::write(&list, format!("# a comment\n\ntoken:hang*3\n{body}\n")).unwrap();
    let serve = Serve::start(&["--faults", list.to_str().unwrap()]);
    let faults = serve.get("/_emulator/faults");
    assert_eq!(
        faults[0],
        serde_json::json!({ "fault": "token:hang", "times": 3 })
    );
    assert_eq!(
        faults[1]["fault"],
        "discovery:body=503 <h1>5 * 3 = down*always</h1>"
    );
    let missing = run(&["serve", "--fault", "token:body-file=/nowhere/at/all"]);
    assert!(missing.stderr.contains("/nowhere/at/all"), "{missing:?}");
    // A request names no files.
    let (_emulator, client) = start(Options::default());
    let answer = client.send(
        "POST",
        "/_emulator/faults",
        &[],
        "token:body-file=/etc/passwd",
    );
    assert_eq!(answer.status, 400);
}

#[test]
fn small_inspections() {
    let users = run(&["users"]);
    assert!(users.stdout.contains("Worker#1001"));
    let token = run(&["token", "--user", EMPLOYEE, "--client", "device-code"]);
    let claims_of = |output: &Outcome| claims(output.stdout.trim());
    assert_eq!(claims_of(&token)["scp"], "User.Read");
    let app = run(&["token", "--client", "client-credentials"]);
    assert_eq!(claims_of(&app)["roles"][0], "Application.Read.All");
    let later = [
        "token",
        "--client",
        "client-credentials",
        "--clock-offset",
        "86400",
    ];
    let ahead = |args| claims_of(&run(args))["iat"].as_i64().unwrap();
    let days = (ahead(&later) - ahead(&later[..3])) as f64 / 86_400.0;
    assert!((0.9..1.1).contains(&days), "{days}");
    // Keys come from the seed: what one emulator issues is good at the next.
    let (_emulator, client) = start(Options::default());
    let token = token.stdout;
    assert_eq!(
        client.graph("/v1.0/me", token.trim()).json()["displayName"],
        "Contoso Employee"
    );

    let faults = run(&["faults"]).stdout;
    for name in [
        "status-NNN=SECONDS",
        "idtoken:wrong-nonce",
        "50126",
        "body-file=",
    ] {
        assert!(faults.contains(name), "{name}");
    }
    for command in ["serve", "exec", "ca", "faults", "users", "token"] {
        assert!(
            run(&[command, "--help"]).stdout.contains("Usage: emulator"),
            "{command}"
        );
    }
}
