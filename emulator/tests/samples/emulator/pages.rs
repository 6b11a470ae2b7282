//! Lines 22 and 23: the pages of a browser's sign-in, and logout.

use super::client::{Browser, claims};
use super::*;

#[test]
fn line_22_a_person_signs_in_at_the_pages() {
    let emulator = Emulator::start(Options {
        tls: true,
        ..Options::default()
    })
    .unwrap();
    for client in [Client::http(&emulator), Client::tls(&emulator)] {
        emulator
            .withdraw_consent(EMPLOYEE, "flask-equivalent-web")
            .unwrap();
        let request = authorize(&emulator, &[]);
        let mut browser = Browser::open(&client, &request);
        browser
            .page
            .shows(200, "Pick an account")
            .shows(200, "Zoë &lt;Solo&gt; Ångström");
        assert!(
            !browser.page.body.contains("<script"),
            "no JavaScript is needed"
        );
        browser
            .fill(&[("account", EMPLOYEE)])
            .page
            .shows(200, "Enter password");
        browser
            .fill(&[("password", "wrong")])
            .page
            .shows(200, "AADSTS50126");
        browser
            .fill(&[("password", EMPLOYEE_PASSWORD)])
            .page
            .shows(200, "Permissions requested");
        browser
            .page
            .shows(200, "Sign you in and read your profile")
            .shows(200, "python-webapp");
        browser.fill(&[]);
        assert!(browser.page.carried().contains_key("code"));

        // Signed in, and agreed: no page any more, unless one is asked for.
        assert!(browser.go(&request).page.carried().contains_key("code"));
        let none = authorize(&emulator, &[("prompt", "none")]);
        assert!(browser.go(&none).page.carried().contains_key("code"));
        for (prompt, title) in [
            ("select_account", "Pick an account"),
            ("login", "Enter password"),
            ("consent", "Permissions requested"),
        ] {
            browser.go(&authorize(&emulator, &[("prompt", prompt)]));
            browser.page.shows(200, title);
            let refused = browser.fill(&[("cancel", "1")]).page.carried();
            assert_eq!(refused["error"], "access_denied", "{prompt}");
            assert_eq!(refused["error_subcode"], "cancel");
            assert_eq!(refused["state"], "a state & more");
        }
    }
}

#[test]
fn line_22_prompts_and_hints_without_a_session() {
    let (emulator, client) = start(Options::default());
    let none = client
        .get(&authorize(&emulator, &[("prompt", "none")]))
        .carried();
    assert_eq!(none["error"], "login_required");
    let hinted = client.get(&authorize(&emulator, &[("login_hint", "zoe@contoso.com")]));
    hinted
        .shows(200, "Enter password")
        .shows(200, "for zoe@contoso.com");
    for (name, value) in [
        ("prompt", "none login"),
        ("prompt", "sometimes"),
        ("max_age", "x"),
        ("claims", "{"),
    ] {
        let refused = client
            .get(&authorize(&emulator, &[(name, value)]))
            .carried();
        assert_eq!(refused["error"], "invalid_request", "{name}={value}");
    }
}

#[test]
fn line_22_a_domain_hint_chooses_among_those_signed_in() {
    let (emulator, client) = start(Options::default());
    let id = client_id(&emulator, "desktop-browser");
    let request = |more: &[(&str, &str)]| {
        let mut fields = vec![
            ("client_id", id.as_str()),
            ("response_type", "code"),
            ("scope", "openid User.Read"),
            ("redirect_uri", "http://localhost:5000/"),
        ];
        fields.extend(more);
        format!("/organizations/oauth2/v2.0/authorize?{}", query(&fields))
    };
    let mut browser = Browser::open(&client, &request(&[("login_hint", EMPLOYEE)]));
    browser.fill(&[("password", EMPLOYEE_PASSWORD)]);
    browser.go(&request(&[("prompt", "select_account")]));
    browser
        .fill(&[("account", "ada@fabrikam.com")])
        .fill(&[("password", "Fabrikam#2001")]);
    browser
        .go(&request(&[]))
        .page
        .shows(200, "Pick an account")
        .shows(200, "(signed in)");
    let hinted = browser
        .go(&request(&[
            ("domain_hint", "fabrikam.com"),
            ("prompt", "none"),
        ]))
        .page
        .carried();
    assert!(hinted.contains_key("code"), "{hinted:?}");
    let both = browser.go(&request(&[("prompt", "none")])).page.carried();
    assert!(
        both["error_description"].contains("AADSTS16000"),
        "{both:?}"
    );
}

/// The right AADSTS code for each wrong, on the page where it is wrong.
#[test]
fn line_22_each_wrong_has_its_own_words() {
    let (emulator, client) = start(Options::default());
    for (user, password, shown) in [
        (EMPLOYEE, "wrong", "AADSTS50126"),
        ("disabled@contoso.com", "Disabled#1004", "AADSTS50057"),
        ("expired@contoso.com", "Expired#1005", "AADSTS50055"),
        ("locked@contoso.com", "Locked#1008", "AADSTS50053"),
        ("federated@contoso.com", "Elsewhere#1007", "AADSTS50056"),
        ("passwordless@contoso.com", "x", "AADSTS50056"),
        ("mfa@contoso.com", "Second#1006", "Approve sign-in request"),
    ] {
        let mut browser = Browser::open(&client, &authorize(&emulator, &[("login_hint", user)]));
        browser
            .fill(&[("password", password)])
            .page
            .shows(200, shown);
    }
    for (name, shown) in [
        ("nobody@contoso.com", "AADSTS50034"),
        ("iris@idp.example", "AADSTS50020"),
    ] {
        let mut browser = Browser::open(&client, &authorize(&emulator, &[]));
        browser
            .fill(&[("other_account", name)])
            .page
            .shows(200, shown);
    }
    // What is beyond a user is refused to the application.
    let admin = authorize(
        &emulator,
        &[("scope", "User.Read.All"), ("login_hint", EMPLOYEE)],
    );
    let mut browser = Browser::open(&client, &admin);
    let refused = browser
        .fill(&[("password", EMPLOYEE_PASSWORD)])
        .page
        .carried();
    assert!(
        refused["error_description"].starts_with("AADSTS90094"),
        "{refused:?}"
    );
}

#[test]
fn line_23_logout() {
    over_both(|emulator, client| {
        let silent = authorize(emulator, &[("prompt", "none")]);
        let id = client_id(emulator, "flask-equivalent-web");
        let back = "http://localhost:5000/";
        let id_token = {
            let fields = client
                .get(&authorize(emulator, &[("response_type", "id_token")]))
                .carried();
            fields["id_token"].clone()
        };
        for (hint, path) in [
            (&[][..], "oauth2/v2.0/logout"),
            (
                &[("id_token_hint", id_token.as_str())],
                "oauth2/v2.0/logout",
            ),
            (&[("client_id", id.as_str())], "oauth2/v2.0/logout"),
            (&[("logout_hint", EMPLOYEE)], "oauth2/v2.0/logout"),
            (&[], "oauth2/logout"),
        ] {
            let mut browser = Browser::open(client, &authorize(emulator, &[]));
            assert!(browser.go(&silent).page.carried().contains_key("code"));
            let mut fields = vec![("post_logout_redirect_uri", back), ("state", "a b")];
            fields.extend(hint);
            let location = browser
                .go(&format!("/contoso.com/{path}?{}", query(&fields)))
                .page
                .location();
            assert_eq!(location, format!("{back}?state=a+b"), "{hint:?}");
            assert_eq!(
                browser.go(&silent).page.carried()["error"],
                "login_required",
                "{hint:?}"
            );
        }
        for (fields, row) in [
            (vec![], "no address"),
            (
                vec![("post_logout_redirect_uri", "https://evil.example/")],
                "a foreign address",
            ),
            (
                vec![
                    ("post_logout_redirect_uri", back),
                    ("client_id", "00000000-0000-0000-0000-000000000001"),
                ],
                "another client",
            ),
        ] {
            let page = client.get(&format!(
                "/contoso.com/oauth2/v2.0/logout?{}",
                query(&fields)
            ));
            page.shows(200, "You signed out of your account");
            assert_eq!(page.header("location"), None, "{row}");
        }
    });
}

#[test]
fn line_23_applications_are_told_that_a_browser_has_signed_out() {
    let (emulator, client) = signing_in();
    let id = client_id(&emulator, "single-page");
    let request = authorize(
        &emulator,
        &[
            ("client_id", &id),
            ("redirect_uri", "http://localhost:3000/"),
            ("response_type", "id_token"),
        ],
    );
    let mut browser = Browser::open(&client, &request);
    let sid = claims(&browser.page.carried()["id_token"])["sid"]
        .as_str()
        .unwrap()
        .to_owned();
    let leave = query(&[
        ("post_logout_redirect_uri", "http://localhost:3000/"),
        ("state", "x"),
    ]);
    let page = &browser
        .go(&format!("/contoso.com/oauth2/v2.0/logout?{leave}"))
        .page;
    page.shows(
        200,
        &format!("<iframe src=\"http://localhost:3000/signed-out?sid={sid}\""),
    );
    let policy = page.header("content-security-policy").unwrap();
    assert!(
        policy.contains("frame-src http://localhost:3000;"),
        "{policy}"
    );
    assert_eq!(
        page.header("refresh"),
        Some("2; url=http://localhost:3000/?state=x")
    );
    // Told once: nobody is signed in any more.
    let again = &browser
        .go(&format!("/contoso.com/oauth2/v2.0/logout?{leave}"))
        .page;
    assert_eq!(again.location(), "http://localhost:3000/?state=x");
}
