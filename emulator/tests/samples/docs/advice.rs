//! docs/troubleshooting.md: every refusal that `common` has advice for is provoked, and what is printed is what the
//! page shows.

use std::{collections::BTreeMap, fs, path::Path, sync::Mutex};

use common::advice::{ENTRA, GRAPH, STATUSES};
use emulator::Emulator;

use super::{Page, replay, text_of};
use crate::{
    support::{World, emulator, side_by_side, workspace},
    web::{App, Browser},
};

/// A way to have a sample say something.
#[derive(Debug)]
struct Provocation {
    sample: &'static str,
    fault: String,
    /// What it is called on the page, where what is printed does not say so itself.
    name: Option<String>,
}

/// What was printed.
struct Printed {
    symptom: String,
    advice: String,
}

/// A table of these topics. The column that says why is the page's own, and stays.
pub fn content(anchors: &str, lines: &[String]) -> String {
    let reasons: BTreeMap<_, _> = lines.iter().filter_map(|line| reason(line)).collect();
    let anchors: Vec<_> = anchors.split(' ').collect();
    let rows = Mutex::new(BTreeMap::new());
    side_by_side(&anchors, |anchor| {
        let why = reasons
            .get(*anchor)
            .unwrap_or_else(|| panic!("docs/troubleshooting.md does not say why {anchor}"));
        let row = row(anchor, why);
        rows.lock().unwrap().insert(*anchor, row);
    });
    let rows = rows.into_inner().unwrap();
    let mut table = "| What you see | Why | What to do |\n|---|---|---|\n".to_owned();
    for anchor in anchors {
        table += &rows[anchor];
    }
    table + "\n"
}

/// The anchor and the middle column of a row.
fn reason(line: &str) -> Option<(&str, &str)> {
    let (anchor, _) = line.strip_prefix("| <a id=\"")?.split_once('"')?;
    let columns: Vec<_> = line.split(" | ").collect();
    Some((anchor, columns.get(1)?))
}

fn row(anchor: &str, why: &str) -> String {
    let mut symptoms = Vec::new();
    let mut advice = None;
    for provocation in provocations(anchor) {
        let printed = provocation.printed(anchor);
        let before = advice.replace(printed.advice.clone());
        assert!(
            before.is_none_or(|before| before == printed.advice),
            "{anchor} has one advice"
        );
        symptoms.push(printed.symptom);
    }
    let advice = cell(&advice.unwrap_or_else(|| panic!("{anchor} is no topic of the advice")));
    format!(
        "| <a id=\"{anchor}\"></a>{} | {why} | {advice} |\n",
        symptoms.join("<br>")
    )
}

/// Text in a cell of a table. Where Entra ID names something of the reader's, a provoked refusal has nothing to name.
fn cell(text: &str) -> String {
    text.replace("(unknown)", "…")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('|', "\\|")
}

/// What brings this advice about.
fn provocations(anchor: &str) -> Vec<Provocation> {
    let (sample, endpoint) = natural(anchor);
    if let Some(topic) = ENTRA.iter().find(|topic| topic.anchor == anchor) {
        let codes = topic.codes.iter().map(|code| Provocation {
            sample,
            fault: format!("{endpoint}:aadsts={code}*always"),
            name: None,
        });
        // Those that come without a number.
        let errors = topic.errors.iter().map(|error| Provocation {
            sample: "device-code",
            fault: format!("devicecode:body=400 {{\"error\":\"{error}\"}}*always"),
            name: Some(format!("`{error}`")),
        });
        return codes.chain(errors).collect();
    }
    if let Some((status, ..)) = GRAPH.iter().find(|(_, found, _)| *found == anchor) {
        let fault = match status {
            401 => "unauthorized".into(),
            // Otherwise it would be tried again.
            429 => "status-429=999".into(),
            status => format!("status-{status}"),
        };
        return vec![Provocation {
            sample: "username-password",
            fault: format!("graph:{fault}*always"),
            name: None,
        }];
    }
    let fault = match anchor {
        "redirected" => "redirect=https://portal.example",
        "proxy-login" => "status-407-html",
        "outage" => "status-503-html=999",
        "not-microsoft" => "html",
        _ => return Vec::new(),
    };
    vec![Provocation {
        sample: "client-credentials",
        fault: format!("token:{fault}*always"),
        name: None,
    }]
}

/// The sample that meets such a refusal, and where.
fn natural(anchor: &str) -> (&'static str, &'static str) {
    match anchor {
        "client-proof-missing"
        | "secret-wrong"
        | "secret-expired"
        | "assertion-refused"
        | "default-scope"
        | "tenant-needed"
        | "app-disabled" => ("client-credentials", "token"),
        "user-not-found" | "password-wrong" | "password-expired" | "no-cloud-password"
        | "account-locked" | "account-disabled" | "mfa-required" => ("username-password", "token"),
        "reply-url" | "response-type" => ("flask-equivalent-web", "authorize"),
        "code-used" | "other-tenant" | "pkce" | "spa-redirect" => ("flask-equivalent-web", "token"),
        _ => ("device-code", "devicecode"),
    }
}

impl Provocation {
    fn printed(&self, anchor: &str) -> Printed {
        let emulator = emulator();
        emulator.fault(&self.fault).unwrap();
        let text = match self.sample {
            "flask-equivalent-web" => on_a_page(&emulator),
            sample => {
                let outcome = World::at(&emulator, sample).run();
                outcome.fails(1, &[]);
                outcome.stderr
            }
        };
        let text = replay::steady(&text);
        let place = format!(" (docs/troubleshooting.md#{anchor})");
        let advice = text
            .lines()
            .find_map(|line| line.trim().strip_suffix(&place))
            .unwrap_or_else(|| panic!("{anchor}: {self:?}: {text}"));
        Printed {
            symptom: self.name.clone().unwrap_or_else(|| symptom(&text)),
            advice: advice.to_owned(),
        }
    }
}

/// The words of the error page, without its tags.
fn on_a_page(emulator: &Emulator) -> String {
    let app = App::start(emulator);
    let page = Browser::new(&app).visit("/");
    page.shows(400, "Login Failure");
    let mut text = String::new();
    for piece in page.body.split('<').skip(1) {
        text += piece.split_once('>').unwrap().1;
        text += "\n";
    }
    ["&#39;", "&#x27;"]
        .iter()
        .fold(text, |text, quote| text.replace(quote, "'"))
        .replace("&#34;", "\"")
        .replace("&quot;", "\"")
        .replace("&gt;", ">")
        .replace("&#62;", ">")
}

/// What a person looks for: number and words of Entra ID, status and words of Graph, or the sentence of the sample.
fn symptom(text: &str) -> String {
    if let Some((_, rest)) = text.split_once("AADSTS") {
        let (number, rest) = rest.split_once(": ").unwrap();
        let words = rest.split(" Trace ID: ").next().unwrap();
        return format!(
            "<a id=\"aadsts{number}\"></a>**AADSTS{number}** {}",
            cell(words.trim())
        );
    }
    if let Some((_, rest)) = text.split_once("Failed to call the Web Api: ") {
        let (status, content) = rest.split_once("\nContent: ").unwrap();
        let mut json = serde_json::Deserializer::from_str(content).into_iter();
        let json: serde_json::Value = json.next().unwrap().unwrap();
        let part = |name: &str| json["error"][name].as_str().unwrap().to_owned();
        return format!("**{status}** {}: {}", part("code"), cell(&part("message")));
    }
    let lines: Vec<_> = text.lines().collect();
    let advice = lines
        .iter()
        .position(|line| line.contains("(docs/troubleshooting.md#"))
        .unwrap();
    cell(lines[advice - 1])
}

/// No advice is missing from the page, and none stands there twice.
#[test]
fn troubleshooting_has_all_advice_once() {
    let page = Page::read(&workspace().join("docs/troubleshooting.md"));
    let mut told: Vec<_> = page
        .blocks()
        .filter(|block| block.name == "advice")
        .flat_map(|block| block.argument.split(' ').map(str::to_owned))
        .collect();
    let mut all: Vec<_> = ENTRA.iter().map(|topic| topic.anchor.to_owned()).collect();
    all.extend(GRAPH.iter().map(|(_, anchor, _)| (*anchor).to_owned()));
    all.extend(STATUSES.iter().map(|(anchor, _)| (*anchor).to_owned()));
    told.sort();
    all.sort();
    assert_eq!(told, all);
}

/// A number on any page is one that the samples have advice for.
#[test]
fn numbers_on_pages_have_advice() {
    for page in super::pages() {
        if page.starts_with(workspace().join("emulator")) {
            continue; // there they are what Entra ID says, not what to do
        }
        let text = fs::read_to_string(&page).unwrap();
        for rest in text.split("AADSTS").skip(1) {
            let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
            let Ok(code) = digits.parse::<u32>() else {
                continue;
            };
            // What a device flow answers until there is a decision is no error.
            let is_known = code == 70016 || ENTRA.iter().any(|topic| topic.codes.contains(&code));
            assert!(is_known, "{}: AADSTS{code}", page.display());
        }
    }
    // The page that all advice points to.
    let anchors: Vec<_> = super::links::anchors(&text_of("docs/troubleshooting.md")).collect();
    for code in ENTRA.iter().flat_map(|topic| topic.codes) {
        assert!(anchors.contains(&format!("aadsts{code}")), "{code}");
    }
}

/// What the READMEs quote in their tables is what the sources say.
#[test]
fn quoted_messages_are_in_the_sources() {
    for sample in replay::SAMPLES {
        let page = text_of(&format!("{sample}/README.md"));
        let (_, section) = page.split_once("\n## Troubleshooting\n").unwrap();
        let section = section.split("\n## ").next().unwrap();
        let sources: String = [sample, "common"]
            .iter()
            .flat_map(|package| sources(&workspace().join(package).join("src")))
            .collect();
        for row in section.lines().filter(|line| line.starts_with("| \"")) {
            let quoted = row.split('"').nth(1).unwrap();
            assert!(sources.contains(quoted), "{sample}: {quoted}");
        }
    }
}

fn sources(folder: &Path) -> Vec<String> {
    fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .flat_map(|path| match path.is_dir() {
            true => sources(&path),
            false => vec![fs::read_to_string(path).unwrap()],
        })
        .collect()
}
