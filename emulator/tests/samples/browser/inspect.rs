//! What every page has to be: readable in both colour schemes, on a narrow screen too, by a screen reader, and usable
//! with a keyboard alone.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::chromium::{Chromium, TAB};

/// The rules, and which page breaks them.
const RULES: &str = include_str!("inspect.js");
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
                self.keeps_the_rules(scheme, width, true);
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
    fn keeps_the_rules(&self, scheme: &str, width: u32, whole_page: bool) -> Value {
        let found = self.script_with(RULES, json!([whole_page]));
        let place = format!("{} ({scheme}, {width} px)", self.url());
        assert_eq!(found["problems"], json!([]), "{place}");
        assert_eq!(found["dark"], json!(scheme == "dark"), "{place}");
        found
    }

    /// Goes from control to control until all were met: each of them shows that it has the focus.
    #[track_caller]
    fn can_be_used_with_a_keyboard(&self, scheme: &str) {
        let (mut met, mut controls) = (BTreeSet::new(), usize::MAX);
        let mut presses = 0;
        while met.len() < controls {
            assert!(
                presses < controls.saturating_mul(2).saturating_add(5),
                "{}: no key leads further than {met:?} of {controls}",
                self.url()
            );
            self.press(TAB);
            presses += 1;
            let found = self.keeps_the_rules(scheme, 1000, false);
            controls = found["controls"].as_u64().unwrap() as usize;
            met.extend(found["at"].as_u64());
        }
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
