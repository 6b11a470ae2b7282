//! The command line of the emulator.

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::{Parser, Subcommand};
use emulator::{Emulator, Options};

/// A local stand-in for Microsoft Entra ID and Microsoft Graph: a development tool, and no Microsoft product.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run until Ctrl-C; the first line on stdout is the base URL
    Serve(Serve),
}

#[derive(clap::Args)]
struct Serve {
    /// Address and port
    #[arg(long, default_value = "127.0.0.1:8443", value_name = "ADDRESS")]
    listen: SocketAddr,
    /// Allow an address that other machines can reach
    #[arg(long)]
    allow_remote: bool,
    #[command(flatten)]
    common: Common,
}

/// What `serve` and `exec` have in common.
#[derive(clap::Args)]
struct Common {
    /// A directory in place of the built-in one
    #[arg(long, value_name = "FILE")]
    seed_data: Option<PathBuf>,
    /// How many made-up users there are
    #[arg(long, value_name = "N")]
    generate: Option<usize>,
    /// Something that goes wrong, such as token:status-503*2 (see `emulator faults`); can be repeated
    #[arg(long = "fault", value_name = "SPEC")]
    faults: Vec<String>,
    /// A file of faults, one per line
    #[arg(long = "faults", value_name = "FILE")]
    fault_file: Option<PathBuf>,
    /// How far the emulator's clock is ahead
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 0,
        allow_negative_numbers = true
    )]
    clock_offset: i64,
    /// How long access tokens live
    #[arg(long, value_name = "SECONDS")]
    token_lifetime: Option<u64>,
}

impl Common {
    fn options(&self) -> anyhow::Result<Options> {
        let read = |path: &PathBuf| {
            std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
        };
        let mut faults = self.faults.clone();
        if let Some(path) = &self.fault_file {
            let text = read(path)?;
            faults.extend(
                text.lines()
                    .map(str::trim)
                    .filter(|line| !line.is_empty() && !line.starts_with('#'))
                    .map(str::to_owned),
            );
        }
        Ok(Options {
            seed_data: self.seed_data.as_ref().map(read).transpose()?,
            generate: self.generate,
            faults,
            clock_offset: self.clock_offset,
            token_lifetime: self.token_lifetime,
            ..Options::default()
        })
    }
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Serve(command) => serve(&command),
    };
    result.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}

fn serve(command: &Serve) -> anyhow::Result<ExitCode> {
    if !command.listen.ip().is_loopback() && !command.allow_remote {
        bail!(
            "{} can be reached by other machines, and this is a toy with known keys and passwords: add --allow-remote if you mean it",
            command.listen
        );
    }
    let emulator = Emulator::start(Options {
        listen: Some(command.listen),
        ..command.common.options()?
    })?;

    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", emulator.url())?;
    writeln!(
        out,
        "A development tool: nothing outside of this machine trusts what it issues. Open the address in a browser for users and passwords."
    )?;
    for application in &emulator.directory().applications {
        writeln!(out, "\n# {}", application.key)?;
        for (name, value) in emulator.settings(&application.key)? {
            writeln!(out, "{name}='{value}'")?;
        }
    }
    out.flush()?;
    drop(out);

    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(tokio::signal::ctrl_c())?;
    Ok(ExitCode::SUCCESS)
}
