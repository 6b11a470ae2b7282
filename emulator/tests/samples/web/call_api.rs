//! E9 and E16–E18: calling the API as the user, with tokens that are renewed behind the scenes.

use std::thread;

use super::*;
use crate::support::side_by_side;

#[test]
fn e9_the_api_answers() {
    let emulator = emulator();
    let app = App::start(&emulator);
    // Signed in without SCOPE: consent comes when it is needed.
    let mut browser = Browser::signed_in(&app);
    let begun = browser.get("/call_api").location();
    assert!(parameter(&begun, "scope").unwrap().contains("User.Read"));
    let page = browser.visit(&begun);
    page.shows(200, "<h1>API Response</h1>")
        .shows(200, "<a href=\"/\">Back</a>")
        .shows(200, "  &#34;displayName&#34;: &#34;Contoso Employee&#34;");
    // Once agreed to, nobody is asked again.
    emulator.clear_requests();
    browser.get("/call_api").shows(200, "Contoso Employee");
    assert_eq!(emulator.requests().len(), 1, "{:#?}", emulator.requests());
}

#[test]
#[rustfmt::skip] // one line per row
fn e9_a_refused_call_keeps_its_status_where_it_tells_something() {
    let rows = [
        ("me:unauthorized*always", 401, "InvalidAuthenticationToken"),
        ("me:cae*always", 401, "InvalidAuthenticationToken"),
        ("me:status-401", 401, "API Response"),
        ("me:status-403", 403, "API Response"),
        ("me:status-404", 404, "API Response"),
        ("me:status-429=0*always", 429, "API Response"),
        ("me:status-429=121", 429, "API Response"),
        ("me:status-400", 502, "API Response"),
        ("me:status-418", 502, "API Response"),
        ("me:status-500=0*always", 502, "API Response"),
        ("me:status-503=121", 502, "API Response"),
        ("me:status-503-html=121", 502, "API Response"),
        ("me:redirect=http://127.0.0.1:9", 502, "API Response"),
        ("me:html", 502, "API Response"),
        ("me:empty", 502, "API Response"),
        ("me:body=200 [1, 2", 502, "API Response"),
        ("me:body=403 <b>a page</b>", 403, "a page"),
        ("me:huge=17", 502, "16 MiB"),
        ("me:hang*always", 504, "30 seconds"),
    ];
    side_by_side(&rows, |(fault, status, text)| {
        let emulator = emulator();
        let app = App::start(&emulator);
        let mut browser = Browser::signed_in(&app);
        browser.visit("/call_api").shows(200, "Contoso Employee");
        emulator.fault(fault).unwrap();
        let page = browser.visit("/call_api");
        page.shows(*status, text).shows(*status, "<h1>API Response</h1>").shows(*status, "href=\"/\"");
        assert!(!page.body.contains("<b>"), "{page:#?}");
        assert!(browser.is_signed_in());
        // It was the API's matter of the moment.
        emulator.clear_faults();
        browser.visit("/call_api").shows(200, "Contoso Employee");
    });
}

#[test]
fn e9_what_the_api_says_is_shown_as_text() {
    let emulator = emulator();
    let app = App::start(&emulator);
    let mut browser = Browser::signed_in(&app);
    browser.visit("/call_api").shows(200, "Contoso Employee");
    emulator
        .fault(r#"me:body=200 {"x": "<script>alert(1)</script>"}"#)
        .unwrap();
    let page = browser.get("/call_api");
    page.shows(200, "&#60;script&#62;alert(1)");
}

#[test]
fn e9_a_claims_challenge_is_answered_once() {
    let emulator = emulator();
    let app = App::start(&emulator);
    let mut browser = Browser::signed_in(&app);
    browser.visit("/call_api").shows(200, "Contoso Employee");
    emulator.fault("me:cae").unwrap();
    emulator.clear_requests();
    browser.visit("/call_api").shows(200, "Contoso Employee");
    let token = &calls(&emulator, "/token")[0];
    let claims = token.field("claims").unwrap();
    assert!(claims.contains("cp1") && claims.contains("nbf"), "{claims}");
    assert_eq!(calls(&emulator, "/me").len(), 2);
}

#[test]
fn e9_revoked_sessions_lead_to_a_new_sign_in() {
    let emulator = emulator();
    let app = App::start(&emulator);
    let mut browser = Browser::signed_in(&app);
    browser.visit("/call_api").shows(200, "Contoso Employee");
    // The emulator's tokens count from whole seconds.
    emulator.advance_clock(2);
    emulator.revoke(EMPLOYEE).unwrap();
    emulator.advance_clock(2);
    let begun = browser.get("/call_api").location();
    assert!(parameter(&begun, "claims").is_some(), "{begun}");
    browser.visit(&begun).shows(200, "Contoso Employee");
}

/// An app and a browser with a token for the API that is due for renewal at the first use.
fn with_stale_token(emulator: &Emulator) -> (App, Browser) {
    let app = App::start(emulator);
    let browser = with_stale_token_at(emulator, &app);
    (app, browser)
}

/// A browser with such a token.
pub fn with_stale_token_at(emulator: &Emulator, app: &App) -> Browser {
    loop {
        let mut browser = Browser::new(app);
        emulator.fault("token:expires-in=1").unwrap();
        browser.visit("/call_api").shows(200, "Contoso Employee");
        // On a busy machine it may have been stale, and so renewed, by then.
        let is_stale = grants(emulator, "refresh_token") == 0;
        emulator.clear_requests();
        if is_stale {
            thread::sleep(Duration::from_millis(1100));
            return browser;
        }
    }
}

#[test]
fn e16_a_stale_token_is_renewed_silently() {
    let emulator = emulator();
    let (_app, mut browser) = with_stale_token(&emulator);
    browser.get("/call_api").shows(200, "Contoso Employee");
    browser.get("/call_api").shows(200, "Contoso Employee");
    assert_eq!(grants(&emulator, "refresh_token"), 1);
}

#[test]
fn e16_a_token_that_lives_shorter_than_five_minutes_is_used() {
    let emulator = emulator();
    let app = App::start(&emulator);
    let mut browser = Browser::new(&app);
    emulator.fault("token:expires-in=240").unwrap();
    browser.visit("/call_api").shows(200, "Contoso Employee");
    browser.get("/call_api").shows(200, "Contoso Employee");
    assert_eq!(grants(&emulator, "refresh_token"), 0);
}

#[test]
fn e16_ten_requests_at_once_renew_once() {
    let emulator = emulator();
    let (_app, browser) = with_stale_token(&emulator);
    let requests: Vec<_> = (0..10)
        .map(|_| {
            let mut browser = browser.clone();
            thread::spawn(move || browser.get("/call_api").status)
        })
        .collect();
    for request in requests {
        assert_eq!(request.join().unwrap(), 200);
    }
    assert_eq!(grants(&emulator, "refresh_token"), 1);
}

#[test]
fn e11_e16_a_sign_out_during_a_renewal_stays_one() {
    let emulator = emulator();
    let (_app, browser) = with_stale_token(&emulator);
    emulator.fault("token:slow=1").unwrap();
    let mut tab = browser.clone();
    let renewal = thread::spawn(move || tab.get("/call_api"));
    until("the token is being renewed", || {
        (grants(&emulator, "refresh_token") == 1).then_some(())
    });
    let mut copy = browser.clone();
    assert!(
        browser
            .clone()
            .get("/logout")
            .location()
            .contains("/logout?")
    );
    let begun = renewal.join().unwrap().location();
    assert!(begun.contains("/authorize?"), "{begun}");
    assert!(!copy.is_signed_in());
    assert!(calls(&emulator, "/me").is_empty());
}

#[test]
fn e16_without_a_new_refresh_token_the_old_one_stays() {
    let emulator = emulator();
    let (_app, mut browser) = with_stale_token(&emulator);
    emulator.fault("token:body=200 {}").unwrap();
    assert_eq!(browser.get("/call_api").status, 502);
    emulator.fault("token:no-refresh-token").unwrap();
    browser.get("/call_api").shows(200, "Contoso Employee");
    // The challenge makes the app use the refresh token again.
    emulator.fault("me:cae").unwrap();
    browser.get("/call_api").shows(200, "Contoso Employee");
    assert_eq!(grants(&emulator, "refresh_token"), 3);
}

#[test]
fn e16_a_refused_renewal_leads_to_sign_in_and_an_outage_does_not() {
    let emulator = emulator();
    let (_app, mut browser) = with_stale_token(&emulator);
    for outage in ["token:status-503=121", "token:status-429=121"] {
        emulator.fault(outage).unwrap();
        assert_eq!(browser.get("/call_api").status, 502, "{outage}");
    }
    emulator.fault("token:aadsts=700082").unwrap();
    let page = browser.get("/call_api?x=1");
    assert!(page.location().contains("/authorize?"), "{page:#?}");
    browser
        .visit(&page.location())
        .shows(200, "Contoso Employee");
}

/// Conditional Access may ask for more than the refresh token can prove: the sign-in has to answer that.
#[test]
fn e16_claims_of_a_refused_renewal_go_into_the_sign_in() {
    let emulator = emulator();
    let (_app, mut browser) = with_stale_token(&emulator);
    let refusal = r#"{"error":"interaction_required","claims":"{\"access_token\":{\"polids\":{\"values\":[\"5\"]}}}"}"#;
    emulator
        .fault(&format!("token:body=400 {refusal}"))
        .unwrap();
    let begun = browser.get("/call_api").location();
    let claims = parameter(&begun, "claims").unwrap();
    assert!(
        claims.contains("polids") && claims.contains("cp1"),
        "{claims}"
    );
}

/// An app and a browser whose ID token has ended, within what clocks may be apart.
fn with_ended_id_token(emulator: &Emulator) -> (App, Browser) {
    let app = App::start(emulator);
    let mut browser = Browser::new(&app);
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap();
    let exp = now.as_secs() - 30;
    emulator.fault(&format!("idtoken:claim=exp={exp}")).unwrap();
    let back = browser.come_back_from("/");
    assert_eq!(browser.get(&back).location(), "/");
    emulator.clear_requests();
    (app, browser)
}

#[test]
fn e17_an_id_token_that_has_ended_is_renewed() {
    let emulator = emulator();
    let (_app, mut browser) = with_ended_id_token(&emulator);
    browser.get("/").shows(200, "Welcome Contoso Employee!");
    browser.get("/").shows(200, "Welcome Contoso Employee!");
    assert_eq!(grants(&emulator, "refresh_token"), 1);
}

#[test]
fn e17_a_renewed_id_token_is_checked_again() {
    for fault in [
        "idtoken:wrong-sub",
        "idtoken:wrong-iss",
        "idtoken:bad-signature",
        "idtoken:expired",
        "token:no-id-token",
        "token:aadsts=50173",
    ] {
        println!("{fault}");
        let emulator = emulator();
        let (_app, mut browser) = with_ended_id_token(&emulator);
        emulator.fault(fault).unwrap();
        let begun = browser.get("/").location();
        assert!(begun.contains("/authorize?"), "{begun}");
        browser.visit(&begun).shows(200, "Welcome");
    }
}

#[test]
fn e18_partly_granted_scopes_call_nothing() {
    let emulator = emulator();
    let world = world_of(&emulator, "flask-equivalent-web-partly-granted")
        .env("SCOPE", "User.Read User.ReadBasic.All");
    let app = App::of(world);
    let mut browser = Browser::new(&app);
    browser
        .visit("/call_api")
        .shows(403, "Ungranted scope(s): User.ReadBasic.All");
    assert!(calls(&emulator, "/me").is_empty());
    assert!(browser.is_signed_in());
}
