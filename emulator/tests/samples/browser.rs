//! The web sample and the emulator's own pages in a real browser, as people use them.
//!
//! Without Chromium these tests are skipped with a word; where `CI` is set they fail then.

mod chromium;
mod device_code;
mod errors;
mod history;
mod inspect;
mod keyboard;
mod pictures;
mod sign_in;
mod tenants;

use emulator::{Emulator, Options};

use crate::support::{EMPLOYEE_PASSWORD, World};
use crate::web::{App, world};
use chromium::Chromium;

/// An emulator at which people sign in themselves.
fn emulator() -> Emulator {
    Emulator::start(Options::default()).unwrap()
}

/// A browser, an emulator, and the app as it is registered there.
struct Stage {
    chromium: Chromium,
    emulator: Emulator,
    app: App,
}

impl Stage {
    fn set() -> Option<Self> {
        Self::with(world)
    }

    fn with(world: impl Fn(&Emulator) -> World) -> Option<Self> {
        let chromium = Chromium::start()?;
        let emulator = emulator();
        let app = App::of(world(&emulator));
        Some(Self {
            chromium,
            emulator,
            app,
        })
    }

    /// Opens a page of the app.
    #[track_caller]
    fn open(&self, path: &str) {
        self.chromium.open(&format!("{}{path}", self.app.origin));
    }

    /// Goes through the pages of a sign-in, until the app welcomes the user.
    #[track_caller]
    fn sign_in(&self) {
        self.open("/");
        self.chromium.shows("Pick an account");
        self.chromium.click("Contoso Employee");
        self.give_password();
        self.chromium.shows("Welcome Contoso Employee!");
    }

    #[track_caller]
    fn give_password(&self) {
        self.chromium.shows("Enter password");
        self.chromium.fill("Password", EMPLOYEE_PASSWORD);
        self.chromium.click("Sign in");
    }

    /// Calls the API for the first time, which asks for a permission.
    #[track_caller]
    fn call_api(&self) {
        self.chromium.click("Call an API");
        self.chromium.shows("Permissions requested").click("Accept");
        self.chromium
            .shows("API Response")
            .says("\"displayName\": \"Contoso Employee\"");
    }
}
