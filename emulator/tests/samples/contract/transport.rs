//! CT6: where requests go, and where they never go.

use std::{
    io::{self, BufRead, BufReader, ErrorKind, Read, Write},
    net::{TcpListener, TcpStream},
    sync::Arc,
};

use rcgen::{CertificateParams, KeyPair};
use rustls::{ServerConfig, ServerConnection, StreamOwned, crypto::ring, pki_types::PrivateKeyDer};

use super::{
    anew, each_sample, entra_calls, first_endpoint, graph_calls, refused,
    settings::{Source, put},
    side_by_side, signed_in,
};
use crate::support::{PATIENCE, Running, SAMPLES, World, until};

/// A place where a connection may or may not arrive: a proxy, or another host.
struct Listener(TcpListener);

impl Listener {
    fn new() -> Self {
        let listener = TcpListener::bind("0.0.0.0:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        Self(listener)
    }

    fn port(&self) -> u16 {
        self.0.local_addr().unwrap().port()
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port())
    }

    /// The connection that has arrived, if one has.
    fn connection(&self) -> Option<TcpStream> {
        match self.0.accept() {
            Ok((stream, _)) => {
                stream.set_nonblocking(false).unwrap();
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                Some(stream)
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => None,
            Err(error) => panic!("{error}"),
        }
    }

    /// The connection that is about to arrive.
    fn accept(&self) -> TcpStream {
        until("a connection", || self.connection())
    }

    /// The first line of the request that is about to arrive.
    fn first_line(&self) -> String {
        let mut line = String::new();
        BufReader::new(self.accept()).read_line(&mut line).unwrap();
        line
    }
}

const REAL: &str = "https://login.microsoftonline.com/contoso.com";

#[test]
fn ct6_plain_http_is_for_loopback() {
    let refused = [
        "http://login.microsoftonline.com/contoso.com",
        "http://127.0.0.1.example.com/contoso.com",
        "http://localhost.example.com/contoso.com",
        "http://0.0.0.0:{port}/contoso.com",
        "http://[::ffff:127.0.0.1]:{port}/contoso.com",
        "http://10.0.0.1/contoso.com",
    ];
    each_sample(|emulator, sample| {
        let (_, port) = emulator.url().rsplit_once(':').unwrap();
        for setting in ["AUTHORITY", "ENDPOINT"] {
            for (source, _) in super::settings::SOURCES {
                for url in refused {
                    println!("{sample} {setting} {source:?} {url}");
                    let url = url.replace("{port}", port);
                    let world = World::at(emulator, sample).without(setting);
                    let outcome = put(world, source, &[(setting, &url)]).run();
                    outcome.fails(
                        2,
                        &[setting, "is plain http, which is for loopback hosts only"],
                    );
                }
            }
        }
        assert!(emulator.requests().is_empty());
        for host in ["localhost", "127.0.0.1"] {
            println!("{sample} {host}");
            let world = World::at(emulator, sample);
            let authority = world.setting("AUTHORITY").replace("127.0.0.1", host);
            world
                .without("ENDPOINT")
                .env("AUTHORITY", authority)
                .run()
                .json();
        }
    });
}

#[test]
fn ct6_a_foreign_endpoint_is_named_in_person() {
    // The authority's own cloud decides; a name that only begins or ends like Graph's is foreign.
    let rows = [
        (REAL, "https://graph.example.com/v1.0/me"),
        (REAL, "https://graph.microsoft.com.example.com/v1.0/me"),
        (REAL, "https://my-graph.microsoft.com/v1.0/me"),
        (REAL, "https://graph.microsoft.us/v1.0/me"),
        (REAL, "https://microsoftgraph.chinacloudapi.cn/v1.0/me"),
        (
            "https://login.microsoftonline.us/contoso.com",
            "https://graph.microsoft.com/v1.0/me",
        ),
        (
            "https://login.partner.microsoftonline.cn/contoso.com",
            "https://graph.microsoft.com/v1.0/me",
        ),
        ("{base}/contoso.com", "https://graph.example.com/v1.0/me"),
    ];
    each_sample(|emulator, sample| {
        for (authority, endpoint) in rows {
            for (source, called) in [
                (Source::Environment, "the environment"),
                (Source::Parameters, "parameters.json"),
            ] {
                println!("{sample} {authority} {endpoint} {source:?}");
                let authority = authority.replace("{base}", emulator.url());
                let world = World::at(emulator, sample).env("AUTHORITY", authority);
                let world = put(world.without("ENDPOINT"), source, &[("ENDPOINT", endpoint)]);
                let said = format!("ENDPOINT (from {called}) names the host ");
                world.run().fails(2, &[&said, "--endpoint", ".env"]);
            }
        }
        assert!(emulator.requests().is_empty());
    });
}

#[test]
fn ct6_tokens_go_to_the_endpoint_that_was_named_in_person() {
    let rows = [
        (
            Source::Flag,
            "https://graph.example.com/v1.0/me",
            "graph.example.com",
        ),
        (
            Source::DotEnv,
            "https://graph.example.com/v1.0/me",
            "graph.example.com",
        ),
        (
            Source::Environment,
            "https://graph.microsoft.com/v1.0/me",
            "graph.microsoft.com",
        ),
    ];
    each_sample(|emulator, sample| {
        let world = signed_in(emulator, sample);
        for (source, endpoint, host) in rows {
            println!("{sample} {source:?} {endpoint}");
            // The proxy stands for the network: where the sample means to go is enough.
            let proxy = Listener::new();
            let scratch = World::at(emulator, sample).without("ENDPOINT");
            let scratch = put(scratch, source, &[("ENDPOINT", endpoint)])
                .env("HTTPS_PROXY", proxy.url())
                .env(
                    "XDG_CACHE_HOME",
                    world.cache_folder().join("..").display().to_string(),
                );
            let _running = scratch.start();
            assert_eq!(
                proxy.first_line(),
                format!("CONNECT {host}:443 HTTP/1.1\r\n")
            );
        }
        assert!(emulator.requests().is_empty());
    });
}

#[test]
fn ct6_the_default_endpoint_of_a_loopback_authority_is_there() {
    each_sample(|emulator, sample| {
        let world = World::at(emulator, sample)
            .without("ENDPOINT")
            .without("SCOPE");
        let path = match sample {
            "client-credentials" => {
                format!("/v1.0/applications/{}", world.setting("CLIENT_OBJECTID"))
            }
            _ => "/v1.0/me".into(),
        };
        world.run().json();
        assert_eq!(graph_calls(emulator)[0].path, path);
    });
}

#[test]
fn ct6_no_redirect_is_followed() {
    each_sample(|emulator, sample| {
        let elsewhere = super::emulator();
        let first = first_endpoint(sample);
        let cached = signed_in(emulator, sample);
        let uncached = World::at(emulator, sample).arg("--no-cache");
        // Another origin, and the very same one.
        for target in [elsewhere.url(), emulator.url()] {
            println!("{sample} {target}");
            anew(emulator);
            emulator.fault(&format!("graph:redirect={target}")).unwrap();
            let said = "Failed to call the Web Api: 307 Temporary Redirect";
            cached.run().fails(1, &[said, "redirects are not followed"]);
            assert_eq!(graph_calls(emulator).len(), 1);

            anew(emulator);
            emulator
                .fault(&format!("{first}:redirect={target}"))
                .unwrap();
            let said = "The sign-in service answered 307 Temporary Redirect";
            uncached
                .run()
                .fails(1, &[said, "redirects are not followed"]);
            assert_eq!(entra_calls(emulator).len(), 1);
        }
        // A device code is as good as a password once the user has signed in.
        anew(emulator);
        emulator
            .fault(&format!("token:redirect={}", elsewhere.url()))
            .unwrap();
        uncached.run().fails(1, &["307 Temporary Redirect"]);
        assert!(elsewhere.requests().is_empty());
    });
}

/// The ways to name a proxy. Programs differ in which of them they know, so all are tried.
const PROXIES: [&str; 6] = [
    "HTTPS_PROXY",
    "https_proxy",
    "HTTP_PROXY",
    "http_proxy",
    "ALL_PROXY",
    "all_proxy",
];

#[test]
fn ct6_loopback_never_goes_through_a_proxy() {
    each_sample(|emulator, sample| {
        let proxy = Listener::new();
        let mut world = World::at(emulator, sample);
        for name in PROXIES {
            world = world.env(name, proxy.url());
        }
        world.run().json();
        // Over TLS neither: the connection arrives where it was meant to.
        let host = Listener::new();
        let world = world
            .env(
                "AUTHORITY",
                format!("https://127.0.0.1:{}/contoso.com", host.port()),
            )
            .arg("--no-cache");
        let _running = world.start();
        drop(host.accept());
        assert!(proxy.connection().is_none());
    });
}

#[test]
fn ct6_everything_else_goes_through_the_proxy() {
    each_sample(|emulator, sample| {
        let world = || {
            World::at(emulator, sample)
                .without("ENDPOINT")
                .env("AUTHORITY", REAL)
        };
        for name in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
            println!("{sample} {name}");
            let proxy = Listener::new();
            let _running = world().env(name, proxy.url()).start();
            let line = proxy.first_line();
            assert_eq!(line, "CONNECT login.microsoftonline.com:443 HTTP/1.1\r\n");
        }
        // `.env` is no place to name one: the one in the environment, of the weaker name, is used.
        let (proxy, stray) = (Listener::new(), Listener::new());
        let world = world().env("ALL_PROXY", proxy.url());
        let lines = PROXIES
            .map(|name| format!("{name}={}\n", stray.url()))
            .concat();
        let _running = world.file(".env", lines + "NO_PROXY=*\n").start();
        assert!(proxy.first_line().starts_with("CONNECT "));
        assert!(stray.connection().is_none());
    });
}

#[test]
fn ct6_no_proxy() {
    each_sample(|emulator, sample| {
        // An address that is not loopback, and yet this machine.
        for (no_proxy, goes_there) in [("example.com", false), ("0.0.0.0", true)] {
            println!("{sample} {no_proxy}");
            let (proxy, host) = (Listener::new(), Listener::new());
            let _running = World::at(emulator, sample)
                .env(
                    "AUTHORITY",
                    format!("https://0.0.0.0:{}/contoso.com", host.port()),
                )
                .env("HTTPS_PROXY", proxy.url())
                .env("NO_PROXY", no_proxy)
                .start();
            let (arrives, stays_away) = if goes_there {
                (&host, &proxy)
            } else {
                (&proxy, &host)
            };
            drop(arrives.accept());
            assert!(stays_away.connection().is_none());
        }
    });
}

#[test]
fn ct6_a_proxy_that_refuses() {
    side_by_side(SAMPLES, |sample| {
        let proxy = Listener::new();
        let running = World::at(&super::emulator(), sample)
            .without("ENDPOINT")
            .env("AUTHORITY", REAL)
            .env("HTTPS_PROXY", proxy.url())
            .start();
        // Who keeps the password is asked once, and the sign-in goes on without an answer.
        let tries = match sample {
            "username-password" => 1 + 5,
            _ => 5,
        };
        for _ in 0..tries {
            let mut stream = proxy.accept();
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            while lines.next().is_some_and(|line| !line.unwrap().is_empty()) {}
            stream
                .write_all(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
                .unwrap();
        }
        let said = "https://login.microsoftonline.com could not be reached";
        running.wait().fails(1, &[said, "HTTPS_PROXY"]);
        assert!(proxy.connection().is_none(), "one try too many");
    });
}

#[test]
fn ct6_ssl_cert_file_that_holds_no_certificate() {
    each_sample(|emulator, sample| {
        let world = World::at(emulator, sample)
            .env("AUTHORITY", "https://127.0.0.1:1/contoso.com")
            .file("garbage.pem", "garbage")
            .file("empty.pem", "");
        for (path, problem) in [
            ("missing.pem", "cannot be read"),
            ("garbage.pem", "holds no PEM certificates"),
            ("empty.pem", "holds no PEM certificates"),
        ] {
            println!("{sample} {path}");
            let outcome = world.run_with(|command| {
                command.env("SSL_CERT_FILE", path);
            });
            outcome.fails(1, &[&format!("SSL_CERT_FILE ({path}) {problem}")]);
        }
    });
}

#[test]
fn ct6_ssl_cert_file_is_trusted() {
    each_sample(|emulator, sample| {
        let key = KeyPair::generate().unwrap();
        let names = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
        let certificate = names.self_signed(&key).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::Pkcs8(key.serialize_der().into()),
            )
            .unwrap();
        let config = Arc::new(config);
        let host = Listener::new();
        let authority = format!("https://127.0.0.1:{}/contoso.com", host.port());
        let world = World::at(emulator, sample)
            .env("AUTHORITY", authority)
            .file("ca.pem", certificate.pem());
        // Who keeps the password is asked first, and the sign-in goes on without an answer.
        let questions = match sample {
            "username-password" => 2,
            _ => 1,
        };

        let mut command = world.command();
        command.env("SSL_CERT_FILE", "ca.pem");
        let running = Running::start(command, b"");
        for _ in 0..questions {
            refuse_over_tls(&host, &config).unwrap();
        }
        running.wait().fails(1, &[&refused(sample, "arrived")]);

        // Whom nobody vouches for is not asked again.
        let running = world.start();
        for _ in 0..questions {
            refuse_over_tls(&host, &config).unwrap_err();
        }
        let said = "could not be trusted";
        running.wait().fails(1, &[said, "SSL_CERT_FILE"]);
        assert!(host.connection().is_none(), "a second try");
    });
}

/// Answers one request with an OAuth refusal.
fn refuse_over_tls(host: &Listener, config: &Arc<ServerConfig>) -> io::Result<()> {
    let connection = ServerConnection::new(config.clone()).unwrap();
    let mut stream = BufReader::new(StreamOwned::new(connection, host.accept()));
    let mut line = String::new();
    let mut body = 0;
    while line != "\r\n" {
        line.clear();
        stream.read_line(&mut line)?;
        if let Some(length) = line.to_lowercase().strip_prefix("content-length:") {
            body = length.trim().parse().unwrap();
        }
    }
    stream.read_exact(&mut vec![0; body])?;
    let answer = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 19\r\n\r\n{\"error\":\"arrived\"}";
    stream.get_mut().write_all(answer)?;
    stream.get_mut().flush()
}
