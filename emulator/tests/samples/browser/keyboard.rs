//! The whole way with Tab, Enter and letters.

use super::*;
use chromium::{ENTER, TAB};

impl Chromium {
    /// Goes on to the next control, until it is the one with this text or label, and presses Enter or types.
    #[track_caller]
    fn tab_to(&self, label: &str, keys: &str) {
        let focused =
            "const at = document.activeElement; return at.labels?.[0]?.innerText ?? at.innerText";
        for _ in 0..40 {
            self.press(TAB);
            let found = self.script(focused);
            if found.as_str().is_some_and(|text| text.starts_with(label)) {
                return self.press(keys);
            }
        }
        panic!("no key leads to '{label}' at {}", self.url());
    }
}

#[test]
fn a_keyboard_is_enough() {
    let Some(stage) = Stage::set() else { return };
    let chromium = &stage.chromium;
    stage.open("/");
    chromium
        .shows("Pick an account")
        .tab_to("Contoso Manager", ENTER);
    // The password can be typed at once, and Enter sends it.
    chromium.shows("Enter password").press("Manager#1002");
    chromium.press(ENTER);
    chromium
        .shows("Welcome Contoso Manager!")
        .tab_to("Call an API", ENTER);
    chromium
        .shows("Permissions requested")
        .tab_to("Accept", ENTER);
    chromium.shows("API Response").tab_to("Back", ENTER);
    chromium
        .shows("Welcome Contoso Manager!")
        .tab_to("Logout", ENTER);

    // In the field for other accounts, Enter means the account that was typed, and not the first one of the list.
    chromium
        .shows("Pick an account")
        .tab_to("Use another account", "zoe@contoso.com");
    chromium.press(ENTER);
    chromium
        .shows("Enter password")
        .says("zoe@contoso.com")
        .tab_to("Cancel", ENTER);
    chromium
        .shows("Login Failure")
        .tab_to("Sign in again", ENTER);
    chromium.shows("Pick an account");
}
