//! The back button, after a sign-in and after a sign-out.

use super::*;

#[test]
fn back_after_a_sign_in_undoes_nothing() {
    let Some(stage) = Stage::set() else { return };
    let chromium = &stage.chromium;
    stage.sign_in();
    // To the provider's pages, and on them once more to the end: the sign-in that they belong to is over.
    chromium.back();
    println!("{} {}", chromium.url(), chromium.text());
    chromium.back();
    println!("{} {}", chromium.url(), chromium.text());
    chromium.shows("Pick an account").click("Contoso Manager");
    chromium.shows("Enter password");
    chromium.fill("Password", "Manager#1002");
    chromium.click("Sign in");
    chromium
        .shows("This sign-in cannot go on")
        .says("over already")
        .inspect();
    chromium.click("Sign in again");
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
