//! `/devicelogin`: type the code, pick an account, sign in, agree, confirm.
//!
//! What has been done so far travels through the browser in one sealed form field, so that a page can be neither
//! skipped nor forged.

use std::borrow::Cow;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Extension, State};
use axum::http::{Response, StatusCode};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::html::{Html, html};
use super::page;
use super::steps::{self, Step};
use crate::admin::is_same_site;
use crate::call::Call;
use crate::consents::needs_admin;
use crate::device_code::{DeviceCode, Progress};
use crate::directory::{Application, Condition, User};
use crate::errors::EntraError;
use crate::service::Service;
use crate::sign_in;

/// How long a page may lie open, in seconds.
const PATIENCE: i64 = 900;
/// What page states are sealed for.
const PURPOSE: &str = "device sign-in page";

/// What has been done, and which page comes back.
#[derive(Deserialize, Serialize)]
struct Progressing {
    user_code: String,
    user: Option<Uuid>,
    page: Asked,
    since: i64,
}

/// What a page asks for.
#[derive(Clone, Copy, Deserialize, PartialEq, Serialize)]
enum Asked {
    Account,
    Password,
    SecondFactor,
    Consent,
    Confirmation,
}

/// `GET /devicelogin`
pub async fn start() -> Response<Body> {
    ask_for_code(None)
}

/// `POST /devicelogin`: the answer to any of the pages.
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
    let Some(state) = call.form.get("state_of_page") else {
        return code_typed(&service, &call);
    };
    let state: Option<Progressing> = service.seal.open(PURPOSE, state);
    let Some(state) = state.filter(|state| state.since + PATIENCE > call.now) else {
        return stop(
            StatusCode::BAD_REQUEST,
            "This page is too old. Start again.",
        );
    };
    let Some(code) = pending(&service, &call, &state.user_code) else {
        return ask_for_code(Some("That code has expired or was used already."));
    };
    if call.form.get("cancel").is_some() {
        service
            .device_codes
            .polled(&code.device_code, |code| code.progress = Progress::Declined);
        return stop(
            StatusCode::OK,
            "You have cancelled the sign-in. You can close this window.",
        );
    }
    let visit = Visit {
        service: &service,
        call: &call,
        code,
        state,
    };
    visit
        .go_on()
        .unwrap_or_else(|error| stop(StatusCode::BAD_REQUEST, &error.headline()))
}

fn code_typed(service: &Service, call: &Call) -> Response<Body> {
    let Some(code) = call
        .form
        .get("user_code")
        .and_then(|typed| pending(service, call, typed))
    else {
        return ask_for_code(Some("That code didn't work. Check the code and try again."));
    };
    let state = Progressing {
        user_code: code.user_code.clone(),
        user: None,
        page: Asked::Account,
        since: call.now,
    };
    let visit = Visit {
        service,
        call,
        code,
        state,
    };
    visit
        .ask(Asked::Account, None)
        .unwrap_or_else(|error| stop(StatusCode::BAD_REQUEST, &error.headline()))
}

fn pending(service: &Service, call: &Call, typed: &str) -> Option<DeviceCode> {
    let code = service.device_codes.typed(typed, |code| code.clone())?;
    (code.progress == Progress::Pending && code.expires > call.now).then_some(code)
}

/// One person's way through the pages.
struct Visit<'a> {
    service: &'a Service,
    call: &'a Call,
    code: DeviceCode,
    state: Progressing,
}

impl Visit<'_> {
    /// Takes the answer to the page that was shown, and shows the next one.
    fn go_on(mut self) -> Result<Response<Body>, EntraError> {
        let form = &self.call.form;
        match self.state.page {
            Asked::Account => {
                let authority = self.service.directory.authority(&self.code.authority)?;
                let name = form
                    .get("other_account")
                    .or(form.get("account"))
                    .unwrap_or_default()
                    .trim();
                match self.service.directory.account(authority, name) {
                    Ok(user) => {
                        self.state.user = Some(user.id);
                        self.ask(Asked::Password, None)
                    }
                    Err(error) => self.ask(Asked::Account, Some(&error)),
                }
            }
            Asked::Password => {
                let user = self.user()?;
                match sign_in::password_fits(&user, form.get("password").unwrap_or_default()) {
                    Ok(()) if user.condition == Condition::MfaRequired => {
                        self.ask(Asked::SecondFactor, None)
                    }
                    Ok(()) => self.ask_for_consent(),
                    Err(error) => self.ask(Asked::Password, Some(&error)),
                }
            }
            Asked::SecondFactor => self.ask_for_consent(),
            Asked::Consent => self.ask(Asked::Confirmation, None),
            Asked::Confirmation => {
                let user = self.user()?;
                self.service.sign_in_to_code(&self.code, &user)?;
                let text = html!(
                    "<p>You have signed in to <strong>{}</strong> as {} on your device. You can close this window.</p>\n",
                    self.application()?.display_name,
                    user.sign_in_name()
                );
                Ok(page(StatusCode::OK, "You have signed in", &text))
            }
        }
    }

    fn ask_for_consent(self) -> Result<Response<Body>, EntraError> {
        let (user, application) = (self.user()?, self.application()?);
        let missing = self
            .service
            .consents
            .missing(&user, application, &self.code.scopes);
        if needs_admin(&missing) {
            let tenant = self
                .service
                .directory
                .tenant_of(&user)
                .map_or("your organization", |tenant| tenant.name.as_str());
            return Err(EntraError::about(
                90094,
                &[tenant, &application.display_name],
            ));
        }
        self.ask(
            if missing.is_empty() {
                Asked::Confirmation
            } else {
                Asked::Consent
            },
            None,
        )
    }

    /// Shows a page.
    fn ask(&self, asked: Asked, error: Option<&EntraError>) -> Result<Response<Body>, EntraError> {
        let application = self.application()?;
        let step = match asked {
            Asked::Account => {
                let authority = self.service.directory.authority(&self.code.authority)?;
                steps::accounts(self.service, application, authority, |_| false)
            }
            Asked::Password => steps::password(&*self.user()?, &Html::default()),
            Asked::SecondFactor => steps::second_factor(),
            Asked::Consent => {
                let missing =
                    self.service
                        .consents
                        .missing(&*self.user()?, application, &self.code.scopes);
                let names = [missing, self.code.scopes.reserved.clone()].concat();
                steps::consent(application, &names)
            }
            Asked::Confirmation => Step::new(
                "Confirm",
                html!(
                    "<p>Are you trying to sign in to <strong>{}</strong>?</p>\n<p>Only continue if you started this on your own device. You are signing in as {}.</p>\n<div><button>Continue</button>\n",
                    application.display_name,
                    self.user()?.sign_in_name()
                ),
            ),
        };
        let state = Progressing {
            user_code: self.state.user_code.clone(),
            user: self.state.user,
            page: asked,
            since: self.call.now,
        };
        let state = self.service.seal.close(PURPOSE, &state)?;
        Ok(step.show("/devicelogin", &state, error, None))
    }

    fn user(&self) -> Result<Cow<'_, User>, EntraError> {
        let user = self
            .state
            .user
            .and_then(|id| self.service.directory.user(&id.to_string()));
        user.ok_or_else(|| EntraError::about(50034, &["(unknown)"]))
    }

    fn application(&self) -> Result<&Application, EntraError> {
        let id = self.code.client.to_string();
        self.service
            .directory
            .application(&id)
            .ok_or_else(|| EntraError::about(700016, &[&id, &self.code.authority]))
    }
}

fn ask_for_code(error: Option<&str>) -> Response<Body> {
    let error = error.map_or_else(Html::default, |error| {
        html!("<p class=\"error\" role=\"alert\">{}</p>\n", error)
    });
    let form = html!(
        "{}<p>Once you enter the code displayed on your app or device, it will have access to your account.</p>\n<p>Do not enter codes from sources you don't trust.</p>\n<form method=\"post\" action=\"/devicelogin\">\n<label for=\"user_code\">Code</label>\n<input id=\"user_code\" name=\"user_code\" autocomplete=\"off\" autocapitalize=\"characters\" spellcheck=\"false\" maxlength=\"20\" autofocus required>\n<div><button>Next</button></div>\n</form>\n",
        error
    );
    page(StatusCode::OK, "Enter code to allow access", &form)
}

fn stop(status: StatusCode, text: &str) -> Response<Body> {
    page(
        status,
        "Sign-in ended",
        &html!(
            "<p>{}</p>\n<p><a href=\"/devicelogin\">Enter a code</a></p>\n",
            text
        ),
    )
}
