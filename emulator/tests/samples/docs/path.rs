//! The newcomer's path: from nothing to an app of one's own at one's own tenant.

use super::text_of;

/// No more commands than this.
const MOST: usize = 10;

#[test]
fn a_newcomer_needs_ten_commands_at_most() {
    let page = text_of("README.md");
    let (_, rest) = page
        .split_once("\n## From nothing to your own app\n")
        .unwrap();
    let section = rest.split("\n## ").next().unwrap();
    let blocks: Vec<_> = section.split("```console\n").skip(1).collect();
    assert_eq!(blocks.len(), 1, "one block has the whole path");
    let commands: Vec<_> = blocks[0]
        .split("```")
        .next()
        .unwrap()
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    assert!(
        commands.iter().all(|line| line.starts_with("$ ")),
        "one command a line: {commands:#?}"
    );
    // One that is hidden behind another counts as well.
    let hidden = commands
        .iter()
        .flat_map(|line| line.match_indices(" && "))
        .count();
    let count = commands.len() + hidden;
    assert!(count <= MOST, "{count} commands: {commands:#?}");
    for step in [
        "git clone ",
        "exec device-code",
        "main.rs",
        "cp -r ",
        ".env",
    ] {
        assert!(
            commands.iter().any(|line| line.contains(step)),
            "nobody does {step}"
        );
    }
    let said = format!("{count} commands");
    assert!(section.contains(&said), "the page does not say \"{said}\"");
}
