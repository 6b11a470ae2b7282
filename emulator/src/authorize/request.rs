//! An authorization request, as far as it makes sense.
//!
//! Until client and redirect URI are known to belong together, a refusal is a page for the person and never a redirect
//! (RFC 6749, 4.1.2.1).

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::answer::{Mode, Target};
use super::codes::Challenge;
use crate::call::{Call, Form};
use crate::errors::EntraError;
use crate::provider::{Names, Provider};
use crate::redirect_uri::{Platform, registered, with_path};
use crate::service::Service;

/// What an application asks for.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Request {
    /// The `<tenant>` of the address.
    pub tenant: String,
    /// The user flow of the address.
    pub policy: Option<String>,
    /// Client id of the application.
    pub client: Uuid,
    /// Where the answer goes.
    pub target: Target,
    /// Whether a code is asked for.
    pub code: bool,
    /// Whether an ID token is asked for, from this endpoint.
    pub id_token: bool,
    /// Whether an access token is asked for, from this endpoint.
    pub token: bool,
    /// What the tokens are for.
    pub scope: String,
    /// The nonce.
    pub nonce: Option<String>,
    /// What the code verifier has to fit to.
    pub challenge: Option<Challenge>,
    /// Which pages are wanted.
    pub prompt: Prompt,
    /// Who is expected to sign in.
    pub login_hint: Option<String>,
    /// The domain of whom is expected to sign in.
    pub domain_hint: Option<String>,
    /// How many seconds ago the user may have signed in.
    pub max_age: Option<i64>,
    /// What the tokens are to say.
    pub claims: Option<String>,
    /// Whether the answer is to name the user.
    pub client_info: bool,
}

/// Which pages an application wants.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub struct Prompt {
    /// None at all.
    pub none: bool,
    /// The password.
    pub login: bool,
    /// The permissions.
    pub consent: bool,
    /// The accounts; `create` comes to the same, because the directory takes nobody in.
    pub select_account: bool,
}

impl Prompt {
    /// Whether a page is wanted.
    pub fn wants_page(&self) -> bool {
        self.login || self.consent || self.select_account
    }
}

/// Why a request is refused, and how that is said.
#[derive(Debug)]
pub struct Refusal {
    /// Why.
    pub error: EntraError,
    /// Where a redirect may tell so; nothing means a page.
    pub target: Option<Box<Target>>,
}

impl Refusal {
    fn page(error: EntraError) -> Self {
        Self {
            error,
            target: None,
        }
    }
}

impl Request {
    /// Reads a request.
    pub fn read(
        service: &Service,
        call: &Call,
        names: &Names,
        fields: &Form,
    ) -> Result<Self, Refusal> {
        let provider = service.directory.provider(names).map_err(Refusal::page)?;
        let required = |name: &str| {
            fields
                .get(name)
                .ok_or_else(|| EntraError::about(900144, &[name]))
        };
        let client_id = required("client_id").map_err(Refusal::page)?;
        let application = service
            .directory
            .application_at(client_id, provider.authority, &names.tenant)
            .map_err(Refusal::page)?;
        let redirect_uri = required("redirect_uri").map_err(Refusal::page)?;
        if registered(application, redirect_uri).is_none() {
            return Err(Refusal::page(EntraError::about(
                50011,
                &[redirect_uri, client_id],
            )));
        }

        let mut target = Target {
            redirect_uri: with_path(redirect_uri),
            mode: Mode::Query,
            state: fields.get("state").map(str::to_owned),
        };
        let rest = Rest {
            service,
            call,
            provider,
            fields,
        };
        let request = rest.read(names, application, &mut target);
        request.map_err(|error| Refusal {
            error,
            target: Some(Box::new(target)),
        })
    }

    /// The names that its address had.
    pub fn names(&self) -> Names {
        Names {
            tenant: self.tenant.clone(),
            policy: self.policy.clone(),
            in_query: false, // of no interest to the pages
        }
    }

    /// Whether the time of the sign-in is to stand in the ID token.
    pub fn wants_auth_time(&self) -> bool {
        let asked = |text: &String| {
            let claims: Value = serde_json::from_str(text).ok()?;
            claims.get("id_token")?.get("auth_time").map(|_| ())
        };
        self.max_age.is_some() || self.claims.as_ref().and_then(asked).is_some()
    }

    /// How the redirect URI is registered.
    pub fn platform(&self, service: &Service) -> Platform {
        service
            .directory
            .application(&self.client.to_string())
            .and_then(|application| registered(application, &self.target.redirect_uri))
            .unwrap_or(Platform::Web)
    }
}

/// What a `response_type` asks for.
#[derive(Default)]
struct Tokens {
    code: bool,
    id_token: bool,
    token: bool,
}

/// The part of a request whose refusal is a redirect.
struct Rest<'a> {
    service: &'a Service,
    call: &'a Call,
    provider: Provider<'a>,
    fields: &'a Form,
}

impl Rest<'_> {
    fn read(
        &self,
        names: &Names,
        application: &crate::Application,
        target: &mut Target,
    ) -> Result<Request, EntraError> {
        let text = |name: &str| self.fields.get(name).map(str::to_owned);
        let Tokens {
            code,
            id_token,
            token,
        } = self.response_type(application, target)?;
        let scope = text("scope").ok_or_else(|| EntraError::about(900144, &["scope"]))?;
        let scopes =
            self.service
                .scopes(&scope, &self.call.base, self.provider.kind(), application)?;
        let nonce = text("nonce");
        if id_token && nonce.is_none() {
            return Err(EntraError::about(900144, &["nonce"]));
        }
        if id_token && !scopes.has("openid") {
            return Err(EntraError::about(90014, &["openid"]));
        }
        let claims = text("claims");
        if claims
            .as_ref()
            .is_some_and(|claims| serde_json::from_str::<Value>(claims).is_err())
        {
            return Err(EntraError::about(
                90023,
                &["The claims parameter is no JSON."],
            ));
        }
        let max_age = match self.fields.get("max_age").map(str::parse) {
            None => None,
            Some(Ok(seconds)) if seconds >= 0 => Some(seconds),
            Some(_) => return Err(EntraError::about(90023, &["The max_age is no number."])),
        };
        Ok(Request {
            tenant: names.tenant.clone(),
            policy: names.policy.clone(),
            client: application.client_id,
            target: target.clone(),
            code,
            id_token,
            token,
            scope,
            nonce,
            challenge: self.challenge(code, application, &target.redirect_uri)?,
            prompt: self.prompt()?,
            login_hint: text("login_hint"),
            domain_hint: text("domain_hint"),
            max_age,
            claims,
            client_info: self.fields.get("client_info") == Some("1"),
        })
    }

    /// What is asked for; where the answer is put depends on it.
    fn response_type(
        &self,
        application: &crate::Application,
        target: &mut Target,
    ) -> Result<Tokens, EntraError> {
        let mode = match self.fields.get("response_mode") {
            None => None,
            Some("query") => Some(Mode::Query),
            Some("fragment") => Some(Mode::Fragment),
            Some("form_post") => Some(Mode::FormPost),
            Some(other) => {
                let error = format!("The response_mode '{other}' is not supported.");
                return Err(EntraError::about(90023, &[&error]));
            }
        };
        target.mode = mode.unwrap_or(Mode::Query);
        let text = self
            .fields
            .get("response_type")
            .ok_or_else(|| EntraError::about(900144, &["response_type"]))?;
        let mut asked = Tokens::default();
        for word in text.split_whitespace() {
            let known = match word {
                "code" => &mut asked.code,
                "id_token" => &mut asked.id_token,
                "token" => &mut asked.token,
                _ => return Err(EntraError::about(70005, &[text])),
            };
            if std::mem::replace(known, true) {
                return Err(EntraError::about(70005, &[text]));
            }
        }
        if asked.id_token || asked.token {
            target.mode = mode.unwrap_or(Mode::Fragment);
            if mode == Some(Mode::Query) {
                target.mode = Mode::Fragment; // a token never gets into a log of addresses
                return Err(EntraError::about(70007, &["query", text]));
            }
            if asked.id_token && !application.id_tokens {
                return Err(EntraError::new(700054));
            }
            if asked.token && !application.access_tokens {
                return Err(EntraError::new(700051));
            }
        }
        Ok(asked)
    }

    /// A single-page application has nothing else by which it proves that a code is its own.
    fn challenge(
        &self,
        code: bool,
        application: &crate::Application,
        redirect_uri: &str,
    ) -> Result<Option<Challenge>, EntraError> {
        let method = self.fields.get("code_challenge_method");
        let Some(challenge) = self.fields.get("code_challenge") else {
            let is_single_page =
                registered(application, redirect_uri) == Some(Platform::SinglePage);
            return match method {
                Some(_) => Err(EntraError::new(50147)),
                None if code && is_single_page => Err(EntraError::new(9002325)),
                None => Ok(None),
            };
        };
        let is_verifier = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        if !(43..=128).contains(&challenge.len()) || !challenge.bytes().all(is_verifier) {
            return Err(EntraError::new(501491));
        }
        match method {
            Some("S256") => Ok(Some(Challenge::S256(challenge.to_owned()))),
            None | Some("plain") => Ok(Some(Challenge::Plain(challenge.to_owned()))),
            Some(_) => Err(EntraError::about(
                90023,
                &["The code_challenge_method is not supported."],
            )),
        }
    }

    fn prompt(&self) -> Result<Prompt, EntraError> {
        let mut prompt = Prompt::default();
        for word in self.fields.get("prompt").unwrap_or_default().split(' ') {
            match word {
                "" => {}
                "none" => prompt.none = true,
                "login" => prompt.login = true,
                "consent" => prompt.consent = true,
                "select_account" | "create" => prompt.select_account = true,
                _ => {
                    return Err(EntraError::about(90023, &["Unsupported 'prompt' value."]));
                }
            }
        }
        if prompt.none && prompt.wants_page() {
            return Err(EntraError::about(
                90023,
                &["The prompt 'none' stands alone."],
            ));
        }
        Ok(prompt)
    }
}
