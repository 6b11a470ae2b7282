//! Each endpoint, asked what nobody would ask, over real sockets.
//!
//! Each target mutates its examples for a moment, or for `FUZZ_SECONDS`, beginning at the same place each time or at
//! `FUZZ_SEED`. Whatever comes, the emulator answers with a status below 500 and a body of a sensible size, redirects to
//! registered addresses only, escapes what it repeats, and tells nothing of its files. A panic shows as no answer.

mod targets;

use std::{
    env,
    io::{Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use super::*;
use crate::support::PATIENCE;

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
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
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
