//! Everything that the endpoints share.

use std::sync::Mutex;

use anyhow::Context;
use uuid::Uuid;

use crate::Options;
use crate::authorize::codes::Codes;
use crate::clock::Clock;
use crate::consents::Consents;
use crate::device_code::DeviceCodes;
use crate::directory::{Directory, SEED_DATA};
use crate::expiring::Expiring;
use crate::faults::Faults;
use crate::keys::Keys;
use crate::record::Record;
use crate::revocations::Revocations;
use crate::seal::Seal;

/// How many assertions are remembered, so that none is taken twice.
const ASSERTIONS: usize = 10_000;

/// The state of a running emulator. All of it is bounded.
#[derive(Debug)]
pub struct Service {
    /// Tenants, people, applications.
    pub directory: Directory,
    /// Signing keys.
    pub keys: Keys,
    /// Seals refresh tokens, page states and page links.
    pub seal: Seal,
    /// The time.
    pub clock: Clock,
    /// What users have allowed.
    pub consents: Consents,
    /// Whose sessions were revoked.
    pub revocations: Revocations,
    /// Codes that users may type in.
    pub device_codes: DeviceCodes,
    /// Authorization codes.
    pub codes: Codes,
    /// The ids of the client assertions that were used, with their signatures.
    pub assertions: Mutex<Expiring<String, Vec<u8>>>,
    /// What goes wrong on purpose.
    pub faults: Faults,
    /// The requests so far.
    pub record: Record,
    /// Who signs in to every device code, and to every authorization request that asks for no page.
    pub auto_sign_in: Option<String>,
    /// Seconds that devices are told to wait between two polls.
    pub device_code_interval: u64,
    /// Seconds that an access token lives.
    pub token_lifetime: u64,
    /// Whether X-Forwarded-Proto and X-Forwarded-Host are believed.
    pub trust_forwarded_headers: bool,
    /// Whether other machines may use the home page and `/_emulator/…`.
    pub allow_remote_admin: bool,
    /// The names by which other machines know the emulator.
    pub own_names: Vec<String>,
    /// The CA certificate that clients have to trust, if TLS is spoken.
    pub ca_pem: Option<String>,
}

impl Service {
    /// Reads the seed data and takes the options in.
    pub fn new(options: &Options) -> anyhow::Result<Self> {
        let mut directory = Directory::read(options.seed_data.as_deref().unwrap_or(SEED_DATA))?;
        directory.generate = options.generate.unwrap_or(directory.generate);
        if let Some(name) = &options.auto_sign_in {
            directory.user(name).with_context(|| {
                format!("the user {name}, who is to sign in, is not in the directory")
            })?;
        }
        let faults = Faults::default();
        for spec in &options.faults {
            faults.add(spec)?;
        }
        Ok(Self {
            directory,
            keys: Keys::embedded()?,
            seal: Seal::new(Keys::secret())?,
            clock: Clock::ahead_by(options.clock_offset),
            consents: Consents::new(),
            revocations: Revocations::new(),
            device_codes: DeviceCodes::new(),
            codes: Codes::new(),
            assertions: Mutex::new(Expiring::new(ASSERTIONS)),
            faults,
            record: Record::new(options.trace),
            auto_sign_in: options.auto_sign_in.clone(),
            device_code_interval: options.device_code_interval.unwrap_or(5),
            token_lifetime: options.token_lifetime.unwrap_or(3599),
            trust_forwarded_headers: options.trust_forwarded_headers,
            allow_remote_admin: options.allow_remote_admin,
            own_names: options.tls_names.clone(),
            ca_pem: None,
        })
    }

    /// Ends all sessions of a user (by name or id) or an application (by client id).
    pub fn revoke(&self, name: &str) -> anyhow::Result<()> {
        self.revocations.revoke(self.clock.now(), self.owner(name)?);
        Ok(())
    }

    /// The id by which revocations know a user or an application.
    pub fn owner(&self, name: &str) -> anyhow::Result<Uuid> {
        let user = self.directory.user(name).map(|user| user.id);
        let application = || {
            self.directory
                .application(name)
                .map(|application| application.client_id)
        };
        user.or_else(application)
            .with_context(|| format!("there is no user or application '{name}'"))
    }
}
