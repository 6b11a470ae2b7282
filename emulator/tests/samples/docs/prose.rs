//! What holds for pages as a whole.

use std::fs;

use super::{pages, text_of};
use crate::support::workspace;

/// One idea a page: nobody reads longer ones. What is generated counts, since it is read as well.
const LONGEST_PAGE: usize = 220;
/// A README has all the sections of its original.
const LONGEST_README: usize = 300;

#[test]
fn no_page_is_too_long() {
    for path in pages() {
        let lines = fs::read_to_string(&path).unwrap().lines().count();
        let longest = match path.ends_with("README.md") {
            true => LONGEST_README,
            false => LONGEST_PAGE,
        };
        assert!(lines <= longest, "{}: {lines} lines", path.display());
    }
}

/// Each threat names what meets it: a place in the code, and a test that fails without it.
#[test]
fn each_threat_has_code_and_a_test() {
    let page = text_of("docs/security.md");
    let rows: Vec<_> = page
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| Threat"))
        .collect();
    assert!(rows.len() > 20, "{}", rows.len());
    for row in rows {
        let mut targets = row
            .split("`](")
            .skip(1)
            .map(|rest| rest.split(')').next().unwrap());
        let (tests, code): (Vec<_>, Vec<_>) = targets
            .by_ref()
            .partition(|target| target.contains("emulator/tests/"));
        assert!(!tests.is_empty() && !code.is_empty(), "{row}");
        for test in tests {
            let (file, line) = test
                .split_once("#L")
                .unwrap_or_else(|| panic!("{test}: no line"));
            let source = fs::read_to_string(workspace().join("docs").join(file)).unwrap();
            let line: usize = line.parse().unwrap();
            let before: Vec<_> = source.lines().take(line).collect();
            assert!(
                before[line - 2].trim() == "#[test]" || before[line - 3].trim() == "#[test]",
                "{test} is no test"
            );
        }
    }
}

/// Each article that a source README points to has its section in docs/reading-along.md, with the code that does it.
#[test]
fn reading_along_has_code_in_each_section() {
    let page = text_of("docs/reading-along.md");
    let sections: Vec<_> = page.split("\n## ").skip(1).collect();
    assert!(sections.len() >= 12, "{}", sections.len());
    for section in sections {
        assert!(
            section.contains("](https://learn.microsoft.com/") || section.contains("Azure-Samples"),
            "{section}"
        );
        assert!(section.contains("`](../"), "no code: {section}");
    }
}
