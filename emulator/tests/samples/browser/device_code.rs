//! A device code, typed by a person into the page that device-code names.

use super::*;
use crate::exec::exec;
use crate::support::{Running, until};

/// device-code, started as in its README, and what it tells the person in front of it.
fn started(mark: &str) -> (Running, String, String) {
    let running = exec(mark, &["--browser", "device-code", "--manager"]);
    let (page, code) = until("the prompt", || {
        let stderr = running.stderr();
        let (_, rest) = stderr.split_once("open the page ")?;
        let (page, rest) = rest.split_once(" and enter the code ")?;
        Some((page.to_owned(), rest.split_once(' ')?.0.to_owned()))
    });
    (running, page, code)
}

#[test]
fn a_device_signs_in() {
    let Some(chromium) = Chromium::start() else {
        return;
    };
    let (mut running, page, code) = started("browser-device");
    chromium.open(&page);
    chromium.shows("Enter code to allow access").inspect();
    chromium.fill("Code", "WRONGCODE");
    chromium.click("Next");
    chromium
        .shows("Enter code to allow access")
        .says("didn't work")
        .inspect();
    // Nobody minds about capital letters.
    chromium.fill("Code", &code.to_lowercase());
    chromium.click("Next");
    chromium
        .shows("Pick an account")
        .inspect()
        .click("Contoso Employee");
    chromium.shows("Enter password");
    chromium.fill("Password", EMPLOYEE_PASSWORD);
    chromium.click("Sign in");
    if chromium.text().contains("would like to") {
        chromium
            .shows("Permissions requested")
            .inspect()
            .click("Accept");
    }
    chromium
        .shows("Confirm")
        .says("Only continue if you started this")
        .inspect();
    chromium.click("Continue");
    chromium.shows("You have signed in").inspect();
    until("the sample's end", || running.has_ended().then_some(()));
    let user = running.wait().json();
    assert_eq!(user["displayName"], "Contoso Employee");
    assert_eq!(user["manager"]["displayName"], "Contoso Manager");
}

#[test]
fn a_person_says_no_to_a_device() {
    let Some(chromium) = Chromium::start() else {
        return;
    };
    let (running, page, code) = started("browser-no");
    chromium.open(&page);
    chromium.shows("Enter code to allow access");
    chromium.fill("Code", &code);
    chromium.click("Next");
    chromium.shows("Pick an account").click("Cancel");
    chromium.shows("Sign-in ended").inspect();
    running.wait().fails(1, &["declined"]);
}

#[test]
fn the_home_page_shows_people_settings_and_requests() {
    let Some(stage) = Stage::set() else { return };
    let chromium = &stage.chromium;
    chromium.open(stage.emulator.url());
    chromium
        .shows("Entra ID emulator")
        .says("Worker#1001")
        .inspect();
    // The settings of the first sample are open, those for a library a click away.
    chromium.says(&format!("AUTHORITY='{}/", stage.emulator.url()));
    chromium.click("Python (msal)");
    chromium.says("PublicClientApplication(");
    stage.sign_in();
    chromium.open(stage.emulator.url());
    chromium
        .shows("Entra ID emulator")
        .says("/oauth2/v2.0/token")
        .says("authorization_code")
        .inspect();
    chromium.click("Enter a device code");
    chromium.shows("Enter code to allow access");
    // The style sheet is at hand, since `exec` may have ended before it could be asked for at the last page.
    let sizes =
        "return performance.getEntriesByType('resource').map((entry) => entry.transferSize)";
    assert_eq!(chromium.script(sizes), serde_json::json!([0]));
    // An application signs the browser out without a way back.
    chromium.open(&format!(
        "{}/contoso.com/oauth2/v2.0/logout",
        stage.emulator.url()
    ));
    chromium.shows("You signed out of your account").inspect();
}
