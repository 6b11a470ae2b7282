//! Programs that we did not write, as they come from PyPI and npm, sign in at the emulator over TLS.
//!
//! Their scripts are in `tests/clients`, and each is an example of its library. What a script has asserted is not all:
//! the emulator's record tells which grants it went through.

mod cloud;
mod originals;

use std::{env, fs, net::SocketAddr, path::PathBuf};

use emulator::{CLIENT_CERTIFICATE, Emulator, Options};
use serde_json::Value;

use crate::support::{Outcome, Running, World, side_by_side, workspace};

/// One test for each flow of a library's script: the application that it signs in to, and the grants that are seen.
macro_rules! flows {
    ($script:literal: $($flow:ident as $application:literal: $grants:expr;)*) => { $(
        #[test]
        fn $flow() {
            super::signs_in($script, stringify!($flow), $application, &$grants);
        }
    )* };
}

const DEVICE: &str = "device_code";
const CODE: &str = "authorization_code";
const REFRESH: &str = "refresh_token";
const SELF: &str = "client_credentials";

mod msal {
    use super::*;
    flows! { "with_msal.py":
        device_code as "device-code": [DEVICE, REFRESH, REFRESH];
        instance_discovery as "device-code": [DEVICE];
        authorization_code as "desktop-browser": [CODE, REFRESH, REFRESH];
        interactive as "desktop-browser": [CODE, REFRESH, REFRESH];
        web_app as "flask-equivalent-web": [CODE, REFRESH, REFRESH];
        client_secret as "client-credentials": [SELF];
        certificate as "client-credentials": [SELF, SELF];
        federated as "client-credentials": [SELF];
    }
}

mod azure_identity {
    use super::*;
    flows! { "with_azure_identity.py":
        device_code as "device-code": [DEVICE, REFRESH];
        // Nobody has consented to the second permission that is asked for here, so the browser comes again.
        interactive as "desktop-browser": [CODE, CODE];
        authorization_code as "flask-equivalent-web": [CODE, REFRESH];
        client_secret as "client-credentials": [SELF];
        environment as "client-credentials": [SELF];
        certificate as "client-credentials": [SELF, SELF];
        federated as "client-credentials": [SELF, SELF];
    }
}

mod msgraph_sdk {
    use super::*;
    flows! { "with_msgraph_sdk.py":
        device_code as "device-code": [DEVICE];
        client_secret as "client-credentials": [SELF];
    }
}

mod identity {
    use super::*;
    flows! { "with_identity.py":
        web_app as "flask-equivalent-web": [CODE, CODE, CODE];
    }
}

mod authlib {
    use super::*;
    flows! { "with_authlib.py":
        web_app as "flask-equivalent-web": [CODE];
        password as "username-password": ["password", REFRESH];
        client_secret as "client-credentials": [SELF, SELF];
        certificate as "client-credentials": [SELF];
    }
}

mod msal_node {
    use super::*;
    flows! { "with_msal_node.mjs":
        device_code as "device-code": [DEVICE, REFRESH];
        password as "username-password": ["password", REFRESH];
        authorization_code as "desktop-browser": [CODE, REFRESH];
        interactive as "desktop-browser": [CODE, REFRESH];
        web_app as "flask-equivalent-web": [CODE, REFRESH];
        client_secret as "client-credentials": [SELF];
        certificate as "client-credentials": [SELF, SELF];
        federated as "client-credentials": [SELF];
    }
}

mod azure_identity_js {
    use super::*;
    flows! { "with_azure_identity.mjs":
        device_code as "device-code": [DEVICE, REFRESH];
        password as "username-password": ["password", REFRESH];
        // Nobody has consented to the second permission that is asked for here, so the browser comes again.
        interactive as "desktop-browser": [CODE, CODE];
        authorization_code as "flask-equivalent-web": [CODE];
        client_secret as "client-credentials": [SELF];
        environment as "client-credentials": [SELF];
        certificate as "client-credentials": [SELF, SELF];
        federated as "client-credentials": [SELF, SELF];
    }
}

mod openid_client {
    use super::*;
    flows! { "with_openid_client.mjs":
        device_code as "device-code": [DEVICE, REFRESH];
        password as "username-password": ["password", REFRESH];
        authorization_code as "desktop-browser": [CODE, REFRESH];
        web_app as "flask-equivalent-web": [CODE, REFRESH, CODE, REFRESH];
        hybrid as "flask-equivalent-web": [CODE, REFRESH];
        implicit as "flask-equivalent-web": [];
        client_secret as "client-credentials": [SELF, SELF];
        certificate as "client-credentials": [SELF];
        federated as "client-credentials": [SELF];
    }
}

/// In this flow MSAL for Python asks the port 443 about the user, whatever the authority's port is. It has that port at
/// the cloud's own address.
#[test]
fn msal_and_azure_identity_sign_in_with_a_password() {
    for (script, grants) in [
        ("with_msal.py", ["password", REFRESH, REFRESH].as_slice()),
        ("with_azure_identity.py", &["password", REFRESH]),
    ] {
        let emulator = started(Options {
            tls_names: cloud::HOSTS.map(str::to_owned).into(),
            ..Options::default()
        });
        let world = World::at(&emulator, "username-password")
            .env("AUTHORITY", "https://login.microsoftonline.com/contoso.com")
            .env("ENDPOINT", "https://graph.microsoft.com/v1.0/me")
            .env("HTTPS_PROXY", cloud::proxy(&emulator));
        went_through(&emulator, world, script, "password", grants);
    }
}

/// Any address of loopback will do; at this one `localhost` would not be found.
#[test]
fn msal_signs_in_at_another_address() {
    let options = Options {
        listen: Some(SocketAddr::from(([127, 0, 0, 2], 0))),
        ..tls(Options::default())
    };
    let Ok(emulator) = Emulator::start(options) else {
        eprintln!("skipped: this machine has no 127.0.0.2");
        return;
    };
    assert!(emulator.url().starts_with("https://127.0.0.2:"));
    let world = World::at(&emulator, "client-credentials");
    went_through(&emulator, world, "with_msal.py", "client-secret", &[SELF]);
}

/// The table of docs/emulator.md.
#[test]
fn mistakes_are_noticed_or_not() {
    side_by_side(
        &[
            ("idtoken:wrong-nonce", [true, true, true]),
            ("authorize:wrong-state", [true, true, false]),
            ("discovery:wrong-issuer", [true, false, true]),
            ("idtoken:wrong-iss", [true, false, false]),
            ("idtoken:bad-signature", [true, false, false]),
        ],
        |(fault, noticed)| {
            let scripts = [
                "with_openid_client.mjs",
                "with_msal.py",
                "with_msal_node.mjs",
            ];
            for (script, noticed) in scripts.into_iter().zip(noticed) {
                let emulator = started(Options::default());
                emulator.fault(&format!("{fault}*always")).unwrap();
                let world = World::registered_as(&emulator, "device-code", "desktop-browser")
                    .arg("authorization-code");
                if let Some(outcome) = run(&emulator, world, script) {
                    assert_eq!(outcome.status.success(), !noticed, "{script} {outcome:#?}");
                }
            }
        },
    );
}

fn signs_in(script: &str, flow: &str, application: &str, grants: &[&str]) {
    let emulator = started(Options::default());
    // For the programs that ask there is no way to the internet.
    let world = World::registered_as(&emulator, "device-code", application)
        .env("HTTPS_PROXY", "http://127.0.0.1:9")
        .env("NO_PROXY", "localhost");
    went_through(&emulator, world, script, flow, grants);
}

fn started(options: Options) -> Emulator {
    Emulator::start(tls(options)).unwrap()
}

fn tls(options: Options) -> Options {
    Options {
        tls: true,
        device_code_interval: Some(1),
        ..options
    }
}

/// Runs a script to its end: it has shown what Graph said, and these grants were answered by tokens.
fn went_through(emulator: &Emulator, world: World, script: &str, flow: &str, grants: &[&str]) {
    let world = world.arg(flow.replace('_', "-"));
    let Some(outcome) = run(emulator, world, script) else {
        return;
    };
    assert_eq!(outcome.status.code(), Some(0), "{outcome:#?}");
    let name = if grants.first() == Some(&SELF) {
        "python-cli"
    } else {
        "Contoso Employee"
    };
    for line in outcome.stdout.lines() {
        let answer: Value = serde_json::from_str(line).unwrap();
        assert_eq!(answer["displayName"], name);
    }
    assert_ne!(outcome.stdout, "");
    let requests = emulator.requests();
    let seen: Vec<_> = requests
        .iter()
        .filter(|request| request.status == Some(200))
        .filter_map(|request| request.field("grant_type"))
        .map(|grant| grant.trim_start_matches("urn:ietf:params:oauth:grant-type:"))
        .collect();
    assert_eq!(seen, grants, "{outcome:#?}");
}

/// Where the clients are installed; nowhere, which is fine except in CI.
pub fn installed() -> Option<PathBuf> {
    let source = workspace().join("emulator/tests/clients");
    let installed = workspace().join("target/clients");
    let wanted: String = ["requirements.txt", "package.json"]
        .map(|list| fs::read_to_string(source.join(list)).unwrap())
        .concat();
    if fs::read_to_string(installed.join("installed")).ok() == Some(wanted) {
        return Some(installed);
    }
    assert!(
        env::var_os("CI").is_none(),
        "CI has not installed the clients"
    );
    eprintln!("skipped: emulator/tests/clients/install was not run");
    None
}

/// A script and what came of it; nothing where the clients are not installed.
pub fn run(emulator: &Emulator, world: World, script: &str) -> Option<Outcome> {
    let installed = installed()?;
    let source = workspace().join("emulator/tests/clients");
    let world = world
        .file("ca.pem", emulator.ca_pem().unwrap())
        .file("client.pem", CLIENT_CERTIFICATE)
        .file(
            "federated.jwt",
            emulator.federated_token("client-credentials").unwrap(),
        );
    let mut command = if script.ends_with(".py") {
        let python = installed.join("venv/bin/python");
        world.command_of(
            python.to_str().unwrap(),
            &[source.join("python").join(script).to_str().unwrap()],
        )
    } else {
        let script = installed.join("node").join(script);
        world.command_of(
            "node",
            &[
                "--preserve-symlinks",
                "--preserve-symlinks-main",
                script.to_str().unwrap(),
            ],
        )
    };
    let work = world.work();
    for name in ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"] {
        command.env(name, work.join("ca.pem"));
    }
    command
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("CLIENT_CERTIFICATE", work.join("client.pem"))
        .env("AZURE_FEDERATED_TOKEN_FILE", work.join("federated.jwt"));
    Some(Running::start(command, b"").wait())
}
