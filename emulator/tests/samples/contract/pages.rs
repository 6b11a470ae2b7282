//! CT11: help, version, and listings of many pages.

use std::{collections::HashSet, fs, process};

use emulator::{Emulator, Options, SEED_DATA};
use serde_json::Value;

use super::{anew, graph_calls, options, side_by_side, sign_in, until};
use crate::support::{SAMPLES, World};

#[test]
fn ct11_help_and_version() {
    for sample in SAMPLES {
        // Settings are neither needed nor shown.
        let world = World::empty(sample)
            .env("CLIENT_SECRET", "hush-hush")
            .env("AZURE_PASSWORD", "hush-hush");
        let ask = |arg: &str| {
            let outcome = world.run_with(|command| {
                command.arg(arg);
            });
            assert_eq!(outcome.status.code(), Some(0), "{outcome:#?}");
            assert_eq!(outcome.stderr, "");
            outcome.stdout
        };
        assert_eq!(ask("--version"), format!("{sample} 0.1.0\n"));
        assert_eq!(ask("-V"), ask("--version"));
        for help in [ask("--help"), ask("-h")] {
            assert!(help.contains(&format!("Usage: {sample} [OPTIONS] [PARAMETERS_JSON]")));
            for flag in [
                "--authority",
                "--client-id",
                "--scope",
                "--endpoint",
                "--all",
                "--no-cache",
                "--verbose",
            ] {
                assert!(help.contains(flag), "{flag}: {help}");
            }
            assert!(!help.contains("hush"));
        }
    }
}

/// An emulator at which every sample may list users, so many beside those who are written down.
fn crowd(generate: usize) -> Emulator {
    let seed_data = SEED_DATA.replace(
        r#"roles = ["Application.Read.All"]"#,
        r#"roles = ["Application.Read.All", "User.Read.All"]"#,
    );
    let options = Options {
        seed_data: Some(seed_data),
        generate: Some(generate),
        trace: false,
        ..options()
    };
    Emulator::start(options).unwrap()
}

/// A world that lists them, signed in.
fn lister(emulator: &Emulator, sample: &'static str) -> World {
    let world =
        World::at(emulator, sample).env("ENDPOINT", format!("{}/v1.0/users", emulator.url()));
    let world = match sample {
        "client-credentials" => world,
        _ => world.env("SCOPE", "User.ReadBasic.All"),
    };
    emulator.fault(r#"users:body={"value":[]}"#).unwrap();
    sign_in(emulator, world)
}

fn each_lister(generate: usize, check: impl Fn(&Emulator, World) + Sync) {
    side_by_side(SAMPLES, |sample| {
        println!("{sample}");
        let emulator = crowd(generate);
        check(&emulator, lister(&emulator, sample));
    });
}

/// Sets the pages of a listing: one body after the other, in which `{next}` is an address of the emulator.
fn pages(emulator: &Emulator, bodies: &[&str]) {
    anew(emulator);
    for (number, body) in bodies.iter().enumerate() {
        let next = format!("{}/v1.0/users?$skiptoken={number}", emulator.url());
        let body = body.replace("{next}", &next);
        emulator.fault(&format!("users:body={body}")).unwrap();
    }
}

#[test]
fn ct11_all_pages_are_one_document() {
    each_lister(250, |emulator, world| {
        // Without the flag: one page, as Graph has it.
        let page = world.run().json();
        assert_eq!(page["value"].as_array().unwrap().len(), 100);
        assert!(page["@odata.nextLink"].is_string());
        assert_eq!(graph_calls(emulator).len(), 1);

        anew(emulator);
        let document = world.arg("--all").run().json();
        let fields: Vec<_> = document.as_object().unwrap().keys().collect();
        assert_eq!(fields, ["@odata.context", "value"]);
        let rows = document["value"].as_array().unwrap();
        let ids: HashSet<_> = rows.iter().map(|row| row["id"].as_str().unwrap()).collect();
        assert!(ids.len() > 250 && ids.len() == rows.len(), "{}", rows.len());
        assert_eq!(rows[0]["displayName"], "Contoso Employee");
        assert_eq!(graph_calls(emulator).len(), 3);
    });
}

#[test]
fn ct11_the_fields_of_the_first_page_around_the_rows_of_all() {
    #[rustfmt::skip] // one line per page
    let rows: [(&[&str], &str); 5] = [
        (
            &[
                r#"{"before":{"a":[1]},"@odata.nextLink":"{next}","value":[{"id":1,"x":null},{"id":2}],"after":"z"}"#,
                r#"{"before":"ignored","value":[],"@odata.nextLink":"{next}"}"#,
                r#"{"value":[{"id":3}],"late":1}"#,
            ],
            r#"{"before":{"a":[1]},"value":[{"id":1,"x":null},{"id":2},{"id":3}],"after":"z"}"#,
        ),
        (&[r#"{"value":[]}"#], r#"{"value":[]}"#),
        (
            &[r#"{"value":[],"@odata.nextLink":"{next}"}"#, r#"{"value":["a\nb","ü\"{}"]}"#],
            r#"{"value":["a\nb","ü\"{}"]}"#,
        ),
        (&[r#"{"id":1,"@odata.count":0}"#], r#"{"id":1,"@odata.count":0}"#),
        (&["{}"], "{}"),
    ];
    each_lister(0, |emulator, world| {
        let world = world.arg("--all");
        for (bodies, expected) in rows {
            println!("{expected}");
            pages(emulator, bodies);
            let outcome = world.run();
            outcome.json();
            // Byte by byte the document that one answer with all rows would be.
            let expected: Value = serde_json::from_str(expected).unwrap();
            assert_eq!(outcome.stdout, format!("{expected:#}\n"));
            outcome.says_times(1, "Graph API call result:");
            assert_eq!(graph_calls(emulator).len(), bodies.len());
        }
    });
}

/// The first page of a listing.
const FIRST: &str = r#"{"value":[{"id":"first row"}],"@odata.nextLink":"{next}"}"#;

#[test]
fn ct11_a_next_link_that_is_not_followed() {
    let elsewhere = super::emulator();
    let other_port = format!(
        r#"{{"value":[],"@odata.nextLink":"{}/v1.0/users"}}"#,
        elsewhere.url()
    );
    each_lister(0, |emulator, world| {
        let world = world.arg("--all");
        let same_host = emulator.url().replace("http://", "https://");
        let other_scheme = format!(r#"{{"value":[],"@odata.nextLink":"{same_host}/v1.0/users"}}"#);
        let user_info = emulator
            .url()
            .replace("http://", "http://localhost@evil.example:");
        let other_host = format!(r#"{{"value":[],"@odata.nextLink":"{user_info}/v1.0/users"}}"#);
        let rows = [
            (vec![&*other_port], "leads to another host"),
            (vec![&*other_scheme], "leads to another host"),
            (vec![&*other_host], "is no URL"),
            (
                vec![r#"{"value":[],"@odata.nextLink":"/v1.0/users"}"#],
                "is no URL",
            ),
            (vec![r#"{"value":[],"@odata.nextLink":5}"#], "is no URL"),
            (
                vec![
                    FIRST,
                    r#"{"value":[],"@odata.nextLink":"https://evil.example/v1.0/users"}"#,
                ],
                "leads to another host",
            ),
        ];
        for (bodies, said) in rows {
            println!("{bodies:?}");
            pages(emulator, &bodies);
            let outcome = world.run();
            outcome.says(&["@odata.nextLink ", said, "it was not followed"]);
            assert_eq!(outcome.status.code(), Some(1), "{outcome:#?}");
            assert_eq!(graph_calls(emulator).len(), bodies.len());
        }
        // A loop of one page, and one of two: each page is asked for once.
        for (fault, calls) in [("users:next-link-loop*always", 1), ("", 2)] {
            println!("{fault}");
            let back = format!(
                r#"{{"value":[],"@odata.nextLink":"{}/v1.0/users"}}"#,
                emulator.url()
            );
            pages(emulator, &[FIRST, &back]);
            if !fault.is_empty() {
                anew(emulator);
                emulator.fault(fault).unwrap();
            }
            let outcome = world.run();
            outcome.says(&["leads back to an earlier page; it was not followed"]);
            assert_eq!(outcome.status.code(), Some(1), "{outcome:#?}");
            assert_eq!(graph_calls(emulator).len(), calls);
        }
    });
    assert!(elsewhere.requests().is_empty());
}

#[test]
fn ct11_rows_are_printed_as_they_come() {
    each_lister(0, |emulator, world| {
        let world = world.arg("--all");
        // The second page is refused, or is none, or never comes: the first is on stdout all the same.
        for (fault, status) in [
            ("users:status-403", 1),
            ("users:body={\"id\":1}", 1),
            ("users:hang", 130),
        ] {
            println!("{fault}");
            pages(emulator, &[FIRST]);
            emulator.fault(fault).unwrap();
            let running = world.start();
            if status == 130 {
                until("the second page", || graph_calls(emulator).len() == 2);
                running.signal("INT");
            }
            let outcome = running.wait();
            assert_eq!(outcome.status.code(), Some(status), "{outcome:#?}");
            assert!(outcome.stdout.contains("first row"), "{outcome:#?}");
        }
    });
}

#[test]
fn ct11_a_challenge_between_two_pages() {
    each_lister(0, |emulator, world| {
        pages(emulator, &[FIRST]);
        emulator.fault("users:cae").unwrap();
        emulator
            .fault(r#"users:body={"value":["second"]}"#)
            .unwrap();
        let document = world.arg("--all").run().json();
        let expected = r#"{"value":[{"id":"first row"},"second"]}"#;
        assert_eq!(document.to_string(), expected);
        assert_eq!(graph_calls(emulator).len(), 3);
    });
}

/// The memory that a process has taken, in KiB. How much of its own file is there as well is for the system to say.
#[cfg(target_os = "linux")]
fn memory(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("RssAnon:"));
    line.unwrap()
        .trim()
        .trim_end_matches(" kB")
        .parse()
        .unwrap()
}

#[cfg(target_os = "linux")]
#[test]
fn ct11_memory_is_flat() {
    // The twentieth page has the first one's memory. Pages are told apart by a fault that changes nothing in them.
    each_lister(20_000, |emulator, world| {
        let at_page = |pages: u32| {
            anew(emulator);
            emulator
                .fault(&format!("users:no-message*{pages}"))
                .unwrap();
            emulator.fault("users:hang").unwrap();
            let mut command = world.command();
            let query = format!("{}/v1.0/users?$top=999", emulator.url());
            command.arg("--all").env("ENDPOINT", query);
            command.stdout(process::Stdio::null());
            let mut child = command.spawn().unwrap();
            until("the last page", || {
                graph_calls(emulator).len() > pages as usize
            });
            let memory = memory(child.id());
            child.kill().unwrap();
            child.wait().unwrap();
            memory
        };
        let (few, many) = (at_page(3), at_page(20));
        println!("{few} KiB, then {many} KiB");
        // What is free at that moment, of what the first pages took, differs from run to run.
        assert!(many < few + 2048);
    });
}
