//! CT1 and CT2: where settings are read, and which of them counts.
//!
//! The `.env` in a sample's own folder is not tried here, since that folder belongs to the checkout: the test that
//! copies the samples out does that.

use std::fs;

use emulator::Emulator;
use serde_json::{Map, Value, json};

use super::{each_sample, entra_calls, graph_calls, side_by_side};
use crate::support::{SAMPLES, World};

/// Where settings come from, strongest first, and what messages call it.
pub const SOURCES: [(Source, &str); 4] = [
    (Source::Flag, "the command line"),
    (Source::Environment, "the environment"),
    (Source::DotEnv, ".env"),
    (Source::Parameters, "parameters.json"),
];

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Source {
    Flag,
    Environment,
    DotEnv,
    Parameters,
}

/// Each setting: its flag, its key in a parameters file, and the one sample that reads it (nothing: all do).
#[rustfmt::skip] // one line per setting
const SETTINGS: &[(&str, Option<&str>, Option<&str>, &str)] = &[
    ("AUTHORITY", Some("--authority"), Some("authority"), ""),
    ("CLIENT_ID", Some("--client-id"), Some("client_id"), ""),
    ("SCOPE", Some("--scope"), Some("scope"), ""),
    ("ENDPOINT", Some("--endpoint"), Some("endpoint"), ""),
    ("CLIENT_SECRET", None, Some("client_secret"), "client-credentials"),
    ("CLIENT_CERTIFICATE", None, None, "client-credentials"),
    ("AZURE_FEDERATED_TOKEN_FILE", None, None, "client-credentials"),
    ("CLIENT_OBJECTID", Some("--client-objectid"), Some("client_objectid"), "client-credentials"),
    ("AZURE_USERNAME", Some("--username"), Some("username"), "username-password"),
    ("AZURE_PASSWORD", None, Some("password"), "username-password"),
    ("REDIRECT_URI", None, None, "username-password"),
];

/// The settings that a sample reads.
pub fn settings_of(sample: &str) -> impl Iterator<Item = &'static str> {
    SETTINGS
        .iter()
        .filter(move |(.., reader)| reader.is_empty() || *reader == sample)
        .map(|(name, ..)| *name)
}

/// Whether a source can hold a setting.
pub fn can_hold(source: Source, setting: &str) -> bool {
    let (_, flag, key, _) = SETTINGS.iter().find(|(name, ..)| *name == setting).unwrap();
    match source {
        Source::Flag => flag.is_some(),
        Source::Environment | Source::DotEnv => true,
        Source::Parameters => key.is_some(),
    }
}

/// Puts settings into one source.
pub fn put(mut world: World, source: Source, settings: &[(&str, &str)]) -> World {
    let mut lines = String::new();
    let mut object = Map::new();
    for (name, value) in settings {
        let (_, flag, key, _) = SETTINGS.iter().find(|(known, ..)| known == name).unwrap();
        match source {
            Source::Flag => world = world.arg(flag.unwrap()).arg(*value),
            Source::Environment => world = world.env(name, *value),
            Source::DotEnv => lines += &format!("{name}='{value}'\n"),
            Source::Parameters => {
                object.insert(key.unwrap().to_owned(), json!(value));
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

/// Good settings for a sample, with which it succeeds.
fn good(emulator: &Emulator, sample: &str) -> Vec<(String, String)> {
    emulator.settings(sample).unwrap()
}

#[test]
fn ct1_each_source_is_read_and_hides_the_weaker_ones() {
    let rows = SAMPLES
        .iter()
        .flat_map(|sample| (0..SOURCES.len()).map(move |index| (*sample, index)));
    side_by_side(rows, |(sample, index)| {
        println!("{sample} {:?}", SOURCES[index]);
        let emulator = super::emulator();
        let mut good = good(&emulator, sample);
        if index % 2 == 1 {
            // Then the object id is what counts.
            good.retain(|(name, _)| sample != "client-credentials" || name != "ENDPOINT");
        }
        let mut world = World::empty(sample);
        for (weaker, (source, _)) in SOURCES.iter().enumerate().skip(index) {
            let value = |value| if weaker == index { value } else { "nonsense" };
            let held: Vec<_> = good
                .iter()
                .map(|(name, good)| (name.as_str(), value(good.as_str())))
                .filter(|(name, _)| can_hold(*source, name))
                .collect();
            world = put(world, *source, &held);
        }
        // A secret has no flag: there the next source has it.
        let missing: Vec<_> = good
            .iter()
            .filter(|(name, _)| !can_hold(SOURCES[index].0, name))
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        put(world, Source::Environment, &missing).run().json();
    });
}

#[test]
fn ct1_a_blank_value_counts_in_each_source() {
    each_sample(|emulator, sample| {
        for setting in settings_of(sample) {
            for (index, (source, called)) in SOURCES.iter().enumerate() {
                if !can_hold(*source, setting) {
                    continue;
                }
                println!("{sample} {setting} {source:?}");
                let mut world = World::at(emulator, sample).without(setting);
                if setting == "CLIENT_OBJECTID" {
                    world = world.without("ENDPOINT");
                }
                world = put(world, *source, &[(setting, " \t")]);
                for (weaker, _) in &SOURCES[index + 1..] {
                    let good = good(emulator, sample);
                    let good = good.iter().find(|(name, _)| name == setting);
                    if let Some((_, good)) = good.filter(|_| can_hold(*weaker, setting)) {
                        world = put(world, *weaker, &[(setting, good)]);
                    }
                }
                let said = format!("{setting} (from {called}) is blank");
                world.run().fails(2, &[&said]);
            }
        }
        assert!(emulator.requests().is_empty());
    });
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
    each_sample(|emulator, sample| {
        for (setting, _, key, _) in SETTINGS {
            let Some(key) = key else { continue };
            for value in &wrong {
                if *setting == "SCOPE" && *value == json!(["text"]) {
                    continue; // the one setting that may be a list
                }
                println!("{sample} {key} {value}");
                // The environment has good values for everything, which does not help.
                let world = parameters(World::at(emulator, sample), &json!({ *key: value }));
                world
                    .run()
                    .fails(2, &["parameters.json", &format!("\"{key}\"")]);
            }
        }
        assert!(emulator.requests().is_empty());
    });
}

#[test]
fn ct1_a_parameters_file_that_is_none() {
    let rows: [(&[u8], &str); 6] = [
        (b"", "line 1 column 0"),
        (b"{\n  \"scope\": [,]\n}", "line 2 column 13"),
        (b"[]", "no object"),
        (b"\"text\"", "no object"),
        (b"{\"scope\": \"\xff\"}", "UTF-8"),
        (&[b' '; (1 << 20) + 1], "larger than 1 MiB"),
    ];
    each_sample(|emulator, sample| {
        for (content, said) in rows {
            println!("{sample} {said}");
            let world = World::at(emulator, sample).file("parameters.json", content);
            let world = world.arg("parameters.json");
            world.run().fails(2, &["parameters.json", said]);
        }
        let world = World::at(emulator, sample).arg("missing.json");
        world.run().fails(2, &["missing.json", "cannot be read"]);
        assert!(emulator.requests().is_empty());
    });
}

#[test]
fn ct1_scopes_are_a_list_or_a_string_and_unknown_keys_are_ignored() {
    let rows = [
        json!("User.Read User.ReadBasic.All"),
        json!(["User.Read", "User.ReadBasic.All"]),
    ];
    each_sample(|emulator, sample| {
        for scopes in &rows {
            println!("{sample} {scopes}");
            super::anew(emulator);
            let endpoint = super::first_endpoint(sample);
            emulator.fault(&format!("{endpoint}:error=enough")).unwrap();
            let json = json!({
                "scope": scopes,
                "comment": ["anything", 1, null],
                "CLIENT_ID": "not this spelling",
                "redirect_uri": 1,
            });
            let world = parameters(World::at(emulator, sample).without("SCOPE"), &json);
            world.run().fails(1, &["error"]);
            let asked = entra_calls(emulator)[0].field("scope").unwrap().to_owned();
            for scope in ["User.Read", "User.ReadBasic.All"] {
                assert!(asked.split(' ').any(|asked| asked == scope), "{asked}");
            }
        }
    });
}

#[test]
fn ct1_no_parameters_file_is_needed_nor_two_of_them() {
    each_sample(|emulator, sample| {
        let world = World::at(emulator, sample)
            .file("a.json", "{}")
            .arg("a.json");
        world.run().json();
        let world = world.file("b.json", "{}").arg("b.json");
        world.run().fails(2, &["b.json"]);
    });
}

#[test]
fn ct1_secrets_have_no_flag() {
    let flags = [
        "--client-secret",
        "--password",
        "--azure-password",
        "--secret",
    ];
    each_sample(|emulator, sample| {
        for flag in flags {
            println!("{sample} {flag}");
            let world = World::at(emulator, sample).arg(flag).arg("text");
            world.run().fails(2, &["unexpected argument"]);
        }
        assert!(emulator.requests().is_empty());
    });
}

#[test]
fn ct2_the_syntax_of_dot_env() {
    each_sample(|emulator, sample| {
        let mut lines = String::from("# a comment\n\nUNKNOWN=x\n");
        for (number, (name, value)) in good(emulator, sample).into_iter().enumerate() {
            lines += &match number % 4 {
                0 => format!("export {name}=\"{value}\" # a comment\n"),
                1 => format!("{name} = '{value}'\n"),
                2 => format!("PART_OF_IT='{value}'\n{name}=\"${{PART_OF_IT}}\"\n"),
                _ => format!("  {name}={value}  # a comment\n\n"),
            };
        }
        for lines in [lines.clone(), lines.replace('\n', "\r\n")] {
            println!("{sample} {lines}");
            let world = World::empty(sample).file(".env", lines).arg("--no-cache");
            world.run().json();
        }
    });
}

#[test]
fn ct2_what_is_no_dot_env() {
    each_sample(|emulator, sample| {
        let world = World::at(emulator, sample);
        let broken = "SCOPE=User.Read\nCLIENT_SECRET is hush-hush\n";
        let outcome = world.file(".env", broken).run();
        outcome
            .fails(2, &[".env: line 2"])
            .says_times(0, "hush-hush");
        for value in [
            r"C:\hush-hush",
            r#""C:\hush-hush""#,
            "hush-hush User.Read",
            "'hush-hush",
        ] {
            let lines = format!("# hush-hush\nNOTES='two\nlines'\n\nSCOPE={value}\nX=y\n");
            let outcome = World::at(emulator, sample).file(".env", lines).run();
            outcome
                .fails(2, &[".env: line 5", "single quotes"])
                .says_times(0, "hush-hush");
        }
        let world = World::at(emulator, sample).file(".env", b"SCOPE=\xff");
        world.run().fails(2, &[".env", "UTF-8"]);
        assert!(emulator.requests().is_empty());

        // A folder of this name is somebody else's.
        let world = World::at(emulator, sample);
        fs::create_dir(world.work().join(".env")).unwrap();
        world.run().json();
    });
}

#[test]
fn ct2_dot_env_of_a_parent_folder_is_not_read() {
    each_sample(|emulator, sample| {
        let world = World::at(emulator, sample);
        let parent = world.work().join("../.env");
        fs::write(parent, "AUTHORITY=nonsense\nSCOPE= \nthis is no line\n").unwrap();
        let authority = world.setting("AUTHORITY");
        let world = world.without("SCOPE").without("AUTHORITY");
        world.run().fails(2, &["AUTHORITY is not set"]);
        world.env("AUTHORITY", authority).run().json();
        assert_eq!(graph_calls(emulator).len(), 1);
    });
}
