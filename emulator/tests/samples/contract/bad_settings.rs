//! CT5: a setting that cannot be right ends the program before it has sent anything.

use std::{ffi::OsStr, fs, os::unix::ffi::OsStrExt};

use emulator::{Emulator, Options};
use serde_json::Value;

use super::{
    each_sample,
    settings::{Source, can_hold, put, settings_of},
    until,
};
use crate::support::{EMPLOYEE, Running, World, workspace};

/// Values that cannot be right, and what is said of them. `{base}` is the emulator's address.
#[rustfmt::skip] // one line per row
const BAD: &[(&str, &str, &str)] = &[
    ("AUTHORITY", "", "is blank"),
    ("AUTHORITY", "  ", "is blank"),
    ("AUTHORITY", "Enter_the_Authority_Here", "is still a placeholder"),
    ("AUTHORITY", "https://login.microsoftonline.com/Enter_the_Tenant_Id_Here", "is still a placeholder"),
    ("AUTHORITY", "https://login.microsoftonline.com/your_tenant", "is still a placeholder"),
    ("AUTHORITY", "https://login.microsoftonline.com/<tenant>", "is still a placeholder"),
    ("AUTHORITY", "contoso.com", "is no URL"),
    ("AUTHORITY", "ftp://127.0.0.1/contoso.com", "is no https URL"),
    ("AUTHORITY", "{base}", "names no tenant"),
    ("AUTHORITY", "{base}/", "names no tenant"),
    ("AUTHORITY", "https://login.microsoftonline.com", "names no tenant"),
    ("AUTHORITY", "https://me@login.microsoftonline.com/contoso.com", "has a user name"),
    ("AUTHORITY", "https://me:pass@login.microsoftonline.com/contoso.com", "has a user name"),
    ("AUTHORITY", "{base}/contoso.com?p=1", "has a query"),
    ("AUTHORITY", "{base}/contoso.com#p", "has a query or a fragment"),
    ("AUTHORITY", "{base}/contoso.com/v2.0", "has more path than a tenant"),
    ("AUTHORITY", "{base}/contoso.com/oauth2/v2.0/token", "has more path than a tenant"),
    ("AUTHORITY", "{base}/..%2fcontoso.com", "is no tenant"),
    ("CLIENT_ID", "", "is blank"),
    ("CLIENT_ID", "Enter_the_Application_Id_Here", "is still a placeholder"),
    ("CLIENT_ID", "your_client_id", "is still a placeholder"),
    ("CLIENT_ID", "<client id>", "is still a placeholder"),
    ("CLIENT_ID", "my-app", "is no GUID"),
    ("CLIENT_ID", "59c06144a6684828 9ca8ed6e117c8344", "is no GUID"),
    ("CLIENT_ID", "{59c06144-a668-4828-9ca8-ed6e117c8344}", "is no GUID"),
    ("SCOPE", "", "is blank"),
    ("SCOPE", "your_scopes", "is still a placeholder"),
    ("ENDPOINT", "", "is blank"),
    ("ENDPOINT", "<url>", "is still a placeholder"),
    ("ENDPOINT", "/v1.0/me", "is no URL"),
    ("ENDPOINT", "https://me@graph.microsoft.com/v1.0/me", "has a user name"),
    ("CLIENT_SECRET", "", "is blank"),
    ("CLIENT_SECRET", "Enter_the_Client_Secret_Here", "is still a placeholder"),
    ("CLIENT_SECRET", "your_secret", "is still a placeholder"),
    ("CLIENT_SECRET", "322eccf0-599b-4ccb-9815-595f3b7fee63", "that is the Secret ID, not its Value"),
    ("CLIENT_CERTIFICATE", "missing.pem", "names a file that cannot be read"),
    ("CLIENT_CERTIFICATE", ".", "names no plain file"),
    ("CLIENT_CERTIFICATE", "text.txt", "has no private key"),
    ("CLIENT_CERTIFICATE", "key.pem", "has no certificate"),
    ("CLIENT_CERTIFICATE", "certificate.pem", "has no private key"),
    ("CLIENT_CERTIFICATE", "pair.pem", "do not belong together"),
    ("CLIENT_CERTIFICATE", "encrypted.pem", "has an encrypted private key"),
    ("CLIENT_CERTIFICATE", "elliptic.pem", "is not RSA"),
    ("CLIENT_CERTIFICATE", "broken.pem", "names a file that is no PEM"),
    ("AZURE_FEDERATED_TOKEN_FILE", "missing.jwt", "names a file that cannot be read"),
    ("AZURE_FEDERATED_TOKEN_FILE", ".", "names no plain file"),
    ("AZURE_FEDERATED_TOKEN_FILE", "empty.jwt", "names an empty file"),
    ("CLIENT_OBJECTID", "", "is blank"),
    ("CLIENT_OBJECTID", "<object id>", "is still a placeholder"),
    ("CLIENT_OBJECTID", "my-app", "is no GUID"),
    ("AZURE_USERNAME", "", "is blank"),
    ("AZURE_USERNAME", "your_user_name", "is still a placeholder"),
    ("AZURE_PASSWORD", "", "is blank"),
    ("AZURE_PASSWORD", "Enter_the_Password_Here", "is still a placeholder"),
    ("AZURE_PASSWORD", "<password>", "is still a placeholder"),
    ("REDIRECT_URI", "", "is blank"),
    ("REDIRECT_URI", "nativeclient", "is no URL"),
];

#[test]
fn ct5_bad_values() {
    each_sample(|emulator, sample| {
        for (setting, value, problem) in BAD {
            if !settings_of(sample).any(|name| name == *setting) {
                continue;
            }
            let value = value.replace("{base}", emulator.url());
            for (source, called) in [
                (Source::Environment, "the environment"),
                (Source::Parameters, "parameters.json"),
            ] {
                if !can_hold(source, setting) {
                    continue;
                }
                println!("{sample} {setting}={value} {source:?}");
                let world = with_files(without(World::at(emulator, sample), setting));
                let outcome = put(world, source, &[(setting, &value)]).run();
                let said = format!("{setting} (from {called}) ");
                outcome.fails(2, &[&said, problem, "Microsoft Entra admin center"]);
                let is_secret = setting.ends_with("SECRET") || setting.ends_with("PASSWORD");
                if is_secret && !value.is_empty() {
                    outcome.says_times(0, &value);
                }
            }
        }
        assert!(emulator.requests().is_empty());
    });
}

/// The world without a setting, and without what would stand in for it.
fn without(world: World, setting: &str) -> World {
    match setting {
        "CLIENT_CERTIFICATE" | "AZURE_FEDERATED_TOKEN_FILE" => world.without("CLIENT_SECRET"),
        "CLIENT_OBJECTID" => world.without("ENDPOINT").without(setting),
        _ => world.without(setting),
    }
}

/// Files that are no credentials.
fn with_files(world: World) -> World {
    let read = |name: &str| fs::read_to_string(workspace().join("emulator/keys").join(name));
    let own = read("client.pem").unwrap();
    let other = read("federated-issuer.pem").unwrap();
    let begin = "-----BEGIN CERTIFICATE-----";
    let parts = |pem: &str| {
        let certificate = pem.find(begin).unwrap();
        let end = pem.find("-----END CERTIFICATE-----").unwrap() + 26;
        let key: String = [&pem[..certificate], &pem[end.min(pem.len())..]].concat();
        (key, pem[certificate..end.min(pem.len())].to_owned())
    };
    let ((key, certificate), (_, other)) = (parts(&own), parts(&other));
    let elliptic = "-----BEGIN EC PRIVATE KEY-----\nMAA=\n-----END EC PRIVATE KEY-----\n";
    world
        .file("text.txt", "text")
        .file("empty.jwt", " \n")
        .file("key.pem", &key)
        .file("certificate.pem", &certificate)
        .file("pair.pem", format!("{key}\n{other}"))
        .file("encrypted.pem", own.replace("PRIVATE", "ENCRYPTED PRIVATE"))
        .file("elliptic.pem", format!("{elliptic}{certificate}"))
        .file("broken.pem", "-----BEGIN CERTIFICATE-----\n!\n")
}

#[test]
fn ct5_missing_values() {
    each_sample(|emulator, sample| {
        let needed = match sample {
            "device-code" => &["AUTHORITY", "CLIENT_ID"][..],
            "client-credentials" => &["AUTHORITY", "CLIENT_ID", "CLIENT_SECRET", "CLIENT_OBJECTID"],
            _ => &["AUTHORITY", "CLIENT_ID", "AZURE_USERNAME"],
        };
        for setting in needed {
            println!("{sample} {setting}");
            let outcome = without(World::at(emulator, sample), setting)
                .without(setting)
                .run();
            let said = format!("{setting} is not set");
            outcome.fails(2, &[&said, "Microsoft Entra admin center", "environment"]);
        }
        World::empty(sample).run().fails(2, &["is not set"]);
        assert!(emulator.requests().is_empty());
    });
}

#[test]
fn ct5_a_value_that_is_no_text() {
    each_sample(|emulator, sample| {
        for setting in settings_of(sample) {
            println!("{sample} {setting}");
            let world = without(World::at(emulator, sample), setting);
            let outcome = world.run_with(|command| {
                command.env(setting, OsStr::from_bytes(b"\xff"));
            });
            let said = format!("{setting} (from the environment) is not valid Unicode");
            outcome.fails(2, &[&said, "Microsoft Entra admin center"]);
        }
        assert!(emulator.requests().is_empty());
    });
}

#[test]
fn ct5_no_password_and_no_terminal() {
    let emulator = super::emulator();
    let world = World::at(&emulator, "username-password").without("AZURE_PASSWORD");
    world
        .run()
        .fails(2, &["AZURE_PASSWORD", "--password-stdin"]);
    let world = world.arg("--password-stdin").stdin("\n");
    world.run().fails(2, &["The password from stdin is empty"]);
    assert!(emulator.requests().is_empty());
}

#[test]
fn ct5_several_accounts_and_no_choice() {
    let emulator = Emulator::start(Options {
        device_code_interval: Some(1),
        ..Options::default()
    })
    .unwrap();
    let world = World::at(&emulator, "device-code");
    let users = [EMPLOYEE, "contoso_manager@contoso.com"];
    for user in users {
        let mut command = world.command();
        command.args(["--account", user]);
        let running = Running::start(command, b"");
        until("a code", || !emulator.pending_codes().is_empty());
        emulator
            .sign_in(&emulator.pending_codes()[0], user)
            .unwrap();
        let profile: Value = running.wait().json();
        assert_eq!(profile["userPrincipalName"], user);
    }
    emulator.clear_requests();
    world.run().fails(2, &[users[0], users[1], "--account"]);
    assert!(emulator.requests().is_empty());
}
