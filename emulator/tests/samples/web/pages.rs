//! E6, E11, E24, E25: what holds for every page, and signing out.

use super::*;

#[test]
fn e6_other_names_of_this_machine_lead_to_the_right_one() {
    let emulator = emulator();
    let app = App::start(&emulator);
    for name in ["127.0.0.1", "[::1]", "127.9.9.9"] {
        let host = format!("{name}:{}", app.port);
        for path in ["/", "/call_api?a=1&b=%2F", "/nowhere", "//evil.example/"] {
            let page = send(app.port, "GET", path, &[("Host", host.clone())]);
            assert_eq!(page.location(), format!("{}{path}", app.origin), "{host}");
            assert_eq!(page.header("set-cookie"), None);
        }
    }
}

#[test]
fn e6_foreign_hosts_get_nothing() {
    let emulator = emulator();
    let app = App::start(&emulator);
    for host in [
        "evil.example",
        "localhost.evil.example",
        "evil.example:PORT",
        "user@localhost:PORT",
        "localhost:PORT@evil.example",
        "localhost:PORT/evil",
        "evil.example#localhost:PORT",
        "",
    ] {
        let host = host.replace("PORT", &app.port.to_string());
        let page = send(app.port, "GET", "/", &[("Host", host.clone())]);
        // A malformed one may be refused before that.
        assert!([400, 421].contains(&page.status), "{host}: {page:#?}");
        assert!(!page.body.contains("evil"), "{page:#?}");
        assert_eq!(page.header("set-cookie"), None);
    }
    // A load balancer asks by address.
    let health = [("Host", "10.0.0.7".to_owned())];
    send(app.port, "GET", "/health", &health).shows(200, "ok");
}

#[test]
fn e6_the_url_to_open_is_told() {
    let emulator = emulator();
    let app = App::start(&emulator);
    app.says(&format!(
        "Open http://localhost:{}/ in a browser.",
        app.port
    ));
}

#[test]
fn e24_forwarded_headers_count_only_if_they_are_trusted() {
    let emulator = emulator();
    let redirect_uri = "https://web.contoso.com/getAToken";
    let behind_proxy = world(&emulator).env("REDIRECT_URI", redirect_uri);
    let proxied = |browser: Browser| {
        browser
            .header("X-Forwarded-Host", "evil.example, web.contoso.com")
            .header("X-Forwarded-Proto", "http, https")
    };
    let answer = |app: &App, host: &str, forwarded: &[(&'static str, &str)]| {
        let mut headers = vec![("Host", host.to_owned())];
        headers.extend(forwarded.iter().map(|(n, v)| (*n, (*v).to_owned())));
        send(app.port, "GET", "/", &headers)
    };
    let app = App::of(behind_proxy);
    let forwarded = [
        ("X-Forwarded-Host", "web.contoso.com"),
        ("X-Forwarded-Proto", "https"),
    ];
    assert_eq!(answer(&app, "web.contoso.com", &[]).status, 302);
    assert_eq!(answer(&app, "10.0.0.7:8080", &forwarded).status, 421);
    let foreign = [("X-Forwarded-Host", "evil.example")];
    assert_eq!(answer(&app, "web.contoso.com", &foreign).status, 302);

    let world = world(&emulator).env("REDIRECT_URI", redirect_uri);
    for world in [
        world.arg("--trust-forwarded-headers"),
        self::world(&emulator)
            .env("REDIRECT_URI", redirect_uri)
            .env("TRUST_FORWARDED_HEADERS", "1"),
    ] {
        let app = App::of(world);
        let page = answer(&app, "10.0.0.7:8080", &forwarded);
        let begun = page.location();
        let encoded = "https%3A%2F%2Fweb.contoso.com%2FgetAToken";
        assert_eq!(parameter(&begun, "redirect_uri"), Some(encoded));
        assert_eq!(answer(&app, "web.contoso.com", &foreign).status, 421);
        assert_eq!(answer(&app, "10.0.0.7:8080", &[]).status, 421);

        let mut browser = proxied(Browser::new(&app));
        browser.visit("/").shows(200, "Welcome");
        let back = browser.come_back_from("/login");
        let page = browser.get(&back);
        let cookie = page
            .all("set-cookie")
            .find(|c| c.contains("session="))
            .unwrap();
        for attribute in [
            "__Host-session=",
            "; Secure",
            "; HttpOnly",
            "; SameSite=Lax",
            "; Path=/",
        ] {
            assert!(cookie.contains(attribute), "{attribute} in {cookie}");
        }
        assert!(page.header("strict-transport-security").is_some());
        let sign_in = browser.get("/login");
        assert!(sign_in.header("set-cookie").unwrap().starts_with("__Host-"));
    }
}

#[test]
fn e24_the_proxy_says_whether_cookies_are_for_https() {
    let emulator = emulator();
    // A proxy on this very machine: REDIRECT_URI is plain http, which is for loopback alone.
    for (trusted, proto, is_https) in [
        (true, Some("https"), true),
        (true, Some("HTTPS"), true),
        (true, Some("http, https"), true),
        (true, Some("https, http"), false),
        (true, Some("http"), false),
        (true, None, false),
        (false, Some("https"), false),
    ] {
        println!("{trusted} {proto:?}");
        let trust = if trusted { "1" } else { "0" };
        let app = App::of(world(&emulator).env("TRUST_FORWARDED_HEADERS", trust));
        let mut browser = Browser::new(&app);
        if let Some(proto) = proto {
            browser = browser.header("X-Forwarded-Proto", proto);
        }
        let begun = browser.get("/");
        let back = browser.get(&begun.location()).location();
        let done = browser.get(&back);
        let out = browser.get("/logout");
        for page in [begun, done, out] {
            let cookies: Vec<_> = page.all("set-cookie").collect();
            assert!(!cookies.is_empty(), "{page:#?}");
            for cookie in cookies {
                assert_eq!(cookie.starts_with("__Host-"), is_https, "{cookie}");
                assert_eq!(cookie.contains("; Secure"), is_https, "{cookie}");
                assert!(!cookie.contains("Domain"), "{cookie}");
            }
        }
    }
    // A cookie of plain http, which anybody in between may have set, is none over https.
    let app = App::of(world(&emulator).env("TRUST_FORWARDED_HEADERS", "1"));
    let plain = Browser::signed_in(&app);
    let mut secure = plain.clone().header("X-Forwarded-Proto", "https");
    assert!(plain.clone().is_signed_in());
    assert!(!secure.is_signed_in());
}

#[test]
fn e6_e24_no_header_leads_anywhere_else() {
    let emulator = emulator();
    let evil = [
        "evil.example",
        "evil.example:443",
        "localhost.evil.example",
        "evil.example\\@localhost",
        "localhost@evil.example",
        "//evil.example",
        "evil.example/localhost",
        "evil.example?localhost",
        "evil.example#localhost",
        "[::ffff:6.6.6.6]",
        "0x7f.evil.example",
        "evil.example, evil.example",
        "https://evil.example",
        "%65vil.example",
        "evil\u{e9}.example",
    ];
    let names = [
        "X-Forwarded-Host",
        "Forwarded",
        "X-Forwarded-Server",
        "X-Original-URL",
        "X-Rewrite-URL",
        "X-Host",
        "X-Forwarded-Prefix",
        "X-HTTP-Host-Override",
        "Referer",
        "Origin",
    ];
    for trusted in ["0", "1"] {
        let app = App::of(world(&emulator).env("TRUST_FORWARDED_HEADERS", trusted));
        let host = format!("localhost:{}", app.port);
        for name in names {
            for value in evil {
                let value = match name {
                    "Forwarded" => format!("host={value};proto=https"),
                    _ => value.to_owned(),
                };
                let headers = [("Host", host.clone()), (name, value.clone())];
                let page = send(app.port, "GET", "/", &headers);
                let counts = trusted == "1" && name == "X-Forwarded-Host";
                let expected: &[u16] = if counts { &[400, 421] } else { &[302] };
                assert!(
                    expected.contains(&page.status),
                    "{name}: {value}: {page:#?}"
                );
                assert!(!format!("{page:?}").contains("evil"), "{page:#?}");
            }
        }
        // Two Host headers, or an address in the request line, are no way around.
        for request in [
            format!(
                "GET / HTTP/1.1\r\nHost: {host}\r\nHost: evil.example\r\nConnection: close\r\n\r\n"
            ),
            format!(
                "GET / HTTP/1.1\r\nHost: evil.example\r\nHost: {host}\r\nConnection: close\r\n\r\n"
            ),
            format!(
                "GET http://evil.example/ HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
            ),
            "GET / HTTP/1.0\r\n\r\n".to_owned(),
        ] {
            let page = exchange(app.port, request.as_bytes());
            assert!(
                !format!("{page:?}").contains("evil"),
                "{request}: {page:#?}"
            );
        }
    }
}

#[test]
fn e11_signing_out_ends_the_session_here_and_at_the_provider() {
    let emulator = emulator();
    let app = App::start(&emulator);
    let mut browser = Browser::signed_in(&app);
    let mut thief = browser.clone();
    let away = browser.get("/logout").location();
    assert!(away.contains("/oauth2/v2.0/logout?"), "{away}");
    let home = format!("http%3A%2F%2Flocalhost%3A{}%2F", app.port);
    assert_eq!(
        parameter(&away, "post_logout_redirect_uri"),
        Some(home.as_str())
    );
    assert_eq!(browser.session(), None);
    // The session is gone, and not only its cookie.
    assert!(!thief.is_signed_in());
    // A second time, or with nobody signed in, it is no mistake.
    assert_eq!(browser.get("/logout").location(), away);
    app.says("signed out");
}

#[test]
fn e11_another_site_cannot_sign_anybody_out() {
    let emulator = emulator();
    let app = App::start(&emulator);
    let mut browser = Browser::signed_in(&app).header("Sec-Fetch-Site", "cross-site");
    browser
        .get("/logout")
        .shows(200, "<a class=\"action\" href=\"/logout\">Sign out</a>");
    assert!(browser.is_signed_in());
    for site in ["same-origin", "same-site", "none"] {
        let mut browser = Browser::signed_in(&app).header("Sec-Fetch-Site", site);
        assert_eq!(browser.get("/logout").status, 302);
    }
}

#[test]
fn e11_without_the_provider_the_session_ends_all_the_same() {
    let emulator = emulator();
    emulator
        .fault("discovery:without=end_session_endpoint*always")
        .unwrap();
    let app = App::start(&emulator);
    let mut browser = Browser::signed_in(&app);
    browser.get("/logout").shows(200, "<h1>Signed out</h1>");
    assert!(!browser.is_signed_in());
}

#[test]
fn e11_nobody_waits_for_the_provider_to_be_signed_out() {
    let emulator = emulator();
    let app = App::start(&emulator);
    let mut browser = Browser::signed_in(&app);
    let mut copy = browser.clone();
    // Whatever is asked of the provider now has no answer.
    emulator.fault("any:hang*always").unwrap();
    assert_eq!(browser.get("/logout").status, 302);
    assert!(!copy.is_signed_in());
}

#[test]
fn e25_every_answer_has_the_headers() {
    let emulator = emulator();
    let app = App::start(&emulator);
    let mut browser = Browser::signed_in(&app);
    let mut pages = vec![
        browser.get("/"),
        browser.visit("/call_api"),
        browser.get("/getAToken"),
        browser.get("/nowhere"),
        browser.get("/health"),
        browser.get("/login"),
        browser.request("POST", "/"),
        browser.request("TRACE", "/"),
        browser.get("/logout"),
    ];
    pages.push(send(
        app.port,
        "GET",
        "/",
        &[("Host", "evil.example".into())],
    ));
    for page in pages {
        for (name, value) in [
            ("cache-control", "no-store"),
            ("x-frame-options", "DENY"),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
        ] {
            assert_eq!(page.header(name), Some(value), "{page:#?}");
        }
        let policy = page.header("content-security-policy").unwrap();
        for part in ["default-src 'none'", "frame-ancestors 'none'"] {
            assert!(policy.contains(part), "{policy}");
        }
        assert!(!policy.contains("unsafe-inline"), "{policy}");
        assert!(!page.body.contains("<script"), "{page:#?}");
        // Plain http, so browsers must not be told to forget it.
        assert_eq!(page.header("strict-transport-security"), None);
    }
}

#[test]
fn e12_e25_wrong_methods_and_paths() {
    let emulator = emulator();
    let app = App::start(&emulator);
    let mut browser = Browser::new(&app);
    for page in [
        "/",
        "/call_api",
        "/health",
        "/getAToken",
        "/login",
        "/logout",
    ] {
        for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"] {
            let answer = browser.request(method, page);
            assert_eq!(answer.status, 405, "{method} {page}: {answer:#?}");
            assert_eq!(answer.header("allow"), Some("GET"));
        }
    }
    for page in [
        "/nowhere",
        "/getatoken",
        "/login/",
        "/.env",
        "/edit_profile",
        "/%00",
        "/call_api/..",
    ] {
        let answer = browser.get(page);
        assert_eq!(answer.status, 404, "{answer:#?}");
    }
    assert!(emulator.requests().is_empty());
}

#[test]
fn e25_requests_are_limited() {
    let emulator = emulator();
    let app = App::start(&emulator);
    let host = format!("Host: localhost:{}\r\n", app.port);
    let body = format!("POST / HTTP/1.1\r\n{host}Content-Length: 50000000\r\n\r\n");
    let rows = [
        // A body is not waited for, and a header without end not read.
        ([body.as_bytes(), &[b'x'; 10_000]].concat(), vec![405, 413]),
        (
            format!("GET / HTTP/1.1\r\n{host}X: {}\r\n\r\n", "x".repeat(1 << 20)).into_bytes(),
            vec![400, 431],
        ),
        (
            format!("GET /{} HTTP/1.1\r\n{host}\r\n", "x".repeat(1 << 20)).into_bytes(),
            vec![414, 431],
        ),
        (b"GET / HTTP/1.1\r\n\r\n".to_vec(), vec![400, 421]),
        (b"nonsense\r\n\r\n".to_vec(), vec![400]),
    ];
    for (request, statuses) in rows {
        let page = exchange(app.port, &request);
        assert!(statuses.contains(&page.status), "{statuses:?}: {page:#?}");
    }
    Browser::signed_in(&app);
}

#[test]
fn e25_nothing_secret_is_logged() {
    let emulator = emulator();
    let world = world(&emulator).env("RUST_LOG", "trace");
    let secret = world.setting("CLIENT_SECRET");
    let app = App::of(world);
    let mut browser = Browser::new(&app);
    let mut secrets = vec![secret];
    for page in ["/", "/call_api", "/login"] {
        let begun = browser.get(page).location();
        secrets.extend(
            ["state", "nonce", "code_challenge"].map(|n| parameter(&begun, n).unwrap().to_owned()),
        );
        let back = browser.get(&begun).location();
        secrets.push(parameter(&back, "code").unwrap().to_owned());
        browser.visit(&back);
        secrets.extend(browser.session().map(str::to_owned));
    }
    for fault in [
        "idtoken:bad-signature",
        "token:html",
        "token:aadsts=54005",
        "me:cae",
    ] {
        emulator.fault(fault).unwrap();
        browser.visit("/login");
        browser.visit("/call_api");
    }
    browser.get("/logout");
    for call in calls(&emulator, "/token") {
        let answer: serde_json::Value =
            serde_json::from_slice(&call.answer.unwrap_or_default()).unwrap_or_default();
        for name in ["access_token", "refresh_token", "id_token"] {
            secrets.extend(answer[name].as_str().map(str::to_owned));
        }
    }
    app.says("signed out");
    let log = app.running.stderr();
    for word in [
        "signed in",
        "ID token refused",
        "sign-in refused",
        "/oauth2/v2.0/token",
    ] {
        assert!(log.contains(word), "{word} in {log}");
    }
    for secret in secrets {
        assert!(!log.contains(&secret), "{secret} in {log}");
    }
    assert_eq!(app.running.stdout(), "");
}
