//! Settings: which value counts, where it was read from, and where a person finds it.
//!
//! Strongest first: command-line flag, environment, `.env` of the sample's own folder, `.env` of the working
//! directory, JSON parameters file.

pub(crate) mod sources;

use std::{
    collections::HashMap,
    env, fmt,
    path::{Path, PathBuf},
};

use oauth2::{Scope, url::Url};

use self::sources::{dot_env, found_at, is_placeholder, parameters, set_by};
use crate::{
    authority::{Authority, Cloud, Kind, is_loopback, secure_url},
    log, text,
};

/// Command-line arguments that every sample has. Secrets and passwords have no flag, because a command line is
/// seen by every process of the machine.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A JSON file with settings, weaker than flags, environment and .env
    #[arg(value_name = "PARAMETERS_JSON")]
    parameters: Option<PathBuf>,
    /// Who signs in: https://login.microsoftonline.com/<tenant> [setting: AUTHORITY]
    #[arg(long, value_name = "URL")]
    authority: Option<String>,
    /// The Application (client) ID of the app registration [setting: CLIENT_ID]
    #[arg(long, value_name = "GUID")]
    client_id: Option<String>,
    /// The permissions to ask for, separated by spaces [setting: SCOPE]
    #[arg(long, value_name = "SCOPES")]
    scope: Option<String>,
    /// The full URL to call [setting: ENDPOINT]
    #[arg(long, value_name = "URL")]
    endpoint: Option<String>,
    /// Log every request to stderr, never a secret (RUST_LOG chooses finer)
    #[arg(short, long)]
    verbose: bool,
}

/// Command-line arguments of the console samples.
#[derive(Debug, clap::Args)]
pub struct ConsoleArgs {
    /// Follow @odata.nextLink to the end and print all pages as one document
    #[arg(long)]
    pub all: bool,
    /// Neither read nor write the token cache
    #[arg(long)]
    pub no_cache: bool,
}

/// What can be wrong before the first request: exit status 2.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A setting that the sample needs is nowhere to be found.
    #[error("{name} is not set.\nIt is {}.\nSet it {}.", found_at(.name), set_by(.name))]
    Missing {
        /// The setting.
        name: &'static str,
    },
    /// A setting has a value that cannot be right.
    #[error("{name} (from {origin}) {problem}.\nIt is {}.", found_at(.name))]
    Invalid {
        /// The setting.
        name: &'static str,
        /// Where the value was read from.
        origin: Origin,
        /// A clause that follows the name.
        problem: String,
    },
    /// A setting still has the text that a sample puts where a value belongs.
    #[error("{name} (from {origin}) is still a placeholder.\nIt is {}.", found_at(.name))]
    Placeholder {
        /// The setting.
        name: &'static str,
        /// Where the value was read from.
        origin: Origin,
    },
    /// A file with settings cannot be used.
    #[error("{}: {problem}.", path.display())]
    File {
        /// The file as the user named it.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The settings are fine one by one, but not together or not here.
    #[error("{0}")]
    Usage(String),
}

/// Where a value was read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The command line.
    Flag,
    /// An environment variable.
    Environment,
    /// A `.env` file.
    DotEnv(PathBuf),
    /// The JSON parameters file.
    Parameters(PathBuf),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag => f.write_str("the command line"),
            Self::Environment => f.write_str("the environment"),
            Self::DotEnv(path) | Self::Parameters(path) => path.display().fmt(f),
        }
    }
}

/// One value with its origin. It may be a secret, so it cannot be printed.
pub struct Setting {
    name: &'static str,
    value: String,
    /// Where the value was read from.
    pub origin: Origin,
}

impl Setting {
    /// The value as it was written.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// An error about this value: `problem` is a clause that follows the name of the setting.
    pub fn invalid(&self, problem: impl Into<String>) -> ConfigError {
        ConfigError::Invalid {
            name: self.name,
            origin: self.origin.clone(),
            problem: problem.into(),
        }
    }
}

/// The settings of all sources, before anyone has judged them.
pub struct Settings {
    layers: Vec<(Origin, HashMap<&'static str, String>)>,
}

impl Settings {
    /// Reads the parameters file and both `.env` files, and starts the log. `sample_folder` is the folder of the
    /// sample's own `Cargo.toml`.
    ///
    /// # Errors
    /// A file that cannot be read or parsed, or a parameters file with a value of the wrong type.
    pub fn read(args: &Args, sample_folder: &str) -> Result<Self, ConfigError> {
        Self::read_with_keys(args, sample_folder, &[])
    }

    /// The same, with more keys of the parameters file and the settings that they stand for.
    ///
    /// # Errors
    /// As [`Settings::read`].
    pub fn read_with_keys(
        args: &Args,
        sample_folder: &str,
        more_keys: &[(&str, &'static str)],
    ) -> Result<Self, ConfigError> {
        log::start(if args.verbose { &["common"] } else { &[] });
        let flags = [
            ("AUTHORITY", &args.authority),
            ("CLIENT_ID", &args.client_id),
            ("SCOPE", &args.scope),
            ("ENDPOINT", &args.endpoint),
        ];
        let flags = flags
            .into_iter()
            .filter_map(|(name, value)| Some((name, value.clone()?)))
            .collect();
        let mut layers = vec![(Origin::Flag, flags), (Origin::Environment, HashMap::new())];
        // A working directory that is the sample's own folder is read once.
        let own = Path::new(sample_folder).join(".env");
        let here = PathBuf::from(".env");
        let same = own.canonicalize().ok() == here.canonicalize().ok();
        for path in [Some(own), (!same).then_some(here)].into_iter().flatten() {
            // Some keep a folder of this name, for example a Python environment.
            if path.is_file() {
                let values = dot_env(&path)?;
                layers.push((Origin::DotEnv(path), values));
            }
        }
        if let Some(path) = &args.parameters {
            layers.push((
                Origin::Parameters(path.clone()),
                parameters(path, more_keys)?,
            ));
        }
        Ok(Self { layers })
    }

    /// Adds the flag of one sample: the strongest source.
    pub fn with_flag(mut self, name: &'static str, value: &Option<String>) -> Self {
        if let (Some(value), Some((_, flags))) = (value, self.layers.first_mut()) {
            flags.insert(name, value.clone());
        }
        self
    }

    /// The parameters file, if it has a value for this setting, whether or not that value counts.
    pub fn parameters_file_with(&self, name: &str) -> Option<&Path> {
        self.layers
            .iter()
            .find_map(|(origin, values)| match origin {
                Origin::Parameters(path) if values.contains_key(name) => Some(path.as_path()),
                _ => None,
            })
    }

    /// The strongest value of a setting, if there is one.
    ///
    /// # Errors
    /// A value that is blank, a placeholder, or no Unicode.
    pub fn get(&self, name: &'static str) -> Result<Option<Setting>, ConfigError> {
        for (origin, values) in &self.layers {
            let value = match origin {
                Origin::Environment => env::var_os(name).map(|value| value.into_string().ok()),
                _ => values.get(name).cloned().map(Some),
            };
            let Some(value) = value else { continue };
            let setting = Setting {
                name,
                value: value.clone().unwrap_or_default(),
                origin: origin.clone(),
            };
            return match value {
                None => Err(setting.invalid("is not valid Unicode")),
                Some(value) if value.trim().is_empty() => Err(setting.invalid("is blank")),
                Some(value) if is_placeholder(name, &value) => Err(ConfigError::Placeholder {
                    name,
                    origin: origin.clone(),
                }),
                Some(_) => Ok(Some(setting)),
            };
        }
        Ok(None)
    }

    /// The strongest value of a setting that the sample cannot do without.
    ///
    /// # Errors
    /// As [`Settings::get`], and a value that is missing.
    pub fn require(&self, name: &'static str) -> Result<Setting, ConfigError> {
        self.get(name)?.ok_or(ConfigError::Missing { name })
    }
}

/// The settings that every sample needs, checked.
pub struct Config {
    /// Who signs in.
    pub authority: Authority,
    authority_setting: Setting,
    /// The Application (client) ID, a GUID.
    pub client_id: String,
    /// The URL to call.
    pub endpoint: Url,
    /// Where a browser returns to, as it was written, since Entra ID compares letter by letter.
    pub redirect_uri: Option<String>,
    scopes: Vec<String>,
}

impl Config {
    /// Checks the settings that all samples share. `default_scope` and `default_path` (a path of Microsoft Graph)
    /// are the sample's own; `{resource}` in a default scope stands for Microsoft Graph in ENDPOINT's cloud.
    ///
    /// # Errors
    /// The first setting that is missing or cannot be right.
    pub fn new(
        settings: &Settings,
        default_scope: &str,
        default_path: &str,
    ) -> Result<Self, ConfigError> {
        let authority_setting = settings.require("AUTHORITY")?;
        let authority = Authority::parse(authority_setting.value().trim())
            .map_err(|problem| authority_setting.invalid(problem))?;

        let setting = settings.require("CLIENT_ID")?;
        let client_id = guid(&setting)?;

        let endpoint = match settings.get("ENDPOINT")? {
            Some(setting) => endpoint(&setting, authority.cloud())?,
            None => default_endpoint(&authority, default_path)?,
        };

        let redirect_uri = match settings.get("REDIRECT_URI")? {
            Some(setting) => Some(redirect_uri(&setting)?),
            None => None,
        };

        let scope = match settings.get("SCOPE")? {
            Some(setting) => setting.value().to_owned(),
            None => default_scope.replace("{resource}", &resource(&endpoint, &authority)),
        };
        let scopes = scope.split_whitespace().map(str::to_owned).collect();
        Ok(Self {
            authority,
            authority_setting,
            client_id,
            endpoint,
            redirect_uri,
            scopes,
        })
    }

    /// Refuses an authority that a flow does not work at: `why` is a clause that follows the word AUTHORITY.
    ///
    /// # Errors
    /// The authority is of one of these kinds.
    pub fn refuse_authority(&self, kinds: &[Kind], why: &str) -> Result<(), ConfigError> {
        if kinds.contains(self.authority.kind()) {
            return Err(self.authority_setting.invalid(why));
        }
        Ok(())
    }

    /// The scopes of the token request: the API's own, and those of OpenID Connect with which Entra ID says who
    /// signed in and gives a refresh token.
    pub fn scopes(&self) -> impl Iterator<Item = Scope> {
        ["openid", "profile", "offline_access"]
            .into_iter()
            .filter(|reserved| !self.scopes.iter().any(|scope| scope == reserved))
            .chain(self.scopes.iter().map(String::as_str))
            .map(|scope| Scope::new(scope.to_owned()))
    }

    /// The scopes of the API alone, as they were set.
    pub fn api_scopes(&self) -> impl Iterator<Item = Scope> {
        self.scopes.iter().cloned().map(Scope::new)
    }
}

/// Reads a GUID.
///
/// # Errors
/// A value that is none.
pub fn guid(setting: &Setting) -> Result<String, ConfigError> {
    // `Uuid` also reads GUIDs in braces or without hyphens, which no portal shows.
    let text = setting.value().trim();
    match uuid::Uuid::try_parse(text) {
        Ok(guid) if text.len() == 36 => Ok(guid.to_string()),
        _ => Err(setting.invalid(format!(
            "is \"{}\", which is no GUID",
            text::one_line(text, 100)
        ))),
    }
}

/// Reads the URL to call. A token for Graph goes to Graph, or to this machine, or where the user has said so in person.
///
/// # Errors
/// A value that is no URL, plain http elsewhere than on loopback, or a host that nobody has named in person.
pub fn endpoint(setting: &Setting, cloud: Cloud) -> Result<Url, ConfigError> {
    let mut url = secure_url(setting.value().trim()).map_err(|problem| setting.invalid(problem))?;
    url.set_fragment(None);
    let host = url.host_str().unwrap_or_default();
    let hosts = cloud.graph_hosts();
    let in_person = matches!(setting.origin, Origin::Flag | Origin::DotEnv(_));
    if in_person || is_loopback(&url) || hosts.contains(&host) {
        return Ok(url);
    }
    Err(setting.invalid(format!(
        "names the host {}, which is not Microsoft Graph in the cloud of AUTHORITY ({}); \
         to send a token there all the same, say so with --endpoint or in .env",
        text::one_line(host, 100),
        hosts.join(", "),
    )))
}

fn redirect_uri(setting: &Setting) -> Result<String, ConfigError> {
    let uri = setting.value().trim();
    secure_url(uri).map_err(|problem| setting.invalid(problem))?;
    Ok(uri.to_owned())
}

/// A path of Microsoft Graph in the cloud of an authority; on loopback, at the authority's own origin.
///
/// # Errors
/// The path makes no URL.
pub fn default_endpoint(authority: &Authority, path: &str) -> Result<Url, ConfigError> {
    let origin = if authority.is_loopback() {
        authority.origin()
    } else {
        authority.cloud().graph_origin().to_owned()
    };
    Url::parse(&format!("{origin}{path}"))
        .map_err(|error| ConfigError::Usage(format!("{origin}{path} is no URL: {error}")))
}

/// Microsoft Graph as a resource: in the cloud that ENDPOINT belongs to, or else AUTHORITY.
fn resource(endpoint: &Url, authority: &Authority) -> String {
    let host = endpoint.host_str().unwrap_or_default();
    let of_endpoint = [Cloud::Global, Cloud::UsGovernment, Cloud::China]
        .into_iter()
        .any(|cloud| cloud.graph_hosts().contains(&host));
    match of_endpoint {
        true => endpoint.origin().ascii_serialization(),
        false => authority.cloud().graph_origin().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// C6: ENDPOINT's cloud; where it is in none, AUTHORITY's.
    #[test]
    fn graph_as_a_resource() {
        for (authority, endpoint, expected) in [
            (
                "https://login.microsoftonline.com/t",
                "https://graph.microsoft.com/v1.0/me",
                "https://graph.microsoft.com",
            ),
            (
                "https://login.microsoftonline.us/t",
                "https://graph.microsoft.us/v1.0/me",
                "https://graph.microsoft.us",
            ),
            (
                "https://login.microsoftonline.us/t",
                "https://dod-graph.microsoft.us/v1.0/me",
                "https://dod-graph.microsoft.us",
            ),
            (
                "https://login.partner.microsoftonline.cn/t",
                "https://microsoftgraph.chinacloudapi.cn/v1.0/me",
                "https://microsoftgraph.chinacloudapi.cn",
            ),
            (
                "http://127.0.0.1:1/t",
                "https://graph.microsoft.us/v1.0/me",
                "https://graph.microsoft.us",
            ),
            (
                "https://login.microsoftonline.us/t",
                "http://localhost:1/v1.0/me",
                "https://graph.microsoft.us",
            ),
            (
                "https://login.chinacloudapi.cn/t",
                "http://[::1]:1/",
                "https://microsoftgraph.chinacloudapi.cn",
            ),
            (
                "https://login.microsoftonline.com/t",
                "https://graph.microsoft.com.example/",
                "https://graph.microsoft.com",
            ),
            (
                "http://127.0.0.1:1/t",
                "http://127.0.0.1:1/v1.0/me",
                "https://graph.microsoft.com",
            ),
        ] {
            let (authority, url) = (
                Authority::parse(authority).unwrap(),
                Url::parse(endpoint).unwrap(),
            );
            assert_eq!(resource(&url, &authority), expected, "{endpoint}");
        }
    }
}
