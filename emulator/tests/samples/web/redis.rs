//! E19: sessions in Redis, for several instances.

use std::{
    fs,
    path::Path,
    process::{Child, Command, Stdio},
};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tempfile::TempDir;

use super::*;

fn world_with(emulator: &Emulator, session_store: &str) -> World {
    world(emulator)
        .env("REDIRECT_URI", "http://localhost:5000/getAToken")
        .env("SESSION_STORE", session_store)
}

/// A Redis server of its own for a test. None where Redis is not installed, which is fine except in CI.
struct Redis {
    process: Child,
    port: u16,
    folder: TempDir,
}

impl Redis {
    fn start() -> Option<Self> {
        let folder = TempDir::new().unwrap();
        let port = free_port();
        let process = Self::process(folder.path(), port, &["--port", &port.to_string()])?;
        Some(Self {
            process,
            port,
            folder,
        })
    }

    fn process(folder: &Path, port: u16, args: &[&str]) -> Option<Child> {
        let program = Path::new("/usr/bin/redis-server");
        if !program.exists() {
            assert!(std::env::var_os("CI").is_none(), "CI has no redis-server");
            println!("not tried: there is no redis-server here");
            return None;
        }
        let process = Command::new(program)
            .args(["--bind", "127.0.0.1", "--save", ""])
            .args(args)
            .arg("--dir")
            .arg(folder)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        until("redis listens", || {
            TcpStream::connect(("127.0.0.1", port)).ok()
        });
        Some(process)
    }

    fn world(&self, emulator: &Emulator) -> World {
        let url = format!("redis://127.0.0.1:{}", self.port);
        world_with(emulator, &url)
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
    emulator.clear_requests();
    let stale = call_api::with_stale_token_at(&emulator, &one);
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
    let port = redis.port.to_string();
    redis.process = Redis::process(redis.folder.path(), redis.port, &["--port", &port]).unwrap();
    until("the app finds Redis again", || {
        Some(browser.get("/")).filter(|page| page.status == 302)
    });
    browser.visit("/").shows(200, "Welcome");
}

#[test]
fn e19_the_password_of_redis_is_not_logged() {
    let folder = TempDir::new().unwrap();
    let port = free_port();
    let args = ["--port", &port.to_string(), "--requirepass", "sesame-open"];
    let Some(process) = Redis::process(folder.path(), port, &args) else {
        return;
    };
    let mut redis = Redis {
        process,
        port,
        folder,
    };
    let emulator = emulator();
    let url = format!("redis://:sesame-open@127.0.0.1:{port}");
    let app = App::of(world_with(&emulator, &url).env("RUST_LOG", "trace"));
    let mut browser = Browser::signed_in(&app);
    redis.process.kill().unwrap();
    redis.process.wait().unwrap();
    assert_eq!(browser.get("/").status, 503);
    app.says("session store");
    assert!(!app.running.stderr().contains("sesame"));

    redis.process = Redis::process(redis.folder.path(), port, &args).unwrap();
    let wrong = format!("redis://:sesame-shut@127.0.0.1:{port}");
    let outcome = world_with(&emulator, &wrong).run_with(|command| {
        command.args(["--port", &free_port().to_string()]);
    });
    outcome
        .fails(1, &["SESSION_STORE: Redis at 127.0.0.1"])
        .says_times(0, "sesame");
}

/// A CA, and a certificate of it for localhost, as PEM: CA, certificate, key.
fn certificates() -> [String; 3] {
    let (ca_key, key) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = params.self_signed(&ca_key).unwrap().pem();
    let issuer = Issuer::new(params, ca_key);
    let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &issuer).unwrap().pem();
    [ca, certificate, key.serialize_pem()]
}

#[test]
fn e19_redis_over_tls() {
    let folder = TempDir::new().unwrap();
    let [ca, certificate, key] = certificates();
    let file = |name: &str, content: &str| {
        let path = folder.path().join(name);
        fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (ca, certificate, key) = (
        file("ca.pem", &ca),
        file("certificate.pem", &certificate),
        file("key.pem", &key),
    );
    let other_ca = file("other-ca.pem", &certificates()[0]);
    let port = free_port();
    let tls_port = port.to_string();
    let args = [
        ["--port", "0"],
        ["--tls-port", &tls_port],
        ["--tls-cert-file", &certificate],
        ["--tls-key-file", &key],
        ["--tls-ca-cert-file", &ca],
        ["--tls-auth-clients", "no"],
    ];
    let Some(process) = Redis::process(folder.path(), port, args.as_flattened()) else {
        return;
    };
    let redis = Redis {
        process,
        port,
        folder,
    };
    let emulator = emulator();
    let url = format!("rediss://localhost:{}", redis.port);
    let app = App::of(world_with(&emulator, &url).env("SSL_CERT_FILE", &ca));
    let mut browser = Browser::signed_in(&app);
    browser.visit("/call_api").shows(200, "Contoso Employee");

    let refused = |world: World| {
        let outcome = world.run_with(|command| {
            command.args(["--port", &free_port().to_string()]);
        });
        outcome.fails(1, &["SESSION_STORE: Redis at localhost"]);
        outcome
    };
    // Somebody else's CA, no CA at all, another name than the certificate's, and no TLS.
    for ca in [&other_ca, "/nowhere/ca.pem"] {
        refused(world_with(&emulator, &url).env("SSL_CERT_FILE", ca)).says(&["SSL_CERT_FILE"]);
    }
    refused(world_with(&emulator, &url)).says(&["SSL_CERT_FILE"]);
    let plain = format!("redis://localhost:{}", redis.port);
    refused(world_with(&emulator, &plain).env("SSL_CERT_FILE", &ca));
    let by_address = format!("rediss://127.0.0.1:{}", redis.port);
    let outcome = world_with(&emulator, &by_address)
        .env("SSL_CERT_FILE", &ca)
        .run_with(|command| {
            command.args(["--port", &free_port().to_string()]);
        });
    outcome.fails(1, &["SESSION_STORE: Redis at 127.0.0.1"]);
}

#[test]
fn e19_used_states_are_bounded_in_redis_too() {
    let Some(redis) = Redis::start() else { return };
    let emulator = emulator();
    let app = App::of(redis.world(&emulator));
    let mut browser = Browser::signed_in(&app);
    let redis_cli = |args: &[&str]| {
        let output = Command::new("redis-cli")
            .args(["-p", &redis.port.to_string()])
            .args(args)
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    let key = redis_cli(&["KEYS", "*:used-states"]);
    assert_eq!(redis_cli(&["ZCARD", &key]), "1");
    let lifetime: u64 = redis_cli(&["TTL", &key]).parse().unwrap();
    assert!((1..=900).contains(&lifetime), "{lifetime}");
    let fill = format!("for n = 1, 25000 do redis.call('zadd', '{key}', 9e9 + n, n) end");
    redis_cli(&["EVAL", &fill, "0"]);
    emulator.fault("idtoken:wrong-nonce").unwrap();
    assert_eq!(Browser::new(&app).visit("/").status, 400);
    assert_eq!(redis_cli(&["ZCARD", &key]), "20000");
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
