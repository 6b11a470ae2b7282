//! `/login`: a person's way from an authorization request to its answer.
//!
//! What has been done so far travels through the browser in one sealed form field, so that a page can be neither
//! skipped nor forged. Whoever is signed in to the browser already goes on without pages, unless the request wants one.

mod accounts;
mod answer;
mod endings;

use std::borrow::Cow;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Extension, State};
use axum::http::{Response, StatusCode};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::html::{Html, html};
use super::steps::{self, Step};
use crate::admin::is_same_site;
use crate::authorize::request::Request;
use crate::browser_session::BrowserSession;
use crate::call::Call;
use crate::consents::needs_admin;
use crate::directory::{Application, Condition, FlowKind, User};
use crate::errors::EntraError;
use crate::provider::Provider;
use crate::scopes::Scopes;
use crate::service::Service;
use crate::sign_in;
use endings::{refuse_on_purpose, stop};

pub use endings::{post_back, refusal};

/// How long a page may lie open, in seconds.
const PATIENCE: i64 = 900;
/// What page states are sealed for.
const PURPOSE: &str = "browser sign-in page";
/// The longest name that the profile page takes.
const NAME_LIMIT: usize = 100;

/// What has been done, and which page comes back.
#[derive(Deserialize, Serialize)]
struct Progress {
    request: Request,
    user: Option<Uuid>,
    /// Whether the user has proved who they are on these pages.
    proven: bool,
    name: Option<String>,
    page: Asked,
    since: i64,
}

/// What a page asks for.
#[derive(Clone, Copy, Deserialize, PartialEq, Serialize)]
enum Asked {
    Account,
    Password,
    SecondFactor,
    NewPassword,
    Profile,
    Consent,
}

/// Answers an authorization request: at once, or by the first page.
pub fn begin(service: &Service, call: &Call, request: Request) -> Response<Body> {
    if let Some(fault) = service.faults.take_way_back_error(call) {
        return refuse_on_purpose(service, call, &request, fault);
    }
    let progress = Progress {
        request,
        user: None,
        proven: false,
        name: None,
        page: Asked::Account,
        since: call.now,
    };
    Journey::travel(service, call, progress, Journey::first_step)
}

/// The answer as if this user had been through all pages, and agreed to everything.
pub fn answer_as(service: &Service, call: &Call, request: Request, user: Uuid) -> Response<Body> {
    let progress = Progress {
        request,
        user: Some(user),
        proven: true,
        name: None,
        page: Asked::Consent,
        since: call.now,
    };
    Journey::travel(service, call, progress, |journey| {
        sign_in::in_person(&*journey.user()?)?;
        journey.refuse_what_needs_admin()?;
        journey.finish()
    })
}

/// `POST /login`: the answer to any of the pages.
pub async fn next(
    State(service): State<Arc<Service>>,
    Extension(call): Extension<Arc<Call>>,
) -> Response<Body> {
    if !is_same_site(&call) {
        return stop(
            StatusCode::FORBIDDEN,
            "This form was sent from another site.",
        );
    }
    let progress: Option<Progress> = call
        .form
        .get("state_of_page")
        .and_then(|state| service.seal.open(PURPOSE, state));
    match progress.filter(|progress| progress.since + PATIENCE > call.now) {
        Some(progress) => Journey::travel(&service, &call, progress, Journey::next_step),
        None => stop(
            StatusCode::BAD_REQUEST,
            "This page is too old. Go back to the application and start again.",
        ),
    }
}

/// One person's way through the pages.
struct Journey<'a> {
    service: &'a Service,
    call: &'a Call,
    provider: Provider<'a>,
    application: &'a Application,
    scopes: Scopes,
    session: BrowserSession,
    progress: Progress,
}

impl<'a> Journey<'a> {
    /// Takes a step, or tells the application why there is none.
    fn travel(
        service: &'a Service,
        call: &'a Call,
        progress: Progress,
        step: fn(Self) -> Result<Response<Body>, EntraError>,
    ) -> Response<Body> {
        let (target, policy) = (
            progress.request.target.clone(),
            progress.request.policy.is_some(),
        );
        Self::new(service, call, progress)
            .and_then(step)
            .unwrap_or_else(|error| {
                let error = if policy { error.in_b2c() } else { error };
                target.refusal(service, call, &error)
            })
    }

    fn new(service: &'a Service, call: &'a Call, progress: Progress) -> Result<Self, EntraError> {
        let request = &progress.request;
        let provider = service.directory.provider(&request.names())?;
        let application = service.directory.application_at(
            &request.client.to_string(),
            provider.authority,
            &request.tenant,
        )?;
        Ok(Self {
            service,
            call,
            provider,
            application,
            scopes: service.scopes(&request.scope, &call.base, provider.kind(), application)?,
            session: BrowserSession::of(service, call),
            progress,
        })
    }

    fn first_step(mut self) -> Result<Response<Body>, EntraError> {
        let known = self.known_accounts();
        let prompt = self.progress.request.prompt;
        if prompt.none {
            self.progress.user = Some(match known.as_slice() {
                [] => return Err(EntraError::new(50058)),
                [only] => only.user,
                [first, ..] => {
                    return Err(EntraError::about(
                        16000,
                        &[&first.user.to_string(), "(several)"],
                    ));
                }
            });
            if !self.missing()?.is_empty() {
                return Err(EntraError {
                    error: "consent_required".to_owned(),
                    ..self.not_consented()
                });
            }
            return self.finish();
        }
        if self.service.auto_sign_in.is_some() && !prompt.wants_page() {
            let user = match known.first() {
                Some(account) => account.user,
                None => {
                    self.progress.proven = true;
                    self.automatic_user()?.id
                }
            };
            self.progress.user = Some(user);
            self.refuse_what_needs_admin()?;
            return self.finish();
        }
        if prompt.select_account {
            return self.ask(Asked::Account, None);
        }
        match (known.as_slice(), self.hinted_user()) {
            ([only], _) if !prompt.login => {
                self.progress.user = Some(only.user);
                self.after_sign_in()
            }
            ([], Some(user)) | ([_], Some(user)) => {
                self.progress.user = Some(user.id);
                self.ask(self.proof_page(), None)
            }
            ([only], None) => {
                self.progress.user = Some(only.user);
                self.ask(self.proof_page(), None)
            }
            _ => self.ask(Asked::Account, None),
        }
    }

    /// Takes the answer to the page that was shown, and goes on.
    fn next_step(mut self) -> Result<Response<Body>, EntraError> {
        let form = &self.call.form;
        if form.get("cancel").is_some() {
            return Err(EntraError::new(65004));
        }
        if form.get("forgot_password").is_some() && self.is_flow(FlowKind::SignUpSignIn) {
            return Err(EntraError::forgot_password());
        }
        match self.progress.page {
            Asked::Account => {
                let name = form
                    .get("other_account")
                    .or(form.get("account"))
                    .unwrap_or_default()
                    .trim();
                let account = self
                    .service
                    .directory
                    .account(self.provider.authority, name);
                match account.map(|user| user.id) {
                    Ok(user) => {
                        self.progress.user = Some(user);
                        if self.is_signed_in(user) {
                            self.after_sign_in()
                        } else {
                            self.ask(self.proof_page(), None)
                        }
                    }
                    Err(error) => self.ask(Asked::Account, Some(&error)),
                }
            }
            Asked::Password => {
                let user = self.user()?;
                let password = form.get("password").unwrap_or_default();
                match sign_in::password_fits(&user, password) {
                    Ok(()) if user.condition == Condition::MfaRequired => {
                        self.ask(Asked::SecondFactor, None)
                    }
                    Ok(()) => self.signed_in(),
                    Err(error) => self.ask(Asked::Password, Some(&error)),
                }
            }
            Asked::SecondFactor | Asked::NewPassword => {
                sign_in::in_person(&*self.user()?)?;
                self.signed_in()
            }
            Asked::Profile => {
                let name = form.get("display_name").unwrap_or_default().trim();
                self.progress.name = Some(name.chars().take(NAME_LIMIT).collect());
                self.finish()
            }
            Asked::Consent => {
                self.refuse_what_needs_admin()?;
                self.finish()
            }
        }
    }

    fn signed_in(mut self) -> Result<Response<Body>, EntraError> {
        self.progress.proven = true;
        self.after_sign_in()
    }

    /// It is known who signs in: profile and permissions may be left.
    fn after_sign_in(self) -> Result<Response<Body>, EntraError> {
        if self.is_flow(FlowKind::EditProfile) {
            return self.ask(Asked::Profile, None);
        }
        self.refuse_what_needs_admin()?;
        if self.progress.request.prompt.consent || !self.missing()?.is_empty() {
            return self.ask(Asked::Consent, None);
        }
        self.finish()
    }

    /// Shows a page.
    fn ask(&self, asked: Asked, error: Option<&EntraError>) -> Result<Response<Body>, EntraError> {
        let forgot = if self.is_flow(FlowKind::SignUpSignIn) {
            html!(
                "<button class=\"quiet\" name=\"forgot_password\" value=\"1\" formnovalidate>Forgot your password?</button>\n"
            )
        } else {
            Html::default()
        };
        let step = match asked {
            Asked::Account => steps::accounts(
                self.service,
                self.application,
                self.provider.authority,
                |user| self.is_signed_in(user.id),
            ),
            Asked::Password => steps::password(&*self.user()?, &forgot),
            Asked::SecondFactor => steps::second_factor(),
            Asked::NewPassword => Step::new(
                "Reset your password",
                html!(
                    "<p>A code would go to {} now. This tool sends no mail, and keeps its passwords: any new one will do.</p>\n<label for=\"new_password\">New password</label>\n<input id=\"new_password\" name=\"new_password\" type=\"password\" autocomplete=\"off\" autofocus required>\n<div><button>Continue</button>\n",
                    self.user()?.sign_in_name()
                ),
            ),
            Asked::Profile => Step::new(
                "Edit your profile",
                html!(
                    "<p>The directory of this tool never changes: the new name stands in the tokens of this sign-in.</p>\n<label for=\"display_name\">Display name</label>\n<input id=\"display_name\" name=\"display_name\" value=\"{}\" maxlength=\"100\" autocomplete=\"off\" autofocus required>\n<div><button>Continue</button>\n",
                    self.user()?.display_name
                ),
            ),
            Asked::Consent => {
                let wanted = if self.progress.request.prompt.consent {
                    self.scopes.permissions.clone()
                } else {
                    self.missing()?
                };
                let names = [self.scopes.reserved.clone(), wanted].concat();
                steps::consent(self.application, &names)
            }
        };
        let progress = Progress {
            request: self.progress.request.clone(),
            user: self.progress.user,
            proven: self.progress.proven,
            name: self.progress.name.clone(),
            page: asked,
            since: self.call.now,
        };
        let state = self.service.seal.close(PURPOSE, &progress)?;
        let redirect_uri = self.progress.request.target.redirect_uri.as_str();
        Ok(step.show("/login", &state, error, Some(redirect_uri)))
    }

    /// The page on which a user proves who they are.
    fn proof_page(&self) -> Asked {
        if self.is_flow(FlowKind::ResetPassword) {
            Asked::NewPassword
        } else {
            Asked::Password
        }
    }

    fn is_flow(&self, kind: FlowKind) -> bool {
        self.provider.flow.is_some_and(|flow| flow.kind == kind)
    }

    /// The permissions that somebody has to agree to first.
    fn missing(&self) -> Result<Vec<String>, EntraError> {
        if !self.provider.is_entra() {
            return Ok(Vec::new()); // such a tenant has no Graph
        }
        let user = self.user()?;
        Ok(self
            .service
            .consents
            .missing(&user, self.application, &self.scopes))
    }

    fn refuse_what_needs_admin(&self) -> Result<(), EntraError> {
        if needs_admin(&self.missing()?) {
            let tenant = self
                .provider
                .tenant()
                .map_or("your organization", |tenant| tenant.name.as_str());
            return Err(EntraError::about(
                90094,
                &[tenant, &self.application.display_name],
            ));
        }
        Ok(())
    }

    fn not_consented(&self) -> EntraError {
        let id = self.application.client_name();
        EntraError::about(65001, &[&id, &self.application.display_name])
    }

    fn user(&self) -> Result<Cow<'a, User>, EntraError> {
        let user = self
            .progress
            .user
            .and_then(|id| self.service.directory.user(&id.to_string()));
        user.ok_or_else(|| EntraError::about(50034, &["(unknown)"]))
    }
}
