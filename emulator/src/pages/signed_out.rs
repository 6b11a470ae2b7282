//! The page after a sign-out: that leads nowhere else, or that has to tell applications first.

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};

use super::html::{Html, html};
use super::{Policy, page_with};
use crate::call::header_value;
use crate::redirect_uri::origin;

/// How long the applications have, in seconds, before the browser goes on.
const PATIENCE: u8 = 2;

/// The page. It loads the front-channel logout URLs in `told`, unseen, and goes on to `back`, without a script.
pub fn show(told: &[String], back: Option<&str>) -> Response<Body> {
    let frames: Html = told
        .iter()
        .map(|url| {
            html!(
                "<iframe src=\"{}\" title=\"sign-out\" hidden></iframe>\n",
                url
            )
        })
        .collect();
    let on = back.map_or_else(Html::default, |back| {
        html!(
            "<p>Hang on a moment while we sign you out. <a href=\"{}\">Continue</a></p>\n",
            back
        )
    });
    let text = html!(
        "<p>It's a good idea to close all browser windows.</p>\n{}{}",
        on,
        frames
    );
    let policy = Policy {
        frames: told.iter().filter_map(|url| origin(url)).collect(),
        ..Policy::default()
    };
    let mut response = page_with(
        StatusCode::OK,
        "You signed out of your account",
        &text,
        policy,
    );
    if let Some(back) = back {
        response.headers_mut().insert(
            header::REFRESH,
            header_value(&format!("{PATIENCE}; url={back}")),
        );
    }
    // A browser that asks for the page again would tell nobody anything new.
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
