//! Consent cannot be given by a password: who has not consented yet is sent to a browser, once.

use common::{
    authority::secure_url,
    config::{Config, ConfigError, Settings},
    oauth::EntraError,
};
use oauth2::Scope;

/// The page that every public client may return to.
const NATIVE_CLIENT: &str = "https://login.microsoftonline.com/common/oauth2/nativeclient";

/// Where the browser goes after consent.
pub fn redirect_uri(settings: &Settings) -> Result<String, ConfigError> {
    let Some(setting) = settings.get("REDIRECT_URI")? else {
        return Ok(NATIVE_CLIENT.to_owned());
    };
    let uri = setting.value().trim();
    secure_url(uri).map_err(|problem| setting.invalid(problem))?;
    // As it was written, since Entra ID compares letter by letter.
    Ok(uri.to_owned())
}

/// Adds to a missing consent (AADSTS65001) the pages where the user, or an administrator for all, can give it.
pub fn explain(error: EntraError, config: &Config, redirect_uri: &str) -> anyhow::Error {
    match &error {
        EntraError::Refused(refusal) if refusal.codes.contains(&65001) => {}
        _ => return error.into(),
    }
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
