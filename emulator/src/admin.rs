//! `/_emulator/…`: the record, faults, keys and sessions of a running emulator, for this machine's own users only.

use std::net::IpAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Extension, State};
use axum::http::{HeaderValue, Response, StatusCode, header};
use serde_json::json;

use crate::call::Call;
use crate::faults::Shown;
use crate::keys::Key;
use crate::service::Service;

/// `GET /_emulator/requests`
pub async fn requests(
    State(service): State<Arc<Service>>,
    Extension(call): Extension<Arc<Call>>,
) -> Response<Body> {
    guarded(&service, &call, || {
        call.json(StatusCode::OK, &json!(service.record.list()))
    })
}

/// `DELETE /_emulator/requests`
pub async fn clear_requests(
    State(service): State<Arc<Service>>,
    Extension(call): Extension<Arc<Call>>,
) -> Response<Body> {
    guarded(&service, &call, || {
        service.record.clear();
        call.json(StatusCode::OK, &json!([]))
    })
}

/// `GET /_emulator/faults`
pub async fn faults(
    State(service): State<Arc<Service>>,
    Extension(call): Extension<Arc<Call>>,
) -> Response<Body> {
    guarded(&service, &call, || current(&service, &call))
}

/// `POST /_emulator/faults`: one fault per line.
pub async fn add_faults(
    State(service): State<Arc<Service>>,
    Extension(call): Extension<Arc<Call>>,
) -> Response<Body> {
    guarded(&service, &call, || {
        let text = String::from_utf8_lossy(&call.body);
        for line in text
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
        {
            if let Err(error) = service.faults.add(line) {
                return plain(StatusCode::BAD_REQUEST, format!("{error:#}\n"));
            }
        }
        current(&service, &call)
    })
}

/// `DELETE /_emulator/faults`
pub async fn clear_faults(
    State(service): State<Arc<Service>>,
    Extension(call): Extension<Arc<Call>>,
) -> Response<Body> {
    guarded(&service, &call, || {
        service.faults.clear();
        current(&service, &call)
    })
}

/// `POST /_emulator/rotate-keys`: tokens are signed with a new key from now on.
pub async fn rotate_keys(
    State(service): State<Arc<Service>>,
    Extension(call): Extension<Arc<Call>>,
) -> Response<Body> {
    guarded(&service, &call, || {
        service.keys.rotate();
        let kids: Vec<&str> = service.keys.published().map(Key::kid).collect();
        call.json(StatusCode::OK, &json!({ "kids": kids }))
    })
}

/// `POST /_emulator/revoke`: one user (by name or id) or application (by client id) per line, whose sessions end.
pub async fn revoke(
    State(service): State<Arc<Service>>,
    Extension(call): Extension<Arc<Call>>,
) -> Response<Body> {
    guarded(&service, &call, || {
        let text = String::from_utf8_lossy(&call.body);
        for name in text.lines().map(str::trim).filter(|name| !name.is_empty()) {
            if let Err(error) = service.revoke(name) {
                return plain(StatusCode::BAD_REQUEST, format!("{error:#}\n"));
            }
        }
        plain(StatusCode::OK, String::new())
    })
}

/// `GET /_emulator/ca.crt`: the CA certificate. It is no secret, so everyone gets it, a new container's neighbours too.
pub async fn ca(State(service): State<Arc<Service>>) -> Response<Body> {
    match &service.ca_pem {
        Some(pem) => plain(StatusCode::OK, pem.clone()),
        None => plain(
            StatusCode::NOT_FOUND,
            "TLS is not spoken here: start the emulator with --tls.\n".to_owned(),
        ),
    }
}

fn current(service: &Service, call: &Call) -> Response<Body> {
    let faults: Vec<Shown> = service.faults.list().into_iter().map(Shown::from).collect();
    call.json(StatusCode::OK, &json!(faults))
}

fn guarded(
    service: &Service,
    call: &Call,
    answer: impl FnOnce() -> Response<Body>,
) -> Response<Body> {
    if is_own_user(service, call) {
        answer()
    } else {
        plain(
            StatusCode::FORBIDDEN,
            "Only for this machine's own users (others need --allow-remote-admin), and not from other sites.\n".to_owned(),
        )
    }
}

/// Whether a request comes from this machine and from no other site: a page that resolves its name to 127.0.0.1 has
/// another Host, and a page that posts across sites says so in Origin or Sec-Fetch-Site.
///
/// With `--allow-remote-admin` other machines are served too. Then a Host may also be an IP address, which no DNS server
/// decides on either, or a name that the command line gives.
pub fn is_own_user(service: &Service, call: &Call) -> bool {
    let (_, host) = call.base.split_once("://").unwrap_or_default();
    let is_meant = match service.allow_remote_admin {
        true => {
            let name = name_of(host);
            is_loopback(host)
                || name.parse::<IpAddr>().is_ok()
                || service
                    .own_names
                    .iter()
                    .any(|own| own.eq_ignore_ascii_case(name))
        }
        false => call.is_local && is_loopback(host),
    };
    is_meant && is_same_site(call)
}

/// Whether a browser, if it is one, says that the request comes from the emulator's own pages.
pub fn is_same_site(call: &Call) -> bool {
    let own_origin = call
        .header("origin")
        .is_none_or(|origin| origin == call.base);
    let own_site = call
        .header("sec-fetch-site")
        .is_none_or(|site| site == "same-origin" || site == "none");
    own_origin && own_site
}

/// Whether a host (with or without a port) is a name of this machine that no DNS server decides on.
fn is_loopback(host: &str) -> bool {
    let name = name_of(host);
    name.eq_ignore_ascii_case("localhost")
        || name
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

/// A host without its port, and without the brackets of an IPv6 address.
fn name_of(host: &str) -> &str {
    match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    }
}

fn plain(status: StatusCode, text: String) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_names_are_told_from_others() {
        for host in [
            "localhost",
            "localhost:8443",
            "127.0.0.1:1",
            "127.9.9.9",
            "[::1]:80",
            "LOCALHOST",
        ] {
            assert!(is_loopback(host), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "127.0.0.1.evil.example",
            "localhost.evil.example:80",
            "[::2]",
            "10.0.0.1",
        ] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
