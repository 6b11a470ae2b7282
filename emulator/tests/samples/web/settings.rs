//! CT1: where the web sample's settings are read, and which of them counts.

use serde_json::{Map, Value, json};

use super::*;
use crate::support::side_by_side;

/// Each setting, its flag, and its key in a parameters file.
#[rustfmt::skip] // one line per setting
const SETTINGS: &[(&str, Option<&str>, &str)] = &[
    ("AUTHORITY", Some("--authority"), "authority"),
    ("CLIENT_ID", Some("--client-id"), "client_id"),
    ("CLIENT_SECRET", None, "client_secret"),
    ("CLIENT_CERTIFICATE", Some("--client-certificate"), "client_certificate"),
    ("SCOPE", Some("--scope"), "scope"),
    ("ENDPOINT", Some("--endpoint"), "endpoint"),
    ("REDIRECT_URI", Some("--redirect-uri"), "redirect_uri"),
    ("OIDC_AUTHORITY", Some("--oidc-authority"), "oidc_authority"),
    ("B2C_TENANT_NAME", Some("--b2c-tenant-name"), "b2c_tenant_name"),
    ("SIGNUPSIGNIN_USER_FLOW", Some("--signupsignin-user-flow"), "signupsignin_user_flow"),
    ("EDITPROFILE_USER_FLOW", Some("--editprofile-user-flow"), "editprofile_user_flow"),
    ("RESETPASSWORD_USER_FLOW", Some("--resetpassword-user-flow"), "resetpassword_user_flow"),
    ("SESSION_STORE", Some("--session-store"), "session_store"),
    ("TRUST_FORWARDED_HEADERS", None, "trust_forwarded_headers"), // its flag has no value
];

/// Where settings come from, strongest first, and what messages call it.
const SOURCES: [(Source, &str); 4] = [
    (Source::Flag, "the command line"),
    (Source::Environment, "the environment"),
    (Source::DotEnv, ".env"),
    (Source::Parameters, "parameters.json"),
];

#[derive(Clone, Copy, Debug, PartialEq)]
enum Source {
    Flag,
    Environment,
    DotEnv,
    Parameters,
}

fn can_hold(source: Source, setting: &str) -> bool {
    source != Source::Flag || flag(setting).is_some()
}

fn flag(setting: &str) -> Option<&'static str> {
    let (_, flag, _) = SETTINGS.iter().find(|(name, ..)| *name == setting).unwrap();
    *flag
}

fn key(setting: &str) -> &'static str {
    let (_, _, key) = SETTINGS.iter().find(|(name, ..)| *name == setting).unwrap();
    key
}

/// Puts settings into one source.
fn put(mut world: World, source: Source, settings: &[(String, String)]) -> World {
    let (mut lines, mut object) = (String::new(), Map::new());
    for (name, value) in settings {
        match source {
            Source::Flag => world = world.arg(flag(name).unwrap()).arg(value),
            Source::Environment => world = world.env(name, value),
            Source::DotEnv => lines += &format!("{name}='{value}'\n"),
            Source::Parameters => {
                object.insert(key(name).to_owned(), json!(value));
            }
        }
    }
    match source {
        Source::Flag | Source::Environment => world,
        Source::DotEnv => world.file(".env", lines),
        Source::Parameters => parameters(world, &object.into()),
    }
}

fn parameters(world: World, json: &Value) -> World {
    world
        .file("parameters.json", json.to_string())
        .arg("parameters.json")
}

#[test]
fn ct1_each_source_is_read_and_hides_the_weaker_ones() {
    let rows: Vec<_> = ["", "-b2c", "-oidc"]
        .iter()
        .flat_map(|kind| (0..SOURCES.len()).map(move |index| (*kind, index)))
        .collect();
    side_by_side(&rows, |(kind, index)| {
        let emulator = emulator();
        let application = format!("{SAMPLE}{kind}");
        let mut good = emulator.settings(&application).unwrap();
        for (name, value) in &mut good {
            if name == "REDIRECT_URI" {
                // Another port than the default, at which the app says so.
                "http://localhost:5001/getAToken".clone_into(value);
            }
        }
        let mut world = World::empty(SAMPLE);
        for (weaker, (source, _)) in SOURCES.iter().enumerate().skip(*index) {
            let held = good.iter().filter(|(name, _)| can_hold(*source, name));
            let held: Vec<_> = held
                .map(|(name, good)| match weaker == *index {
                    true => (name.clone(), good.clone()),
                    false => (name.clone(), "nonsense".to_owned()),
                })
                .collect();
            world = put(world, *source, &held);
        }
        // A secret has no flag: there the next source has it.
        let missing = good
            .iter()
            .filter(|(name, _)| !can_hold(SOURCES[*index].0, name));
        let missing: Vec<_> = missing.cloned().collect();
        let mut app = App::of(put(world, Source::Environment, &missing));
        app.says("REDIRECT_URI (http://localhost:5001/getAToken)");
        app.origin = "http://localhost:5001".into();
        let mut browser = Browser::new(&app);
        browser.visit("/").shows(200, "Welcome");
        browser.visit("/call_api").shows(200, "API Response");
    });
}

#[test]
fn ct1_a_blank_value_counts_in_each_source() {
    let emulator = emulator();
    let rows: Vec<_> = SETTINGS
        .iter()
        .flat_map(|(setting, ..)| SOURCES.map(|(source, called)| (*setting, source, called)))
        .filter(|(setting, source, _)| can_hold(*source, setting))
        .collect();
    for rows in rows.chunks(8) {
        side_by_side(rows, |(setting, source, called)| {
            let application = match setting.contains("B2C") || setting.contains("USER_FLOW") {
                true => "flask-equivalent-web-b2c",
                false => SAMPLE,
            };
            let mut world = world_of(&emulator, application)
                .env("REDIRECT_URI", "http://localhost:5000/getAToken")
                .without(setting);
            if *setting == "CLIENT_CERTIFICATE" {
                world = world.without("CLIENT_SECRET");
            }
            if *setting == "OIDC_AUTHORITY" {
                world = world.without("AUTHORITY");
            }
            let blank = [((*setting).to_owned(), " \t".to_owned())];
            world = put(world, *source, &blank);
            let said = format!("{setting} (from {called}) is blank");
            world.run().fails(2, &[&said]);
        });
    }
    assert!(emulator.requests().is_empty());
}

#[test]
fn ct1_a_parameters_file_takes_only_the_right_types() {
    let wrong = [
        json!(1),
        json!(null),
        json!(true),
        json!({}),
        json!(["text"]),
        json!(["User.Read", 1]),
    ];
    let emulator = emulator();
    side_by_side(SETTINGS, |(setting, _, key)| {
        for value in &wrong {
            if *setting == "SCOPE" && *value == json!(["text"]) {
                continue; // the one setting that may be a list
            }
            // The environment has good values for everything, which does not help.
            let world = parameters(world(&emulator), &json!({ *key: value }));
            world
                .run()
                .fails(2, &["parameters.json", &format!("\"{key}\"")]);
        }
    });
    assert!(emulator.requests().is_empty());
}

#[test]
fn ct1_a_parameters_file_that_is_none() {
    let emulator = emulator();
    let rows: [(&[u8], &str); 4] = [
        (b"", "line 1 column 0"),
        (b"{\n  \"scope\": [,]\n}", "line 2 column 13"),
        (b"[]", "no object"),
        (b"{\"scope\": \"\xff\"}", "UTF-8"),
    ];
    for (content, said) in rows {
        let world = world(&emulator).file("parameters.json", content);
        world
            .arg("parameters.json")
            .run()
            .fails(2, &["parameters.json", said]);
    }
    let outcome = world(&emulator).arg("missing.json").run();
    outcome.fails(2, &["missing.json", "cannot be read"]);
    // What it does not know it takes no notice of.
    let json = json!({ "comment": [1, null], "CLIENT_ID": "not this spelling", "port": 1 });
    App::of(parameters(world(&emulator), &json));
}
