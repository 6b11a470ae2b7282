//! What every page has to be: readable in both colour schemes, on a narrow screen too, by a screen reader, and usable
//! with a keyboard alone.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::chromium::{Chromium, TAB};

/// The rules, and which page breaks them.
const RULES: &str = include_str!("inspect.js");
/// What a keyboard must be able to reach.
const CONTROLS: &str = "[...document.querySelectorAll('a[href], button, input:not([type=hidden]), summary, [tabindex=\"0\"]')].filter((element) => element.checkVisibility())";

impl Chromium {
    /// Sets what a person sets in the system and by the size of the window, in px.
    pub fn show_in(&self, scheme: &str, width: u32, height: u32) {
        let feature = json!({ "name": "prefers-color-scheme", "value": scheme });
        self.devtools(
            "Emulation.setEmulatedMedia",
            json!({ "features": [feature] }),
        );
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500 });
        self.devtools("Emulation.setDeviceMetricsOverride", size);
    }

    /// Inspects the page that is shown, as everyone may see it.
    #[track_caller]
    pub fn inspect(&self) -> &Self {
        for scheme in ["light", "dark"] {
            for width in [360, 1000] {
                self.show_in(scheme, width, 700);
                self.keeps_the_rules(scheme, width);
            }
            self.can_be_used_with_a_keyboard(scheme);
        }
        self.show_in("light", 1000, 700);
        let console = self.console();
        // A page that is an error is one on purpose. Anything else, a breach of the page's own policy above all, is not.
        let console: Vec<_> = console
            .iter()
            .filter(|entry| !entry.contains("the server responded with a status of"))
            .collect();
        assert!(console.is_empty(), "{}: {console:#?}", self.url());
        self
    }

    #[track_caller]
    fn keeps_the_rules(&self, scheme: &str, width: u32) {
        let found = self.script(RULES);
        let place = format!("{} ({scheme}, {width} px)", self.url());
        assert_eq!(found["problems"], json!([]), "{place}");
        assert_eq!(found["dark"], json!(scheme == "dark"), "{place}");
    }

    /// Goes from control to control until all were met: each of them shows that it has the focus.
    #[track_caller]
    fn can_be_used_with_a_keyboard(&self, scheme: &str) {
        let wanted = self.script(&format!("return {CONTROLS}.length"));
        let wanted = wanted.as_u64().unwrap();
        let mut met = BTreeSet::new();
        for _ in 0..2 * wanted + 5 {
            if met.len() as u64 == wanted {
                break;
            }
            self.press(TAB);
            self.keeps_the_rules(scheme, 1000);
            let at = self.script(&format!(
                "return {CONTROLS}.indexOf(document.activeElement)"
            ));
            met.extend(at.as_u64());
        }
        assert_eq!(met.len() as u64, wanted, "{}: only {met:?}", self.url());
        self.script("(document.querySelector('[autofocus]') ?? document.activeElement).focus()");
    }

    /// Switches the scripts of pages off, as some people do.
    pub fn switch_scripts_off(&self) {
        self.devtools(
            "Emulation.setScriptExecutionDisabled",
            json!({ "value": true }),
        );
        self.open("data:text/html,<title>off</title><script>document.title = 'on'</script>");
        assert_eq!(self.script("return document.title"), Value::from("off"));
    }
}
