//! A web app that signs users in with OpenID Connect and calls Microsoft Graph as them.
//! Read beside it: <https://learn.microsoft.com/entra/identity-platform/quickstart-web-app-python-sign-in>
//! and <https://learn.microsoft.com/entra/identity-platform/v2-oauth2-auth-code-flow>

mod app;
mod config;
mod error;
mod guard;
mod handlers;
mod id_token;
mod pages;
mod provider;
mod session;
mod store;

use std::{
    future::Future,
    io,
    net::{SocketAddr, TcpListener},
    process::ExitCode,
    time::Duration,
};

use actix_web::{App as Server, HttpServer, middleware::from_fn, rt::signal, web, web::Data};
use anyhow::Context;
use app::App;
use clap::Parser;
use common::{config::ConfigError, console, log};
use config::{Cli, Config};
use error::AppError;
use guard::{Front, Guard};
use store::Store;

/// How long a client may take to send a request.
const PATIENCE: Duration = Duration::from_secs(15);
/// How many seconds requests have to come to their end when the server stops.
const FAREWELL: u64 = 30;

#[actix_web::main]
async fn main() -> ExitCode {
    allow_connections();
    // A server's log is its only voice.
    log::start(&["common", "flask_equivalent_web"]);
    let cli = Cli::parse();
    let config = match Config::load(&cli) {
        Ok(config) => config,
        Err(error) => return console::misconfigured(&error),
    };
    match serve(&cli, config).await {
        Ok(status) => status,
        Err(error) => {
            console::say(format_args!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

async fn serve(cli: &Cli, config: Config) -> anyhow::Result<ExitCode> {
    let own_port = config
        .redirect_uri
        .url
        .port_or_known_default()
        .filter(|_| config.redirect_uri.is_loopback());
    let port = cli.port.or(own_port).unwrap_or(5000);
    if !cli.host.is_loopback() {
        console::say(format_args!(
            "Warning: {} can be reached by other machines. In front of the app belongs a proxy that speaks TLS.",
            cli.host
        ));
    }
    if own_port.is_some_and(|own| own != port) {
        console::say(format_args!(
            "Warning: the app listens on port {port}, but REDIRECT_URI ({}) leads to another one.",
            config.redirect_uri.text
        ));
    }
    let address = SocketAddr::from((cli.host, port));
    let listener = TcpListener::bind(address).with_context(|| {
        format!("{address} cannot be listened on (REDIRECT_URI or --port chooses another port)")
    })?;
    run(listener, config, interrupt()?).await
}

/// Serves until `shutdown` says how to end, and lets the requests under way come to their end.
async fn run(
    listener: TcpListener,
    config: Config,
    shutdown: impl Future<Output = ExitCode>,
) -> anyhow::Result<ExitCode> {
    let front = Front {
        redirect_uri: config.redirect_uri,
        trust_forwarded_headers: config.trust_forwarded_headers,
    };
    let guard = Data::new(Guard::new(front.clone()));
    let origin = front.redirect_uri.origin();
    let app = match config.app {
        Ok(app) => {
            let name = format!("{} {}", app.client_id, front.redirect_uri.text);
            let store = Store::open(&name, config.session_store.as_deref()).await?;
            Ok(Data::new(App::new(app, front, store).await?))
        }
        Err(error) => Err(error),
    };
    if let Err(error) = &app {
        console::say(format_args!("Almost there: {error}"));
    }
    let app = app.map_err(|error: ConfigError| Data::new(error));
    let server = HttpServer::new(move || {
        let server = Server::new()
            .app_data(guard.clone())
            .wrap(from_fn(guard::guard));
        match app.clone() {
            Ok(app) => server.configure(handlers::routes(app)),
            Err(error) => server
                .app_data(error)
                .route("/health", web::get().to(handlers::health))
                .default_service(web::to(almost_there)),
        }
    })
    .client_request_timeout(PATIENCE)
    .shutdown_timeout(FAREWELL)
    .disable_signals()
    .listen(listener)?
    .run();
    console::say(format_args!(
        "Open {origin}/ in a browser. Ctrl-C stops the app."
    ));

    let handle = server.handle();
    tokio::pin!(server);
    tokio::select! {
        ended = &mut server => {
            ended.context("the server has stopped")?;
            Ok(ExitCode::FAILURE)
        }
        status = shutdown => {
            tokio::join!(handle.stop(true), server).1.context("the server did not stop well")?;
            Ok(status)
        }
    }
}

/// Every page, while a setting is missing.
async fn almost_there(error: Data<ConfigError>) -> Result<&'static str, AppError> {
    Err(AppError::almost_there(&error))
}

/// Each connection is an open file, of which many systems allow a thousand unless they are asked for more: slow clients
/// would soon have them all.
#[cfg(unix)]
fn allow_connections() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // Where that is not granted, the app runs all the same.
    let _ = setrlimit(Resource::Nofile, limit);
}

#[cfg(not(unix))]
fn allow_connections() {}

/// Ctrl-C ends with 130, as in a shell; a service manager's SIGTERM with 0. Signals count from this call on, since one
/// may come as soon as the app has said that it is there.
#[cfg(unix)]
fn interrupt() -> io::Result<impl Future<Output = ExitCode>> {
    use signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => ExitCode::from(130),
            _ = terminate.recv() => ExitCode::SUCCESS,
        }
    })
}

#[cfg(not(unix))]
fn interrupt() -> io::Result<impl Future<Output = ExitCode>> {
    Ok(async {
        let _ = signal::ctrl_c().await;
        ExitCode::from(130)
    })
}
