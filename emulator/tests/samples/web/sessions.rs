//! E19: sessions, in a file of this machine or in Redis.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use tempfile::TempDir;

use super::*;

/// A world with a state folder of its own.
fn stateful(emulator: &Emulator, state: &Path) -> World {
    world(emulator).env("XDG_STATE_HOME", state.to_str().unwrap())
}

fn session_files(state: &Path) -> Vec<PathBuf> {
    let folder = fs::read_dir(state.join("entra-samples-rust")).unwrap();
    folder.map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn e19_sessions_survive_kill_9_in_a_private_file() {
    let emulator = emulator();
    let state = TempDir::new().unwrap();
    let world = stateful(&emulator, state.path());
    let app = App::at(&world);
    let mut browser = Browser::signed_in(&app);
    let back = browser.come_back_from("/login");
    let files = session_files(state.path());
    assert_eq!(files.len(), 1, "{files:?}");
    let mode = fs::metadata(&files[0]).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    app.says(files[0].to_str().unwrap());
    // Who reads the file cannot act as the user.
    let content = fs::read(&files[0]).unwrap();
    let session = browser.session().unwrap().as_bytes();
    assert!(!content.windows(session.len()).any(|part| part == session));

    let port = app.port;
    app.running.signal("KILL");
    drop(app);
    let _app = App::at_port(&world, port).unwrap();
    browser.get("/").shows(200, "Welcome Contoso Employee!");
    // A sign-in that was on its way goes on.
    assert_eq!(browser.get(&back).location(), "/");
    assert!(browser.is_signed_in());
}

#[test]
fn e19_a_second_instance_says_what_to_do() {
    let emulator = emulator();
    let state = TempDir::new().unwrap();
    let redirect_uri = "http://localhost:5000/getAToken";
    let world = stateful(&emulator, state.path()).env("REDIRECT_URI", redirect_uri);
    let _app = App::at(&world);
    let port = free_port().to_string();
    let outcome = world.run_with(|command| {
        command.args(["--port", &port]);
    });
    outcome.fails(1, &["Another instance", "SESSION_STORE", "redis://"]);
    // Another app of the same user is no trouble.
    let redirect_uri = "http://localhost:5000/auth/callback";
    App::at(&stateful(&emulator, state.path()).env("REDIRECT_URI", redirect_uri));
}

#[test]
fn e19_without_a_state_folder_sessions_are_in_memory() {
    let emulator = emulator();
    let world = world(&emulator).file("plain", "a file, and no folder");
    let state = world.work().join("plain");
    let app = App::of(world.env("XDG_STATE_HOME", state.to_str().unwrap()));
    app.says("Warning: sessions are in memory only");
    let mut browser = Browser::signed_in(&app);
    assert!(browser.is_signed_in());
}

#[test]
fn e19_a_damaged_file_is_told() {
    let emulator = emulator();
    let state = TempDir::new().unwrap();
    let redirect_uri = "http://localhost:5000/getAToken";
    let world = stateful(&emulator, state.path()).env("REDIRECT_URI", redirect_uri);
    drop(App::at(&world));
    fs::write(&session_files(state.path())[0], "x".repeat(5000)).unwrap();
    let port = free_port().to_string();
    let outcome = world.run_with(|command| {
        command.args(["--port", &port]);
    });
    outcome.fails(1, &["cannot be read", "Delete the file"]);
}

#[test]
fn e19_a_new_session_id_at_each_sign_in() {
    let emulator = emulator();
    let app = App::start(&emulator);
    let mut browser = Browser::new(&app);
    // An id that somebody else has put there is not taken over.
    let planted = "A".repeat(43);
    let jar = browser.cookies.entry("localhost".into()).or_default();
    jar.insert("session".into(), planted.clone());
    let back = browser.come_back_from("/");
    let page = browser.get(&back);
    let cookie = page
        .all("set-cookie")
        .find(|c| c.starts_with("session="))
        .unwrap();
    for attribute in [
        "; HttpOnly",
        "; SameSite=Lax",
        "; Path=/",
        "; Max-Age=86400",
    ] {
        assert!(cookie.contains(attribute), "{attribute} in {cookie}");
    }
    for attribute in ["Secure", "Domain"] {
        assert!(!cookie.contains(attribute), "{attribute} in {cookie}");
    }
    assert_ne!(browser.session(), Some(planted.as_str()));

    // The one before ends with the new one.
    let mut old = browser.clone();
    browser.visit("/login").shows(200, "Welcome");
    assert_ne!(browser.session(), old.session());
    assert!(!old.is_signed_in());
    assert!(browser.is_signed_in());
}

#[test]
fn e19_visits_without_sign_in_store_nothing() {
    let emulator = emulator();
    let state = TempDir::new().unwrap();
    let app = App::at(&stateful(&emulator, state.path()));
    let mut browser = Browser::signed_in(&app);
    let before = fs::metadata(&session_files(state.path())[0]).unwrap();
    for _ in 0..200 {
        let mut visitor = Browser::new(&app);
        assert_eq!(visitor.get("/").status, 302);
        assert_eq!(visitor.get("/getAToken?state=x&code=y").status, 400);
        assert_eq!(visitor.session(), None);
    }
    let after = fs::metadata(&session_files(state.path())[0]).unwrap();
    assert_eq!(before.modified().unwrap(), after.modified().unwrap());
    assert!(browser.is_signed_in());
}

#[test]
fn e19_a_session_store_that_cannot_be() {
    let emulator = emulator();
    let fixed = || world(&emulator).env("REDIRECT_URI", "http://localhost:5000/getAToken");
    for (value, problem) in [
        ("", "is blank"),
        ("memory", "is no redis://"),
        ("http://127.0.0.1:6379", "is no redis://"),
        ("/var/lib/sessions", "is no redis://"),
        ("memcached://127.0.0.1", "is no redis://"),
    ] {
        let outcome = fixed().env("SESSION_STORE", value).run();
        outcome.fails(2, &["SESSION_STORE (from the environment)", problem]);
    }
    let port = free_port().to_string();
    let outcome = fixed()
        .env("SESSION_STORE", "redis://:sesame@127.0.0.1:9/")
        .run_with(|command| {
            command.args(["--port", &port]);
        });
    outcome
        .fails(
            1,
            &["SESSION_STORE: Redis at 127.0.0.1", "cannot be reached"],
        )
        .says_times(0, "sesame");
    assert!(emulator.requests().is_empty());
}

/// A Redis server of its own for a test. None where Redis is not installed, which is fine except in CI.
struct Redis {
    process: Child,
    port: u16,
    _folder: TempDir,
}

impl Redis {
    fn start() -> Option<Self> {
        let program = Path::new("/usr/bin/redis-server");
        if !program.exists() {
            assert!(std::env::var_os("CI").is_none(), "CI has no redis-server");
            println!("not tried: there is no redis-server here");
            return None;
        }
        let folder = TempDir::new().unwrap();
        let port = free_port();
        let process = Self::process(folder.path(), port);
        Some(Self {
            process,
            port,
            _folder: folder,
        })
    }

    fn process(folder: &Path, port: u16) -> Child {
        let process = Command::new("/usr/bin/redis-server")
            .args(["--bind", "127.0.0.1", "--save", "", "--port"])
            .arg(port.to_string())
            .arg("--dir")
            .arg(folder)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        until("redis listens", || {
            TcpStream::connect(("127.0.0.1", port)).ok()
        });
        process
    }

    fn world(&self, emulator: &Emulator) -> World {
        let url = format!("redis://127.0.0.1:{}", self.port);
        world(emulator)
            .env("REDIRECT_URI", "http://localhost:5000/getAToken")
            .env("SESSION_STORE", url)
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn e19_two_instances_share_sessions_in_redis() {
    let Some(redis) = Redis::start() else { return };
    let emulator = emulator();
    let one = App::of(redis.world(&emulator));
    let other = App::of(redis.world(&emulator));

    // Each step of a sign-in at another instance.
    let mut browser = Browser::new(&one);
    let back = browser.come_back_from("/call_api");
    browser.port = other.port;
    let mut thief = browser.clone();
    assert_eq!(browser.get(&back).location(), "/call_api");
    browser.port = one.port;
    browser.get("/call_api").shows(200, "Contoso Employee");
    thief.port = one.port;
    thief.get(&back).shows(400, "used before");

    // A token that both want to renew is renewed by one of them.
    let mut stale = Browser::new(&one);
    emulator.fault("token:expires-in=1").unwrap();
    stale.visit("/call_api");
    std::thread::sleep(Duration::from_millis(1100));
    emulator.clear_requests();
    let requests: Vec<_> = (0..10)
        .map(|number| {
            let mut browser = stale.clone();
            browser.port = if number % 2 == 0 {
                one.port
            } else {
                other.port
            };
            std::thread::spawn(move || browser.get("/call_api").status)
        })
        .collect();
    for request in requests {
        assert_eq!(request.join().unwrap(), 200);
    }
    assert_eq!(grants(&emulator, "refresh_token"), 1);

    // One is killed while people sign in, and nobody notices.
    let mut on_the_way: Vec<_> = (0..5)
        .map(|_| {
            let mut browser = Browser::new(&one);
            let back = browser.come_back_from("/");
            (browser, back)
        })
        .collect();
    one.running.signal("KILL");
    for (browser, back) in &mut on_the_way {
        browser.port = other.port;
        assert_eq!(browser.get(back).location(), "/");
        assert!(browser.is_signed_in());
    }
    browser.port = other.port;
    browser.get("/call_api").shows(200, "Contoso Employee");

    // Signed out at one is signed out everywhere.
    let third = App::of(redis.world(&emulator));
    let mut copy = browser.clone();
    assert_eq!(browser.get("/logout").status, 302);
    copy.port = third.port;
    assert!(!copy.is_signed_in());
}

#[test]
fn e19_redis_that_goes_away_is_a_503() {
    let Some(mut redis) = Redis::start() else {
        return;
    };
    let emulator = emulator();
    let app = App::of(redis.world(&emulator));
    let mut browser = Browser::signed_in(&app);
    redis.process.kill().unwrap();
    redis.process.wait().unwrap();
    browser.get("/").shows(503, "Please come back in a moment");
    assert!(browser.session().is_some());
    assert_eq!(browser.get("/health").status, 200);
    // It comes back empty, so everybody signs in again; nobody has to restart the app.
    redis.process = Redis::process(redis._folder.path(), redis.port);
    until("the app finds Redis again", || {
        Some(browser.get("/")).filter(|page| page.status == 302)
    });
    browser.visit("/").shows(200, "Welcome");
}
