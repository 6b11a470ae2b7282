//! How a way ends without a sign-in, and how a form leads back to the application.

use axum::body::Body;
use axum::http::{Response, StatusCode};

use super::super::html::{Html, html};
use super::super::{page, page_for};
use crate::authorize::answer::Fields;
use crate::authorize::request::Request;
use crate::call::Call;
use crate::errors::EntraError;
use crate::faults::Effect;
use crate::faults::openid::WayBackError;
use crate::service::Service;
use crate::spoil::HARMFUL;

/// Carries a fault out that refuses the request.
pub(super) fn refuse_on_purpose(
    service: &Service,
    call: &Call,
    request: &Request,
    fault: Effect,
) -> Response<Body> {
    let error = match fault {
        Effect::WayBackError(WayBackError::Bare(name)) => {
            return request.target.bare_refusal(service, call, name);
        }
        Effect::WayBackError(WayBackError::ForgotPassword) => EntraError::forgot_password(),
        Effect::Aadsts(code) => EntraError::new(code),
        Effect::Error { name, .. } => EntraError::named(&name),
        Effect::Crlf => EntraError {
            description: HARMFUL.to_owned(),
            ..EntraError::new(90033)
        },
        _ => EntraError::new(65004),
    };
    let error = match request.policy {
        Some(_) => error.in_b2c(),
        None => error,
    };
    request.target.refusal(service, call, &error)
}

/// The page that says why there is no way back to the application.
pub fn refusal(call: &Call, error: &EntraError) -> Response<Body> {
    let text = html!(
        "<p class=\"error\" role=\"alert\">{}</p>\n<p>Correlation ID: <code>{}</code></p>\n",
        error.headline(),
        call.correlation_id.to_string()
    );
    page(
        StatusCode::BAD_REQUEST,
        "Sorry, but we're having trouble signing you in",
        &text,
    )
}

/// The page of `response_mode=form_post`: one button, since scripts are not allowed.
pub fn post_back(redirect_uri: &str, fields: &Fields) -> Response<Body> {
    let inputs: Html = fields
        .iter()
        .map(|(name, value)| {
            html!(
                "<input type=\"hidden\" name=\"{}\" value=\"{}\">\n",
                name,
                value
            )
        })
        .collect();
    let form = html!(
        "<form method=\"post\" action=\"{}\">\n{}<p>One more click: this tool uses no scripts.</p>\n<div><button autofocus>Continue</button></div>\n</form>\n",
        redirect_uri,
        inputs
    );
    page_for(
        StatusCode::OK,
        "Return to the application",
        &form,
        redirect_uri,
    )
}

/// The page after which nothing comes.
pub(super) fn stop(status: StatusCode, text: &str) -> Response<Body> {
    page(status, "Sign-in ended", &html!("<p>{}</p>\n", text))
}
