//! Chromium without a screen, by way of chromedriver: a W3C WebDriver client for the dozen commands that are used here.
//!
//! Not a library: thirtyfour is asynchronous, which these tests are not, and brings 16 crates, while fantoccini brings
//! MPL-2.0 code.

use std::{
    env,
    io::{BufRead, BufReader, Write},
    net::TcpStream,
    process::{Child, ChildStdout, Command, Stdio},
    sync::{Arc, Condvar, Mutex, PoisonError, Weak},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::PATIENCE;

/// So many run at once: each wants a core of its own.
const AT_ONCE: usize = 3;
/// Chromium's headless shell, which starts and loads a page in a third of the time; and a script that starts it.
const SHELL: &str = "chromium-headless-shell";
const START_SHELL: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/samples/browser/headless-shell"
);
/// The name of an element's id in WebDriver.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// Keys without a letter, as WebDriver names them.
pub const TAB: &str = "\u{e004}";
pub const ENTER: &str = "\u{e007}";

/// A running chromedriver. The last browser to go ends it.
struct Driver {
    process: Child,
    port: u16,
    /// Whether it starts the headless shell; else it finds Chromium.
    shell: bool,
    /// Kept, so that it can go on writing.
    _stdout: BufReader<ChildStdout>,
}

impl Driver {
    /// The one that runs already, or a new one; none if it is not installed.
    fn shared() -> Option<Arc<Self>> {
        static SHARED: Mutex<Weak<Driver>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(driver) = shared.upgrade() {
            return Some(driver);
        }
        let is_installed = |program| {
            let version = Command::new(program).arg("--version").output();
            version.is_ok_and(|output| output.status.success())
        };
        let shell = is_installed(SHELL);
        if !(shell || is_installed("chromium")) || !is_installed("chromedriver") {
            assert!(env::var_os("CI").is_none(), "CI has no Chromium");
            println!("skipped: chromium and chromedriver are not installed");
            return None;
        }
        let mut process = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(process.stdout.take().unwrap());
        let mut line = String::new();
        let port = loop {
            line.clear();
            assert!(stdout.read_line(&mut line).unwrap() > 0, "no chromedriver");
            if let Some((_, port)) = line.split_once("successfully on port ") {
                break port.trim().trim_end_matches('.').parse().unwrap();
            }
        };
        let driver = Arc::new(Self {
            process,
            port,
            shell,
            _stdout: stdout,
        });
        *shared = Arc::downgrade(&driver);
        Some(driver)
    }

    /// Sends a command. An error of WebDriver is its message.
    fn send(&self, method: &str, path: &str, body: &Value) -> Result<Value, String> {
        let body = match method {
            "POST" => body.to_string(),
            _ => String::new(),
        };
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).map_err(|e| e.to_string())?;
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost:{}\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.port,
            body.len()
        );
        stream
            .write_all(request.as_bytes())
            .map_err(|error| error.to_string())?;
        let body = read_body(&mut BufReader::new(stream)).map_err(|error| error.to_string())?;
        let mut body: Value = serde_json::from_slice(&body).map_err(|error| error.to_string())?;
        let value = body["value"].take();
        match value.get("error") {
            Some(error) => Err(format!("{error}: {}", value["message"])),
            None => Ok(value),
        }
    }
}

/// The body of an answer, after which chromedriver leaves the connection open, whatever it was told.
fn read_body(answer: &mut impl BufRead) -> std::io::Result<Vec<u8>> {
    let mut length = 0;
    for line in answer.by_ref().lines() {
        let line = line?;
        match line.split_once(':') {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                length = value.trim().parse().unwrap();
            }
            _ if line.is_empty() => break,
            _ => {}
        }
    }
    let mut body = vec![0; length];
    answer.read_exact(&mut body)?;
    Ok(body)
}

impl Drop for Driver {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A place among the browsers that may run at once.
struct Place;

static TAKEN: (Mutex<usize>, Condvar) = (Mutex::new(0), Condvar::new());

impl Place {
    fn take() -> Self {
        let (taken, freed) = &TAKEN;
        let taken = taken.lock().unwrap_or_else(PoisonError::into_inner);
        let mut taken = freed
            .wait_while(taken, |taken| *taken >= AT_ONCE)
            .unwrap_or_else(PoisonError::into_inner);
        *taken += 1;
        Self
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let (taken, freed) = &TAKEN;
        *taken.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        freed.notify_one();
    }
}

/// A browser with a profile of its own.
pub struct Chromium {
    driver: Arc<Driver>,
    /// The path of all its commands.
    session: String,
    _profile: TempDir,
    _place: Place,
}

impl Chromium {
    /// Starts a browser; none, and a word about it, if it is not installed.
    pub fn start() -> Option<Self> {
        let place = Place::take();
        let driver = Driver::shared()?;
        let profile = TempDir::new().unwrap();
        let args = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--no-proxy-server",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--hide-scrollbars",
            "--force-device-scale-factor=1",
            // A name that is of no machine: another site, seen from localhost.
            "--host-resolver-rules=MAP other.example 127.0.0.1",
            &format!("--user-data-dir={}", profile.path().display()),
        ];
        let mut options = json!({ "args": args });
        if driver.shell {
            options["binary"] = START_SHELL.into();
        }
        let capabilities = json!({
            "browserName": "chrome",
            "goog:chromeOptions": options,
            "goog:loggingPrefs": { "browser": "ALL" },
        });
        let body = json!({ "capabilities": { "alwaysMatch": capabilities } });
        let session = driver.send("POST", "/session", &body).unwrap();
        let id = session["sessionId"].as_str().unwrap();
        Some(Self {
            session: format!("/session/{id}"),
            driver,
            _profile: profile,
            _place: place,
        })
    }

    fn get(&self, command: &str) -> Value {
        let path = format!("{}/{command}", self.session);
        self.driver.send("GET", &path, &Value::Null).unwrap()
    }

    fn try_post(&self, command: &str, body: Value) -> Result<Value, String> {
        let path = format!("{}/{command}", self.session);
        self.driver.send("POST", &path, &body)
    }

    #[track_caller]
    fn post(&self, command: &str, body: Value) -> Value {
        self.try_post(command, body)
            .unwrap_or_else(|error| panic!("{command}: {error}"))
    }

    /// Opens an address, as if it had been typed.
    #[track_caller]
    pub fn open(&self, address: &str) {
        self.post("url", json!({ "url": address }));
    }

    /// The back button, and the one that loads the page again.
    pub fn back(&self) {
        self.post("back", json!({}));
    }

    pub fn reload(&self) {
        self.post("refresh", json!({}));
    }

    pub fn url(&self) -> String {
        self.get("url").as_str().unwrap().to_owned()
    }

    /// The tab that is in front, for [`show_tab`](Self::show_tab).
    pub fn tab(&self) -> Value {
        self.get("window")
    }

    /// Opens a new tab, and shows it.
    pub fn new_tab(&self) {
        let tab = self.post("window/new", json!({ "type": "tab" }));
        self.show_tab(&tab["handle"]);
    }

    pub fn show_tab(&self, tab: &Value) {
        self.post("window", json!({ "handle": tab }));
    }

    pub fn forget_cookies(&self) {
        let path = format!("{}/cookie", self.session);
        self.driver.send("DELETE", &path, &Value::Null).unwrap();
    }

    /// Runs the body of a function in the page. It does so even where pages may run no scripts.
    #[track_caller]
    pub fn script(&self, body: &str) -> Value {
        self.script_with(body, json!([]))
    }

    /// The same with arguments.
    #[track_caller]
    pub fn script_with(&self, body: &str, arguments: Value) -> Value {
        self.post("execute/sync", json!({ "script": body, "args": arguments }))
    }

    /// A command of the Chrome DevTools protocol.
    #[track_caller]
    pub fn devtools(&self, command: &str, params: Value) -> Value {
        self.post(
            "goog/cdp/execute",
            json!({ "cmd": command, "params": params }),
        )
    }

    /// What the console has said since it was last asked.
    pub fn console(&self) -> Vec<String> {
        let entries = self.post("se/log", json!({ "type": "browser" }));
        let entries = entries.as_array().unwrap().iter();
        entries
            .map(|entry| entry["message"].as_str().unwrap().to_owned())
            .collect()
    }

    /// A picture of what is seen, as PNG in base64.
    pub fn picture(&self) -> String {
        self.get("screenshot").as_str().unwrap().to_owned()
    }

    /// All visible text of the page.
    pub fn text(&self) -> String {
        let text = self.script("return document.body.innerText");
        text.as_str().unwrap_or_default().to_owned()
    }

    /// Waits for the page with this heading.
    #[track_caller]
    pub fn shows(&self, heading: &str) -> &Self {
        let query =
            "return document.readyState == 'complete' && document.querySelector('h1')?.innerText";
        self.until(&format!("the page '{heading}'"), || {
            let found = self.try_post("execute/sync", json!({ "script": query, "args": [] }));
            (found.ok()?.as_str()? == heading).then_some(())
        });
        self
    }

    /// Waits for this text on the page.
    #[track_caller]
    pub fn says(&self, text: &str) -> &Self {
        let query = "return document.body.innerText";
        self.until(text, || {
            let found = self.try_post("execute/sync", json!({ "script": query, "args": [] }));
            found.ok()?.as_str()?.contains(text).then_some(())
        });
        self
    }

    /// Clicks the link or the button with this text (a button may have more of it).
    #[track_caller]
    pub fn click(&self, label: &str) {
        let path = format!(
            "//a[normalize-space()=\"{label}\"] | //summary[normalize-space()=\"{label}\"] | //button[starts-with(normalize-space(), \"{label}\")]"
        );
        let element = self.find(&path);
        self.post(&format!("element/{element}/click"), json!({}));
    }

    /// Types into the field with this label.
    #[track_caller]
    pub fn fill(&self, label: &str, text: &str) {
        let path = format!("//input[@id=//label[normalize-space()=\"{label}\"]/@for]");
        let element = self.find(&path);
        self.post(&format!("element/{element}/clear"), json!({}));
        self.post(&format!("element/{element}/value"), json!({ "text": text }));
    }

    /// Presses keys, wherever the focus is.
    pub fn press(&self, keys: &str) {
        let strokes: Vec<_> = keys
            .chars()
            .flat_map(|key| ["keyDown", "keyUp"].map(|kind| json!({ "type": kind, "value": key })))
            .collect();
        let keyboard = json!({ "type": "key", "id": "keyboard", "actions": strokes });
        self.post("actions", json!({ "actions": [keyboard] }));
    }

    #[track_caller]
    fn find(&self, path: &str) -> String {
        let body = json!({ "using": "xpath", "value": path });
        self.until(path, || {
            let found = self.try_post("element", body.clone()).ok()?;
            Some(found[ELEMENT].as_str()?.to_owned())
        })
    }

    #[track_caller]
    fn until<T>(&self, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
        let started = Instant::now();
        loop {
            if let Some(seen) = look() {
                return seen;
            }
            if started.elapsed() > PATIENCE {
                panic!("still missing: {what}, at {}\n{}", self.url(), self.text());
            }
            thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        let _ = self.driver.send("DELETE", &self.session, &Value::Null);
    }
}
