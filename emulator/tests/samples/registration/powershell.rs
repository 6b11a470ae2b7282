//! The scripts for PowerShell. No PowerShell runs here, so they are read: their syntax by a parser, their cmdlets by a
//! list from Microsoft's reference, and their requests by sending them to the emulator, one after another.

use std::{collections::BTreeMap, fs, process::Command};

use serde_json::{Value, json};

use super::{Tenant, WEB, script, tool};
use crate::support::{SAMPLES, workspace};

fn samples() -> impl Iterator<Item = &'static str> {
    SAMPLES.into_iter().chain([WEB])
}

fn read(sample: &str) -> String {
    fs::read_to_string(script(sample, "ps1")).unwrap()
}

#[test]
fn powershell_has_no_syntax_error() {
    let Some(python) = tool("python3") else {
        return;
    };
    let program = workspace().join("emulator/tests/samples/data/powershell_syntax.py");
    let mut command = Command::new(python);
    command.arg(program);
    command.args(samples().map(|sample| script(sample, "ps1")));
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:#?}");
}

/// The cmdlets that the scripts may use, with their parameters. Sources, below https://learn.microsoft.com/powershell/module:
/// microsoft.graph.authentication/{get-mgcontext,get-mgenvironment,invoke-mggraphrequest},
/// microsoft.powershell.utility/{convertto-json,write-host}, microsoft.powershell.core/{set-strictmode,where-object},
/// microsoft.powershell.management/resolve-path.
const CMDLETS: &[(&str, &[&str])] = &[
    ("ConvertTo-Json", &[]),
    ("Get-MgContext", &[]),
    ("Get-MgEnvironment", &["Name"]),
    (
        "Invoke-MgGraphRequest",
        &["Method", "Uri", "Body", "OutputType"],
    ),
    ("Resolve-Path", &[]),
    ("Set-StrictMode", &["Version"]),
    ("Where-Object", &["EQ"]),
    ("Write-Host", &[]),
];

#[test]
fn powershell_uses_known_cmdlets_and_parameters() {
    for sample in samples() {
        let script = read(sample);
        let (_, code) = script.split_once("#Requires").unwrap();
        for line in code
            .lines()
            .filter(|line| !line.trim_start().starts_with('#'))
        {
            // What is quoted is data.
            let code: String = line
                .split(['\'', '"'])
                .step_by(2)
                .collect::<Vec<_>>()
                .join(" ");
            let mut known = None;
            for word in code.split([' ', '(', ')', '{', '}', '|']) {
                let is_cmdlet = word.contains('-')
                    && word.starts_with(|first: char| first.is_ascii_uppercase());
                if is_cmdlet {
                    let found = CMDLETS.iter().find(|(name, _)| *name == word);
                    known = Some(found.unwrap_or_else(|| panic!("{sample}: {word}: {line}")));
                } else if let (Some((cmdlet, parameters)), Some(parameter)) =
                    (known, word.strip_prefix('-'))
                {
                    assert!(
                        parameters.contains(&parameter),
                        "{sample}: {cmdlet} -{parameter}"
                    );
                }
            }
        }
    }
}

/// What the variables of a script hold.
struct Script<'a> {
    tenant: &'a Tenant,
    variables: BTreeMap<String, Value>,
}

impl Script<'_> {
    /// `$name`, `$(name.property)` and a quoted `$` in an expandable string.
    fn expand(&self, text: &str) -> String {
        let mut rest = text;
        let mut expanded = String::new();
        while let Some(at) = rest.find(['$', '`']) {
            expanded.push_str(&rest[..at]);
            if let Some(quoted) = rest[at..].strip_prefix('`') {
                expanded.push_str(&quoted[..1]);
                rest = &quoted[1..];
                continue;
            }
            let after = &rest[at + 1..];
            let (path, end) = match after.strip_prefix("($") {
                Some(inner) => {
                    let end = inner.find(')').unwrap();
                    (&inner[..end], &inner[end + 1..])
                }
                None => {
                    let end = after.find(|char: char| !char.is_alphanumeric());
                    after.split_at(end.unwrap_or(after.len()))
                }
            };
            let (name, properties) = path.split_once('.').unwrap_or((path, ""));
            let mut value = self.variables.get(name);
            for property in properties.split('.').filter(|name| !name.is_empty()) {
                value = value.and_then(|value| value.get(property));
            }
            let value = value.unwrap_or_else(|| panic!("${path} has no value in {text}"));
            expanded.push_str(value.as_str().unwrap_or_else(|| panic!("${path}: {value}")));
            rest = end;
        }
        expanded + rest
    }

    /// Sends each request of the script in turn, on the way that it goes when nothing is registered yet: every list is
    /// empty, and everything has to be made.
    fn run(&mut self, script: &str) {
        let mut rest = script;
        while let Some(at) = rest.find("Invoke-MgGraphRequest ") {
            let before = rest[..at].lines().last().unwrap().trim();
            let variable = before
                .strip_prefix('$')
                .and_then(|rest| rest.strip_suffix(" = "));
            let variable = variable.or(before
                .strip_prefix('$')
                .and_then(|rest| rest.strip_suffix(" =")));
            rest = &rest[at..];
            let (line, below) = rest.split_once('\n').unwrap();
            let words: Vec<&str> = line.split(' ').collect();
            assert_eq!(words[1], "-Method", "{line}");
            let method = words[2];
            let (_, uri) = line.split_once("-Uri ").unwrap();
            let quote = &uri[..1];
            let uri = uri[1..].split(quote).next().map(|uri| match quote {
                // In double quotes, a single quote is a letter as any other.
                "\"" => self.expand(uri),
                _ => uri.to_owned(),
            });
            let body = line.ends_with(['\'', '"']) && line.contains("-Body @");
            let body = match body {
                true => {
                    let end = format!("\n{}@", &line[line.len() - 1..]);
                    let (body, _) = below.split_once(&end).expect("the end of the here-string");
                    match line.ends_with('"') {
                        true => self.expand(body),
                        false => body.to_owned(),
                    }
                }
                false => String::new(),
            };
            let path = uri.unwrap().replace(' ', "%20").replace('\'', "%27");
            let (status, answer) = self.tenant.graph(method, &path, &body);
            let good = match method {
                "GET" => status == 200,
                "POST" => status == 200 || status == 201,
                _ => status == 204,
            };
            assert!(good, "{line}\n{body}\n{status} {answer:#}");
            if let Some(variable) = variable {
                self.variables.insert(variable.trim().to_owned(), answer);
            }
            rest = below;
        }
    }
}

#[test]
fn powershell_requests_register_an_app_that_signs_in() {
    for sample in samples() {
        let tenant = Tenant::new();
        let begin = emulator::CLIENT_CERTIFICATE
            .split_once("-----BEGIN CERTIFICATE-----")
            .unwrap()
            .1;
        let (key, _) = begin.split_once("-----END").unwrap();
        let given = [
            ("authority", tenant.emulator.url().to_owned()),
            ("tenant", tenant.id()),
            ("quoted", format!("registered for {sample}")),
            (
                "jsonName",
                json!(format!("registered for {sample}")).to_string(),
            ),
            ("key", key.split_whitespace().collect()),
        ];
        let text = read(sample);
        let mut script = Script {
            tenant: &tenant,
            variables: given
                .map(|(name, value)| (name.to_owned(), json!(value)))
                .into(),
        };
        script.run(&text);
        let proof = text
            .lines()
            .find_map(|line| line.trim().strip_prefix("$proof = \"CLIENT_SECRET="));
        if let Some(proof) = proof {
            let proof = script.expand(&format!(
                "CLIENT_SECRET={}",
                proof.strip_suffix('"').unwrap()
            ));
            script.variables.insert("proof".into(), json!(proof));
        }
        let (_, dot_env) = text.rsplit_once("\n\n@\"\n").unwrap();
        let dot_env = script.expand(dot_env.strip_suffix("\n\"@\n").unwrap());
        tenant.is_registered(sample, &dot_env);
        tenant.signs_in(sample, &dot_env);
    }
}
