//! The page after a sign-out that leads nowhere else.

use axum::body::Body;
use axum::http::{Response, StatusCode};

use super::html::html;
use super::page;

/// The page.
pub fn show() -> Response<Body> {
    page(
        StatusCode::OK,
        "You signed out of your account",
        &html!("<p>It's a good idea to close all browser windows.</p>\n"),
    )
}
