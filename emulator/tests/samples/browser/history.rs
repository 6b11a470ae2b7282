//! The back button, after a sign-in and after a sign-out.

use super::*;

#[test]
fn back_after_a_sign_in_undoes_nothing() {
    let Some(stage) = Stage::set() else { return };
    let chromium = &stage.chromium;
    stage.sign_in();
    // The provider's page was the answer to a form, which the browser would have to send again. The page before it leads
    // straight to the app, since the provider knows the user by now: with a sign-in that is over.
    chromium.back();
    chromium.back();
    chromium
        .shows("This sign-in cannot go on")
        .says("over already")
        .inspect()
        .click("Sign in again");
    chromium.shows("Welcome Contoso Employee!");
}

#[test]
fn back_after_a_sign_out_shows_nothing_of_the_user() {
    let Some(stage) = Stage::set() else { return };
    let chromium = &stage.chromium;
    stage.sign_in();
    stage.call_api();
    chromium.click("Back");
    chromium.shows("Welcome Contoso Employee!").click("Logout");
    chromium.shows("Pick an account");
    for _ in 0..3 {
        chromium.back();
        let seen = chromium.text();
        assert!(
            !seen.contains("Welcome") && !seen.contains("jobTitle"),
            "{seen}"
        );
    }
    stage.open("/");
    chromium.shows("Pick an account");
}
