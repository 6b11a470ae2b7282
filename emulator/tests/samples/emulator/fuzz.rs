//! Each endpoint, asked what nobody would ask, over real sockets.
//!
//! Each target mutates its examples for a moment, or for `FUZZ_SECONDS`, beginning at the same place each time or at
//! `FUZZ_SEED`. Whatever comes, the emulator answers with a status below 500 and a body of a sensible size, redirects to
//! registered addresses only, escapes what it repeats, and tells nothing of its files. A panic shows as no answer.

use std::{
    env,
    io::{Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD as BASE64URL};
use serde_json::json;

use super::*;

/// A small generator of numbers (xorshift); what it lacks in quality does not matter here.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit.max(1) as u64) as usize
    }

    fn one_of<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len())]
    }
}

/// What shows that something was repeated without being escaped.
const MARKUP: &str = "<xss'\">";
/// What parsers and routers stumble over.
const TOKENS: &[&[u8]] = &[
    b"%3Cxss%27%22%3E",
    b"<xss'\">",
    b"..%2f",
    b"%2e%2e/",
    b"//",
    b"/../",
    b"\\..\\",
    b"%00",
    b"%",
    b"%f",
    b"%zz",
    b"%ff%fe",
    b"%c0%ae",
    b"%0d%0aX:%20y",
    b"\0",
    b"\xff",
    b"\xe2\x80\xae",
    b"&",
    b"=",
    b"&&",
    b";",
    b"?",
    b"#",
    b"+",
    b"[]",
    b"[",
    b"{",
    b"\"",
    b"'",
    b"$",
    b"(",
    b")",
    b",",
    b"-1",
    b"1e999",
    b"18446744073709551616",
    b"null",
    b"true",
    b"{tenantid}",
    b"/etc/passwd",
    b"file:///etc/passwd",
    b"https://evil.example/",
    b"javascript:1",
    b"@evil.example",
    b" ",
    b"\t",
    b"a.b.c",
    b"..",
    b".",
    b"eyJhbGciOiJub25lIn0.e30.",
];
const METHODS: &[&str] = &[
    "GET", "POST", "POST", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE", "X",
];
const TYPES: &[&str] = &[
    "application/x-www-form-urlencoded",
    "application/x-www-form-urlencoded",
    "application/x-www-form-urlencoded; charset=utf-16",
    "application/json",
    "multipart/form-data; boundary=x",
    "text/plain",
    "",
];
const HOSTS: &[&str] = &[
    "localhost",
    "localhost",
    "localhost",
    "127.0.0.1",
    "evil.example",
    "a,b",
    "<xss>",
    "[::1]:1",
    "",
    "a b",
    "user@x",
];

fn mutate(example: &[u8], numbers: &mut Numbers) -> Vec<u8> {
    let mut bytes = example.to_vec();
    for _ in 0..numbers.below(6) {
        let at = numbers.below(bytes.len() + 1);
        let to = (at + numbers.below(16)).min(bytes.len());
        match numbers.below(7) {
            0 => drop(bytes.drain(at..to)),
            1 => drop(bytes.splice(at..at, numbers.one_of(TOKENS).iter().copied())),
            2 => {
                let copy = bytes[at..to].repeat(1 + numbers.below(50));
                drop(bytes.splice(at..at, copy));
            }
            3 => bytes.truncate(at),
            4 => drop(bytes.splice(at..to, numbers.one_of(TOKENS).iter().copied())),
            // A field once more, or a very long one.
            5 if numbers.below(20) == 0 => {
                let long = numbers.one_of(TOKENS).repeat(20_000);
                drop(bytes.splice(at..at, long));
            }
            _ => bytes[at..to]
                .iter_mut()
                .for_each(|byte| *byte ^= 1 << numbers.below(8)),
        }
    }
    bytes
}

/// One endpoint: its path with query, and a body.
struct Target<'a> {
    emulator: &'a Emulator,
    examples: Vec<(String, String)>,
    headers: Vec<String>,
}

impl Target<'_> {
    fn fuzz(&self) {
        let variable = |name: &str| env::var(name).ok().and_then(|value| value.parse().ok());
        let time = variable("FUZZ_SECONDS").map_or(Duration::from_millis(200), Duration::from_secs);
        let mut numbers = Numbers(variable("FUZZ_SEED").unwrap_or(0x2545_f491_4f6c_dd1d));
        let (start, mut count) = (Instant::now(), 0);
        while start.elapsed() < time {
            let (path, body) = &self.examples[numbers.below(self.examples.len())];
            let request = self.request(path, body, &mut numbers);
            let told = |what: &str, answer: &[u8]| -> ! {
                let end = |bytes: &[u8]| bytes[..bytes.len().min(2_000)].escape_ascii().to_string();
                panic!("{what}\n{}\n\n{}", end(&request), end(answer))
            };
            let answer = self.send(&request);
            if let Err(what) = judge(&answer, request.len()) {
                told(&what, &answer);
            }
            count += 1;
        }
        println!("{count} requests");
    }

    fn request(&self, path: &str, body: &str, numbers: &mut Numbers) -> Vec<u8> {
        let method = numbers.one_of(METHODS);
        let mut request = format!("{method} ").into_bytes();
        let path = mutate(path.as_bytes(), numbers);
        // A blank or a control character would only end the request line early, as the server's parser well knows.
        request.extend(path.iter().filter(|byte| **byte > b' ' && **byte != 0x7f));
        let port = self.emulator.url().rsplit_once(':').unwrap().1;
        let host = match numbers.below(4) {
            0 => numbers.one_of(HOSTS).to_owned(),
            _ => format!("127.0.0.1:{port}"),
        };
        request.extend(
            format!(
                " HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Type: {}\r\n",
                numbers.one_of(TYPES)
            )
            .bytes(),
        );
        for header in &self.headers {
            let header = match numbers.below(3) {
                0 => mutate(header.as_bytes(), numbers),
                _ => header.clone().into_bytes(),
            };
            request.extend(
                header
                    .iter()
                    .filter(|byte| !matches!(byte, b'\r' | b'\n' | 0)),
            );
            request.extend(b"\r\n");
        }
        if numbers.below(3) == 0 {
            request.extend(
                format!("Origin: http://127.0.0.1:{port}\r\nSec-Fetch-Site: same-origin\r\n")
                    .bytes(),
            );
        }
        let body = mutate(body.as_bytes(), numbers);
        request.extend(format!("Content-Length: {}\r\n\r\n", body.len()).bytes());
        request.extend(body);
        request
    }

    fn send(&self, request: &[u8]) -> Vec<u8> {
        let host = self.emulator.url().split_once("://").unwrap().1;
        let mut stream = TcpStream::connect(host).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(60)))
            .unwrap();
        let _ = stream.write_all(request);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        answer
    }
}

/// What is wrong with an answer.
fn judge(answer: &[u8], asked: usize) -> Result<(), String> {
    let text = String::from_utf8_lossy(answer);
    let status: u16 = text
        .strip_prefix("HTTP/1.1 ")
        .and_then(|rest| rest.get(..3)?.parse().ok())
        .ok_or("no answer")?;
    if status >= 500 {
        return Err(format!("{status}"));
    }
    // What was asked may be repeated, escaped, in a description and in a sealed state.
    if answer.len() > 300_000 + 12 * asked {
        return Err(format!("{} bytes", answer.len()));
    }
    let (head, body) = text.split_once("\r\n\r\n").ok_or("no end of the head")?;
    for line in head.split("\r\n") {
        let line = line.to_lowercase();
        if line.starts_with("x: y") {
            return Err("a header that the request has made".to_owned());
        }
        let Some(location) = line.strip_prefix("location: ") else {
            continue;
        };
        if !is_registered(location) {
            return Err(format!("a redirect to {location}"));
        }
    }
    if head.to_lowercase().contains("content-type: text/html") && body.contains(&MARKUP[..4]) {
        return Err("markup that the request has made".to_owned());
    }
    if ["root:x:0", "BEGIN PRIVATE", "[package]"]
        .iter()
        .any(|file| body.contains(file))
    {
        return Err("a file".to_owned());
    }
    Ok(())
}

/// Whether a redirect stays on this machine, or goes to the one other host that the seed data has.
fn is_registered(location: &str) -> bool {
    let Some((scheme, rest)) = location.split_once("://") else {
        return location.starts_with("/#");
    };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let (name, port) = host.split_once(':').unwrap_or((host, "0"));
    ["http", "https"].contains(&scheme)
        && ["localhost", "127.0.0.1", "web.contoso.com"].contains(&name)
        && port.parse::<u16>().is_ok()
}

fn fuzz(emulator: &Emulator, examples: &[(&str, String)], headers: &[&str]) {
    let examples = examples
        .iter()
        .map(|(path, body)| ((*path).to_owned(), body.clone()));
    Target {
        emulator,
        examples: examples.collect(),
        headers: headers.iter().map(|header| (*header).to_owned()).collect(),
    }
    .fuzz();
}

#[test]
fn fuzz_discovery() {
    let (emulator, _) = start(Options::default());
    let none = String::new;
    fuzz(
        &emulator,
        &[
            ("/contoso.com/v2.0/.well-known/openid-configuration", none()),
            (
                "/contosob2c.onmicrosoft.com/v2.0/.well-known/openid-configuration?p=B2C_1_signupsignin1",
                none(),
            ),
            (
                "/contosob2c.onmicrosoft.com/B2C_1_signupsignin1/discovery/v2.0/keys",
                none(),
            ),
            ("/idp.example/.well-known/openid-configuration", none()),
            (
                "/common/discovery/instance?api-version=1.1&authorization_endpoint=https://login.microsoftonline.com/common/oauth2/v2.0/authorize",
                none(),
            ),
            (
                "/common/userrealm/contoso_employee@contoso.com?api-version=1.0",
                none(),
            ),
        ],
        &[
            "X-Forwarded-Host: evil.example",
            "client-request-id: 11111111-2222-3333-4444-555555555555",
        ],
    );
}

#[test]
fn fuzz_authorize() {
    let (emulator, _) = start(Options::default());
    let request = authorize(
        &emulator,
        &[
            ("response_mode", "form_post"),
            ("claims", "{\"id_token\":{\"auth_time\":null}}"),
            ("max_age", "7"),
        ],
    );
    let (path, query) = request.split_once('?').unwrap();
    fuzz(
        &emulator,
        &[(&request, String::new()), (path, query.to_owned())],
        &["Cookie: emulator_session=abc"],
    );
}

/// The same where everybody is signed in at once, so that there are redirects.
#[test]
fn fuzz_authorize_without_pages() {
    let (emulator, _) = signing_in();
    let code = authorize(&emulator, &[]);
    let both = authorize(
        &emulator,
        &[("response_type", "code id_token"), ("prompt", "none")],
    );
    let public = format!(
        "/organizations/oauth2/v2.0/authorize?{}",
        query(&[
            ("client_id", &client_id(&emulator, "desktop-browser")),
            ("response_type", "code"),
            ("scope", "openid"),
            ("redirect_uri", "http://localhost:61234")
        ])
    );
    fuzz(
        &emulator,
        &[
            (&code, String::new()),
            (&both, String::new()),
            (&public, String::new()),
        ],
        &[],
    );
}

#[test]
fn fuzz_token() {
    let (emulator, client) = signing_in();
    let path = "/contoso.com/oauth2/v2.0/token";
    let id = client_id(&emulator, "username-password");
    let web = settings(&emulator, "flask-equivalent-web");
    let code = client.get(&authorize(&emulator, &[])).carried()["code"].clone();
    let password = password_grant(&id, "openid offline_access User.Read");
    let refresh = client.token("contoso.com", &password).json()["refresh_token"]
        .as_str()
        .unwrap()
        .to_owned();
    let assertion = format!(
        "{}.{}.AAAA",
        BASE64URL.encode(json!({ "alg": "PS256", "x5t#S256": "x" }).to_string()),
        BASE64URL
            .encode(json!({ "iss": id, "sub": id, "aud": "x", "exp": 1, "jti": "1" }).to_string())
    );
    let deep = "[".repeat(3_000);
    let forms = [
        query(&password),
        query(&redemption(&web, &code)),
        query(&[
            ("client_id", &id),
            ("grant_type", "refresh_token"),
            ("refresh_token", &refresh),
            ("scope", "User.Read"),
        ]),
        query(&[
            ("client_id", &id),
            ("grant_type", "device_code"),
            ("device_code", "x"),
        ]),
        query(&[
            ("grant_type", "client_credentials"),
            (
                "client_assertion_type",
                "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            ),
            ("client_assertion", &assertion),
            ("scope", "https://graph.microsoft.com/.default"),
        ]),
        query(&with(
            &password,
            "claims",
            "{\"access_token\":{\"nbf\":{\"value\":\"7\"},\"xms_cc\":{\"values\":[\"cp1\"]}}}",
        )),
        query(&with(&password, "claims", &deep)),
    ];
    let examples: Vec<_> = forms.into_iter().map(|form| (path, form)).collect();
    fuzz(
        &emulator,
        &examples,
        &[
            "Authorization: Basic dXNlcjpwYXNz",
            "Origin: http://localhost:3000",
        ],
    );
}

#[test]
fn fuzz_device_code() {
    let (emulator, _) = start(Options::default());
    let id = client_id(&emulator, "device-code");
    let form = query(&[("client_id", &id), ("scope", "openid User.Read")]);
    fuzz(
        &emulator,
        &[("/contoso.com/oauth2/v2.0/devicecode", form)],
        &[],
    );
}

#[test]
fn fuzz_device_page() {
    let (emulator, client) = start(Options::default());
    let id = client_id(&emulator, "device-code");
    let begun = client
        .post(
            "/contoso.com/oauth2/v2.0/devicecode",
            &[("client_id", &id), ("scope", "User.Read")],
        )
        .json();
    let code = begun["user_code"].as_str().unwrap();
    let page = client.post("/devicelogin", &[("user_code", code)]).body;
    let state = page
        .split_once("name=\"state_of_page\" value=\"")
        .unwrap()
        .1
        .split_once('"')
        .unwrap()
        .0;
    fuzz(
        &emulator,
        &[
            ("/devicelogin", query(&[("user_code", code)])),
            (
                "/devicelogin",
                query(&[
                    ("state_of_page", state),
                    ("account", EMPLOYEE),
                    ("other_account", ""),
                ]),
            ),
        ],
        &[],
    );
}

#[test]
fn fuzz_sign_in_page() {
    let (emulator, client) = start(Options::default());
    let page = client
        .get(&authorize(&emulator, &[("login_hint", EMPLOYEE)]))
        .body;
    let state = page
        .split_once("name=\"state_of_page\" value=\"")
        .unwrap()
        .1
        .split_once('"')
        .unwrap()
        .0;
    let password = query(&[("state_of_page", state), ("password", EMPLOYEE_PASSWORD)]);
    let cancel = query(&[("state_of_page", state), ("cancel", "1")]);
    fuzz(
        &emulator,
        &[("/login", password), ("/login", cancel)],
        &["Cookie: emulator_session=abc; b=c"],
    );
}

#[test]
fn fuzz_logout() {
    let (emulator, client) = signing_in();
    let token = client
        .get(&authorize(&emulator, &[("response_type", "id_token")]))
        .carried()["id_token"]
        .clone();
    let fields = query(&[
        ("post_logout_redirect_uri", "http://localhost:5000/"),
        ("state", "a b"),
        ("id_token_hint", &token),
        ("logout_hint", EMPLOYEE),
    ]);
    let path = format!("/contoso.com/oauth2/v2.0/logout?{fields}");
    fuzz(
        &emulator,
        &[
            (&path, String::new()),
            ("/contoso.com/oauth2/v2.0/logout", fields),
        ],
        &[],
    );
}

#[test]
fn fuzz_graph() {
    let (emulator, _) = start(Options {
        generate: Some(50),
        ..Options::default()
    });
    let token = emulator
        .user_token(
            EMPLOYEE,
            "device-code",
            "openid User.Read User.ReadBasic.All",
        )
        .unwrap();
    let batch = json!({ "requests": [{ "id": "1", "method": "GET", "url": "/me?$select=id" }, { "id": "2", "method": "GET", "url": "/users?$top=2" }] });
    let none = String::new;
    fuzz(
        &emulator,
        &[
            (
                "/v1.0/me?$select=id,mail&$expand=manager($select=id)",
                none(),
            ),
            (
                "/v1.0/users?$top=5&$skiptoken=abc&$select=displayName",
                none(),
            ),
            ("/v1.0/users/contoso_employee@contoso.com/manager", none()),
            (
                "/v1.0/applications(appId='59c06144-a668-4828-9ca8-ed6e117c8344')",
                none(),
            ),
            ("/v1.0/$batch", batch.to_string()),
            ("/v1.0/$batch", "[".repeat(2_000)),
            ("/oidc/userinfo", none()),
            ("/api/me", none()),
            ("/idp.example/connect/userinfo", none()),
        ],
        &[&format!("Authorization: Bearer {token}")],
    );
}

#[test]
fn fuzz_tokens_at_graph() {
    let (emulator, _) = start(Options::default());
    let token = emulator
        .user_token(EMPLOYEE, "device-code", "openid User.Read")
        .unwrap();
    let part = |value: serde_json::Value| BASE64URL.encode(value.to_string());
    let none = format!(
        "{}.{}.",
        part(json!({ "alg": "none" })),
        part(json!({ "aud": "x" }))
    );
    fuzz(
        &emulator,
        &[
            ("/v1.0/me", String::new()),
            ("/oidc/userinfo", String::new()),
        ],
        &[
            &format!("Authorization: Bearer {none}"),
            &format!("authorization: Bearer {token}"),
        ],
    );
}

#[test]
fn fuzz_home_page() {
    let (emulator, _) = start(Options::default());
    let forms = [
        query(&[
            ("action", "add-fault"),
            ("other", "userrealm:status-404"),
            ("times", "2"),
        ]),
        query(&[("action", "revoke"), ("name", EMPLOYEE)]),
        query(&[("action", "clear-requests")]),
    ];
    let examples: Vec<_> = forms.into_iter().map(|form| ("/", form)).collect();
    fuzz(&emulator, &examples, &[]);
}

/// Faults are set by this, so the record is what is looked at in the end.
#[test]
fn fuzz_admin() {
    let (emulator, client) = start(Options::default());
    fuzz(
        &emulator,
        &[
            (
                "/_emulator/faults",
                "token:body=404 {\"a\": 1}*2\n# comment\nme:status-404".to_owned(),
            ),
            ("/_emulator/revoke", EMPLOYEE.to_owned()),
            ("/_emulator/requests", String::new()),
            ("/_emulator/live", String::new()),
            ("/_emulator/home.js", String::new()),
        ],
        &[],
    );
    assert_eq!(client.get("/_emulator/requests").status, 200);
    assert!(
        client
            .get("/_emulator/faults")
            .json()
            .as_array()
            .unwrap()
            .len()
            <= 1000
    );
}

/// Addresses that lead nowhere: no file is behind any of them.
#[test]
fn fuzz_paths() {
    let (emulator, _) = start(Options::default());
    let none = String::new;
    fuzz(
        &emulator,
        &[
            ("/_emulator/../../etc/passwd", none()),
            ("/..%2f..%2f..%2fetc/passwd", none()),
            ("//etc/passwd", none()),
            ("/_emulator/%2e%2e/Cargo.toml", none()),
            ("/keys/signing-1.pem", none()),
            ("/error?code=50126", none()),
            ("/%00", none()),
        ],
        &[],
    );
}
