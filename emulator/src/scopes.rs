//! The `scope` of a request: which resource, which of its permissions, and the reserved words of OpenID Connect.

use crate::call::without_port;
use crate::directory::{Api, Application, TenantKind};
use crate::errors::EntraError;
use crate::service::Service;

/// The resource id of Microsoft Graph, which is also the audience of its tokens.
pub const GRAPH: &str = "https://graph.microsoft.com";

/// Microsoft Graph in the other clouds, and by its application id.
const GRAPH_ALIASES: &[&str] = &[
    "https://graph.microsoft.us",
    "https://dod-graph.microsoft.us",
    "https://microsoftgraph.chinacloudapi.cn",
    "00000003-0000-0000-c000-000000000000",
];

/// Other services that clients ask tokens for. The emulator issues these tokens, and has nothing that takes them.
const OTHER_RESOURCES: &[&str] = &[
    "https://management.azure.com",
    "https://management.core.windows.net",
    "https://storage.azure.com",
    "https://vault.azure.net",
];

/// A permission of Microsoft Graph that a user can delegate.
pub struct Permission {
    /// As it stands in a scope.
    pub name: &'static str,
    /// As the consent page says it.
    pub words: &'static str,
    /// Whether only an admin can grant it.
    pub admin_only: bool,
}

const fn permission(name: &'static str, words: &'static str) -> Permission {
    Permission {
        name,
        words,
        admin_only: false,
    }
}

const fn admin_only(name: &'static str, words: &'static str) -> Permission {
    Permission {
        name,
        words,
        admin_only: true,
    }
}

/// The delegated permissions that the emulator knows.
#[rustfmt::skip] // one line per permission
pub const PERMISSIONS: &[Permission] = &[
    permission("openid", "Sign you in"),
    permission("profile", "View your basic profile"),
    permission("email", "View your email address"),
    permission("offline_access", "Maintain access to data you have given it access to"),
    permission("User.Read", "Sign you in and read your profile"),
    permission("User.ReadBasic.All", "Read all users' basic profiles"),
    permission("User.ReadWrite", "Read and update your profile"),
    permission("Calendars.Read", "Read your calendars"),
    permission("Files.Read", "Read your files"),
    permission("Mail.Read", "Read your mail"),
    permission("Mail.Send", "Send mail as you"),
    permission("People.Read", "Read your relevant people list"),
    permission("Tasks.Read", "Read your tasks"),
    admin_only("Application.Read.All", "Read applications"),
    admin_only("Directory.Read.All", "Read directory data"),
    admin_only("Group.Read.All", "Read all groups"),
    admin_only("User.Read.All", "Read all users' full profiles"),
    admin_only("User.ReadWrite.All", "Read and write all users' full profiles"),
];

/// A `scope` that makes sense.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scopes {
    /// What the token is for, without a slash at its end.
    pub resource: String,
    /// The resource's permissions by their short names; `.default` is one of them.
    pub permissions: Vec<String>,
    /// `openid`, `profile`, `email`, `offline_access`.
    pub reserved: Vec<String>,
    /// The resource's scopes in the form in which they were sent, which answers repeat.
    pub as_sent: Vec<String>,
}

impl Scopes {
    /// Splits the reserved words from the others.
    fn sorted(scope: &str) -> (Self, Vec<&str>) {
        let is_reserved =
            |word: &&str| matches!(*word, "openid" | "profile" | "email" | "offline_access");
        let (reserved, others) = scope.split_whitespace().partition::<Vec<_>, _>(is_reserved);
        let scopes = Self {
            resource: String::new(),
            permissions: Vec::new(),
            reserved: reserved.into_iter().map(str::to_owned).collect(),
            as_sent: Vec::new(),
        };
        (scopes, others)
    }

    /// Reads a `scope` as Entra does. `base` is the emulator's own address, where its Graph is.
    pub fn parse(scope: &str, base: &str, apis: &[Api]) -> Result<Self, EntraError> {
        let (mut scopes, words) = Self::sorted(scope);
        for word in words {
            // `User.Read`, `https://graph.microsoft.com/User.Read`, `https://graph.microsoft.com//.default`
            let (resource, name) = word.rsplit_once('/').unwrap_or((GRAPH, word));
            let resource = canonical(resource.trim_end_matches('/'), base, apis)
                .ok_or_else(|| EntraError::about(500011, &[resource]))?;
            if !scopes.resource.is_empty() && scopes.resource != resource {
                return Err(EntraError::about(28000, &[scope]));
            }
            let known = PERMISSIONS.iter().any(|permission| permission.name == name);
            if !(known && resource == GRAPH
                || name == ".default"
                || name == "user_impersonation" && resource != GRAPH
                || has_scope(apis, resource, name))
            {
                return Err(EntraError::about(70011, &[word]));
            }
            scopes.resource = resource.to_owned();
            scopes.permissions.push(name.to_owned());
            scopes.as_sent.push(word.to_owned());
        }
        if scopes.permissions.is_empty() && scopes.reserved.is_empty() {
            return Err(EntraError::about(900144, &["scope"]));
        }
        if scopes.is_default() && scopes.permissions.len() > 1 {
            return Err(EntraError::about(70011, &[scope]));
        }
        if scopes.resource.is_empty() {
            scopes.resource = GRAPH.to_owned();
        }
        Ok(scopes)
    }

    /// Reads a `scope` as B2C does: it has no Graph, and the client's own id asks for a token for the client itself.
    fn parse_b2c(scope: &str, client: &str, apis: &[Api]) -> Result<Self, EntraError> {
        let (mut scopes, words) = Self::sorted(scope);
        for word in words {
            let (resource, name) = word.rsplit_once('/').unwrap_or((word, word));
            let is_own = word.eq_ignore_ascii_case(client);
            if !is_own && !has_scope(apis, resource, name)
                || !scopes.resource.is_empty() && scopes.resource != resource
            {
                return Err(EntraError::about(70011, &[word]));
            }
            scopes.resource = resource.to_owned();
            scopes.permissions.push(name.to_owned());
            scopes.as_sent.push(word.to_owned());
        }
        Ok(scopes)
    }

    /// Reads a `scope` as OpenID Connect Core does: what is not known is left out, and no error.
    fn parse_plain(scope: &str, apis: &[Api]) -> Self {
        let (mut scopes, words) = Self::sorted(scope);
        let known = words.into_iter().filter(|word| has_scope(apis, "", word));
        scopes.permissions = known.map(str::to_owned).collect();
        scopes.as_sent = scopes.permissions.clone();
        scopes
    }

    /// Whether all that has been granted is asked for.
    pub fn is_default(&self) -> bool {
        self.permissions.iter().any(|name| name == ".default")
    }

    /// Whether this reserved word was sent.
    pub fn has(&self, reserved: &str) -> bool {
        self.reserved.iter().any(|word| word == reserved)
    }
}

/// The one name of a resource.
fn canonical<'a>(resource: &'a str, base: &str, apis: &[Api]) -> Option<&'a str> {
    let is_own = resource == base || resource == without_port(base);
    if resource == GRAPH || is_own || GRAPH_ALIASES.contains(&resource) {
        return Some(GRAPH);
    }
    let is_known =
        OTHER_RESOURCES.contains(&resource) || apis.iter().any(|api| api.uri == resource);
    is_known.then_some(resource)
}

fn has_scope(apis: &[Api], uri: &str, name: &str) -> bool {
    apis.iter()
        .any(|api| api.uri == uri && api.scopes.iter().any(|scope| scope == name))
}

impl Service {
    /// Reads a `scope` as this kind of provider does.
    pub fn scopes(
        &self,
        scope: &str,
        base: &str,
        kind: TenantKind,
        application: &Application,
    ) -> Result<Scopes, EntraError> {
        let apis = &self.directory.apis;
        match kind {
            TenantKind::Workforce | TenantKind::ExternalId => Scopes::parse(scope, base, apis),
            TenantKind::B2c => Scopes::parse_b2c(scope, &application.client_name(), apis),
            TenantKind::OpenId => Ok(Scopes::parse_plain(scope, apis)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(scope: &str) -> Result<Scopes, u32> {
        Scopes::parse(scope, "http://127.0.0.1:8443", &[]).map_err(|error| error.code)
    }

    #[test]
    fn scopes_come_in_many_forms() {
        for (scope, name) in [
            ("User.Read", "User.Read"),
            (
                "openid https://graph.microsoft.com/User.Read profile",
                "User.Read",
            ),
            ("https://graph.microsoft.com/.default", ".default"),
            (
                "https://graph.microsoft.com//.default offline_access",
                ".default",
            ),
            ("00000003-0000-0000-c000-000000000000/.default", ".default"),
            ("http://127.0.0.1:8443/.default", ".default"),
            ("http://127.0.0.1/.default", ".default"),
        ] {
            let scopes = parse(scope).unwrap();
            assert_eq!(
                (scopes.resource.as_str(), scopes.permissions),
                (GRAPH, vec![name.to_owned()]),
                "{scope}"
            );
        }
        assert_eq!(
            parse("openid User.Read User.ReadBasic.All")
                .unwrap()
                .as_sent,
            ["User.Read", "User.ReadBasic.All"]
        );
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        assert_eq!(parse("  "), Err(900144));
        assert_eq!(
            parse("User.Read https://vault.azure.net/.default"),
            Err(28000)
        );
        assert_eq!(parse("User.Reed"), Err(70011));
        assert_eq!(parse("User.Read .default"), Err(70011));
        assert_eq!(parse("https://nowhere.example/.default"), Err(500011));
    }
}
