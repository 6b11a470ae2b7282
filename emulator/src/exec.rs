//! `emulator exec`: builds a sample, runs it against an emulator of its own, and ends as it ends.

use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};
use emulator::{Emulator, Options, settings};
use tokio::process::Command;

use crate::signals::{Signals, Target, exit_code};
use crate::trace;

/// In an argument, the emulator's address, which nobody knows beforehand.
const BASE: &str = "{base}";
/// Who signs in, unless a person does.
const USER: &str = "contoso_employee@contoso.com";
/// A build that takes longer than this says that it is one.
const SILENCE: Duration = Duration::from_secs(1);

/// Run a sample, or any program, against an emulator of its own
#[derive(clap::Args)]
#[command(
    override_usage = "emulator exec [OPTIONS] <SAMPLE> [ARGUMENTS]...\n       emulator exec [OPTIONS] -- <PROGRAM> [ARGUMENTS]..."
)]
pub struct Exec {
    /// Leave the sign-in to you, at the page that the sample names
    #[arg(long)]
    browser: bool,
    /// Print the exchange of requests and answers on stderr afterwards, secrets masked
    #[arg(long, value_name = "FORMAT", num_args = 0..=1, require_equals = true, default_missing_value = "text")]
    trace: Option<trace::Format>,
    /// Take the settings of this application of the seed data, not those of the sample's name
    #[arg(long = "as", value_name = "APPLICATION")]
    application: Option<String>,
    #[command(flatten)]
    common: crate::Common,
    /// A sample of this workspace, or any other program, and its arguments; {base} in them is the emulator's address
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true, value_names = ["SAMPLE", "ARGUMENTS"])]
    words: Vec<OsString>,
}

impl Exec {
    /// Runs it all; the status is the program's.
    pub fn run(&self) -> anyhow::Result<ExitCode> {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?
            .block_on(self.supervise())
    }

    async fn supervise(&self) -> anyhow::Result<ExitCode> {
        // From here on no signal ends this process while a child of it runs.
        let mut signals = Signals::listen()?;
        let (first, arguments) = self
            .words
            .split_first()
            .context("name a sample or a program")?;
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR"))
            .parent()
            .context("the emulator's source has no parent folder")?;
        let sample = first
            .to_str()
            .filter(|name| workspace.join(name).join("src/main.rs").is_file());
        let program = match sample {
            Some(sample) => match build(workspace, sample, &mut signals).await? {
                Ok(binary) => binary,
                Err(status) => return Ok(status),
            },
            None => PathBuf::from(first),
        };

        let emulator = Emulator::start(Options {
            auto_sign_in: (!self.browser).then(|| USER.to_owned()),
            device_code_interval: Some(1),
            trace: self.trace.is_some(),
            ..self.common.options()?
        })?;
        say(&format!(
            "emulator: a development tool, at {}\n",
            emulator.url()
        ));
        let folder = tempfile::Builder::new()
            .prefix("emulator-")
            .tempdir()
            .context("cannot make a temporary folder")?;
        let mut command = Command::new(&program);
        let with_address = |argument: &OsString| match argument.to_str() {
            Some(text) => text.replace(BASE, emulator.url()).into(),
            None => argument.clone(),
        };
        command
            .args(arguments.iter().map(with_address))
            .kill_on_drop(true);
        self.set_environment(&mut command, sample, &emulator, folder.path())?;

        let hint = if sample.is_none() {
            ", which is no sample either"
        } else {
            ""
        };
        let mut child = command
            .spawn()
            .with_context(|| format!("cannot start {}{hint}", program.display()))?;
        let status = signals.wait(&mut child, Target::Process).await?;
        if let Some(format) = self.trace {
            say(&trace::write(&emulator, format));
        }
        Ok(exit_code(status))
    }

    /// The settings, and an empty token cache of the program's own.
    fn set_environment(
        &self,
        command: &mut Command,
        sample: Option<&str>,
        emulator: &Emulator,
        folder: &Path,
    ) -> anyhow::Result<()> {
        for name in settings::NAMES {
            command.env_remove(name);
        }
        let key = self
            .application
            .as_deref()
            .or(sample)
            .unwrap_or("device-code");
        command.envs(emulator.settings(key)?);
        command.env("EMULATOR_URL", emulator.url());
        if let Some(ca) = emulator.ca_pem() {
            let path = folder.join("ca.crt");
            std::fs::write(&path, ca).context("cannot write the CA certificate")?;
            for name in crate::CA_VARIABLES {
                command.env(name, &path);
            }
        }
        command
            .env("XDG_CACHE_HOME", folder.join("cache"))
            .env("XDG_STATE_HOME", folder.join("state"));
        if sample.is_some() {
            // Any other program may need the real ones.
            command.env("HOME", folder).env("LOCALAPPDATA", folder);
        }
        Ok(())
    }
}

/// Builds a sample beside this program: same profile, same target folder. Either its binary, or the status to end with.
async fn build(
    workspace: &Path,
    sample: &str,
    signals: &mut Signals,
) -> anyhow::Result<Result<PathBuf, ExitCode>> {
    let own = std::env::current_exe().context("cannot tell where this program is")?;
    let folder = own.parent().context("this program is in no folder")?;
    let target = folder
        .parent()
        .context("this program is in no target folder")?;
    let profile = match folder.file_name() {
        Some(name) if name == "debug" => OsString::from("dev"),
        Some(name) => name.to_owned(),
        None => bail!("this program is in no target folder"),
    };

    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .args(["build", "--quiet", "--package", sample, "--profile"])
        .arg(profile);
    cargo
        .arg("--target-dir")
        .arg(target)
        .arg("--manifest-path")
        .arg(workspace.join("Cargo.toml"));
    // A group of its own, so that one signal ends the compilers too.
    #[cfg(unix)]
    cargo.process_group(0);
    cargo.stdin(Stdio::null()).kill_on_drop(true);
    let mut child = cargo
        .spawn()
        .context("cannot start cargo, which builds the sample")?;
    let status = tokio::select! {
        status = signals.wait(&mut child, Target::Group) => status?,
        () = tokio::time::sleep(SILENCE) => {
            say(&format!("emulator: building {sample} …\n"));
            signals.wait(&mut child, Target::Group).await?
        }
    };
    if !status.success() {
        return Ok(Err(exit_code(status)));
    }
    Ok(Ok(folder
        .join(sample)
        .with_extension(std::env::consts::EXE_EXTENSION)))
}

/// Writes to stderr; stdout is the program's alone. If nobody listens, the program runs all the same.
fn say(text: &str) {
    let _ = std::io::stderr().write_all(text.as_bytes());
}
