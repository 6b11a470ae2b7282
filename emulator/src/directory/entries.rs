//! The entries of the directory, as the seed data writes them.

use serde::Deserialize;
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::keys::pem;

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
    /// What kind of provider it is.
    #[serde(default)]
    pub kind: TenantKind,
    /// The user flows ("policies") of a B2C tenant.
    #[serde(default)]
    pub user_flows: Vec<UserFlow>,
}

impl Tenant {
    /// The name by which addresses in answers know it: the id, but a domain where the real service shows that.
    pub fn address_name(&self) -> String {
        match (self.kind, self.domains.first()) {
            (TenantKind::B2c | TenantKind::OpenId, Some(domain)) => domain.clone(),
            _ => self.id.to_string(),
        }
    }

    /// Whether its users are people of an organization, or have a personal account.
    pub fn is_for_accounts_anywhere(&self) -> bool {
        self.kind == TenantKind::Workforce
    }
}

/// The kinds of providers that one emulator stands in for.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum TenantKind {
    /// Entra ID: people of an organization, or personal accounts.
    #[default]
    Workforce,
    /// Entra External ID: customers.
    ExternalId,
    /// Azure AD B2C: customers, and a user flow in each address.
    B2c,
    /// Any other OpenID provider, which knows nothing of Entra's claims and addresses.
    OpenId,
}

/// A user flow ("policy") of a B2C tenant.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserFlow {
    /// The name that addresses and tokens have.
    pub name: String,
    /// What it does.
    pub kind: FlowKind,
    /// The claim that names the flow in tokens: `tfp`, or `acr` as older flows have it.
    #[serde(default = "tfp")]
    pub claim: String,
}

/// What a user flow does.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum FlowKind {
    /// Signs in, or up.
    SignUpSignIn,
    /// Changes the profile.
    EditProfile,
    /// Sets a new password.
    ResetPassword,
}

/// An API of somebody's own, for which applications can ask tokens.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Api {
    /// Its application ID URI, without a slash at its end.
    pub uri: String,
    /// The names of its permissions.
    pub scopes: Vec<String>,
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
    /// What else is special, in words for the home page.
    pub note: Option<String>,
}

impl User {
    /// The name that this person types on the sign-in page.
    pub fn sign_in_name(&self) -> &str {
        self.sign_in_name.as_deref().unwrap_or(&self.upn)
    }
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
#[derive(Clone, Debug, Deserialize)]
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
    /// The client id at an OpenID provider that has no GUIDs; it takes the place of the other one.
    pub plain_client_id: Option<String>,
    /// The name that people see.
    pub display_name: String,
    /// What is special about it, in words for the home page.
    pub note: Option<String>,
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
    /// Delegated Graph permissions that are never granted, although everybody agrees: sign-ins go on without them.
    #[serde(default)]
    pub withheld: Vec<String>,
    /// Reply URLs of the platform Web.
    #[serde(default)]
    pub redirect_uris: Vec<String>,
    /// Reply URLs of the platform "Mobile and desktop applications": codes for them are redeemed without a secret.
    #[serde(default)]
    pub public_redirect_uris: Vec<String>,
    /// Reply URLs of the platform "Single-page application": codes for them are redeemed by a script of that origin.
    #[serde(default)]
    pub spa_redirect_uris: Vec<String>,
    /// "Front-channel logout URL": loaded, unseen, when a browser that has signed in to the application signs out.
    pub logout_url: Option<String>,
    /// Whether the authorization endpoint may issue ID tokens ("implicit grant and hybrid flows").
    #[serde(default)]
    pub id_tokens: bool,
    /// Whether the authorization endpoint may issue access tokens ("implicit grant and hybrid flows").
    #[serde(default)]
    pub access_tokens: bool,
    /// Client secrets.
    #[serde(default)]
    pub secrets: Vec<Secret>,
    /// Certificates, as PEM.
    #[serde(default, deserialize_with = "certificates")]
    pub certificates: Vec<Vec<u8>>,
    /// Outside issuers whose tokens stand for this application.
    #[serde(default)]
    pub federated_credentials: Vec<FederatedCredential>,
    /// What was written to it by Graph, property by property.
    #[serde(skip)]
    pub written: Map<String, Value>,
    /// Whether it has no service principal yet, as one that has just been registered by Graph.
    #[serde(skip)]
    pub lacks_service_principal: bool,
    /// Whether it was deleted.
    #[serde(skip)]
    pub deleted: bool,
}

impl Application {
    /// The client id as requests and tokens have it.
    pub fn client_name(&self) -> String {
        self.plain_client_id
            .clone()
            .unwrap_or_else(|| self.client_id.to_string())
    }
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
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Secret {
    /// The Secret ID, which people mistake for the secret.
    pub key_id: Uuid,
    /// What it is called.
    #[serde(default = "toy_secret")]
    pub display_name: String,
    /// The secret itself.
    pub value: String,
    /// When it ends, as Graph writes it.
    pub expires: String,
}

/// An outside issuer that may speak for an application.
#[derive(Clone, Debug, Deserialize)]
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

/// What a user is unless the seed data says otherwise.
pub fn member() -> String {
    "Member".to_owned()
}

fn toy_secret() -> String {
    "toy secret".to_owned()
}

fn tfp() -> String {
    "tfp".to_owned()
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
