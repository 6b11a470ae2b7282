//! The Python samples that this workspace is modelled on, step by step and with the cloud's own addresses.

use emulator::{Emulator, Options};
use serde_json::{Value, json};

use super::{
    cloud::{self, proxy},
    run, tls,
};
use crate::support::{EMPLOYEE, EMPLOYEE_PASSWORD, World};

/// Seed 000: the profile of the user who has typed the code in.
#[test]
fn device_code() {
    let parameters = json!({
        "authority": "https://login.microsoftonline.com/contoso.com",
        "scope": ["User.Read"],
        "endpoint": "https://graph.microsoft.com/v1.0/me",
    });
    if let Some(me) = printed("device-code", "device-code", parameters) {
        assert_eq!(me["displayName"], "Contoso Employee");
    }
}

/// Seed 001: an application for the accounts of any organization lists the users.
#[test]
fn device_code_at_common() {
    let parameters = json!({
        "authority": "https://login.microsoftonline.com/common",
        "scope": ["User.ReadBasic.All"],
        "endpoint": "https://graph.microsoft.com/v1.0/users",
    });
    if let Some(users) = printed("device-code", "device-code-any-account", parameters) {
        assert_eq!(users["value"][0]["displayName"], "Contoso Employee");
    }
}

/// Seed 002: the application looks itself up.
#[test]
fn client_credentials() {
    let parameters = json!({ "authority": "https://login.microsoftonline.com/contoso.com" });
    if let Some(application) = printed("client-credentials", "client-credentials", parameters) {
        assert_eq!(application["displayName"], "python-cli");
    }
}

/// Seed 003: the users, by the password of one of them.
#[test]
fn username_password() {
    let parameters = json!({
        "authority": "https://login.microsoftonline.com/organizations",
        "username": EMPLOYEE,
        "password": EMPLOYEE_PASSWORD,
        "scope": ["User.ReadBasic.All"],
        "endpoint": "https://graph.microsoft.com/v1.0/users",
    });
    if let Some(users) = printed("username-password", "username-password", parameters) {
        assert_eq!(users["value"][0]["displayName"], "Contoso Employee");
    }
}

/// Seed 004: sign-in, an API call and the sign-out of the web app.
#[test]
fn flask_web_app() {
    let parameters = json!({
        "authority": "https://login.microsoftonline.com/4a57a7e8-ecf1-46e6-a830-f85f9364eed3",
        "endpoint": "https://graph.microsoft.com/v1.0/me",
    });
    if let Some(me) = printed("flask-web-app", "flask-equivalent-web", parameters) {
        assert_eq!(me["displayName"], "Contoso Employee");
    }
}

/// What the sample prints with these parameters and the ids and the secret of this application.
fn printed(sample: &str, application: &str, mut parameters: Value) -> Option<Value> {
    let emulator = Emulator::start(Options {
        // A browser is shown the pages; a device code is typed in by nobody.
        auto_sign_in: (sample == "device-code").then(|| EMPLOYEE.to_owned()),
        tls_names: cloud::HOSTS.map(str::to_owned).into(),
        ..tls(Options::default())
    })
    .unwrap();
    for (name, value) in emulator.settings(application).unwrap() {
        if name.starts_with("CLIENT_") {
            parameters[name.to_lowercase()] = json!(value);
        }
    }
    let world = World::empty("device-code")
        .file("parameters.json", parameters.to_string())
        .env("HTTPS_PROXY", proxy(&emulator))
        .env("NO_PROXY", "localhost")
        .arg(sample)
        .arg("parameters.json");
    Some(run(&emulator, world, "originals.py")?.json())
}
