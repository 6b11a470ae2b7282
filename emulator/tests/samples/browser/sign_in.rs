//! From the first visit to the sign-out.

use super::*;

#[test]
fn e1_e8_e9_e11_from_sign_in_to_sign_out() {
    let Some(stage) = Stage::set() else { return };
    let chromium = &stage.chromium;
    stage.open("/");
    chromium
        .shows("Pick an account")
        .inspect()
        .click("Contoso Employee");
    chromium.shows("Enter password").inspect();
    chromium.fill("Password", "wrong");
    chromium.click("Sign in");
    chromium
        .shows("Enter password")
        .says("AADSTS50126")
        .inspect();
    stage.give_password();
    chromium.shows("Welcome Contoso Employee!").inspect();
    assert_eq!(chromium.url(), format!("{}/", stage.app.origin));
    // No script could read who it is (HttpOnly).
    assert_eq!(chromium.script("return document.cookie"), "");

    // The permission is asked for when it is needed, and only once.
    chromium.click("Call an API");
    chromium
        .shows("Permissions requested")
        .says("User.Read")
        .inspect();
    chromium.click("Accept");
    chromium
        .shows("API Response")
        .says("\"jobTitle\": \"Worker\"")
        .inspect();
    assert_eq!(chromium.url(), format!("{}/call_api", stage.app.origin));
    chromium.reload();
    chromium.shows("API Response").click("Back");
    chromium
        .shows("Welcome Contoso Employee!")
        .click("Call an API");
    chromium.shows("API Response").click("Back");

    // Signed out at both: the provider knows nobody any more, and asks for the password.
    chromium.shows("Welcome Contoso Employee!").click("Logout");
    chromium.shows("Pick an account");
    assert!(!chromium.text().contains("(signed in)"));
    chromium.click("Contoso Employee");
    chromium.shows("Enter password");
}

/// The provider's session outlives the app's, and the other way round.
#[test]
fn e8_whoever_is_signed_in_at_the_provider_meets_no_page() {
    let Some(stage) = Stage::set() else { return };
    let chromium = &stage.chromium;
    stage.sign_in();
    chromium.forget_cookies(); // those of the page that is shown: the app's
    chromium.reload();
    chromium.shows("Welcome Contoso Employee!");
    // `/login` is for those who want to sign in again.
    stage.open("/login");
    chromium.shows("Welcome Contoso Employee!");
}

#[test]
fn e15_a_page_that_was_asked_for_first_is_shown_in_the_end() {
    let Some(stage) = Stage::set() else { return };
    let chromium = &stage.chromium;
    stage.open("/call_api?page=2");
    chromium.shows("Pick an account").click("Contoso Employee");
    stage.give_password();
    chromium.shows("Permissions requested").click("Accept");
    chromium.shows("API Response");
    assert_eq!(
        chromium.url(),
        format!("{}/call_api?page=2", stage.app.origin)
    );
}

#[test]
fn e6_cookies_match_whatever_this_machine_is_called() {
    let Some(stage) = Stage::set() else { return };
    let chromium = &stage.chromium;
    chromium.open(&format!("http://127.0.0.1:{}/", stage.app.port));
    chromium.shows("Pick an account").click("Contoso Employee");
    stage.give_password();
    chromium.shows("Welcome Contoso Employee!");
    assert_eq!(chromium.url(), format!("{}/", stage.app.origin));
}

#[test]
fn e14_two_tabs_that_sign_in_at_once_are_both_signed_in() {
    let Some(stage) = Stage::set() else { return };
    let chromium = &stage.chromium;
    let first = chromium.tab();
    stage.open("/");
    chromium.shows("Pick an account").click("Contoso Employee");
    chromium.shows("Enter password");
    chromium.new_tab();
    let second = chromium.tab();
    stage.open("/call_api");
    chromium.shows("Pick an account").click("Contoso Employee");
    chromium.shows("Enter password");

    chromium.show_tab(&first);
    stage.give_password();
    chromium.shows("Welcome Contoso Employee!");
    chromium.show_tab(&second);
    stage.give_password();
    chromium.shows("Permissions requested").click("Accept");
    chromium.shows("API Response");
    chromium.show_tab(&first);
    chromium.reload();
    chromium
        .shows("Welcome Contoso Employee!")
        .click("Call an API");
    chromium.shows("API Response");

    // A sign-out in one of them is one in the other, too.
    chromium.click("Back");
    chromium.shows("Welcome Contoso Employee!").click("Logout");
    chromium.shows("Pick an account");
    chromium.show_tab(&second);
    chromium.reload();
    chromium.shows("Pick an account");
}

#[test]
fn a_name_is_text_and_a_second_factor_is_asked_for() {
    let Some(stage) = Stage::set() else { return };
    let chromium = &stage.chromium;
    stage.open("/");
    chromium
        .shows("Pick an account")
        .click("Zoë <Solo> Ångström");
    chromium.shows("Enter password");
    chromium.fill("Password", "pä$$ wörd & + % 日本");
    chromium.click("Sign in");
    chromium.shows("Welcome Zoë <Solo> Ångström!").inspect();
    chromium.click("Logout");

    chromium.shows("Pick an account");
    chromium.fill("Use another account", "nobody@contoso.com");
    chromium.click("Next");
    chromium
        .shows("Pick an account")
        .says("AADSTS50034")
        .inspect();
    chromium.fill("Use another account", "mfa@contoso.com");
    chromium.click("Next");
    chromium.shows("Enter password");
    chromium.fill("Password", "Second#1006");
    chromium.click("Sign in");
    chromium
        .shows("Approve sign-in request")
        .inspect()
        .click("Approve");
    chromium.shows("Welcome Mika Multifactor!");
}

/// On a telephone, in the dark, with a browser that runs no scripts.
#[test]
fn everything_works_without_scripts() {
    let Some(stage) = Stage::set() else { return };
    let chromium = &stage.chromium;
    chromium.switch_scripts_off();
    chromium.show_in("dark", 360, 700);
    stage.sign_in();
    stage.call_api();
    chromium.click("Back");
    chromium.shows("Welcome Contoso Employee!").click("Logout");
    chromium.shows("Pick an account").click("Cancel");
    chromium.shows("Login Failure").click("Sign in again");
    chromium.shows("Pick an account");
}
