//! Ready-made settings: what a sample, or any program, needs to sign in at the emulator.

use crate::directory::{Application, Audience, FlowKind, Tenant, TenantKind};
use crate::provider::issuer;
use crate::service::Service;

/// Every variable that the samples read. `exec` takes them out of the environment before it sets its own, so that the
/// settings of a real tenant do not get mixed in.
pub const NAMES: &[&str] = &[
    "AUTHORITY",
    "AZURE_FEDERATED_TOKEN_FILE",
    "AZURE_PASSWORD",
    "AZURE_USERNAME",
    "B2C_TENANT_NAME",
    "CLIENT_CERTIFICATE",
    "CLIENT_ID",
    "CLIENT_OBJECTID",
    "CLIENT_SECRET",
    "EDITPROFILE_USER_FLOW",
    "ENDPOINT",
    "OIDC_AUTHORITY",
    "REDIRECT_URI",
    "RESETPASSWORD_USER_FLOW",
    "SCOPE",
    "SESSION_STORE",
    "SIGNUPSIGNIN_USER_FLOW",
    "TRUST_FORWARDED_HEADERS",
];

impl Service {
    /// The settings for the application of this key, at an emulator with this address.
    pub fn settings(&self, base: &str, key: &str) -> Option<Vec<(String, String)>> {
        let application = self.directory.application_by_key(key)?;
        let home = self.directory.tenant(&application.tenant)?;
        let mut settings = self.provider_settings(base, application, home)?;
        settings.push(("CLIENT_ID", application.client_name()));
        if let Some(secret) = application.secrets.first() {
            settings.push(("CLIENT_SECRET", secret.value.clone()));
        }
        // An application without delegated permissions acts as itself, and looks itself up.
        if home.kind == TenantKind::B2c {
            let api = self.directory.apis.first()?;
            settings.push(("SCOPE", format!("{}/{}", api.uri, api.scopes.first()?)));
            settings.push(("ENDPOINT", format!("{base}/api/me")));
        } else if home.kind == TenantKind::OpenId {
            settings.push(("SCOPE", "profile email".to_owned()));
            let name = home.address_name();
            settings.push(("ENDPOINT", format!("{base}/{name}/connect/userinfo")));
        } else if application.permissions.is_empty() {
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
        let redirect_uris = &application.redirect_uris;
        if let Some(redirect_uri) = redirect_uris
            .first()
            .or(application.public_redirect_uris.first())
            .or(application.spa_redirect_uris.first())
        {
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
    /// Where the provider is. B2C's `B2C_TENANT_NAME` is a whole address here, up to the tenant: the name alone would
    /// mean the cloud's `https://<name>.b2clogin.com/<name>.onmicrosoft.com`.
    fn provider_settings(
        &self,
        base: &str,
        application: &Application,
        home: &Tenant,
    ) -> Option<Vec<(&'static str, String)>> {
        Some(match (home.kind, application.audience) {
            (TenantKind::B2c, _) => {
                let flow = |kind| {
                    let mut flows = home.user_flows.iter();
                    flows
                        .find(|flow| flow.kind == kind)
                        .map(|flow| flow.name.clone())
                };
                let names = [
                    ("SIGNUPSIGNIN_USER_FLOW", FlowKind::SignUpSignIn),
                    ("EDITPROFILE_USER_FLOW", FlowKind::EditProfile),
                    ("RESETPASSWORD_USER_FLOW", FlowKind::ResetPassword),
                ];
                let tenant = format!("{base}/{}", home.address_name());
                std::iter::once(("B2C_TENANT_NAME", tenant))
                    .chain(
                        names
                            .into_iter()
                            .filter_map(|(name, kind)| Some((name, flow(kind)?))),
                    )
                    .collect()
            }
            (TenantKind::OpenId, _) => vec![("OIDC_AUTHORITY", issuer(base, home))],
            (_, Audience::OrgsAndPersonal) => vec![("AUTHORITY", format!("{base}/common"))],
            (_, Audience::Personal) => vec![("AUTHORITY", format!("{base}/consumers"))],
            (_, Audience::MyOrg | Audience::MultipleOrgs) => {
                vec![("AUTHORITY", format!("{base}/{}", home.id))]
            }
        })
    }
}
