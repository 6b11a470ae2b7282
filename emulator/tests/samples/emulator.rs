//! The emulator itself, over real sockets and with a plain client: what unmodified libraries of many languages were
//! seen to need, line by line. The numbers in the names of the tests are those of the lines in that list.
//!
//! A table is a loop over rows; a message names the row that failed.

mod admin;
mod assertions;
mod authorize;
mod client;
mod commands;
mod device_code;
mod errors;
mod faults;
mod fuzz;
mod graph;
mod home;
mod limits;
mod metadata;
mod pages;
mod seed_data;
mod single_page;
mod token;

use std::collections::BTreeMap;

use emulator::{Emulator, Options};

use crate::support::{EMPLOYEE, EMPLOYEE_PASSWORD};
use client::{Client, query};

/// The first tenant of the seed data, and the second one.
const CONTOSO: &str = "4a57a7e8-ecf1-46e6-a830-f85f9364eed3";
const FABRIKAM: &str = "ac323c26-a370-4145-a726-2b3a827b2185";
/// RFC 7636, appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
/// Where the web sample's answers go.
const REDIRECT_URI: &str = "http://localhost:5000/getAToken";

/// An emulator, and a client over http.
fn start(options: Options) -> (Emulator, Client) {
    let emulator = Emulator::start(options).unwrap();
    let client = Client::http(&emulator);
    (emulator, client)
}

/// The same with Contoso Employee signed in to everything at once.
fn signing_in() -> (Emulator, Client) {
    start(Options {
        auto_sign_in: Some(EMPLOYEE.into()),
        ..Options::default()
    })
}

/// Tries it over http and over TLS, at one emulator.
fn over_both(check: impl Fn(&Emulator, &Client)) {
    let emulator = Emulator::start(Options {
        tls: true,
        auto_sign_in: Some(EMPLOYEE.into()),
        ..Options::default()
    })
    .unwrap();
    check(&emulator, &Client::http(&emulator));
    check(&emulator, &Client::tls(&emulator));
}

/// An application's settings.
fn settings(emulator: &Emulator, key: &str) -> BTreeMap<String, String> {
    emulator.settings(key).unwrap().into_iter().collect()
}

fn client_id(emulator: &Emulator, key: &str) -> String {
    settings(emulator, key)["CLIENT_ID"].clone()
}

/// The fields of a password grant for Contoso Employee.
fn password_grant<'a>(client_id: &'a str, scope: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("client_id", client_id),
        ("grant_type", "password"),
        ("username", EMPLOYEE),
        ("password", EMPLOYEE_PASSWORD),
        ("scope", scope),
    ]
}

/// An authorization request of the web sample; what comes first counts.
fn authorize(emulator: &Emulator, more: &[(&str, &str)]) -> String {
    let id = client_id(emulator, "flask-equivalent-web");
    let mut fields = more.to_vec();
    fields.extend([
        ("client_id", id.as_str()),
        ("response_type", "code"),
        ("redirect_uri", REDIRECT_URI),
        ("scope", "openid offline_access User.Read"),
        ("state", "a state & more"),
        ("nonce", "a nonce"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ]);
    format!("/contoso.com/oauth2/v2.0/authorize?{}", query(&fields))
}

/// The fields by which the web sample redeems a code.
fn redemption<'a>(
    settings: &'a BTreeMap<String, String>,
    code: &'a str,
) -> Vec<(&'a str, &'a str)> {
    vec![
        ("client_id", &settings["CLIENT_ID"]),
        ("client_secret", &settings["CLIENT_SECRET"]),
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", REDIRECT_URI),
        ("code_verifier", VERIFIER),
    ]
}

/// The fields with one of them changed, or left out if the value is empty.
fn with<'a>(
    fields: &[(&'a str, &'a str)],
    name: &'a str,
    value: &'a str,
) -> Vec<(&'a str, &'a str)> {
    let mut fields: Vec<_> = fields
        .iter()
        .filter(|(field, _)| *field != name)
        .copied()
        .collect();
    if !value.is_empty() {
        fields.push((name, value));
    }
    fields
}
