//! CT3 and CT4: what goes to stdout and to stderr, where either is gone, and with which status the program ends.

use std::{
    fs::File,
    io::pipe,
    process::Stdio,
    time::{Duration, Instant},
};

use super::{anew, each_sample, entra_calls, first_endpoint, graph_calls, signed_in, until};
use crate::support::World;

#[test]
fn ct3_stdout_is_the_json_alone() {
    each_sample(|emulator, sample| {
        let world = World::at(emulator, sample);
        for args in [&[][..], &["--verbose"], &["--no-cache"], &["--all"]] {
            println!("{sample} {args:?}");
            let outcome = world.run_with(|command| {
                command.args(args);
            });
            // Nothing before the JSON (this reads all of stdout), one object, a line end; labels elsewhere.
            assert!(outcome.json().is_object());
            assert!(outcome.stdout.starts_with('{') && outcome.stdout.ends_with("}\n"));
            outcome.says_times(1, "Graph API call result:");
        }
    });
}

#[test]
fn ct3_a_reader_that_has_gone_is_no_error() {
    each_sample(|emulator, sample| {
        let world = signed_in(emulator, sample);
        for args in [&[][..], &["--all"], &["--verbose"]] {
            println!("{sample} {args:?}");
            let (reader, writer) = pipe().unwrap();
            drop(reader);
            let outcome = world.run_with(|command| {
                command.args(args).stdout(writer);
            });
            assert_eq!(outcome.status.code(), Some(0), "{outcome:#?}");
            outcome.says_times(0, "could not be written");
            outcome.says_times(0, "panic");
        }
    });
}

#[test]
fn ct3_a_full_disk_is_one() {
    each_sample(|emulator, sample| {
        let world = signed_in(emulator, sample);
        for args in [&[][..], &["--all"]] {
            println!("{sample} {args:?}");
            let outcome = world.run_with(|command| {
                command.args(args).stdout(full_disk());
            });
            outcome.fails(
                1,
                &["The result could not be written: No space left on device"],
            );
        }
    });
}

fn full_disk() -> File {
    File::options().write(true).open("/dev/full").unwrap()
}

#[test]
fn ct3_a_stderr_that_is_gone_changes_nothing() {
    each_sample(|emulator, sample| {
        let world = signed_in(emulator, sample);
        let expected = world.run().stdout;
        // Rows: arguments, a fault, and the status that the run ends with all the same.
        let rows: [(&[&str], &str, i32); 5] = [
            (&[], "", 0),
            (&["--verbose"], "", 0),
            (&["--all"], "", 0),
            (&[], "graph:status-403", 1),
            (&["--client-id", "nonsense"], "", 2),
        ];
        for (args, fault, status) in rows {
            for gone in ["closed", "closed pipe", "full disk"] {
                println!("{sample} {args:?} {fault} {gone}");
                if !fault.is_empty() {
                    emulator.fault(fault).unwrap();
                }
                let outcome = match gone {
                    "closed" => {
                        let args = args.join(" ");
                        world.run_in_shell(&format!("exec \"$@\" {args} 2>&-"))
                    }
                    _ => world.run_with(|command| {
                        command.args(args).stderr(match gone {
                            "full disk" => Stdio::from(full_disk()),
                            _ => Stdio::from(pipe().unwrap().1),
                        });
                    }),
                };
                assert_eq!(outcome.status.code(), Some(status), "{outcome:#?}");
                match status {
                    0 => assert_eq!(outcome.stdout, expected),
                    _ => assert_eq!(outcome.stdout, ""),
                }
            }
        }
    });
}

#[test]
fn ct4_exit_status() {
    each_sample(|emulator, sample| {
        let world = World::at(emulator, sample);
        world.run().json();
        let endpoint = first_endpoint(sample);
        let rows: [(&[&str], String, i32); 6] = [
            (&["--no-cache"], format!("{endpoint}:error=refused"), 1),
            (&[], "graph:status-404".into(), 1),
            (&["--unheard-of"], String::new(), 2),
            (&["--all=yes"], String::new(), 2),
            (&["--authority"], String::new(), 2),
            (&["--endpoint", "graph"], String::new(), 2),
        ];
        for (args, fault, status) in rows {
            println!("{sample} {args:?} {fault}");
            if !fault.is_empty() {
                emulator.fault(&fault).unwrap();
            }
            let outcome = world.run_with(|command| {
                command.args(args);
            });
            outcome.fails(status, &[]);
            assert_ne!(outcome.stderr, "", "it should say why");
        }
    });
}

#[test]
fn ct4_ctrl_c() {
    each_sample(|emulator, sample| {
        let first = first_endpoint(sample);
        let cached = signed_in(emulator, sample);
        let uncached = World::at(emulator, sample).arg("--no-cache");
        // Interrupted while an answer is awaited, and while the next try is.
        let rows = [
            (&uncached, format!("{first}:hang")),
            (&uncached, format!("{first}:status-503=100")),
            (&cached, "graph:hang".into()),
            (&cached, "graph:status-503=100".into()),
        ];
        for (world, fault) in rows {
            println!("{sample} {fault}");
            let mut times = (0..5).map(|_| {
                anew(emulator);
                emulator.fault(&fault).unwrap();
                let running = world.start();
                until("the request", || {
                    let mut calls = entra_calls(emulator);
                    calls.extend(graph_calls(emulator));
                    let hangs = fault.ends_with("hang");
                    calls.iter().any(|call| hangs || call.status.is_some())
                });
                let sent = Instant::now();
                running.signal("INT");
                running.wait().fails(130, &["Interrupted."]);
                sent.elapsed()
            });
            // Where other programs keep the machine busy, it may take several tries to see how quick it is.
            assert!(times.any(|elapsed| elapsed < Duration::from_secs(1)));
        }
    });
}
