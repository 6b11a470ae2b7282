//! The endpoints that faults are for, and the addresses that belong to them.

/// The endpoints that a fault can be for.
#[rustfmt::skip] // one line per endpoint
pub const ENDPOINTS: &[(&str, &str)] = &[
    ("any", "every endpoint but the emulator's own pages"),
    ("discovery", "OpenID metadata"),
    ("keys", "the key set"),
    ("instance", "instance discovery"),
    ("userrealm", "who signs a user in"),
    ("devicecode", "the start of a device sign-in"),
    ("authorize", "the start of a browser's sign-in, and its answer to the application"),
    ("token", "every grant"),
    ("idtoken", "every ID token, wherever one is issued"),
    ("logout", "a browser's sign-out"),
    ("userinfo", "who has signed in (/oidc/userinfo and the like)"),
    ("graph", "all of Graph, userinfo included"),
    ("api", "/api/me, an API of one's own"),
    ("me", "/v1.0/me"),
    ("manager", "/v1.0/me/manager and /v1.0/users/{id}/manager"),
    ("users", "/v1.0/users and /v1.0/users/{id}"),
    ("applications", "/v1.0/applications"),
];

/// The names of [`ENDPOINTS`] that a path goes by.
pub(super) fn names_of(path: &str) -> Vec<&'static str> {
    let segments: Vec<&str> = path
        .split('/')
        .filter(|segment| !segment.is_empty())
        .collect();
    match segments.as_slice() {
        ["_emulator", ..] | [] | ["devicelogin" | "login"] => vec![],
        ["v1.0", "me"] => vec!["me", "graph", "any"],
        ["v1.0", .., "manager"] => vec!["manager", "graph", "any"],
        ["v1.0", "users", ..] => vec!["users", "graph", "any"],
        ["v1.0", name, ..] if name.starts_with("applications") => {
            vec!["applications", "graph", "any"]
        }
        ["oidc", "userinfo"] => vec!["userinfo", "graph", "any"],
        [_, "connect", "userinfo"] => vec!["userinfo", "any"],
        ["v1.0", ..] => vec!["graph", "any"],
        ["api", ..] => vec!["api", "any"],
        [.., ".well-known", "openid-configuration"] => vec!["discovery", "any"],
        [_, "discovery", "instance"] => vec!["instance", "any"],
        [_, "discovery", ..] | [_, _, "discovery", ..] | [_, "connect", "keys"] => {
            vec!["keys", "any"]
        }
        [_, "userrealm", _] => vec!["userrealm", "any"],
        [_, "oauth2", "v2.0", "devicecode"] => vec!["devicecode", "any"],
        [.., "oauth2", "v2.0", "authorize"] | [_, "connect", "authorize"] => {
            vec!["authorize", "any"]
        }
        [.., "oauth2", "v2.0", "token"] | [_, "connect", "token"] => vec!["token", "any"],
        [.., "oauth2", "v2.0", "logout"] | [_, "oauth2" | "connect", "logout"] => {
            vec!["logout", "any"]
        }
        _ => vec!["any"],
    }
}
