//! The pages. askama escapes every value that is put into them.

use actix_web::{HttpResponse, http::StatusCode, http::header::ContentType};
use askama::Template;

pub const STYLE: &str = include_str!("../templates/style.css");
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Who is signed in, and what they can do.
#[derive(Template)]
#[template(path = "index.html")]
pub struct Index<'a> {
    pub name: &'a str,
    pub call_api: bool,
    pub edit_profile: Option<&'a str>,
    pub logout: &'a str,
}

/// What the API has answered.
#[derive(Template)]
#[template(path = "call_api.html")]
pub struct CallApi {
    pub json: String,
}

/// What happened, what to do, and where to go from here.
#[derive(Default, Template)]
#[template(path = "message.html")]
pub struct Message<'a> {
    pub title: &'a str,
    pub text: &'a str,
    pub details: Vec<(&'a str, &'a str)>,
    pub content: &'a str,
    pub link: Option<(&'a str, &'a str)>,
}

/// A page as an answer.
pub fn respond(status: StatusCode, page: &impl Template) -> HttpResponse {
    match page.render() {
        Ok(html) => HttpResponse::build(status)
            .content_type(ContentType::html())
            .body(html),
        Err(error) => {
            tracing::error!(%error, "a page could not be rendered");
            HttpResponse::InternalServerError().finish()
        }
    }
}
