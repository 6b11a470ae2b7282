//! The resource owner password credentials grant, with the right refusal for each cause.

use serde_json::Value;

use super::TokenRequest;
use crate::directory::{Authority, Tenant, domain_of};
use crate::errors::EntraError;
use crate::sign_in;
use crate::tokens::{BrowserSignIn, UserGrant};

impl TokenRequest<'_> {
    /// Tokens for a user's name and password.
    pub fn password(&self) -> Result<Value, EntraError> {
        self.require_proof_or_public_client()?;
        let (service, call) = (self.service, self.call);
        if let Authority::Common
        | Authority::Consumers
        | Authority::Tenant(Tenant { personal: true, .. }) = self.authority
        {
            return Err(EntraError::new(9001023));
        }
        let (name, password) = (self.field("username")?, self.field("password")?);
        let scopes = self.scopes(self.field("scope")?)?;
        let user = service.directory.account(self.authority, name)?;
        if user.sign_in_name.is_some() {
            return Err(EntraError::about(50034, &[domain_of(&user.upn)])); // a guest's password is known at home only
        }
        sign_in::with_password_alone(&user, password)?;
        let tenant = service
            .directory
            .tenant_of(&user)
            .ok_or_else(|| EntraError::about(50034, &["(unknown)"]))?
            .id;
        let grant = UserGrant {
            user: &user,
            tenant,
            application: self.application,
            scopes,
            proof: self.proof,
            browser: BrowserSignIn::default(),
        };
        service.user_answer(call, &grant)
    }
}
