//! The pages that people see: plain HTML that needs no JavaScript, escaped by construction.

pub mod device_login;
pub mod home;
mod html;
pub mod login;
pub mod signed_out;
mod steps;

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
    let mut response = Response::new(Body::from(STYLE));
    for (name, value) in [
        (header::CONTENT_TYPE, "text/css; charset=utf-8"),
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

/// A whole page.
fn page(status: StatusCode, title: &str, content: &Html) -> Response<Body> {
    page_with_targets(status, title, content, "'self'")
}

/// A whole page whose form may end at a redirect URI: browsers apply `form-action` to redirects as well.
fn page_for(status: StatusCode, title: &str, content: &Html, redirect_uri: &str) -> Response<Body> {
    match redirect_uri::origin(redirect_uri) {
        Some(origin) => page_with_targets(status, title, content, &format!("'self' {origin}")),
        None => page(status, title, content),
    }
}

fn page_with_targets(
    status: StatusCode,
    title: &str,
    content: &Html,
    form_targets: &str,
) -> Response<Body> {
    let whole = html!(
        r#"<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{} - emulator</title>
<link rel="stylesheet" href="/_emulator/style.css">
</head>
<body>
<p class="warning" role="note">This is a development tool, not Microsoft: a local stand-in for Microsoft Entra ID and Microsoft Graph. Type no real password here.</p>
<main>
<h1>{}</h1>
{}</main>
</body>
</html>
"#,
        title,
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
    let policy = format!(
        "default-src 'none'; style-src 'self'; form-action {form_targets}; frame-ancestors 'none'; base-uri 'none'"
    );
    response
        .headers_mut()
        .insert(header::CONTENT_SECURITY_POLICY, header_value(&policy));
    response
}
