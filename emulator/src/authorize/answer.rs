//! The way back: what the application gets, by a redirect or by a form.

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use form_urlencoded::Serializer;
use serde::{Deserialize, Serialize};

use crate::call::{Call, header_value};
use crate::errors::EntraError;
use crate::faults::openid::WayBackEdit;
use crate::pages;
use crate::service::Service;

/// Where an answer goes, and how.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Target {
    /// The registered address that was asked for.
    pub redirect_uri: String,
    /// How the fields get there.
    pub mode: Mode,
    /// The application's own value, given back as it came.
    pub state: Option<String>,
}

/// How the fields of an answer get to the application.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub enum Mode {
    /// After `?`.
    Query,
    /// After `#`.
    Fragment,
    /// In the body of a POST.
    FormPost,
}

/// The fields of an answer in their order.
pub type Fields = Vec<(String, String)>;

impl Target {
    /// A good answer; `state` is added.
    pub fn success(&self, service: &Service, call: &Call, mut fields: Fields) -> Response<Body> {
        self.add_state(&mut fields);
        self.send(service, call, fields)
    }

    /// An error, and nothing that explains it.
    pub fn bare_refusal(&self, service: &Service, call: &Call, error: String) -> Response<Body> {
        let mut fields = vec![("error".to_owned(), error)];
        self.add_state(&mut fields);
        self.send(service, call, fields)
    }

    /// A refusal.
    pub fn refusal(&self, service: &Service, call: &Call, error: &EntraError) -> Response<Body> {
        let mut fields = vec![
            ("error".to_owned(), error.error.clone()),
            ("error_description".to_owned(), error.full_description(call)),
        ];
        if error.code == 65004 {
            fields.push(("error_subcode".to_owned(), "cancel".to_owned()));
        }
        if !error.is_b2c && error.code != 0 {
            let address = format!("{}/error?code={}", call.base, error.code);
            fields.push(("error_uri".to_owned(), address));
        }
        self.add_state(&mut fields);
        self.send(service, call, fields)
    }

    fn add_state(&self, fields: &mut Fields) {
        if let Some(state) = &self.state {
            fields.push(("state".to_owned(), state.clone()));
        }
    }

    fn send(&self, service: &Service, call: &Call, mut fields: Fields) -> Response<Body> {
        if let Some(edit) = service.faults.take_way_back_edit(call) {
            spoil(&mut fields, edit);
        }
        let mark = match self.mode {
            Mode::FormPost => return pages::login::post_back(&self.redirect_uri, &fields),
            Mode::Fragment => '#',
            Mode::Query if self.redirect_uri.contains('?') => '&',
            Mode::Query => '?',
        };
        let mut text = Serializer::new(String::new());
        text.extend_pairs(&fields);
        redirect(&format!("{}{mark}{}", self.redirect_uri, text.finish()))
    }
}

/// Carries a fault of the way back out.
fn spoil(fields: &mut Fields, edit: WayBackEdit) {
    let another = || "of-somebody-else".to_owned();
    match edit {
        WayBackEdit::Without(name) => fields.retain(|(field, _)| field != name),
        WayBackEdit::Set(name, value) => {
            fields.retain(|(field, _)| field != name);
            fields.push((name.to_owned(), value));
        }
        WayBackEdit::Twice(name) => fields.push((name.to_owned(), another())),
        WayBackEdit::CodeAndError => {
            if !fields.iter().any(|(field, _)| field == "code") {
                fields.push(("code".to_owned(), another()));
            }
            fields.push(("error".to_owned(), "server_error".to_owned()));
            fields.push(("error_description".to_owned(), "Both at once.".to_owned()));
        }
    }
}

/// A redirect; only ever to an address that is registered, or the emulator's own.
pub fn redirect(address: &str) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::FOUND;
    let headers = response.headers_mut();
    headers.insert(header::LOCATION, header_value(address));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        header::REFERRER_POLICY,
        HeaderValue::from_static("no-referrer"),
    );
    response
}
