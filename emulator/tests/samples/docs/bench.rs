//! docs/performance.md: each benchmark writes its own tables there. Figures differ from run to run, so what is compared
//! here is which rows and columns there are.

#[path = "../../../benches/report/tables.rs"]
mod tables;

use std::fs;

use super::Page;
use crate::support::workspace;

#[test]
fn performance_has_the_tables_of_each_benchmark() {
    let page = Page::read(&workspace().join("docs/performance.md"));
    let manifest = fs::read_to_string(workspace().join("emulator/Cargo.toml")).unwrap();
    for (bench, tables) in tables::ALL {
        let entry = format!("[[bench]]\nname = \"{bench}\"\n");
        assert!(manifest.contains(&entry), "there is no benchmark {bench}");
        let block = page
            .blocks()
            .find(|block| block.name == "bench" && block.argument == *bench)
            .unwrap_or_else(|| panic!("docs/performance.md has no <!-- bench: {bench} -->"));
        let shown: Vec<Vec<_>> = block
            .lines
            .iter()
            .filter(|line| line.starts_with("| "))
            .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
            .collect();
        let mut rows = shown.iter();
        for table in *tables {
            let head = rows
                .next()
                .unwrap_or_else(|| panic!("{bench}: a table is missing"));
            assert_eq!(head, table.columns, "{bench}");
            for label in table.rows {
                let row = rows.next().unwrap_or_else(|| panic!("{bench}: no {label}"));
                assert_eq!(row[0], *label, "{bench}");
                assert_eq!(row.len(), table.columns.len(), "{bench}: {label}");
                assert!(row.iter().all(|cell| !cell.is_empty()), "{bench}: {label}");
            }
        }
        assert!(
            rows.next().is_none(),
            "{bench}: a row that it does not have"
        );
    }
    let benches = manifest.matches("[[bench]]").count();
    assert_eq!(benches, tables::ALL.len(), "each benchmark says its tables");
}
