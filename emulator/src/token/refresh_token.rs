//! The refresh token grant.

use serde_json::Value;

use super::TokenRequest;
use crate::errors::EntraError;
use crate::sign_in;
use crate::tokens::UserGrant;

impl TokenRequest<'_> {
    /// New tokens for an old refresh token, which stays good.
    pub fn refresh_token(&self) -> Result<Value, EntraError> {
        let (service, call) = (self.service, self.call);
        let token =
            service.open_refresh_token(call, self.field("refresh_token")?, self.application)?;
        match (token.browser.single_page_until, self.is_cross_origin()) {
            (Some(_), false) => return Err(EntraError::new(9002327)),
            (Some(end), true) if end <= call.now => return Err(EntraError::new(700084)),
            (Some(_), true) => {}
            (None, true) => return Err(EntraError::new(9002326)),
            (None, false) => self.require_proof_or_public_client()?,
        }
        if token.browser.flow.as_ref() != self.provider.flow.map(|flow| &flow.name) {
            return Err(EntraError::new(700005)); // each user flow renews its own tokens only
        }
        let user = service
            .directory
            .user(&token.user.to_string())
            .ok_or_else(|| EntraError::about(50034, &["(unknown)"]))?;
        sign_in::in_person(&user)?;

        let first = self.scopes(&token.scope)?;
        service
            .consents
            .recall(call.now, &user, self.application, &first);

        // Without a scope the first grant's counts; a new one may hold more than that, if it is consented to.
        let mut scopes = self.scopes(call.form.get("scope").unwrap_or(&token.scope))?;
        if !scopes.has("offline_access") {
            scopes.reserved.push("offline_access".to_owned()); // a refresh token is always answered with its successor
        }
        let grant = UserGrant {
            user: &user,
            tenant: token.tenant,
            application: self.application,
            scopes,
            proof: self.proof,
            browser: token.browser,
        };
        service.user_answer(call, &grant)
    }
}
