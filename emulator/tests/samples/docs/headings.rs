//! Row A11: who knows a Python sample finds each of its headings, and something below it.

use super::text_of;

/// A heading of a Python README, and the one that answers it here.
type Heading = (&'static str, &'static str);

/// The headings of the five originals, each with the README of its sample.
#[rustfmt::skip] // one line per heading
const ORIGINALS: &[(&str, &[Heading])] = &[
    ("device-code", &[
        ("Prerequisites", "Prerequisites"),
        ("Setup", "Setup"),
        ("1. Register the app", "1. Register the app"),
        ("2. Update code sample with app registration values", "2. Configure the sample"),
        ("3. Install package(s)", "3. Build it"),
        ("Run the application", "Run the application"),
        ("About the code", "About the code"),
        ("Reporting problems", "Reporting problems"),
        ("Sample app not working?", "Sample app not working?"),
        ("All other issues", "All other issues"),
        ("Contributing", "Contributing"),
    ]),
    ("device-code", &[
        ("About this sample", "About this sample"),
        ("Overview", "About this sample"),
        ("Scenario", "Scenario"),
        ("How to run this sample", "Setup"),
        ("Step 1: Clone or download this repository", "Prerequisites"),
        ("Step 2: Register the sample with your Azure Active Directory tenant", "1. Register the app"),
        ("Choose the Azure AD tenant where you want to create your applications", "1. Register the app"),
        ("Register the client app", "1. Register the app"),
        ("Step 3: Run the sample", "Run the application"),
        ("About the code", "About the code"),
        ("Troubleshooting", "Troubleshooting"),
        ("Community Help and Support", "Reporting problems"),
        ("Contributing", "Contributing"),
        ("More information", "Next steps"),
    ]),
    ("client-credentials", &[
        ("Prerequisites", "Prerequisites"),
        ("Setup", "Setup"),
        ("1. Register the app", "1. Register the app"),
        ("2. Update code sample with app registration values", "4. Configure the sample"),
        ("3. Install package(s)", "5. Build it"),
        ("Run the application", "Run the application"),
        ("About the code", "About the code"),
        ("Reporting problems", "Reporting problems"),
        ("Sample app not working?", "Sample app not working?"),
        ("All other issues", "All other issues"),
        ("Contributing", "Contributing"),
    ]),
    ("username-password", &[
        ("About this sample", "About this sample"),
        ("Overview", "About this sample"),
        ("Scenario", "Scenario"),
        ("How to run this sample", "Setup"),
        ("Step 1: Clone or download this repository", "Prerequisites"),
        ("Step 2: Register the sample with your Azure Active Directory tenant", "1. Register the app"),
        ("Choose the Azure AD tenant where you want to create your applications", "1. Register the app"),
        ("Register the client app", "1. Register the app"),
        ("Step 3: Configure the sample to use your Azure AD tenant", "3. Configure the sample"),
        ("Configure the client project", "3. Configure the sample"),
        ("Step 4: Run the sample", "Run the application"),
        ("About the code", "About the code"),
        ("Troubleshooting", "Troubleshooting"),
        ("Did you forget to provide admin consent?", "Did you forget to provide admin consent?"),
        ("Community Help and Support", "Reporting problems"),
        ("Contributing", "Contributing"),
        ("More information", "Next steps"),
    ]),
    ("flask-equivalent-web", &[
        ("Prerequisites", "Prerequisites"),
        ("Step 1: Register your application", "Step 1: Register your application"),
        ("Step 2: Add a client secret", "Step 2: Add a client secret"),
        ("Step 3: Add a scope", "Step 3: Add a scope"),
        ("Step 4: Download the sample app", "Step 4: Download the sample app"),
        ("Step 5: Configure the sample app", "Step 5: Configure the sample app"),
        ("Step 6: Run the sample app", "Step 6: Run the sample app"),
        ("How it works", "How it works"),
        ("Next steps", "Next steps"),
    ]),
];

/// Each heading of an original is there by its own name, or stands in the table that says by which it goes here.
#[test]
fn a11_b15_readmes_have_the_headings_of_their_originals() {
    for (sample, headings) in ORIGINALS {
        let page = text_of(&format!("{sample}/README.md"));
        for (theirs, ours) in *headings {
            let section = section(&page, ours);
            let section = section.unwrap_or_else(|| panic!("{sample}: no heading {ours}"));
            assert!(section.trim().len() > 30, "{sample}: {ours} is empty");
            if theirs != ours {
                let row = format!("| {theirs} | [{ours}](#");
                assert!(page.contains(&row), "{sample}: {row}");
            }
        }
        assert!(
            page.contains("| App registration setting | Value for this sample"),
            "{sample}"
        );
        assert!(
            section(&page, "What differs in Rust").is_some(),
            "{sample}: nothing differs in Rust?"
        );
    }
}

/// What stands below a heading, up to the next one of its rank.
fn section<'p>(page: &'p str, heading: &str) -> Option<&'p str> {
    ["\n## ", "\n### "].iter().find_map(|rank| {
        let (_, rest) = page.split_once(&format!("{rank}{heading}\n"))?;
        rest.split(rank).next()
    })
}
