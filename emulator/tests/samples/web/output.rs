//! CT2, CT3 and CT11: what the app says where, and what it takes no notice of.

use std::{fs::File, io::pipe, process::Stdio};

use super::*;

/// The app with this change to its command, known to listen by its answer, since its words may go nowhere.
fn started_with(world: &World, change: impl Fn(&mut std::process::Command)) -> App {
    let port = free_port();
    let mut command = world.command();
    let redirect_uri = format!("http://localhost:{port}/getAToken");
    command.env("REDIRECT_URI", redirect_uri);
    change(&mut command);
    let running = Running::start(command, b"");
    until("the app listens", || {
        TcpStream::connect(("127.0.0.1", port)).ok()
    });
    App {
        running,
        port,
        origin: format!("http://localhost:{port}"),
    }
}

#[test]
fn ct3_a_stderr_that_is_gone_changes_nothing() {
    let emulator = emulator();
    let world = world(&emulator).env("RUST_LOG", "debug");
    for gone in ["full disk", "closed pipe", "null"] {
        println!("{gone}");
        let app = started_with(&world, |command| {
            match gone {
                "full disk" => {
                    command.stderr(File::options().write(true).open("/dev/full").unwrap())
                }
                "closed pipe" => command.stderr(pipe().unwrap().1),
                _ => command.stderr(Stdio::null()),
            };
        });
        let mut browser = Browser::signed_in(&app);
        browser.visit("/call_api").shows(200, "Contoso Employee");
        emulator.fault("token:html").unwrap();
        assert_eq!(browser.visit("/login").status, 502);
        assert_eq!(app.running.stdout(), "");
        app.running.signal("TERM");
        assert_eq!(app.running.wait().status.code(), Some(0));
    }
}

#[test]
fn ct3_nothing_is_ever_said_on_stdout() {
    let emulator = emulator();
    let world = world(&emulator);
    let app = started_with(&world, |command| {
        command.stdout(File::options().write(true).open("/dev/full").unwrap());
    });
    Browser::signed_in(&app);
    app.running.signal("INT");
    let outcome = app.running.wait();
    assert_eq!(outcome.status.code(), Some(130), "{outcome:#?}");
    assert!(!outcome.stderr.contains("panic"), "{outcome:#?}");
}

#[test]
fn ct2_nothing_but_settings_counts_in_dot_env() {
    let emulator = emulator();
    let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
    proxy.set_nonblocking(true).unwrap();
    let address = format!("http://{}", proxy.local_addr().unwrap());
    let lines = [
        format!("HTTPS_PROXY={address}"),
        format!("HTTP_PROXY={address}"),
        format!("ALL_PROXY={address}"),
        "SSL_CERT_FILE=/nowhere".into(),
        "RUST_LOG=trace".into(),
        "XDG_STATE_HOME=/nowhere".into(),
        "HOST=0.0.0.0".into(),
        "PORT=1".into(),
        "USERNAME=somebody".into(),
    ];
    let world = || world(&emulator).file(".env", lines.join("\n"));
    let app = App::of(world());
    Browser::signed_in(&app);
    let said = app.running.stderr();
    for word in ["TRACE", "DEBUG", "nowhere", "Warning"] {
        assert!(!said.contains(word), "{word} in {said}");
    }
    // A host of the internet, for which a proxy would be asked.
    let app = App::of(world().env("AUTHORITY", "https://login.invalid/contoso.com"));
    Browser::new(&app).get("/").shows(502, "login.invalid");
    assert!(proxy.accept().is_err());
}

#[test]
fn ct6_loopback_never_goes_through_a_proxy() {
    let emulator = emulator();
    let nobody = "http://127.0.0.1:9";
    let world = world(&emulator)
        .env("HTTPS_PROXY", nobody)
        .env("HTTP_PROXY", nobody)
        .env("http_proxy", nobody)
        .env("ALL_PROXY", nobody);
    let app = App::of(world);
    Browser::signed_in(&app)
        .visit("/call_api")
        .shows(200, "Contoso Employee");
}

#[test]
fn ct11_help_and_version() {
    let world = World::empty(SAMPLE).env("CLIENT_SECRET", "toy~Secret");
    let help = world.run_with(|command| {
        command.arg("--help");
    });
    assert_eq!(help.status.code(), Some(0));
    for word in [
        "REDIRECT_URI",
        "--session-store",
        "--trust-forwarded-headers",
        "--port",
    ] {
        assert!(help.stdout.contains(word), "{word}: {help:#?}");
    }
    for word in ["toy~Secret", "--all", "--no-cache", "--client-secret"] {
        assert!(!help.stdout.contains(word), "{word}: {help:#?}");
    }
    let version = world.run_with(|command| {
        command.arg("--version");
    });
    assert_eq!(version.stdout, "flask-equivalent-web 0.1.0\n");
    for flag in ["--all", "--no-cache", "--client-secret", "--nonsense"] {
        let outcome = world.run_with(|command| {
            command.arg(flag);
        });
        outcome.fails(2, &["unexpected argument", flag]);
    }
}
