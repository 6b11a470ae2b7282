//! Pages own no code and no output of their own: what a program can produce is produced here and compared with what
//! stands on a page. `BLESS=1 cargo test --test samples docs` writes it there.
//!
//! A generated block belongs to the marker in the line before it, `<!-- name: argument -->`:
//!
//! | marker | what follows it |
//! |---|---|
//! | `region: src/main.rs#poll_token` | a region of a source next to the page |
//! | `replay: stderr` | the commands of the block, and what they print (also `stdout`, `both`) |
//! | `not replayed: why` | commands that cannot be run here |
//! | `exchange: device-code 1` | a request and its answer, as `emulator exec --trace=markdown` prints them |
//! | `advice: secret-wrong …` | these topics: what is printed, why, and the printed advice |
//! | `settings`, `settings: device-code`, `options` | tables of what the programs themselves say about their settings |
//! | `bench: against_curl` | the output of a benchmark, which writes it there itself |
//!
//! All but the first three end with `<!-- end -->`. A link to a line of a source carries the number of the line on which
//! the text of the link stands.

mod advice;
mod bench;
mod exchanges;
mod headings;
mod lines;
mod links;
mod prose;
mod replay;
mod settings;

use std::{
    collections::VecDeque,
    env, fs,
    path::{Path, PathBuf},
    sync::Mutex,
    thread,
};

use crate::support::{binary, workspace};

/// So many blocks are made at a time. Most of them wait for a poll.
const AT_ONCE: usize = 12;

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

/// The text of a page of the workspace.
fn text_of(page: &str) -> String {
    fs::read_to_string(workspace().join(page)).unwrap_or_else(|error| panic!("{page}: {error}"))
}

/// A page, cut at its markers.
struct Page {
    path: PathBuf,
    parts: Vec<Part>,
}

enum Part {
    Line(String),
    Block(Block),
}

/// What belongs to a marker.
struct Block {
    /// The page that it stands on.
    page: PathBuf,
    name: String,
    argument: String,
    /// How far a block in a list is indented.
    indent: usize,
    /// The line before the content: a fence or nothing.
    open: String,
    /// What stands there now, without the indentation.
    lines: Vec<String>,
}

impl Page {
    fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).unwrap();
        let mut lines = text.lines();
        let mut parts = Vec::new();
        while let Some(line) = lines.next() {
            parts.push(Part::Line(line.to_owned()));
            let Some((name, argument)) = marker(line) else {
                continue;
            };
            let open = lines.next().unwrap_or_default().to_owned();
            let (is_fence, indent) = (
                open.trim_start().starts_with("```"),
                open.len() - open.trim_start().len(),
            );
            let close = match name {
                "region" | "replay" | "not replayed" => "```",
                _ => "<!-- end -->",
            };
            assert!(
                is_fence == (close == "```") && (is_fence || open.is_empty()),
                "{}: a block or an empty line follows {line}",
                path.display()
            );
            let content: Vec<_> = lines
                .by_ref()
                .take_while(|line| line.trim() != close)
                .map(|line| line.get(indent..).unwrap_or_default().to_owned())
                .collect();
            parts.push(Part::Block(Block {
                page: path.to_owned(),
                name: name.to_owned(),
                argument: argument.to_owned(),
                indent,
                open,
                lines: content,
            }));
        }
        Self {
            path: path.to_owned(),
            parts,
        }
    }

    fn blocks(&self) -> impl Iterator<Item = &Block> {
        self.parts.iter().filter_map(|part| match part {
            Part::Block(block) => Some(block),
            Part::Line(_) => None,
        })
    }

    /// The page with these contents in its blocks.
    fn with(&self, mut contents: impl Iterator<Item = String>) -> String {
        let mut text = String::new();
        for part in &self.parts {
            match part {
                Part::Line(line) => text += &format!("{line}\n"),
                Part::Block(block) => {
                    let indent = " ".repeat(block.indent);
                    text += &format!("{}\n", block.open);
                    for line in contents.next().unwrap().lines() {
                        text += format!("{indent}{line}").trim_end();
                        text.push('\n');
                    }
                    let close = match block.open.is_empty() {
                        true => "<!-- end -->",
                        false => "```",
                    };
                    text += &format!("{indent}{close}\n");
                }
            }
        }
        text
    }
}

impl Block {
    /// What belongs here.
    fn content(&self) -> String {
        println!("{}: {}: {}", self.page.display(), self.name, self.argument);
        match self.name.as_str() {
            "region" => lines::region(self.page.parent().unwrap(), &self.argument),
            "replay" => replay::content(&self.argument, &self.lines),
            "exchange" => exchanges::content(&self.argument),
            "advice" => advice::content(&self.argument, &self.lines),
            "settings" => settings::content(&self.argument),
            "options" => settings::options(),
            _ => self.lines.iter().map(|line| format!("{line}\n")).collect(),
        }
    }
}

/// The marker in a line: its name and its argument.
fn marker(line: &str) -> Option<(&str, &str)> {
    const NAMES: [&str; 8] = [
        "region",
        "replay",
        "not replayed",
        "exchange",
        "advice",
        "settings",
        "options",
        "bench",
    ];
    let text = line.trim().strip_prefix("<!-- ")?.strip_suffix(" -->")?;
    let (name, argument) = text.split_once(": ").unwrap_or((text, ""));
    NAMES.contains(&name).then_some((name, argument))
}

#[test]
fn pages_show_what_is() {
    binary("device-code"); // built before the clock of anything runs
    let pages: Vec<_> = pages().iter().map(|path| Page::read(path)).collect();
    let contents = made_side_by_side(pages.iter().flat_map(Page::blocks).collect());
    let mut contents = contents.into_iter();
    let mut outdated = Vec::new();
    for page in &pages {
        let count = page.blocks().count();
        let shown = page.with(contents.by_ref().take(count));
        let shown = lines::with_numbers(&page.path, &shown);
        let is = fs::read_to_string(&page.path).unwrap();
        if shown == is {
            continue;
        }
        if env::var_os("BLESS").is_some() {
            fs::write(&page.path, shown).unwrap();
        } else {
            let (is, shown) = first_difference(&is, &shown);
            outdated.push(format!(
                "{}\n  has     {is}\n  and not {shown}",
                page.path.display()
            ));
        }
    }
    assert!(
        outdated.is_empty(),
        "`BLESS=1 cargo test --test samples docs` brings these up to date:\n{}",
        outdated.join("\n")
    );
}

/// Where two texts part, with a little of what they have in common.
fn first_difference(is: &str, shown: &str) -> (String, String) {
    let mut lines = is.lines().chain([""]).zip(shown.lines().chain([""]));
    let (is, shown) = lines.find(|(is, shown)| is != shown).unwrap_or_default();
    let common = is.chars().zip(shown.chars()).take_while(|(a, b)| a == b);
    let start = common.count().saturating_sub(40);
    let rest = |line: &str| line.chars().skip(start).collect();
    (rest(is), rest(shown))
}

/// The contents of the blocks, in their order.
fn made_side_by_side(blocks: Vec<&Block>) -> Vec<String> {
    let queue: Mutex<VecDeque<_>> = Mutex::new(blocks.into_iter().enumerate().collect());
    let made = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let next = queue.lock().unwrap().pop_front();
                    let Some((index, block)) = next else { break };
                    let content = block.content();
                    made.lock().unwrap().push((index, content));
                }
            });
        }
    });
    let mut made = made.into_inner().unwrap();
    made.sort();
    made.into_iter().map(|(_, content)| content).collect()
}
