//! The web sample (E1–E26): its real binary, a browser without a screen, and the emulator as the provider.
//!
//! The browser follows a redirect only when it is told to, so that a test can stop at each step of a sign-in.

mod call_api;
mod callback;
mod clock;
mod faults;
mod id_token;
mod names;
mod output;
mod pages;
mod redis;
mod sessions;
mod settings;
mod shutdown;
mod sign_in;
mod start;
mod tenants;

use std::{
    collections::BTreeMap,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    process,
    sync::atomic::{AtomicU16, Ordering},
    time::Duration,
};

use emulator::{Emulator, Options, Recorded};

use crate::support::{EMPLOYEE, PATIENCE, Running, World, until};

const SAMPLE: &str = "flask-equivalent-web";
/// No chain of redirects is longer than this, unless it is a loop.
const MOST_REDIRECTS: usize = 8;

/// An emulator that signs Contoso Employee in as soon as a browser comes, and keeps its answers.
fn emulator() -> Emulator {
    Emulator::start(Options {
        auto_sign_in: Some(EMPLOYEE.into()),
        trace: true,
        ..Options::default()
    })
    .unwrap()
}

/// A running web app.
pub struct App {
    running: Running,
    /// Where it listens.
    pub port: u16,
    /// Where browsers believe it to be: the origin of REDIRECT_URI.
    pub origin: String,
}

impl App {
    /// The app as registered for the sample itself.
    pub fn start(emulator: &Emulator) -> Self {
        Self::of(world(emulator))
    }

    /// The app in this world, at a free port. In the settings, `PORT` stands for it.
    pub fn of(world: World) -> Self {
        Self::at(&world)
    }

    /// The same for a world that is used again.
    fn at(world: &World) -> Self {
        for _ in 0..20 {
            let port = free_port();
            if let Some(app) = Self::at_port(world, port) {
                return app;
            }
        }
        panic!("no port is free");
    }

    /// None: somebody else took the port first.
    fn at_port(world: &World, port: u16) -> Option<Self> {
        let mut command = world.command();
        let with_port = |value: &str| value.replace("PORT", &port.to_string());
        let mut origin = "http://localhost:5000".to_owned();
        let settings: Vec<_> = command
            .get_envs()
            .filter_map(|(name, value)| Some((name.to_owned(), value?.to_str()?.to_owned())))
            .collect();
        for (name, value) in settings {
            let value = with_port(&value);
            if name == "REDIRECT_URI" {
                origin = value.split('/').take(3).collect::<Vec<_>>().join("/");
            }
            command.env(name, value);
        }
        if !origin.ends_with(&format!(":{port}")) {
            command.args(["--port", &port.to_string()]);
        }
        let mut running = Running::start(command, b"");
        let is_listening = until("the app listens", || {
            if running.has_ended() {
                return Some(false);
            }
            TcpStream::connect(("127.0.0.1", port)).ok()?;
            Some(running.stderr().contains("Open ")).filter(|opened| *opened)
        });
        if !is_listening {
            let outcome = running.wait();
            assert!(
                outcome.stderr.contains("cannot be listened on"),
                "{outcome:#?}"
            );
            return None;
        }
        Some(Self {
            running,
            port,
            origin,
        })
    }

    /// Waits for this text on stderr, which may come a moment after the answer that it belongs to.
    #[track_caller]
    fn says(&self, text: &str) {
        until(text, || self.running.stderr().contains(text).then_some(()));
    }
}

/// The world of the sample's own registration, without what it needs not be told (E2).
pub fn world(emulator: &Emulator) -> World {
    world_of(emulator, SAMPLE)
        .without("SCOPE")
        .without("ENDPOINT")
}

/// The world of another registration in the seed data.
pub fn world_of(emulator: &Emulator, application: &str) -> World {
    World::registered_as(emulator, SAMPLE, application)
        .env("REDIRECT_URI", "http://localhost:PORT/getAToken")
}

/// A port that is free now, below those that the system gives to clients.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    loop {
        let offset = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = 20_000 + (offset + process::id() as u16 % 100 * 100) % 12_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// A browser with a cookie jar for each host.
#[derive(Clone)]
pub struct Browser {
    /// Where the app is, and the port that requests for it go to.
    origin: String,
    port: u16,
    cookies: BTreeMap<String, BTreeMap<String, String>>,
    /// What goes with each request to the app.
    headers: Vec<(&'static str, String)>,
    /// The port at which the hosts of the internet are, should there be any.
    internet: Option<u16>,
}

/// An answer.
#[derive(Debug)]
pub struct Page {
    /// What was asked for.
    url: String,
    status: u16,
    headers: Vec<(String, String)>,
    pub body: String,
}

impl Browser {
    pub fn new(app: &App) -> Self {
        Self::at(&app.origin, app.port)
    }

    /// A browser for an app at this port, which it believes to be at this origin.
    pub fn at(origin: &str, port: u16) -> Self {
        Self {
            origin: origin.to_owned(),
            port,
            cookies: BTreeMap::new(),
            headers: Vec::new(),
            internet: None,
        }
    }

    /// A browser in which Contoso Employee is signed in.
    #[track_caller]
    fn signed_in(app: &App) -> Self {
        let mut browser = Self::new(app);
        browser.visit("/").shows(200, "Welcome Contoso Employee!");
        browser
    }

    /// Asks for a page, of the app unless the address has a host.
    pub fn get(&mut self, address: &str) -> Page {
        self.request("GET", address)
    }

    fn request(&mut self, method: &str, address: &str) -> Page {
        let url = match address.starts_with('/') {
            true => format!("{}{address}", self.origin),
            false => address.to_owned(),
        };
        let (_, rest) = url.split_once("://").expect("an absolute address");
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        let is_app = url.starts_with(&format!("{}/", self.origin));
        let port = match is_app {
            true => self.port,
            false => match host.rsplit_once(':') {
                Some((_, port)) => port.parse().unwrap(),
                None => self.internet.expect("a host of this machine"),
            },
        };
        let name = host.split(':').next().unwrap().to_owned();
        let jar = self.cookies.entry(name).or_default();
        let cookies: Vec<_> = jar
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let mut headers = vec![("Host", host.to_owned())];
        if !cookies.is_empty() {
            headers.push(("Cookie", cookies.join("; ")));
        }
        if is_app {
            headers.extend(self.headers.clone());
        }
        let mut page = send(port, method, &format!("/{path}"), &headers);
        for cookie in page.all("set-cookie") {
            let (pair, attributes) = cookie.split_once(';').unwrap_or((cookie, ""));
            let (name, value) = pair.split_once('=').unwrap();
            match attributes.contains("Max-Age=0") || value.is_empty() {
                true => jar.remove(name),
                false => jar.insert(name.to_owned(), value.to_owned()),
            };
        }
        page.url = url;
        page
    }

    /// Asks for a page and goes wherever it leads.
    #[track_caller]
    pub fn visit(&mut self, address: &str) -> Page {
        let mut page = self.get(address);
        for _ in 0..MOST_REDIRECTS {
            if page.status != 302 {
                return page;
            }
            page = self.get(&page.location());
        }
        panic!("a loop of redirects: {page:#?}");
    }

    /// Begins a sign-in at a page, and stops with the address at which the provider sends the browser back.
    #[track_caller]
    fn come_back_from(&mut self, address: &str) -> String {
        let begun = self.get(address).location();
        assert!(begun.contains("/authorize?"), "{begun}");
        self.get(&begun).location()
    }

    /// Whether the app knows who this is, without a sign-in.
    fn is_signed_in(&mut self) -> bool {
        self.get("/").status == 200
    }

    /// The app's session cookie.
    fn session(&self) -> Option<&str> {
        let jar = self.cookies.get(host_of(&self.origin))?;
        jar.get("session")
            .or(jar.get("__Host-session"))
            .map(String::as_str)
    }

    fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }
}

fn host_of(origin: &str) -> &str {
    let host = origin.split_once("://").unwrap().1;
    host.split(':').next().unwrap()
}

impl Page {
    /// A header, by its name in lower case.
    fn header(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    fn all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        let all = self.headers.iter().filter(move |(found, _)| found == name);
        all.map(|(_, value)| value.as_str())
            .collect::<Vec<_>>()
            .into_iter()
    }

    /// Where a redirect leads.
    #[track_caller]
    pub fn location(&self) -> String {
        assert_eq!(self.status, 302, "{self:#?}");
        self.header("location").unwrap().to_owned()
    }

    /// This status, and this text on the page.
    #[track_caller]
    pub fn shows(&self, status: u16, text: &str) -> &Self {
        assert_eq!(self.status, status, "{self:#?}");
        assert!(self.body.contains(text), "\"{text}\" is missing: {self:#?}");
        self
    }
}

/// One request over a connection of its own.
fn send(port: u16, method: &str, target: &str, headers: &[(&str, String)]) -> Page {
    let mut request = format!("{method} {target} HTTP/1.1\r\nConnection: close\r\n");
    for (name, value) in headers {
        request += &format!("{name}: {value}\r\n");
    }
    exchange(port, (request + "\r\n").as_bytes())
}

/// These bytes, and what is answered.
fn exchange(port: u16, request: &[u8]) -> Page {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    // An answer may come, and the connection end, before all of a large request is sent.
    let _ = stream.write_all(request);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer
        .split_once("\r\n\r\n")
        .unwrap_or_else(|| panic!("no answer: {answer:?}"));
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap().split(' ').nth(1).unwrap();
    Page {
        url: String::new(),
        status: status.parse().unwrap(),
        headers: lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
            .collect(),
        body: body.to_owned(),
    }
}

/// A parameter of an address, still percent-encoded.
fn parameter<'a>(address: &'a str, name: &str) -> Option<&'a str> {
    let (_, query) = address.split_once('?')?;
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs
        .find(|(found, _)| *found == name)
        .map(|(_, value)| value)
}

/// The requests that the app itself sent to an endpoint.
fn calls(emulator: &Emulator, end_of_path: &str) -> Vec<Recorded> {
    let mut requests = emulator.requests();
    requests.retain(|request| request.path.ends_with(end_of_path));
    requests
}

fn redemptions(emulator: &Emulator) -> usize {
    grants(emulator, "authorization_code")
}

fn grants(emulator: &Emulator, grant_type: &str) -> usize {
    let calls = calls(emulator, "/token");
    let of_type = |call: &&Recorded| call.field("grant_type") == Some(grant_type);
    calls.iter().filter(of_type).count()
}
