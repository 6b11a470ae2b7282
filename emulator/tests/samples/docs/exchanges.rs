//! What goes over the wire: each flow as `emulator exec --trace=markdown` prints it, and the line of code behind each
//! request.

use std::{fs, net::TcpStream, sync::OnceLock};

use super::{Page, Part, text_of};
use crate::{
    support::{Running, exec_command, until, workspace},
    web::{Browser, free_port},
};

const SAMPLES: [&str; 4] = [
    "device-code",
    "client-credentials",
    "username-password",
    "flask-equivalent-web",
];

/// A request and its answer: two blocks of Markdown.
struct Exchange {
    blocks: String,
    /// Method and path, the tenant being `{tenant}`.
    request: String,
}

/// `device-code 1`: the first exchange of the sample.
pub fn content(argument: &str) -> String {
    let (sample, number) = argument.split_once(' ').unwrap();
    let exchanges = of(sample);
    let number: usize = number.parse().unwrap();
    assert!(
        (1..=exchanges.len()).contains(&number),
        "{sample} has {} exchanges",
        exchanges.len()
    );
    exchanges[number - 1].blocks.clone()
}

/// All exchanges of a sample's first run.
fn of(sample: &str) -> &'static [Exchange] {
    static ALL: [OnceLock<Vec<Exchange>>; 4] = [const { OnceLock::new() }; 4];
    let index = SAMPLES.iter().position(|name| *name == sample).unwrap();
    ALL[index].get_or_init(|| {
        let trace = match sample {
            "flask-equivalent-web" => web_trace(),
            sample => exec(&[sample]).wait().stderr,
        };
        exchanges(&trace)
    })
}

fn exec(words: &[&str]) -> Running {
    Running::start(exec_command(&[&["--trace=markdown"], words].concat()), b"")
}

/// A browser signs in, calls the API and signs out; then Ctrl-C.
fn web_trace() -> String {
    let port = free_port();
    let redirect_uri = format!("http://localhost:{port}/getAToken");
    let mut running = exec(&["flask-equivalent-web", "--redirect-uri", &redirect_uri]);
    until("the app listens", || {
        assert!(!running.has_ended(), "{}", running.stderr());
        TcpStream::connect(("127.0.0.1", port)).ok()?;
        running.stderr().contains("Open ").then_some(())
    });
    let mut browser = Browser::at(&format!("http://localhost:{port}"), port);
    browser.visit("/").shows(200, "Welcome Contoso Employee!");
    browser.visit("/call_api").shows(200, "API Response");
    let provider = browser.get("/logout").location();
    browser.get(&provider).location();
    running.signal("INT");
    let trace = running.wait().stderr;
    trace.replace(&format!("localhost:{port}"), "localhost:5000")
}

fn exchanges(trace: &str) -> Vec<Exchange> {
    let mut blocks = Vec::new();
    let mut lines = trace.lines();
    while let Some(line) = lines.next() {
        if line == "```http" {
            let block: Vec<_> = lines.by_ref().take_while(|line| *line != "```").collect();
            blocks.push(block);
        }
    }
    assert!(!blocks.is_empty(), "{trace}");
    blocks
        .chunks(2)
        .map(|pair| Exchange {
            blocks: format!(
                "```http\n{}\n```\n\n```http\n{}\n```\n\n",
                pair[0].join("\n"),
                pair[1].join("\n").trim_end()
            ),
            request: request_of(pair[0][0]),
        })
        .collect()
}

/// `POST /{tenant}/oauth2/v2.0/token` of a request line.
fn request_of(line: &str) -> String {
    let line = line.split([' ', '?']).take(2).collect::<Vec<_>>().join(" ");
    let is_guid = |part: &str| part.len() == 36 && part.matches('-').count() == 4;
    let name = match line.contains(" /v1.0/") {
        true => "{id}",
        false => "{tenant}",
    };
    let parts: Vec<_> = line
        .split('/')
        .map(|part| if is_guid(part) { name } else { part })
        .collect();
    parts.join("/")
}

/// The pages of a flow, in reading order.
fn pages_of(sample: &str) -> Vec<Page> {
    let folder = workspace().join("docs/flows");
    ["", "-api"]
        .iter()
        .map(|part| folder.join(format!("{sample}{part}.md")))
        .filter(|path| path.is_file())
        .map(|path| Page::read(&path))
        .collect()
}

/// No exchange is left out, none is told twice, and each has a line of code behind it.
#[test]
fn flows_tell_every_exchange_and_its_line_of_code() {
    for sample in SAMPLES {
        let mut told = Vec::new();
        let mut has_line = false;
        for part in pages_of(sample).iter().flat_map(|page| &page.parts) {
            match part {
                Part::Line(line) if line.starts_with("## ") => has_line = false,
                Part::Line(line) => has_line |= line.contains(".rs#L"),
                Part::Block(block) => {
                    assert!(has_line, "{}: no line of code", block.argument);
                    told.push(block.argument.clone());
                }
            }
        }
        let all: Vec<_> = (1..=of(sample).len())
            .map(|number| format!("{sample} {number}"))
            .collect();
        assert_eq!(told, all);
    }
}

/// The arrows of the diagrams that go to Entra ID or Graph are the requests, in their order.
#[test]
fn diagrams_have_the_requests_in_their_order() {
    let page = text_of("docs/flows.md");
    for sample in SAMPLES {
        let section = page
            .split("\n## ")
            .find(|section| section.contains(&format!("](flows/{sample}.md)")))
            .unwrap_or_else(|| panic!("docs/flows.md leads to no flows/{sample}.md"));
        let (_, diagram) = section.split_once("```mermaid\n").unwrap();
        let (diagram, _) = diagram.split_once("```").unwrap();
        let drawn: Vec<_> = diagram
            .lines()
            .filter_map(|line| line.trim().split_once("->>"))
            .filter(|(_, to)| to.starts_with("Entra:") || to.starts_with("Graph:"))
            .map(|(_, to)| to.split_once(": ").unwrap().1.to_owned())
            .collect();
        let sent: Vec<_> = of(sample)
            .iter()
            .map(|exchange| exchange.request.clone())
            .collect();
        assert_eq!(drawn, sent, "{sample}");
    }
}

/// Who reads these pages reads no secret.
#[test]
fn exchanges_show_no_secret() {
    for path in fs::read_dir(workspace().join("docs/flows")).unwrap() {
        let page = fs::read_to_string(path.unwrap().path()).unwrap();
        for secret in ["Worker%231001", "Worker#1001", "eyJ", "toy~"] {
            assert!(!page.contains(secret), "{secret}");
        }
    }
}
