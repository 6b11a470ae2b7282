//! Signs a user in with the device code flow and calls Microsoft Graph as that user: for terminals and devices
//! without a browser, since the user signs in on any other device.
//! Read beside it: <https://learn.microsoft.com/entra/identity-platform/v2-oauth2-device-code>

mod prompt;

use std::{process::ExitCode, time::Duration};

use anyhow::{Result, bail};
use clap::Parser;
use common::config::{Args, Config, ConfigError, ConsoleArgs, Settings};
use common::console;
use common::graph::{GraphCall, GraphClient};
use common::http::HttpClient;
use common::oauth::{Claims, DeviceAuthorization, EntraClient, EntraError, TokenResponse};
use common::token_cache::{Identity, TokenCache};
use tokio::time::timeout;

/// Sign a user in with the device code flow and call Microsoft Graph as that user
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(flatten)]
    settings: Args,
    #[command(flatten)]
    console: ConsoleArgs,
    /// The user to use of those in the token cache, or to sign in
    #[arg(long, value_name = "USER_NAME")]
    account: Option<String>,
    /// Print the user's manager as well
    #[arg(long, conflicts_with = "all")]
    manager: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    match load(&cli) {
        Ok((config, cache)) => console::run(run(&cli, &config, &cache)).await,
        Err(error) => console::misconfigured(&error),
    }
}

fn load(cli: &Cli) -> Result<(Config, TokenCache), ConfigError> {
    let settings = Settings::read(&cli.settings, env!("CARGO_MANIFEST_DIR"))?;
    let config = Config::new(&settings, "User.Read", "/v1.0/me")?;
    let identity = Identity::User(cli.account.as_deref());
    let cache = TokenCache::open(&config, cli.console.no_cache, identity)?;
    Ok((config, cache))
}

async fn run(cli: &Cli, config: &Config, cache: &TokenCache) -> Result<()> {
    // <create_client>
    let http = HttpClient::default();
    let entra = EntraClient::new(config, &http);
    let graph = GraphClient::new(&http);
    // </create_client>

    let mut call = GraphCall::new(&config.endpoint, cli.console.all).with_manager(cli.manager);
    let mut claims = Claims::default();
    loop {
        // <acquire_token>
        let token = match cache.acquire_token_silent(&entra, &mut claims).await? {
            Some(token) => token,
            None => cache.store(sign_in(&entra, config, &claims).await?)?,
        };
        // </acquire_token>

        // <call_graph>
        let outcome = call.print(&graph, &token).await;
        // Continuous access evaluation: Graph may ask for a token with further claims. It is answered once.
        match cache.challenge(&outcome) {
            Some(challenge) if !claims.answer_challenge() => claims = challenge,
            _ => return Ok(outcome?),
        }
        // </call_graph>
    }
}

/// The device authorization grant (RFC 8628): ask for a code, show it, poll until the user has signed in.
async fn sign_in(entra: &EntraClient, config: &Config, claims: &Claims) -> Result<TokenResponse> {
    // <request_code>
    let request = entra.exchange_device_code().add_scopes(config.scopes());
    let answer = request.request_async(entra.http()).await;
    let details: DeviceAuthorization = answer.map_err(EntraError::from)?;
    // </request_code>

    prompt::show(&details)?;
    match timeout(details.expires_in(), poll(entra, &details, claims)).await {
        Ok(answer) => Ok(answer?),
        Err(_) => bail!("The code expired before anybody signed in: run this again."),
    }
}

/// Asks for the token until there is a decision, at the pace of RFC 8628 section 3.5.
async fn poll(
    entra: &EntraClient,
    details: &DeviceAuthorization,
    claims: &Claims,
) -> Result<TokenResponse, EntraError> {
    // <poll_token>
    let grant = [
        ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
        ("device_code", details.device_code().secret()),
        ("claims", &claims.to_string()),
    ];
    let mut interval = details.interval().max(Duration::from_secs(1));
    let mut pause = interval;
    let countdown = prompt::Countdown::start(details.expires_in());
    loop {
        countdown.wait(pause).await;
        pause = match entra.poll_token(&grant).await {
            Ok(token) => return Ok(token),
            // No word about this sign-in, but an outage, throttling, a proxy's page: back off and go on.
            Err(error) if error.is_transient() => error.back_off(pause).max(interval),
            Err(error) if error.error() == "authorization_pending" => interval,
            Err(error) if error.error() == "slow_down" => {
                interval = interval.saturating_add(Duration::from_secs(5));
                interval
            }
            Err(error) => return Err(error),
        };
    }
    // </poll_token>
}
