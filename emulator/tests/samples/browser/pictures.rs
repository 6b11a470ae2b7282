//! The pictures of the docs.
//!
//! A picture shows fonts of the machine that took it, so bytes are not compared. `docs/images/pages.txt` says what stood
//! on each page when its picture was taken, and what the style sheet was: once that is not so any more, the pictures are
//! out of date. `BLESS=1 cargo test` takes them anew.

use std::{collections::BTreeMap, env, fs, path::Path};

use base64::{Engine, prelude::BASE64_STANDARD};
use ring::digest::{SHA256, digest};

use super::*;
use crate::docs::pages;
use crate::support::workspace;

/// What a repository can bear.
const LARGEST: usize = 60 * 1024;
const WEB: &[&str] = &["flask-equivalent-web/templates/style.css"];
const EMULATOR: &[&str] = &["emulator/src/pages/style.css"];
const HOME: &[&str] = &[
    "emulator/src/pages/style.css",
    "emulator/src/pages/home/home.css",
];

/// What `pages.txt` says of one picture.
fn describe(
    chromium: &Chromium,
    name: &str,
    styles: &[&str],
    (width, height): (u32, u32),
) -> String {
    let read = |style| fs::read(workspace().join(style)).unwrap();
    let style: Vec<u8> = styles.iter().flat_map(read).collect();
    let style = digest(&SHA256, &style);
    let style: String = style.as_ref()[..8]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let title = chromium.script("return document.title");
    let text: String = chromium
        .text()
        .lines()
        .filter(|line| !line.trim().is_empty())
        .map(|line| format!("    {}\n", even_out(line)))
        .collect();
    format!("{name}: {width} x {height}, style {style}, title {title}\n{text}",)
}

/// The text without what is another one each time: ports, ids and times.
fn even_out(line: &str) -> String {
    let is_id =
        |word: &str| word.len() == 36 && word.chars().all(|c| c.is_ascii_hexdigit() || c == '-');
    let is_time = |word: &str| word.ends_with('Z') && word.matches(':').count() == 2;
    let is_date = |word: &str| word.len() == 10 && word.matches('-').count() == 2;
    let words = line.split_inclusive(char::is_whitespace).map(|word| {
        let bare = word.trim_end();
        let space = &word[bare.len()..];
        match bare.split_once("127.0.0.1:") {
            Some((before, rest)) => {
                let path = rest.trim_start_matches(|c: char| c.is_ascii_digit());
                format!("{before}127.0.0.1:…{path}{space}")
            }
            None if is_id(bare) || is_time(bare) || is_date(bare) => format!("…{space}"),
            None => word.to_owned(),
        }
    });
    words.collect::<String>().trim_end().to_owned()
}

/// Width and height of a PNG.
fn size_of(png: &[u8]) -> (u32, u32) {
    let number = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().unwrap());
    (number(16), number(20))
}

#[test]
fn pictures_show_what_is() {
    let Some(stage) = Stage::set() else { return };
    let chromium = &stage.chromium;
    let folder = workspace().join("docs/images");
    let is_bless = env::var_os("BLESS").is_some();
    let mut found = BTreeMap::new();
    let mut take = |name: &'static str, style: &[&str], scheme: &str, size: (u32, u32)| {
        chromium.show_in(scheme, size.0, size.1);
        found.insert(name, describe(chromium, name, style, size));
        let file = folder.join(name);
        if is_bless {
            let picture = BASE64_STANDARD.decode(chromium.picture()).unwrap();
            fs::create_dir_all(&folder).unwrap();
            fs::write(&file, picture).unwrap();
        }
        let picture = fs::read(&file).unwrap_or_default();
        assert!(!picture.is_empty(), "BLESS=1 cargo test takes {name}");
        assert_eq!(
            size_of(&picture),
            size,
            "BLESS=1 cargo test takes {name} anew"
        );
        assert!(
            picture.len() <= LARGEST,
            "{name} has {} bytes",
            picture.len()
        );
    };

    chromium.open(stage.emulator.url());
    chromium.shows("Entra ID emulator");
    take("emulator.png", HOME, "light", (800, 520));
    stage.open("/");
    chromium.shows("Pick an account");
    take("pick-an-account.png", EMULATOR, "light", (800, 600));
    chromium.click("Contoso Employee");
    chromium.shows("Enter password");
    take("password.png", EMULATOR, "light", (800, 480));
    stage.give_password();
    chromium.shows("Welcome Contoso Employee!");
    take("welcome.png", WEB, "light", (800, 360));
    chromium.click("Call an API");
    chromium.shows("Permissions requested");
    take("consent.png", EMULATOR, "light", (800, 540));
    chromium.click("Cancel");
    chromium.shows("Login Failure");
    take("login-failure.png", WEB, "light", (800, 560));
    chromium.click("Sign in again");
    chromium.shows("Welcome Contoso Employee!");
    stage.call_api();
    take("api-response.png", WEB, "light", (720, 640));
    take("api-response-narrow-dark.png", WEB, "dark", (360, 720));

    let list = folder.join("pages.txt");
    let found: Vec<_> = found.into_values().collect();
    let found = found.join("\n");
    if is_bless {
        fs::write(&list, &found).unwrap();
    }
    let known = fs::read_to_string(&list).unwrap_or_default();
    assert!(
        found == known,
        "pages have changed since their pictures were taken: BLESS=1 cargo test takes them anew. Now:\n{found}\nThen:\n{known}"
    );
    none_is_unused(&folder, &found);
}

/// A picture that is not taken any more, or that no page shows, has no place here.
fn none_is_unused(folder: &Path, list: &str) {
    let pages: String = pages()
        .into_iter()
        .map(|page| fs::read_to_string(page).unwrap())
        .collect();
    for entry in fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name == "pages.txt" {
            continue;
        }
        assert!(list.contains(&format!("{name}: ")), "nobody takes {name}");
        assert!(
            pages.contains(&format!("docs/images/{name})")),
            "no page shows {name}"
        );
    }
}
