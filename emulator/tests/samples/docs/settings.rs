//! docs/configuration.md: what the programs themselves say of their settings. Flags are read from `--help`; the rest is
//! found out by running them: a sample that reads a setting complains of a blank one, and says what it is.

use std::{fmt::Write, sync::OnceLock};

use emulator::{Emulator, settings::NAMES};

use super::replay::SAMPLES;
use crate::{
    support::{Running, World, emulator, until},
    web::{App, Browser},
};

/// An option of `--help`.
struct Flag {
    /// As it is typed.
    usage: String,
    /// What it does.
    words: String,
    /// The setting that it stands for.
    setting: Option<String>,
}

fn flags(sample: &'static str) -> &'static [Flag] {
    static ALL: [OnceLock<Vec<Flag>>; 4] = [const { OnceLock::new() }; 4];
    let index = SAMPLES.iter().position(|name| *name == sample).unwrap();
    ALL[index].get_or_init(|| read_flags(sample))
}

fn read_flags(sample: &'static str) -> Vec<Flag> {
    let help = World::empty(sample).arg("--help").run().stdout;
    let (_, options) = help.split_once("Options:\n").unwrap();
    let mut flags: Vec<Flag> = Vec::new();
    for line in options.lines().map(str::trim) {
        if line.starts_with('-') {
            let (usage, words) = line.split_once("  ").unwrap_or((line, ""));
            flags.push(Flag {
                usage: usage.to_owned(),
                words: words.trim().to_owned(),
                setting: None,
            });
        } else if let Some(flag) = flags.last_mut() {
            flag.words += line;
        }
    }
    for flag in &mut flags {
        let found = flag
            .words
            .strip_suffix(']')
            .and_then(|words| words.split_once(" [setting: "));
        if let Some((words, setting)) = found.map(|(a, b)| (a.to_owned(), b.to_owned())) {
            (flag.words, flag.setting) = (words, Some(setting));
        }
    }
    flags
}

fn flag_of(sample: &'static str, setting: &str) -> Option<&'static Flag> {
    flags(sample)
        .iter()
        .find(|flag| flag.setting.as_deref() == Some(setting))
}

/// A world with all that the sample needs, and nothing that has a default.
fn world(emulator: &Emulator, sample: &'static str, setting: &str) -> World {
    let application = match setting {
        "B2C_TENANT_NAME" => "flask-equivalent-web-b2c",
        setting if setting.ends_with("_USER_FLOW") => "flask-equivalent-web-b2c",
        _ => sample,
    };
    let world = World::registered_as(emulator, sample, application)
        .without("SCOPE")
        .without("ENDPOINT")
        .without("REDIRECT_URI");
    match sample {
        "flask-equivalent-web" => world.arg("--port").arg("0"),
        _ => world,
    }
}

/// What it says until it ends, or until it serves.
fn said(sample: &'static str, setting: &str, change: impl FnOnce(World) -> World) -> String {
    let emulator = emulator();
    let world = change(world(&emulator, sample, setting));
    let mut running: Running = world.start();
    until("its word", || {
        (running.has_ended() || running.stderr().contains("Open http")).then_some(())
    });
    match running.has_ended() {
        true => running.wait().stderr,
        false => running.stderr(),
    }
}

/// What the sample calls this setting, if it reads it.
fn meaning(sample: &'static str, setting: &str) -> Option<String> {
    let said = said(sample, setting, |world| world.env(setting, " "));
    let complaint = format!("{setting} (from the environment) is blank.\nIt is ");
    let (_, rest) = said.split_once(&complaint)?;
    Some(rest.lines().next()?.trim_end_matches('.').to_owned())
}

/// A secret has no flag, so that only a blank value tells whether it is read.
fn is_secret(setting: &str) -> bool {
    SAMPLES
        .iter()
        .all(|sample| flag_of(sample, setting).is_none())
}

fn reads(sample: &'static str, setting: &str) -> bool {
    flag_of(sample, setting).is_some() || (is_secret(setting) && meaning(sample, setting).is_some())
}

/// The key of a parameters file that gives the sample this setting.
fn key(sample: &'static str, setting: &str) -> Option<String> {
    let lower = setting.to_lowercase();
    let candidates = [lower.trim_start_matches("azure_"), &lower];
    let is_key = |key: &&str| {
        let said = said(sample, setting, |world| {
            world
                .without(setting)
                .file("parameters.json", format!("{{\"{key}\": \" \"}}"))
                .arg("parameters.json")
        });
        said.contains(&format!("{setting} (from parameters.json) is blank"))
    };
    candidates.into_iter().find(is_key).map(str::to_owned)
}

fn is_needed(sample: &'static str, setting: &str) -> bool {
    let said = said(sample, setting, |world| world.without(setting));
    said.contains(&format!("{setting} is not set"))
}

/// What a sample uses for SCOPE, ENDPOINT and REDIRECT_URI when nobody says so: what it sends.
fn defaults(sample: &'static str) -> Vec<(&'static str, String)> {
    let emulator = emulator();
    let world = World::at(&emulator, sample)
        .without("SCOPE")
        .without("ENDPOINT")
        .without("REDIRECT_URI");
    let object_id = match sample {
        "client-credentials" => world.setting("CLIENT_OBJECTID"),
        _ => "-".into(),
    };
    match sample {
        "flask-equivalent-web" => {
            let app = App::of(world);
            Browser::new(&app)
                .visit("/call_api")
                .shows(200, "API Response");
        }
        _ => drop(world.run().json()),
    }
    let requests = emulator.requests();
    let sent = |name: &str| {
        requests
            .iter()
            .find_map(|request| request.field(name).or(request.parameter(name)))
            .map(str::to_owned)
    };
    let scope = sent("scope").unwrap();
    let scope: Vec<_> = scope
        .split(' ')
        .filter(|scope| !["openid", "profile", "offline_access"].contains(scope))
        .collect();
    let path = &requests
        .iter()
        .find(|request| request.path.starts_with("/v1.0/"))
        .unwrap()
        .path;
    let endpoint = format!("https://graph.microsoft.com{path}");
    let mut defaults = vec![
        ("SCOPE", scope.join(" ")),
        (
            "ENDPOINT",
            endpoint.replace(&object_id, "<CLIENT_OBJECTID>"),
        ),
    ];
    let redirect_uri = match sample {
        "username-password" => redirect_uri_of_consent(),
        _ => sent("redirect_uri"),
    };
    defaults.extend(redirect_uri.map(|uri| ("REDIRECT_URI", uri)));
    defaults
}

/// Where the printed consent page leads to.
fn redirect_uri_of_consent() -> Option<String> {
    let emulator = emulator();
    emulator.fault("token:aadsts=65001").unwrap();
    let said = World::at(&emulator, "username-password")
        .without("REDIRECT_URI")
        .run()
        .stderr;
    let (_, rest) = said.split_once("redirect_uri=")?;
    let value = rest.split(['&', '\n', ' ']).next()?;
    Some(value.replace("%3A", ":").replace("%2F", "/"))
}

/// The table of all settings, or of those of one sample.
pub fn content(sample: &str) -> String {
    match SAMPLES.into_iter().find(|name| *name == sample) {
        Some(sample) => of_sample(sample),
        None => of_all(),
    }
}

fn code(text: &str) -> String {
    format!("`{text}`")
}

fn of_all() -> String {
    let mut table = "| Setting | What it is, and where it is found | Secret |".to_owned();
    for sample in SAMPLES {
        let _ = write!(table, " {sample} |");
    }
    table += &format!("\n|---|---|---|{}\n", "---|".repeat(SAMPLES.len()));
    for setting in NAMES {
        let meaning = SAMPLES.iter().find_map(|sample| meaning(sample, setting));
        let meaning = meaning.unwrap_or_else(|| panic!("nothing reads {setting}"));
        let meaning = meaning.replace('<', "&lt;").replace('>', "&gt;");
        let mark = |is_so: bool| if is_so { "yes" } else { "" };
        let _ = write!(
            table,
            "| `{setting}` | {meaning} | {} |",
            mark(is_secret(setting))
        );
        for sample in SAMPLES {
            let _ = write!(table, " {} |", mark(reads(sample, setting)));
        }
        table += "\n";
    }
    table + "\n"
}

fn of_sample(sample: &'static str) -> String {
    let defaults = defaults(sample);
    let mut table =
        "| Setting | Flag | JSON key | Must be set | Default |\n|---|---|---|---|---|\n".to_owned();
    for setting in NAMES.iter().filter(|setting| reads(sample, setting)) {
        let flag = flag_of(sample, setting).map_or("none".into(), |flag| code(&flag.usage));
        let key = key(sample, setting).map_or(String::new(), |key| code(&key));
        let needed = if is_needed(sample, setting) {
            "yes"
        } else {
            ""
        };
        let default = defaults.iter().find(|(name, _)| name == setting);
        let default = default.map_or(String::new(), |(_, value)| code(value));
        let _ = writeln!(
            table,
            "| `{setting}` | {flag} | {key} | {needed} | {default} |"
        );
    }
    table + "\n"
}

/// The options that stand for no setting, with the samples that have them.
pub fn options() -> String {
    let mut rows: Vec<(&str, &str, Vec<&str>)> = Vec::new();
    for sample in SAMPLES {
        for flag in flags(sample).iter().filter(|flag| flag.setting.is_none()) {
            match rows.iter_mut().find(|(usage, ..)| *usage == flag.usage) {
                Some((.., samples)) => samples.push(sample),
                None => rows.push((&flag.usage, &flag.words, vec![sample])),
            }
        }
    }
    let mut table = "| Option | Does | Of |\n|---|---|---|\n".to_owned();
    for (usage, words, samples) in rows {
        let of = match samples.len() {
            4 => "all".to_owned(),
            _ => samples.join(", "),
        };
        let _ = writeln!(table, "| `{usage}` | {words} | {of} |");
    }
    table + "\n"
}
