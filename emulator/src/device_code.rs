//! `POST /<tenant>/oauth2/v2.0/devicecode`: the start of the device authorization grant (RFC 8628), and its pending codes.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::{Extension, Path, State};
use axum::http::{Response, StatusCode};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD as BASE64URL};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::call::Call;
use crate::consents::needs_admin;
use crate::directory::User;
use crate::errors::EntraError;
use crate::expiring::Expiring;
use crate::locked;
use crate::scopes::Scopes;
use crate::service::Service;
use crate::sign_in;

/// How long a code lives.
const LIFETIME: i64 = 900;
/// How many codes are remembered.
const LIMIT: usize = 5000;
/// Letters and digits that nobody mistakes for each other.
const ALPHABET: &[u8] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";

/// A code that a user may type in.
#[derive(Clone, Debug)]
pub struct DeviceCode {
    /// What the device polls with.
    pub device_code: String,
    /// What the user types.
    pub user_code: String,
    /// Client id of the application that asked for it.
    pub client: Uuid,
    /// The `<tenant>` at which it was asked for.
    pub authority: String,
    /// What the application asked for.
    pub scopes: Scopes,
    /// When it ends.
    pub expires: i64,
    /// Seconds that the device was told to wait between two polls.
    pub interval: u64,
    /// When the device last asked.
    pub last_poll: Option<Instant>,
    /// How far the user is.
    pub progress: Progress,
}

/// How far the user is with a code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Nothing has been decided.
    Pending,
    /// The user said no.
    Declined,
    /// The user has signed in.
    SignedIn {
        /// Object id of the user.
        user: Uuid,
        /// Tenant that the user signed in to.
        tenant: Uuid,
    },
    /// The device has its tokens.
    Redeemed,
}

/// All codes of the last half hour.
#[derive(Debug)]
pub struct DeviceCodes(Mutex<Expiring<String, DeviceCode>>);

impl DeviceCodes {
    /// No codes.
    pub fn new() -> Self {
        Self(Mutex::new(Expiring::new(LIMIT)))
    }

    /// Lets `change` see, and change, the code that a device polls with.
    pub fn polled<T>(
        &self,
        device_code: &str,
        change: impl FnOnce(&mut DeviceCode) -> T,
    ) -> Option<T> {
        locked(&self.0).get(device_code).map(change)
    }

    /// Lets `change` see, and change, the code that a user has typed; case, spaces and dashes do not matter.
    pub fn typed<T>(
        &self,
        user_code: &str,
        change: impl FnOnce(&mut DeviceCode) -> T,
    ) -> Option<T> {
        let typed: String = user_code
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .collect();
        locked(&self.0)
            .values()
            .find(|code| code.user_code.eq_ignore_ascii_case(&typed))
            .map(change)
    }

    /// The codes that a user could still type in, newest last.
    pub fn pending(&self, now: i64) -> Vec<DeviceCode> {
        let mut pending: Vec<_> = locked(&self.0)
            .values()
            .filter(|code| code.progress == Progress::Pending && code.expires > now)
            .map(|code| code.clone())
            .collect();
        pending.sort_by_key(|code| code.expires);
        pending
    }

    fn add(&self, now: i64, code: DeviceCode) {
        // Kept for a while after its end, so that a late poll is told that it is late.
        locked(&self.0).insert(now, code.expires + LIFETIME, code.device_code.clone(), code);
    }
}

impl DeviceCode {
    /// Whether this poll comes much too early; being a second early is no crime.
    pub fn is_hurried(&mut self) -> bool {
        let wait = Duration::from_secs(self.interval.saturating_sub(1));
        self.last_poll
            .replace(Instant::now())
            .is_some_and(|last| last.elapsed() < wait)
    }
}

/// The endpoint.
pub async fn answer(
    State(service): State<Arc<Service>>,
    Path(tenant): Path<String>,
    Extension(call): Extension<Arc<Call>>,
) -> Response<Body> {
    match begin(&service, &call, tenant) {
        Ok(answer) => call.json(StatusCode::OK, &answer),
        Err(error) => error.response(&call),
    }
}

fn begin(service: &Service, call: &Call, tenant: String) -> Result<Value, EntraError> {
    let authority = service.directory.authority(&tenant)?;
    let client_id = call
        .form
        .get("client_id")
        .ok_or_else(|| EntraError::about(900144, &["client_id"]))?;
    let application = service
        .directory
        .application_at(client_id, authority, &tenant)?;
    let scope = call
        .form
        .get("scope")
        .ok_or_else(|| EntraError::about(900144, &["scope"]))?;
    let scopes = Scopes::parse(scope, &call.base, &service.directory.apis)?;

    let interval = call.told_interval.unwrap_or(service.device_code_interval);
    let code = DeviceCode {
        device_code: BASE64URL
            .encode([*Uuid::new_v4().as_bytes(), *Uuid::new_v4().as_bytes()].concat()),
        user_code: user_code(),
        client: application.client_id,
        authority: tenant,
        scopes,
        expires: call.now + LIFETIME,
        interval,
        last_poll: None,
        progress: Progress::Pending,
    };
    let page = format!("{}/devicelogin", call.base);
    let answer = json!({
        "user_code": code.user_code,
        "device_code": code.device_code,
        "verification_uri": page,
        "expires_in": LIFETIME,
        "interval": interval,
        "message": format!("To sign in, use a web browser to open the page {page} and enter the code {} to authenticate.", code.user_code),
    });
    service.device_codes.add(call.now, code);
    Ok(answer)
}

/// Nine random characters.
fn user_code() -> String {
    let random = [*Uuid::new_v4().as_bytes(), *Uuid::new_v4().as_bytes()].concat();
    // The bytes that hold the version and variant of a UUID are not quite random: left out.
    let random = random
        .iter()
        .enumerate()
        .filter(|(index, _)| !matches!(index % 16, 6 | 8))
        .map(|(_, byte)| *byte);
    random
        .filter_map(|byte| ALPHABET.get(usize::from(byte) % ALPHABET.len()))
        .take(9)
        .map(|letter| char::from(*letter))
        .collect()
}

impl Service {
    /// Signs a user in to a pending code, who agrees to everything that a user can agree to.
    pub fn sign_in_to_code(&self, code: &DeviceCode, user: &User) -> Result<(), EntraError> {
        let client = code.client.to_string();
        let authority = self.directory.authority(&code.authority)?;
        let application = self
            .directory
            .application_at(&client, authority, &code.authority)?;
        sign_in::in_person(user)?;
        let tenant = self
            .directory
            .tenant_of(user)
            .ok_or_else(|| EntraError::about(90002, &[&user.upn]))?;
        if needs_admin(&self.consents.missing(user, application, &code.scopes)) {
            return Err(EntraError::about(
                90094,
                &[&tenant.name, &application.display_name],
            ));
        }
        self.consents
            .give(self.clock.now(), user, application, &code.scopes);
        let progress = Progress::SignedIn {
            user: user.id,
            tenant: tenant.id,
        };
        self.device_codes
            .polled(&code.device_code, |code| code.progress = progress);
        Ok(())
    }
}
