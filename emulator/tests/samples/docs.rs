//! Pages own no code and no output of their own: regions of the sources, what a run prints and the table of advice are
//! compared with what stands on a page. `BLESS=1 cargo test` writes them there.
//!
//! A block belongs to the marker in the line before it: `<!-- region: src/main.rs#poll_token -->` shows a region of a
//! source next to the page, `<!-- replay: stderr -->` what device-code prints at a first sign-in (and `stdout`, and the names of other samples), `<!-- advice -->` all
//! that the samples advise.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use common::advice::{ENTRA, GRAPH, STATUSES};

use crate::support::{SAMPLES, World, emulator, workspace};

/// All Markdown pages that are kept with the sources.
pub fn pages() -> Vec<PathBuf> {
    let mut folders = vec![workspace().to_owned()];
    let mut pages = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if path.is_dir() && name != "target" && !name.starts_with('.') {
                folders.push(path);
            } else if name.ends_with(".md") {
                pages.push(path);
            }
        }
    }
    pages.sort();
    pages
}

#[test]
fn pages_show_what_is() {
    let (stdout, stderr) = printed("device-code");
    let both = |sample| {
        let (stdout, stderr) = printed(sample);
        stderr + &stdout
    };
    let mut outdated = Vec::new();
    for path in pages() {
        let page = fs::read_to_string(&path).unwrap();
        let shown = rewrite(&page, |marker| {
            match marker.split_once(": ").unwrap_or((marker, "")) {
                ("region", place) => Some(region(path.parent().unwrap(), place)),
                ("replay", "stdout") => Some(stdout.clone()),
                ("replay", "stderr") => Some(stderr.clone()),
                ("replay", "client-credentials") => Some(both("client-credentials")),
                ("replay", "username-password") => Some(both("username-password")),
                _ => None,
            }
        });
        let shown = match path.ends_with("docs/troubleshooting.md") {
            true => with_advice(&shown),
            false => shown,
        };
        if shown != page && env::var_os("BLESS").is_some() {
            fs::write(&path, &shown).unwrap();
        } else if shown != page {
            outdated.push(path);
        }
    }
    assert!(
        outdated.is_empty(),
        "BLESS=1 cargo test brings these up to date: {outdated:?}"
    );
}

/// What a sample prints at its first run, stdout and stderr, with that evened out which differs from run to run and from
/// the emulator to Entra ID.
fn printed(sample: &'static str) -> (String, String) {
    let emulator = emulator();
    let outcome = World::at(&emulator, sample).run();
    let between = |start, end| {
        outcome
            .stderr
            .split_once(start)?
            .1
            .split_once(end)
            .map(|(found, _)| found)
    };
    let mut stderr = outcome
        .stderr
        .replace(emulator.url(), "https://microsoft.com");
    for (found, shown) in [
        (between(" the code ", " "), "BPPVYQZMA"),
        (
            between("Token cache: ", "/entra-samples-rust"),
            "/home/you/.cache",
        ),
    ] {
        stderr = found.map_or(stderr.clone(), |found| stderr.replace(found, shown));
    }
    (outcome.stdout, stderr)
}

/// Replaces the content of each block that has a marker. Lines of a block that begin with `$ ` (what the reader types)
/// stay.
fn rewrite(page: &str, content: impl Fn(&str) -> Option<String>) -> String {
    let mut result = String::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        result += &format!("{line}\n");
        let marker = line
            .trim()
            .strip_prefix("<!-- ")
            .and_then(|rest| rest.strip_suffix(" -->"));
        let Some(content) = marker.and_then(&content) else {
            continue;
        };
        let fence = lines.next().unwrap();
        assert!(
            fence.trim().starts_with("```"),
            "a marker stands before a block: {line}"
        );
        let indent = " ".repeat(fence.len() - fence.trim_start().len());
        result += &format!("{fence}\n");
        for line in lines.by_ref() {
            if line.trim() == "```" {
                break;
            }
            if line.trim().starts_with("$ ") {
                result += &format!("{line}\n");
            }
        }
        for line in content.lines() {
            result += format!("{indent}{line}").trim_end();
            result.push('\n');
        }
        result += &format!("{indent}```\n");
    }
    result
}

/// The lines between `// <name>` and `// </name>`, moved to the left margin.
fn region(folder: &Path, place: &str) -> String {
    let (file, name) = place.split_once('#').unwrap();
    let source = fs::read_to_string(folder.join(file)).unwrap();
    let begin = format!("// <{name}>\n");
    let (_, rest) = source
        .split_once(&begin)
        .unwrap_or_else(|| panic!("no region {place}"));
    let (region, _) = rest.split_once(&format!("// </{name}>")).unwrap();
    let lines: Vec<_> = region
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    let margin = lines
        .iter()
        .map(|line| line.len() - line.trim_start().len())
        .min()
        .unwrap();
    lines
        .iter()
        .map(|line| format!("{}\n", &line[margin..]))
        .collect()
}

/// The sections of docs/troubleshooting.md after its marker.
fn with_advice(page: &str) -> String {
    let marker = "<!-- advice -->\n";
    let (introduction, _) = page.split_once(marker).unwrap();
    let mut page = format!("{introduction}{marker}");
    page += "\n## Refusals of Entra ID\n";
    for topic in ENTRA {
        let mut names: Vec<_> = topic
            .codes
            .iter()
            .map(|code| format!("AADSTS{code}"))
            .collect();
        names.extend(topic.errors.iter().map(|error| format!("`{error}`")));
        page += &format!(
            "\n### {}\n\n{}\n\n{}\n",
            topic.anchor,
            names.join(", "),
            topic.advice
        );
    }
    page += "\n## Refusals of Microsoft Graph\n";
    for (status, anchor, advice) in GRAPH {
        page += &format!("\n### {anchor}\n\n{status}\n\n{advice}\n");
    }
    page += "\n## Answers of neither\n";
    for (anchor, advice) in STATUSES {
        page += &format!("\n### {anchor}\n\n{advice}\n");
    }
    page
}

/// Rows A11 and B15: who knows the Python sample finds each of its headings, and something below it.
#[test]
fn a11_b15_readmes_have_the_sections_of_their_originals() {
    for sample in SAMPLES {
        let page = fs::read_to_string(workspace().join(sample).join("README.md")).unwrap();
        for heading in [
            "## Prerequisites",
            "## Setup",
            "### 1. Register the app",
            "## Run the application",
            "## About the code",
            "## Troubleshooting",
            "## Reporting problems",
            "## Contributing",
            "## Next steps",
        ] {
            let (_, section) = page
                .split_once(&format!("\n{heading}\n"))
                .unwrap_or_else(|| panic!("{sample}: {heading}"));
            let section = section.split("\n## ").next().unwrap();
            assert!(section.trim().len() > 30, "{sample}: {heading} is empty");
        }
        assert!(
            page.contains("| App registration setting | Value for this sample"),
            "{sample}"
        );
    }
}

#[test]
fn links_lead_somewhere() {
    let mut broken = Vec::new();
    for path in pages() {
        let page = fs::read_to_string(&path).unwrap();
        for link in page
            .split("](")
            .skip(1)
            .map(|rest| rest.split(')').next().unwrap())
        {
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = match file {
                "" => path.clone(),
                file => path.parent().unwrap().join(file),
            };
            let found = match anchor {
                "" => target.exists(),
                anchor => fs::read_to_string(&target)
                    .is_ok_and(|page| headings(&page).any(|heading| heading == anchor)),
            };
            if !found {
                broken.push(format!("{}: {link}", path.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

/// The anchors of a page's headings, made as GitHub makes them.
fn headings(page: &str) -> impl Iterator<Item = String> {
    page.lines()
        .filter(|line| line.starts_with('#'))
        .map(|line| {
            let text = line.trim_start_matches('#').trim().to_lowercase();
            let kept = text
                .chars()
                .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
            kept.collect::<String>().replace(' ', "-")
        })
}
