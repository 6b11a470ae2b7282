//! Connections, and the way of a request: read, recorded, spoiled by a fault, answered.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Uri, header};
use axum::routing::{any, get, post};
use http_body_util::{BodyExt, Limited};
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tower_service::Service as _;
use uuid::Uuid;

use crate::call::{Call, Form};
use crate::cors;
use crate::faults::{Edit, Effect};
use crate::locked;
use crate::service::Service;
use crate::spoil::{self, Outcome};
use crate::{
    admin, api, authorize, device_code, discovery, graph, instance_discovery, logout, pages, token,
    user_realm,
};

/// The longest body of a request.
const BODY_LIMIT: usize = 1 << 20;
/// The longest head of a request.
const HEAD_LIMIT: usize = 64 << 10;
/// How many connections are served at once.
const CONNECTIONS: usize = 1024;
/// How long a client may take over the head, or the body, of a request.
const PATIENCE: Duration = Duration::from_secs(30);
/// The first byte of a TLS connection: a handshake record.
const TLS_HANDSHAKE: u8 = 0x16;

/// Every address and the module that answers it.
fn routes(service: Arc<Service>) -> Router {
    Router::new()
        .route(
            "/{tenant}/v2.0/.well-known/openid-configuration",
            get(discovery::metadata),
        )
        .route(
            "/{tenant}/.well-known/openid-configuration",
            get(discovery::metadata_v1),
        )
        .route("/{tenant}/discovery/v2.0/keys", get(discovery::keys))
        .route("/{tenant}/discovery/keys", get(discovery::keys))
        .route(
            "/{tenant}/oauth2/v2.0/authorize",
            get(authorize::answer).post(authorize::answer),
        )
        .route(
            "/{tenant}/oauth2/v2.0/devicecode",
            post(device_code::answer),
        )
        .route("/{tenant}/oauth2/v2.0/token", post(token::answer))
        .route(
            "/{tenant}/oauth2/v2.0/logout",
            get(logout::answer).post(logout::answer),
        )
        .route("/{tenant}/oauth2/logout", get(logout::answer))
        .merge(routes_of_other_providers())
        .route("/common/userrealm/{user}", get(user_realm::answer))
        .route(
            "/common/discovery/instance",
            get(instance_discovery::answer),
        )
        .route("/v1.0/{*path}", any(graph::answer))
        .route(
            "/oidc/userinfo",
            get(graph::userinfo::answer).post(graph::userinfo::answer),
        )
        .route("/", get(pages::home::show).post(pages::home::act))
        .route("/_emulator/live", get(pages::home::live))
        .route("/_emulator/home.js", get(pages::home::script))
        .route("/_emulator/home.css", get(pages::home::style))
        .route(
            "/devicelogin",
            get(pages::device_login::start).post(pages::device_login::next),
        )
        .route("/login", post(pages::login::next))
        .route("/_emulator/style.css", get(pages::style))
        .route(
            "/_emulator/requests",
            get(admin::requests).delete(admin::clear_requests),
        )
        .route("/_emulator/rotate-keys", post(admin::rotate_keys))
        .route("/_emulator/revoke", post(admin::revoke))
        .route("/_emulator/ca.crt", get(admin::ca))
        .route(
            "/_emulator/faults",
            get(admin::faults)
                .post(admin::add_faults)
                .delete(admin::clear_faults),
        )
        .fallback(pages::not_found)
        .with_state(service)
}

/// B2C, where a user flow follows the tenant; and an OpenID provider with addresses of its own.
fn routes_of_other_providers() -> Router<Arc<Service>> {
    Router::new()
        .route(
            "/{tenant}/{policy}/v2.0/.well-known/openid-configuration",
            get(discovery::metadata),
        )
        .route(
            "/{tenant}/{policy}/discovery/v2.0/keys",
            get(discovery::keys),
        )
        .route(
            "/{tenant}/{policy}/oauth2/v2.0/authorize",
            get(authorize::answer).post(authorize::answer),
        )
        .route("/{tenant}/{policy}/oauth2/v2.0/token", post(token::answer))
        .route(
            "/{tenant}/{policy}/oauth2/v2.0/logout",
            get(logout::answer).post(logout::answer),
        )
        .route("/{tenant}/connect/keys", get(discovery::keys))
        .route(
            "/{tenant}/connect/authorize",
            get(authorize::answer).post(authorize::answer),
        )
        .route("/{tenant}/connect/token", post(token::answer))
        .route(
            "/{tenant}/connect/logout",
            get(logout::answer).post(logout::answer),
        )
        .route(
            "/{tenant}/connect/userinfo",
            get(api::userinfo).post(api::userinfo),
        )
        .route("/api/me", get(api::me))
}

/// Serves connections until it is dropped.
pub async fn serve(listener: TcpListener, service: Arc<Service>, tls: Option<TlsAcceptor>) {
    let router = routes(service.clone());
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let connections = AtomicU64::new(0);
    loop {
        let Ok(place) = places.clone().acquire_owned().await else {
            return;
        };
        let Ok((stream, _)) = listener.accept().await else {
            // Out of file descriptors, most likely: some will come back.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let number = connections.fetch_add(1, Ordering::Relaxed) + 1;
        let (router, service, tls) = (router.clone(), service.clone(), tls.clone());
        tokio::spawn(async move {
            connection(stream, number, router, service, tls).await;
            drop(place);
        });
    }
}

/// One connection. With TLS switched on, the first byte tells whether the client speaks TLS or plain HTTP.
async fn connection(
    stream: TcpStream,
    number: u64,
    router: Router,
    service: Arc<Service>,
    tls: Option<TlsAcceptor>,
) {
    let _ = stream.set_nodelay(true); // costs only speed
    let (Ok(local), Ok(peer)) = (stream.local_addr(), stream.peer_addr()) else {
        return;
    };
    let mut first = [0];
    let speaks_tls = match &tls {
        Some(_) => {
            tokio::time::timeout(PATIENCE, stream.peek(&mut first))
                .await
                .is_ok_and(|read| read.is_ok())
                && first == [TLS_HANDSHAKE]
        }
        None => false,
    };
    let connection = Connection {
        number,
        local,
        is_local: peer.ip().is_loopback(),
        scheme: if speaks_tls { "https" } else { "http" },
    };
    match tls.filter(|_| speaks_tls) {
        Some(tls) => {
            if let Ok(Ok(stream)) = tokio::time::timeout(PATIENCE, tls.accept(stream)).await {
                requests(stream, connection, router, service).await;
            }
        }
        None => requests(stream, connection, router, service).await,
    }
}

/// What a request has to know of its connection.
#[derive(Clone, Copy)]
struct Connection {
    number: u64,
    local: SocketAddr,
    is_local: bool,
    scheme: &'static str,
}

async fn requests(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    connection: Connection,
    router: Router,
    service: Arc<Service>,
) {
    let respond =
        service_fn(|request| respond(request, connection, router.clone(), service.clone()));
    // An error ends the connection, which is all that can be done about it.
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .max_buf_size(HEAD_LIMIT)
        .serve_connection(TokioIo::new(stream), respond)
        .await;
}

/// The connection is to be closed without an answer.
#[derive(Debug, thiserror::Error)]
#[error("closed on purpose")]
struct Closed;

async fn respond(
    request: Request<Incoming>,
    connection: Connection,
    mut router: Router,
    service: Arc<Service>,
) -> Result<Response<Body>, Closed> {
    let (head, body) = request.into_parts();
    // Not even the beginning is read of what says that it is too long.
    if body.size_hint().lower() > BODY_LIMIT as u64 {
        return Ok(too_long());
    }
    let body = match tokio::time::timeout(PATIENCE, Limited::new(body, BODY_LIMIT).collect()).await
    {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(_)) => return Ok(too_long()),
        Err(_) => {
            return Ok(refused(
                StatusCode::REQUEST_TIMEOUT,
                "The body of the request did not come.",
            ));
        }
    };
    let Some(base) = base(
        &head.uri,
        &head.headers,
        connection,
        service.trust_forwarded_headers,
    ) else {
        return Ok(refused(
            StatusCode::BAD_REQUEST,
            "The Host header is missing or malformed.",
        ));
    };
    let is_form = head.headers.get(header::CONTENT_TYPE).is_some_and(|value| {
        value
            .as_bytes()
            .to_ascii_lowercase()
            .starts_with(b"application/x-www-form-urlencoded")
    });
    let mut call = Call {
        base,
        method: head.method.clone(),
        path: head.uri.path().to_owned(),
        query: Form::parse(head.uri.query().unwrap_or_default().as_bytes()),
        form: if is_form {
            Form::parse(&body)
        } else {
            Form::default()
        },
        body,
        request_id: Uuid::new_v4(),
        correlation_id: head
            .headers
            .get("client-request-id")
            .and_then(|id| Uuid::try_parse_ascii(id.as_bytes()).ok())
            .unwrap_or_else(Uuid::new_v4),
        headers: head.headers.clone(),
        now: service.clock.now(),
        is_local: connection.is_local,
        told_interval: None,
        faults: Arc::default(),
    };
    let reader = cors::reader(&service, &call);
    if let Some(response) = cors::preflight(&call, reader.as_ref()) {
        return Ok(response);
    }

    let fault = service.faults.take(&call.path);
    if let Some(fault) = &fault {
        call.note_fault(&fault.spec);
    }
    let faults = call.faults.clone();
    let effect = fault.as_ref().map(|fault| &fault.effect);
    let number = is_recorded(&call.path).then(|| service.record.request(&call, connection.number));
    match effect {
        Some(Effect::RotateKeys) => service.keys.rotate(),
        Some(Effect::Edit(Edit::Set(name, interval))) if name == "interval" => {
            call.told_interval = interval.as_i64().map(i64::unsigned_abs);
        }
        _ => {}
    }

    let mut traced = None;
    let mut response = match effect.map_or(Outcome::Answer, |effect| spoil::before(effect, &call)) {
        Outcome::Never => std::future::pending().await,
        Outcome::Closed => return Err(Closed),
        Outcome::Instead(response)
            if service.record.traces && response.body().size_hint().exact().is_some() =>
        {
            let (parts, body) = response.into_parts();
            let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
            traced = Some(body.to_vec());
            Response::from_parts(parts, Body::from(body))
        }
        Outcome::Instead(response) => response,
        Outcome::Answer => {
            let call = Arc::new(call);
            let mut request = Request::from_parts(head, Body::empty());
            request.extensions_mut().insert(call.clone());
            let Ok(response) = router.call(request).await;
            let (mut parts, body) = response.into_parts();
            // Every endpoint answers with bytes that are in memory already.
            let mut body = to_bytes(body, usize::MAX).await.unwrap_or_default();
            if let (Some(fault), Some(Effect::Edit(edit))) = (&fault, effect) {
                // There is nothing to edit in a refusal, such as "pending": the fault waits for the answer that it is for.
                match spoil::edit(edit, &call, &body).filter(|_| parts.status.is_success()) {
                    Some(edited) => {
                        body = edited;
                        parts.headers.remove(header::CONTENT_LENGTH);
                    }
                    None => {
                        service.faults.put_back(fault);
                        locked(&faults).retain(|spec| *spec != fault.spec);
                    }
                }
            }
            traced = service.record.traces.then(|| body.to_vec());
            Response::from_parts(parts, spoil::deliver(effect, body))
        }
    };
    if let Some(number) = number {
        let location = response.headers().get(header::LOCATION);
        let location = location.and_then(|location| location.to_str().ok());
        let status = response.status().as_u16();
        let faults = locked(&faults);
        service
            .record
            .answer(number, status, &faults, traced, location);
    }
    if let Some(reader) = reader {
        cors::allow(response.headers_mut(), reader);
    }
    response
        .headers_mut()
        .insert(header::SERVER, HeaderValue::from_static("emulator"));
    Ok(response)
}

/// The emulator's own addresses are not part of what it stands in for.
fn is_recorded(path: &str) -> bool {
    !(path == "/" || path == "/favicon.ico" || path.starts_with("/_emulator/"))
}

fn too_long() -> Response<Body> {
    refused(
        StatusCode::PAYLOAD_TOO_LARGE,
        "The body of the request is too long, or broken.",
    )
}

fn refused(status: StatusCode, words: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::from(words));
    *response.status_mut() = status;
    // The rest of the request is not read, so nothing can follow it.
    response
        .headers_mut()
        .insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

/// Scheme, host and port as the client has them. Nothing that is not a plain host gets into answers.
fn base(
    uri: &Uri,
    headers: &HeaderMap,
    connection: Connection,
    trust_forwarded_headers: bool,
) -> Option<String> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let forwarded = |name: &str| {
        header(name)
            .filter(|_| trust_forwarded_headers)
            .map(|value| value.split(',').next().unwrap_or(value).trim())
    };
    let local = connection.local.to_string();
    let host = match (
        forwarded("x-forwarded-host"),
        uri.authority(),
        header("host"),
    ) {
        (Some(host), _, _) => host,
        (None, Some(authority), _) => authority.as_str(),
        (None, None, Some(host)) => host,
        // HTTP/1.0 may leave it out.
        (None, None, None) => &local,
    };
    let is_plain = |host: &str| {
        !host.is_empty()
            && host
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte))
    };
    let scheme = forwarded("x-forwarded-proto")
        .filter(|scheme| ["http", "https"].contains(scheme))
        .unwrap_or(connection.scheme);
    is_plain(host).then(|| format!("{scheme}://{host}"))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderName;

    use super::*;

    #[test]
    fn answers_use_the_address_that_the_client_used() {
        let connection = Connection {
            number: 1,
            local: ([127, 0, 0, 1], 8443).into(),
            is_local: true,
            scheme: "http",
        };
        let base = |names: &[(&'static str, &str)], trust: bool| {
            let headers = names
                .iter()
                .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()))
                .collect();
            base(&Uri::from_static("/"), &headers, connection, trust)
        };
        let front = [
            ("host", "inside:80"),
            ("x-forwarded-host", "login.example"),
            ("x-forwarded-proto", "https"),
        ];
        assert_eq!(base(&front, false).unwrap(), "http://inside:80");
        assert_eq!(base(&front, true).unwrap(), "https://login.example");
        assert_eq!(base(&[], false).unwrap(), "http://127.0.0.1:8443");
        assert_eq!(
            base(&[("host", "[::1]:8443")], false).unwrap(),
            "http://[::1]:8443"
        );
        assert_eq!(base(&[("host", "evil.example/<script>")], false), None);
        assert_eq!(base(&[("host", "user@evil.example")], false), None);
    }
}
