//! Carries a fault out: answers in place of an endpoint's, and answers spoiled on their way out.

mod edit;

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::http::{HeaderValue, Response, StatusCode, header};
use hyper::body::{Frame, SizeHint};
use tokio::time::Sleep;

use crate::call::{Call, header_value};
use crate::clock::http_date;
use crate::errors::EntraError;
use crate::faults::{Effect, RetryAfter};
use crate::graph::{GraphError, claims_challenge};

pub use edit::edit;

/// Line breaks, terminal control and bidi characters, as no description should have them.
pub const HARMFUL: &str = "Line one\r\nLine two \u{1b}[31mred\u{1b}[0m \u{7}bell \u{202e}txet sdrawkcab\u{202c} \u{2028}end";

/// How long half an answer takes until it is sent.
const ON_ITS_WAY: Duration = Duration::from_millis(20);

/// What becomes of a request that a fault was set for.
pub enum Outcome {
    /// The endpoint answers.
    Answer,
    /// This is the answer.
    Instead(Response<Body>),
    /// There is none, and the connection stays open.
    Never,
    /// There is none, and the connection is closed.
    Closed,
}

/// What a fault does before the endpoint is asked.
pub fn before(effect: &Effect, call: &Call) -> Outcome {
    Outcome::Instead(match effect {
        Effect::Hang => return Outcome::Never,
        Effect::Reset => return Outcome::Closed,
        Effect::Cut
        | Effect::Slow(_)
        | Effect::Edit(_)
        | Effect::RotateKeys
        | Effect::IdToken(_)
        | Effect::WayBack(_)
        | Effect::WayBackError(_) => return Outcome::Answer,
        Effect::Status {
            status,
            html,
            retry_after,
        } => refusal(call, *status, *html, *retry_after),
        Effect::Redirect(url) => {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::TEMPORARY_REDIRECT;
            response.headers_mut().insert(
                header::LOCATION,
                header_value(&format!("{url}{}", call.path)),
            );
            response
        }
        Effect::Empty => Response::new(Body::empty()),
        Effect::Huge(mebibytes) => typed(
            "application/json",
            Body::new(Huge {
                left: mebibytes << 20,
                begun: false,
            }),
        ),
        Effect::Html => html_page(StatusCode::OK),
        Effect::Body(status, text) => {
            let content_type = match text.trim_start().as_bytes().first() {
                Some(b'{' | b'[') => "application/json; charset=utf-8",
                Some(b'<') => "text/html; charset=utf-8",
                _ => "text/plain; charset=utf-8",
            };
            let mut response = typed(content_type, Body::from(text.clone()));
            *response.status_mut() = StatusCode::from_u16(*status).unwrap_or_default();
            response
        }
        Effect::Error { name, with_200 } => {
            let error = if name == "slow_down" {
                EntraError::slow_down()
            } else {
                EntraError::named(name)
            };
            let mut response = error.response(call);
            if *with_200 {
                *response.status_mut() = StatusCode::OK;
            }
            response
        }
        Effect::Aadsts(code) => {
            let mut error = EntraError::new(*code);
            // An application that asks in a loop is throttled; a user's sign-in is refused.
            if *code == 50196 && call.form.get("grant_type") == Some("client_credentials") {
                error.status = StatusCode::TOO_MANY_REQUESTS;
            }
            error.response(call)
        }
        Effect::Crlf => {
            let description = HARMFUL.to_owned();
            if is_graph(call) {
                GraphError::new(
                    StatusCode::FORBIDDEN,
                    "Authorization_RequestDenied",
                    description,
                )
                .response(call)
            } else {
                EntraError {
                    description,
                    ..EntraError::about(70000, &["grant"])
                }
                .response(call)
            }
        }
        Effect::Cae => claims_challenge(call, call.now).response(call),
        Effect::Unauthorized => {
            GraphError::unauthorized(call, "Lifetime validation failed, the token is expired.")
                .response(call)
        }
    })
}

/// What a fault does to the bytes of an answer.
pub fn deliver(effect: Option<&Effect>, body: Bytes) -> Body {
    match effect {
        Some(Effect::Cut) => Body::new(Cut {
            whole: body.len(),
            half: Some(body.slice(..body.len() / 2)),
            pause: Box::pin(tokio::time::sleep(ON_ITS_WAY)),
        }),
        Some(Effect::Slow(pause)) => Body::new(Drip {
            rest: body,
            pause: Duration::from_millis(*pause),
            sleep: Box::pin(tokio::time::sleep(Duration::ZERO)),
        }),
        _ => Body::from(body),
    }
}

fn is_graph(call: &Call) -> bool {
    call.path.starts_with("/v1.0/") || call.path == "/oidc/userinfo"
}

fn refusal(
    call: &Call,
    status: u16,
    html: bool,
    retry_after: Option<RetryAfter>,
) -> Response<Body> {
    let status = StatusCode::from_u16(status).unwrap_or_default();
    let mut response = if html {
        html_page(status)
    } else if is_graph(call) {
        let (code, message) = match status.as_u16() {
            403 => (
                "Authorization_RequestDenied",
                "Insufficient privileges to complete the operation.",
            ),
            404 => (
                "Request_ResourceNotFound",
                "Resource does not exist or one of its queried reference-property objects are not present.",
            ),
            429 => ("TooManyRequests", "Too many requests."),
            503 => (
                "ServiceUnavailable",
                "The service is temporarily unavailable. Please try again later.",
            ),
            504 => ("GatewayTimeout", "The service did not answer in time."),
            500..=599 => ("InternalServerError", "Internal server error."),
            _ => ("BadRequest", "The request was refused."),
        };
        GraphError::new(status, code, message).response(call)
    } else {
        let error = match status.as_u16() {
            429 => EntraError::new(90055),
            500..=599 => EntraError::new(90033),
            _ => EntraError::new(9002313),
        };
        let mut response = error.response(call);
        *response.status_mut() = status;
        response
    };
    response.headers_mut().remove(header::RETRY_AFTER);
    if let Some(retry_after) = retry_after {
        let value = match retry_after {
            RetryAfter::Seconds(seconds) => seconds.to_string(),
            RetryAfter::Date => http_date(call.now + 2),
        };
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, header_value(&value));
    }
    response
}

fn html_page(status: StatusCode) -> Response<Body> {
    let words = status.canonical_reason().unwrap_or("Error");
    let page = format!(
        "<!DOCTYPE html>\r\n<html><head><title>{0} {words}</title></head>\r\n<body><h1>{words}</h1>\r\n<hr><p>The gateway says: <em>{0}</em>.</p></body></html>\r\n",
        status.as_u16()
    );
    let mut response = typed("text/html; charset=us-ascii", Body::from(page));
    *response.status_mut() = status;
    response
}

fn typed(content_type: &'static str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// A body that promises its whole length and breaks off half way.
struct Cut {
    whole: usize,
    half: Option<Bytes>,
    /// The half has to be on its way before the error closes the connection.
    pause: Pin<Box<Sleep>>,
}

impl HttpBody for Cut {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        match self.half.take() {
            Some(half) => Poll::Ready(Some(Ok(Frame::data(half)))),
            None => {
                std::task::ready!(self.pause.as_mut().poll(context));
                Poll::Ready(Some(Err(std::io::ErrorKind::BrokenPipe.into())))
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.whole as u64)
    }
}

/// A body that comes byte by byte.
struct Drip {
    rest: Bytes,
    pause: Duration,
    sleep: Pin<Box<Sleep>>,
}

impl HttpBody for Drip {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        if self.rest.is_empty() {
            return Poll::Ready(None);
        }
        std::task::ready!(self.sleep.as_mut().poll(context));
        let pause = self.pause;
        self.sleep = Box::pin(tokio::time::sleep(pause));
        let byte = self.rest.split_to(1);
        Poll::Ready(Some(Ok(Frame::data(byte))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.rest.len() as u64)
    }
}

/// A JSON body of so many bytes, made as it is sent.
struct Huge {
    left: usize,
    begun: bool,
}

impl HttpBody for Huge {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        const CHUNK: &[u8] = &[b'a'; 64 << 10];
        const END: &[u8] = br#""}"#;
        let piece = match (self.begun, self.left) {
            (_, 0) => return Poll::Ready(None),
            (false, _) => Bytes::from_static(br#"{"value":""#),
            (true, left) if left <= END.len() => Bytes::from_static(END),
            (true, left) => Bytes::from_static(CHUNK).slice(..CHUNK.len().min(left - END.len())),
        };
        self.begun = true;
        self.left = self.left.saturating_sub(piece.len());
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }
}
