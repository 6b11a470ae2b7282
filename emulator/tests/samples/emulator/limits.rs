//! Requests that are too large, too slow or too many.

use std::{
    io::{Read, Write},
    net::TcpStream,
};

use super::*;
use crate::support::PATIENCE;

fn connect(client: &Client) -> TcpStream {
    let port: u16 = client.base.rsplit_once(':').unwrap().1.parse().unwrap();
    let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// The status of the answer to these bytes; 0 if there is none.
fn status(client: &Client, request: &[u8]) -> u16 {
    let answer = client.exchange(request);
    let text = String::from_utf8_lossy(&answer);
    text.split(' ')
        .nth(1)
        .map_or(0, |status| status.parse().unwrap())
}

#[test]
fn bodies_and_heads_have_a_limit() {
    let (_emulator, client) = start(Options::default());
    let post = |length: usize, body: &[u8]| {
        let head = format!(
            "POST /common/oauth2/v2.0/token HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {length}\r\n\r\n"
        );
        status(&client, &[head.as_bytes(), body].concat())
    };
    assert_eq!(post(1 << 20, &vec![b'a'; 1 << 20]), 400);
    assert_eq!(post((1 << 20) + 1, &vec![b'a'; (1 << 20) + 1]), 413);
    assert_eq!(
        post(usize::MAX / 2, b"a=b"),
        413,
        "a length that is only said"
    );
    // In chunks, without a length.
    let mut chunks = b"POST /common/oauth2/v2.0/token HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for _ in 0..40 {
        chunks.extend(b"10000\r\n");
        chunks.extend([b'a'; 0x10000]);
        chunks.extend(b"\r\n");
    }
    chunks.extend(b"0\r\n\r\n");
    assert_eq!(status(&client, &chunks), 413);

    let head = |length: usize| {
        format!(
            "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nX: {}\r\n\r\n",
            "a".repeat(length)
        )
    };
    assert_eq!(status(&client, head(10_000).as_bytes()), 200);
    assert_eq!(status(&client, head(200_000).as_bytes()), 431);
    let many: String = (0..200)
        .map(|number| format!("X-{number}: a\r\n"))
        .collect();
    assert_eq!(
        status(
            &client,
            format!("GET / HTTP/1.1\r\nHost: localhost\r\n{many}\r\n").as_bytes()
        ),
        431
    );
    let long = format!(
        "GET /{} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        "a".repeat(60_000)
    );
    assert_eq!(status(&client, long.as_bytes()), 404);
}

/// What is too long to be looked at again is cut in the record.
#[test]
fn the_record_is_bounded() {
    let (emulator, client) = start(Options::default());
    let long = "x".repeat(100_000);
    client.token(
        "common",
        &[("scope", &long), (&long, "y"), ("client_id", "z")],
    );
    let request = emulator.requests().pop().unwrap();
    assert!(
        request
            .form
            .iter()
            .all(|(name, value)| name.len() <= 500 && value.len() <= 500)
    );
    for number in 0..2_100 {
        let mut stream = connect(&client);
        write!(
            stream,
            "GET /{number} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        )
        .unwrap();
        let _ = stream.read(&mut [0; 1]);
    }
    let requests = emulator.requests();
    assert_eq!(requests.len(), 2_000);
    assert!(
        requests
            .windows(2)
            .all(|pair| pair[0].number < pair[1].number)
    );
}

#[test]
fn slow_and_silent_clients_are_in_nobody_s_way() {
    let (_emulator, client) = start(Options::default());
    let mut others: Vec<TcpStream> = (0..300).map(|_| connect(&client)).collect();
    for (number, stream) in others.iter_mut().enumerate() {
        match number % 3 {
            0 => {} // silent
            1 => write!(stream, "GET /common/userrealm/x HTTP/1.1\r\nHost:").unwrap(),
            _ => write!(stream, "POST /common/oauth2/v2.0/token HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\ngrant").unwrap(),
        }
    }
    assert_eq!(client.get("/common/userrealm/x").status, 200);
    // Who goes on is answered in the end.
    write!(others[1], " localhost\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    others[1].read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[test]
fn host_headers_that_are_no_hosts() {
    let (_emulator, client) = start(Options::default());
    for (head, expected) in [
        ("GET /x HTTP/1.1\r\nHost: localhost", 404),
        ("GET /x HTTP/1.0", 404),
        (
            "GET http://other.example/x HTTP/1.1\r\nHost: localhost",
            404,
        ),
        ("GET /x HTTP/1.1\r\nHost: evil.example/<script>", 400),
        ("GET /x HTTP/1.1\r\nHost: user@evil.example", 400),
        ("GET /x HTTP/1.1\r\nHost: a b", 400),
        ("GET /x HTTP/1.1\r\nHost: ", 400),
        ("TRACE /x HTTP/1.1\r\nHost: localhost", 404),
        ("GET  HTTP/1.1\r\nHost: localhost", 400),
        ("nonsense", 400),
    ] {
        let request = format!("{head}\r\nConnection: close\r\n\r\n");
        assert_eq!(status(&client, request.as_bytes()), expected, "{head}");
    }
}
