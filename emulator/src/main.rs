//! The command line of the emulator.

mod exec;
mod signals;
mod trace;

use std::io::{ErrorKind, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Parser, Subcommand};
use emulator::ca::{self, CertificateAuthority};
use emulator::{Directory, Emulator, Options, SEED_DATA, faults};

/// The variables by which OpenSSL and Rust, Python's requests, curl, and Node are told of a CA.
const CA_VARIABLES: &[&str] = &[
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "NODE_EXTRA_CA_CERTS",
];

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
    Exec(exec::Exec),
    /// Write the CA certificate and print the variables with which common runtimes trust it
    Ca(Ca),
    /// List the endpoints and faults that --fault understands
    Faults,
    /// List the users, and their passwords
    Users,
    /// Print an access token for Graph
    Token(Token),
}

#[derive(clap::Args)]
struct Serve {
    /// Address and port
    #[arg(long, default_value = "127.0.0.1:8443", value_name = "ADDRESS")]
    listen: SocketAddr,
    /// Allow an address that other machines can reach
    #[arg(long)]
    allow_remote: bool,
    /// Let other machines use the home page and /_emulator/ too, by IP address or --tls-name: for containers
    #[arg(long, requires = "allow_remote")]
    allow_remote_admin: bool,
    /// Sign this user in to every device code and authorization request at once, without a page
    #[arg(long, value_name = "NAME")]
    sign_in: Option<String>,
    /// Believe X-Forwarded-Proto and X-Forwarded-Host, behind a proxy that sets them
    #[arg(long)]
    trust_forwarded_headers: bool,
    #[command(flatten)]
    common: Common,
}

#[derive(clap::Args)]
struct Ca {
    /// Where to write the certificate
    #[arg(long, value_name = "FILE", default_value = "emulator-ca.crt")]
    out: PathBuf,
}

#[derive(clap::Args)]
struct Token {
    /// The user who signs in; without one the application acts as itself
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// The application, by its key in the seed data or its client id
    #[arg(long, value_name = "APPLICATION")]
    client: String,
    /// Print a token of the outside issuer that the application trusts, for AZURE_FEDERATED_TOKEN_FILE
    #[arg(long, conflicts_with = "user")]
    federated: bool,
    /// The delegated permissions
    #[arg(long, default_value = "User.Read")]
    scope: String,
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
    /// Speak TLS too, on the same port, with a certificate of this machine's own CA (see `emulator ca`)
    #[arg(long)]
    tls: bool,
    /// A further name of the server: in its certificate, and for --allow-remote-admin; can be repeated
    #[arg(long = "tls-name", value_name = "NAME")]
    tls_names: Vec<String>,
    /// How long access tokens live
    #[arg(long, value_name = "SECONDS")]
    token_lifetime: Option<u64>,
}

impl Common {
    fn options(&self) -> anyhow::Result<Options> {
        let read = |path: &PathBuf| {
            std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
        };
        let mut faults = Vec::new();
        for fault in &self.faults {
            faults.push(with_file(fault)?);
        }
        if let Some(path) = &self.fault_file {
            let text = read(path)?;
            let lines = text.lines().map(str::trim);
            for line in lines.filter(|line| !line.is_empty() && !line.starts_with('#')) {
                faults.push(with_file(line)?);
            }
        }
        Ok(Options {
            seed_data: self.seed_data.as_ref().map(read).transpose()?,
            generate: self.generate,
            faults,
            clock_offset: self.clock_offset,
            token_lifetime: self.token_lifetime,
            tls: self.tls,
            tls_names: self.tls_names.clone(),
            ..Options::default()
        })
    }
}

/// `token:body-file=503 page.html*2` with the file's content in it. Files are read here, on behalf of whoever starts the
/// emulator, and never on behalf of a request.
fn with_file(fault: &str) -> anyhow::Result<String> {
    let Some((endpoint, rest)) = fault.split_once(":body-file=") else {
        return Ok(fault.to_owned());
    };
    let (rest, times) = match rest.rsplit_once('*') {
        Some((rest, times)) if times == "always" || times.parse::<u32>().is_ok() => (rest, times),
        _ => (rest, "1"),
    };
    let (status, path) = match rest.split_once(' ') {
        Some((status, path)) if status.len() == 3 && status.parse::<u16>().is_ok() => {
            (status, path)
        }
        _ => ("200", rest),
    };
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {path}"))?;
    Ok(format!("{endpoint}:body={status} {text}*{times}"))
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Serve(command) => serve(&command),
        Command::Exec(command) => command.run(),
        Command::Ca(command) => write_ca(&command),
        Command::Faults => list_faults(),
        Command::Users => list_users(),
        Command::Token(command) => print_token(&command),
    };
    result.unwrap_or_else(|error| {
        // Whoever reads only the first lines of a list has seen enough.
        if error
            .downcast_ref::<std::io::Error>()
            .is_some_and(|error| error.kind() == ErrorKind::BrokenPipe)
        {
            return ExitCode::SUCCESS;
        }
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}

fn serve(command: &Serve) -> anyhow::Result<ExitCode> {
    let emulator = Emulator::start(Options {
        listen: Some(command.listen),
        ca_file: command.common.tls.then(ca::default_path).transpose()?,
        trust_forwarded_headers: command.trust_forwarded_headers,
        allow_remote: command.allow_remote,
        allow_remote_admin: command.allow_remote_admin,
        auto_sign_in: command.sign_in.clone(),
        ..command.common.options()?
    })?;
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(async {
            // Before anybody is told that it runs.
            let end = signals::asked_to_end()?;
            // Whoever reads only the first line, which is the address, does not stop the server by that.
            let _ = greet(&emulator);
            end.await;
            Ok(ExitCode::SUCCESS)
        })
}

/// The address on a line of its own, then what to know and what to paste.
fn greet(emulator: &Emulator) -> anyhow::Result<()> {
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
    Ok(out.flush()?)
}

fn write_ca(command: &Ca) -> anyhow::Result<ExitCode> {
    let ca = CertificateAuthority::kept_in(&ca::default_path()?)?;
    std::fs::write(&command.out, ca.pem())
        .with_context(|| format!("cannot write {}", command.out.display()))?;
    let path = std::path::absolute(&command.out)?;
    let mut out = std::io::stdout().lock();
    for name in CA_VARIABLES {
        if cfg!(windows) {
            writeln!(out, "$env:{name} = '{}'", path.display())?; // PowerShell
        } else {
            writeln!(out, "export {name}='{}'", path.display())?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn list_faults() -> anyhow::Result<ExitCode> {
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "A fault is <endpoint>:<fault>, once; with *N at the end N times, with *always always.\n\nEndpoints:"
    )?;
    for (name, words) in faults::ENDPOINTS {
        writeln!(out, "  {name:24} {words}")?;
    }
    writeln!(out, "\nFaults:")?;
    for (name, words) in faults::FAULTS {
        writeln!(out, "  {name:24} {words}")?;
    }
    writeln!(out, "\nFaults of OpenID Connect, each for its endpoint:")?;
    for (endpoint, name, words) in faults::openid::FAULTS {
        writeln!(out, "  {:34} {words}", format!("{endpoint}:{name}"))?;
    }
    let codes: Vec<String> = faults::aadsts_codes()
        .map(|code| code.to_string())
        .collect();
    writeln!(out, "\nCODE is one of: {}", codes.join(" "))?;
    Ok(ExitCode::SUCCESS)
}

fn list_users() -> anyhow::Result<ExitCode> {
    let directory = Directory::read(SEED_DATA)?;
    let mut out = std::io::stdout().lock();
    for user in &directory.users {
        writeln!(
            out,
            "{:36}  {:44}  {:20}  {}",
            user.id.to_string(),
            user.sign_in_name(),
            user.password,
            user.display_name
        )?;
    }
    Ok(ExitCode::SUCCESS)
}

fn print_token(command: &Token) -> anyhow::Result<ExitCode> {
    let emulator = Emulator::start(command.common.options()?)?;
    let token = match &command.user {
        Some(user) => emulator.user_token(user, &command.client, &command.scope)?,
        None if command.federated => emulator.federated_token(&command.client)?,
        None => emulator.application_token(&command.client)?,
    };
    // Platforms write their tokens without a line's end, and clients send such a file as it is.
    let end = if command.federated { "" } else { "\n" };
    write!(std::io::stdout(), "{token}{end}")?;
    Ok(ExitCode::SUCCESS)
}
