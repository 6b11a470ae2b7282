//! The pages that people see: plain HTML that needs no JavaScript, escaped by construction.

pub mod device_login;
pub mod home;
mod html;
pub mod login;
pub mod signed_out;
mod steps;

use std::fmt;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::Extension;
use axum::http::{HeaderName, HeaderValue, Response, StatusCode, header};

use crate::call::{Call, header_value};
use crate::redirect_uri;
use html::{Html, html};

/// The look of all pages.
const STYLE: &str = include_str!("style.css");

/// `GET /_emulator/style.css`
pub async fn style() -> Response<Body> {
    file("text/css; charset=utf-8", STYLE)
}

/// A part of a page.
fn file(content_type: &'static str, content: impl Into<Body>) -> Response<Body> {
    let mut response = Response::new(content.into());
    for (name, value) in [
        (header::CONTENT_TYPE, content_type),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        // `exec` may have ended before the browser could ask for the style of the last page.
        (header::CACHE_CONTROL, "max-age=600"),
    ] {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Every address that is not there.
pub async fn not_found(Extension(call): Extension<Arc<Call>>) -> Response<Body> {
    let text = html!(
        "<p>The emulator has nothing at <code>{}</code>.</p>",
        call.path
    );
    page(StatusCode::NOT_FOUND, "Not found", &text)
}

/// What a page may do beyond the ordinary.
#[derive(Default)]
struct Policy {
    /// Where its form may end beside the emulator: browsers apply `form-action` to redirects as well.
    form: Option<String>,
    /// The origins of what it loads in frames.
    frames: Vec<String>,
    /// The address of a script of the emulator's own, which may ask the emulator.
    script: Option<&'static str>,
    /// The address of a further style sheet.
    style: Option<&'static str>,
}

/// A whole page.
fn page(status: StatusCode, title: &str, content: &Html) -> Response<Body> {
    page_with(status, title, content, Policy::default())
}

/// A whole page whose form may end at a redirect URI.
fn page_for(status: StatusCode, title: &str, content: &Html, redirect_uri: &str) -> Response<Body> {
    let policy = Policy {
        form: redirect_uri::origin(redirect_uri),
        ..Policy::default()
    };
    page_with(status, title, content, policy)
}

fn page_with(status: StatusCode, title: &str, content: &Html, policy: Policy) -> Response<Body> {
    let script = policy.script.map_or_else(Html::default, |address| {
        html!("<script src=\"{}\" defer></script>\n", address)
    });
    let style = policy.style.map_or_else(Html::default, |address| {
        html!("<link rel=\"stylesheet\" href=\"{}\">\n", address)
    });
    let whole = html!(
        r#"<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{} - emulator</title>
<link rel="stylesheet" href="/_emulator/style.css">
{}{}</head>
<body>
<p class="warning" role="note">This is a development tool, not Microsoft: a local stand-in for Microsoft Entra ID and Microsoft Graph. Type no real password here.</p>
<main>
<h1>{}</h1>
{}</main>
</body>
</html>
"#,
        title,
        style,
        script,
        title,
        content
    );
    let mut response = Response::new(Body::from(whole.into_string()));
    *response.status_mut() = status;
    for (name, value) in [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        // Not `no-referrer`: with that, browsers would call the origin of the pages' own forms "null".
        (header::REFERRER_POLICY, "same-origin"),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ),
    ] {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    response.headers_mut().insert(
        header::CONTENT_SECURITY_POLICY,
        header_value(&policy.to_string()),
    );
    response
}

impl fmt::Display for Policy {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("default-src 'none'; style-src 'self'; form-action 'self'")?;
        if let Some(origin) = &self.form {
            write!(out, " {origin}")?;
        }
        if !self.frames.is_empty() {
            write!(out, "; frame-src {}", self.frames.join(" "))?;
        }
        if self.script.is_some() {
            out.write_str("; script-src 'self'; connect-src 'self'")?;
        }
        out.write_str("; frame-ancestors 'none'; base-uri 'none'")
    }
}
