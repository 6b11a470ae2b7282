//! How an app proves who it is: a client secret, a certificate, or a token of another issuer that it trusts.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use oauth2::{ClientSecret, url::Url};
use ring::{
    digest::{SHA256, digest},
    rand::SystemRandom,
    rsa::KeyPair,
    signature::{KeyPair as _, RSA_PSS_SHA256},
};
use rustls::pki_types::pem::{PemObject, SectionKind};
use serde_json::json;
use uuid::Uuid;
use x509_cert::{Certificate, der::Decode};

use crate::config::{ConfigError, Setting, Settings};

/// The settings of which exactly one is set.
const PROOFS: [&str; 3] = [
    "CLIENT_SECRET",
    "CLIENT_CERTIFICATE",
    "AZURE_FEDERATED_TOKEN_FILE",
];
/// How long an assertion is valid. Entra ID wants 5 to 10 minutes.
const ASSERTION_LIFETIME: Duration = Duration::from_secs(600);
/// Of a file with a key or a token, this many bytes are more than enough.
const LARGEST_FILE: u64 = 1 << 20;

/// Command-line arguments of the samples that are confidential clients. A secret has none.
#[derive(Debug, clap::Args)]
pub struct CredentialArgs {
    /// A PEM file with the app's private key and certificate [setting: CLIENT_CERTIFICATE]
    #[arg(long, value_name = "FILE")]
    client_certificate: Option<String>,
    /// A file with a federated token [setting: AZURE_FEDERATED_TOKEN_FILE]
    #[arg(long, value_name = "FILE")]
    azure_federated_token_file: Option<String>,
}

impl CredentialArgs {
    /// Adds these flags to the settings.
    pub fn add_to(&self, settings: Settings) -> Settings {
        settings
            .with_flag("CLIENT_CERTIFICATE", &self.client_certificate)
            .with_flag(
                "AZURE_FEDERATED_TOKEN_FILE",
                &self.azure_federated_token_file,
            )
    }
}

/// The proof of a confidential client's identity.
pub enum Credential {
    /// A client secret.
    Secret(ClientSecret),
    /// A private key whose certificate Entra ID knows.
    Certificate(Box<Key>),
    /// A file with a token of an issuer that Entra ID trusts (workload identity federation). Others renew it, so it
    /// is read anew for each request.
    FederatedToken(PathBuf),
}

/// An RSA key and the name of its certificate.
pub struct Key {
    pair: KeyPair,
    /// base64url of the SHA-256 of the certificate (RFC 7515 section 4.1.8).
    thumbprint: String,
}

impl Credential {
    /// Reads the one proof that is set.
    ///
    /// # Errors
    /// None, or more than one; a Secret ID in the place of the secret; a certificate or token file that cannot work.
    pub fn read(settings: &Settings) -> Result<Self, ConfigError> {
        let mut found = Vec::new();
        for name in PROOFS {
            found.extend(settings.get(name)?.map(|setting| (name, setting)));
        }
        match found.as_slice() {
            [] => Err(ConfigError::Missing { name: PROOFS[0] }),
            [(name, setting)] => match *name {
                "CLIENT_SECRET" => secret(setting),
                "CLIENT_CERTIFICATE" => key(setting),
                _ => federated_token(setting),
            },
            [(one, first), (other, second), ..] => Err(ConfigError::Usage(format!(
                "{one} (from {}) and {other} (from {}) are both set, but an app proves its identity in one way. Unset one of them.",
                first.origin, second.origin
            ))),
        }
    }

    /// The parameters that prove the app's identity in a request to `token_url`. An assertion is fresh each time.
    ///
    /// # Errors
    /// The token file cannot be read any more, or signing fails.
    pub fn prove(
        &self,
        client_id: &str,
        token_url: &Url,
    ) -> Result<Vec<(&'static str, String)>, CredentialError> {
        let assertion = match self {
            Self::Secret(secret) => return Ok(vec![("client_secret", secret.secret().clone())]),
            Self::Certificate(key) => key.sign_assertion(client_id, token_url)?,
            Self::FederatedToken(path) => {
                read_token(path).map_err(|problem| CredentialError::Token {
                    path: path.clone(),
                    problem,
                })?
            }
        };
        let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
        Ok(vec![
            ("client_assertion_type", kind.to_owned()),
            ("client_assertion", assertion),
        ])
    }
}

/// Why the app cannot prove its identity.
#[derive(Debug, thiserror::Error)]
pub enum CredentialError {
    /// The federated token file has become unusable.
    #[error("AZURE_FEDERATED_TOKEN_FILE ({}) {problem}.", path.display())]
    Token {
        /// The file.
        path: PathBuf,
        /// A clause that follows its name.
        problem: String,
    },
    /// The private key does not sign.
    #[error("The private key of CLIENT_CERTIFICATE does not sign.")]
    Signing,
}

fn secret(setting: &Setting) -> Result<Credential, ConfigError> {
    let secret = setting.value();
    if Uuid::try_parse(secret.trim()).is_ok() {
        return Err(setting.invalid("looks like a GUID: that is the Secret ID, not its Value"));
    }
    Ok(Credential::Secret(ClientSecret::new(secret.to_owned())))
}

fn federated_token(setting: &Setting) -> Result<Credential, ConfigError> {
    let path = PathBuf::from(setting.value());
    read_token(&path).map_err(|problem| setting.invalid(problem))?;
    Ok(Credential::FederatedToken(path))
}

fn read_token(path: &Path) -> Result<String, String> {
    let token = String::from_utf8(read_file(path)?).map_err(|_| "names a file that is no text")?;
    match token.trim() {
        "" => Err("names an empty file".into()),
        token => Ok(token.to_owned()),
    }
}

fn read_file(path: &Path) -> Result<Vec<u8>, String> {
    match fs::metadata(path) {
        Err(error) => Err(format!("names a file that cannot be read: {error}")),
        Ok(metadata) if !metadata.is_file() => Err("names no plain file".into()),
        Ok(metadata) if metadata.len() > LARGEST_FILE => {
            Err("names a file of more than 1 MiB".into())
        }
        Ok(_) => {
            fs::read(path).map_err(|error| format!("names a file that cannot be read: {error}"))
        }
    }
}

fn key(setting: &Setting) -> Result<Credential, ConfigError> {
    let pem = read_file(Path::new(setting.value())).map_err(|problem| setting.invalid(problem))?;
    let key = Key::from_pem(&pem, since_1970()).map_err(|problem| setting.invalid(problem))?;
    Ok(Credential::Certificate(Box::new(key)))
}

impl Key {
    /// Finds the private key and its certificate in a PEM file. `now` is the time since 1970.
    ///
    /// # Errors
    /// A clause that follows the name of the setting: what is missing, or why it cannot work.
    pub fn from_pem(pem: &[u8], now: Duration) -> Result<Self, String> {
        // Both ways to write an encrypted key: PKCS#8, and the older one of OpenSSL, whose headers are no PEM of today.
        if contains(pem, b"ENCRYPTED PRIVATE KEY") || contains(pem, b"Proc-Type: 4,ENCRYPTED") {
            return Err("has an encrypted private key; decrypt it with: openssl pkey -in <file> -out <new file>, and add the certificate to the new file".into());
        }
        let (mut pair, mut certificates) = (None, Vec::new());
        for section in <(SectionKind, Vec<u8>) as PemObject>::pem_slice_iter(pem) {
            let (kind, der) = section.map_err(|_| "names a file that is no PEM")?;
            match kind {
                SectionKind::PrivateKey => pair = Some(KeyPair::from_pkcs8(&der)),
                SectionKind::RsaPrivateKey => pair = Some(KeyPair::from_der(&der)),
                SectionKind::EcPrivateKey => return Err(NOT_RSA.into()),
                SectionKind::Certificate => certificates.push(der),
                _ => {}
            }
        }
        let pair = match pair {
            None => {
                return Err(
                    "has no private key; the PEM file needs both the key and the certificate"
                        .into(),
                );
            }
            Some(Ok(pair)) => pair,
            Some(Err(error)) => {
                return Err(match error.to_string().as_str() {
                    "WrongAlgorithm" => NOT_RSA.into(),
                    "TooSmall" | "TooLarge" => {
                        "has an RSA key that is not of 2048 to 4096 bits".into()
                    }
                    problem => format!("has a private key that cannot be used ({problem})"),
                });
            }
        };
        if certificates.is_empty() {
            return Err(
                "has no certificate; the PEM file needs both the key and the certificate".into(),
            );
        }
        // A file may hold the chain as well: the certificate is the one with this key.
        let (der, certificate) = certificates
            .iter()
            .filter_map(|der| Some((der, Certificate::from_der(der).ok()?)))
            .find(|(_, certificate)| {
                let key = &certificate.tbs_certificate.subject_public_key_info;
                key.subject_public_key.raw_bytes() == pair.public_key().as_ref()
            })
            .ok_or("has a private key and a certificate that do not belong together")?;
        let validity = &certificate.tbs_certificate.validity;
        if validity.not_after.to_unix_duration() < now {
            return Err(format!(
                "has a certificate that expired on {}; make and upload a new one",
                validity.not_after
            ));
        }
        if validity.not_before.to_unix_duration() > now {
            return Err(format!(
                "has a certificate that is not valid before {}; check this machine's clock",
                validity.not_before
            ));
        }
        let thumbprint = URL_SAFE_NO_PAD.encode(digest(&SHA256, der));
        Ok(Self { pair, thumbprint })
    }

    /// A signed statement that this is the app (RFC 7523 section 3), in the form that
    /// [Entra ID wants](https://learn.microsoft.com/entra/identity-platform/certificate-credentials).
    fn sign_assertion(&self, client_id: &str, token_url: &Url) -> Result<String, CredentialError> {
        let now = since_1970();
        let header = json!({ "alg": "PS256", "typ": "JWT", "x5t#S256": self.thumbprint });
        let claims = json!({
            "aud": token_url.as_str(),
            "iss": client_id,
            "sub": client_id,
            "jti": Uuid::new_v4().to_string(),
            "nbf": now.as_secs(),
            "iat": now.as_secs(),
            "exp": (now + ASSERTION_LIFETIME).as_secs(),
        });
        let [header, claims] =
            [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
        let message = format!("{header}.{claims}");
        let mut signature = vec![0; self.pair.public().modulus_len()];
        self.pair
            .sign(
                &RSA_PSS_SHA256,
                &SystemRandom::new(),
                message.as_bytes(),
                &mut signature,
            )
            .map_err(|_| CredentialError::Signing)?;
        Ok(format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}

fn since_1970() -> Duration {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.unwrap_or_default()
}

const NOT_RSA: &str = "has a key that is not RSA, the only kind that Entra ID takes; make one with: openssl req -x509 -newkey rsa:2048 -nodes -days 365 -subj /CN=my-app -keyout key.pem -out cert.pem, and put both into one file";

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}
