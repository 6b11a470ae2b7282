//! The words that a B2C tenant has for the same refusals.

use super::EntraError;

/// AADSTS code, B2C's own, its `error`, its words (`{}` is what they are about).
#[rustfmt::skip] // one line per code
const TABLE: &[(u32, u32, &str, &str)] = &[
    (50011, 90006, "redirect_uri_mismatch", "The redirect URI '{}' provided in the request is not registered for the client id '{}'."),
    (50058, 90077, "interaction_required", "User does not have an existing session and request prompt parameter has a value of 'None'."),
    (54005, 90129, "invalid_grant", "The provided grant has been revoked. Please reauthenticate and try again."),
    (65004, 90091, "access_denied", "The user has cancelled entering self-asserted information."),
    (70000, 90090, "invalid_grant", "The provided grant is malformed or was issued to somebody else."),
    (70008, 90080, "invalid_grant", "The provided grant has expired. Please re-authenticate and try again."),
    (70011, 90117, "invalid_request", "The scope '{}' provided in the request is not supported."),
    (500112, 90090, "invalid_grant", "The redirect URI '{}' is not the one of the authorization request."),
    (501481, 90183, "invalid_grant", "The supplied code_verifier is invalid."),
    (700005, 90088, "invalid_grant", "The provided grant has not been issued for this endpoint."),
    (700016, 90068, "unauthorized_client", "The provided application with ID '{}' is not valid against this service. Please use an application created via the B2C portal and try again."),
    (700082, 90080, "invalid_grant", "The provided grant has expired. Please re-authenticate and try again."),
    (7000215, 90081, "invalid_client", "The specified client_secret does not match the expected value for this client. Please correct the client_secret and try again."),
    (7000218, 90079, "invalid_request", "Clients must send a client_secret when redeeming a confidential grant."),
    (FORGOT_PASSWORD, FORGOT_PASSWORD, "access_denied", "The user has forgotten their password."),
];

/// The user has chosen "Forgot your password?".
pub const FORGOT_PASSWORD: u32 = 90118;

impl EntraError {
    /// The same refusal as a B2C tenant says it.
    pub fn in_b2c(self) -> Self {
        if self.is_b2c {
            return self;
        }
        let own = TABLE.iter().find(|(entra, ..)| *entra == self.code);
        let Some((_, code, error, text)) = own else {
            return Self {
                code: 90085,
                is_b2c: true,
                ..self
            };
        };
        let mut description = (*text).to_owned();
        for detail in &*self.details {
            description = description.replacen("{}", detail, 1);
        }
        Self {
            code: *code,
            is_b2c: true,
            error: (*error).to_owned(),
            description: description.replace("{}", "(unknown)"),
            suberror: None,
            claims: None,
            ..self
        }
    }

    /// "Forgot your password?" was chosen: the application is to start the flow for that.
    pub fn forgot_password() -> Self {
        Self {
            code: FORGOT_PASSWORD,
            ..Self::new(65004)
        }
        .in_b2c()
    }
}
