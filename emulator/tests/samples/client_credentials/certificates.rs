//! Row C1, the certificate: which PEM files work, what is said of those that do not, and what the app signs.

use base64::{
    Engine,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};
use emulator::{CLIENT_CERTIFICATE, Emulator, FEDERATED_ISSUER, Options, SEED_DATA};
use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, date_time_ymd};
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};
use uuid::Uuid;

use super::SAMPLE;
use crate::{
    listener::{Exchange, listener},
    support::World,
};

/// Made with `openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:4096`, since ring makes no RSA keys.
const RSA_4096: &str = include_str!("../data/rsa-4096.pem");
const RSA_1024: &str = include_str!("../data/rsa-1024.pem");

/// The key of 2048 bits (PKCS#8) of a PEM file that has its certificate as well.
fn key_of(pem: &str) -> String {
    let end = "-----END PRIVATE KEY-----\n";
    let (key, _) = pem.split_once(end).unwrap();
    let begin = key.find("-----BEGIN PRIVATE KEY-----").unwrap();
    format!("{}{end}", &key[begin..])
}

/// A certificate of a key, valid from the first year to the second.
fn certificate(key: &str, years: [i32; 2]) -> String {
    let key = KeyPair::from_pem(key).unwrap();
    let mut params = CertificateParams::new([]).unwrap();
    [params.not_before, params.not_after] = years.map(|year| date_time_ymd(year, 1, 1));
    params.self_signed(&key).unwrap().pem()
}

const VALID: [i32; 2] = [2020, 2120];

fn der(pem: &str) -> Vec<u8> {
    let lines = pem.lines().filter(|line| !line.starts_with("-----"));
    BASE64_STANDARD.decode(lines.collect::<String>()).unwrap()
}

fn pem(label: &str, der: &[u8]) -> String {
    let base64 = BASE64_STANDARD.encode(der);
    let lines = base64.as_bytes().chunks(64);
    let lines: String = lines
        .map(|line| format!("{}\n", str::from_utf8(line).unwrap()))
        .collect();
    format!("-----BEGIN {label}-----\n{lines}-----END {label}-----\n")
}

/// The same RSA key as PKCS#1, which PKCS#8 wraps into 26 bytes (RFC 5958: lengths, version, algorithm).
fn pkcs1(pkcs8: &str) -> String {
    pem("RSA PRIVATE KEY", &der(pkcs8)[26..])
}

/// An emulator at which the sample's app has these certificates.
fn emulator_with(certificates: &[&str]) -> Emulator {
    let (before, rest) = SEED_DATA.split_once("certificates = ['''").unwrap();
    let (_, after) = rest.split_once("''']").unwrap();
    let certificates: String = certificates
        .iter()
        .map(|certificate| format!("'''\n{certificate}''', "))
        .collect();
    Emulator::start(Options {
        seed_data: Some(format!("{before}certificates = [{certificates}]{after}")),
        ..Options::default()
    })
    .unwrap()
}

/// The sample with this PEM file as its proof.
fn world(emulator: &Emulator, pem: impl AsRef<[u8]>) -> World {
    World::at(emulator, SAMPLE)
        .without("CLIENT_SECRET")
        .env("CLIENT_CERTIFICATE", "app.pem")
        .file("app.pem", pem)
}

#[test]
fn c1_certificates_that_work() {
    let (small, large) = (key_of(CLIENT_CERTIFICATE), RSA_4096);
    let (small_1, large_1) = (pkcs1(&small), pkcs1(large));
    let certificate_of_small = certificate(&small, VALID);
    let certificate_of_large = certificate(large, VALID);
    let issuer = certificate(&key_of(FEDERATED_ISSUER), VALID);
    let emulator = emulator_with(&[&certificate_of_small, &certificate_of_large]);
    for (name, parts) in [
        ("PKCS#8, 2048 bits", [&small, &certificate_of_small]),
        ("PKCS#1, 2048 bits", [&small_1, &certificate_of_small]),
        (
            "PKCS#8, 4096 bits",
            [&large.to_owned(), &certificate_of_large],
        ),
        ("PKCS#1, 4096 bits", [&large_1, &certificate_of_large]),
    ] {
        let [key, own] = parts.map(String::as_str);
        for (order, pem) in [
            ("the key first", [key, own].concat()),
            ("the key last", [own, key].concat()),
            ("with its chain", [key, own, &issuer].concat()),
            ("its chain first", [&issuer, own, key].concat()),
            (
                "as pkcs12 prints it, with the line ends of Windows",
                format!("Bag Attributes: <none>\n{key}subject=CN = app\n\n{own}")
                    .replace('\n', "\r\n"),
            ),
        ] {
            emulator.clear_requests();
            let outcome = world(&emulator, pem).run();
            assert!(outcome.status.success(), "{name}, {order}: {outcome:#?}");
            let requests = emulator.requests();
            assert_eq!(requests.len(), 2, "{name}, {order}");
            assert!(requests[0].field("client_assertion").is_some());
            assert_eq!(requests[0].field("client_secret"), None);
        }
    }
}

#[test]
fn c1_certificates_that_cannot_work_are_told_before_the_request() {
    let key = key_of(CLIENT_CERTIFICATE);
    let own = certificate(&key, VALID);
    let ec = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)
        .unwrap()
        .serialize_pem();
    let of_ec = certificate(&ec, VALID);
    let not_rsa = "has a key that is not RSA, the only kind that Entra ID takes; make one with: openssl req -x509 -newkey rsa:2048";
    let encrypted =
        "has an encrypted private key; decrypt it with: openssl pkey -in <file> -out <new file>";
    let old = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,F3B047027CD307EA799B96E00A5628D1\n\nAAAA\n-----END RSA PRIVATE KEY-----\n";
    let emulator = emulator_with(&[&own]);
    for (pem, said) in [
        (pem("ENCRYPTED PRIVATE KEY", b"?") + &own, encrypted),
        (own.clone() + &pem("ENCRYPTED PRIVATE KEY", b"?"), encrypted),
        (old.to_owned() + &own, encrypted),
        (own.clone(), "has no private key; the PEM file needs both"),
        (key.clone(), "has no certificate; the PEM file needs both"),
        (pkcs1(&key), "has no certificate; the PEM file needs both"),
        (
            key.clone() + &certificate(RSA_4096, VALID),
            "has a private key and a certificate that do not belong together",
        ),
        (
            key.clone() + &certificate(&key, [2019, 2020]),
            "has a certificate that expired on 2020-01-01",
        ),
        (
            key.clone() + &certificate(&key, [2120, 2121]),
            "has a certificate that is not valid before 2120-01-01",
        ),
        (ec.clone() + &of_ec, not_rsa),
        (pem("EC PRIVATE KEY", &der(&ec)) + &of_ec, not_rsa),
        (
            RSA_1024.to_owned() + &own,
            "has an RSA key that is not of 2048 to 4096 bits",
        ),
        (
            pem("PRIVATE KEY", b"?") + &own,
            "has a private key that cannot be used",
        ),
        (
            key.clone() + &pem("CERTIFICATE", b"?"),
            "has a private key and a certificate that do not belong together",
        ),
        (key[..500].to_owned(), "names a file that is no PEM"),
        (String::new(), "has no private key"),
        ("-".repeat(2 << 20), "names a file of more than 1 MiB"),
    ] {
        world(&emulator, pem).run().fails(
            2,
            &[
                &format!("CLIENT_CERTIFICATE (from the environment) {said}"),
                "App registrations > your app > Certificates & secrets > Certificates",
            ],
        );
    }
    for (path, said) in [
        (
            "missing.pem",
            "names a file that cannot be read: No such file",
        ),
        (".", "names no plain file"),
    ] {
        world(&emulator, "")
            .env("CLIENT_CERTIFICATE", path)
            .run()
            .fails(2, &[said]);
    }
    assert!(emulator.requests().is_empty());
}

/// The header and the claims of a client assertion, as Microsoft's article on certificate credentials has them.
#[test]
fn c1_the_assertion() {
    let key = key_of(CLIENT_CERTIFICATE);
    let own = certificate(&key, VALID);
    let emulator = emulator_with(&[&own]);
    let listener = listener();
    let authority = format!("http://{}/contoso.com", listener.local_addr().unwrap());
    let world = world(&emulator, key + &own).env("AUTHORITY", &authority);
    let mut seen = Vec::new();
    for _ in 0..2 {
        let run = world.start();
        let exchange = Exchange::accept(&listener);
        assert_eq!(exchange.field("grant_type"), "client_credentials");
        assert_eq!(
            exchange.field("client_assertion_type"),
            "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
        );
        let assertion = exchange.field("client_assertion");
        exchange.answer("400 Bad Request", r#"{"error":"invalid_client"}"#);
        run.wait().fails(1, &["invalid_client"]);

        let parts: Vec<_> = assertion
            .split('.')
            .map(|part| BASE64_URL_SAFE_NO_PAD.decode(part).unwrap())
            .collect();
        let [header, claims] =
            [0, 1].map(|at| serde_json::from_slice::<Value>(&parts[at]).unwrap());
        let thumbprint = BASE64_URL_SAFE_NO_PAD.encode(digest(&SHA256, &der(&own)));
        assert_eq!(
            header,
            json!({ "alg": "PS256", "typ": "JWT", "x5t#S256": thumbprint })
        );
        assert_eq!(parts[2].len(), 256, "RSA of 2048 bits");
        assert_eq!(claims["aud"], format!("{authority}/oauth2/v2.0/token"));
        for name in ["iss", "sub"] {
            assert_eq!(claims[name], world.setting("CLIENT_ID"));
        }
        let [nbf, iat, exp] = ["nbf", "iat", "exp"].map(|name| claims[name].as_u64().unwrap());
        let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
        assert!(nbf <= now && iat <= now && now < exp, "{claims}");
        assert!((300..=600).contains(&(exp - nbf)), "{claims}");
        let id: Uuid = claims["jti"].as_str().unwrap().parse().unwrap();
        seen.push(id);
    }
    assert_ne!(seen[0], seen[1], "an id is used once");
}

/// The certificate that the app has is another one: said by Entra ID, so exit status 1.
#[test]
fn c1_a_certificate_that_is_not_uploaded() {
    let key = key_of(CLIENT_CERTIFICATE);
    let emulator = emulator_with(&[&certificate(RSA_4096, VALID)]);
    world(&emulator, key.clone() + &certificate(&key, VALID))
        .run()
        .fails(
            1,
            &[
                "Error encountered when requesting access token: invalid_client\n",
                "AADSTS700027",
                "that this very certificate is uploaded",
            ],
        );
}
