//! Everything that parses foreign text, fed with text that nobody would write.
//!
//! Each target mutates its examples for a moment, or for `FUZZ_SECONDS`, beginning at the same place each time or at
//! `FUZZ_SEED`. A panic is a finding, and is told with the input that made it.

use std::{
    env, fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    time::{Duration, Instant},
};

use oauth2::{
    HttpResponse,
    http::HeaderValue,
    http::header::{HeaderMap, RETRY_AFTER, WWW_AUTHENTICATE},
};

use crate::{authority::Authority, config, credential, graph, http, oauth, text, token_cache};

/// A small generator of numbers (xorshift); what it lacks in quality does not matter here.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit.max(1) as u64) as usize
    }
}

/// What parsers stumble over.
const TOKENS: &[&[u8]] = &[
    b"\"",
    b"\\",
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"=",
    b"\r\n",
    b"\0",
    b"\xff",
    b"\xe2\x80\xae",
    b"null",
    b"-1",
    b"1e999",
    b"18446744073709551616",
    b"AADSTS",
    b"<",
    b">",
    b"</script",
    b"${",
    b"'",
    b"#",
    b"%00",
    b"\\u0000",
];

fn mutate(example: &[u8], numbers: &mut Numbers) -> Vec<u8> {
    let mut bytes = example.to_vec();
    for _ in 0..=numbers.below(6) {
        let at = numbers.below(bytes.len() + 1);
        let to = (at + numbers.below(16)).min(bytes.len());
        match numbers.below(6) {
            0 => drop(bytes.drain(at..to)),
            1 => drop(bytes.splice(at..at, TOKENS[numbers.below(TOKENS.len())].iter().copied())),
            2 => {
                let copy = bytes[at..to].repeat(1 + numbers.below(50));
                drop(bytes.splice(at..at, copy));
            }
            3 => bytes.truncate(at),
            4 => drop(bytes.splice(at..to, TOKENS[numbers.below(TOKENS.len())].iter().copied())),
            _ => bytes[at..to]
                .iter_mut()
                .for_each(|byte| *byte ^= 1 << numbers.below(8)),
        }
    }
    bytes
}

fn fuzz(examples: &[&[u8]], target: impl Fn(&[u8])) {
    let variable = |name: &str| env::var(name).ok().and_then(|value| value.parse().ok());
    let time = variable("FUZZ_SECONDS").map_or(Duration::from_millis(100), Duration::from_secs);
    let mut numbers = Numbers(variable("FUZZ_SEED").unwrap_or(0x2545_f491_4f6c_dd1d));
    let start = Instant::now();
    while start.elapsed() < time {
        let input = mutate(examples[numbers.below(examples.len())], &mut numbers);
        let outcome = catch_unwind(AssertUnwindSafe(|| target(&input)));
        assert!(outcome.is_ok(), "this input: {}", input.escape_ascii());
    }
}

/// Some parsers read a file.
fn with_file(name: &str, bytes: &[u8], parse: impl Fn(&Path)) {
    let path = env::temp_dir().join(format!("common-fuzz-{}-{name}", std::process::id()));
    fs::write(&path, bytes).unwrap();
    parse(&path);
    fs::remove_file(path).unwrap();
}

#[test]
fn parameters_file() {
    let example = br#"{"authority": "https://login.microsoftonline.com/common", "client_id": "x", "scope": ["User.Read", "a"]}"#;
    fuzz(&[example], |bytes| {
        with_file("json", bytes, |path| {
            drop(config::sources::parameters(path, &[]))
        });
    });
}

#[test]
fn dot_env() {
    let example =
        b"# comment\nexport AUTHORITY='https://x/${HOME}'\r\nCLIENT_ID=\"a b\" # c\nSCOPE=a\\ b\n";
    fuzz(&[example], |bytes| {
        with_file("env", bytes, |path| drop(config::sources::dot_env(path)));
    });
}

#[test]
fn authority() {
    fuzz(
        &[b"https://contoso.ciamlogin.com/", b"http://[::1]:80/common"],
        |bytes| {
            let _ = Authority::parse(&String::from_utf8_lossy(bytes));
        },
    );
}

#[test]
fn cache_file() {
    let example = br#"{"version":1,"accounts":[{"authority":"a","client_id":"b","user_id":"c","user_name":"d","used_at":1,"refresh_token":null,"access_tokens":[{"target":"e","token":"f","obtained_at":1,"expires_at":2}]}]}"#;
    fuzz(&[example], |bytes| drop(token_cache::file::parse(bytes)));
}

#[test]
fn certificate() {
    let example = b"-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n-----END PRIVATE KEY-----\n-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
    fuzz(&[example], |bytes| {
        drop(credential::Key::from_pem(bytes, Duration::from_secs(1)))
    });
}

#[test]
fn answers_of_entra() {
    let examples: [&[u8]; 2] = [
        br#"{"error":"invalid_grant","error_description":"AADSTS50126: no.\r\nTrace ID: 1\r\nCorrelation ID: 2","error_codes":[50126],"correlation_id":"2"}"#,
        br#"{"token_type":"Bearer","expires_in":"3599","access_token":"a","id_token":"e30.eyJvaWQiOiJhIiwidGlkIjoiYiJ9.x"}"#,
    ];
    fuzz(&examples, |bytes| {
        match oauth::judge(HttpResponse::new(bytes.to_vec())) {
            Ok(answer) => {
                let token = serde_json::from_slice::<oauth::TokenResponse>(answer.body());
                let _ = token.map(|token| token.extra_fields().user());
                let _ = serde_json::from_slice::<oauth::DeviceAuthorization>(answer.body());
            }
            Err(error) => {
                // Shown on a terminal: one line for each part, and nothing that a terminal obeys.
                let shown = error.to_string();
                assert!(shown.lines().count() <= 4 && shown.len() < 5 * text::LONGEST * 4);
                assert!(!shown.chars().any(|c| c.is_control() && c != '\n'));
            }
        }
    });
}

#[test]
fn answers_of_graph() {
    let examples: [&[u8]; 2] = [
        br#"{"error":{"code":"Authorization_RequestDenied","message":"no","innerError":{"date":"2023-11-21T10:11:12"}}}"#,
        b"<html><style>p{}</style><body><p>Service <b>Unavailable</b><script>1</script></html>",
    ];
    let url = "https://graph.microsoft.com/v1.0/me".parse().unwrap();
    fuzz(&examples, |bytes| {
        let mut answer = HttpResponse::new(bytes.to_vec());
        *answer.status_mut() = oauth2::http::StatusCode::FORBIDDEN;
        let shown = graph::GraphRefusal::read(&answer, &url).to_string();
        assert!(!shown.chars().any(|c| c.is_control() && c != '\n'));
    });
}

#[test]
fn headers() {
    let examples: [&[u8]; 3] = [
        br#"Bearer realm="", authorization_uri="https://x/?a=b", error="insufficient_claims", claims="eyJhY2Nlc3NfdG9rZW4iOnt9fQ==""#,
        b"120",
        b"Sun, 06 Nov 1994 08:49:37 GMT",
    ];
    fuzz(&examples, |bytes| {
        if let Ok(value) = HeaderValue::from_bytes(bytes) {
            let headers =
                HeaderMap::from_iter([(WWW_AUTHENTICATE, value.clone()), (RETRY_AFTER, value)]);
            let _ = (
                graph::claims_challenge(&headers),
                http::retry_after(&headers),
            );
        }
    });
}
