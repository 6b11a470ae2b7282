//! E19: sessions in a file of this machine.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use redb::{Database, ReadableDatabase, ReadableTableMetadata, TableDefinition};
use tempfile::TempDir;

use super::*;

/// A world with a state folder of its own.
fn stateful(emulator: &Emulator, state: &Path) -> World {
    world(emulator).env("XDG_STATE_HOME", state.to_str().unwrap())
}

fn session_files(state: &Path) -> Vec<PathBuf> {
    let folder = fs::read_dir(state.join("entra-samples-rust")).unwrap();
    folder.map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn e19_sessions_survive_kill_9_in_a_private_file() {
    let emulator = emulator();
    let state = TempDir::new().unwrap();
    let world = stateful(&emulator, state.path());
    let app = App::at(&world);
    let mut browser = Browser::signed_in(&app);
    let back = browser.come_back_from("/login");
    let files = session_files(state.path());
    assert_eq!(files.len(), 1, "{files:?}");
    let mode = fs::metadata(&files[0]).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    app.says(files[0].to_str().unwrap());
    // Who reads the file cannot act as the user.
    let content = fs::read(&files[0]).unwrap();
    let session = browser.session().unwrap().as_bytes();
    assert!(!content.windows(session.len()).any(|part| part == session));

    let port = app.port;
    app.running.signal("KILL");
    drop(app);
    let _app = App::at_port(&world, port).unwrap();
    browser.get("/").shows(200, "Welcome Contoso Employee!");
    // A sign-in that was on its way goes on.
    assert_eq!(browser.get(&back).location(), "/");
    assert!(browser.is_signed_in());
}

#[test]
fn e19_a_second_instance_says_what_to_do() {
    let emulator = emulator();
    let state = TempDir::new().unwrap();
    let redirect_uri = "http://localhost:5000/getAToken";
    let world = stateful(&emulator, state.path()).env("REDIRECT_URI", redirect_uri);
    let _app = App::at(&world);
    let port = free_port().to_string();
    let outcome = world.run_with(|command| {
        command.args(["--port", &port]);
    });
    outcome.fails(1, &["Another instance", "SESSION_STORE", "redis://"]);
    // Another app of the same user is no trouble.
    let redirect_uri = "http://localhost:5000/auth/callback";
    App::at(&stateful(&emulator, state.path()).env("REDIRECT_URI", redirect_uri));
}

#[test]
fn e19_without_a_state_folder_sessions_are_in_memory() {
    let emulator = emulator();
    let world = world(&emulator).file("plain", "a file, and no folder");
    let state = world.work().join("plain");
    let app = App::of(world.env("XDG_STATE_HOME", state.to_str().unwrap()));
    app.says("Warning: sessions are in memory only");
    let mut browser = Browser::signed_in(&app);
    assert!(browser.is_signed_in());
}

#[test]
fn e19_a_damaged_file_is_told() {
    let emulator = emulator();
    let state = TempDir::new().unwrap();
    let redirect_uri = "http://localhost:5000/getAToken";
    let world = stateful(&emulator, state.path()).env("REDIRECT_URI", redirect_uri);
    drop(App::at(&world));
    fs::write(&session_files(state.path())[0], "x".repeat(5000)).unwrap();
    let port = free_port().to_string();
    let outcome = world.run_with(|command| {
        command.args(["--port", &port]);
    });
    outcome.fails(1, &["cannot be read", "Delete the file"]);
}

#[test]
fn e19_a_new_session_id_at_each_sign_in() {
    let emulator = emulator();
    let app = App::start(&emulator);
    let mut browser = Browser::new(&app);
    // An id that somebody else has put there is not taken over.
    let planted = "A".repeat(43);
    let jar = browser.cookies.entry("localhost".into()).or_default();
    jar.insert("session".into(), planted.clone());
    let back = browser.come_back_from("/");
    let page = browser.get(&back);
    let cookie = page
        .all("set-cookie")
        .find(|c| c.starts_with("session="))
        .unwrap();
    for attribute in [
        "; HttpOnly",
        "; SameSite=Lax",
        "; Path=/",
        "; Max-Age=86400",
    ] {
        assert!(cookie.contains(attribute), "{attribute} in {cookie}");
    }
    for attribute in ["Secure", "Domain"] {
        assert!(!cookie.contains(attribute), "{attribute} in {cookie}");
    }
    assert_ne!(browser.session(), Some(planted.as_str()));

    // The one before ends with the new one.
    let mut old = browser.clone();
    browser.visit("/login").shows(200, "Welcome");
    assert_ne!(browser.session(), old.session());
    assert!(!old.is_signed_in());
    assert!(browser.is_signed_in());
}

#[test]
fn e19_visits_without_sign_in_store_nothing() {
    let emulator = emulator();
    let state = TempDir::new().unwrap();
    let app = App::at(&stateful(&emulator, state.path()));
    let mut browser = Browser::signed_in(&app);
    let before = fs::metadata(&session_files(state.path())[0]).unwrap();
    for _ in 0..200 {
        let mut visitor = Browser::new(&app);
        assert_eq!(visitor.get("/").status, 302);
        assert_eq!(visitor.get("/getAToken?state=x&code=y").status, 400);
        assert_eq!(visitor.session(), None);
    }
    let after = fs::metadata(&session_files(state.path())[0]).unwrap();
    assert_eq!(before.modified().unwrap(), after.modified().unwrap());
    assert!(browser.is_signed_in());
}

const VALUES: TableDefinition<&[u8], (u64, &[u8])> = TableDefinition::new("sessions");
const ENDS: TableDefinition<(u64, &[u8]), ()> = TableDefinition::new("ends of sessions");
const USED: TableDefinition<&[u8], (u64, &[u8])> = TableDefinition::new("used states");
const ENDS_OF_USED: TableDefinition<(u64, &[u8]), ()> = TableDefinition::new("ends of used states");
const MOST_SESSIONS: u64 = 200_000;
const MOST_USED_STATES: u64 = 20_000;

/// Fills the file up, as very many visitors would, with entries that end at this time and later.
fn fill(file: &Path, first_end: u64) {
    let database = Database::open(file).unwrap();
    let write = database.begin_write().unwrap();
    for (values, ends, most) in [
        (VALUES, ENDS, MOST_SESSIONS),
        (USED, ENDS_OF_USED, MOST_USED_STATES),
    ] {
        let mut values = write.open_table(values).unwrap();
        let mut ends = write.open_table(ends).unwrap();
        for number in values.len().unwrap()..most {
            let (end, key) = (first_end + number, number.to_be_bytes());
            values.insert(key.as_slice(), (end, [].as_slice())).unwrap();
            ends.insert((end, key.as_slice()), ()).unwrap();
        }
    }
    write.commit().unwrap();
}

fn lengths(file: &Path) -> [u64; 2] {
    let database = Database::open(file).unwrap();
    let read = database.begin_read().unwrap();
    [VALUES, USED].map(|table| read.open_table(table).unwrap().len().unwrap())
}

#[test]
fn e19_the_file_is_bounded_and_only_a_sign_in_evicts_a_session() {
    let emulator = emulator();
    let state = TempDir::new().unwrap();
    let world = stateful(&emulator, state.path());
    let app = App::at(&world);
    let (mut browser, port) = (Browser::signed_in(&app), app.port);
    drop(app);
    let file = session_files(state.path()).remove(0);
    // The browser's session is the oldest one.
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap();
    fill(&file, now.as_secs() + 48 * 60 * 60);
    assert_eq!(lengths(&file), [MOST_SESSIONS, MOST_USED_STATES]);

    let app = App::at_port(&world, port).unwrap();
    assert!(browser.is_signed_in());
    // Sign-ins that fail use a state up, and nothing else.
    for _ in 0..3 {
        emulator.fault("idtoken:wrong-nonce").unwrap();
        assert_eq!(Browser::new(&app).visit("/").status, 400);
    }
    assert!(browser.is_signed_in());
    // One that succeeds takes the place of the oldest.
    Browser::signed_in(&app);
    assert!(!browser.is_signed_in());
    drop(app);
    assert_eq!(lengths(&file), [MOST_SESSIONS, MOST_USED_STATES]);
}

#[test]
fn e19_what_has_ended_is_swept_out() {
    let emulator = emulator();
    let state = TempDir::new().unwrap();
    let world = stateful(&emulator, state.path());
    let app = App::at(&world);
    let (mut browser, port) = (Browser::signed_in(&app), app.port);
    drop(app);
    let file = session_files(state.path()).remove(0);
    fill(&file, 1);
    let app = App::at_port(&world, port).unwrap();
    Browser::signed_in(&app);
    assert!(browser.is_signed_in());
    drop(app);
    let [sessions, used_states] = lengths(&file);
    assert!(sessions < MOST_SESSIONS - 50, "{sessions}");
    assert!(used_states < MOST_USED_STATES - 50, "{used_states}");
}
