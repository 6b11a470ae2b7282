//! Calls Microsoft Graph as the app itself, with the client credentials flow: for cron jobs and services, which
//! have nobody to sign in.
//! Read beside it: <https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow>

use std::process::ExitCode;

use anyhow::{Result, anyhow};
use clap::Parser;
use common::authority::Kind;
use common::config::{Args, Config, ConfigError, ConsoleArgs, Settings, guid};
use common::console;
use common::credential::{Credential, CredentialArgs};
use common::graph::{GraphCall, GraphClient};
use common::http::HttpClient;
use common::oauth::{Claims, EntraClient, EntraError, TokenResponse};
use common::token_cache::{Identity, TokenCache};

/// Call Microsoft Graph as the app itself, with the client credentials flow
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(flatten)]
    settings: Args,
    #[command(flatten)]
    console: ConsoleArgs,
    /// The Object ID of the app registration to show [setting: CLIENT_OBJECTID]
    #[arg(long, value_name = "GUID")]
    client_objectid: Option<String>,
    #[command(flatten)]
    credential: CredentialArgs,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    match load(&cli) {
        Ok((config, credential, cache)) => {
            console::run(run(&cli, &config, &credential, &cache)).await
        }
        Err(error) => console::misconfigured(&error),
    }
}

fn load(cli: &Cli) -> Result<(Config, Credential, TokenCache), ConfigError> {
    let settings = Settings::read(&cli.settings, env!("CARGO_MANIFEST_DIR"))?
        .with_flag("CLIENT_OBJECTID", &cli.client_objectid);
    let settings = cli.credential.add_to(settings);
    let object_id = match (settings.get("CLIENT_OBJECTID")?, settings.get("ENDPOINT")?) {
        // An ENDPOINT of the user's own needs no object id.
        (None, Some(_)) => String::new(),
        _ => guid(&settings.require("CLIENT_OBJECTID")?)?,
    };
    let path = format!("/v1.0/applications/{object_id}");
    let config = Config::new(&settings, "{resource}/.default", &path)?;
    let tenantless = [Kind::Common, Kind::Organizations, Kind::Consumers];
    config.refuse_authority(
        &tenantless,
        "names no tenant, which an app needs to sign in at",
    )?;
    if object_id == config.client_id {
        console::say("Warning: CLIENT_OBJECTID is the same as CLIENT_ID, but these are two ids.");
    }
    let credential = Credential::read(&settings)?;
    let cache = TokenCache::open(&config, cli.console.no_cache, Identity::App)?;
    Ok((config, credential, cache))
}

async fn run(
    cli: &Cli,
    config: &Config,
    credential: &Credential,
    cache: &TokenCache,
) -> Result<()> {
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
            None => cache.store(sign_in(&entra, config, credential, &claims).await?)?,
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

/// The client credentials grant (RFC 6749 section 4.4): the app proves its identity and gets a token for itself.
async fn sign_in(
    entra: &EntraClient,
    config: &Config,
    credential: &Credential,
    claims: &Claims,
) -> Result<TokenResponse> {
    console::say("Could not find a cached token, so fetching a new one.");
    // <request_token>
    let mut request = entra
        .exchange_client_credentials()
        .add_scopes(config.api_scopes())
        .add_extra_param("claims", claims.to_string());
    for (name, value) in credential.prove(entra.client_id(), entra.token_uri().url())? {
        request = request.add_extra_param(name, value);
    }
    let answer = request.request_async(entra.http()).await;
    // </request_token>
    answer.map_err(|error| match EntraError::from(error) {
        EntraError::Refused(refusal) => {
            anyhow!("Error encountered when requesting access token: {refusal}")
        }
        error => error.into(),
    })
}
