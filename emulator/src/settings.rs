//! Ready-made settings: what a sample, or any program, needs to sign in at the emulator.

use crate::directory::Audience;
use crate::service::Service;

/// Every variable that the samples read. `exec` takes them out of the environment before it sets its own, so that the
/// settings of a real tenant do not get mixed in.
pub const NAMES: &[&str] = &[
    "AUTHORITY",
    "AZURE_FEDERATED_TOKEN_FILE",
    "AZURE_PASSWORD",
    "AZURE_USERNAME",
    "CLIENT_CERTIFICATE",
    "CLIENT_ID",
    "CLIENT_OBJECTID",
    "CLIENT_SECRET",
    "ENDPOINT",
    "REDIRECT_URI",
    "SCOPE",
];

impl Service {
    /// The settings for the application of this key, at an emulator with this address.
    pub fn settings(&self, base: &str, key: &str) -> Option<Vec<(String, String)>> {
        let application = self.directory.application_by_key(key)?;
        let tenant = match application.audience {
            Audience::OrgsAndPersonal => "common".to_owned(),
            Audience::Personal => "consumers".to_owned(),
            Audience::MyOrg | Audience::MultipleOrgs => {
                self.directory.tenant(&application.tenant)?.id.to_string()
            }
        };
        let mut settings = vec![
            ("AUTHORITY", format!("{base}/{tenant}")),
            ("CLIENT_ID", application.client_id.to_string()),
        ];
        if let Some(secret) = application.secrets.first() {
            settings.push(("CLIENT_SECRET", secret.value.clone()));
        }
        // An application without delegated permissions acts as itself, and looks itself up.
        if application.permissions.is_empty() {
            settings.push(("CLIENT_OBJECTID", application.object_id.to_string()));
            settings.push(("SCOPE", "https://graph.microsoft.com/.default".to_owned()));
            settings.push((
                "ENDPOINT",
                format!("{base}/v1.0/applications/{}", application.object_id),
            ));
        } else {
            settings.push(("SCOPE", "User.Read".to_owned()));
            settings.push(("ENDPOINT", format!("{base}/v1.0/me")));
        }
        if let Some(redirect_uri) = application.redirect_uris.first() {
            settings.push(("REDIRECT_URI", redirect_uri.clone()));
        }
        if key.starts_with("username-password")
            && let Some(user) = self.directory.users.first()
        {
            settings.push(("AZURE_USERNAME", user.upn.clone()));
            settings.push(("AZURE_PASSWORD", user.password.clone()));
        }
        Some(
            settings
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
        )
    }
}
