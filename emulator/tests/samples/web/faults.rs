//! Every fault that the emulator has, by its name: a new one without a row here is a test that fails.

use emulator::faults::{FAULTS, openid};

use super::*;
use crate::support::side_by_side;

/// Faults of a provider as the relying-party conformance tests have them (those of the ID token are in `id_token`), how
/// they are set, the status of the page that the sign-in ends at, and what it says.
#[rustfmt::skip] // one line per fault
const OPENID: &[(&str, &str, &str, u16, &str)] = &[
    ("authorize", "no-state", "no-state", 400, "no state"),
    ("authorize", "wrong-state", "wrong-state", 400, "not begun in this browser"),
    ("authorize", "state-twice", "state-twice", 400, "came twice"),
    ("authorize", "no-code", "no-code", 400, "neither a code nor an error"),
    ("authorize", "wrong-code", "wrong-code", 400, "invalid_grant"),
    ("authorize", "code-twice", "code-twice", 400, "came twice"),
    ("authorize", "code-and-error", "code-and-error", 400, "both a code and an error"),
    ("authorize", "iss=ISSUER", "iss=https://login.example", 400, "another provider"),
    ("authorize", "bare-error=NAME", "bare-error=login_required", 400, "login_required"),
    ("authorize", "cancel", "cancel", 400, "access_denied"),
    ("authorize", "forgot-password", "forgot-password", 400, "Login Failure"),
    ("discovery", "wrong-issuer", "wrong-issuer", 502, "is of another issuer"),
    ("discovery", "http-endpoints", "http-endpoints", 502, "not https"),
    ("discovery", "foreign-endpoints", "foreign-endpoints", 502, "is of another issuer"),
    ("discovery", "without=FIELD", "without=issuer", 502, "did not answer with the JSON"),
    ("discovery", "field=FIELD=JSON", "field=jwks_uri=[]", 502, "did not answer with the JSON"),
    ("keys", "no-keys", "no-keys", 502, "has no keys"),
    ("keys", "strange-keys", "strange-keys", 400, "(kid) is not the provider"),
    ("keys", "wrong-issuer", "wrong-issuer", 400, "issuer (iss) is another one"),
    ("keys", "no-kid", "no-kid", 400, "(kid) is not the provider"),
    ("keys", "garbage", "garbage", 502, "did not answer with the JSON"),
    // Who has signed in is known from the ID token alone.
    ("userinfo", "wrong-sub", "wrong-sub", 200, "Welcome Contoso Employee!"),
    ("userinfo", "without=FIELD", "without=sub", 200, "Welcome Contoso Employee!"),
    ("token", "no-id-token", "no-id-token", 400, "it is missing"),
    ("token", "no-access-token", "no-access-token", 502, "Login Failure"),
    ("token", "without-scope=SCOPE", "without-scope=User.Read", 403, "Ungranted scope(s): User.Read"),
];

#[test]
fn e12_every_fault_of_a_provider_has_its_page() {
    for (endpoint, form, _) in openid::FAULTS {
        let row = |row: &&(&str, &str, &str, u16, &str)| (row.0, row.1) == (*endpoint, *form);
        let has_row = *endpoint == "idtoken" || OPENID.iter().any(|r| row(&r));
        assert!(has_row, "no row for {endpoint}:{form}");
    }
    for rows in OPENID.chunks(8) {
        side_by_side(rows, |(endpoint, _, fault, status, text)| {
            let emulator = emulator();
            let app = App::start(&emulator);
            emulator.fault(&format!("{endpoint}:{fault}")).unwrap();
            let mut browser = Browser::new(&app);
            let page = match *endpoint {
                "token" if *status == 403 => "/call_api",
                _ => "/",
            };
            browser.visit(page).shows(*status, text);
            assert_eq!(browser.session().is_some(), [200, 403].contains(status));
            // The next try is a new one; the keys, once fetched, stay for a while.
            if *endpoint != "keys" {
                browser.visit("/").shows(200, "Welcome Contoso Employee!");
            }
        });
    }
}

/// Faults of any server, how they are set, and what comes of them at the metadata, the keys, the token endpoint and the
/// API, each once. What may be tried again is.
#[rustfmt::skip] // one line per fault
const ANY_SERVER: &[(&str, &str, [u16; 4])] = &[
    ("status-NNN", "status-404", [502, 502, 400, 404]),
    ("status-NNN=SECONDS", "status-503=0", [200, 200, 200, 200]),
    ("status-NNN-html", "status-500-html", [200, 200, 502, 200]),
    ("redirect=URL", "redirect=http://127.0.0.1:9", [502, 502, 502, 502]),
    ("hang", "hang", [200, 200, 502, 504]),
    ("cut", "cut", [200, 200, 502, 200]),
    ("reset", "reset", [200, 200, 502, 200]),
    ("slow", "slow=1", [200, 200, 200, 200]),
    ("empty", "empty", [502, 502, 502, 502]),
    ("huge", "huge=17", [502, 502, 502, 502]),
    ("html", "html", [502, 502, 502, 502]),
    ("body=[STATUS ]TEXT", "body=200 [", [502, 502, 502, 502]),
    ("error=NAME", "error=unauthorized_client", [502, 502, 400, 502]),
    ("error-200=NAME", "error-200", [502, 502, 400, 200]),
    ("aadsts=CODE", "aadsts=7000222", [502, 502, 400, 401]),
    ("crlf", "crlf", [502, 502, 400, 403]),
    ("slow_down", "slow_down", [502, 502, 400, 502]),
    ("expired_token", "expired_token", [502, 502, 400, 502]),
    ("authorization_declined", "authorization_declined", [502, 502, 400, 502]),
    ("rotate-keys", "rotate-keys", [200, 200, 200, 200]),
    ("no-message", "no-message", [200, 200, 200, 200]),
    ("no-interval", "no-interval", [200, 200, 200, 200]),
    ("interval=N", "interval=7", [200, 200, 200, 200]),
    ("verification-uri=URL", "verification-uri=http://evil.example", [200, 200, 200, 200]),
    ("no-refresh-token", "no-refresh-token", [200, 200, 200, 200]),
    ("expires-in=N", "expires-in=100", [200, 200, 200, 200]),
    ("cae", "cae", [502, 502, 502, 200]),
    ("unauthorized", "unauthorized", [502, 502, 502, 401]),
    ("next-link=URL", "next-link=http://evil.example", [200, 200, 200, 200]),
    ("next-link-loop", "next-link-loop", [200, 200, 200, 200]),
];

#[test]
fn e9_e12_every_fault_of_a_server_has_its_page() {
    // The one with a file is `body` to the server.
    let forms = FAULTS.iter().map(|(form, _)| form);
    for form in forms.filter(|form| !form.starts_with("body-file")) {
        let has_row = ANY_SERVER.iter().any(|(listed, ..)| listed == form);
        assert!(has_row, "no row for {form}");
    }
    let rows: Vec<_> = ANY_SERVER
        .iter()
        .flat_map(|(_, fault, statuses)| {
            let endpoints = ["discovery", "keys", "token", "me"];
            endpoints
                .into_iter()
                .zip(*statuses)
                .map(|(endpoint, status)| (endpoint, *fault, status))
        })
        .collect();
    for rows in rows.chunks(24) {
        side_by_side(rows, |(endpoint, fault, status)| {
            let emulator = emulator();
            let app = App::start(&emulator);
            emulator.fault(&format!("{endpoint}:{fault}")).unwrap();
            let mut browser = Browser::new(&app);
            let page = browser.visit("/call_api");
            assert_eq!(page.status, *status, "{page:#?}");
            for bad in ["<script", "evil.example\"", "panic"] {
                assert!(!page.body.contains(bad) || *status == 200, "{page:#?}");
            }
            let is_known = *status == 200 || *endpoint == "me";
            assert_eq!(browser.session().is_some(), is_known, "{page:#?}");
            browser.visit("/call_api").shows(200, "Contoso Employee");
        });
    }
}
