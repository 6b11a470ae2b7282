//! The authorization code grant.

use serde_json::Value;

use super::TokenRequest;
use super::client_proof::ProofKind;
use crate::authorize::codes::Code;
use crate::directory::Authority;
use crate::errors::EntraError;
use crate::redirect_uri::{Platform, with_path};
use crate::sign_in;
use crate::tokens::UserGrant;

impl TokenRequest<'_> {
    /// Tokens for a code, which is used up by that.
    pub fn authorization_code(&self) -> Result<Value, EntraError> {
        let (service, call) = (self.service, self.call);
        let text = self.field("code")?;
        self.field("redirect_uri")?;
        let code = service
            .codes
            .with(text, |code| self.redeem(code))
            .unwrap_or(Err(EntraError::about(70000, &["code"])))?;

        let user = service
            .directory
            .user(&code.user.to_string())
            .ok_or_else(|| EntraError::about(50034, &["(unknown)"]))?;
        sign_in::in_person(&user)?;
        // Fewer scopes, or others that were agreed to, can be asked for now; the first ones count otherwise.
        let mut scopes = match call.form.get("scope") {
            Some(scope) => self.scopes(scope)?,
            None => code.scopes.clone(),
        };
        for reserved in code.scopes.reserved {
            if !scopes.has(&reserved) {
                scopes.reserved.push(reserved);
            }
        }
        let grant = UserGrant {
            user: &user,
            tenant: code.tenant,
            application: self.application,
            scopes,
            proof: self.proof,
            browser: code.browser,
        };
        service.user_answer(call, &grant)
    }

    /// What the code stood for, if everything fits; then it is used up.
    fn redeem(&self, code: &mut Code) -> Result<Code, EntraError> {
        if code.client != self.application.client_id {
            return Err(EntraError::about(70000, &["code"]));
        }
        if code.platform == Platform::Web
            && self.proof == ProofKind::None
            && !self.application.public_client
        {
            return Err(EntraError::new(7000218));
        }
        if code.redeemed {
            return Err(EntraError::new(54005));
        }
        if code.expires <= self.call.now {
            return Err(EntraError::new(70008));
        }
        if !self.is_issued_here(code) {
            return Err(EntraError::new(700005));
        }
        let redirect_uri = with_path(self.field("redirect_uri")?);
        if redirect_uri != code.redirect_uri {
            return Err(EntraError::about(
                500112,
                &[&redirect_uri, &code.redirect_uri],
            ));
        }
        let verifier = self.call.form.get("code_verifier");
        let fits = match (&code.challenge, verifier) {
            (Some(challenge), Some(verifier)) => challenge.fits(verifier),
            (None, None) => true,
            _ => false,
        };
        if !fits {
            return Err(EntraError::new(501481));
        }
        code.redeemed = true;
        Ok(code.clone())
    }

    /// A code is redeemed where it was issued: at the same authority, or at the tenant that the user has signed in to.
    fn is_issued_here(&self, code: &Code) -> bool {
        let flow = self.provider.flow.map(|flow| &flow.name);
        let own_tenant = match self.authority {
            Authority::Tenant(tenant) => tenant.id == code.tenant,
            Authority::Common | Authority::Organizations | Authority::Consumers => self
                .service
                .directory
                .authority(&code.authority)
                .is_ok_and(|authority| !matches!(authority, Authority::Tenant(_))),
        };
        own_tenant && flow == code.browser.flow.as_ref()
    }
}
