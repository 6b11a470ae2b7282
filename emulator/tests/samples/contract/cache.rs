//! CT9: the token cache on disk.

use std::{
    fs::{self, File, Permissions},
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
    process::Command,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use emulator::Emulator;
use serde_json::Value;

use super::{
    anew, each_sample, emulator, entra_calls, graph_calls, side_by_side, signed_in, until,
};
use crate::support::{EMPLOYEE_PASSWORD, SAMPLES, World};

const WARNING: &str = "Warning: the token cache is unusable: ";

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

/// The grants that Entra ID was asked for.
fn grants(emulator: &Emulator) -> Vec<String> {
    let calls = entra_calls(emulator);
    let grants = calls.iter().filter_map(|call| call.field("grant_type"));
    grants.map(str::to_owned).collect()
}

/// The grant of the sample's full flow, and that of a silent renewal.
fn full_grant(sample: &str) -> &'static str {
    match sample {
        "device-code" => "urn:ietf:params:oauth:grant-type:device_code",
        "client-credentials" => "client_credentials",
        _ => "password",
    }
}

fn renewal_grant(sample: &str) -> &'static str {
    match sample {
        "client-credentials" => "client_credentials", // an app has no refresh token
        _ => "refresh_token",
    }
}

#[test]
fn ct9_for_its_owner_alone() {
    each_sample(|emulator, sample| {
        // A generous umask, and a folder that somebody made generously, change nothing.
        let world = World::at(emulator, sample);
        world.run_in_shell("umask 0; exec \"$@\"").json();
        assert_eq!(mode(&world.cache_folder()), 0o700);
        for file in fs::read_dir(world.cache_folder()).unwrap() {
            let file = file.unwrap().path();
            assert_eq!(mode(&file), 0o600, "{}", file.display());
        }
        let world = World::at(emulator, sample);
        fs::create_dir_all(world.cache_folder()).unwrap();
        fs::set_permissions(world.cache_folder(), Permissions::from_mode(0o755)).unwrap();
        world.run().json();
        assert_eq!(mode(&world.cache_folder()), 0o700);
        assert_eq!(mode(&world.cache_file()), 0o600);
    });
}

#[test]
fn ct9_announced_once_and_without_a_secret() {
    each_sample(|emulator, sample| {
        let world = World::at(emulator, sample);
        let announced = format!("Token cache: {}\n", world.cache_file().display());
        for _ in 0..2 {
            let outcome = world.run();
            outcome.json();
            outcome.says_times(1, &announced).says_times(0, WARNING);
        }
        emulator.fault("graph:cae").unwrap();
        world.run().says_times(1, &announced);
        let secret = match sample {
            "client-credentials" => world.setting("CLIENT_SECRET"),
            _ => EMPLOYEE_PASSWORD.to_owned(),
        };
        for file in fs::read_dir(world.cache_folder()).unwrap() {
            let content = fs::read_to_string(file.unwrap().path()).unwrap();
            assert!(!content.contains(&secret));
        }
    });
}

#[test]
fn ct9_a_cached_token_is_used() {
    each_sample(|emulator, sample| {
        let world = signed_in(emulator, sample);
        let before = fs::read(world.cache_file()).unwrap();
        let outcome = world.run();
        outcome.json();
        outcome.says_times(0, "enter the code");
        outcome.says_times(0, "Could not find a cached token");
        // Not even the question who keeps the password.
        let paths: Vec<_> = emulator
            .requests()
            .into_iter()
            .map(|call| call.path)
            .collect();
        assert_eq!(paths.len(), 1, "{paths:?}");
        assert!(paths[0].starts_with("/v1.0/"));
        assert_eq!(fs::read(world.cache_file()).unwrap(), before);
    });
}

#[test]
fn ct9_keyed_by_authority_client_user_and_scopes() {
    each_sample(|emulator, sample| {
        let world = signed_in(emulator, sample);
        let full = full_grant(sample);
        let other_client = match sample {
            "device-code" => "username-password",
            "client-credentials" => "client-credentials-role-missing",
            _ => "device-code",
        };
        let other = World::registered_as(emulator, sample, other_client);
        // The same tenant by another name, another app (with a secret of its own), other scopes, another user.
        let mut client = vec![("CLIENT_ID", other.setting("CLIENT_ID"))];
        let authority = format!("{}/contoso.com", emulator.url());
        let mut rows = vec![(vec![("AUTHORITY", authority)], full)];
        if sample == "client-credentials" {
            client.push(("CLIENT_SECRET", other.setting("CLIENT_SECRET")));
            let scope = "https://graph.microsoft.us/.default".to_owned();
            rows.push((vec![("SCOPE", scope)], full));
        } else {
            let scope = "User.ReadBasic.All".to_owned();
            rows.push((vec![("SCOPE", scope)], "refresh_token"));
        }
        rows.push((client, full));
        if sample == "username-password" {
            let manager = [
                ("AZURE_USERNAME", "contoso_manager@contoso.com"),
                ("AZURE_PASSWORD", "Manager#1002"),
            ];
            rows.push((
                manager
                    .map(|(name, value)| (name, value.to_owned()))
                    .to_vec(),
                full,
            ));
        }
        for (settings, grant) in rows {
            println!("{sample} {settings:?}");
            emulator.clear_requests();
            world.run_with(|command| {
                command.envs(settings.clone());
            });
            assert!(grants(emulator).iter().all(|asked| asked == grant));
            assert_ne!(grants(emulator).len(), 0);
            // What was there is still there.
            emulator.clear_requests();
            world.run().json();
            assert_eq!(grants(emulator).len(), 0);
        }
        // The order of scopes and the case of the tenant mean nothing.
        let authority = world
            .setting("AUTHORITY")
            .to_uppercase()
            .replace("HTTP", "http");
        world.run_with(|command| {
            command.env("AUTHORITY", authority);
        });
        assert_eq!(grants(emulator).len(), 0);
    });
}

#[test]
fn ct9_refresh_tokens_are_shared_across_scopes() {
    side_by_side(["device-code", "username-password"], |sample| {
        let emulator = &emulator();
        let world = signed_in(emulator, sample);
        let users = format!("{}/v1.0/users", emulator.url());
        for grant in [Some("refresh_token"), None] {
            emulator.clear_requests();
            let outcome = world.run_with(|command| {
                command
                    .env("SCOPE", "User.ReadBasic.All")
                    .env("ENDPOINT", &users);
            });
            assert!(outcome.json()["value"].is_array());
            let calls = entra_calls(emulator);
            let call = calls.first();
            assert_eq!(call.and_then(|call| call.field("grant_type")), grant);
            if let Some(scope) = call.and_then(|call| call.field("scope")) {
                let asked: Vec<_> = scope.split(' ').collect();
                assert!(asked.contains(&"User.ReadBasic.All") && !asked.contains(&"User.Read"));
            }
        }
    });
}

#[test]
fn ct9_renewed_when_less_than_five_minutes_are_left() {
    // A lifetime with time to spare for a slow machine; a token that never had five minutes is used once.
    let lifetimes = [
        (3599, false),
        (360, false),
        (299, true),
        (1, true),
        (0, true),
    ];
    let rows = SAMPLES
        .iter()
        .flat_map(|sample| lifetimes.map(|lifetime| (*sample, lifetime)));
    side_by_side(rows, |(sample, (lifetime, renewed))| {
        println!("{sample} {lifetime}");
        let emulator = &emulator();
        emulator
            .fault(&format!("token:expires-in={lifetime}*always"))
            .unwrap();
        let world = signed_in(emulator, sample);
        world.run().json();
        let expected = if renewed {
            vec![renewal_grant(sample)]
        } else {
            vec![]
        };
        assert_eq!(grants(emulator), expected);
        // The new one is good.
        emulator.clear_requests();
        world.run().json();
        assert_eq!(grants(emulator).len(), 0);
    });
}

#[test]
fn ct9_a_refused_refresh_token_leads_to_the_full_flow() {
    side_by_side(["device-code", "username-password"], |sample| {
        let emulator = &emulator();
        emulator.fault("token:expires-in=60*always").unwrap();
        let world = signed_in(emulator, sample);
        emulator.fault("token:aadsts=50173").unwrap();
        world.run().json();
        let grants = grants(emulator);
        assert_eq!(grants[..2], ["refresh_token", full_grant(sample)]);
    });
}

#[test]
fn ct9_without_an_answer_the_refresh_token_stays() {
    side_by_side(["device-code", "username-password"], |sample| {
        let emulator = &emulator();
        emulator.fault("token:expires-in=60*always").unwrap();
        let world = signed_in(emulator, sample);
        emulator.fault("token:status-503=999").unwrap();
        world.run().fails(1, &["temporarily_unavailable"]);
        anew(emulator);
        world.run().json();
        assert_eq!(grants(emulator), ["refresh_token"]);
    });
}

#[test]
fn ct9_no_cache() {
    each_sample(|emulator, sample| {
        let world = World::at(emulator, sample);
        let without = |world: &World| {
            world.run_with(|command| {
                command.arg("--no-cache");
            })
        };
        let outcome = without(&world);
        outcome.json();
        outcome.says_times(0, "Token cache");
        assert!(!world.cache_folder().exists());

        world.run().json();
        let before = fs::read(world.cache_file()).unwrap();
        anew(emulator);
        without(&world).json();
        assert!(
            grants(emulator)
                .iter()
                .all(|grant| grant == full_grant(sample))
        );
        assert_ne!(grants(emulator).len(), 0);
        assert_eq!(fs::read(world.cache_file()).unwrap(), before);

        fs::write(world.cache_file(), "damaged").unwrap();
        without(&world).says_times(0, WARNING);
        assert_eq!(fs::read(world.cache_file()).unwrap(), b"damaged");
    });
}

/// What may stand where the cache file should.
#[derive(Clone, Copy, Debug)]
enum Odd {
    Content(&'static [u8]),
    Mode(u32),
    Link,
    DanglingLink,
    Pipe,
    Folder,
    /// A file in the place of the cache's folder, and of the folder above it.
    NoFolder,
    NoParent,
}

/// Each row: what stands there, and whether a run puts a good cache in its place.
const ODD: &[(Odd, bool)] = &[
    (Odd::Content(b""), true),
    (Odd::Content(b"{"), true),
    (Odd::Content(b"null"), true),
    (Odd::Content(b"[]"), true),
    (Odd::Content(b"{}"), true),
    (Odd::Content(b"\xff\xfe\x00"), true),
    (Odd::Content(b"{\"version\":0,\"accounts\":[]}"), true),
    (Odd::Content(b"{\"version\":2,\"accounts\":[]}"), true),
    (Odd::Content(b"{\"version\":1,\"accounts\":[{}]}"), true),
    (
        Odd::Content(b"{\"AccessToken\":{},\"RefreshToken\":{}}"),
        true,
    ),
    (Odd::Mode(0o644), true),
    (Odd::Mode(0o660), true),
    (Odd::Mode(0o602), true),
    (Odd::Link, true),
    (Odd::DanglingLink, true),
    (Odd::Pipe, true),
    (Odd::Folder, false),
    (Odd::NoFolder, false),
    (Odd::NoParent, false),
];

fn put(odd: Odd, world: &World, good: &[u8]) {
    let (folder, file) = (world.cache_folder(), world.cache_file());
    if let Odd::NoParent = odd {
        return fs::write(folder.parent().unwrap(), "").unwrap();
    }
    fs::create_dir_all(folder.parent().unwrap()).unwrap();
    if let Odd::NoFolder = odd {
        return fs::write(folder, "").unwrap();
    }
    fs::create_dir_all(&folder).unwrap();
    let write = |path: &Path, content: &[u8], mode: u32| {
        fs::write(path, content).unwrap();
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    };
    match odd {
        Odd::Content(content) => write(&file, content, 0o600),
        Odd::Mode(mode) => write(&file, good, mode),
        Odd::Link => {
            write(&world.work().join("elsewhere"), good, 0o600);
            symlink(world.work().join("elsewhere"), file).unwrap();
        }
        Odd::DanglingLink => symlink(world.work().join("nowhere"), file).unwrap(),
        Odd::Pipe => assert!(Command::new("mkfifo").arg(file).status().unwrap().success()),
        Odd::Folder => fs::create_dir(file).unwrap(),
        Odd::NoFolder | Odd::NoParent => {}
    }
}

#[test]
fn ct9_an_unusable_cache_is_one_warning() {
    side_by_side(SAMPLES, |sample| {
        let emulator = &emulator();
        let good = fs::read(signed_in(emulator, sample).cache_file()).unwrap();
        side_by_side(ODD, |(odd, replaced)| {
            let world = World::at(emulator, sample);
            put(*odd, &world, &good);
            let outcome = world.run();
            println!("{sample} {odd:?} {outcome:#?}");
            outcome.json();
            outcome.says_times(1, WARNING);
            // A link is not followed, neither to read nor to write.
            if let Odd::Link = odd {
                assert_eq!(fs::read(world.work().join("elsewhere")).unwrap(), good);
            }
            assert!(!world.work().join("nowhere").exists());
            if *replaced {
                assert!(fs::symlink_metadata(world.cache_file()).unwrap().is_file());
                assert_eq!(mode(&world.cache_file()), 0o600);
                let outcome = world.run();
                outcome.json();
                outcome
                    .says_times(0, WARNING)
                    .says_times(0, "enter the code");
            }
        });
    });
}

#[test]
fn ct9_a_full_disk_is_one_warning() {
    each_sample(|emulator, sample| {
        let world = World::at(emulator, sample);
        let full = "trap '' XFSZ; ulimit -f 0; exec \"$@\"";
        let outcome = world.run_in_shell(full);
        outcome.json();
        outcome.says_times(1, WARNING);
        assert!(!world.cache_file().exists());
        // A cache that was good stays so.
        let world = signed_in(emulator, sample);
        let before = fs::read(world.cache_file()).unwrap();
        emulator.fault("graph:cae").unwrap();
        let outcome = world.run_in_shell(full);
        outcome.json();
        outcome.says_times(1, WARNING);
        assert_eq!(fs::read(world.cache_file()).unwrap(), before);
    });
}

#[test]
fn ct9_the_lock_is_held_only_to_read_and_write() {
    each_sample(|emulator, sample| {
        // It is free while Graph takes its time.
        let world = World::at(emulator, sample);
        emulator.fault("token:expires-in=60*always").unwrap();
        emulator.fault("graph:hang").unwrap();
        let running = world.start();
        until("the call", || !graph_calls(emulator).is_empty());
        let lock = File::open(world.cache_folder().join("token_cache.lock")).unwrap();
        lock.try_lock().unwrap();
        // Killed in the middle of it, the sample leaves nothing behind that matters.
        running.signal("KILL");
        running.wait();

        // Whoever keeps it locked is waited for five seconds, and that only to write.
        anew(emulator);
        let outcome = world.run();
        outcome.json();
        outcome.says_times(1, WARNING);
        assert_eq!(grants(emulator), [renewal_grant(sample)]);
        lock.unlock().unwrap();
        world.run().json();
        emulator.clear_requests();
        world.run().says_times(0, WARNING).json();
        assert_eq!(grants(emulator).len(), 0);
    });
}

#[test]
fn ct9_many_at_once_undo_nothing_of_each_other() {
    let emulator = emulator();
    let shared = tempfile::tempdir().unwrap();
    let worlds: Vec<World> = (0..4)
        .flat_map(|_| SAMPLES)
        .map(|sample| {
            World::at(&emulator, sample).env("XDG_CACHE_HOME", shared.path().display().to_string())
        })
        .collect();
    let file = shared.path().join("entra-samples-rust/token_cache.json");
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        // Whoever reads meanwhile never sees half of it.
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                if let Ok(content) = fs::read(&file) {
                    serde_json::from_slice::<Value>(&content).unwrap();
                }
            }
        });
        side_by_side(&worlds, |world| {
            let outcome = world.run();
            done.fetch_or(outcome.status.code() != Some(0), Ordering::Relaxed);
            outcome.says_times(0, WARNING).json();
        });
        done.store(true, Ordering::Relaxed);
    });
    emulator.clear_requests();
    for world in &worlds {
        world.run().json();
    }
    assert_eq!(grants(&emulator).len(), 0);
}
