//! B2C: its user flows lead from one page to another.

use super::*;
use crate::web::world_of;

fn b2c(emulator: &Emulator) -> World {
    world_of(emulator, "flask-equivalent-web-b2c")
}

#[test]
fn e21_b2c_edits_the_profile_and_resets_the_password() {
    let Some(stage) = Stage::with(b2c) else {
        return;
    };
    let chromium = &stage.chromium;
    stage.open("/");
    chromium.shows("Pick an account").click("Bo Consumer");
    chromium.shows("Enter password").inspect();
    chromium.fill("Password", "Consumer#5001");
    chromium.click("Sign in");
    chromium
        .shows("Welcome Bo Consumer!")
        .inspect()
        .click("Edit Profile");
    chromium.shows("Edit your profile").inspect();
    chromium.fill("Display name", "Bo <b>Bold</b>");
    chromium.click("Continue");
    chromium
        .shows("Welcome Bo <b>Bold</b>!")
        .click("Call an API");
    chromium.shows("API Response").says("Bo").click("Back");
    // Whoever changes their mind stays signed in.
    chromium
        .shows("Welcome Bo <b>Bold</b>!")
        .click("Edit Profile");
    chromium.shows("Edit your profile").click("Cancel");
    chromium.shows("Welcome Bo <b>Bold</b>!").click("Logout");

    chromium.shows("Pick an account").click("Bo Consumer");
    chromium
        .shows("Enter password")
        .click("Forgot your password?");
    chromium.shows("Pick an account").click("Bo Consumer");
    chromium.shows("Reset your password").inspect();
    chromium.fill("New password", "Another#5001");
    chromium.click("Continue");
    chromium.shows("Welcome Bo Consumer!");
}
