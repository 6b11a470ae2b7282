//! A plain HTTP client, over http or TLS, that knows nothing of what it talks to; and a browser without a screen.

use std::{
    collections::BTreeMap,
    io::{Read, Write},
    net::TcpStream,
    sync::Arc,
};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD as BASE64URL};
use emulator::Emulator;
use form_urlencoded::{Serializer, parse};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use serde_json::Value;

use crate::support::PATIENCE;

/// Where an emulator is, and how it is spoken to.
#[derive(Clone)]
pub struct Client {
    /// Scheme, host and port: what every address in an answer begins with.
    pub base: String,
    port: u16,
    tls: Option<Arc<ClientConfig>>,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Client {
    /// Over http.
    pub fn http(emulator: &Emulator) -> Self {
        Self::at(emulator.url())
    }

    /// Over http, at the port of this address.
    pub fn at(url: &str) -> Self {
        let port = port(url);
        Self {
            base: format!("http://127.0.0.1:{port}"),
            port,
            tls: None,
        }
    }

    /// Over TLS, with the emulator's CA as the only one that is trusted.
    pub fn tls(emulator: &Emulator) -> Self {
        Self::trusting(emulator.ca_pem().unwrap(), emulator.url())
    }

    /// Over TLS, at the port of this address, with this CA as the only one that is trusted.
    pub fn trusting(ca_pem: &str, url: &str) -> Self {
        let mut roots = RootCertStore::empty();
        let ca = CertificateDer::from_pem_slice(ca_pem.as_bytes()).unwrap();
        roots.add(ca).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let port = port(url);
        Self {
            base: format!("https://localhost:{port}"),
            port,
            tls: Some(Arc::new(config)),
        }
    }

    /// The same client by another name of the server's.
    pub fn by_name(&self, host: &str) -> Self {
        let (scheme, _) = self.base.split_once("://").unwrap();
        Self {
            base: format!("{scheme}://{host}"),
            ..self.clone()
        }
    }

    pub fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], "")
    }

    /// A form.
    pub fn post(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        self.post_with(path, &[], fields)
    }

    pub fn post_with(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        fields: &[(&str, &str)],
    ) -> Answer {
        let mut headers = headers.to_vec();
        headers.push(("Content-Type", "application/x-www-form-urlencoded"));
        let body = Serializer::new(String::new()).extend_pairs(fields).finish();
        self.send("POST", path, &headers, &body)
    }

    /// The token endpoint of a tenant.
    pub fn token(&self, tenant: &str, fields: &[(&str, &str)]) -> Answer {
        self.post(&format!("/{tenant}/oauth2/v2.0/token"), fields)
    }

    /// With an access token.
    pub fn graph(&self, path: &str, token: &str) -> Answer {
        let authorization = format!("Bearer {token}");
        self.send("GET", path, &[("Authorization", &authorization)], "")
    }

    /// A request over a connection of its own. The path may be a whole address of this server.
    pub fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let path = path.strip_prefix(&self.base).unwrap_or(path);
        let host = self.base.split_once("://").unwrap().1;
        let mut request =
            format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n");
        for (name, value) in headers {
            request += &format!("{name}: {value}\r\n");
        }
        if !body.is_empty() || method == "POST" {
            request += &format!("Content-Length: {}\r\n", body.len());
        }
        request += "\r\n";
        request += body;
        Answer::read(&self.exchange(request.as_bytes()))
    }

    /// These bytes, and all that is answered.
    pub fn exchange(&self, request: &[u8]) -> Vec<u8> {
        fn talk(mut stream: impl Read + Write, request: &[u8]) -> Vec<u8> {
            // An answer may come, and the connection end, before all of a request is sent.
            let _ = stream.write_all(request);
            let mut answer = Vec::new();
            let _ = stream.read_to_end(&mut answer);
            answer
        }
        let stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        match &self.tls {
            None => talk(stream, request),
            Some(config) => {
                let name = ServerName::try_from("localhost").unwrap();
                let session = ClientConnection::new(config.clone(), name).unwrap();
                talk(StreamOwned::new(session, stream), request)
            }
        }
    }
}

fn port(url: &str) -> u16 {
    let (_, port) = url.rsplit_once(':').unwrap();
    port.parse().unwrap()
}

impl Answer {
    fn read(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes);
        let (head, body) = text
            .split_once("\r\n\r\n")
            .unwrap_or_else(|| panic!("no answer: {text:?}"));
        let mut lines = head.split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap();
        Self {
            status: status.parse().unwrap(),
            headers: lines
                .filter_map(|line| line.split_once(": "))
                .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
                .collect(),
            body: body.to_owned(),
        }
    }

    /// A header, by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        let (_, value) = headers.find(|(found, _)| found == name)?;
        Some(value)
    }

    /// The JSON of an answer 200.
    #[track_caller]
    pub fn json(&self) -> Value {
        assert_eq!(self.status, 200, "{self:#?}");
        self.any_json()
    }

    #[track_caller]
    pub fn any_json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }

    /// The AADSTS code of a refusal in JSON; 0 if it is none.
    #[track_caller]
    pub fn code(&self) -> u64 {
        let body = self.any_json();
        match body.get("error_codes") {
            Some(codes) => codes[0].as_u64().unwrap(),
            None => 0,
        }
    }

    /// Where a redirect leads.
    #[track_caller]
    pub fn location(&self) -> String {
        assert!([302, 303].contains(&self.status), "{self:#?}");
        self.header("location").unwrap().to_owned()
    }

    /// The fields that a redirect carries, after `?` or `#`.
    #[track_caller]
    pub fn carried(&self) -> BTreeMap<String, String> {
        let location = self.location();
        let (_, fields) = location.split_once(['?', '#']).unwrap_or_default();
        parse(fields.as_bytes()).into_owned().collect()
    }

    /// This status, and this text on the page.
    #[track_caller]
    pub fn shows(&self, status: u16, text: &str) -> &Self {
        assert_eq!(self.status, status, "\"{text}\": {self:#?}");
        assert!(self.body.contains(text), "\"{text}\" is missing: {self:#?}");
        self
    }
}

/// The claims of a token, unchecked.
pub fn claims(token: &str) -> Value {
    part(token, 1)
}

/// The header of a token.
pub fn header(token: &str) -> Value {
    part(token, 0)
}

fn part(token: &str, index: usize) -> Value {
    let part = token.split('.').nth(index).unwrap();
    serde_json::from_slice(&BASE64URL.decode(part).unwrap()).unwrap()
}

/// A query, percent-encoded.
pub fn query(fields: &[(&str, &str)]) -> String {
    Serializer::new(String::new()).extend_pairs(fields).finish()
}

/// A person's browser: a cookie, and the page that is open.
pub struct Browser {
    client: Client,
    cookie: String,
    /// The page that is open, or the redirect that led away.
    pub page: Answer,
}

impl Browser {
    /// Opens an address.
    pub fn open(client: &Client, path: &str) -> Self {
        let mut browser = Self {
            client: client.clone(),
            cookie: String::new(),
            page: client.get("/_emulator/style.css"),
        };
        browser.go(path);
        browser
    }

    pub fn go(&mut self, path: &str) -> &mut Self {
        let cookie = self.cookie.clone();
        self.page = self.client.send("GET", path, &[("Cookie", &cookie)], "");
        self.keep_cookie();
        self
    }

    /// Sends the form of the page that is open, with these fields filled in. The buttons are fields too.
    #[track_caller]
    pub fn fill(&mut self, fields: &[(&str, &str)]) -> &mut Self {
        let between = |start: &str| {
            let (_, rest) = self.page.body.split_once(start)?;
            Some(rest.split_once('"')?.0.to_owned())
        };
        let action = between("<form method=\"post\" action=\"")
            .unwrap_or_else(|| panic!("no form: {:#?}", self.page));
        let state = between("name=\"state_of_page\" value=\"");
        let mut fields = fields.to_vec();
        fields.extend(
            state
                .as_ref()
                .map(|state| ("state_of_page", state.as_str())),
        );
        let headers = [
            ("Cookie", self.cookie.as_str()),
            ("Origin", &self.client.base),
            ("Sec-Fetch-Site", "same-origin"),
        ];
        self.page = self.client.post_with(&action, &headers, &fields);
        self.keep_cookie();
        self
    }

    fn keep_cookie(&mut self) {
        if let Some(cookie) = self.page.header("set-cookie") {
            self.cookie = cookie.split(';').next().unwrap().to_owned();
        }
    }
}
