//! E1, E2, E8, E12, E15: signing in, and what is shown where that does not work.

use super::*;

#[test]
fn e1_e2_e8_signing_in_needs_no_more_than_three_settings() {
    let emulator = emulator();
    let app = App::of(world(&emulator).without("REDIRECT_URI"));
    let mut browser = Browser::new(&app);

    let begun = browser.get("/").location();
    for (name, value) in [
        ("client_id", Some("b546cf29-f51e-40ed-abb3-a275d2133076")),
        ("response_type", Some("code")),
        (
            "redirect_uri",
            Some("http%3A%2F%2Flocalhost%3A5000%2FgetAToken"),
        ),
        ("code_challenge_method", Some("S256")),
        ("scope", Some("openid+profile+offline_access")),
        ("prompt", None),
    ] {
        assert_eq!(parameter(&begun, name), value, "{name} in {begun}");
    }
    for (name, shortest) in [("state", 22), ("nonce", 22), ("code_challenge", 43)] {
        let value = parameter(&begun, name).unwrap();
        assert!(value.len() >= shortest, "{name} in {begun}");
    }

    let back = browser.get(&begun).location();
    assert_eq!(browser.get(&back).location(), "/");
    let page = browser.get("/");
    page.shows(200, "Welcome Contoso Employee!")
        .shows(200, "<a href=\"/call_api\">Call an API</a>")
        .shows(200, "<a href=\"/logout\">Logout</a>")
        .shows(200, "<footer>flask-equivalent-web 0.1.0");
    assert!(!page.body.contains("Edit Profile"), "{page:#?}");

    let token = &calls(&emulator, "/token")[0];
    assert_eq!(token.field("grant_type"), Some("authorization_code"));
    assert_eq!(token.field("code_verifier"), Some("***"));
    browser.visit("/call_api").shows(200, "Contoso Employee");
    let call = &calls(&emulator, "/v1.0/me")[0];
    assert_eq!(call.status, Some(200));
    assert_eq!(app.running.stdout(), "");
}

#[test]
fn e1_a_sign_in_costs_one_request_once_metadata_and_keys_are_known() {
    let emulator = emulator();
    let app = App::start(&emulator);
    Browser::signed_in(&app);
    emulator.clear_requests();
    Browser::signed_in(&app);
    let own = |request: &Recorded| !request.path.ends_with("/authorize");
    let requests: Vec<_> = emulator.requests().into_iter().filter(own).collect();
    assert_eq!(requests.len(), 1, "{requests:#?}");
}

#[test]
fn e8_call_api_signs_in_too_and_asks_for_the_scope_at_once() {
    let emulator = emulator();
    let app = App::start(&emulator);
    let mut browser = Browser::new(&app);
    let begun = browser.get("/call_api").location();
    let scope = parameter(&begun, "scope").unwrap();
    assert!(scope.contains("User.Read"), "{scope}");
    browser.visit(&begun).shows(200, "API Response");
    assert_eq!(redemptions(&emulator), 1);
    assert_eq!(grants(&emulator, "refresh_token"), 0);
}

#[test]
fn e15_after_the_sign_in_back_to_the_page_first_asked_for() {
    let emulator = emulator();
    let app = App::start(&emulator);
    for page in [
        "/?a=1&b=%2F%2Fevil.example",
        "/call_api?next=https%3A%2F%2Fevil.example%2F",
    ] {
        let mut browser = Browser::new(&app);
        let back = browser.come_back_from(page);
        assert_eq!(browser.get(&back).location(), page);
    }
    // A page of another site, in every way that a browser takes for one: never an address to go back to.
    for page in [
        "//evil.example/",
        "/\\evil.example",
        "/%5Cevil.example",
        "/.//evil.example",
    ] {
        let answer = Browser::new(&app).get(page);
        assert_eq!(answer.status, 404, "{answer:#?}");
    }
    // Nor is any parameter, whatever it is called: where to go back to is sealed in a cookie.
    for name in [
        "next",
        "return_to",
        "returnUrl",
        "redirect_uri",
        "redirect",
        "url",
        "continue",
    ] {
        for value in [
            "https://evil.example/",
            "//evil.example/",
            "/\\evil.example/",
            "/%09/evil.example/",
            "https:evil.example",
            "javascript:alert(1)",
            "data:text/html,x",
            "%2F%2Fevil.example",
        ] {
            let mut browser = Browser::new(&app);
            let back = browser.come_back_from(&format!("/login?{name}={value}"));
            assert!(
                back.starts_with(&format!("{}/getAToken?", app.origin)),
                "{back}"
            );
            assert_eq!(
                browser.get(&format!("{back}&{name}={value}")).location(),
                "/"
            );
            let away = browser.get(&format!(
                "/logout?{name}={value}&post_logout_redirect_uri={value}"
            ));
            assert!(!away.location().contains("evil"), "{away:#?}");
        }
    }
    // `login` itself is no page to go back to.
    let mut browser = Browser::new(&app);
    let back = browser.come_back_from("/login");
    assert_eq!(browser.get(&back).location(), "/");
}

#[test]
#[rustfmt::skip] // one line per row
fn e12_what_goes_wrong_is_told_with_a_status() {
    // What the emulator does wrong, the status, and what the page says.
    let rows = [
        ("authorize:error=access_denied", 400, "access_denied"),
        ("authorize:aadsts=65004", 400, "AADSTS65004"),
        ("authorize:bare-error=server_error", 400, "server_error"),
        ("authorize:bare-error=<script>alert(1)</script>", 400, "script"),
        ("authorize:crlf", 400, "Login Failure"),
        ("authorize:wrong-code", 400, "invalid_grant"),
        ("token:aadsts=54005", 400, "AADSTS54005"),
        ("token:aadsts=7000215", 400, "the secret&#39;s Value"),
        ("token:aadsts=50173", 400, "correlation id"),
        ("token:error-200=invalid_grant", 400, "invalid_grant"),
        ("token:crlf", 400, "Login Failure"),
        ("token:no-id-token", 400, "it is missing"),
        ("token:no-access-token", 502, "Login Failure"),
        ("token:status-500", 502, "Login Failure"),
        ("token:status-500-html", 502, "Login Failure"),
        ("token:status-503=121", 502, "Login Failure"),
        ("token:status-429=121", 502, "Login Failure"),
        ("token:html", 502, "Login Failure"),
        ("token:empty", 502, "Login Failure"),
        ("token:reset", 502, "Login Failure"),
        ("token:cut", 502, "Login Failure"),
        ("token:redirect=http://127.0.0.1:9", 502, "Login Failure"),
        ("keys:status-503=121", 502, "Login Failure"),
        ("keys:garbage", 502, "Login Failure"),
        ("discovery:status-503=121", 502, "Login Failure"),
        ("discovery:html", 502, "Login Failure"),
        ("discovery:wrong-issuer", 502, "is of another issuer"),
        ("discovery:http-endpoints", 502, "not https"),
        ("discovery:foreign-endpoints", 502, "is of another issuer"),
        ("discovery:without=jwks_uri", 502, "Login Failure"),
        ("discovery:redirect=http://127.0.0.1:9", 502, "Login Failure"),
    ];
    crate::support::side_by_side(&rows, |(fault, status, text)| {
        let emulator = emulator();
        let app = App::start(&emulator);
        emulator.fault(fault).unwrap();
        let mut browser = Browser::new(&app);
        let page = browser.visit("/");
        page.shows(*status, text).shows(*status, "<h1>Login Failure</h1>");
        assert!(!page.body.contains("<script"), "{page:#?}");
        // CT7: nothing that a terminal or a reader's eye could be misled by.
        let misleads = |c: char| c.is_control() && c != '\n' || ('\u{202a}'..='\u{202e}').contains(&c);
        assert!(!page.body.contains(misleads), "{page:#?}");
        assert_eq!(browser.session(), None, "{page:#?}");
        // The next try is a new one.
        browser.visit("/").shows(200, "Welcome");
    });
}

#[test]
fn e12_registrations_that_are_not_right() {
    let emulator = emulator();
    let app = App::of(world_of(&emulator, "flask-equivalent-web-secret-expired"));
    let page = Browser::new(&app).visit("/");
    page.shows(400, "AADSTS7000222")
        .shows(400, "The client secret has expired");

    // What the provider itself refuses stays there: no redirect, so no loop.
    let app = App::of(world_of(
        &emulator,
        "flask-equivalent-web-redirect-uri-missing",
    ));
    let page = Browser::new(&app).visit("/");
    page.shows(400, "AADSTS50011");
    assert!(page.url.starts_with(emulator.url()), "{page:#?}");
}

#[test]
fn e12_a_provider_that_cannot_be_reached() {
    let emulator = emulator();
    // A port at which nobody listens.
    let nobody = "http://127.0.0.1:9/contoso.com";
    let app = App::of(world(&emulator).env("AUTHORITY", nobody));
    let mut browser = Browser::new(&app);
    browser.get("/").shows(502, "could not be reached");
}
