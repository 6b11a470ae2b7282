//! The directory: tenants, people and applications, read once from the seed data. Only applications can be written.

mod changes;
mod entries;

use std::borrow::Cow;
use std::collections::BTreeSet;

use anyhow::{Context, bail};
use serde::Deserialize;
use uuid::Uuid;

use crate::errors::EntraError;
use changes::Changes;
use entries::member;

pub use entries::{
    Api, Application, Audience, Condition, FederatedCredential, FlowKind, Secret, Tenant,
    TenantKind, User, UserFlow,
};

/// The seed data that the emulator starts with unless it is given other.
pub const SEED_DATA: &str = include_str!("../seed-data.toml");

/// Everything that the emulator knows about people and applications.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Directory {
    /// How many made-up users the first tenant has beside those that are written down.
    #[serde(default)]
    pub generate: usize,
    /// All tenants; the first is home to the generated users.
    pub tenants: Vec<Tenant>,
    /// The users that are written down.
    pub users: Vec<User>,
    /// APIs of somebody's own.
    #[serde(default)]
    pub apis: Vec<Api>,
    /// The application registrations of the seed data; [`Directory::applications`] has those of now.
    pub applications: Vec<Application>,
    #[serde(skip)]
    changes: Changes,
}

/// The `<tenant>` segment of an address.
#[derive(Clone, Copy, Debug)]
pub enum Authority<'a> {
    /// One tenant, by id or domain.
    Tenant(&'a Tenant),
    /// `common`: any account.
    Common,
    /// `organizations`: any work account.
    Organizations,
    /// `consumers`: any personal account.
    Consumers,
}

impl Directory {
    /// Reads seed data and checks that its parts fit together.
    pub fn read(seed_data: &str) -> anyhow::Result<Self> {
        let directory: Self = toml::from_str(seed_data).context("the seed data cannot be read")?;
        if directory.tenants.is_empty() {
            bail!("the seed data has no tenant");
        }
        for user in &directory.users {
            let name = &user.upn;
            directory.tenant(domain_of(name)).with_context(|| {
                format!("no tenant in the seed data has the domain of the user {name}")
            })?;
            if let Some(manager) = &user.manager {
                directory.user(manager).with_context(|| {
                    format!("{manager}, the manager of {name}, is not in the seed data")
                })?;
            }
        }
        for application in &directory.applications {
            directory.tenant(&application.tenant).with_context(|| {
                format!(
                    "{}, the tenant of the application {}, is not in the seed data",
                    application.tenant, application.key
                )
            })?;
        }
        Ok(directory)
    }

    /// The tenant with this id or domain.
    pub fn tenant(&self, name: &str) -> Option<&Tenant> {
        let id = Uuid::try_parse(name).ok();
        self.tenants.iter().find(|tenant| {
            Some(tenant.id) == id
                || tenant
                    .domains
                    .iter()
                    .any(|domain| domain.eq_ignore_ascii_case(name))
        })
    }

    /// What the `<tenant>` segment of an address means.
    pub fn authority(&self, segment: &str) -> Result<Authority<'_>, EntraError> {
        Ok(match segment.to_ascii_lowercase().as_str() {
            "common" => Authority::Common,
            "organizations" => Authority::Organizations,
            "consumers" => Authority::Consumers,
            _ => Authority::Tenant(
                self.tenant(segment)
                    .ok_or_else(|| EntraError::about(90002, &[segment]))?,
            ),
        })
    }

    /// All application registrations as they are now.
    pub fn applications(&self) -> impl Iterator<Item = &Application> {
        let written = self.changes.latest();
        let changed: BTreeSet<Uuid> = written.iter().map(|written| written.object_id).collect();
        self.applications
            .iter()
            .filter(move |application| !changed.contains(&application.object_id))
            .chain(written)
            .filter(|application| !application.deleted)
    }

    /// Writes what `next` makes of the applications of now: a new one, or another version of one of them. `None` if
    /// too many writes came before.
    pub fn write<E>(
        &self,
        next: impl FnOnce() -> Result<Application, E>,
    ) -> Result<Option<&Application>, E> {
        self.changes.write(next)
    }

    /// The application with this client id.
    pub fn application(&self, client_id: &str) -> Option<&Application> {
        let id = Uuid::try_parse(client_id).ok();
        self.applications().find(|application| {
            Some(application.client_id) == id
                || application.plain_client_id.as_deref() == Some(client_id)
        })
    }

    /// The application that the command line and tests call `key`.
    pub fn application_by_key(&self, key: &str) -> Option<&Application> {
        self.applications()
            .find(|application| application.key == key)
    }

    /// The application with this client id, if it may be used at this authority.
    pub fn application_at(
        &self,
        client_id: &str,
        authority: Authority<'_>,
        authority_name: &str,
    ) -> Result<&Application, EntraError> {
        let unknown = || EntraError::about(700016, &[client_id, authority_name]);
        let application = self.application(client_id).ok_or_else(unknown)?;
        if application.disabled {
            return Err(EntraError::about(
                7000112,
                &[client_id, &application.display_name],
            ));
        }
        let home = self.tenant(&application.tenant).map(|tenant| tenant.id);
        match (authority, application.audience) {
            (Authority::Tenant(tenant), _) if Some(tenant.id) == home => Ok(application),
            (Authority::Tenant(_), Audience::MyOrg) => Err(unknown()),
            (_, Audience::MyOrg) => Err(EntraError::about(
                50194,
                &[client_id, &application.display_name],
            )),
            (
                Authority::Tenant(Tenant { personal: true, .. }) | Authority::Consumers,
                Audience::MultipleOrgs,
            ) => Err(unknown()),
            (
                Authority::Tenant(Tenant {
                    personal: false, ..
                })
                | Authority::Organizations,
                Audience::Personal,
            ) => Err(unknown()),
            _ => Ok(application),
        }
    }

    /// How many users there are, made-up ones included.
    pub fn user_count(&self) -> usize {
        self.users.len().saturating_add(self.generate)
    }

    /// The user at this place of the listing: those written down come first.
    pub fn user_at(&self, index: usize) -> Option<Cow<'_, User>> {
        match self.users.get(index) {
            Some(user) => Some(Cow::Borrowed(user)),
            None => self.generated(index - self.users.len()).map(Cow::Owned),
        }
    }

    /// The user with this object id or user principal name.
    pub fn user(&self, name: &str) -> Option<Cow<'_, User>> {
        let id = Uuid::try_parse(name).ok();
        let written_down = self
            .users
            .iter()
            .find(|user| Some(user.id) == id || user.upn.eq_ignore_ascii_case(name));
        written_down
            .map(Cow::Borrowed)
            .or_else(|| self.generated(generated_index(name)?).map(Cow::Owned))
    }

    /// The tenant that a user is an object of.
    pub fn tenant_of(&self, user: &User) -> Option<&Tenant> {
        self.tenant(domain_of(&user.upn))
    }

    /// The account that this sign-in name has at an authority.
    pub fn account(
        &self,
        authority: Authority<'_>,
        name: &str,
    ) -> Result<Cow<'_, User>, EntraError> {
        let tenant_name = match authority {
            Authority::Tenant(tenant) => tenant.name.as_str(),
            Authority::Common => "common",
            Authority::Organizations => "organizations",
            Authority::Consumers => "consumers",
        };
        let belongs = |user: &User| match (authority, self.tenant_of(user)) {
            (Authority::Tenant(wanted), Some(tenant)) => wanted.id == tenant.id,
            (_, Some(tenant)) if !tenant.is_for_accounts_anywhere() => false,
            (Authority::Organizations, Some(tenant)) => !tenant.personal,
            (Authority::Consumers, Some(tenant)) => tenant.personal,
            (Authority::Common, Some(_)) => true,
            (_, None) => false,
        };
        // At an authority of many tenants everyone signs in at home, so the plain name comes before the guest's.
        let by_sign_in_name = || {
            self.users.iter().find(|user| {
                belongs(user)
                    && user
                        .sign_in_name
                        .as_deref()
                        .is_some_and(|own| own.eq_ignore_ascii_case(name))
            })
        };
        match self.user(name) {
            Some(user) if belongs(&user) => Ok(user),
            Some(_) => by_sign_in_name()
                .map(Cow::Borrowed)
                .ok_or_else(|| EntraError::about(50020, &[name, tenant_name])),
            None => by_sign_in_name()
                .map(Cow::Borrowed)
                .ok_or_else(|| EntraError::about(50034, &[tenant_name])),
        }
    }

    /// The made-up user of this number. Number and id can be computed from each other, so none is ever stored.
    fn generated(&self, number: usize) -> Option<User> {
        let domain = self.tenants.first()?.domains.first()?;
        (number < self.generate).then(|| User {
            id: Uuid::from_u128(GENERATED_IDS | number as u128),
            upn: format!("user{number:07}@{domain}"),
            sign_in_name: None,
            password: format!("User#{number}"),
            display_name: format!("User {number:07}"),
            given_name: Some("User".to_owned()),
            surname: Some(format!("{number:07}")),
            job_title: Some("Worker".to_owned()),
            mail: Some(format!("user{number:07}@{domain}")),
            mobile_phone: None,
            business_phones: Vec::new(),
            office_location: None,
            preferred_language: None,
            manager: None,
            user_type: member(),
            condition: Condition::Fine,
            note: None,
        })
    }
}

/// The ids of generated users are these bits, and their number.
const GENERATED_IDS: u128 = 0x5eed_0000_0000_4000_8000_0000_0000_0000;

/// The number in the id or name of a generated user.
fn generated_index(name: &str) -> Option<usize> {
    match Uuid::try_parse(name) {
        Ok(id) => usize::try_from(id.as_u128().checked_sub(GENERATED_IDS)?).ok(),
        Err(_) => {
            let digits = name
                .get(..4)
                .filter(|user| user.eq_ignore_ascii_case("user"))
                .and(name.get(4..))?;
            let (digits, _) = digits.split_once('@')?;
            let number: usize = digits.parse().ok()?;
            (format!("{number:07}") == digits).then_some(number)
        }
    }
}

/// What follows the last `@`.
pub fn domain_of(name: &str) -> &str {
    name.rsplit_once('@').map_or("", |(_, domain)| domain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seed_data_fits_together() {
        let directory = Directory::read(SEED_DATA).unwrap();
        for application in &directory.applications {
            assert_ne!(
                application.object_id, application.client_id,
                "{}",
                application.key
            );
        }
        assert_eq!(
            directory
                .user("CONTOSO_employee@contoso.com")
                .unwrap()
                .display_name,
            "Contoso Employee"
        );
    }

    #[test]
    fn generated_users_are_found_by_id_and_by_name() {
        let directory = Directory {
            generate: 1_000_000,
            ..Directory::read(SEED_DATA).unwrap()
        };
        let last = directory.user_at(directory.user_count() - 1).unwrap();
        assert_eq!(last.upn, "user0999999@contoso.com");
        assert_eq!(directory.user(&last.upn).unwrap().id, last.id);
        assert_eq!(directory.user(&last.id.to_string()).unwrap().upn, last.upn);
        assert!(directory.user("user1000000@contoso.com").is_none());
        assert!(directory.user("user7@contoso.com").is_none());
        assert!(directory.user_at(directory.user_count()).is_none());
    }

    #[test]
    fn an_account_is_looked_for_at_its_authority() {
        let directory = Directory::read(SEED_DATA).unwrap();
        let at = |authority: &str, name: &str| {
            directory
                .account(directory.authority(authority).unwrap(), name)
                .map(|user| user.upn.clone())
                .map_err(|error| error.code)
        };
        assert_eq!(
            at("contoso.com", "ada@fabrikam.com").unwrap(),
            "ada_fabrikam.com#EXT#@contoso.onmicrosoft.com"
        );
        assert_eq!(
            at("common", "ada@fabrikam.com").unwrap(),
            "ada@fabrikam.com"
        );
        assert_eq!(
            at("fabrikam.com", "contoso_employee@contoso.com"),
            Err(50020)
        );
        assert_eq!(at("consumers", "nobody@outlook.com"), Err(50034));
    }
}
