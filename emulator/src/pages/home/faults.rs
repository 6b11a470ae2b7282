//! The form that sets a fault: the common ones to pick from, a field for any other.

use super::super::html::{Html, html};
use super::button;
use crate::faults::openid;

/// The common faults, by what they are about.
#[rustfmt::skip] // one line per fault
const COMMON: &[(&str, &[(&str, &str)])] = &[
    ("Token endpoint", &[
        ("token:status-503", "503, try again later"),
        ("token:status-429=5", "429, come back in 5 seconds"),
        ("token:status-500-html", "500 with an HTML page"),
        ("token:hang", "no answer"),
        ("token:cut", "the answer ends in the middle"),
        ("token:slow", "the answer byte by byte"),
        ("token:empty", "200 and nothing"),
        ("token:error-200", "an error inside a 200"),
        ("token:crlf", "a description with line breaks and terminal control"),
        ("token:aadsts=50196", "AADSTS50196, the client asks in a loop"),
        ("token:aadsts=53003", "AADSTS53003, blocked by Conditional Access"),
        ("token:aadsts=7000222", "AADSTS7000222, the secret has expired"),
        ("token:no-refresh-token", "an answer without refresh token"),
        ("token:no-id-token", "an answer without ID token"),
        ("token:expires-in=60", "a token for a minute"),
        ("token:rotate-keys", "a new signing key from now on"),
    ]),
    ("Device code", &[
        ("token:authorization_declined", "the user declines"),
        ("token:expired_token", "the code has expired"),
        ("token:slow_down", "the device polls too fast"),
        ("devicecode:no-interval", "an answer without interval"),
        ("devicecode:status-503", "503 at the start"),
    ]),
    ("Graph", &[
        ("graph:status-429=5", "429, come back in 5 seconds"),
        ("graph:status-503", "503, try again later"),
        ("graph:status-504-html", "504 with an HTML page"),
        ("graph:status-403", "403, a permission is missing"),
        ("graph:cae", "401 with a claims challenge"),
        ("graph:unauthorized", "401, the token is expired"),
        ("users:next-link-loop", "a list of users that never ends"),
    ]),
    ("Discovery", &[
        ("discovery:status-503", "no metadata: 503"),
        ("keys:status-503", "no keys: 503"),
    ]),
];

/// The form, and the button that takes all faults back.
pub fn form() -> Html {
    let common = COMMON
        .iter()
        .map(|(about, faults)| group(about, faults.iter().copied()));
    // What needs an argument can be typed.
    let openid = ["authorize", "idtoken", "discovery", "keys", "userinfo"].map(|endpoint| {
        let faults: Vec<(String, &str)> = openid::FAULTS
            .iter()
            .filter(|(own, name, _)| *own == endpoint && !name.contains('='))
            .map(|(own, name, words)| (format!("{own}:{name}"), *words))
            .collect();
        let about = format!("OpenID Connect: {endpoint}");
        group(
            &about,
            faults.iter().map(|(spec, words)| (spec.as_str(), *words)),
        )
    });
    let options: Html = common.chain(openid).collect();
    html!(
        "<form method=\"post\" action=\"/\" class=\"row\">
<label for=\"fault\">Fault</label>
<select id=\"fault\" name=\"fault\">
{}</select>
<label for=\"other\">or any other</label>
<input id=\"other\" name=\"other\" placeholder=\"me:status-429=3\" autocomplete=\"off\" spellcheck=\"false\">
<label for=\"times\">How often</label>
<select id=\"times\" name=\"times\"><option value=\"1\">once</option><option value=\"2\">twice</option><option value=\"3\">3 times</option><option value=\"5\">5 times</option><option value=\"always\">always</option></select>
<button name=\"action\" value=\"add-fault\">Set</button>
</form>
<div class=\"actions\">{}<span class=\"note\"><code>emulator faults</code> lists all of them.</span></div>\n",
        options,
        button("clear-faults", "Take all faults back")
    )
}

fn group<'a>(about: &str, faults: impl Iterator<Item = (&'a str, &'a str)>) -> Html {
    let options = faults
        .map(|(spec, words)| html!("<option value=\"{}\">{} ({})</option>\n", spec, words, spec));
    html!(
        "<optgroup label=\"{}\">\n{}</optgroup>\n",
        about,
        options.collect::<Html>()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::faults::Fault;

    #[test]
    fn every_fault_to_pick_can_be_set() {
        let faults = COMMON.iter().flat_map(|(_, faults)| faults.iter());
        for (spec, _) in faults {
            assert!(spec.parse::<Fault>().is_ok(), "{spec}");
        }
    }
}
