//! The pages that say what went wrong: each of them leads on.

use super::*;
use crate::support::EMPLOYEE;

#[test]
fn e12_a_sign_in_that_fails_says_why_and_can_be_begun_again() {
    let Some(stage) = Stage::set() else { return };
    let chromium = &stage.chromium;
    stage.open("/");
    chromium.shows("Pick an account").click("Cancel");
    chromium
        .shows("Login Failure")
        .says("AADSTS65004")
        .says("correlation id")
        .inspect();
    stage.emulator.fault("token:aadsts=7000215").unwrap();
    chromium.click("Sign in again");
    chromium.shows("Pick an account").click("Contoso Employee");
    stage.give_password();
    chromium
        .shows("Login Failure")
        .says("AADSTS7000215")
        .inspect();
    stage.emulator.fault("idtoken:wrong-nonce").unwrap();
    chromium.click("Sign in again");
    chromium.shows("Login Failure").says("nonce").inspect();
    chromium.click("Sign in again");
    chromium.shows("Welcome Contoso Employee!");
}

#[test]
fn e9_e18_a_call_that_is_refused_says_why() {
    let Some(stage) = Stage::set() else { return };
    let chromium = &stage.chromium;
    stage.sign_in();
    stage.emulator.fault("me:status-403*always").unwrap();
    chromium.click("Call an API");
    chromium.shows("Permissions requested").click("Accept");
    chromium.shows("API Response").inspect().click("Back");
    stage.emulator.clear_faults();
    chromium.shows("Welcome Contoso Employee!").click("Logout");

    stage
        .emulator
        .withdraw_consent(EMPLOYEE, "flask-equivalent-web")
        .unwrap();
    stage.sign_in();
    stage
        .emulator
        .fault("token:without-scope=User.Read")
        .unwrap();
    chromium.click("Call an API");
    chromium.shows("Permissions requested").click("Accept");
    chromium
        .shows("API Response")
        .says("Ungranted scope(s): User.Read")
        .inspect();
}

#[test]
fn e12_e14_addresses_that_lead_nowhere() {
    let Some(stage) = Stage::set() else { return };
    let chromium = &stage.chromium;
    stage.sign_in();
    stage.open("/nowhere");
    chromium
        .shows("Nothing is here")
        .inspect()
        .click("Back to the start");
    chromium.shows("Welcome Contoso Employee!");
    stage.open("/getAToken?state=invented&code=invented");
    chromium
        .shows("This sign-in cannot go on")
        .click("Sign in again");
    chromium.shows("Welcome Contoso Employee!");
    // By a name that is not its own, the app answers nothing.
    chromium.open(&format!("http://other.example:{}/", stage.app.port));
    chromium.shows("Another address").inspect();

    chromium.open(&format!("{}/nowhere", stage.emulator.url()));
    chromium.shows("Not found").inspect();
    let unknown =
        "oauth2/v2.0/authorize?client_id=11111111-2222-3333-4444-555555555555&response_type=code";
    chromium.open(&format!("{}/contoso.com/{unknown}", stage.emulator.url()));
    chromium
        .shows("Sorry, but we're having trouble signing you in")
        .inspect();
}

/// `response_mode=form_post` without scripts: the user sends the form.
#[test]
fn an_answer_by_form_is_one_more_click() {
    let Some(stage) = Stage::set() else { return };
    let chromium = &stage.chromium;
    stage.sign_in();
    let client = world(&stage.emulator).setting("CLIENT_ID");
    let callback = format!("{}/getAToken", stage.app.origin);
    chromium.open(&format!(
        "{}/contoso.com/oauth2/v2.0/authorize?client_id={client}&response_type=code&response_mode=form_post&scope=openid&state=1&redirect_uri={callback}",
        stage.emulator.url()
    ));
    chromium
        .shows("Return to the application")
        .inspect()
        .click("Continue");
    // The sample takes no forms, and says so.
    chromium.shows("Not that way").inspect();
    assert_eq!(chromium.url(), callback);
}

#[test]
fn e11_a_link_of_another_site_signs_nobody_out() {
    let Some(stage) = Stage::set() else { return };
    let chromium = &stage.chromium;
    stage.sign_in();
    let link = format!(
        "data:text/html,<a href='{}/logout'>Win a prize</a>",
        stage.app.origin
    );
    chromium.open(&link);
    chromium.click("Win a prize");
    chromium.shows("Sign out?").inspect();
    stage.open("/");
    chromium.shows("Welcome Contoso Employee!");
    chromium.open(&link);
    chromium.click("Win a prize");
    chromium.shows("Sign out?").click("Sign out");
    chromium.shows("Pick an account");
}

#[test]
fn e12_e13_what_the_operator_has_to_mend() {
    let Some(stage) = Stage::with(|emulator| world(emulator).without("CLIENT_SECRET")) else {
        return;
    };
    let chromium = &stage.chromium;
    stage.open("/");
    chromium
        .shows("Almost there")
        .says("CLIENT_SECRET")
        .inspect();
    drop(stage.app);

    let app = App::of(world(&stage.emulator));
    stage.emulator.fault("discovery:status-503*always").unwrap();
    chromium.open(&format!("{}/", app.origin));
    chromium.shows("Login Failure").inspect();
    stage.emulator.clear_faults();
    chromium.click("Sign in again");
    chromium.shows("Pick an account");
}

#[test]
fn e11_without_the_provider_s_own_sign_out() {
    let Some(stage) = Stage::set() else { return };
    let chromium = &stage.chromium;
    stage
        .emulator
        .fault("discovery:without=end_session_endpoint*always")
        .unwrap();
    stage.sign_in();
    chromium.click("Logout");
    chromium
        .shows("Signed out")
        .inspect()
        .click("Sign in again");
    chromium.shows("Welcome Contoso Employee!");
}
