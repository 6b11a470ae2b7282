//! The home page: settings, people, faults, requests; all of it without a script.

use super::client::Answer;
use super::*;

fn act(client: &Client, fields: &[(&str, &str)]) -> Answer {
    client.post_with(
        "/",
        &[("Origin", &client.base), ("Sec-Fetch-Site", "same-origin")],
        fields,
    )
}

#[test]
fn settings_for_each_application_and_language() {
    over_both(|emulator, client| {
        let page = client.get("/");
        for application in &emulator.directory().applications {
            page.shows(200, &format!("<strong>{}</strong>", application.key));
        }
        let base = match client.base.starts_with("https") {
            true => client.base.clone(),
            // Libraries are told of TLS, where it is spoken.
            false => emulator.url().to_owned(),
        };
        for text in [
            &format!("AUTHORITY=&#39;{}/{CONTOSO}&#39;", client.base),
            "CLIENT_SECRET=&#39;toy~Secret.of-the_client~credentials+sample/%&#39;",
            "msal.PublicClientApplication(",
            &format!("authority=&quot;{base}/{CONTOSO}&quot;"),
            "from &quot;@azure/msal-node&quot;",
            "from &quot;@azure/msal-browser&quot;",
            &format!("&quot;Instance&quot;: &quot;{base}/&quot;"),
            &format!("metadata       {base}/idp.example/.well-known/openid-configuration"),
            &format!(
                "metadata       {base}/contosob2c.onmicrosoft.com/B2C_1_signupsignin1/v2.0/.well-known/openid-configuration"
            ),
        ] {
            page.shows(200, text);
        }
    });
    let (_emulator, client) = start(Options::default());
    client
        .get("/")
        .shows(200, "start the emulator with <code>--tls</code>");
}

#[test]
fn people_and_what_is_special_about_them() {
    let (emulator, client) = start(Options {
        generate: Some(12),
        ..Options::default()
    });
    let page = client.get("/");
    for user in &emulator.directory().users {
        page.shows(200, &format!("<code>{}</code>", user.sign_in_name()));
    }
    for text in [
        "<code>Worker#1001</code>",
        "<code>pä$$ wörd &amp; + % 日本</code>",
        "AADSTS50076",
        "A guest from another tenant.",
        "Has no manager, so /me/manager is a 404.",
        "And 12 generated ones",
    ] {
        page.shows(200, text);
    }
}

#[test]
fn faults_are_set_and_taken_back_by_forms() {
    let (emulator, client) = start(Options::default());
    client
        .get("/")
        .shows(200, "<option value=\"idtoken:wrong-nonce\">")
        .shows(200, "<option value=\"graph:cae\">");
    let set = act(
        &client,
        &[
            ("action", "add-fault"),
            ("fault", "token:status-503"),
            ("other", ""),
            ("times", "2"),
        ],
    );
    assert_eq!(set.location(), "/#faults");
    act(
        &client,
        &[
            ("action", "add-fault"),
            ("fault", "token:status-503"),
            ("other", "me:status-429=3"),
            ("times", "always"),
        ],
    );
    client
        .get("/")
        .shows(200, "<code>token:status-503</code> 2 times")
        .shows(200, "<code>me:status-429=3</code> always");
    assert_eq!(client.graph("/v1.0/me", "x").status, 429);
    act(&client, &[("action", "clear-faults")]);
    assert_eq!(client.graph("/v1.0/me", "x").status, 401);

    let wrong = act(
        &client,
        &[("action", "add-fault"), ("other", "<b>nonsense")],
    );
    wrong
        .shows(400, "role=\"alert\"")
        .shows(400, "&lt;b&gt;nonsense");
    act(&client, &[("action", "format-disk")]).shows(400, "nothing that this page can do");
    let kids = emulator.key_ids();
    act(&client, &[("action", "rotate-keys")]);
    assert_ne!(emulator.key_ids(), kids);
}

#[test]
fn sessions_are_revoked_by_a_form() {
    let (emulator, client) = start(Options::default());
    let token = emulator
        .user_token(EMPLOYEE, "device-code", "User.Read")
        .unwrap();
    assert_eq!(client.graph("/v1.0/me", &token).status, 200);
    assert_eq!(
        act(&client, &[("action", "revoke"), ("name", EMPLOYEE)]).location(),
        "/#sessions"
    );
    assert_eq!(client.graph("/v1.0/me", &token).status, 401);
    act(&client, &[("action", "revoke"), ("name", "nobody")]).shows(400, "there is no user");
    let app = emulator.application_token("client-credentials").unwrap();
    let id = client_id(&emulator, "client-credentials");
    act(&client, &[("action", "revoke"), ("name", &id)]);
    let object = "/v1.0/applications/6ed9c555-6dfd-4f35-b832-f1f634c0b876";
    assert_eq!(client.graph(object, &app).status, 401);
}

/// What the page shows at first, and what its script asks for again.
#[test]
fn requests_are_listed_and_their_secrets_masked() {
    let (emulator, client) = start(Options::default());
    client.get("/").shows(200, "None yet.");
    let id = client_id(&emulator, "username-password");
    client.token("contoso.com", &password_grant(&id, "openid <script>"));
    emulator.fault("graph:status-503").unwrap();
    client.graph("/v1.0/me", "a-token");
    client.get("/%3Cimg%20src=x%3E?a=%3Cb%3E");
    let device = client_id(&emulator, "device-code");
    client.post(
        "/contoso.com/oauth2/v2.0/devicecode",
        &[("client_id", &device), ("scope", "User.Read")],
    );
    for path in ["/", "/_emulator/live"] {
        let page = client.get(path);
        page.shows(200, "<code>/contoso.com/oauth2/v2.0/token</code>");
        page.shows(200, "client_id=username-password  grant_type=password");
        page.shows(200, "password=***")
            .shows(200, "scope=openid &lt;script&gt;");
        page.shows(200, "<span class=\"fault\">graph:status-503</span>");
        page.shows(200, "a=&lt;b&gt;")
            .shows(200, &emulator.pending_codes()[0]);
        for secret in ["a-token", "<script>alert", "<img"] {
            assert!(!page.body.contains(secret), "{secret}");
        }
    }
    let json = client.get("/_emulator/requests").body;
    assert!(json.contains("***") && !json.contains(EMPLOYEE_PASSWORD) && !json.contains("a-token"));
    assert_eq!(
        act(&client, &[("action", "clear-requests")]).location(),
        "/#requests"
    );
    client.get("/_emulator/live").shows(200, "None yet.");
}

#[test]
fn the_script_is_a_file_of_its_own() {
    let (_emulator, client) = start(Options::default());
    let page = client.get("/");
    page.shows(200, "<script src=\"/_emulator/home.js\" defer></script>");
    assert_eq!(page.body.matches("<script").count(), 1);
    let policy = page.header("content-security-policy").unwrap();
    assert!(
        policy.contains("script-src 'self'; connect-src 'self'"),
        "{policy}"
    );
    for handler in ["onclick", "onload", "javascript:", "style=\""] {
        assert!(!page.body.contains(handler), "{handler}");
    }
    for (path, kind) in [
        ("/_emulator/home.js", "text/javascript"),
        ("/_emulator/home.css", "text/css"),
        ("/_emulator/style.css", "text/css"),
    ] {
        assert!(
            client
                .get(path)
                .header("content-type")
                .unwrap()
                .starts_with(kind),
            "{path}"
        );
    }
}
