//! `/_emulator/…` and the home page: for this machine's own users, and for no page of another site.

use std::net::UdpSocket;

use super::*;

/// Every address that tells something or changes something.
const ADDRESSES: [(&str, &str); 10] = [
    ("GET", "/"),
    ("POST", "/"),
    ("GET", "/_emulator/live"),
    ("GET", "/_emulator/requests"),
    ("DELETE", "/_emulator/requests"),
    ("GET", "/_emulator/faults"),
    ("POST", "/_emulator/faults"),
    ("DELETE", "/_emulator/faults"),
    ("POST", "/_emulator/rotate-keys"),
    ("POST", "/_emulator/revoke"),
];

/// A page whose name leads to 127.0.0.1 (DNS rebinding) has another Host; a page of another site says so.
#[test]
fn no_other_site_gets_in() {
    let (emulator, client) = start(Options::default());
    emulator.fault("me:hang").unwrap();
    let kids = emulator.key_ids();
    let own = client.base.clone();
    let port = own.rsplit_once(':').unwrap().1.to_owned();
    let rebound = client.by_name(&format!("evil.example:{port}"));
    let by_address = client.by_name(&format!("192.0.2.7:{port}"));
    for (method, path) in ADDRESSES {
        for (row, client, headers) in [
            ("a foreign Host", &rebound, vec![]),
            (
                "a foreign Host that is its own origin",
                &rebound,
                vec![("Origin", rebound.base.as_str())],
            ),
            ("another address", &by_address, vec![]),
            (
                "a name that only begins well",
                &client.by_name(&format!("localhost.evil.example:{port}")),
                vec![],
            ),
            (
                "a foreign Origin",
                &client,
                vec![("Origin", "https://evil.example")],
            ),
            (
                "an Origin that nobody has",
                &client,
                vec![("Origin", "null")],
            ),
            (
                "the other port of this machine",
                &client,
                vec![("Origin", "http://127.0.0.1:1")],
            ),
            (
                "across sites",
                &client,
                vec![("Sec-Fetch-Site", "cross-site")],
            ),
            (
                "from a sister site",
                &client,
                vec![("Sec-Fetch-Site", "same-site")],
            ),
        ] {
            let answer = client.send(method, path, &headers, "");
            assert_eq!(answer.status, 403, "{row}: {method} {path}");
            assert!(
                !answer.body.contains("Worker#1001"),
                "{row}: {method} {path}"
            );
        }
    }
    assert_eq!(
        client.get("/_emulator/faults").json()[0]["fault"],
        "me:hang",
        "nothing has changed"
    );
    assert_eq!(emulator.key_ids(), kids);
}

#[test]
fn own_users_get_in_by_every_name_of_this_machine() {
    let (_emulator, client) = start(Options::default());
    let port = client.base.rsplit_once(':').unwrap().1.to_owned();
    for host in ["localhost", "LOCALHOST", "127.0.0.1", "127.9.9.9", "[::1]"] {
        let client = client.by_name(&format!("{host}:{port}"));
        assert_eq!(client.get("/_emulator/faults").status, 200, "{host}");
        let origin = [
            ("Origin", client.base.as_str()),
            ("Sec-Fetch-Site", "same-origin"),
        ];
        assert_eq!(
            client
                .send("DELETE", "/_emulator/faults", &origin, "")
                .status,
            200,
            "{host}"
        );
    }
}

/// The CA certificate is no secret: whoever wants to speak TLS has to get it first.
#[test]
fn everyone_gets_the_ca_certificate() {
    over_both(|emulator, client| {
        let client = match client.base.starts_with("https") {
            true => client.clone(),
            false => client.by_name("emulator.example"),
        };
        let answer = client.get("/_emulator/ca.crt");
        assert_eq!(answer.status, 200);
        assert_eq!(Some(answer.body.as_str()), emulator.ca_pem());
    });
    let (_emulator, client) = start(Options::default());
    client.get("/_emulator/ca.crt").shows(404, "--tls");
}

/// A form of the home page changes something only if the browser says that it stood there.
#[test]
fn forms_need_an_origin() {
    let (_emulator, client) = start(Options::default());
    let fields = [("action", "rotate-keys")];
    assert_eq!(client.post("/", &fields).status, 403);
    assert_eq!(
        client
            .post_with("/", &[("Origin", &client.base)], &fields)
            .status,
        303
    );
}

/// For containers: other machines get in when they are told to, by an address or a given name, and no other site does.
#[test]
fn other_machines_get_in_only_when_told_so() {
    // The address by which this machine would reach another one; nothing is sent.
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    let outside = socket
        .connect("192.0.2.1:9")
        .and_then(|()| socket.local_addr())
        .map(|address| address.ip())
        .ok()
        .filter(|address| !address.is_loopback() && !address.is_unspecified());
    let Some(outside) = outside else {
        println!("skipped: this machine has no address but loopback");
        return;
    };
    for (admin, expected) in [(false, 403), (true, 200)] {
        let emulator = Emulator::start(Options {
            listen: Some("0.0.0.0:0".parse().unwrap()),
            allow_remote: true,
            allow_remote_admin: admin,
            tls_names: vec!["emulator".to_owned()],
            ..Options::default()
        })
        .unwrap();
        let port = emulator.url().rsplit_once(':').unwrap().1.to_owned();
        let ask = |host: &str, origin: &str| {
            let mut stream =
                std::net::TcpStream::connect((outside, port.parse().unwrap())).unwrap();
            use std::io::{Read, Write};
            write!(stream, "GET /_emulator/requests HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{origin}\r\n").unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            answer.split(' ').nth(1).unwrap().parse::<u16>().unwrap()
        };
        for host in [
            outside.to_string(),
            "localhost".to_owned(),
            "emulator".to_owned(),
        ] {
            assert_eq!(
                ask(&format!("{host}:{port}"), ""),
                expected,
                "{host} {admin}"
            );
        }
        assert_eq!(ask("evil.example", ""), 403);
        assert_eq!(
            ask(
                &format!("{outside}:{port}"),
                "Origin: https://evil.example\r\n"
            ),
            403
        );
        assert_eq!(
            ask(
                &format!("{outside}:{port}"),
                "Sec-Fetch-Site: cross-site\r\n"
            ),
            403
        );
    }
}

/// Pages that take passwords and consents take none from other sites.
#[test]
fn sign_in_pages_take_no_form_of_another_site() {
    let (_emulator, client) = start(Options::default());
    for path in ["/login", "/devicelogin"] {
        for headers in [
            ("Origin", "https://evil.example"),
            ("Sec-Fetch-Site", "cross-site"),
        ] {
            client
                .post_with(path, &[headers], &[("user_code", "x")])
                .shows(403, "another site");
        }
        client
            .post(path, &[("state_of_page", "forged")])
            .shows(400, "too old");
    }
}

/// Each page: nothing is loaded from elsewhere, framed, kept or guessed.
#[test]
fn pages_say_what_browsers_may_do() {
    let (emulator, client) = start(Options::default());
    for (path, status) in [
        ("/".to_owned(), 200),
        ("/devicelogin".to_owned(), 200),
        (authorize(&emulator, &[]), 200),
        (
            authorize(
                &emulator,
                &[("redirect_uri", "https://evil.example/<script>")],
            ),
            400,
        ),
        ("/common/oauth2/v2.0/logout".to_owned(), 200),
        ("/nowhere%3Cscript%3Ealert(1)%3C/script%3E".to_owned(), 404),
    ] {
        let page = client.get(&path);
        assert_eq!(page.status, status, "{path}");
        let policy = page.header("content-security-policy").unwrap();
        assert!(
            policy.starts_with("default-src 'none'; style-src 'self'; form-action 'self'"),
            "{policy}"
        );
        assert!(
            policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"),
            "{policy}"
        );
        for (name, value) in [
            ("x-frame-options", "DENY"),
            ("x-content-type-options", "nosniff"),
            ("cache-control", "no-store"),
        ] {
            assert_eq!(page.header(name), Some(value), "{path}");
        }
        assert!(page.body.contains("This is a development tool"), "{path}");
        assert!(
            !page.body.contains("<script>") && !page.body.contains("evil.example/<"),
            "{path}"
        );
    }
}
