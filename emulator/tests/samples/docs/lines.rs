//! Sources on pages: regions, and links to single lines.

use std::{fs, path::Path};

/// The lines between `// <name>` and `// </name>`, moved to the left margin.
pub fn region(folder: &Path, place: &str) -> String {
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

/// The page with the right number in each link of the form ``[`text`](file#L12)``.
pub fn with_numbers(page: &Path, text: &str) -> String {
    let mut shown = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("`](") {
        let name = before.rsplit_once("[`").map(|(_, name)| name);
        let target = after.split(')').next().unwrap_or_default();
        shown += before;
        shown += "`](";
        rest = after;
        if let (Some(name), Some((file, _))) = (name, target.split_once("#L")) {
            let number = line_of(&page.parent().unwrap().join(file), name)
                .unwrap_or_else(|problem| panic!("{}: {name} {problem}", page.display()));
            shown += &format!("{file}#L{number}");
            rest = &after[target.len()..];
        }
    }
    shown + rest
}

/// The line of a source on which something is defined, a region begins, or which alone has this text.
fn line_of(file: &Path, text: &str) -> Result<usize, String> {
    let source =
        fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    let lines = || source.lines().enumerate();
    let number = |(index, _): (usize, &str)| index + 1;
    let region = format!("// <{text}>");
    if let Some(line) = lines().find(|(_, line)| line.trim() == region) {
        return Ok(number(line));
    }
    let is_definition = |line: &str| {
        ["fn", "struct", "enum", "const", "static", "type", "mod"]
            .iter()
            .any(|kind| {
                line.split_once(&format!("{kind} {text}"))
                    .is_some_and(|(before, after)| {
                        before
                            .chars()
                            .all(|c| c.is_alphanumeric() || c == '(' || c == ')' || c == ' ')
                            && !after.starts_with(|c: char| c.is_alphanumeric() || c == '_')
                    })
            })
    };
    let mut found: Vec<_> = lines().filter(|(_, line)| is_definition(line)).collect();
    if found.is_empty() {
        found = lines().filter(|(_, line)| line.contains(text)).collect();
    }
    match found.as_slice() {
        [line] => Ok(number(*line)),
        lines => Err(format!(
            "stands {} times in {}",
            lines.len(),
            file.display()
        )),
    }
}
