//! What holds for every request and every page, before and after its handler.

use actix_web::{
    Error, HttpRequest, HttpResponse,
    body::{BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::{
        Method,
        header::{self, HeaderName, HeaderValue},
    },
    middleware::Next,
    web::Data,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use oauth2::url::Url;
use ring::digest::{SHA256, digest};

use crate::{config::RedirectUri, error::AppError, pages};
use common::authority::is_loopback;

/// How browsers reach the app: by REDIRECT_URI, by their own word, or by that of a proxy that is trusted.
#[derive(Clone)]
pub struct Front {
    pub redirect_uri: RedirectUri,
    pub trust_forwarded_headers: bool,
}

impl Front {
    /// Scheme, host and port as the browser has them.
    fn address(&self, request: &HttpRequest) -> Option<Url> {
        let value = |name: &str| {
            let mut values = request.headers().get_all(name);
            // What cannot be read is no host.
            let value = values.next_back()?.to_str().unwrap_or_default();
            // Of several proxies the nearest adds its value at the end.
            value.rsplit(',').next().map(str::trim)
        };
        let forwarded = |name: &str| {
            if self.trust_forwarded_headers {
                value(name)
            } else {
                None
            }
        };
        let host = forwarded("x-forwarded-host").or_else(|| value("host"))?;
        let scheme = forwarded("x-forwarded-proto").unwrap_or(self.redirect_uri.url.scheme());
        let url = Url::parse(&format!("{scheme}://{host}/")).ok()?;
        let is_host_alone = url.path() == "/" && url.query().is_none() && url.username().is_empty();
        is_host_alone.then_some(url)
    }

    /// Whether the browser came over https.
    pub fn is_https(&self, request: &HttpRequest) -> bool {
        self.address(request)
            .is_some_and(|url| url.scheme() == "https")
    }
}

/// Turns away what is not for this app, and adds what every page carries.
pub struct Guard {
    front: Front,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Guard {
    pub fn new(front: Front) -> Self {
        let style = STANDARD.encode(digest(&SHA256, pages::STYLE.as_bytes()));
        let policy = format!(
            "default-src 'none'; style-src 'sha256-{style}'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
        );
        let mut headers = vec![
            (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
            (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
            (
                header::X_CONTENT_TYPE_OPTIONS,
                HeaderValue::from_static("nosniff"),
            ),
            (
                header::REFERRER_POLICY,
                HeaderValue::from_static("no-referrer"),
            ),
        ];
        if let Ok(policy) = HeaderValue::from_str(&policy) {
            headers.push((header::CONTENT_SECURITY_POLICY, policy));
        }
        if front.redirect_uri.url.scheme() == "https" {
            headers.push((
                header::STRICT_TRANSPORT_SECURITY,
                HeaderValue::from_static("max-age=31536000"),
            ));
        }
        Self { front, headers }
    }

    /// Whether the request is for this app's own address; if not, what it gets instead.
    fn turn_away(&self, request: &HttpRequest) -> Option<HttpResponse> {
        if request.method() == Method::TRACE {
            return Some(HttpResponse::from_error(AppError::Method));
        }
        if request.path() == "/health" {
            return None;
        }
        let redirect_uri = &self.front.redirect_uri;
        let own = &redirect_uri.url;
        let host = match self.front.address(request) {
            Some(url)
                if url.host_str() == own.host_str()
                    && url.port_or_known_default() == own.port_or_known_default() =>
            {
                return None;
            }
            host => host,
        };
        // A cookie of localhost is none of 127.0.0.1: one of them has to be used throughout.
        let is_other_name = redirect_uri.is_loopback() && host.is_some_and(|url| is_loopback(&url));
        match is_other_name {
            true => {
                let path = request
                    .uri()
                    .path_and_query()
                    .map_or("/", |path| path.as_str());
                let address = format!("{}{path}", redirect_uri.origin());
                Some(
                    HttpResponse::Found()
                        .insert_header((header::LOCATION, address))
                        .finish(),
                )
            }
            false => Some(HttpResponse::from_error(AppError::Misdirected)),
        }
    }
}

/// The middleware around all handlers.
pub async fn guard(
    guard: Data<Guard>,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let mut response = match guard.turn_away(request.request()) {
        Some(response) => request.into_response(response),
        None => next.call(request).await?.map_into_boxed_body(),
    };
    for (name, value) in &guard.headers {
        response.headers_mut().insert(name.clone(), value.clone());
    }
    Ok(response)
}
