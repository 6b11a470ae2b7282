//! What depends on the clock (E14, E16, E19, E26): the app runs with a clock that the test moves on.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::*;

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;

/// A world whose clock a test moves on. None where libfaketime is not installed, which is fine except in CI.
struct Clock {
    world: World,
    file: PathBuf,
}

impl Clock {
    fn new(world: World) -> Option<Self> {
        let folders = fs::read_dir("/usr/lib").into_iter().flatten().flatten();
        let library = folders
            .map(|folder| folder.path().join("faketime/libfaketimeMT.so.1"))
            .find(|library| library.exists());
        let Some(library) = library else {
            assert!(std::env::var_os("CI").is_none(), "CI has no libfaketime");
            println!("not tried: there is no libfaketime here (package faketime)");
            return None;
        };
        let file = world.work().join("clock");
        let path = |path: &Path| path.to_str().unwrap().to_owned();
        let clock = Self {
            world: world
                .env("LD_PRELOAD", path(&library))
                .env("FAKETIME_TIMESTAMP_FILE", path(&file))
                .env("FAKETIME_NO_CACHE", "1"),
            file,
        };
        clock.set(0);
        Some(clock)
    }

    /// Puts the app's clock ahead of the test's by so many seconds.
    fn set(&self, seconds: i64) {
        // In one step, since the app may be reading it.
        let new = self.file.with_extension("new");
        fs::write(&new, format!("{seconds:+}\n")).unwrap();
        fs::rename(new, &self.file).unwrap();
    }

    /// The same while the app runs.
    fn move_on(&self, app: &App, seconds: i64) {
        self.set(seconds);
        // Its server looks at the clock twice a second, and gives up connections that seem to be slow until it has.
        let mut in_a_row = 0;
        until("the app has the new time", || {
            let host = [("Host", "localhost".to_owned())];
            let is_well = send(app.port, "GET", "/health", &host).status == 200;
            in_a_row = if is_well { in_a_row + 1 } else { 0 };
            (in_a_row == 20).then_some(())
        });
    }

    /// The app stops, and starts again at this time with the sessions that it had.
    fn start_again_at(&self, app: App, seconds: i64) -> App {
        let port = app.port;
        app.running.signal("TERM");
        assert_eq!(app.running.wait().status.code(), Some(0));
        self.set(seconds);
        App::at_port(&self.world, port).unwrap()
    }
}

#[test]
fn e14_a_sign_in_may_take_fifteen_minutes() {
    let emulator = emulator();
    let Some(clock) = Clock::new(world(&emulator)) else {
        return;
    };
    let app = App::at(&clock.world);
    let mut browser = Browser::new(&app);
    let [in_time, late] = ["/", "/login"].map(|page| browser.come_back_from(page));
    let app = clock.start_again_at(app, 14 * MINUTE);
    assert_eq!(browser.get(&in_time).location(), "/");
    clock.move_on(&app, 15 * MINUTE + 1);
    let redeemed = redemptions(&emulator);
    let page = browser.get(&late);
    page.shows(400, "It took longer than 15 minutes.");
    assert_eq!(redemptions(&emulator), redeemed);
    assert!(browser.is_signed_in());
    drop(app);
}

#[test]
fn e19_a_session_lasts_for_a_day() {
    let emulator = emulator();
    let Some(clock) = Clock::new(world(&emulator)) else {
        return;
    };
    let app = App::at(&clock.world);
    let mut browser = Browser::signed_in(&app);
    let app = clock.start_again_at(app, 23 * HOUR);
    emulator.advance_clock(23 * HOUR);
    // The ID token has ended long ago, and is renewed.
    assert!(browser.is_signed_in());
    assert_eq!(grants(&emulator, "refresh_token"), 1);
    let app = clock.start_again_at(app, 24 * HOUR + 1);
    emulator.advance_clock(HOUR);
    // Its use has not made it last any longer.
    assert!(!browser.is_signed_in());
    browser.visit("/").shows(200, "Welcome Contoso Employee!");
    drop(app);
}

#[test]
fn e16_a_token_is_renewed_five_minutes_before_it_expires() {
    let emulator = emulator();
    let Some(clock) = Clock::new(world(&emulator)) else {
        return;
    };
    let app = App::at(&clock.world);
    let mut browser = Browser::new(&app);
    browser.visit("/call_api").shows(200, "Contoso Employee");
    // It lives for 3599 seconds.
    let app = clock.start_again_at(app, 54 * MINUTE);
    browser.get("/call_api").shows(200, "Contoso Employee");
    assert_eq!(grants(&emulator, "refresh_token"), 0);
    clock.move_on(&app, 55 * MINUTE + 1);
    emulator.advance_clock(55 * MINUTE);
    for _ in 0..2 {
        browser.get("/call_api").shows(200, "Contoso Employee");
        assert_eq!(grants(&emulator, "refresh_token"), 1);
    }
    drop(app);
}

/// The next ID token has a key that nobody has heard of.
fn unknown_key(emulator: &Emulator, app: &App) {
    emulator.fault("idtoken:unknown-kid").unwrap();
    assert_eq!(Browser::new(app).visit("/").status, 400);
}

#[test]
fn e26_unknown_keys_are_asked_for_every_five_minutes() {
    let emulator = emulator();
    let Some(clock) = Clock::new(world(&emulator)) else {
        return;
    };
    let app = App::at(&clock.world);
    Browser::signed_in(&app);
    let fetched = |times: usize| {
        assert_eq!(calls(&emulator, "/keys").len(), times);
    };
    fetched(1);
    // At once, however short after the first fetch; and then not, counted from this one.
    clock.move_on(&app, MINUTE);
    unknown_key(&emulator, &app);
    fetched(2);
    clock.move_on(&app, 5 * MINUTE + 30);
    unknown_key(&emulator, &app);
    fetched(2);
    clock.move_on(&app, 6 * MINUTE + 1);
    unknown_key(&emulator, &app);
    fetched(3);
    // A fetch that fails counts as well, and the old keys stay.
    clock.move_on(&app, 12 * MINUTE);
    emulator.fault("keys:status-400").unwrap();
    unknown_key(&emulator, &app);
    unknown_key(&emulator, &app);
    fetched(4);
    Browser::signed_in(&app);
}

#[test]
fn e26_a_clock_that_is_set_changes_nothing_about_it() {
    let emulator = emulator();
    let world = world(&emulator).env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    let Some(clock) = Clock::new(world) else {
        return;
    };
    let app = App::at(&clock.world);
    Browser::signed_in(&app);
    unknown_key(&emulator, &app);
    clock.move_on(&app, 10 * MINUTE);
    emulator.advance_clock(10 * MINUTE);
    unknown_key(&emulator, &app);
    assert_eq!(calls(&emulator, "/keys").len(), 2);
}

#[test]
fn e26_metadata_and_keys_are_fetched_anew_every_day() {
    let emulator = emulator();
    let Some(clock) = Clock::new(world(&emulator)) else {
        return;
    };
    let app = App::at(&clock.world);
    Browser::signed_in(&app);
    let fetched = |times: usize| {
        assert_eq!(calls(&emulator, "/openid-configuration").len(), times);
        assert_eq!(calls(&emulator, "/keys").len(), times);
    };
    fetched(1);
    // At hours after the start: a day later; another one later, in vain, which is not tried again for five minutes; and
    // then with success.
    let rows = [
        (25 * HOUR, "", 2),
        (50 * HOUR, "status-400", 3),
        (50 * HOUR + 4 * MINUTE, "", 3),
        (50 * HOUR + 6 * MINUTE, "html", 4),
        (50 * HOUR + 12 * MINUTE, "", 5),
    ];
    let mut now = 0;
    for (time, fault, times) in rows {
        clock.move_on(&app, time);
        emulator.advance_clock(time - now);
        now = time;
        if !fault.is_empty() {
            emulator.fault(&format!("discovery:{fault}")).unwrap();
            emulator.fault(&format!("keys:{fault}")).unwrap();
        }
        Browser::signed_in(&app);
        fetched(times);
        emulator.clear_faults();
    }
}
