//! What the emulator itself costs: `cargo bench -p emulator --bench emulator`; with `BLESS=1` its table goes into
//! docs/performance.md.
//!
//! It runs the release binary as a process of its own. The load comes from this process, which shares the machine's cores with the emulator; so the CPU time per request is told too.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod report;

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

const EMPLOYEE: &str = "contoso_employee@contoso.com";
const SIGN_INS: usize = 100_000;
const RECORDED: usize = 2_000;
const USERS: usize = 1_000_000;
const STARTS: usize = 21;
const THREADS: usize = 4;
const SECONDS: u64 = 10;

fn main() {
    // `cargo test --benches` and the like only want to know that it builds.
    if !std::env::args().any(|arg| arg == "--bench") {
        return;
    }
    report::publish("emulator", |_, label| {
        let (target, measured) = match label {
            "Start of the process to its first answer" => ("≤ 50 ms", ready()),
            "Token requests a second, RS256, two cores" => ("≥ 2,000", tokens()),
            "Resident memory after 100,000 sign-ins" => ("≤ 25 MiB", sign_ins()),
            "Resident memory after a listing of 1,000,000 users" => ("flat", listing()),
            other => panic!("{other} is not measured"),
        };
        vec![target.into(), measured]
    });
}

/// From the start of the process to its first answer.
fn ready() -> String {
    let mut times: Vec<_> = (0..STARTS)
        .map(|_| {
            let start = Instant::now();
            let server = Server::start(&[]);
            let metadata = server
                .connect()
                .get("/contoso.com/v2.0/.well-known/openid-configuration", "");
            assert!(metadata.starts_with("HTTP/1.1 200"), "{metadata}");
            start.elapsed()
        })
        .collect();
    times.sort();
    format!("{:.1} ms", milliseconds(times[STARTS / 2]))
}

/// Token requests of an application with a secret, each with a signature of its own.
fn tokens() -> String {
    let server = Server::start(&[]);
    let (client_id, secret) = (
        server.setting("client-credentials", "CLIENT_ID"),
        server.setting("client-credentials", "CLIENT_SECRET"),
    );
    let body = form(&[
        ("client_id", &client_id),
        ("client_secret", &secret),
        ("grant_type", "client_credentials"),
        ("scope", "https://graph.microsoft.com/.default"),
    ]);
    let cpu = server.cpu();
    let start = Instant::now();
    let requests: usize = thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|_| {
                scope.spawn(|| {
                    let mut connection = server.connect();
                    let mut count = 0;
                    while start.elapsed() < Duration::from_secs(SECONDS) {
                        let answer = connection.post("/contoso.com/oauth2/v2.0/token", &body);
                        assert!(answer.contains("\"access_token\""), "{answer}");
                        count += 1;
                    }
                    count
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .sum()
    });
    let wall = start.elapsed().as_secs_f64();
    let each = (server.cpu() - cpu) / requests as f64;
    format!(
        "{:.0} beside the client; {:.3} ms CPU each, which is {:.0} on two free cores",
        requests as f64 / wall,
        each * 1e3,
        2.0 / each
    )
}

/// Sign-ins of many users, by authorization code and by device code in turn.
fn sign_ins() -> String {
    let server = Server::start(&["--sign-in", EMPLOYEE, "--generate", "100000"]);
    let desktop = server.setting("desktop-browser", "CLIENT_ID");
    let device = server.setting("device-code", "CLIENT_ID");
    let before = server.resident();
    let start = Instant::now();
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (server, desktop, device) = (&server, &desktop, &device);
            scope.spawn(move || {
                let mut connection = server.connect();
                for number in (thread..SIGN_INS).step_by(THREADS) {
                    if (number / THREADS).is_multiple_of(2) {
                        by_code(&mut connection, desktop, number);
                    } else {
                        by_device(&mut connection, device);
                    }
                }
            });
        }
    });
    format!(
        "{:.1} MiB ({before:.1} at first, {:.0} s)",
        server.resident(),
        start.elapsed().as_secs_f64()
    )
}

fn by_code(connection: &mut Connection, client_id: &str, number: usize) {
    let user = format!("user{number:07}@contoso.com");
    let request = form(&[
        ("client_id", client_id),
        ("response_type", "code"),
        ("redirect_uri", "http://localhost:5000/"),
        ("scope", "openid offline_access User.Read"),
        ("login_hint", &user),
        ("nonce", &user),
    ]);
    let answer = connection.get(&format!("/contoso.com/oauth2/v2.0/authorize?{request}"), "");
    let code = between(&answer, "?code=", "&").unwrap_or_else(|| panic!("{answer}"));
    let body = form(&[
        ("client_id", client_id),
        ("grant_type", "authorization_code"),
        ("redirect_uri", "http://localhost:5000/"),
        ("code", code),
    ]);
    let tokens = connection.post("/contoso.com/oauth2/v2.0/token", &body);
    assert!(tokens.contains("\"refresh_token\""), "{tokens}");
}

fn by_device(connection: &mut Connection, client_id: &str) {
    let start = form(&[
        ("client_id", client_id),
        ("scope", "openid offline_access User.Read"),
    ]);
    let begun = connection.post("/contoso.com/oauth2/v2.0/devicecode", &start);
    let code = between(&begun, "\"device_code\":\"", "\"").unwrap_or_else(|| panic!("{begun}"));
    let poll = form(&[
        ("client_id", client_id),
        ("grant_type", "device_code"),
        ("device_code", code),
    ]);
    let pending = connection.post("/contoso.com/oauth2/v2.0/token", &poll);
    assert!(pending.contains("authorization_pending"), "{pending}");
    let tokens = connection.post("/contoso.com/oauth2/v2.0/token", &poll);
    assert!(tokens.contains("\"refresh_token\""), "{tokens}");
}

/// All pages of a list of very many users.
fn listing() -> String {
    let server = Server::start(&["--generate", &USERS.to_string()]);
    let client_id = server.setting("username-password", "CLIENT_ID");
    let password = server.setting("username-password", "AZURE_PASSWORD");
    let body = form(&[
        ("client_id", &client_id),
        ("grant_type", "password"),
        ("username", EMPLOYEE),
        ("password", &password),
        ("scope", "User.ReadBasic.All"),
    ]);
    let mut connection = server.connect();
    let answer = connection.post("/contoso.com/oauth2/v2.0/token", &body);
    let token = between(&answer, "\"access_token\":\"", "\"")
        .unwrap()
        .to_owned();
    // The record of requests is full before the listing begins.
    for _ in 0..RECORDED {
        connection.get("/v1.0/users?$top=999", &token);
    }
    let (mut path, mut users) = ("/v1.0/users?$top=999".to_owned(), 0);
    let (before, start) = (server.resident(), Instant::now());
    loop {
        let page = connection.get(&path, &token);
        users += page.matches("\"userPrincipalName\"").count();
        match between(&page, "\"@odata.nextLink\":\"", "\"") {
            Some(link) => path = link.strip_prefix(&server.url).unwrap().to_owned(),
            None => break,
        }
    }
    assert!(users >= USERS);
    format!(
        "{:.1} MiB, {before:.1} before ({:.0} s)",
        server.resident(),
        start.elapsed().as_secs_f64()
    )
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn form(fields: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new())
        .extend_pairs(fields)
        .finish()
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(start)?;
    Some(rest.split_once(end)?.0)
}

/// `emulator serve`, until it is dropped.
struct Server {
    process: Child,
    url: String,
    /// What it has printed.
    settings: String,
}

impl Server {
    fn start(args: &[&str]) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_emulator"))
            .args(["serve", "--listen", "127.0.0.1:0"])
            .args(args)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let url = lines.next().unwrap().unwrap();
        // The settings of the last application end the greeting.
        let mut settings = String::new();
        for line in lines.map_while(Result::ok) {
            settings += &format!("{line}\n");
            if line.starts_with("CLIENT_SECRET='toy~Secret.web-redirect") {
                break;
            }
        }
        Self {
            process,
            url,
            settings,
        }
    }

    fn setting(&self, application: &str, name: &str) -> String {
        let (_, rest) = self
            .settings
            .split_once(&format!("# {application}\n"))
            .unwrap();
        between(rest, &format!("{name}='"), "'").unwrap().to_owned()
    }

    fn connect(&self) -> Connection {
        let host = self.url.split_once("://").unwrap().1.to_owned();
        let stream = TcpStream::connect(&host).unwrap();
        stream.set_nodelay(true).unwrap();
        Connection {
            reader: BufReader::new(stream),
            host,
        }
    }

    /// Seconds of CPU so far.
    fn cpu(&self) -> f64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.process.id())).unwrap();
        let (_, rest) = stat.rsplit_once(") ").unwrap();
        let fields: Vec<&str> = rest.split(' ').collect();
        // utime and stime, in hundredths of a second.
        let ticks = |index: usize| fields[index].parse::<f64>().unwrap();
        (ticks(11) + ticks(12)) / 100.0
    }

    /// MiB of resident memory.
    fn resident(&self) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let kib = between(&status, "VmRSS:", " kB").unwrap();
        kib.trim().parse::<f64>().unwrap() / 1024.0
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A connection that stays open.
struct Connection {
    reader: BufReader<TcpStream>,
    host: String,
}

impl Connection {
    fn get(&mut self, path: &str, token: &str) -> String {
        let host = &self.host;
        self.ask(&format!(
            "GET {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n\r\n"
        ))
    }

    fn post(&mut self, path: &str, body: &str) -> String {
        let (host, length) = (&self.host, body.len());
        self.ask(&format!("POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {length}\r\n\r\n{body}"))
    }

    /// The answer, head and body.
    fn ask(&mut self, request: &str) -> String {
        self.reader.get_mut().write_all(request.as_bytes()).unwrap();
        let (mut answer, mut length) = (String::new(), 0);
        loop {
            let mut line = String::new();
            assert!(self.reader.read_line(&mut line).unwrap() > 0, "no answer");
            if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            answer += &line;
            if line == "\r\n" {
                break;
            }
        }
        let mut body = vec![0; length];
        self.reader.read_exact(&mut body).unwrap();
        answer + &String::from_utf8(body).unwrap()
    }
}
