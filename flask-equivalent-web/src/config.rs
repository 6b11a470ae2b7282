//! The settings of the web app.

use std::net::IpAddr;

use clap::Parser;
use common::{
    authority::{Authority, Cloud, Kind, is_loopback, secure_url},
    config::{Args, ConfigError, Setting, Settings, default_endpoint, endpoint, guid},
    credential::{Credential, CredentialArgs},
};
use oauth2::url::Url;

/// Sign users in with OpenID Connect and call Microsoft Graph as them
#[derive(Debug, Parser)]
#[command(version)]
pub struct Cli {
    #[command(flatten)]
    settings: Args,
    #[command(flatten)]
    credential: CredentialArgs,
    /// Where the provider sends the browser back to [setting: REDIRECT_URI]
    #[arg(long, value_name = "URL")]
    redirect_uri: Option<String>,
    /// The address to listen on
    #[arg(long, default_value = "127.0.0.1", value_name = "ADDRESS")]
    pub host: IpAddr,
    /// The port to listen on [default: that of a loopback REDIRECT_URI, else 5000]
    #[arg(long)]
    pub port: Option<u16>,
    /// An OpenID provider, in the place of AUTHORITY [setting: OIDC_AUTHORITY]
    #[arg(long, value_name = "URL")]
    oidc_authority: Option<String>,
    /// An Azure AD B2C tenant, in the place of AUTHORITY [setting: B2C_TENANT_NAME]
    #[arg(long, value_name = "NAME")]
    b2c_tenant_name: Option<String>,
    /// The user flow that signs people in [setting: SIGNUPSIGNIN_USER_FLOW]
    #[arg(long, value_name = "NAME")]
    signupsignin_user_flow: Option<String>,
    /// The user flow that edits a profile [setting: EDITPROFILE_USER_FLOW]
    #[arg(long, value_name = "NAME")]
    editprofile_user_flow: Option<String>,
    /// The user flow for a forgotten password [setting: RESETPASSWORD_USER_FLOW]
    #[arg(long, value_name = "NAME")]
    resetpassword_user_flow: Option<String>,
    /// Where sessions are, for several instances: redis:// or rediss:// [setting: SESSION_STORE]
    #[arg(long, value_name = "URL")]
    session_store: Option<String>,
    /// Believe X-Forwarded-Proto and X-Forwarded-Host of the proxy in front [setting: TRUST_FORWARDED_HEADERS]
    #[arg(long)]
    trust_forwarded_headers: bool,
}

/// The keys of a parameters file that this sample has beside the shared ones.
const KEYS: &[(&str, &str)] = &[
    ("redirect_uri", "REDIRECT_URI"),
    ("client_certificate", "CLIENT_CERTIFICATE"),
    ("oidc_authority", "OIDC_AUTHORITY"),
    ("b2c_tenant_name", "B2C_TENANT_NAME"),
    ("signupsignin_user_flow", "SIGNUPSIGNIN_USER_FLOW"),
    ("editprofile_user_flow", "EDITPROFILE_USER_FLOW"),
    ("resetpassword_user_flow", "RESETPASSWORD_USER_FLOW"),
    ("session_store", "SESSION_STORE"),
    ("trust_forwarded_headers", "TRUST_FORWARDED_HEADERS"),
];

/// What the server needs even if nobody can sign in yet.
pub struct Config {
    pub redirect_uri: RedirectUri,
    pub session_store: Option<String>,
    pub trust_forwarded_headers: bool,
    /// The app registration, or the setting that is still missing from it.
    pub app: Result<AppConfig, ConfigError>,
}

/// The app registration.
pub struct AppConfig {
    pub client_id: String,
    pub credential: Credential,
    pub tenant: Tenant,
    pub scopes: Vec<String>,
    pub endpoint: Option<Url>,
}

/// Who signs users in.
pub enum Tenant {
    /// Microsoft Entra ID, or External ID.
    Entra(Authority),
    /// Any OpenID provider, by its issuer.
    Oidc(Url),
    /// Azure AD B2C.
    B2c(UserFlows),
}

/// The user flows of a B2C tenant.
pub struct UserFlows {
    /// The tenant at its login host, to which a user flow is added.
    pub tenant: Url,
    pub sign_in: String,
    pub edit_profile: Option<String>,
    pub reset_password: Option<String>,
}

/// Where the provider sends the browser back to, which also says where the app is reached.
#[derive(Clone)]
pub struct RedirectUri {
    /// As it was written, since providers compare letter by letter.
    pub text: String,
    pub url: Url,
    /// The path up to the last slash, where `login` and `logout` are as well.
    pub folder: String,
}

impl Config {
    /// Reads and checks the settings. A missing or placeholder value of the app registration is left for the page that
    /// explains it.
    pub fn load(cli: &Cli) -> Result<Self, ConfigError> {
        let trust = cli.trust_forwarded_headers.then(|| "1".to_owned());
        let settings = Settings::read_with_keys(&cli.settings, env!("CARGO_MANIFEST_DIR"), KEYS)?;
        let settings = [
            ("REDIRECT_URI", &cli.redirect_uri),
            ("OIDC_AUTHORITY", &cli.oidc_authority),
            ("B2C_TENANT_NAME", &cli.b2c_tenant_name),
            ("SIGNUPSIGNIN_USER_FLOW", &cli.signupsignin_user_flow),
            ("EDITPROFILE_USER_FLOW", &cli.editprofile_user_flow),
            ("RESETPASSWORD_USER_FLOW", &cli.resetpassword_user_flow),
            ("SESSION_STORE", &cli.session_store),
            ("TRUST_FORWARDED_HEADERS", &trust),
        ]
        .into_iter()
        .fold(cli.credential.add_to(settings), |settings, (name, flag)| {
            settings.with_flag(name, flag)
        });
        Ok(Self {
            redirect_uri: RedirectUri::read(&settings)?,
            session_store: session_store(&settings)?,
            trust_forwarded_headers: switch(settings.get("TRUST_FORWARDED_HEADERS")?)?,
            app: AppConfig::read(&settings)?,
        })
    }
}

/// What is unfinished is told later, so that it does not hide what is wrong.
fn unless_wrong<T>(read: Result<T, ConfigError>) -> Result<Result<T, ConfigError>, ConfigError> {
    match read {
        Err(error) if !is_unfinished(&error) => Err(error),
        read => Ok(read),
    }
}

/// The three settings that everybody begins without.
fn is_unfinished(error: &ConfigError) -> bool {
    let (ConfigError::Missing { name } | ConfigError::Placeholder { name, .. }) = error else {
        return false;
    };
    ["CLIENT_ID", "CLIENT_SECRET", "AUTHORITY"].contains(name)
}

impl AppConfig {
    fn read(settings: &Settings) -> Result<Result<Self, ConfigError>, ConfigError> {
        let tenant = unless_wrong(Tenant::read(settings))?;
        let client_id = settings.require("CLIENT_ID");
        let client_id = unless_wrong(client_id.and_then(|setting| match &tenant {
            Ok(Tenant::Oidc(_)) => Ok(setting.value().trim().to_owned()),
            _ => guid(&setting),
        }))?;
        let credential = unless_wrong(Credential::read(settings))?;
        let (cloud, default_endpoint, default_scope) = match &tenant {
            Ok(Tenant::Entra(authority)) => (
                authority.cloud(),
                Some(default_endpoint(authority, "/v1.0/me")?),
                "User.Read",
            ),
            _ => (Cloud::Global, None, ""),
        };
        let endpoint = match settings.get("ENDPOINT")? {
            Some(setting) => Some(endpoint(&setting, cloud)?),
            None => default_endpoint,
        };
        let scope = settings.get("SCOPE")?;
        let scope = scope.as_ref().map_or(default_scope, Setting::value);
        let scopes = scope.split_whitespace().map(str::to_owned).collect();
        Ok(tenant.and_then(|tenant| {
            Ok(Self {
                client_id: client_id?,
                credential: credential?,
                tenant,
                scopes,
                endpoint,
            })
        }))
    }
}

impl Tenant {
    fn read(settings: &Settings) -> Result<Self, ConfigError> {
        const NAMES: [&str; 3] = ["AUTHORITY", "OIDC_AUTHORITY", "B2C_TENANT_NAME"];
        let mut found = Vec::new();
        for name in NAMES {
            found.extend(settings.get(name)?.map(|setting| (name, setting)));
        }
        match found.as_slice() {
            [("OIDC_AUTHORITY", setting)] => {
                let url = secure_url(setting.value().trim().trim_end_matches('/'))
                    .map_err(|problem| setting.invalid(problem))?;
                match (url.query(), url.fragment()) {
                    (None, None) => Ok(Self::Oidc(url)),
                    _ => {
                        Err(setting.invalid("has a query or a fragment, which an issuer never has"))
                    }
                }
            }
            [("B2C_TENANT_NAME", setting)] => UserFlows::read(settings, setting).map(Self::B2c),
            [(_, setting)] => {
                let authority = Authority::parse(setting.value().trim())
                    .map_err(|problem| setting.invalid(problem))?;
                match authority.kind() {
                    Kind::B2c { .. } => Err(setting.invalid(
                        "is of Azure AD B2C; set B2C_TENANT_NAME and SIGNUPSIGNIN_USER_FLOW in its place",
                    )),
                    _ => Ok(Self::Entra(authority)),
                }
            }
            [] => Err(ConfigError::Missing { name: "AUTHORITY" }),
            [(one, _), (other, _), ..] => Err(ConfigError::Usage(format!(
                "{one} and {other} are both set, but users sign in at one of them. Unset the other."
            ))),
        }
    }
}

impl UserFlows {
    fn read(settings: &Settings, tenant_name: &Setting) -> Result<Self, ConfigError> {
        let flow = |setting: Option<Setting>| match setting {
            Some(setting) => name(&setting).map(Some),
            None => Ok(None),
        };
        Ok(Self {
            tenant: b2c_tenant(tenant_name)?,
            sign_in: name(&settings.require("SIGNUPSIGNIN_USER_FLOW")?)?,
            edit_profile: flow(settings.get("EDITPROFILE_USER_FLOW")?)?,
            reset_password: flow(settings.get("RESETPASSWORD_USER_FLOW")?)?,
        })
    }
}

/// A tenant by its name, or, at a custom domain, by the URL of the tenant there.
fn b2c_tenant(setting: &Setting) -> Result<Url, ConfigError> {
    let text = setting.value().trim();
    let url = match text.contains("://") {
        true => text.trim_end_matches('/').to_owned(),
        false => {
            let name = name(setting)?;
            format!("https://{name}.b2clogin.com/{name}.onmicrosoft.com")
        }
    };
    secure_url(&url).map_err(|problem| setting.invalid(problem))
}

/// A name that becomes part of a URL.
fn name(setting: &Setting) -> Result<String, ConfigError> {
    let name = setting.value().trim();
    match name
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
    {
        true => Ok(name.to_owned()),
        false => Err(setting.invalid("is no name: it has more than letters, digits, - and _")),
    }
}

impl RedirectUri {
    fn read(settings: &Settings) -> Result<Self, ConfigError> {
        let Some(setting) = settings.get("REDIRECT_URI")? else {
            let text = "http://localhost:5000/getAToken";
            let url = Url::parse(text).map_err(|error| ConfigError::Usage(error.to_string()))?;
            return Ok(Self {
                text: text.into(),
                url,
                folder: "/".into(),
            });
        };
        let text = setting.value().trim().to_owned();
        let url = secure_url(&text).map_err(|problem| setting.invalid(problem))?;
        if url.query().is_some() || url.fragment().is_some() {
            return Err(setting.invalid("has a query or a fragment"));
        }
        if url.path().contains('%') {
            return Err(setting.invalid(
                "has a character in its path that can be written in several ways; use letters, digits, - and _",
            ));
        }
        let (folder, page) = url.path().rsplit_once('/').unwrap_or_default();
        let taken = ["/", "/call_api", "/health"].contains(&url.path())
            || ["login", "logout", "edit_profile"].contains(&page);
        if taken {
            return Err(setting.invalid(
                "has a path that the app uses for a page of its own; /getAToken is usual",
            ));
        }
        let folder = format!("{folder}/");
        Ok(Self { text, url, folder })
    }

    /// Whether browsers reach the app by this machine's own name.
    pub fn is_loopback(&self) -> bool {
        is_loopback(&self.url)
    }

    /// Scheme, host and port.
    pub fn origin(&self) -> String {
        self.url.origin().ascii_serialization()
    }

    /// The path of a page in the same folder.
    pub fn sibling(&self, page: &str) -> String {
        format!("{}{page}", self.folder)
    }
}

fn session_store(settings: &Settings) -> Result<Option<String>, ConfigError> {
    let Some(setting) = settings.get("SESSION_STORE")? else {
        return Ok(None);
    };
    let url = setting.value().trim();
    let scheme = Url::parse(url).map(|url| url.scheme().to_owned());
    match scheme.as_deref() {
        Ok("redis" | "rediss") => Ok(Some(url.to_owned())),
        _ => Err(setting.invalid("is no redis:// or rediss:// URL")),
    }
}

fn switch(setting: Option<Setting>) -> Result<bool, ConfigError> {
    let Some(setting) = setting else {
        return Ok(false);
    };
    match setting.value().trim() {
        "1" | "true" => Ok(true),
        "0" | "false" => Ok(false),
        _ => Err(setting.invalid("is neither 1 nor 0")),
    }
}
