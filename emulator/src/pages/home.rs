//! `/`: what this is, settings to paste, people with their passwords, faults to set, and the latest requests.
//!
//! Everything works by plain links and forms. The one script, a file of the emulator's own, only keeps the lists of
//! requests, faults and codes up to date.

mod faults;
mod live;
mod settings;

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Extension, State};
use axum::http::{HeaderValue, Response, StatusCode, header};

use super::html::{Html, html};
use super::{Policy, file, page, page_with};
use crate::admin::is_own_user;
use crate::call::Call;
use crate::directory::{Application, Condition, User};
use crate::keys::Key;
use crate::service::Service;

/// `GET /`
pub async fn show(
    State(service): State<Arc<Service>>,
    Extension(call): Extension<Arc<Call>>,
) -> Response<Body> {
    match is_own_user(&service, &call) {
        true => home(&service, &call, StatusCode::OK, None),
        false => not_here(),
    }
}

/// `POST /`: one of the page's forms. Only a browser sends them, and says where the form stood.
pub async fn act(
    State(service): State<Arc<Service>>,
    Extension(call): Extension<Arc<Call>>,
) -> Response<Body> {
    if !is_own_user(&service, &call) || call.header("origin") != Some(&call.base) {
        return not_here();
    }
    match carry_out(&service, &call) {
        Ok(place) => {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::SEE_OTHER;
            response
                .headers_mut()
                .insert(header::LOCATION, HeaderValue::from_static(place));
            response
        }
        Err(error) => home(
            &service,
            &call,
            StatusCode::BAD_REQUEST,
            Some(&format!("{error:#}")),
        ),
    }
}

/// `GET /_emulator/live`: the part of the page that changes by itself.
pub async fn live(
    State(service): State<Arc<Service>>,
    Extension(call): Extension<Arc<Call>>,
) -> Response<Body> {
    if !is_own_user(&service, &call) {
        return not_here();
    }
    let mut response = file(
        "text/html; charset=utf-8",
        live::lists(&service, &call).into_string(),
    );
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// `GET /_emulator/home.js`
pub async fn script() -> Response<Body> {
    file(
        "text/javascript; charset=utf-8",
        include_str!("home/home.js"),
    )
}

/// `GET /_emulator/home.css`
pub async fn style() -> Response<Body> {
    file("text/css; charset=utf-8", include_str!("home/home.css"))
}

fn not_here() -> Response<Body> {
    page(
        StatusCode::FORBIDDEN,
        "Not here",
        &html!(
            "<p>This page is for this machine's own users: open it as http://127.0.0.1 with the emulator's port. Others need --allow-remote-admin.</p>\n"
        ),
    )
}

/// Does what a form asks for; the place on the page to go to.
fn carry_out(service: &Service, call: &Call) -> anyhow::Result<&'static str> {
    let field = |name: &str| call.form.get(name).unwrap_or_default().trim();
    match field("action") {
        "add-fault" => {
            let fault = match field("other") {
                "" => field("fault"),
                other => other,
            };
            let spec = match field("times") {
                "" | "1" => fault.to_owned(),
                times => format!("{fault}*{times}"),
            };
            service.faults.add(&spec)?;
            Ok("/#faults")
        }
        "clear-faults" => {
            service.faults.clear();
            Ok("/#faults")
        }
        "clear-requests" => {
            service.record.clear();
            Ok("/#requests")
        }
        "rotate-keys" => {
            service.keys.rotate();
            Ok("/#sessions")
        }
        "revoke" => {
            service.revoke(field("name"))?;
            Ok("/#sessions")
        }
        other => anyhow::bail!("'{other}' is nothing that this page can do"),
    }
}

fn home(service: &Service, call: &Call, status: StatusCode, error: Option<&str>) -> Response<Body> {
    let error = error.map_or_else(Html::default, |error| {
        html!("<p class=\"error\" role=\"alert\">{}</p>\n", error)
    });
    let content = html!(
        "{}<p class=\"lead\">Programs sign in at <code>{}</code> as they would at <code>login.microsoftonline.com</code>, and call <code>{}/v1.0</code> as they would call Microsoft Graph. Nothing outside of this machine trusts the tokens.</p>
<nav><a href=\"#requests\">Requests</a> <a href=\"#faults\">Faults</a> <a href=\"#settings\">Settings</a> <a href=\"#people\">People</a> <a href=\"#sessions\">Sessions and keys</a> <a href=\"/devicelogin\">Enter a device code</a></nav>
<div id=\"live\">
{}</div>
<div class=\"actions\"><a class=\"without-script\" href=\"/#requests\">Reload</a> {}<a href=\"/_emulator/requests\">As JSON</a></div>
<h2 id=\"faults\">Make something go wrong</h2>
{}<h2 id=\"settings\">Settings to paste</h2>
{}<h2 id=\"people\">People</h2>
<div class=\"scroll\"><table>
<thead><tr><th scope=\"col\">Name</th><th scope=\"col\">Sign-in name</th><th scope=\"col\">Password</th><th scope=\"col\">What is special</th></tr></thead>
<tbody>
{}</tbody></table></div>
{}<h2 id=\"sessions\">Sessions and keys</h2>
{}",
        error,
        call.base,
        call.base,
        live::lists(service, call),
        button("clear-requests", "Forget these requests"),
        faults::form(),
        settings::all(service, call),
        people(service),
        generated(service),
        sessions(service)
    );
    let policy = Policy {
        script: Some("/_emulator/home.js"),
        style: Some("/_emulator/home.css"),
        ..Policy::default()
    };
    page_with(status, "Entra ID emulator", &content, policy)
}

/// A form of one button.
fn button(action: &str, words: &str) -> Html {
    html!(
        "<form method=\"post\" action=\"/\"><button class=\"quiet\" name=\"action\" value=\"{}\">{}</button></form>\n",
        action,
        words
    )
}

fn people(service: &Service) -> Html {
    let rows = service.directory.users.iter().map(|user| {
        html!(
            "<tr><td>{}</td><td><code>{}</code></td><td><code>{}</code></td><td>{}</td></tr>\n",
            user.display_name,
            user.sign_in_name(),
            user.password,
            special(service, user)
        )
    });
    rows.collect()
}

/// What is special about a user, in words.
fn special(service: &Service, user: &User) -> String {
    let mut words = Vec::new();
    words.extend(
        match user.condition {
            Condition::Fine => None,
            Condition::Disabled => Some("An administrator has disabled the account (AADSTS50057)."),
            Condition::Locked => Some("Locked after too many wrong passwords (AADSTS50053)."),
            Condition::PasswordExpired => Some("The password has expired (AADSTS50055)."),
            Condition::NoPassword => {
                Some("Has no password: only the pages sign in, by any way but one (AADSTS50056).")
            }
            Condition::MfaRequired => {
                Some("Must approve a second factor, so a password alone is refused (AADSTS50076).")
            }
            Condition::Federated => {
                Some("Signed in by another identity provider: a password alone is refused.")
            }
        }
        .map(str::to_owned),
    );
    if user.user_type == "Guest" {
        words.push("A guest from another tenant.".to_owned());
    }
    words.extend(user.note.clone());
    if let Some(tenant) = service
        .directory
        .tenant_of(user)
        .filter(|tenant| Some(tenant.id) != service.directory.tenants.first().map(|home| home.id))
    {
        words.push(format!("Tenant: {}.", tenant.name));
    }
    words.join(" ")
}

fn generated(service: &Service) -> Html {
    match service.directory.generate {
        0 => Html::default(),
        count => html!(
            "<p>And {} generated ones: <code>user0000000</code> and so on, with the passwords <code>User#0</code> and so on.</p>\n",
            count as u64
        ),
    }
}

fn sessions(service: &Service) -> Html {
    let people = service.directory.users.iter().map(|user| {
        html!(
            "<option value=\"{}\">{}</option>\n",
            user.upn,
            user.display_name
        )
    });
    let applications = service
        .directory
        .applications()
        .map(|application: &Application| {
            html!(
                "<option value=\"{}\">{}</option>\n",
                application.client_name(),
                application.key
            )
        });
    let kids = service
        .keys
        .published()
        .map(Key::kid)
        .collect::<Vec<_>>()
        .join(", ");
    html!(
        "<form method=\"post\" action=\"/\" class=\"row\"><label for=\"name\">End all sessions of</label>
<select id=\"name\" name=\"name\"><optgroup label=\"People\">
{}</optgroup><optgroup label=\"Applications\">
{}</optgroup></select>
<button name=\"action\" value=\"revoke\">Revoke</button></form>
<p class=\"note\">Refresh tokens issued so far are refused (AADSTS50173), and Graph answers access tokens issued so far with a claims challenge.</p>
<div class=\"row\">{}</div>
<p class=\"note\">Tokens are signed with a key that nobody has seen so far. Published now: <code>{}</code>; the first one signs.</p>\n",
        people.collect::<Html>(),
        applications.collect::<Html>(),
        button("rotate-keys", "Rotate the signing keys"),
        kids
    )
}
