//! The web sample against its targets, in one run: `cargo bench -p emulator --bench web`; with `BLESS=1` its table goes into
//! docs/performance.md.
//!
//! The bare actix route that it is compared with is this very program, started once more: the same profile, the same
//! bytes, as many workers. Load comes from this process and the emulator runs in it, so their work counts for neither.
//! CPU and memory are read from `/proc`, so that this runs on Linux alone.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod report;

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use emulator::{Emulator, Options};
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};
use ring::digest::{SHA256, digest};
use tempfile::TempDir;

const SAMPLE: &str = "flask-equivalent-web";
const EMPLOYEE: &str = "contoso_employee@contoso.com";
const CONNECTIONS: usize = 16;
const ROUNDS: usize = 7;
const ROUND: Duration = Duration::from_secs(2);
const SESSIONS: usize = 100_000;

fn main() {
    let args: Vec<String> = std::env::args().collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [_, "bare", port, answer] => bare(port.parse().unwrap(), answer),
        // `cargo test --benches` and the like only want to know that it builds.
        [_, "--bench"] => compare(),
        _ => {}
    }
}

fn compare() {
    build();
    let mut resident = String::new();
    report::publish("web", |_, label| {
        let (target, measured) = match label {
            "Start of the process to its first answer" => ("≤ 100 ms", start()),
            "`/` signed in, over a bare actix route" => ("≥ 60 %", throughput(None)),
            "The same, sessions in Redis" => (
                "–",
                match Redis::start() {
                    Some(redis) => throughput(Some(&redis)),
                    None => "there is no redis-server here".into(),
                },
            ),
            "`/call_api`, CPU of the app with its part of the Graph call" => {
                ("≤ 1 ms over the Graph call", call_api())
            }
            "Requests to the provider for a sign-in" => ("1", sign_in()),
            "100,000 sessions, each on disk" => {
                let on_disk;
                (on_disk, resident) = sessions();
                ("≤ 5 KB", on_disk)
            }
            "Resident memory once all of them have visited" => ("≤ 60 MiB", resident.clone()),
            "A sign-in among 1,000 slow connections" => ("works", slow_connections()),
            other => panic!("{other} is not measured"),
        };
        vec![target.into(), measured]
    });
}

/// From the start of the process to its first answer, for which it has asked for the provider's metadata.
fn start() -> String {
    let emulator = emulator();
    let (mut times, mut cpu) = (Vec::new(), 0.0);
    const STARTS: usize = 21;
    for _ in 0..STARTS {
        let home = TempDir::new().unwrap();
        let began = Instant::now();
        let app = App::start(&emulator, &home, None);
        assert_eq!(app.get("/", "").status, 302);
        times.push(began.elapsed().as_secs_f64() * 1e3);
        cpu += app.cpu() * 1e3 / STARTS as f64;
    }
    format!("{:.0} ms ({cpu:.0} ms CPU)", median(times))
}

/// Requests per second for `/` with a session, and for a bare route that answers with the same bytes.
fn throughput(redis: Option<&Redis>) -> String {
    let (emulator, home) = (emulator(), TempDir::new().unwrap());
    let app = App::start(&emulator, &home, redis);
    let cookie = app.sign_in("/");
    let answer = app.get("/", &cookie);
    assert!(answer.body.contains("Welcome Contoso Employee!"));
    let file = home.path().join("answer");
    fs::write(&file, format!("{}\r\n\r\n{}", answer.head, answer.body)).unwrap();
    let bare = App::bare(&file);

    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        theirs.push(load(&bare, ROUND, |_| ("/".into(), String::new())));
        ours.push(load(&app, ROUND, |_| ("/".into(), cookie.clone())));
    }
    let rate = |loads: &[Load]| median(loads.iter().map(|load| load.rate).collect());
    let cpu = |loads: &[Load]| median(loads.iter().map(|load| load.cpu).collect()) * 1e6;
    format!(
        "{:.0} % ({:.0} of {:.0} requests per second; {:.0} and {:.0} µs CPU each)",
        100.0 * rate(&ours) / rate(&theirs),
        rate(&ours),
        rate(&theirs),
        cpu(&ours),
        cpu(&theirs),
    )
}

/// CPU of the app for `/call_api`, its part of the Graph call included.
fn call_api() -> String {
    let (emulator, home) = (emulator(), TempDir::new().unwrap());
    let app = App::start(&emulator, &home, None);
    let cookie = app.sign_in("/call_api");
    assert!(
        app.get("/call_api", &cookie)
            .body
            .contains("Contoso Employee")
    );
    let loads = (0..ROUNDS).map(|_| load(&app, ROUND, |_| ("/call_api".into(), cookie.clone())));
    let cpu = median(loads.map(|load| load.cpu).collect()) * 1e3;
    format!("{cpu:.2} ms in all")
}

/// The requests that the app itself sends for one more sign-in.
fn sign_in() -> String {
    let (emulator, home) = (emulator(), TempDir::new().unwrap());
    let app = App::start(&emulator, &home, None);
    app.sign_in("/");
    emulator.clear_requests();
    let before = app.cpu();
    const SIGN_INS: usize = 200;
    for _ in 0..SIGN_INS {
        app.sign_in("/");
    }
    let cpu = (app.cpu() - before) * 1e3 / SIGN_INS as f64;
    let mut requests = emulator.requests();
    requests.retain(|request| !request.path.ends_with("/authorize"));
    // The record keeps the latest ones only.
    let tokens = requests
        .iter()
        .filter(|request| request.path.ends_with("/token"));
    let per_sign_in = requests.len() as f64 / tokens.count() as f64;
    format!("{per_sign_in:.0} (and {cpu:.1} ms CPU of the app)")
}

const VALUES: TableDefinition<&[u8], (u64, &[u8])> = TableDefinition::new("sessions");
const ENDS: TableDefinition<(u64, &[u8]), ()> = TableDefinition::new("ends of sessions");

/// A real session so many times over, each with an id of its own; then all of them visit the app.
fn sessions() -> (String, String) {
    let (emulator, home) = (emulator(), TempDir::new().unwrap());
    let mut app = App::start(&emulator, &home, None);
    app.sign_in("/call_api");
    app.terminate();
    let folder = home.path().join("entra-samples-rust");
    let file = fs::read_dir(folder)
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let id = |number: usize| format!("{number:043}");
    let length = {
        let database = Database::open(&file).unwrap();
        let read = database.begin_read().unwrap().open_table(VALUES).unwrap();
        let (end, value) = {
            let (_, entry) = read.first().unwrap().unwrap();
            let (end, value) = entry.value();
            (end, value.to_owned())
        };
        drop(read);
        for numbers in (0..SESSIONS).collect::<Vec<_>>().chunks(1000) {
            let write = database.begin_write().unwrap();
            {
                let mut values = write.open_table(VALUES).unwrap();
                let mut ends = write.open_table(ENDS).unwrap();
                for number in numbers {
                    let hash = URL_SAFE_NO_PAD.encode(digest(&SHA256, id(*number).as_bytes()));
                    let key = format!("session:{hash}");
                    values
                        .insert(key.as_bytes(), (end, value.as_slice()))
                        .unwrap();
                    ends.insert((end, key.as_bytes()), ()).unwrap();
                }
            }
            write.commit().unwrap();
        }
        value.len()
    };
    // The file belongs to this very REDIRECT_URI.
    let app = App::start_at(app.port, &emulator, &home, None);
    let next = AtomicUsize::new(0);
    while next.load(Ordering::Relaxed) < SESSIONS {
        load(&app, Duration::from_secs(1), |_| {
            let number = next.fetch_add(1, Ordering::Relaxed) % SESSIONS;
            ("/".into(), format!("session={}", id(number)))
        });
    }
    // Writes as well.
    for _ in 0..100 {
        app.sign_in("/call_api");
    }
    // The file grows by holes, which take no room on the disk.
    let bytes = fs::metadata(&file).unwrap().blocks() as f64 * 512.0 / SESSIONS as f64;
    let on_disk = format!(
        "{:.1} KB (its tokens and names have {length} bytes)",
        bytes / 1e3
    );
    (on_disk, format!("{:.0} MiB", app.resident()))
}

/// Clients that send a byte now and then, and a sign-in meanwhile.
fn slow_connections() -> String {
    let (emulator, home) = (emulator(), TempDir::new().unwrap());
    let app = App::start(&emulator, &home, None);
    app.sign_in("/");
    let time = || {
        let times = (0..20).map(|_| {
            let began = Instant::now();
            app.sign_in("/");
            began.elapsed().as_secs_f64() * 1e3
        });
        median(times.collect())
    };
    let alone = time();
    let mut slow: Vec<_> = (0..1000)
        .map(|_| {
            let mut stream = TcpStream::connect(("127.0.0.1", app.port)).unwrap();
            stream.write_all(b"GET / HTTP/1.1\r\nX: ").unwrap();
            stream
        })
        .collect();
    for stream in &mut slow {
        stream.write_all(b"x").unwrap();
    }
    let among = time();
    let open = slow.iter_mut().map(|stream| stream.write_all(b"x").is_ok());
    format!(
        "{among:.0} ms among {} of them, {alone:.0} ms without",
        open.filter(|is_open| *is_open).count()
    )
}

/// What a round of load has shown.
struct Load {
    /// Requests per second.
    rate: f64,
    /// Seconds of the server's CPU for each.
    cpu: f64,
}

/// Asks for pages over several connections at once. `next` has the path and the cookie for each request.
fn load(app: &App, time: Duration, next: impl Fn(usize) -> (String, String) + Sync) -> Load {
    let (began, cpu) = (Instant::now(), app.cpu());
    let done: usize = thread::scope(|scope| {
        let connections: Vec<_> = (0..CONNECTIONS)
            .map(|connection| {
                let next = &next;
                scope.spawn(move || {
                    let mut stream = app.connect();
                    let mut done = 0;
                    while began.elapsed() < time {
                        let (path, cookie) = next(connection);
                        let answer = stream.get(app, &path, &cookie);
                        assert_eq!(answer.status, 200, "{}\n{}", answer.head, answer.body);
                        done += 1;
                    }
                    done
                })
            })
            .collect();
        connections.into_iter().map(|c| c.join().unwrap()).sum()
    });
    let (seconds, done) = (began.elapsed().as_secs_f64(), done as f64);
    Load {
        rate: done / seconds,
        cpu: (app.cpu() - cpu) / done,
    }
}

/// A server under load: the sample, or the bare route.
struct App {
    process: Child,
    port: u16,
}

/// A connection that stays open.
struct Connection(BufReader<TcpStream>);

struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl App {
    fn start(emulator: &Emulator, home: &TempDir, redis: Option<&Redis>) -> Self {
        Self::start_at(free_port(), emulator, home, redis)
    }

    fn start_at(port: u16, emulator: &Emulator, home: &TempDir, redis: Option<&Redis>) -> Self {
        let mut command = Command::new(binary(SAMPLE));
        command
            .env_clear()
            .envs(emulator.settings(SAMPLE).unwrap())
            .env("REDIRECT_URI", format!("http://localhost:{port}/getAToken"))
            .env("XDG_STATE_HOME", home.path())
            .current_dir(home.path());
        if let Some(redis) = redis {
            command.env(
                "SESSION_STORE",
                format!("redis://127.0.0.1:{}", redis.0.port),
            );
        }
        Self::spawn(command, port)
    }

    fn bare(answer: &Path) -> Self {
        let port = free_port();
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["bare", &port.to_string()]).arg(answer);
        Self::spawn(command, port)
    }

    fn spawn(mut command: Command, port: u16) -> Self {
        let process = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            thread::sleep(Duration::from_millis(1));
        }
        Self { process, port }
    }

    fn connect(&self) -> Connection {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_nodelay(true).unwrap();
        Connection(BufReader::new(stream))
    }

    fn get(&self, path: &str, cookie: &str) -> Answer {
        self.connect().get(self, path, cookie)
    }

    /// Signs Contoso Employee in by way of this page. The session's cookie.
    fn sign_in(&self, page: &str) -> String {
        let begun = self.get(page, "");
        let (sign_in, _) = begun.header("set-cookie").split_once(';').unwrap();
        let authorize = begun.header("location");
        let (host, path) = authorize["http://".len()..].split_once('/').unwrap();
        let provider = TcpStream::connect(host).unwrap();
        let back = Connection(BufReader::new(provider)).ask(host, &format!("/{path}"), "");
        let back = back.header("location").splitn(4, '/').nth(3).unwrap();
        let done = self.get(&format!("/{back}"), sign_in);
        let cookies = done.head.lines().filter_map(|line| line.split_once(": "));
        let session = cookies
            .map(|(_, value)| value)
            .find(|value| value.starts_with("session="));
        let session = session.expect("a session").split(';').next();
        session.unwrap().to_owned()
    }

    /// Seconds of CPU so far.
    fn cpu(&self) -> f64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.process.id())).unwrap();
        let (_, fields) = stat.rsplit_once(')').unwrap();
        let fields: Vec<&str> = fields.split_whitespace().collect();
        let ticks = |index: usize| fields[index].parse::<f64>().unwrap();
        (ticks(11) + ticks(12)) / 100.0
    }

    /// MiB of memory in use.
    fn resident(&self) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let line = status
            .lines()
            .find(|line| line.starts_with("VmRSS:"))
            .unwrap();
        let kibibytes = line.split_whitespace().nth(1).unwrap();
        kibibytes.parse::<f64>().unwrap() / 1024.0
    }

    fn terminate(&mut self) {
        let id = self.process.id().to_string();
        assert!(Command::new("kill").arg(id).status().unwrap().success());
        self.process.wait().unwrap();
    }
}

impl Drop for App {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Connection {
    fn get(&mut self, app: &App, path: &str, cookie: &str) -> Answer {
        self.ask(&format!("localhost:{}", app.port), path, cookie)
    }

    fn ask(&mut self, host: &str, path: &str, cookie: &str) -> Answer {
        let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nCookie: {cookie}\r\n\r\n");
        self.0.get_mut().write_all(request.as_bytes()).unwrap();
        let (mut head, mut length) = (String::new(), 0);
        loop {
            let begin = head.len();
            self.0.read_line(&mut head).unwrap();
            let line = head[begin..].trim_end();
            if line.is_empty() {
                break;
            }
            if line.len() > 15 && line[..15].eq_ignore_ascii_case("content-length:") {
                length = line[15..].trim().parse().unwrap();
            }
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).unwrap();
        Answer {
            status: head[9..12].parse().unwrap(),
            head: head.trim_end().to_owned(),
            body: String::from_utf8(body).unwrap(),
        }
    }
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        let headers = self.head.lines().filter_map(|line| line.split_once(": "));
        let mut found = headers.filter(|(found, _)| *found == name);
        found
            .next()
            .unwrap_or_else(|| panic!("no {name}: {}", self.head))
            .1
    }
}

/// A server with one route, which gives the answer in this file.
#[actix_web::main]
async fn bare(port: u16, answer: &str) {
    use actix_web::{App, HttpResponse, HttpServer, web};

    let answer = fs::read_to_string(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let headers: Vec<(String, String)> = head
        .lines()
        .skip(1)
        .filter_map(|line| line.split_once(": "))
        .filter(|(name, _)| !["content-length", "date"].contains(name))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let body = web::Bytes::from(body.to_owned());
    let server = HttpServer::new(move || {
        let (headers, body) = (headers.clone(), body.clone());
        let answer = move || {
            let mut response = HttpResponse::Ok();
            for header in &headers {
                response.insert_header((header.0.as_str(), header.1.as_str()));
            }
            let response = response.body(body.clone());
            async { response }
        };
        App::new().route("/", web::get().to(answer))
    });
    let server = server.bind(("127.0.0.1", port)).unwrap();
    server.run().await.unwrap();
}

/// A Redis server of its own.
struct Redis(App);

impl Redis {
    fn start() -> Option<Self> {
        let program = Path::new("/usr/bin/redis-server");
        if !program.exists() {
            return None;
        }
        let port = free_port();
        let mut command = Command::new(program);
        command.args(["--bind", "127.0.0.1", "--save", "", "--port"]);
        command.arg(port.to_string());
        Some(Self(App::spawn(command, port)))
    }
}

fn emulator() -> Emulator {
    Emulator::start(Options {
        auto_sign_in: Some(EMPLOYEE.into()),
        ..Options::default()
    })
    .unwrap()
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn binary(sample: &str) -> PathBuf {
    Path::new(env!("CARGO_BIN_EXE_emulator")).with_file_name(sample)
}

/// The whole workspace, so that no dependency is built anew with fewer features.
fn build() {
    let folder = binary(SAMPLE);
    let target = folder.parent().unwrap().parent().unwrap();
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args([
        "build",
        "--release",
        "--quiet",
        "--workspace",
        "--target-dir",
    ]);
    // What the outer cargo says of this package would have dependencies with build scripts built anew, each time.
    for (name, _) in std::env::vars() {
        if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") {
            cargo.env_remove(name);
        }
    }
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    cargo.arg(target).current_dir(workspace);
    assert!(cargo.status().unwrap().success());
}
