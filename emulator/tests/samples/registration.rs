//! `docs/register`: the scripts that register an app for each sample, and Graph's `/applications` that they write to.
//! What a script prints is the `.env` with which the sample then signs in.

mod az;
mod graph;
mod powershell;

use std::{
    fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::Command,
};

use emulator::{Application, Audience, Emulator, Options, SEED_DATA};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::{EMPLOYEE, EMPLOYEE_PASSWORD, Running, World, until, workspace};

const WEB: &str = "flask-equivalent-web";
const SECRET: &str = "toy~Secret.of-the_registrar";

/// An emulator whose directory has somebody in it who may register apps, and the CA that its clients have to trust.
struct Tenant {
    emulator: Emulator,
    folder: TempDir,
}

impl Tenant {
    fn new() -> Self {
        let registrar = include_str!("data/registrar.toml");
        let emulator = Emulator::start(Options {
            auto_sign_in: Some(EMPLOYEE.into()),
            device_code_interval: Some(1),
            seed_data: Some(format!("{SEED_DATA}{registrar}")),
            tls: true,
            ..Options::default()
        })
        .unwrap();
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("ca.pem"), emulator.ca_pem().unwrap()).unwrap();
        Self { emulator, folder }
    }

    fn ca(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// The id of the tenant that apps are registered in.
    fn id(&self) -> String {
        self.emulator.directory().tenants[0].id.to_string()
    }

    fn registrar(&self) -> &Application {
        let directory = self.emulator.directory();
        directory.application_by_key("registrar").unwrap()
    }

    /// Calls Graph as the registrar; the status, and the JSON of the answer (`null` if there is none).
    fn graph(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        let token = self.emulator.application_token("registrar").unwrap();
        let (head, answer) = send(
            port(self.emulator.url()),
            &format!(
                "{method} /{path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            ),
        );
        let answer = serde_json::from_str(&answer).unwrap_or(Value::Null);
        (head.split(' ').nth(1).unwrap().parse().unwrap(), answer)
    }

    /// The app that an `.env` is for.
    fn application(&self, dot_env: &str) -> &Application {
        let id = dot_env
            .lines()
            .find_map(|line| line.strip_prefix("CLIENT_ID="));
        let id = id.unwrap_or_else(|| panic!("no CLIENT_ID in {dot_env}"));
        self.emulator.directory().application(id).unwrap()
    }

    /// The app is registered as the README of its sample has it.
    #[track_caller]
    fn is_registered(&self, sample: &str, dot_env: &str) {
        let app = self.application(dot_env);
        let asked: Vec<&str> = match sample {
            "client-credentials" => vec![],
            "username-password" => vec!["User.Read", "User.ReadBasic.All"],
            _ => vec!["User.Read"],
        };
        assert_eq!(app.permissions, asked, "{app:#?}");
        assert_eq!(app.audience, Audience::MyOrg);
        let is_public = ["device-code", "username-password"].contains(&sample);
        assert_eq!(app.public_client, is_public, "{app:#?}");
        match sample {
            "client-credentials" => {
                let access = &app.written["requiredResourceAccess"][0]["resourceAccess"];
                assert_eq!(access.as_array().unwrap().len(), 1, "{app:#?}");
                assert_eq!(access[0]["type"], "Role");
                assert_eq!(app.roles, ["Application.Read.All"]);
            }
            "username-password" => {
                let page = "https://login.microsoftonline.com/common/oauth2/nativeclient";
                assert_eq!(app.public_redirect_uris, [page]);
                assert_eq!(app.consented, asked);
            }
            WEB => assert_eq!(
                app.redirect_uris,
                ["http://localhost:5000/getAToken", "http://localhost:5000/"]
            ),
            _ => {}
        }
    }

    /// The sample signs in with this `.env`.
    #[track_caller]
    fn signs_in(&self, sample: &'static str, dot_env: &str) {
        let dot_env = dot_env.replace("Enter_the_User_Name_Here", EMPLOYEE);
        let world = World::empty(sample)
            .env("SSL_CERT_FILE", self.ca().to_str().unwrap())
            .file(".env", &dot_env);
        match sample {
            WEB => self.signs_in_to_web(world),
            "username-password" => {
                let outcome = world.env("AZURE_PASSWORD", EMPLOYEE_PASSWORD).run();
                assert_eq!(outcome.json()["userPrincipalName"], EMPLOYEE);
            }
            "client-credentials" => {
                let id = self.application(&dot_env).client_id.to_string();
                assert_eq!(world.run().json()["appId"], id);
            }
            _ => assert_eq!(world.run().json()["userPrincipalName"], EMPLOYEE),
        }
    }

    /// A browser's way through the web sample.
    #[track_caller]
    fn signs_in_to_web(&self, world: World) {
        WebRun::start(world.command()).signs_in(&self.emulator);
    }
}

/// The web sample, or a copy of it, at a port of its own.
pub struct WebRun {
    app: Running,
    port: u16,
}

impl WebRun {
    /// Starts it; the redirect URI is that of the registration, but at another port of localhost.
    pub fn start(mut command: Command) -> Self {
        let port = {
            let free = TcpListener::bind(("127.0.0.1", 0)).unwrap();
            free.local_addr().unwrap().port()
        };
        command.env("REDIRECT_URI", format!("http://localhost:{port}/getAToken"));
        let mut app = Running::start(command, b"");
        until("the web sample listens", || {
            assert!(!app.has_ended(), "{}", app.stderr());
            app.stderr().contains("Open ").then_some(())
        });
        Self { app, port }
    }

    fn get(&self, path: &str, cookies: &str) -> (String, String) {
        let port = self.port;
        let head =
            format!("GET {path} HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\n");
        send(port, &format!("{head}Cookie: {cookies}\r\n\r\n"))
    }

    /// What a browser does, Contoso Employee before it.
    #[track_caller]
    pub fn signs_in(&self, emulator: &Emulator) {
        let (head, page) = self.get("/", "");
        let asked = header(&head, "location");
        let asked = asked.unwrap_or_else(|| panic!("{head}{page}{}", self.app.stderr()));
        let answer = emulator.authorize(&asked, EMPLOYEE).unwrap();
        let callback = answer.strip_prefix(&format!("http://localhost:{}", self.port));
        let (head, page) = self.get(callback.unwrap(), &cookies(&head));
        assert_eq!(
            header(&head, "location").as_deref(),
            Some("/"),
            "{head}{page}"
        );
        let (_, page) = self.get("/", &cookies(&head));
        assert!(page.contains("Welcome Contoso Employee!"), "{page}");
    }
}

/// The script that registers an app for a sample.
fn script(sample: &str, extension: &str) -> PathBuf {
    let folder = workspace().join("docs/register");
    folder.join(sample).with_extension(extension)
}

fn port(url: &str) -> u16 {
    url.rsplit_once(':').unwrap().1.parse().unwrap()
}

/// Sends a request whose connection ends with its answer; head and body of that.
fn send(port: u16, request: &str) -> (String, String) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), body.to_owned())
}

fn headers<'a>(head: &'a str, name: &'a str) -> impl Iterator<Item = &'a str> {
    head.lines()
        .filter_map(|line| line.split_once(": "))
        .filter(move |(found, _)| found.eq_ignore_ascii_case(name))
        .map(|(_, value)| value)
}

fn header(head: &str, name: &str) -> Option<String> {
    headers(head, name).next().map(str::to_owned)
}

/// The cookies that an answer sets, as the next request brings them.
fn cookies(head: &str) -> String {
    let set = headers(head, "set-cookie").map(|cookie| cookie.split(';').next().unwrap());
    set.collect::<Vec<_>>().join("; ")
}

/// What `.ci/run` has installed: the Azure CLI, and a parser of PowerShell. None on a developer's machine without it.
fn tool(name: &str) -> Option<PathBuf> {
    let target = Path::new(env!("CARGO_BIN_EXE_emulator"))
        .ancestors()
        .nth(2)
        .unwrap();
    let tool = target.join("azure-cli/bin").join(name);
    if tool.exists() {
        return Some(tool);
    }
    assert!(
        std::env::var_os("CI").is_none(),
        "CI has no {}",
        tool.display()
    );
    println!(
        "not tried: there is no {}; .ci/run says how to install it",
        tool.display()
    );
    None
}
