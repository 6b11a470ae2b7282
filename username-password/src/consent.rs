//! Consent cannot be given by a password: who has not consented yet is sent to a browser, once.

use common::{config::Config, oauth::EntraError};
use oauth2::Scope;

/// The page that every public client may return to.
const NATIVE_CLIENT: &str = "https://login.microsoftonline.com/common/oauth2/nativeclient";

/// Adds to a missing consent (AADSTS65001) the pages where the user, or an administrator for all, can give it.
pub fn explain(error: EntraError, config: &Config) -> anyhow::Error {
    match &error {
        EntraError::Refused(refusal) if refusal.codes.contains(&65001) => {}
        _ => return error.into(),
    }
    let redirect_uri = config.redirect_uri.as_deref().unwrap_or(NATIVE_CLIENT);
    let scopes: Vec<Scope> = config.scopes().collect();
    let scopes = scopes
        .iter()
        .map(|scope| scope.as_str())
        .collect::<Vec<_>>()
        .join(" ");
    let common_parameters = [
        ("client_id", config.client_id.as_str()),
        ("redirect_uri", redirect_uri),
        ("scope", &scopes),
    ];
    let mut user = config.authority.authorization_url();
    user.query_pairs_mut()
        .append_pair("response_type", "code")
        .append_pair("prompt", "consent")
        .extend_pairs(common_parameters);
    let mut administrator = config.authority.admin_consent_url();
    administrator
        .query_pairs_mut()
        .extend_pairs(common_parameters);
    anyhow::anyhow!(
        "{error}\nVisit this to consent: {user}\nAn administrator can consent for everybody: {administrator}"
    )
}
