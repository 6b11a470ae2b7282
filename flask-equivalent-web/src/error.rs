//! What can go wrong while a page is made: what the user may be told, and what only the log gets.

use std::fmt;

use actix_web::{
    HttpResponse, ResponseError,
    http::{
        StatusCode,
        header::{ALLOW, HeaderValue},
    },
};
use common::{
    config::ConfigError,
    graph::{GraphError, GraphRefusal},
    http::is_overload,
    oauth::{EntraError, Refusal},
    text,
};

use crate::pages::{self, Message};

/// Why a page is not the one that was asked for.
#[derive(Debug)]
pub enum AppError {
    /// The callback belongs to no sign-in of this browser.
    Callback(&'static str),
    /// The provider refused the sign-in.
    Refused(Box<Refusal>),
    /// The ID token is not good.
    IdToken(&'static str),
    /// The provider cannot be reached, or does not answer as one.
    Provider(String),
    /// Not all scopes were granted.
    Ungranted(Vec<String>),
    /// The API refuses the call.
    Api(Box<GraphRefusal>),
    /// The API cannot be reached.
    ApiUnreachable(String),
    /// The API does not answer in time.
    ApiTimeout,
    /// Sessions cannot be read or written.
    Store(String),
    /// A setting is still missing.
    AlmostThere(String),
    /// Nothing is here.
    NotFound,
    /// The page is there, but not for this method.
    Method,
    /// The request is for another host.
    Misdirected,
    /// A defect.
    Internal(String),
}

impl AppError {
    /// The provider's metadata or keys cannot be used.
    pub fn provider(address: &str, problem: impl fmt::Display) -> Self {
        Self::Provider(format!("{address}: {problem}"))
    }

    /// A setting is missing: the text says which, and where it is found.
    pub fn almost_there(error: &ConfigError) -> Self {
        Self::AlmostThere(error.to_string())
    }
}

impl From<EntraError> for AppError {
    fn from(error: EntraError) -> Self {
        match error {
            EntraError::Refused(refusal) if !is_overload(refusal.status) => Self::Refused(refusal),
            error => Self::Provider(error.to_string()),
        }
    }
}

impl From<GraphError> for AppError {
    fn from(error: GraphError) -> Self {
        match error {
            GraphError::Refused(refusal) | GraphError::Unauthorized { refusal, .. } => {
                Self::Api(refusal)
            }
            error => Self::ApiUnreachable(error.to_string()),
        }
    }
}

impl fmt::Display for AppError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Callback(reason) => write!(f, "callback refused: {reason}"),
            Self::Refused(refusal) => write!(
                f,
                "sign-in refused: {} {}",
                refusal.error, refusal.correlation_id
            ),
            Self::IdToken(reason) => write!(f, "ID token refused: {reason}"),
            Self::Provider(problem) => write!(f, "provider: {}", text::one_line(problem, 500)),
            Self::Ungranted(scopes) => write!(f, "ungranted scopes: {}", scopes.join(" ")),
            Self::Api(refusal) => write!(f, "API refused: {}", refusal.status),
            Self::ApiUnreachable(problem) => {
                write!(f, "API unreachable: {}", text::one_line(problem, 500))
            }
            Self::ApiTimeout => f.write_str("API: no answer in time"),
            Self::Store(problem) => write!(f, "session store: {}", text::one_line(problem, 500)),
            Self::AlmostThere(_) => f.write_str("a setting is missing"),
            Self::NotFound => f.write_str("not found"),
            Self::Method => f.write_str("method not allowed"),
            Self::Misdirected => f.write_str("foreign host"),
            Self::Internal(problem) => write!(f, "{}", text::one_line(problem, 500)),
        }
    }
}

impl ResponseError for AppError {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::Callback(_) | Self::Refused(_) | Self::IdToken(_) => StatusCode::BAD_REQUEST,
            Self::Provider(_) | Self::ApiUnreachable(_) => StatusCode::BAD_GATEWAY,
            Self::Ungranted(_) => StatusCode::FORBIDDEN,
            Self::Api(refusal) => match refusal.status.as_u16() {
                401 => StatusCode::UNAUTHORIZED,
                403 => StatusCode::FORBIDDEN,
                404 => StatusCode::NOT_FOUND,
                429 => StatusCode::TOO_MANY_REQUESTS,
                _ => StatusCode::BAD_GATEWAY,
            },
            Self::ApiTimeout => StatusCode::GATEWAY_TIMEOUT,
            Self::Store(_) | Self::AlmostThere(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::Misdirected => StatusCode::MISDIRECTED_REQUEST,
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn error_response(&self) -> HttpResponse {
        let status = self.status_code();
        match self {
            Self::NotFound | Self::Method | Self::Misdirected => tracing::debug!(error = %self),
            _ => tracing::warn!(error = %self),
        }
        let home = Some(("Back to the start", "/"));
        let again = Some(("Sign in again", "/"));
        let ungranted;
        let page = match self {
            Self::Callback(reason) => Message {
                title: "This sign-in cannot go on",
                text: reason,
                link: again,
                ..Message::default()
            },
            Self::Refused(refusal) => {
                let advice = refusal.advice();
                let page = Message {
                    title: "Login Failure",
                    text: advice.as_deref().unwrap_or("The sign-in was refused."),
                    details: vec![
                        ("error", &refusal.error),
                        ("description", &refusal.description),
                        ("correlation id", &refusal.correlation_id),
                    ],
                    link: again,
                    ..Message::default()
                };
                return pages::respond(status, &page);
            }
            Self::IdToken(reason) => Message {
                title: "Login Failure",
                text: "The provider's ID token was refused.",
                details: vec![("error", "invalid_id_token"), ("description", reason)],
                link: again,
                ..Message::default()
            },
            Self::Provider(problem) => Message {
                title: "Login Failure",
                text: problem,
                link: again,
                ..Message::default()
            },
            Self::Ungranted(scopes) => {
                ungranted = format!(
                    "Ungranted scope(s): {}\nSign out and in again to grant them, or ask an administrator: App registrations > your app > API permissions.",
                    scopes.join(", ")
                );
                Message {
                    title: "API Response",
                    text: &ungranted,
                    link: home,
                    ..Message::default()
                }
            }
            Self::Api(refusal) => Message {
                title: "API Response",
                text: &refusal.advice,
                content: &refusal.content,
                link: Some(("Back", "/")),
                ..Message::default()
            },
            Self::ApiUnreachable(problem) => Message {
                title: "API Response",
                text: problem,
                link: home,
                ..Message::default()
            },
            Self::ApiTimeout => Message {
                title: "API Response",
                text: "The API did not answer within 30 seconds. Try again later.",
                link: home,
                ..Message::default()
            },
            Self::Store(_) => Message {
                title: "Please come back in a moment",
                text: "Sessions cannot be reached right now. Nothing is lost: try again in a moment.",
                link: home,
                ..Message::default()
            },
            Self::AlmostThere(text) => Message {
                title: "Almost there",
                text,
                ..Message::default()
            },
            Self::NotFound => Message {
                title: "Nothing is here",
                text: "This page does not exist.",
                link: home,
                ..Message::default()
            },
            Self::Method => Message {
                title: "Not that way",
                text: "This page can only be read (GET).",
                link: home,
                ..Message::default()
            },
            Self::Misdirected => Message {
                title: "Another address",
                text: "This app is not served under the host name of this request. Behind a proxy, see TRUST_FORWARDED_HEADERS.",
                ..Message::default()
            },
            Self::Internal(_) => Message {
                title: "Something went wrong",
                text: "The log of the app says more.",
                link: home,
                ..Message::default()
            },
        };
        let mut response = pages::respond(status, &page);
        if matches!(self, Self::Method) {
            let headers = response.headers_mut();
            headers.insert(ALLOW, HeaderValue::from_static("GET"));
        }
        response
    }
}
