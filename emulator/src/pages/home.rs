//! `/`: what this is, settings to paste, people with their passwords, and the latest requests.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Extension, State};
use axum::http::{Response, StatusCode};

use super::html::{Html, html};
use super::page;
use crate::admin::is_own_user;
use crate::call::Call;
use crate::directory::Condition;
use crate::service::Service;

/// How many requests are shown.
const SHOWN: usize = 50;

/// `GET /`
pub async fn show(
    State(service): State<Arc<Service>>,
    Extension(call): Extension<Arc<Call>>,
) -> Response<Body> {
    if !is_own_user(&call) {
        return page(
            StatusCode::FORBIDDEN,
            "Not here",
            &html!(
                "<p>This page is for this machine's own users: open it as http://127.0.0.1 with the emulator's port.</p>\n"
            ),
        );
    }
    let content = html!(
        "<p>Programs sign in here as they would at <code>login.microsoftonline.com</code>, and call <code>{}/v1.0</code> as they would call Microsoft Graph. Nothing outside of this machine trusts the tokens.</p>
<p><a href=\"/devicelogin\">Enter a device code</a> · <a href=\"/_emulator/faults\">Faults that are set</a> · <a href=\"/_emulator/requests\">Requests as JSON</a></p>
<h2>Settings</h2>
{}<h2>People</h2>
<div class=\"scroll\"><table>
<thead><tr><th scope=\"col\">Name</th><th scope=\"col\">Sign-in name</th><th scope=\"col\">Password</th><th scope=\"col\">Condition</th></tr></thead>
<tbody>
{}</tbody></table></div>
<h2 id=\"requests\">Latest requests</h2>
<p><a href=\"/#requests\">Reload</a></p>
<div class=\"scroll\"><table>
<thead><tr><th scope=\"col\">No.</th><th scope=\"col\">Request</th><th scope=\"col\">Status</th><th scope=\"col\">Grant</th><th scope=\"col\">Fault</th></tr></thead>
<tbody>
{}</tbody></table></div>
",
        call.base,
        settings(&service, &call.base),
        people(&service),
        requests(&service)
    );
    page(StatusCode::OK, "Emulator", &content)
}

fn settings(service: &Service, base: &str) -> Html {
    let blocks = service.directory.applications().map(|application| {
        let lines = service.settings(base, &application.key).unwrap_or_default();
        let lines: String = lines
            .iter()
            .map(|(name, value)| format!("{name}='{value}'\n"))
            .collect();
        html!(
            "<details><summary>{}</summary><pre>{}</pre></details>\n",
            application.key,
            lines
        )
    });
    blocks.collect()
}

fn people(service: &Service) -> Html {
    let rows = service.directory.users.iter().map(|user| {
        let condition = match user.condition {
            Condition::Fine => "",
            Condition::Disabled => "disabled",
            Condition::Locked => "locked",
            Condition::PasswordExpired => "password expired",
            Condition::NoPassword => "no password",
            Condition::MfaRequired => "must approve a second factor",
            Condition::Federated => "federated",
        };
        html!(
            "<tr><td>{}</td><td>{}</td><td><code>{}</code></td><td>{}</td></tr>\n",
            user.display_name,
            user.sign_in_name(),
            user.password,
            condition
        )
    });
    rows.collect()
}

fn requests(service: &Service) -> Html {
    let rows = service
        .record
        .list()
        .into_iter()
        .rev()
        .take(SHOWN)
        .map(|request| {
            let status = request
                .status
                .map_or("(none yet)".to_owned(), |status| status.to_string());
            let grant = request
                .field("grant_type")
                .unwrap_or_default()
                .rsplit(':')
                .next()
                .unwrap_or_default()
                .to_owned();
            html!(
                "<tr><td>{}</td><td>{} {}</td><td>{}</td><td>{}</td><td>{}</td></tr>\n",
                request.number,
                request.method,
                request.path,
                status,
                grant,
                request.fault.unwrap_or_default()
            )
        });
    rows.collect()
}
