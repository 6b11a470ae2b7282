//! Signs a user in with user name and password and calls Microsoft Graph as that user: a legacy flow, without
//! multifactor authentication, for processes that can do nothing else.
//! Read beside it: <https://learn.microsoft.com/entra/identity-platform/v2-oauth-ropc>

mod consent;
mod user;

use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Parser;
use common::authority::Kind;
use common::config::{Args, Config, ConfigError, ConsoleArgs, Settings};
use common::console;
use common::graph::{GraphCall, GraphClient};
use common::http::HttpClient;
use common::oauth::{Claims, EntraClient, EntraError, TokenResponse};
use common::token_cache::{Identity, TokenCache};
use user::User;

/// Sign a user in with user name and password and call Microsoft Graph as that user (a legacy flow)
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(flatten)]
    settings: Args,
    #[command(flatten)]
    console: ConsoleArgs,
    /// The user to sign in, for example alice@contoso.com [setting: AZURE_USERNAME]
    #[arg(long, value_name = "USER_NAME")]
    username: Option<String>,
    /// Where the consent page leads to [setting: REDIRECT_URI]
    #[arg(long, value_name = "URL")]
    redirect_uri: Option<String>,
    /// Read the password from stdin
    #[arg(long)]
    password_stdin: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    match load(&cli) {
        Ok((config, user, cache)) => console::run(run(&cli, &config, &user, &cache)).await,
        Err(error) => console::misconfigured(&error),
    }
}

fn load(cli: &Cli) -> Result<(Config, User, TokenCache), ConfigError> {
    let settings = Settings::read(&cli.settings, env!("CARGO_MANIFEST_DIR"))?
        .with_flag("AZURE_USERNAME", &cli.username)
        .with_flag("REDIRECT_URI", &cli.redirect_uri);
    let config = Config::new(&settings, "User.Read", "/v1.0/me")?;
    config.refuse_authority(
        &[Kind::Common, Kind::Consumers],
        "lets personal accounts in, whom this flow cannot serve: use your tenant, or organizations",
    )?;
    console::say(
        "Warning: a password sign-in is a legacy flow: not recommended, and without multifactor authentication.",
    );
    let user = User::read(&settings)?;
    let cache = TokenCache::open(&config, cli.console.no_cache, Identity::SignIn(&user.name))?;
    let user = user.with_password(&settings, cli.password_stdin, &cache)?;
    Ok((config, user, cache))
}

async fn run(cli: &Cli, config: &Config, user: &User, cache: &TokenCache) -> Result<()> {
    // <create_client>
    let http = HttpClient::default();
    let entra = EntraClient::new(config, &http);
    let graph = GraphClient::new(&http);
    // </create_client>

    let mut call = GraphCall::new(&config.endpoint, cli.console.all);
    let mut claims = Claims::default();
    loop {
        // <acquire_token>
        let token = match cache.acquire_token_silent(&entra, &mut claims).await? {
            Some(token) => token,
            None => cache.store(sign_in(&entra, config, user, &claims).await?)?,
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

/// The resource owner password credentials grant (RFC 6749 section 4.3): the password goes to Entra ID, once it is
/// clear that Entra ID is the one to check it.
async fn sign_in(
    entra: &EntraClient,
    config: &Config,
    user: &User,
    claims: &Claims,
) -> Result<TokenResponse> {
    // <user_realm>
    let realm = entra.user_realm(&user.name).await;
    if realm.is_ok_and(|realm| realm.is_federated()) {
        bail!(
            "{} is a federated account: its password is kept by its organization's own server, so this flow cannot serve it. Use the device-code sample.",
            user.name.as_str()
        );
    }
    // </user_realm>

    // <request_token>
    let password = user.password().await?;
    let request = entra
        .exchange_password(&user.name, &password)
        .add_scopes(config.scopes())
        .add_extra_param("claims", claims.to_string());
    let answer = request.request_async(entra.http()).await;
    // </request_token>
    answer.map_err(|error| consent::explain(EntraError::from(error), config))
}
