//! The emulator's own certificate authority, for clients that refuse plain http.
//!
//! Its key is made on this machine, once, and stays there: a CA whose key anyone can read in a repository would be a
//! danger to everyone who trusts it.

use std::fs;
use std::io::Write;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, date_time_ymd,
};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use tokio_rustls::TlsAcceptor;

use crate::clock::civil;

/// How many days a server certificate lives; some systems refuse more.
const SERVER_DAYS: i64 = 397;

/// A certificate authority.
#[derive(Debug)]
pub struct CertificateAuthority {
    key: KeyPair,
    certificate: String,
}

impl CertificateAuthority {
    /// A new one that nobody trusts yet.
    pub fn create() -> anyhow::Result<Self> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let certificate = params().self_signed(&key)?.pem();
        Ok(Self { key, certificate })
    }

    /// The one that is kept in this file, which is made if it is not there yet.
    pub fn kept_in(path: &Path) -> anyhow::Result<Self> {
        if let Ok(text) = fs::read_to_string(path) {
            let begin = text
                .find("-----BEGIN CERTIFICATE-----")
                .with_context(|| format!("there is no certificate in {}", path.display()))?;
            let (key, certificate) = text.split_at(begin);
            let key = KeyPair::from_pem(key)
                .with_context(|| format!("there is no usable key in {}", path.display()))?;
            return Ok(Self {
                key,
                certificate: certificate.to_owned(),
            });
        }
        let new = Self::create()?;
        new.keep_in(path)
            .with_context(|| format!("cannot write {}", path.display()))?;
        Ok(new)
    }

    fn keep_in(&self, path: &Path) -> std::io::Result<()> {
        let mut folder = fs::DirBuilder::new();
        let mut file = fs::OpenOptions::new();
        // On Windows the user's own folder is closed to others by its access control list.
        #[cfg(unix)]
        {
            use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
            folder.mode(0o700);
            file.mode(0o600);
        }
        if let Some(parent) = path.parent() {
            folder.recursive(true).create(parent)?;
        }
        let mut file = file.write(true).create_new(true).open(path)?;
        write!(file, "{}{}", self.key.serialize_pem(), self.certificate)
    }

    /// The certificate, as PEM.
    pub fn pem(&self) -> &str {
        &self.certificate
    }

    /// A TLS server with a certificate for these names and addresses.
    pub fn server(&self, now: i64, names: &[String]) -> anyhow::Result<TlsAcceptor> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let mut params = CertificateParams::new(names)?;
        params
            .distinguished_name
            .push(DnType::CommonName, "Emulator (development tool)");
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let date = |days: i64| {
            let (year, month, day) = civil(now.div_euclid(86_400) + days);
            Ok::<_, std::num::TryFromIntError>(date_time_ymd(
                year.try_into()?,
                month.try_into()?,
                day.try_into()?,
            ))
        };
        params.not_before = date(-1)?;
        params.not_after = date(SERVER_DAYS - 1)?;
        let certificate = params.signed_by(&key, &Issuer::new(self::params(), &self.key))?;

        let chain: Vec<CertificateDer<'static>> = vec![certificate.into()];
        let key = PrivatePkcs8KeyDer::from(key.serialize_der());
        let config =
            ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
                .with_safe_default_protocol_versions()?
                .with_no_client_auth()
                .with_single_cert(chain, key.into())?;
        Ok(TlsAcceptor::from(Arc::new(config)))
    }
}

/// What stands in the CA's certificate.
fn params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params
        .distinguished_name
        .push(DnType::CommonName, "Emulator CA (development tool)");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

/// The names and addresses by which clients on this machine reach a server.
pub fn server_names(address: IpAddr, further: &[String]) -> Vec<String> {
    let mut names: Vec<String> = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).into();
    names.extend(further.iter().cloned());
    if !address.is_unspecified() && !names.contains(&address.to_string()) {
        names.push(address.to_string());
    }
    names
}

/// Where the key and the certificate of this machine's CA are kept.
pub fn default_path() -> anyhow::Result<PathBuf> {
    let absolute = |name: &str| {
        std::env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let data = if cfg!(windows) {
        absolute("LOCALAPPDATA")
    } else {
        absolute("XDG_DATA_HOME").or_else(|| Some(absolute("HOME")?.join(".local/share")))
    };
    Ok(data
        .context("HOME (on Windows LOCALAPPDATA) is not set, so there is no place for the CA")?
        .join("entra-emulator/ca.pem"))
}
