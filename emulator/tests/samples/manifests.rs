//! Rows X1 and X2: manifests, lock file and folders. Each sample can be copied out, and all of them stay alike.

use std::{collections::BTreeMap, fs, iter, path::PathBuf, process::Command};

use serde_json::json;
use toml::{Table, Value};

use crate::support::{SAMPLES, World, cargo, emulator, workspace};

fn read(path: &str) -> String {
    fs::read_to_string(workspace().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn toml(path: &str) -> Table {
    read(path).parse().unwrap()
}

/// The folders of the workspace's packages with their manifests.
fn manifests() -> BTreeMap<String, Table> {
    let members = toml("Cargo.toml")["workspace"]["members"].clone();
    let member = |member: &Value| member.as_str().unwrap().to_owned();
    let members: Vec<_> = members.as_array().unwrap().iter().map(member).collect();
    members
        .into_iter()
        .map(|member| (member.clone(), toml(&format!("{member}/Cargo.toml"))))
        .collect()
}

/// All packages but the emulator: what is read, and copied out.
fn taught() -> BTreeMap<String, Table> {
    let mut manifests = manifests();
    manifests.remove("emulator").unwrap();
    manifests
}

/// The dependencies of all kinds, each with its table; a bare version is made one.
fn dependencies(manifest: &Table) -> BTreeMap<String, Table> {
    let targets = manifest.get("target").and_then(Value::as_table);
    let targets = targets.into_iter().flatten();
    iter::once(manifest)
        .chain(targets.filter_map(|(_, target)| target.as_table()))
        .flat_map(|table| {
            ["dependencies", "dev-dependencies", "build-dependencies"]
                .map(|kind| table.get(kind).and_then(Value::as_table))
        })
        .flatten()
        .flatten()
        .map(|(name, value)| match value {
            Value::Table(table) => (name.clone(), table.clone()),
            version => (
                name.clone(),
                Table::from_iter([("version".into(), version.clone())]),
            ),
        })
        .collect()
}

/// All files below a folder.
fn files(folder: PathBuf) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .flat_map(|path| match path.is_dir() {
            true => files(path),
            false => vec![path],
        })
        .collect()
}

#[test]
fn x2_nothing_is_inherited_from_the_workspace() {
    let root = toml("Cargo.toml");
    let mut keys: Vec<_> = root["workspace"].as_table().unwrap().keys().collect();
    keys.sort();
    assert_eq!(keys, ["members", "resolver"]);
    assert!(
        root.keys()
            .all(|key| ["workspace", "profile"].contains(&key.as_str()))
    );

    for (package, manifest) in manifests() {
        let text = manifest.to_string();
        assert!(!text.contains("workspace = true"), "{package}");
        for (name, dependency) in dependencies(&manifest) {
            match name.as_str() {
                "common" => assert_eq!(dependency["path"].as_str(), Some("../common")),
                _ => assert!(
                    dependency.contains_key("version") && !dependency.contains_key("path"),
                    "{package}: {name} = {dependency}"
                ),
            }
        }
    }
}

#[test]
fn x2_what_is_repeated_is_equal() {
    let manifests = manifests();
    let common = &manifests["common"];
    for (package, manifest) in &manifests {
        for key in ["version", "edition", "rust-version", "license", "publish"] {
            assert_eq!(
                manifest["package"].get(key),
                common["package"].get(key),
                "{package}: {key}"
            );
        }
        let lints = |manifest: &Table| {
            let mut lints = manifest["lints"].clone();
            // Libraries document what they offer; a binary offers nothing.
            lints["rust"].as_table_mut().unwrap().remove("missing_docs");
            lints
        };
        assert_eq!(lints(manifest), lints(common), "{package}");
        assert!(
            !manifest["package"]["description"]
                .as_str()
                .unwrap()
                .is_empty()
        );
    }
}

/// Otherwise a sample that is copied out would be another program than in the workspace, where features add up.
#[test]
fn x2_a_dependency_is_the_same_in_every_manifest() {
    let mut seen: BTreeMap<String, (String, Table)> = BTreeMap::new();
    for (package, manifest) in manifests() {
        for (name, mut dependency) in dependencies(&manifest) {
            // The emulator is copied nowhere, and the web sample is a server: they may need more than a console
            // program, but never another version or other defaults.
            if !["common"]
                .iter()
                .chain(&SAMPLES)
                .any(|known| *known == package)
            {
                dependency.remove("features");
            }
            let (first, known) = seen
                .entry(name.clone())
                .or_insert_with(|| (package.clone(), dependency.clone()));
            for key in ["version", "default-features"] {
                assert_eq!(
                    dependency.get(key),
                    known.get(key),
                    "{name} in {package} and {first}"
                );
            }
            match (dependency.get("features"), known.get("features")) {
                (Some(one), Some(other)) => {
                    assert_eq!(one, other, "{name} in {package} and {first}");
                }
                (Some(features), None) => {
                    known.insert("features".into(), features.clone());
                }
                (None, _) => {}
            }
        }
    }
}

#[test]
fn x1_samples_know_nothing_of_tests_and_demonstrations() {
    for (package, manifest) in taught() {
        for kind in ["dev-dependencies", "build-dependencies"] {
            assert!(!manifest.contains_key(kind), "{package} has {kind}");
        }
        for folder in ["tests", "benches", "examples"] {
            assert!(
                !workspace().join(&package).join(folder).exists(),
                "{package}/{folder}"
            );
        }
        for path in files(workspace().join(&package)) {
            // A README says how to try a sample without a tenant.
            if path.ends_with("README.md") {
                continue;
            }
            let content = fs::read(&path).unwrap();
            let text = String::from_utf8_lossy(&content).to_lowercase();
            for word in ["emulator", "mock", "demo"] {
                assert!(!text.contains(word), "{} says \"{word}\"", path.display());
            }
        }
    }
}

/// Windows has none of this: there, whatever says it outside of `#[cfg(unix)]` does not compile.
#[test]
fn x1_what_is_unixs_alone_is_compiled_there_alone() {
    let mut seen = 0;
    for path in manifests()
        .keys()
        .flat_map(|package| files(workspace().join(package).join("src")))
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
    {
        let text = fs::read_to_string(&path).unwrap();
        let words = ["os::unix", "signal::unix", "rustix::", ".process_group("];
        let said = |text: &str| words.iter().any(|word| text.contains(word));
        seen += usize::from(said(&text));
        let rest = without_unix(&text);
        assert!(!said(&rest), "{}:\n{rest}", path.display());
    }
    assert!(seen >= 5, "{seen} files");
}

/// A source file without what `#[cfg(unix)]` stands before: up to the first line of the same indentation that ends it.
fn without_unix(text: &str) -> String {
    let indentation = |line: &str| line.len() - line.trim_start().len();
    let mut rest = String::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.trim() == "#[cfg(unix)]" {
            let ends =
                |end: &&str| indentation(end) == indentation(line) && end.ends_with(['}', ';']);
            lines.find(ends);
        } else {
            rest += line;
            rest.push('\n');
        }
    }
    rest
}

#[test]
fn x1_each_sample_has_the_same_files() {
    for sample in SAMPLES {
        for file in [
            "Cargo.toml",
            "README.md",
            ".env.sample",
            "parameters.sample.json",
            "src/main.rs",
        ] {
            assert!(
                workspace().join(sample).join(file).is_file(),
                "{sample}/{file}"
            );
        }
    }
}

/// Two TLS stacks, or two versions of one, double what is built, shipped and watched for security notices.
#[test]
fn x1_one_version_of_what_matters() {
    let lock = toml("Cargo.lock");
    let packages = lock["package"].as_array().unwrap().iter();
    let names: Vec<_> = packages
        .map(|package| package["name"].as_str().unwrap())
        .collect();
    for name in [
        "hyper",
        "reqwest",
        "rustls",
        "ring",
        "tokio",
        "oauth2",
        "serde_json",
    ] {
        let versions = names.iter().filter(|found| **found == name).count();
        assert_eq!(versions, 1, "versions of {name}");
    }
    for name in [
        "aws-lc-rs",
        "aws-lc-sys",
        "h2",
        "native-tls",
        "openssl",
        "openssl-sys",
        "rsa",
    ] {
        assert!(!names.contains(&name), "{name}");
    }
}

#[test]
fn x1_licences_ask_for_no_more_than_a_notice() {
    let rustc = Command::new("rustc").arg("-vV").output().unwrap();
    let version = String::from_utf8(rustc.stdout).unwrap();
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    let output = Command::new(cargo())
        .args(["metadata", "--offline", "--format-version", "1"])
        // What other systems need is not on this machine.
        .args(["--filter-platform", host.unwrap()])
        .current_dir(workspace())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    assert!(packages.len() > 100);
    let others: Vec<_> = packages
        .iter()
        .map(|package| {
            (
                &package["name"],
                package["license"].as_str().unwrap_or("none"),
            )
        })
        .filter(|(_, license)| !is_permissive(license))
        .collect();
    assert!(others.is_empty(), "{others:#?}");
}

/// Whether an SPDX expression can be met by permissive licences alone: one of those that OR joins, and all of those
/// that AND joins.
fn is_permissive(expression: &str) -> bool {
    let expression = expression.trim();
    for (word, enough) in [("OR", false), ("AND", true)] {
        let parts = split(expression, word);
        if parts.len() > 1 {
            return match enough {
                false => parts.into_iter().any(is_permissive),
                true => parts.into_iter().all(is_permissive),
            };
        }
    }
    match expression
        .strip_prefix('(')
        .and_then(|rest| rest.strip_suffix(')'))
    {
        Some(inner) => is_permissive(inner),
        None => [
            "MIT",
            "MIT-0",
            "Apache-2.0",
            "BSD-2-Clause",
            "BSD-3-Clause",
            "0BSD",
            "BSL-1.0", // Boost: a notice with the sources, none with a binary
            "ISC",
            "Zlib",
            "Unicode-3.0",
            "CDLA-Permissive-2.0",
        ]
        .contains(&expression.trim_end_matches(" WITH LLVM-exception")),
    }
}

/// Splits at a word that stands outside of parentheses. Old manifests write a slash for OR.
fn split<'a>(expression: &'a str, word: &str) -> Vec<&'a str> {
    let (mut parts, mut begin, mut depth) = (Vec::new(), 0, 0);
    for (at, character) in expression.char_indices() {
        let rest = &expression[at..];
        let length = match character {
            '/' if word == "OR" => 1,
            ' ' if rest[1..].starts_with(word) && rest[1 + word.len()..].starts_with(' ') => {
                2 + word.len()
            }
            _ => 0,
        };
        depth += i32::from(character == '(') - i32::from(character == ')');
        if length > 0 && depth == 0 {
            parts.push(&expression[begin..at]);
            begin = at + length;
        }
    }
    parts.push(&expression[begin..]);
    parts
}

#[test]
fn x1_licence_expressions_are_understood() {
    for (expression, expected) in [
        ("MIT", true),
        ("MPL-2.0", false),
        ("MIT/Apache-2.0", true),
        ("GPL-3.0-only OR MIT", true),
        ("MIT AND MPL-2.0", false),
        ("(MIT OR GPL-2.0-only) AND Unicode-3.0", true),
        ("MIT OR Apache-2.0 AND GPL-2.0-only", true),
        ("Apache-2.0 WITH LLVM-exception", true),
        ("", false),
    ] {
        assert_eq!(is_permissive(expression), expected, "{expression}");
    }
}

/// The names of a template's settings, those that are commented out too, with their values.
fn settings_of_template(sample: &str) -> Vec<(bool, String, String)> {
    let template = read(&format!("{sample}/.env.sample"));
    let setting = |line: &str| {
        let (active, line) = match line.strip_prefix("# ") {
            Some(rest) => (false, rest.to_owned()),
            None => (true, line.to_owned()),
        };
        let (name, value) = line.split_once('=')?;
        let is_name = name.chars().all(|c| c.is_ascii_uppercase() || c == '_');
        is_name.then(|| (active, name.to_owned(), value.to_owned()))
    };
    template.lines().filter_map(setting).collect()
}

#[test]
fn ct5_the_templates_are_refused_until_they_are_filled_in() {
    for sample in SAMPLES {
        let settings = settings_of_template(sample);
        assert!(settings.iter().filter(|(active, ..)| *active).count() >= 2);
        let emulator = emulator();
        for (_, name, value) in settings.iter().filter(|(active, ..)| *active) {
            World::at(&emulator, sample)
                .without(name)
                .file(".env", format!("{name}={value}"))
                .run()
                .fails(2, &[name, "(from .env) is still a placeholder"]);
        }

        let parameters: serde_json::Value =
            serde_json::from_str(&read(&format!("{sample}/parameters.sample.json"))).unwrap();
        let mut placeholders = 0;
        for (key, value) in parameters.as_object().unwrap() {
            let text = value.to_string();
            if !text.contains("Enter_the_") && !text.contains("your_") {
                continue;
            }
            placeholders += 1;
            let name = match key.as_str() {
                "username" => "AZURE_USERNAME".into(),
                key => key.to_uppercase(),
            };
            World::at(&emulator, sample)
                .without(&name)
                .arg("parameters.json")
                .file("parameters.json", json!({ key: value }).to_string())
                .run()
                .fails(2, &[&name, "(from parameters.json) is still a placeholder"]);
        }
        assert!(placeholders >= 2, "{sample}");
        assert!(emulator.requests().is_empty());
    }
}

/// A name is a setting if the sample minds what it is set to.
#[test]
fn ct1_the_templates_name_only_settings_that_exist() {
    for sample in SAMPLES {
        let emulator = emulator();
        for (_, name, _) in settings_of_template(sample) {
            World::at(&emulator, sample)
                .without(&name)
                .file(".env", format!("{name}=\"\""))
                .run()
                .fails(2, &[&name, "(from .env) is blank"]);
        }
        let parameters: serde_json::Value =
            serde_json::from_str(&read(&format!("{sample}/parameters.sample.json"))).unwrap();
        for key in parameters.as_object().unwrap().keys() {
            World::at(&emulator, sample)
                .arg("parameters.json")
                .file("parameters.json", json!({ key: 5 }).to_string())
                .run()
                .fails(2, &["parameters.json: ", &format!("\"{key}\" is ")]);
        }
        assert!(emulator.requests().is_empty());
    }
}

/// Issue 4: `diff device-code/src/main.rs client-credentials/src/main.rs` shows the grant and nothing else.
#[test]
fn x3_the_samples_tell_the_same_story() {
    let regions = ["create_client", "acquire_token", "call_graph"];
    let stories = SAMPLES.map(|sample| {
        let source = read(&format!("{sample}/src/main.rs"));
        let tags: Vec<_> = source
            .lines()
            .filter_map(|line| line.trim().strip_prefix("// <")?.strip_suffix('>'))
            .collect();
        // The regions of the flow itself stand in `sign_in`, after these.
        let (story, flow) = tags.split_at(6);
        let begun: Vec<_> = story
            .iter()
            .copied()
            .filter(|tag| !tag.starts_with('/'))
            .collect();
        assert_eq!(begun, regions, "{sample}");
        for pair in story.chunks(2).chain(flow.chunks(2)) {
            assert_eq!(pair[1], format!("/{}", pair[0]), "{sample}: never nested");
        }
        assert!(!source.contains("cfg(test)"), "{sample}");
        regions.map(|region| without_arguments(&between(&source, region)))
    });
    for story in &stories[1..] {
        assert_eq!(story, &stories[0]);
    }
}

fn between(source: &str, region: &str) -> String {
    let (_, rest) = source.split_once(&format!("// <{region}>")).unwrap();
    rest.split_once(&format!("// </{region}>"))
        .unwrap()
        .0
        .to_owned()
}

/// The text without what is handed to `sign_in`.
fn without_arguments(text: &str) -> String {
    match text.split_once("sign_in(") {
        None => text.to_owned(),
        Some((before, rest)) => {
            let (_, after) = rest.split_once(").await").unwrap();
            format!("{before}sign_in(…).await{after}")
        }
    }
}

/// Settings and keys that were put beside the sources must not be committed.
#[test]
fn x1_secrets_are_ignored_by_git() {
    let ignored = read(".gitignore");
    for name in [".env", "parameters.json", "*.pem"] {
        assert!(ignored.lines().any(|line| line == name), "{name}");
    }
}
