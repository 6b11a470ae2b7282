//! The one HTTP client: no redirects, bounded answers, time-outs, retries, proxy and CA from the environment.

use std::{
    error::Error,
    fs, io,
    sync::{Arc, OnceLock},
    time::{Duration, SystemTime},
};

use oauth2::{
    HttpRequest, HttpResponse,
    http::{HeaderMap, HeaderValue, StatusCode, header::RETRY_AFTER},
    url::Url,
};
use reqwest::{Certificate, Client, redirect::Policy};
use rustls::crypto::ring;
use uuid::Uuid;

use crate::{authority::is_loopback, console, text};

/// A request is sent at most this often.
const TRIES: u32 = 5;
/// How long one try may take, from the connection to the last byte of the answer.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The wait after the first failure, doubled after each further one.
const FIRST_BACKOFF: Duration = Duration::from_millis(500);
/// Who is told to wait longer than this is better told to come back later.
const LONGEST_WAIT: Duration = Duration::from_secs(120);
/// A larger answer, in bytes, is refused.
const LARGEST_ANSWER: usize = 16 << 20;

/// The header with the id of one request. Answers that do not repeat it get it back from [`HttpClient`].
pub const CLIENT_REQUEST_ID: &str = "client-request-id";

/// Why there was no answer.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The host could not be reached, or did not answer in time, or the answer broke off.
    #[error("{host} could not be reached: {cause}.\nCheck the network, HTTPS_PROXY and NO_PROXY.")]
    Connection {
        /// Scheme, host and port.
        host: String,
        /// What the system says of it.
        cause: String,
        /// Whether nobody listens there, so that the request cannot have been read.
        refused: bool,
    },
    /// The host's certificate is not trusted.
    #[error(
        "{host} could not be trusted: {cause}.\nIf a proxy or a private CA stands in between, name its CA file in SSL_CERT_FILE."
    )]
    Certificate {
        /// Scheme, host and port.
        host: String,
        /// What the verifier says of it.
        cause: String,
    },
    /// The answer has more than 16 MiB.
    #[error("{host} sent an answer of more than 16 MiB, which was refused.")]
    TooLarge {
        /// Scheme, host and port.
        host: String,
    },
    /// The client itself cannot work.
    #[error("{0}")]
    Setup(String),
}

impl HttpError {
    /// Whether the same request may succeed in a moment.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Connection { .. })
    }
}

/// The HTTP client of a sample. Clones share their connections.
///
/// It never follows a redirect: neither Entra ID nor Graph redirects a program, and a token must not travel on.
#[derive(Clone, Default)]
pub struct HttpClient(Arc<Clients>);

/// Made when needed, since the system's root certificates take milliseconds to load and plain http needs none.
#[derive(Default)]
struct Clients {
    https: OnceLock<Client>,
    https_loopback: OnceLock<Client>,
    http_loopback: OnceLock<Client>,
}

impl HttpClient {
    /// Sends a request, and sends it again after 429, 5xx and connection failures.
    ///
    /// # Errors
    /// As [`HttpClient::send_once`], after the last try.
    pub async fn send(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        self.send_while(request, is_transient).await
    }

    /// Sends a request that works only once, such as the redemption of an authorization code: again only where it
    /// cannot have been taken in, after 429, 503 and a refused connection.
    ///
    /// # Errors
    /// As [`HttpClient::send_once`], after the last try.
    pub async fn send_single_use(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        self.send_while(request, |outcome| match outcome {
            Ok(answer) => matches!(answer.status().as_u16(), 429 | 503),
            Err(error) => matches!(error, HttpError::Connection { refused: true, .. }),
        })
        .await
    }

    async fn send_while(
        &self,
        request: HttpRequest,
        may_succeed_later: fn(&Result<HttpResponse, HttpError>) -> bool,
    ) -> Result<HttpResponse, HttpError> {
        let mut backoff = FIRST_BACKOFF;
        for next_try in 2..=TRIES {
            let outcome = self.send_once(request.clone()).await;
            if !may_succeed_later(&outcome) {
                return outcome;
            }
            let (trouble, wait) = match &outcome {
                Ok(answer) => (answer.status().to_string(), retry_after(answer.headers())),
                Err(HttpError::Connection { cause, .. }) => (cause.clone(), None),
                Err(error) => (error.to_string(), None),
            };
            let host = request.uri().host().unwrap_or_default();
            let wait = wait.unwrap_or(backoff);
            if wait > LONGEST_WAIT {
                console::say(format_args!(
                    "{host}: {trouble}. It asks for {} seconds of patience; giving up, try again later.",
                    wait.as_secs()
                ));
                return outcome;
            }
            console::say(format_args!(
                "{host}: {trouble}. Try {next_try} of {TRIES} follows in {:.1} s.",
                wait.as_secs_f32()
            ));
            tokio::time::sleep(wait).await;
            backoff *= 2;
        }
        self.send_once(request).await
    }

    /// Sends a request once. Redirects and error statuses are answers, not errors.
    ///
    /// # Errors
    /// No connection, no complete answer within 30 s, an untrusted certificate, an answer above 16 MiB.
    pub async fn send_once(&self, mut request: HttpRequest) -> Result<HttpResponse, HttpError> {
        // Microsoft's support finds a request by this id, in the logs of Entra ID and of Graph.
        let request_id = Uuid::new_v4().to_string();
        let header = HeaderValue::from_str(&request_id)
            .map_err(|error| HttpError::Setup(format!("The request is malformed: {error}.")))?;
        request
            .headers_mut()
            .insert(CLIENT_REQUEST_ID, header.clone());
        let request = reqwest::Request::try_from(request)
            .map_err(|error| HttpError::Setup(format!("The request is malformed: {error}.")))?;
        let (method, url) = (request.method().clone(), request.url().clone());
        let place = format!("{}{}", url.origin().ascii_serialization(), url.path());

        let mut outcome = self.exchange(request, &url).await;
        match &mut outcome {
            Ok(response) => {
                response
                    .headers_mut()
                    .entry(CLIENT_REQUEST_ID)
                    .or_insert(header);
                tracing::info!(%method, url = %place, status = response.status().as_u16(), %request_id);
            }
            Err(error) => {
                tracing::info!(%method, url = %place, error = %text::one_line(&error.to_string(), 300), %request_id)
            }
        }
        outcome
    }

    async fn exchange(
        &self,
        request: reqwest::Request,
        url: &Url,
    ) -> Result<HttpResponse, HttpError> {
        let failed = |error: reqwest::Error| HttpError::from_reqwest(&error, url);
        let mut response = self
            .client_for(url)?
            .execute(request)
            .await
            .map_err(failed)?;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > LARGEST_ANSWER {
                return Err(HttpError::TooLarge {
                    host: url.origin().ascii_serialization(),
                });
            }
            body.extend_from_slice(&chunk);
        }
        let mut answer = HttpResponse::new(body);
        *answer.status_mut() = response.status();
        *answer.headers_mut() = std::mem::take(response.headers_mut());
        Ok(answer)
    }

    /// Loopback never goes through a proxy. Everything else goes where `HTTPS_PROXY` and `NO_PROXY` say.
    fn client_for(&self, url: &Url) -> Result<&Client, HttpError> {
        let (cell, loopback, tls) = match (is_loopback(url), url.scheme()) {
            (false, _) => (&self.0.https, false, true),
            (true, "https") => (&self.0.https_loopback, true, true),
            (true, _) => (&self.0.http_loopback, true, false),
        };
        if let Some(client) = cell.get() {
            return Ok(client);
        }
        let client = build(loopback, tls)?;
        Ok(cell.get_or_init(|| client))
    }
}

fn build(loopback: bool, tls: bool) -> Result<Client, HttpError> {
    // Whoever embeds this code may have installed a provider before: that one serves as well.
    let _ = ring::default_provider().install_default();
    let mut builder = Client::builder()
        .redirect(Policy::none())
        .timeout(TIMEOUT)
        .retry(reqwest::retry::never())
        .user_agent(concat!("entra-samples-rust/", env!("CARGO_PKG_VERSION")));
    if loopback {
        builder = builder.no_proxy();
    }
    if !tls {
        builder = builder.tls_certs_only([]);
    } else if let Some(path) = std::env::var_os("SSL_CERT_FILE").filter(|path| !path.is_empty()) {
        // Read here, so that it counts on every system, and so that a wrong path has a clear message.
        let unusable = |problem: String| {
            HttpError::Setup(format!("SSL_CERT_FILE ({}) {problem}.", path.display()))
        };
        let pem = fs::read(&path).map_err(|error| unusable(format!("cannot be read: {error}")))?;
        let roots = Certificate::from_pem_bundle(&pem)
            .ok()
            .filter(|roots| !roots.is_empty())
            .ok_or_else(|| unusable("holds no PEM certificates".into()))?;
        builder = builder.tls_certs_only(roots);
    }
    builder.build().map_err(|error| {
        HttpError::Setup(format!("No HTTP client could be made: {}.", chain(&error)))
    })
}

impl HttpError {
    fn from_reqwest(error: &reqwest::Error, url: &Url) -> Self {
        let host = url.origin().ascii_serialization();
        if let Some(tls @ rustls::Error::InvalidCertificate(_)) = tls_error(error) {
            return Self::Certificate {
                host,
                cause: tls.to_string(),
            };
        }
        let cause = if error.is_timeout() {
            format!("no complete answer within {} seconds", TIMEOUT.as_secs())
        } else {
            text::one_line(&chain(error), 300)
        };
        let refused = std::iter::successors(Some(error as &dyn Error), |error| (*error).source())
            .filter_map(|cause| cause.downcast_ref::<io::Error>())
            .any(|cause| cause.kind() == io::ErrorKind::ConnectionRefused);
        Self::Connection {
            host,
            cause,
            refused,
        }
    }
}

/// The TLS error behind an error. It travels inside of I/O errors, which leave what they hold out of their sources.
fn tls_error<'e>(mut error: &'e (dyn Error + 'static)) -> Option<&'e rustls::Error> {
    loop {
        while let Some(held) = error.downcast_ref().and_then(io::Error::get_ref) {
            error = held;
        }
        if let Some(tls) = error.downcast_ref() {
            return Some(tls);
        }
        error = error.source()?;
    }
}

/// The innermost cause says what happened; what stands around it names the layers of the client.
fn chain(error: &reqwest::Error) -> String {
    let mut innermost: &dyn Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    // The innermost error may be reqwest's own, whose text would show the URL with its query.
    match innermost.downcast_ref::<reqwest::Error>() {
        Some(error) if error.url().is_some() => "the request failed".into(),
        _ => innermost.to_string(),
    }
}

fn is_transient(outcome: &Result<HttpResponse, HttpError>) -> bool {
    match outcome {
        Ok(answer) => is_overload(answer.status()),
        Err(error) => error.is_transient(),
    }
}

/// 429 and 5xx: the same request may succeed later.
pub fn is_overload(status: StatusCode) -> bool {
    status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error()
}

/// The wait that a `Retry-After` header asks for, in whole seconds or until a date (RFC 9110 section 10.2.3).
pub fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than fit are still a number of seconds: for ever.
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(SystemTime::now()).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(value: &str) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, HeaderValue::from_str(value).unwrap());
        retry_after(&headers)
    }

    #[test]
    fn retry_after_in_seconds_or_as_a_date() {
        assert_eq!(wait("3"), Some(Duration::from_secs(3)));
        assert_eq!(
            wait("99999999999999999999999"),
            Some(Duration::from_secs(u64::MAX))
        );
        assert_eq!(wait("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Duration::ZERO));
        let soon = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(60));
        assert!(wait(&soon).is_some_and(|wait| wait.as_secs() >= 58));
        for nonsense in ["", "-1", "+5", "1.5", "soon"] {
            assert_eq!(wait(nonsense), None, "{nonsense}");
        }
    }
}
