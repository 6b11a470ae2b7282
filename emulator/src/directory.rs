//! The directory: tenants, people and applications, read once from the seed data and never changed.

use std::borrow::Cow;

use anyhow::{Context, bail};
use serde::Deserialize;
use uuid::Uuid;

use crate::errors::EntraError;
use crate::keys::pem;

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
    /// All application registrations.
    pub applications: Vec<Application>,
}

/// An organization, or the one tenant that stands for all personal accounts.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tenant {
    /// The tenant id.
    pub id: Uuid,
    /// The name that pages show.
    pub name: String,
    /// Verified domains; a user belongs to the tenant that has the domain of the user's name.
    pub domains: Vec<String>,
    /// Whether its accounts are personal ones.
    #[serde(default)]
    pub personal: bool,
}

/// A person in one tenant.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct User {
    /// The object id.
    pub id: Uuid,
    /// The user principal name.
    pub upn: String,
    /// What is typed on the sign-in page, if it is not the user principal name (guests).
    pub sign_in_name: Option<String>,
    /// The password, in clear.
    pub password: String,
    /// The name that people see.
    pub display_name: String,
    /// First name.
    pub given_name: Option<String>,
    /// Last name.
    pub surname: Option<String>,
    /// Job title.
    pub job_title: Option<String>,
    /// Mail address.
    pub mail: Option<String>,
    /// Mobile phone number.
    pub mobile_phone: Option<String>,
    /// Business phone numbers.
    #[serde(default)]
    pub business_phones: Vec<String>,
    /// Office.
    pub office_location: Option<String>,
    /// Language tag.
    pub preferred_language: Option<String>,
    /// User principal name of the manager.
    pub manager: Option<String>,
    /// `Member` or `Guest`.
    #[serde(default = "member")]
    pub user_type: String,
    /// What stands in the way of a sign-in.
    #[serde(default)]
    pub condition: Condition,
}

/// What stands in the way of a user's sign-in.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Condition {
    /// Nothing.
    #[default]
    Fine,
    /// An administrator has disabled the account.
    Disabled,
    /// Too many wrong passwords.
    Locked,
    /// The password has to be changed first.
    PasswordExpired,
    /// The account has no password in the cloud.
    NoPassword,
    /// A second factor is asked for.
    MfaRequired,
    /// Another identity provider signs the user in.
    Federated,
}

/// An application registration, and what an admin has granted it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Application {
    /// The name by which the command line and tests know it.
    pub key: String,
    /// A domain of the tenant that it is registered in.
    pub tenant: String,
    /// The object id, which is not the client id.
    pub object_id: Uuid,
    /// The application (client) id.
    pub client_id: Uuid,
    /// The name that people see.
    pub display_name: String,
    /// When it was registered, as Graph writes it.
    pub created: String,
    /// Whose accounts it serves.
    pub audience: Audience,
    /// "Allow public client flows".
    #[serde(default)]
    pub public_client: bool,
    /// Whether an admin has switched it off.
    #[serde(default)]
    pub disabled: bool,
    /// Delegated Graph permissions that it is configured with.
    #[serde(default)]
    pub permissions: Vec<String>,
    /// Delegated Graph permissions that an admin has granted for every user.
    #[serde(default)]
    pub consented: Vec<String>,
    /// Application permissions of Graph that an admin has granted.
    #[serde(default)]
    pub roles: Vec<String>,
    /// Reply URLs of the platform Web.
    #[serde(default)]
    pub redirect_uris: Vec<String>,
    /// Client secrets.
    #[serde(default)]
    pub secrets: Vec<Secret>,
    /// Certificates, as PEM.
    #[serde(default, deserialize_with = "certificates")]
    pub certificates: Vec<Vec<u8>>,
    /// Outside issuers whose tokens stand for this application.
    #[serde(default)]
    pub federated_credentials: Vec<FederatedCredential>,
}

/// "Supported account types" of a registration.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
pub enum Audience {
    /// This tenant only.
    #[serde(rename = "AzureADMyOrg")]
    MyOrg,
    /// Any organization.
    #[serde(rename = "AzureADMultipleOrgs")]
    MultipleOrgs,
    /// Any organization and personal accounts.
    #[serde(rename = "AzureADandPersonalMicrosoftAccount")]
    OrgsAndPersonal,
    /// Personal accounts only.
    #[serde(rename = "PersonalMicrosoftAccount")]
    Personal,
}

/// A client secret.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Secret {
    /// The Secret ID, which people mistake for the secret.
    pub key_id: Uuid,
    /// The secret itself.
    pub value: String,
    /// When it ends, as Graph writes it.
    pub expires: String,
}

/// An outside issuer that may speak for an application.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FederatedCredential {
    /// The name in the portal.
    pub name: String,
    /// The exact `iss`.
    pub issuer: String,
    /// The exact `sub`.
    pub subject: String,
    /// The exact `aud`.
    pub audience: String,
    /// The issuer's certificate (the cloud service would fetch the issuer's keys instead).
    #[serde(deserialize_with = "certificate")]
    pub certificate: Vec<u8>,
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

    /// The application with this client id.
    pub fn application(&self, client_id: &str) -> Option<&Application> {
        let id = Uuid::try_parse(client_id).ok()?;
        self.applications
            .iter()
            .find(|application| application.client_id == id)
    }

    /// The application that the command line and tests call `key`.
    pub fn application_by_key(&self, key: &str) -> Option<&Application> {
        self.applications
            .iter()
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
        })
    }
}

impl User {
    /// The name that this person types on the sign-in page.
    pub fn sign_in_name(&self) -> &str {
        self.sign_in_name.as_deref().unwrap_or(&self.upn)
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

fn member() -> String {
    "Member".to_owned()
}

fn certificate<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    let text = String::deserialize(deserializer)?;
    pem("CERTIFICATE", &text)
        .ok_or_else(|| serde::de::Error::custom("this is no certificate in PEM"))
}

fn certificates<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<Vec<u8>>, D::Error> {
    let texts = Vec::<String>::deserialize(deserializer)?;
    let read = |text: &String| {
        pem("CERTIFICATE", text)
            .ok_or_else(|| serde::de::Error::custom("this is no certificate in PEM"))
    };
    texts.iter().map(read).collect()
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
