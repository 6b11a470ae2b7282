//! Which figures each benchmark has. docs/performance.md is compared with it.

/// One table.
pub struct Table {
    /// The heads of the columns; the first one is that of the labels.
    pub columns: &'static [&'static str],
    /// The labels of the rows.
    pub rows: &'static [&'static str],
}

/// Each benchmark and its tables, in the order in which it prints them.
pub const ALL: &[(&str, &[Table])] = &[
    ("against_curl", AGAINST_CURL),
    ("web", WEB),
    ("emulator", EMULATOR),
];

/// The web sample against its targets.
pub const WEB: &[Table] = &[Table {
    columns: &["What", "Target", "Measured"],
    rows: &[
        "Start of the process to its first answer",
        "`/` signed in, over a bare actix route",
        "The same, sessions in Redis",
        "`/call_api`, CPU of the app with its part of the Graph call",
        "Requests to the provider for a sign-in",
        "100,000 sessions, each on disk",
        "Resident memory once all of them have visited",
        "A sign-in among 1,000 slow connections",
    ],
}];

/// The emulator against its targets.
pub const EMULATOR: &[Table] = &[Table {
    columns: &["What", "Target", "Measured"],
    rows: &[
        "Start of the process to its first answer",
        "Token requests a second, RS256, two cores",
        "Resident memory after 100,000 sign-ins",
        "Resident memory after a listing of 1,000,000 users",
    ],
}];

/// The samples beside curl; what a certificate costs; listings of any length; sizes.
pub const AGAINST_CURL: &[Table] = &[
    Table {
        columns: &[
            "Run",
            "Requests",
            "Connections",
            "Wall time / curl's",
            "CPU time / curl's",
            "Memory / curl's",
            "Wall time",
            "CPU time",
            "Memory",
        ],
        rows: &[
            "device-code, cached, http",
            "client-credentials, cached, http",
            "client-credentials, cold, http",
            "username-password, cached, http",
            "username-password, cold, http",
            "device-code, cached, TLS",
            "client-credentials, cached, TLS",
            "client-credentials, cold, TLS",
            "username-password, cached, TLS",
            "username-password, cold, TLS",
        ],
    },
    Table {
        columns: &["Proof of client-credentials, cold", "CPU time"],
        rows: &["secret", "certificate"],
    },
    Table {
        columns: &["Users that --all lists", "Memory", "Wall time"],
        rows: &["100", "10000", "100000"],
    },
    Table {
        columns: &["Sample", "Release binary, stripped", "Lines of main.rs"],
        rows: &["device-code", "client-credentials", "username-password"],
    },
];
