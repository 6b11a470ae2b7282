//! Who signs the user in: the authority URL, what kind of tenant it names, and in which cloud.

use std::{fmt, net::IpAddr};

use oauth2::url::{Host, Url};

/// An authority as MSAL knows it, for example `https://login.microsoftonline.com/contoso.com`.
///
/// The paths below it are those of the
/// [OpenID Connect article](https://learn.microsoft.com/entra/identity-platform/v2-protocols-oidc).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority {
    url: Url,
    kind: Kind,
    cloud: Cloud,
}

/// What the path of an authority says about the accounts that may sign in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One tenant, by its GUID or one of its domains.
    Tenant(String),
    /// Work, school and personal accounts.
    Common,
    /// Work and school accounts of any tenant.
    Organizations,
    /// Personal Microsoft accounts.
    Consumers,
    /// An external tenant (Microsoft Entra External ID, `ciamlogin.com`).
    ExternalId(String),
    /// A user flow of an Azure AD B2C tenant (`b2clogin.com`).
    B2c {
        /// The tenant, by its GUID or domain.
        tenant: String,
        /// The user flow or custom policy.
        policy: String,
    },
}

/// A cloud of its own: accounts, tokens and Graph of one are unknown in the others.
/// See [National clouds](https://learn.microsoft.com/entra/identity-platform/authentication-national-cloud).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cloud {
    /// The worldwide cloud, which External ID and US Government GCC use too.
    Global,
    /// US Government, level 4 and level 5 (DoD).
    UsGovernment,
    /// China, operated by 21Vianet.
    China,
}

impl Cloud {
    fn of_login_host(host: &str) -> Self {
        match host {
            "login.microsoftonline.us" => Self::UsGovernment,
            "login.partner.microsoftonline.cn" | "login.chinacloudapi.cn" => Self::China,
            _ => Self::Global,
        }
    }

    /// The hosts of Microsoft Graph in this cloud, the usual one first.
    pub fn graph_hosts(self) -> &'static [&'static str] {
        match self {
            Self::Global => &["graph.microsoft.com"],
            Self::UsGovernment => &["graph.microsoft.us", "dod-graph.microsoft.us"],
            Self::China => &["microsoftgraph.chinacloudapi.cn"],
        }
    }

    /// The usual origin of Microsoft Graph in this cloud.
    pub fn graph_origin(self) -> &'static str {
        match self {
            Self::Global => "https://graph.microsoft.com",
            Self::UsGovernment => "https://graph.microsoft.us",
            Self::China => "https://microsoftgraph.chinacloudapi.cn",
        }
    }
}

impl Authority {
    /// Reads an authority URL.
    ///
    /// # Errors
    /// One clause for the user, to follow the name of the setting: no URL, no tenant, user info, a query, more path
    /// than a tenant, plain http elsewhere than on loopback.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut url = secure_url(text)?;
        if url.query().is_some() || url.fragment().is_some() {
            return Err("has a query or a fragment, which an authority never has".into());
        }
        let segments: Vec<String> = url
            .path()
            .split('/')
            .filter(|segment| !segment.is_empty())
            .map(str::to_owned)
            .collect();
        if let Some(odd) = segments.iter().find(|segment| !is_name(segment)) {
            return Err(format!("has `{odd}` in its path, which is no tenant"));
        }
        let host = url.host_str().unwrap_or_default().to_owned();
        let kind = match (segments.as_slice(), host.split_once('.')) {
            ([], Some((name, "ciamlogin.com"))) => {
                Kind::ExternalId(format!("{name}.onmicrosoft.com"))
            }
            ([tenant], Some((_, "ciamlogin.com"))) => Kind::ExternalId(tenant.clone()),
            ([tenant, policy], Some((_, "b2clogin.com"))) => Kind::B2c {
                tenant: tenant.clone(),
                policy: policy.clone(),
            },
            (_, Some((_, "b2clogin.com"))) => {
                return Err("names no user flow: https://<tenant>.b2clogin.com/<tenant>.onmicrosoft.com/<user flow>".into());
            }
            ([], _) => return Err("names no tenant: its path is empty".into()),
            ([tenant], _) => match tenant.to_ascii_lowercase().as_str() {
                "common" => Kind::Common,
                "organizations" => Kind::Organizations,
                "consumers" => Kind::Consumers,
                _ => Kind::Tenant(tenant.clone()),
            },
            _ => return Err("has more path than a tenant".into()),
        };
        // One spelling for each authority, since the token cache is keyed by it.
        let path = match &kind {
            Kind::ExternalId(tenant) => tenant.clone(),
            _ => segments.join("/"),
        };
        url.set_path(&path.to_ascii_lowercase());
        let cloud = Cloud::of_login_host(&host);
        Ok(Self { url, kind, cloud })
    }

    /// What the path says about the accounts that may sign in.
    pub fn kind(&self) -> &Kind {
        &self.kind
    }

    /// The cloud that the login host belongs to; the global one for hosts that Microsoft does not list.
    pub fn cloud(&self) -> Cloud {
        self.cloud
    }

    /// Scheme, host and port alone.
    pub fn origin(&self) -> String {
        self.url.origin().ascii_serialization()
    }

    /// Whether the login host is this very machine.
    pub fn is_loopback(&self) -> bool {
        is_loopback(&self.url)
    }

    /// Where tokens are asked for (RFC 6749 section 3.2).
    pub fn token_url(&self) -> Url {
        self.below("oauth2/v2.0/token")
    }

    /// Where a device code is asked for (RFC 8628 section 3.1).
    pub fn device_authorization_url(&self) -> Url {
        self.below("oauth2/v2.0/devicecode")
    }

    /// Where users sign in and consent (RFC 6749 section 3.1).
    pub fn authorization_url(&self) -> Url {
        self.below("oauth2/v2.0/authorize")
    }

    /// Where an administrator
    /// [consents for the whole tenant](https://learn.microsoft.com/entra/identity-platform/v2-admin-consent).
    pub fn admin_consent_url(&self) -> Url {
        self.below("v2.0/adminconsent")
    }

    fn below(&self, path: &str) -> Url {
        let mut url = self.url.clone();
        url.set_path(&format!("{}/{path}", self.url.path()));
        url
    }
}

impl fmt::Display for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.url.fmt(f)
    }
}

/// Reads an absolute URL without user info: https, or http on loopback.
///
/// # Errors
/// One clause for the user, to follow the name of the setting.
pub fn secure_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text)
        .map_err(|error| format!("is no URL ({error}); a full one begins with https://"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("has a user name in it, which no Microsoft URL has".into());
    }
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_loopback(&url) => Ok(url),
        "http" => Err("is plain http, which is for loopback hosts only; use https".into()),
        _ => Err("is no https URL".into()),
    }
}

/// Whether a URL's host is this very machine: `localhost`, 127.0.0.0/8 or `[::1]`.
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => IpAddr::V4(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::V6(address).is_loopback(),
        None => false,
    }
}

/// Tenant names, domains and policies: nothing that could climb or escape in a path.
fn is_name(segment: &str) -> bool {
    segment
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_and_clouds() {
        for (text, kind, cloud) in [
            (
                "https://login.microsoftonline.com/common",
                Kind::Common,
                Cloud::Global,
            ),
            (
                "https://login.microsoftonline.com/Organizations/",
                Kind::Organizations,
                Cloud::Global,
            ),
            (
                "https://login.microsoftonline.us/consumers",
                Kind::Consumers,
                Cloud::UsGovernment,
            ),
            (
                "https://login.partner.microsoftonline.cn/contoso.cn",
                Kind::Tenant("contoso.cn".into()),
                Cloud::China,
            ),
            (
                "https://contoso.ciamlogin.com",
                Kind::ExternalId("contoso.onmicrosoft.com".into()),
                Cloud::Global,
            ),
            (
                "http://127.0.0.1:8080/contoso.com",
                Kind::Tenant("contoso.com".into()),
                Cloud::Global,
            ),
            (
                "https://contoso.b2clogin.com/contoso.onmicrosoft.com/B2C_1_signin",
                Kind::B2c {
                    tenant: "contoso.onmicrosoft.com".into(),
                    policy: "B2C_1_signin".into(),
                },
                Cloud::Global,
            ),
        ] {
            let authority = Authority::parse(text).unwrap();
            assert_eq!(
                (authority.kind(), authority.cloud()),
                (&kind, cloud),
                "{text}"
            );
        }
    }

    #[test]
    fn endpoints() {
        let authority = Authority::parse("https://Contoso.ciamlogin.com/").unwrap();
        assert_eq!(
            authority.token_url().as_str(),
            "https://contoso.ciamlogin.com/contoso.onmicrosoft.com/oauth2/v2.0/token"
        );
        let authority = Authority::parse("https://login.microsoftonline.com/Contoso.com/").unwrap();
        assert_eq!(
            authority.to_string(),
            "https://login.microsoftonline.com/contoso.com"
        );
    }

    #[test]
    fn refused() {
        for text in [
            "",
            "contoso.com",
            "https://login.microsoftonline.com",
            "https://login.microsoftonline.com/",
            "https://user@login.microsoftonline.com/common",
            "https://login.microsoftonline.com/common?x=1",
            "https://login.microsoftonline.com/common#x",
            "https://login.microsoftonline.com/common/v2.0",
            "https://login.microsoftonline.com/con%2ftoso",
            "http://login.microsoftonline.com/common",
            "http://127.0.0.1.example.com/common",
            "ftp://127.0.0.1/common",
            "https://contoso.b2clogin.com/contoso.onmicrosoft.com",
        ] {
            assert!(Authority::parse(text).is_err(), "{text}");
        }
    }
}
