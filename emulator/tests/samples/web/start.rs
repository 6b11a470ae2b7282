//! E3, E4, E13 and CT5: what the app makes of its settings when it starts.

use emulator::SEED_DATA;

use super::*;
use crate::support::side_by_side;

/// A world for an app that does not come so far as to listen.
fn fixed(emulator: &Emulator) -> World {
    world(emulator).env("REDIRECT_URI", "http://localhost:5000/getAToken")
}

fn fixed_b2c(emulator: &Emulator) -> World {
    world_of(emulator, "flask-equivalent-web-b2c")
        .env("REDIRECT_URI", "http://localhost:5000/getAToken")
}

#[test]
fn e3_the_routes_are_beside_redirect_uri() {
    let emulator = emulator();
    let redirect_uri = "http://localhost:PORT/auth/callback";
    let app = App::of(world(&emulator).env("REDIRECT_URI", redirect_uri));
    let mut browser = Browser::signed_in(&app);
    browser
        .get("/")
        .shows(200, "<a href=\"/auth/logout\">Logout</a>");
    assert_eq!(browser.get("/auth/callback").status, 400);
    assert_eq!(browser.get("/auth/login").status, 302);
    assert_eq!(browser.get("/auth/logout").status, 302);
    for page in ["/login", "/logout", "/getAToken"] {
        assert_eq!(browser.get(page).status, 404, "{page}");
    }
}

#[test]
fn e3_redirect_uri_may_be_any_other_path() {
    for path in ["/auth/", "/login/", "/call_api/x", "/GetAToken", "/a/b/c/d"] {
        println!("{path}");
        let registered = "http://localhost:5000/auth/callback";
        let emulator = Emulator::start(Options {
            auto_sign_in: Some(EMPLOYEE.into()),
            seed_data: Some(SEED_DATA.replace(registered, &format!("http://localhost:5000{path}"))),
            ..Options::default()
        })
        .unwrap();
        let redirect_uri = format!("http://localhost:PORT{path}");
        let app = App::of(world(&emulator).env("REDIRECT_URI", redirect_uri));
        let mut browser = Browser::signed_in(&app);
        let folder = &path[..=path.rfind('/').unwrap()];
        let link = format!("<a href=\"{folder}logout\">Logout</a>");
        browser.get("/").shows(200, &link);
        assert_eq!(browser.get(&format!("{folder}login")).status, 302);
        browser.get(path).shows(400, "no state");
        assert_eq!(browser.get(&format!("{folder}logout")).status, 302);
    }
}

#[test]
#[rustfmt::skip] // one line per row
fn e3_ct5_settings_that_cannot_be() {
    let rows = [
        ("REDIRECT_URI", "http://localhost:5000", "page of its own"),
        ("REDIRECT_URI", "http://localhost:5000/", "page of its own"),
        ("REDIRECT_URI", "http://localhost:5000/call_api", "page of its own"),
        ("REDIRECT_URI", "http://localhost:5000/health", "page of its own"),
        ("REDIRECT_URI", "http://localhost:5000/login", "page of its own"),
        ("REDIRECT_URI", "http://localhost:5000/logout", "page of its own"),
        ("REDIRECT_URI", "http://localhost:5000/auth/logout", "page of its own"),
        ("REDIRECT_URI", "http://localhost:5000/getAToken?a=1", "a query or a fragment"),
        ("REDIRECT_URI", "http://localhost:5000/getAToken#a", "a query or a fragment"),
        ("REDIRECT_URI", "http://localhost:5000/get%41Token", "several ways"),
        ("REDIRECT_URI", "http://localhost:5000/{page}", "several ways"),
        ("REDIRECT_URI", "http://localhost:5000/r\u{fc}ckkehr", "several ways"),
        ("REDIRECT_URI", "http://web.contoso.com/getAToken", "https"),
        ("REDIRECT_URI", "ftp://localhost/getAToken", "is no https URL"),
        ("REDIRECT_URI", "getAToken", "is no URL"),
        ("REDIRECT_URI", "", "is blank"),
        ("REDIRECT_URI", "Enter_the_Redirect_URI", "is still a placeholder"),
        ("AUTHORITY", "", "is blank"),
        ("AUTHORITY", "contoso.com", "is no URL"),
        ("AUTHORITY", "https://login.microsoftonline.com", "names no tenant"),
        ("AUTHORITY", "https://me@login.microsoftonline.com/contoso.com", "has a user name"),
        ("AUTHORITY", "https://login.microsoftonline.com/contoso.com?p=1", "has a query"),
        ("AUTHORITY", "https://login.microsoftonline.com/contoso.com/v2.0", "more path than a tenant"),
        ("AUTHORITY", "https://contosob2c.b2clogin.com/contosob2c.onmicrosoft.com/B2C_1_x", "B2C_TENANT_NAME"),
        ("CLIENT_ID", "", "is blank"),
        ("CLIENT_ID", "my-app", "is no GUID"),
        ("CLIENT_SECRET", "", "is blank"),
        ("CLIENT_SECRET", "322eccf0-599b-4ccb-9815-595f3b7fee63", "that is the Secret ID, not its Value"),
        ("SCOPE", "", "is blank"),
        ("SCOPE", "your_scopes", "is still a placeholder"),
        ("ENDPOINT", "", "is blank"),
        ("ENDPOINT", "/v1.0/me", "is no URL"),
        ("ENDPOINT", "https://evil.example/v1.0/me", "ENDPOINT"),
        ("TRUST_FORWARDED_HEADERS", "perhaps", "is neither 1 nor 0"),
    ];
    let emulator = emulator();
    side_by_side(&rows, |(setting, value, problem)| {
        let outcome = fixed(&emulator).env(setting, *value).run();
        outcome.fails(2, &[&format!("{setting} (from the environment)"), problem]);
    });
    // A missing setting does not hide a wrong one.
    let outcome = fixed(&emulator).without("CLIENT_ID").env("ENDPOINT", "/me").run();
    outcome.fails(2, &["ENDPOINT"]);
    let outcome = fixed(&emulator).without("AUTHORITY").env("CLIENT_ID", "my-app").run();
    outcome.fails(2, &["CLIENT_ID"]);
    assert!(emulator.requests().is_empty());
}

#[test]
fn e21_settings_that_cannot_be() {
    let emulator = emulator();
    for (setting, value, problem) in [
        ("B2C_TENANT_NAME", "", "is blank"),
        ("B2C_TENANT_NAME", "contoso/evil", "is no name"),
        ("SIGNUPSIGNIN_USER_FLOW", "", "is blank"),
        ("SIGNUPSIGNIN_USER_FLOW", "a/../b", "is no name"),
        ("EDITPROFILE_USER_FLOW", "a?b", "is no name"),
        ("RESETPASSWORD_USER_FLOW", "a b", "is no name"),
    ] {
        let world = fixed_b2c(&emulator).env(setting, value);
        world.run().fails(2, &[setting, problem]);
    }
    let world = fixed_b2c(&emulator).without("SIGNUPSIGNIN_USER_FLOW");
    world.run().fails(2, &["SIGNUPSIGNIN_USER_FLOW"]);
}

#[test]
fn e13_almost_there() {
    let emulator = emulator();
    for setting in ["CLIENT_ID", "CLIENT_SECRET", "AUTHORITY"] {
        for value in [None, Some("Enter_the_Value_Here"), Some("<value>")] {
            let world = world(&emulator).without(setting);
            let world = match value {
                Some(value) => world.env(setting, value),
                None => world,
            };
            let app = App::of(world);
            app.says("Almost there");
            for page in ["/", "/call_api", "/getAToken", "/login", "/logout"] {
                let page = Browser::new(&app).get(page);
                page.shows(503, "<h1>Almost there</h1>")
                    .shows(503, setting)
                    .shows(503, "Microsoft Entra admin center");
                assert_eq!(page.header("set-cookie"), None);
            }
        }
    }
    assert!(emulator.requests().is_empty());
}

#[test]
fn e4_the_port_and_what_is_said_of_it() {
    let emulator = emulator();
    let app = App::start(&emulator);
    assert!(
        !app.running.stderr().contains("Warning"),
        "{}",
        app.running.stderr()
    );

    // Behind a proxy the port is nobody's business.
    let app = App::of(world(&emulator).env("REDIRECT_URI", "https://web.contoso.com/getAToken"));
    assert!(
        !app.running.stderr().contains("Warning"),
        "{}",
        app.running.stderr()
    );

    let app = App::of(world(&emulator).without("REDIRECT_URI"));
    app.says(&format!(
        "Warning: the app listens on port {}, but REDIRECT_URI",
        app.port
    ));

    let app = App::of(world(&emulator).arg("--host").arg("0.0.0.0"));
    app.says("Warning: 0.0.0.0 can be reached by other machines.");
}

#[test]
fn e4_a_port_in_use() {
    let emulator = emulator();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let outcome = world(&emulator)
        .env("REDIRECT_URI", format!("http://localhost:{port}/getAToken"))
        .run();
    outcome.fails(1, &[&format!("127.0.0.1:{port} cannot be listened on")]);
}

#[test]
fn ct1_ct2_settings_from_every_source() {
    let emulator = emulator();
    let settings: Vec<_> = emulator.settings(SAMPLE).unwrap();
    let of = |name: &str| settings.iter().find(|(n, _)| n == name).unwrap().1.clone();
    let json = serde_json::json!({
        "authority": of("AUTHORITY"), "client_id": of("CLIENT_ID"), "client_secret": of("CLIENT_SECRET"),
        "redirect_uri": "http://localhost:5000/auth/callback", "scope": ["User.Read"], "unknown": 1,
    });
    let empty = || World::empty(SAMPLE);
    let env_file = format!(
        "AUTHORITY={}\nCLIENT_ID={}\nCLIENT_SECRET='{}'\nREDIRECT_URI=http://localhost:5000/auth/callback\n",
        of("AUTHORITY"),
        of("CLIENT_ID"),
        of("CLIENT_SECRET")
    );
    for world in [
        empty()
            .file("parameters.json", json.to_string())
            .arg("parameters.json"),
        empty().file(".env", &env_file),
        empty()
            .file(".env", env_file.replace("auth/callback", "other"))
            .arg("--redirect-uri")
            .arg("http://localhost:5000/auth/callback"),
    ] {
        let app = App::of(world);
        let begun = Browser::new(&app).get("/").location();
        let encoded = "http%3A%2F%2Flocalhost%3A5000%2Fauth%2Fcallback";
        assert_eq!(parameter(&begun, "redirect_uri"), Some(encoded));
    }
    let wrong = serde_json::json!({ "session_store": 7 });
    let world = world(&emulator).file("parameters.json", wrong.to_string());
    world
        .arg("parameters.json")
        .run()
        .fails(2, &["session_store"]);
}

#[test]
fn ct11_ctrl_c_and_sigterm_end_the_app() {
    let emulator = emulator();
    for (signal, status) in [("INT", 130), ("TERM", 0)] {
        let app = App::start(&emulator);
        app.running.signal(signal);
        let outcome = app.running.wait();
        assert_eq!(outcome.status.code(), Some(status), "{outcome:#?}");
    }
}
