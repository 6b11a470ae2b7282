//! Links lead somewhere: to a file, to a heading, to a line.

use std::{fs, path::Path};

use super::{pages, text_of};
use crate::support::workspace;

#[test]
fn links_lead_somewhere() {
    let mut broken = Vec::new();
    for path in pages() {
        let page = fs::read_to_string(&path).unwrap();
        for link in links(&page) {
            if !leads_somewhere(&path, link) {
                broken.push(format!("{}: {link}", path.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

/// The targets of all links and images, but not what looks like one in a block of code.
fn links(page: &str) -> Vec<&str> {
    let mut is_code = false;
    let prose = page.lines().filter(move |line| {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        !is_code && !is_fence
    });
    prose
        .flat_map(|line| line.split("](").skip(1))
        .map(|rest| rest.split(')').next().unwrap())
        .collect()
}

fn leads_somewhere(page: &Path, link: &str) -> bool {
    if let Some(address) = link.strip_prefix("https://") {
        return address
            .split('/')
            .next()
            .is_some_and(|host| host.contains('.'));
    }
    let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
    let target = match file {
        "" => page.to_owned(),
        file => page.parent().unwrap().join(file),
    };
    let text = fs::read_to_string(&target).unwrap_or_default();
    match anchor
        .strip_prefix('L')
        .and_then(|line| line.parse::<usize>().ok())
    {
        Some(line) => (1..=text.lines().count()).contains(&line),
        None if anchor.is_empty() => target.exists(),
        None => anchors(&text).any(|found| found == anchor),
    }
}

/// The anchors of a page: of its headings, made as GitHub makes them, and those that are set by hand.
pub fn anchors(page: &str) -> impl Iterator<Item = String> {
    let headings = page
        .lines()
        .filter(|line| line.starts_with('#'))
        .map(|line| {
            let text = line.trim_start_matches('#').trim().to_lowercase();
            let kept = text
                .chars()
                .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
            kept.collect::<String>().replace(' ', "-")
        });
    let by_hand = page
        .split("<a id=\"")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap().to_owned());
    headings.chain(by_hand)
}

/// Who opens the front page finds every other one from there, each in a line of its own.
#[test]
fn the_front_page_names_each_page() {
    let front = text_of("README.md");
    for path in pages() {
        let path = path.strip_prefix(workspace()).unwrap().to_str().unwrap();
        // Pages of a folder below are named by a page of docs.
        if path == "README.md" || path.matches('/').count() > 1 {
            continue;
        }
        let named = front
            .lines()
            .filter(|line| line.contains(&format!("]({path})")))
            .count();
        assert!(named >= 1, "README.md does not name {path}");
    }
}
