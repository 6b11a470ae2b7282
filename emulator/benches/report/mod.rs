//! Tables of figures: printed as Markdown, and with `BLESS=1` written into docs/performance.md.

pub mod tables;

use std::{env, fs, path::Path};

use tables::Table;

/// Measures a benchmark's tables: `figures` are those of a row, by the table's number and the row's label.
pub fn publish(bench: &str, mut figures: impl FnMut(usize, &str) -> Vec<String>) {
    let (_, tables) = tables::ALL
        .iter()
        .find(|(name, _)| *name == bench)
        .expect("the benchmark is in the list of tables");
    let mut report = String::new();
    for (number, table) in tables.iter().enumerate() {
        report += &head(table);
        for label in table.rows {
            let row = figures(number, label);
            assert_eq!(row.len() + 1, table.columns.len(), "{label}");
            let row = format!("| {label} | {} |\n", row.join(" | "));
            eprint!("{row}"); // it takes a while
            report += &row;
        }
        report += "\n";
    }
    print!("{report}");
    if env::var_os("BLESS").is_some() {
        bless(bench, &report);
    }
}

fn head(table: &Table) -> String {
    let line = "---|".repeat(table.columns.len());
    format!("| {} |\n|{line}\n", table.columns.join(" | "))
}

/// Replaces what stands below the benchmark's marker.
fn bless(bench: &str, report: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/performance.md");
    let page = fs::read_to_string(&path).unwrap();
    let marker = format!("<!-- bench: {bench} -->\n");
    let (before, rest) = page.split_once(&marker).expect("the page has the marker");
    let (_, after) = rest
        .split_once("<!-- end -->")
        .expect("the block has an end");
    let page = format!("{before}{marker}\n{report}<!-- end -->{after}");
    fs::write(path, page).unwrap();
}
