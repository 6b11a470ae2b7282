//! `/<tenant>/oauth2/v2.0/logout`: a browser signs out (OpenID Connect RP-Initiated Logout).

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Extension, State};
use axum::http::{Method, Response, header};
use form_urlencoded::byte_serialize;
use uuid::Uuid;

use crate::authorize::answer::redirect;
use crate::browser_session::{BrowserSession, SignedIn};
use crate::call::{Call, Form};
use crate::keys::Jwt;
use crate::pages::{login, signed_out};
use crate::provider::{Names, Provider};
use crate::redirect_uri::{registered, with_path};
use crate::service::Service;

/// The endpoint.
pub async fn answer(
    State(service): State<Arc<Service>>,
    names: Names,
    Extension(call): Extension<Arc<Call>>,
) -> Response<Body> {
    let provider = match service.directory.provider(&names) {
        Ok(provider) => provider,
        Err(error) => return login::refusal(&call, &error),
    };
    let fields = if call.method == Method::POST {
        &call.form
    } else {
        &call.query
    };
    let mut session = BrowserSession::of(&service, &call);
    let hint = fields.get("logout_hint").unwrap_or_default();
    let gone = session.sign_out(|account| {
        service
            .directory
            .user(&account.user.to_string())
            .is_some_and(|user| user.sign_in_name().eq_ignore_ascii_case(hint))
    });

    let back = way_back(&service, provider, fields);
    let told: Vec<String> = gone
        .iter()
        .flat_map(|account| front_channel(&service, account))
        .collect();
    let mut response = match back {
        Some(address) if told.is_empty() => redirect(&address),
        back => signed_out::show(&told, back.as_deref()),
    };
    if let Ok(cookie) = session.cookie(&service, &call) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}

/// The addresses by which applications learn that a browser session has ended. Entra ID adds `sid` alone, no `iss`.
fn front_channel(service: &Service, account: &SignedIn) -> Vec<String> {
    let address = |client: &Uuid| {
        let application = service.directory.application(&client.to_string())?;
        let url = application.logout_url.as_deref()?;
        let mark = if url.contains('?') { '&' } else { '?' };
        Some(format!("{url}{mark}sid={}", account.sid))
    };
    account.clients.iter().filter_map(address).collect()
}

/// Where the browser goes afterwards: only to an address that an application has registered. The hints tell which
/// application it is; without them any one at this provider will do.
fn way_back(service: &Service, provider: Provider<'_>, fields: &Form) -> Option<String> {
    let uri = fields.get("post_logout_redirect_uri")?;
    let hinted = fields
        .get("id_token_hint")
        .and_then(Jwt::parse)
        .and_then(|token| token.text("aud").map(str::to_owned));
    let client = fields.get("client_id").map(str::to_owned).or(hinted);
    let is_meant = |application: &&crate::Application| {
        let name = application.client_name();
        client
            .as_ref()
            .is_none_or(|client| client.eq_ignore_ascii_case(&name))
            && service
                .directory
                .application_at(&name, provider.authority, "")
                .is_ok()
    };
    service
        .directory
        .applications()
        .filter(is_meant)
        .find(|application| registered(application, uri).is_some())?;
    let uri = with_path(uri);
    Some(match fields.get("state") {
        Some(state) => {
            let mark = if uri.contains('?') { '&' } else { '?' };
            let state: String = byte_serialize(state.as_bytes()).collect();
            format!("{uri}{mark}state={state}")
        }
        None => uri,
    })
}
