//! What the application gets in the end: a code, tokens, or both.

use axum::body::Body;
use axum::http::{Response, header};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD as BASE64URL};
use serde_json::{Value, json};

use super::Journey;
use crate::authorize::answer::Fields;
use crate::authorize::codes::{self, Code};
use crate::errors::EntraError;
use crate::id_token::Companions;
use crate::token::client_proof::ProofKind;
use crate::tokens::{BrowserSignIn, UserGrant};

impl Journey<'_> {
    /// The user is signed in to the browser, and the application gets what it has asked for.
    pub(super) fn finish(mut self) -> Result<Response<Body>, EntraError> {
        let (service, call) = (self.service, self.call);
        let user = self.user()?;
        let tenant = service
            .directory
            .tenant_of(&user)
            .ok_or_else(|| EntraError::about(90002, &[&user.upn]))?
            .id;
        service
            .consents
            .give(call.now, &user, self.application, &self.scopes);
        let account = match self.session.account(user.id) {
            Some(account) if !self.progress.proven => account.clone(),
            _ if self.progress.proven => self.session.sign_in(service, call, user.id),
            _ => return Err(EntraError::new(50058)), // signed out in the meantime
        };

        self.session.used_for(user.id, self.application);
        let request = &self.progress.request;
        let browser = BrowserSignIn {
            nonce: request.nonce.clone(),
            sid: Some(account.sid),
            auth_time: Some(account.at),
            wants_auth_time: request.wants_auth_time(),
            flow: self.provider.flow.map(|flow| flow.name.clone()),
            name: self.progress.name.clone(),
            claims: request.claims.clone(),
            single_page_until: None,
        };
        let mut fields = Fields::new();
        let code = request.code.then(|| {
            let code = Code {
                client: request.client,
                authority: request.tenant.clone(),
                user: user.id,
                tenant,
                redirect_uri: request.target.redirect_uri.clone(),
                platform: request.platform(service),
                scopes: self.scopes.clone(),
                challenge: request.challenge.clone(),
                browser: browser.clone(),
                expires: call.now + codes::LIFETIME,
                redeemed: false,
            };
            service.codes.issue(call.now, code)
        });
        if let Some(code) = &code {
            fields.push(("code".to_owned(), code.clone()));
        }
        let mut grant = UserGrant {
            user: &user,
            tenant,
            application: self.application,
            scopes: self.scopes.clone(),
            proof: ProofKind::None,
            browser,
        };
        let access_token = match request.token {
            true => Some(self.put_access_token(&mut fields, &mut grant)?),
            false => None,
        };
        if request.id_token {
            let companions = Companions {
                code: code.as_deref(),
                access_token: access_token.as_deref(),
            };
            let token = service.id_token(call, &grant, companions)?;
            fields.push(("id_token".to_owned(), token));
        }
        if request.client_info {
            let client_info = json!({ "uid": user.id, "utid": tenant }).to_string();
            fields.push(("client_info".to_owned(), BASE64URL.encode(client_info)));
        }
        if self.provider.is_entra() {
            fields.push(("session_state".to_owned(), account.sid.to_string()));
        }
        let mut response = request.target.success(service, call, fields);
        response
            .headers_mut()
            .insert(header::SET_COOKIE, self.session.cookie(service, call)?);
        Ok(response)
    }

    /// An access token from this endpoint comes with what the token endpoint says of it, and with no other token.
    fn put_access_token(
        &self,
        fields: &mut Fields,
        grant: &mut UserGrant<'_>,
    ) -> Result<String, EntraError> {
        let reserved = std::mem::take(&mut grant.scopes.reserved);
        let answer = self.service.user_answer(self.call, grant)?;
        grant.scopes.reserved = reserved;
        let text = |name: &str| match answer.get(name) {
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
            None => String::new(),
        };
        for name in ["access_token", "token_type", "expires_in", "scope"] {
            fields.push((name.to_owned(), text(name)));
        }
        Ok(text("access_token"))
    }
}
