//! Which provider an address belongs to, and what its own addresses and its issuer are.
//!
//! One host stands in for several: Entra ID and External ID under `/<tenant>`, B2C under `/<tenant>/<user flow>`, and
//! an OpenID provider that is none of Microsoft's under `/<domain>`. The cloud services give each External ID and B2C
//! tenant a host of its own (`<name>.ciamlogin.com`, `<name>.b2clogin.com`), which one loopback address cannot. Where
//! `<name>.localhost` leads to this machine (or the real name does, by a proxy), the emulator answers to it, and the issuer
//! of External ID then has the tenant's id as its host, as in the cloud.

use std::sync::Arc;

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use serde::Deserialize;

use crate::call::Form;
use crate::directory::{Authority, Directory, Tenant, TenantKind, UserFlow};
use crate::errors::EntraError;
use crate::service::Service;

/// The names in the path of a request.
#[derive(Clone, Debug, Deserialize)]
pub struct Names {
    /// Tenant id, domain, `common`, `organizations` or `consumers`.
    pub tenant: String,
    /// The user flow of a B2C tenant.
    #[serde(default)]
    pub policy: Option<String>,
    /// Whether the user flow came as `?p=`, B2C's other form of addresses.
    #[serde(skip)]
    pub in_query: bool,
}

impl FromRequestParts<Arc<Service>> for Names {
    type Rejection = axum::extract::rejection::PathRejection;

    async fn from_request_parts(
        parts: &mut Parts,
        service: &Arc<Service>,
    ) -> Result<Self, Self::Rejection> {
        let Path(names) = Path::<Self>::from_request_parts(parts, service).await?;
        let query = parts.uri.query().unwrap_or_default();
        Ok(names.with_query(&service.directory, &Form::parse(query.as_bytes())))
    }
}

impl Names {
    /// The same with the user flow that the query names, if it is one of B2C.
    pub fn with_query(mut self, directory: &Directory, query: &Form) -> Self {
        let is_b2c = directory
            .tenant(&self.tenant)
            .is_some_and(|tenant| tenant.kind == TenantKind::B2c);
        if self.policy.is_none() && is_b2c {
            self.policy = query.get("p").map(str::to_owned);
            self.in_query = self.policy.is_some();
        }
        self
    }

    /// The names in the path of an authorization endpoint.
    pub fn of_path(path: &str) -> Option<Self> {
        let segments: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        let (tenant, policy) = match segments.as_slice() {
            [tenant, "oauth2", "v2.0", "authorize"] | [tenant, "connect", "authorize"] => {
                (tenant, None)
            }
            [tenant, policy, "oauth2", "v2.0", "authorize"] => (tenant, Some(policy)),
            _ => return None,
        };
        Some(Self {
            tenant: (*tenant).to_owned(),
            policy: policy.map(|policy| (*policy).to_owned()),
            in_query: false,
        })
    }
}

/// The provider that an address belongs to.
#[derive(Clone, Copy, Debug)]
pub struct Provider<'a> {
    /// The tenant, or the tenants.
    pub authority: Authority<'a>,
    /// The user flow of a B2C tenant.
    pub flow: Option<&'a UserFlow>,
    /// Whether the user flow stands in the query of addresses.
    pub in_query: bool,
}

/// The endpoints that every provider has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// Where a browser asks for a code.
    Authorize,
    /// Where a code becomes a token.
    Token,
    /// Where a browser signs out.
    Logout,
    /// Where the keys are.
    Keys,
}

impl Directory {
    /// The provider at this address.
    pub fn provider(&self, names: &Names) -> Result<Provider<'_>, EntraError> {
        let authority = self.authority(&names.tenant)?;
        let Authority::Tenant(tenant) = authority else {
            return match &names.policy {
                None => Ok(Provider {
                    authority,
                    flow: None,
                    in_query: false,
                }),
                Some(policy) => Err(EntraError::about(90010, &[policy])),
            };
        };
        let flow = names.policy.as_ref().and_then(|name| {
            tenant
                .user_flows
                .iter()
                .find(|flow| flow.name.eq_ignore_ascii_case(name))
        });
        match (tenant.kind, &names.policy, flow) {
            (TenantKind::B2c, Some(_), Some(_)) => Ok(Provider {
                authority,
                flow,
                in_query: names.in_query,
            }),
            (TenantKind::B2c, Some(policy), None) => Err(EntraError::about(90010, &[policy])),
            (TenantKind::B2c, None, _) => Err(EntraError::about(
                90010,
                &["the address has no user flow after the tenant"],
            )),
            (_, Some(policy), _) => Err(EntraError::about(90010, &[policy])),
            (_, None, _) => Ok(Provider {
                authority,
                flow: None,
                in_query: false,
            }),
        }
    }
}

impl<'a> Provider<'a> {
    /// What kind of provider it is.
    pub fn kind(&self) -> TenantKind {
        self.tenant()
            .map_or(TenantKind::Workforce, |tenant| tenant.kind)
    }

    /// Whether it is Entra ID, or External ID, which is much the same.
    pub fn is_entra(&self) -> bool {
        matches!(self.kind(), TenantKind::Workforce | TenantKind::ExternalId)
    }

    /// The one tenant, if it is one.
    pub fn tenant(&self) -> Option<&'a Tenant> {
        match self.authority {
            Authority::Tenant(tenant) => Some(tenant),
            _ => None,
        }
    }

    /// The address of an endpoint, the provider being known by `name` in it.
    pub fn address(&self, base: &str, name: &str, endpoint: Endpoint) -> String {
        let flow = self.flow.map(|flow| flow.name.to_ascii_lowercase());
        let (place, query) = match flow {
            Some(flow) if self.in_query => (format!("{base}/{name}"), format!("?p={flow}")),
            Some(flow) => (format!("{base}/{name}/{flow}"), String::new()),
            None => (format!("{base}/{name}"), String::new()),
        };
        let own = self.kind() == TenantKind::OpenId;
        let path = match endpoint {
            Endpoint::Authorize if own => "connect/authorize",
            Endpoint::Token if own => "connect/token",
            Endpoint::Logout if own => "connect/logout",
            Endpoint::Keys if own => "connect/keys",
            Endpoint::Authorize => "oauth2/v2.0/authorize",
            Endpoint::Token => "oauth2/v2.0/token",
            Endpoint::Logout => "oauth2/v2.0/logout",
            Endpoint::Keys => "discovery/v2.0/keys",
        };
        format!("{place}/{path}{query}")
    }
}

/// The issuer of a tenant's ID tokens, for a client that uses the emulator at `base`.
pub fn issuer(base: &str, tenant: &Tenant) -> String {
    let id = tenant.id;
    match tenant.kind {
        TenantKind::Workforce => format!("{base}/{id}/v2.0"),
        TenantKind::ExternalId => {
            let (scheme, host) = base.split_once("://").unwrap_or(("http", base));
            let (name, port) = host.split_once(':').unwrap_or((host, ""));
            let domains = ["localhost", "ciamlogin.com"];
            match name.split_once('.') {
                Some((_, domain)) if domains.contains(&domain) => match port {
                    "" => format!("{scheme}://{id}.{domain}/{id}/v2.0"),
                    port => format!("{scheme}://{id}.{domain}:{port}/{id}/v2.0"),
                },
                _ => format!("{base}/{id}/v2.0"),
            }
        }
        TenantKind::B2c => format!("{base}/{id}/v2.0/"),
        TenantKind::OpenId => format!("{base}/{}", tenant.address_name()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SEED_DATA;

    #[test]
    fn each_kind_of_provider_has_its_own_issuer() {
        let directory = Directory::read(SEED_DATA).unwrap();
        let issuer = |base: &str, domain: &str| {
            let tenant = directory.tenant(domain).unwrap();
            issuer(base, tenant).replace(&tenant.id.to_string(), "ID")
        };
        let own = "http://127.0.0.1:8443";
        assert_eq!(issuer(own, "contoso.com"), format!("{own}/ID/v2.0"));
        assert_eq!(
            issuer(own, "contosocustomers.onmicrosoft.com"),
            format!("{own}/ID/v2.0")
        );
        assert_eq!(
            issuer(
                "https://contosocustomers.localhost:8443",
                "contosocustomers.onmicrosoft.com"
            ),
            "https://ID.localhost:8443/ID/v2.0"
        );
        assert_eq!(
            issuer(
                "https://contosocustomers.ciamlogin.com",
                "contosocustomers.onmicrosoft.com"
            ),
            "https://ID.ciamlogin.com/ID/v2.0"
        );
        assert_eq!(
            issuer(own, "contosob2c.onmicrosoft.com"),
            format!("{own}/ID/v2.0/")
        );
        assert_eq!(issuer(own, "idp.example"), format!("{own}/idp.example"));
    }

    #[test]
    fn only_b2c_has_user_flows() {
        let directory = Directory::read(SEED_DATA).unwrap();
        let flow = |tenant: &str, policy: Option<&str>| {
            let names = Names {
                tenant: tenant.to_owned(),
                policy: policy.map(str::to_owned),
                in_query: false,
            };
            let provider = directory.provider(&names).map_err(|error| error.code)?;
            Ok::<_, u32>(provider.flow.map(|flow| flow.name.as_str()))
        };
        let b2c = "contosob2c.onmicrosoft.com";
        assert_eq!(
            flow(b2c, Some("b2c_1_SIGNUPSIGNIN1")),
            Ok(Some("B2C_1_signupsignin1"))
        );
        assert_eq!(flow(b2c, Some("B2C_1_other")), Err(90010));
        assert_eq!(flow(b2c, None), Err(90010));
        assert_eq!(flow("contoso.com", None), Ok(None));
        assert_eq!(flow("contoso.com", Some("B2C_1_signupsignin1")), Err(90010));
        assert_eq!(flow("common", Some("x")), Err(90010));
    }
}
