//! The device authorization grant: the device asks whether the user has signed in.

use serde_json::Value;

use super::TokenRequest;
use crate::device_code::{DeviceCode, Progress};
use crate::errors::EntraError;
use crate::scopes::Scopes;
use crate::tokens::{BrowserSignIn, UserGrant};

impl TokenRequest<'_> {
    /// Answers one poll.
    pub fn device_code(&self) -> Result<Value, EntraError> {
        self.require_proof_or_public_client()?;
        // Some clients call the field `code`.
        let device_code = self
            .call
            .form
            .get("device_code")
            .or(self.call.form.get("code"));
        let device_code = device_code.ok_or_else(|| EntraError::about(900144, &["device_code"]))?;
        let service = self.service;
        let code = service
            .device_codes
            .polled(device_code, |code| self.poll(code))
            .unwrap_or(Err(EntraError::new(70018)))?;

        match code.progress {
            Progress::SignedIn { user, tenant } => {
                let user = service
                    .directory
                    .user(&user.to_string())
                    .ok_or_else(|| EntraError::about(50034, &["(unknown)"]))?;
                let grant = UserGrant {
                    user: &user,
                    tenant,
                    application: self.application,
                    scopes: code.scopes,
                    proof: self.proof,
                    browser: BrowserSignIn::default(),
                };
                service.user_answer(self.call, &grant)
            }
            // The demo's user is quick: signed in between the first poll and the second.
            _ => {
                if let Some(name) = &service.auto_sign_in {
                    let user = service
                        .directory
                        .authority(&code.authority)
                        .and_then(|authority| service.directory.account(authority, name));
                    if user
                        .and_then(|user| service.sign_in_to_code(&code, &user))
                        .is_err()
                    {
                        service
                            .device_codes
                            .polled(device_code, |code| code.progress = Progress::Declined);
                    }
                }
                Err(EntraError::new(70016))
            }
        }
    }

    /// The code as it was before this poll, which uses it up if the user has signed in.
    fn poll(&self, code: &mut DeviceCode) -> Result<DeviceCode, EntraError> {
        if code.client != self.application.client_id {
            return Err(EntraError::new(7000014));
        }
        if code.expires <= self.call.now && code.progress != Progress::Redeemed {
            return Err(EntraError::new(70020));
        }
        let hurried = code.is_hurried();
        let before = code.clone();
        match code.progress {
            Progress::Pending if hurried => Err(EntraError::slow_down()),
            Progress::Pending => Ok(before),
            Progress::Declined => Err(EntraError {
                error: "authorization_declined".to_owned(),
                ..EntraError::new(65004)
            }),
            Progress::Redeemed => Err(EntraError::about(70000, &["device_code"])),
            Progress::SignedIn { .. } => {
                code.progress = Progress::Redeemed;
                code.scopes = Scopes::default(); // nobody will need them any more
                Ok(before)
            }
        }
    }
}
