//! The scripts for the Azure CLI: run by the real `az`, which signs in at the emulator and registers there.

use std::{env, fs, process::Command};

use emulator::CLIENT_CERTIFICATE;

use super::{SECRET, Tenant, WEB, script, tool};
use crate::support::{Outcome, Running};

/// A terminal in which `az login` was done.
struct Shell {
    tenant: Tenant,
    path: std::ffi::OsString,
}

impl Shell {
    /// None where there is no `az`.
    fn signed_in() -> Option<Self> {
        let az = tool("az")?;
        let mut path = vec![az.parent().unwrap().to_owned()];
        path.extend(env::split_paths(&env::var_os("PATH").unwrap()));
        let tenant = Tenant::new();
        let shell = Self {
            path: env::join_paths(path).unwrap(),
            tenant,
        };
        // The emulator is a cloud like those that `az cloud register` adds. Resource Manager is at none of its addresses.
        let url = shell.tenant.emulator.url();
        fs::create_dir(shell.config()).unwrap();
        fs::write(
            shell.config().join("clouds.config"),
            format!(
                "[emulator]\nendpoint_active_directory = {url}\nendpoint_active_directory_resource_id = https://management.core.windows.net/\nendpoint_microsoft_graph_resource_id = {url}/\nendpoint_resource_manager = https://management.invalid/\n"
            ),
        )
        .unwrap();
        // Without instance discovery, which would ask login.microsoftonline.com about the emulator's name.
        fs::write(
            shell.config().join("config"),
            "[cloud]\nname = emulator\n[core]\ncollect_telemetry = false\ninstance_discovery = false\n",
        )
        .unwrap();
        let (client, tenant) = (
            shell.tenant.registrar().client_id.to_string(),
            shell.tenant.id(),
        );
        let login = shell.command(
            "az",
            &[
                "login",
                "--service-principal",
                "--username",
                &client,
                "--password",
                SECRET,
                "--tenant",
                &tenant,
                "--allow-no-subscriptions",
                "--skip-subscription-discovery",
            ],
        );
        assert!(login.status.success(), "{login:#?}");
        Some(shell)
    }

    fn config(&self) -> std::path::PathBuf {
        self.tenant.folder.path().join("azure")
    }

    fn command(&self, program: &str, args: &[&str]) -> Outcome {
        let mut command = Command::new(program);
        command
            .args(args)
            .env_clear()
            .env("PATH", &self.path)
            .env("HOME", self.tenant.folder.path())
            .env("AZURE_CONFIG_DIR", self.config())
            .env("REQUESTS_CA_BUNDLE", self.tenant.ca())
            .stdin(std::process::Stdio::null())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped());
        Running::start(command, b"").wait()
    }

    fn run(&self, sample: &str, args: &[&str]) -> Outcome {
        self.command(script(sample, "sh").to_str().unwrap(), args)
    }

    /// The `.env` that the script prints.
    #[track_caller]
    fn dot_env(&self, sample: &str, args: &[&str]) -> String {
        let outcome = self.run(sample, args);
        assert!(outcome.status.success(), "{outcome:#?}");
        outcome.stdout
    }

    /// Registers an app, signs in with it, and runs the script again, which then writes nothing.
    #[track_caller]
    fn registers(&self, sample: &'static str) -> Option<String> {
        let name = format!("Ada's {sample}");
        let first = self.dot_env(sample, &[&name]);
        self.tenant.is_registered(sample, &first);
        self.tenant.signs_in(sample, &first);

        self.tenant.emulator.clear_requests();
        let again = self.run(sample, &[&name]);
        assert!(again.status.success(), "{again:#?}");
        again.says(&["is registered already"]);
        for request in self.tenant.emulator.requests() {
            assert_eq!(request.method, "GET", "{request:#?}");
        }
        let settings = |text: &str| -> Vec<String> {
            let lines = text.lines().filter(|line| !line.contains("CLIENT_SECRET"));
            lines.map(str::to_owned).collect()
        };
        assert_eq!(settings(&again.stdout), settings(&first));
        assert!(
            !again
                .stdout
                .lines()
                .any(|line| line.starts_with("CLIENT_SECRET"))
        );
        Some(first)
    }
}

#[test]
fn az_registers_device_code() {
    let Some(shell) = Shell::signed_in() else {
        return;
    };
    shell.registers("device-code");

    // A mistake in an option or at Graph ends the script; nothing comes on stdout that could be taken for an .env.
    shell
        .tenant
        .emulator
        .fault("applications:status-403")
        .unwrap();
    shell
        .run("device-code", &["another app"])
        .fails(1, &["ERROR"]);
    // Two apps of one name: none is guessed.
    for _ in 0..2 {
        let (status, _) =
            shell
                .tenant
                .graph("POST", "v1.0/applications", r#"{"displayName":"twin"}"#);
        assert_eq!(status, 201);
    }
    shell
        .run("device-code", &["twin"])
        .fails(1, &["Several apps are called 'twin'"]);
}

#[test]
fn az_registers_username_password() {
    let Some(shell) = Shell::signed_in() else {
        return;
    };
    shell.registers("username-password");
}

#[test]
fn az_registers_client_credentials() {
    let Some(shell) = Shell::signed_in() else {
        return;
    };
    let sample = "client-credentials";
    let first = shell.registers(sample).unwrap();

    // Another secret beside the first one, which stays good.
    let second = shell.dot_env(sample, &["--new-secret", "Ada's client-credentials"]);
    assert_ne!(first, second);
    shell.tenant.signs_in(sample, &second);
    shell.tenant.signs_in(sample, &first);

    // A certificate in the place of a secret.
    let begin = CLIENT_CERTIFICATE
        .find("-----BEGIN CERTIFICATE-----")
        .unwrap();
    let (certificate, both) = (
        shell.tenant.folder.path().join("cert.pem"),
        shell.tenant.folder.path().join("app.pem"),
    );
    fs::write(&certificate, &CLIENT_CERTIFICATE[begin..]).unwrap();
    fs::write(&both, CLIENT_CERTIFICATE).unwrap();
    let args = ["--certificate", certificate.to_str().unwrap(), "certified"];
    let dot_env = shell.dot_env(sample, &args);
    let dot_env = dot_env.replace(
        "Enter_the_path_of_key_and_certificate_here",
        both.to_str().unwrap(),
    );
    shell.tenant.is_registered(sample, &dot_env);
    assert!(shell.tenant.application(&dot_env).secrets.is_empty());
    shell.tenant.signs_in(sample, &dot_env);
}

#[test]
fn az_registers_flask_equivalent_web() {
    let Some(shell) = Shell::signed_in() else {
        return;
    };
    shell.registers(WEB);
}
