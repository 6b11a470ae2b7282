//! A server of the test's own, on loopback: for what the emulator's record keeps secret, and for what has to happen
//! between a request and its answer.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
};

use crate::support::until;

/// A free port of this machine.
pub fn listener() -> TcpListener {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    listener
}

/// One request, and the connection that waits for its answer.
pub struct Exchange {
    stream: TcpStream,
    request: String,
}

impl Exchange {
    pub fn accept(listener: &TcpListener) -> Self {
        let (mut stream, _) = until("a request", || listener.accept().ok());
        stream.set_nonblocking(false).unwrap();
        let mut request = Vec::new();
        let mut piece = [0; 4096];
        loop {
            let text = String::from_utf8_lossy(&request).to_lowercase();
            if let Some((head, body)) = text.split_once("\r\n\r\n") {
                let length = head
                    .split_once("content-length: ")
                    .map_or(0, |(_, rest)| rest.lines().next().unwrap().parse().unwrap());
                if body.len() >= length {
                    break;
                }
            }
            let length = stream.read(&mut piece).unwrap();
            assert!(length > 0, "half a request: {text}");
            request.extend_from_slice(&piece[..length]);
        }
        let request = String::from_utf8(request).unwrap();
        Self { stream, request }
    }

    /// A field of the form.
    pub fn field(&self, name: &str) -> String {
        let (_, body) = self.request.split_once("\r\n\r\n").unwrap();
        form_urlencoded::parse(body.as_bytes())
            .find(|(field, _)| field == name)
            .unwrap_or_else(|| panic!("no {name}: {body}"))
            .1
            .into_owned()
    }

    pub fn answer(mut self, status_and_headers: &str, body: &str) {
        write!(
            self.stream,
            "HTTP/1.1 {status_and_headers}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
    }
}
