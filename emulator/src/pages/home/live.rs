//! The lists that change by themselves: codes that wait for somebody, faults that are set, the latest requests.

use super::super::html::{Html, html};
use crate::call::Call;
use crate::record::Recorded;
use crate::service::Service;

/// How many requests are shown.
const SHOWN: usize = 50;
/// How much of a request's fields is shown, in characters.
const FIELDS: usize = 160;

/// The fields that tell most of a request.
const TELLING: &[&str] = &[
    "client_id",
    "grant_type",
    "response_type",
    "username",
    "login_hint",
    "prompt",
    "scope",
];

/// All of them.
pub fn lists(service: &Service, call: &Call) -> Html {
    html!(
        "{}<h2 id=\"requests\">Latest requests</h2>\n{}{}",
        codes(service, call),
        faults(service),
        requests(service)
    )
}

fn codes(service: &Service, call: &Call) -> Html {
    let pending = service.device_codes.pending(call.now);
    if pending.is_empty() {
        return Html::default();
    }
    let codes = pending
        .iter()
        .rev()
        .take(SHOWN)
        .map(|code| html!(" <code>{}</code>", code.user_code));
    html!(
        "<p class=\"notice\">Waiting for somebody at <a href=\"/devicelogin\">the device page</a>:{}</p>\n",
        codes.collect::<Html>()
    )
}

fn faults(service: &Service) -> Html {
    let faults = service.faults.list();
    if faults.is_empty() {
        return Html::default();
    }
    let items = faults.into_iter().map(|fault| {
        let times = match fault.times {
            None => "always".to_owned(),
            Some(1) => "once".to_owned(),
            Some(times) => format!("{times} times"),
        };
        html!("<li><code>{}</code> {}</li>\n", fault.spec, times)
    });
    html!(
        "<div class=\"notice\"><p>About to go wrong:</p>\n<ul>\n{}</ul></div>\n",
        items.collect::<Html>()
    )
}

fn requests(service: &Service) -> Html {
    let latest = service.record.latest(SHOWN);
    if latest.is_empty() {
        return html!("<p class=\"note\">None yet.</p>\n");
    }
    let rows = latest.into_iter().rev().map(|request| {
        let (class, status) = match request.status {
            None => ("waits", "…".to_owned()),
            Some(status) => (
                match status {
                    ..300 => "good",
                    300..400 => "on",
                    400.. => "bad",
                },
                status.to_string(),
            ),
        };
        let fault = request.fault.clone().map_or_else(Html::default, |fault| {
            html!("<span class=\"fault\">{}</span>", fault)
        });
        html!(
            "<tr><td class=\"number\">{}</td><td class=\"status {}\">{}</td><td><span class=\"method\">{}</span> <code>{}</code> {}<span class=\"fields\">{}</span></td></tr>\n",
            request.number,
            class,
            status,
            request.method,
            request.path,
            fault,
            fields(service, &request)
        )
    });
    html!(
        "<div class=\"scroll\"><table class=\"requests\">
<thead><tr><th scope=\"col\">No.</th><th scope=\"col\">Status</th><th scope=\"col\">Request</th></tr></thead>
<tbody>
{}</tbody></table></div>\n",
        rows.collect::<Html>()
    )
}

/// The fields of a request, secrets masked, those that tell most first, as much as fits. A client goes by its key in
/// the seed data.
fn fields(service: &Service, request: &Recorded) -> String {
    let mut fields: Vec<(usize, String)> = request
        .query
        .iter()
        .chain(&request.form)
        .map(|(name, value)| {
            let place = TELLING.iter().position(|telling| telling == name);
            let application = service
                .directory
                .application(value)
                .filter(|_| name == "client_id");
            let value = application.map_or(value, |application| &application.key);
            (place.unwrap_or(TELLING.len()), format!("{name}={value}"))
        })
        .collect();
    fields.sort_by_key(|(place, _)| *place);
    let text = fields
        .into_iter()
        .map(|(_, field)| field)
        .collect::<Vec<_>>()
        .join("  ");
    match text.char_indices().nth(FIELDS) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}
