//! A local stand-in for Microsoft Entra ID and Microsoft Graph: a development tool, and no Microsoft product.
//!
//! Programs sign in here as they would at `login.microsoftonline.com` and call `/v1.0` as they would call Graph, with no
//! tenant and no internet. Tests make everything go wrong here that a real tenant shows once a year.
//!
//! ```no_run
//! use emulator::{Emulator, Options};
//!
//! let emulator = Emulator::start(Options { auto_sign_in: Some("contoso_employee@contoso.com".into()), ..Options::default() })?;
//! emulator.fault("token:status-503*2")?;
//! let settings = emulator.settings("device-code")?; // AUTHORITY, CLIENT_ID, … for the program under test
//! # anyhow::Ok(())
//! ```
//!
//! # A map
//!
//! The way of a request: `server` (connection, router) makes a `call` of it, `faults` may have something in store that
//! `spoil` carries out, `record` notes it down, `cors` says which scripts may read the answer, and one of these answers:
//!
//! | sign-in | Graph | people |
//! |---|---|---|
//! | `discovery`, `instance_discovery`, `user_realm` | `graph` (dispatch, refusals) | `pages::device_login`, `pages::login` (their steps in `pages::steps`) |
//! | `device_code`, `authorize` (a flow begins) | `graph::access` (who may) | `logout`, `pages::home` |
//! | `token` (one file per grant) | `graph::users`, `applications`, `registration` (writes to them), `service_principals`, `batch`, `userinfo`; `api` (for other tokens) | `admin` (record, faults, keys, sessions) |
//!
//! What they share is in `service`: the `directory` (seed data), `provider` (which kind of tenant is at which address),
//! `keys`, `tokens` and `id_token` (whose faults `forgery` carries out), `scopes`, `consents`, `browser_session`,
//! `redirect_uri`, `revocations`, `seal` (values that travel through clients) and the `clock`. `errors` is the table of
//! AADSTS codes, and of those of B2C.

mod admin;
mod api;
mod authorize;
mod browser_session;
pub mod ca;
mod call;
mod clock;
mod consents;
mod cors;
mod device_code;
mod directory;
mod discovery;
mod errors;
mod expiring;
pub mod faults;
mod forgery;
mod graph;
mod id_token;
mod instance_discovery;
mod keys;
mod logout;
mod pages;
mod provider;
mod record;
mod redirect_uri;
mod revocations;
mod scopes;
mod seal;
mod server;
mod service;
pub mod settings;
mod sign_in;
mod spoil;
mod token;
mod tokens;
mod user_realm;

use std::net::{IpAddr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, anyhow, bail};
use axum::http::{Uri, header::LOCATION};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use authorize::request::Request;
use ca::CertificateAuthority;
use call::{Call, Form};
use clock::Clock;
use errors::EntraError;
use keys::Key;
use provider::Names;
use scopes::{GRAPH, Scopes};
use service::Service;
use token::client_proof::ProofKind;
use tokens::{BrowserSignIn, UserGrant};

pub use directory::{
    Api, Application, Audience, Condition, Directory, FederatedCredential, FlowKind, SEED_DATA,
    Secret, Tenant, TenantKind, User, UserFlow,
};
pub use record::{MASK, Recorded};

/// The private key and certificate of the application `client-credentials`, as PEM.
pub const CLIENT_CERTIFICATE: &str = include_str!("../keys/client.pem");
/// The private key and certificate of the outside issuer that the application `client-credentials` trusts, as PEM.
pub const FEDERATED_ISSUER: &str = include_str!("../keys/federated-issuer.pem");

/// How an emulator is to be. The default suits a test: a free port on loopback, plain http, nobody signed in.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The address to listen on; none means a free port on 127.0.0.1.
    pub listen: Option<SocketAddr>,
    /// The user who signs in to every device code, between its first poll and its second, and to every authorization
    /// request that asks for no page: it is answered at once. At a tenant that does not know this user, the first one
    /// that it knows signs in instead; a `login_hint` names another.
    pub auto_sign_in: Option<String>,
    /// Faults to begin with.
    pub faults: Vec<String>,
    /// Seed data in place of the built-in one.
    pub seed_data: Option<String>,
    /// How many made-up users there are, in place of the number in the seed data.
    pub generate: Option<usize>,
    /// Seconds that the emulator's clock is ahead of the machine's.
    pub clock_offset: i64,
    /// Seconds that devices are told to wait between two polls; 5 as at Entra unless given.
    pub device_code_interval: Option<u64>,
    /// Seconds that an access token lives; 3599 unless given.
    pub token_lifetime: Option<u64>,
    /// Whether X-Forwarded-Proto and X-Forwarded-Host are believed (behind a proxy that sets them).
    pub trust_forwarded_headers: bool,
    /// Whether TLS is spoken too: one port serves both, and the address begins with `https://localhost`
    /// (at 127.0.0.1; elsewhere with the number).
    pub tls: bool,
    /// The file in which the CA is kept; none means a CA for this one emulator.
    pub ca_file: Option<PathBuf>,
    /// Further names of the server: in its certificate, and as Host of those whom `allow_remote_admin` lets in.
    pub tls_names: Vec<String>,
    /// Whether an address that other machines can reach may be listened on.
    pub allow_remote: bool,
    /// Whether other machines may use the home page and `/_emulator/…` too: set faults, read the record.
    pub allow_remote_admin: bool,
    /// Whether answers are kept, for a trace.
    pub trace: bool,
}

/// A running emulator, on threads of its own. It stops when this is dropped.
#[derive(Debug)]
pub struct Emulator {
    service: Arc<Service>,
    url: String,
    runtime: Option<Runtime>,
}

impl Emulator {
    /// Starts an emulator; when this returns, it answers.
    pub fn start(options: Options) -> anyhow::Result<Self> {
        let address = options
            .listen
            .unwrap_or(SocketAddr::from(([127, 0, 0, 1], 0)));
        if !address.ip().is_loopback() && !options.allow_remote {
            bail!(
                "{address} can be reached by other machines, and this is a toy with known keys and passwords: add --allow-remote if you mean it"
            );
        }
        let mut service = Service::new(&options)?;
        let listener =
            TcpListener::bind(address).with_context(|| format!("cannot listen on {address}"))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let mut url = format!("http://{address}");
        let mut tls = None;
        if options.tls {
            let ca = options
                .ca_file
                .as_deref()
                .map_or_else(CertificateAuthority::create, CertificateAuthority::kept_in)?;
            // The real time: the certificate is for clients, whose clocks are not moved.
            tls = Some(ca.server(
                Clock::default().now(),
                &ca::server_names(address.ip(), &options.tls_names),
            )?);
            service.ca_pem = Some(ca.pem().to_owned());
            // Most programs know this machine by its name, which stands for no other address of loopback.
            let ip = address.ip();
            url = if ip.is_unspecified() || ip == IpAddr::from([127, 0, 0, 1]) {
                format!("https://localhost:{}", address.port())
            } else {
                format!("https://{address}")
            };
        }

        let service = Arc::new(service);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("emulator")
            .enable_all()
            .build()?;
        let listener = {
            let _guard = runtime.enter();
            tokio::net::TcpListener::from_std(listener)?
        };
        runtime.spawn(server::serve(listener, service.clone(), tls));
        Ok(Self {
            service,
            url,
            runtime: Some(runtime),
        })
    }

    /// The address, without a slash at its end.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The CA certificate that a client has to trust, if TLS is spoken.
    pub fn ca_pem(&self) -> Option<&str> {
        self.service.ca_pem.as_deref()
    }

    /// The settings of an application, by its key in the seed data, as environment variables.
    pub fn settings(&self, key: &str) -> anyhow::Result<Vec<(String, String)>> {
        self.service
            .settings(&self.url, key)
            .with_context(|| format!("there is no application '{key}' in the seed data"))
    }

    /// Tenants, people and applications.
    pub fn directory(&self) -> &Directory {
        &self.service.directory
    }

    /// Sets a fault, such as `token:status-503*2`.
    pub fn fault(&self, spec: &str) -> anyhow::Result<()> {
        self.service.faults.add(spec)
    }

    /// Takes back all faults that are still to come.
    pub fn clear_faults(&self) {
        self.service.faults.clear();
    }

    /// The requests so far, oldest first.
    pub fn requests(&self) -> Vec<Recorded> {
        self.service.record.list()
    }

    /// Forgets the requests so far.
    pub fn clear_requests(&self) {
        self.service.record.clear();
    }

    /// Moves the emulator's clock on, so that codes and tokens expire.
    pub fn advance_clock(&self, seconds: i64) {
        self.service.clock.advance(seconds);
    }

    /// Signs tokens with a new key from now on.
    pub fn rotate_keys(&self) {
        self.service.keys.rotate();
    }

    /// The codes that somebody could type in now, oldest first.
    pub fn pending_codes(&self) -> Vec<String> {
        self.service
            .device_codes
            .pending(self.service.clock.now())
            .into_iter()
            .map(|code| code.user_code)
            .collect()
    }

    /// Types a code in, signs a user in and agrees to everything.
    pub fn sign_in(&self, user_code: &str, user: &str) -> anyhow::Result<()> {
        let code = self
            .service
            .device_codes
            .typed(user_code, |code| code.clone())
            .with_context(|| format!("there is no code {user_code}"))?;
        let authority = self
            .service
            .directory
            .authority(&code.authority)
            .map_err(refused)?;
        let user = self
            .service
            .directory
            .account(authority, user)
            .map_err(refused)?;
        self.service.sign_in_to_code(&code, &user).map_err(refused)
    }

    /// Types a code in and presses Cancel.
    pub fn decline(&self, user_code: &str) -> anyhow::Result<()> {
        let declined = self.service.device_codes.typed(user_code, |code| {
            code.progress = device_code::Progress::Declined
        });
        declined.with_context(|| format!("there is no code {user_code}"))
    }

    /// Lets a code expire at once.
    pub fn expire(&self, user_code: &str) -> anyhow::Result<()> {
        let expired = self
            .service
            .device_codes
            .typed(user_code, |code| code.expires = 0);
        expired.with_context(|| format!("there is no code {user_code}"))
    }

    /// Ends all sessions of a user (by name or id) or an application (by client id): refresh tokens issued so far are
    /// refused, and Graph answers access tokens issued so far with a claims challenge.
    pub fn revoke(&self, name: &str) -> anyhow::Result<()> {
        self.service.revoke(name)
    }

    /// Has Graph answer the access tokens issued so far with a claims challenge; refresh tokens stay good.
    pub fn challenge(&self, name: &str) -> anyhow::Result<()> {
        self.service
            .revocations
            .challenge(self.service.clock.now(), self.service.owner(name)?);
        Ok(())
    }

    /// The names of the published keys; the first one signs.
    pub fn key_ids(&self) -> Vec<String> {
        let keys = self.service.keys.published();
        keys.map(|key| key.kid().to_owned()).collect()
    }

    /// Where an authorization request (its whole address) sends the browser once this user has signed in and agreed to
    /// everything: the redirect URI with code and state, or with an error.
    pub fn authorize(&self, address: &str, user: &str) -> anyhow::Result<String> {
        let (service, mut call) = (&self.service, self.internal_call());
        let uri: Uri = address.parse().context("this is no address")?;
        call.query = Form::parse(uri.query().unwrap_or_default().as_bytes());
        let names = Names::of_path(uri.path())
            .with_context(|| format!("{} is no authorization endpoint", uri.path()))?
            .with_query(&service.directory, &call.query);
        let response = match Request::read(service, &call, &names, &call.query) {
            Ok(request) => {
                let authority = service
                    .directory
                    .authority(&names.tenant)
                    .map_err(refused)?;
                let user = service
                    .directory
                    .account(authority, user)
                    .map_err(refused)?;
                pages::login::answer_as(service, &call, request, user.id)
            }
            Err(refusal) => match refusal.target {
                Some(target) => target.refusal(service, &call, &refusal.error),
                None => return Err(refused(refusal.error)),
            },
        };
        let location = response
            .headers()
            .get(LOCATION)
            .context("a form_post answer has no address")?;
        Ok(location.to_str()?.to_owned())
    }

    /// Takes back what a user has allowed an application; what an admin has granted stays.
    pub fn withdraw_consent(&self, user: &str, application: &str) -> anyhow::Result<()> {
        let found = self
            .service
            .directory
            .user(user)
            .with_context(|| format!("there is no user '{user}'"))?;
        let now = self.service.clock.now();
        let application = self.application(application)?;
        self.service.consents.withdraw(now, &found, application);
        Ok(())
    }

    /// An access token for Graph, as if a user had signed in and agreed to everything.
    pub fn user_token(&self, user: &str, application: &str, scope: &str) -> anyhow::Result<String> {
        let (service, call) = (&self.service, self.internal_call());
        let user = service
            .directory
            .user(user)
            .with_context(|| format!("there is no user '{user}'"))?;
        let tenant = service
            .directory
            .tenant_of(&user)
            .context("the user is of no tenant")?
            .id;
        let application = self.application(application)?;
        let scopes = Scopes::parse(scope, &self.url, &service.directory.apis).map_err(refused)?;
        service.consents.give(call.now, &user, application, &scopes);
        let grant = UserGrant {
            user: &user,
            tenant,
            application,
            scopes,
            proof: ProofKind::None,
            browser: BrowserSignIn::default(),
        };
        access_token(&service.user_answer(&call, &grant).map_err(refused)?)
    }

    /// An access token for Graph, as if an application had proved itself by a secret.
    pub fn application_token(&self, application: &str) -> anyhow::Result<String> {
        let application = self.application(application)?;
        let tenant = self
            .service
            .directory
            .tenant(&application.tenant)
            .context("the application is of no tenant")?
            .id;
        let answer = self.service.application_answer(
            &self.internal_call(),
            GRAPH,
            tenant,
            application,
            ProofKind::Secret,
        );
        access_token(&answer.map_err(refused)?)
    }

    /// A token of the outside issuer that the first federated credential of an application trusts: what a platform
    /// would put into the file that AZURE_FEDERATED_TOKEN_FILE names.
    pub fn federated_token(&self, application: &str) -> anyhow::Result<String> {
        let credential = self
            .application(application)?
            .federated_credentials
            .first()
            .context("the application has no federated credential")?;
        let now = self.service.clock.now();
        let claims = json!({ "iss": credential.issuer, "sub": credential.subject, "aud": credential.audience, "iat": now, "nbf": now, "exp": now + 3600 });
        Key::from_pem(FEDERATED_ISSUER)?.sign(json!({ "typ": "JWT", "alg": "RS256" }), &claims)
    }

    fn internal_call(&self) -> Call {
        Call::internal(&self.url, self.service.clock.now())
    }

    fn application(&self, name: &str) -> anyhow::Result<&Application> {
        let directory = &self.service.directory;
        directory
            .application_by_key(name)
            .or_else(|| directory.application(name))
            .with_context(|| format!("there is no application '{name}'"))
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn refused(error: EntraError) -> anyhow::Error {
    anyhow!("{}", error.headline())
}

fn access_token(answer: &Value) -> anyhow::Result<String> {
    Ok(answer
        .get("access_token")
        .and_then(Value::as_str)
        .context("there is no access token in the answer")?
        .to_owned())
}

/// A lock's content. A panic elsewhere leaves plain data behind, which is as good as before.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
