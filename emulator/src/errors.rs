//! Entra's refusals: one table from AADSTS code to `error`, status and words.

mod b2c;

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use serde_json::{Map, Value, json};

use crate::call::Call;
use crate::clock::iso_date;

/// A refusal by Entra ID.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntraError {
    /// The number after `AADSTS`; 0 for an error that has none.
    pub code: u32,
    /// Whether it is a B2C tenant's, whose codes begin with `AADB2C`.
    pub is_b2c: bool,
    /// The OAuth error.
    pub error: String,
    /// The HTTP status.
    pub status: StatusCode,
    /// The words after the code.
    pub description: String,
    /// What the words are about.
    pub details: Box<[String]>,
    /// Entra's finer class.
    pub suberror: Option<&'static str>,
    /// A claims challenge, as JSON text.
    pub claims: Option<String>,
}

impl EntraError {
    /// The refusal with this code.
    pub fn new(code: u32) -> Self {
        Self::about(code, &[])
    }

    /// The refusal with this code, its words filled with `details`.
    pub fn about(code: u32, details: &[&str]) -> Self {
        let row = TABLE.iter().find(|row| row.code == code);
        let (error, suberror, text) = row.map_or(
            ("invalid_request", None, "The request was refused."),
            |row| (row.error, row.suberror, row.text),
        );
        let mut description = text.to_owned();
        for detail in details {
            description = description.replacen("{}", detail, 1);
        }
        Self {
            code,
            is_b2c: false,
            error: error.to_owned(),
            status: status_of(error),
            description: description.replace("{}", "(unknown)"),
            details: details.iter().map(|detail| (*detail).to_owned()).collect(),
            suberror,
            claims: None,
        }
    }

    /// An OAuth error without an AADSTS code.
    pub fn named(error: &str) -> Self {
        let row = TABLE.iter().find(|row| row.error == error);
        Self {
            error: error.to_owned(),
            status: status_of(error),
            ..Self::new(row.map_or(0, |row| row.code))
        }
    }

    /// RFC 8628's "you ask too often", which Entra itself was never seen to say.
    pub fn slow_down() -> Self {
        Self {
            error: "slow_down".to_owned(),
            code: 0,
            description:
                "The client polls too often. Wait for 5 seconds more between two requests."
                    .to_owned(),
            ..Self::new(70016)
        }
    }

    /// `AADSTS50034: …`, as pages and descriptions begin.
    pub fn headline(&self) -> String {
        match self.code {
            0 => self.description.clone(),
            code if self.is_b2c => format!("AADB2C{code}: {}", self.description),
            code => format!("AADSTS{code}: {}", self.description),
        }
    }

    /// The whole description: the words, and the ids that support would ask for.
    pub fn full_description(&self, call: &Call) -> String {
        let (trace, correlation) = (call.request_id, call.correlation_id);
        let timestamp = timestamp(call);
        let headline = self.headline();
        // Newer answers join these lines with spaces; the older line breaks are what trips clients up.
        if self.is_b2c {
            format!("{headline}\r\nCorrelation ID: {correlation}\r\nTimestamp: {timestamp}\r\n")
        } else {
            format!(
                "{headline}\r\nTrace ID: {trace}\r\nCorrelation ID: {correlation}\r\nTimestamp: {timestamp}"
            )
        }
    }

    /// The JSON body, keys in Entra's order.
    pub fn body(&self, call: &Call) -> Value {
        let timestamp = timestamp(call);
        let (trace, correlation) = (call.request_id, call.correlation_id);
        let mut body = Map::new();
        body.insert("error".into(), json!(self.error));
        body.insert(
            "error_description".into(),
            json!(self.full_description(call)),
        );
        if self.is_b2c {
            return Value::Object(body); // that is all that B2C says
        }
        if self.code != 0 {
            body.insert("error_codes".into(), json!([self.code]));
        }
        body.insert("timestamp".into(), json!(timestamp));
        body.insert("trace_id".into(), json!(trace));
        body.insert("correlation_id".into(), json!(correlation));
        if self.code != 0 {
            body.insert(
                "error_uri".into(),
                json!(format!("{}/error?code={}", call.base, self.code)),
            );
        }
        if let Some(suberror) = self.suberror {
            body.insert("suberror".into(), json!(suberror));
        }
        if let Some(claims) = &self.claims {
            body.insert("claims".into(), json!(claims));
        }
        Value::Object(body)
    }

    /// The answer to a request of an endpoint that speaks JSON.
    pub fn response(&self, call: &Call) -> Response<Body> {
        let mut response = call.json(self.status, &self.body(call));
        if self.status == StatusCode::TOO_MANY_REQUESTS {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from_static("60"));
        }
        response
    }
}

/// Something that should not happen, such as a signature that cannot be made: Entra says "try again later".
impl From<anyhow::Error> for EntraError {
    fn from(error: anyhow::Error) -> Self {
        Self {
            description: format!("The emulator failed: {error:#}"),
            status: StatusCode::INTERNAL_SERVER_ERROR,
            ..Self::new(90033)
        }
    }
}

/// A moment as refusals write it: `2024-05-02 07:08:09Z`.
fn timestamp(call: &Call) -> String {
    format!("{}Z", iso_date(call.now).replace('T', " "))
}

fn status_of(error: &str) -> StatusCode {
    match error {
        "invalid_client" => StatusCode::UNAUTHORIZED,
        "temporarily_unavailable" => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::BAD_REQUEST,
    }
}

struct Row {
    code: u32,
    error: &'static str,
    suberror: Option<&'static str>,
    text: &'static str,
}

const fn row(code: u32, error: &'static str, text: &'static str) -> Row {
    Row {
        code,
        error,
        suberror: None,
        text,
    }
}

const fn sub(code: u32, error: &'static str, suberror: &'static str, text: &'static str) -> Row {
    Row {
        code,
        error,
        suberror: Some(suberror),
        text,
    }
}

/// All known codes, for the list of faults.
pub fn codes() -> impl Iterator<Item = u32> {
    TABLE.iter().map(|row| row.code)
}

/// Every code that the emulator gives or can be told to give. `{}` is filled with what the refusal is about.
#[rustfmt::skip] // one line per code
const TABLE: &[Row] = &[
    row(16000, "interaction_required", "User account '{}' does not exist in tenant '{}' and cannot access the application. The account needs to be added as an external user in the tenant first."),
    row(28000, "invalid_scope", "Provided value for the input parameter scope is not valid because it contains more than one resource. Scope {} is not valid."),
    row(28002, "invalid_scope", "Provided value for the input parameter scope is not valid when requesting an access token. Scope {} is not valid."),
    row(28003, "invalid_scope", "Provided value for the input parameter scope cannot be empty when requesting an access token using the provided authorization code."),
    row(50001, "invalid_resource", "The resource named {} was not found in the tenant or has been disabled."),
    row(50011, "invalid_request", "The redirect URI '{}' specified in the request does not match the redirect URIs configured for the application '{}'."),
    row(50012, "invalid_client", "Authentication failed: {}"),
    row(50020, "invalid_grant", "User account '{}' does not exist in tenant '{}' and cannot access the application in that tenant. The account needs to be added as an external user in the tenant first."),
    row(50034, "invalid_grant", "The user account does not exist in the {} directory. To sign into this application, the account must be added to the directory."),
    row(50053, "invalid_grant", "The account is locked, you've tried to sign in too many times with an incorrect user ID or password."),
    sub(50055, "invalid_grant", "user_password_expired", "The password is expired."),
    row(50056, "invalid_grant", "Invalid or null password: password does not exist in the directory for this user."),
    row(50057, "invalid_grant", "The user account is disabled."),
    row(50058, "login_required", "A silent sign-in request was sent but no user is signed in."),
    row(50059, "invalid_request", "No tenant-identifying information found in either the request or implied by any provided credentials."),
    sub(50072, "interaction_required", "basic_action", "Due to a configuration change made by your administrator, or because you moved to a new location, you must enroll in multi-factor authentication to access '{}'."),
    sub(50074, "interaction_required", "basic_action", "Strong authentication is required."),
    sub(50076, "invalid_grant", "basic_action", "Due to a configuration change made by your administrator, or because you moved to a new location, you must use multi-factor authentication to access '{}'."),
    sub(50078, "interaction_required", "basic_action", "Presented multi-factor authentication has expired due to policies configured by your administrator, you must refresh your multi-factor authentication to access '{}'."),
    sub(50079, "interaction_required", "basic_action", "Due to a configuration change made by your administrator, or because you moved to a new location, you must enroll in multi-factor authentication to access '{}'."),
    row(50097, "interaction_required", "Device authentication is required."),
    sub(50105, "invalid_grant", "message_only", "Your administrator has configured the application {} to block users unless they are specifically granted ('assigned') access to the application."),
    row(50126, "invalid_grant", "Error validating credentials due to invalid username or password."),
    row(50128, "invalid_request", "Invalid domain name. No tenant-identifying information found in either the request or implied by any provided credentials."),
    row(50131, "interaction_required", "Device is not in required device state: {}. Conditional Access policy requires a compliant device."),
    sub(50132, "invalid_grant", "bad_token", "The session is not valid due to the following reasons: password expiration or recent password change, SSO Artifact is invalid or expired."),
    sub(50133, "invalid_grant", "bad_token", "Session is invalid due to expiration or recent password change."),
    row(50144, "invalid_grant", "The user's Active Directory password has expired. Generate a new password for the user or have the user use the self-service reset tool."),
    row(50147, "invalid_request", "Missing or wrong size of the code challenge parameter."),
    sub(50158, "interaction_required", "basic_action", "External security challenge was not satisfied."),
    sub(50173, "invalid_grant", "bad_token", "The provided grant has expired due to it being revoked, a fresh auth token is needed. The user might have changed or reset their password."),
    row(50194, "invalid_request", "Application '{}'({}) is not configured as a multi-tenant application. Usage of the /common endpoint is not supported for such apps. Use a tenant-specific endpoint or configure the application to be multi-tenant."),
    row(50196, "invalid_grant", "The server terminated an operation because it encountered a client request loop. Please contact your app vendor."),
    row(50199, "interaction_required", "For security reasons, user confirmation is required for this request. Please repeat the request allowing user interaction."),
    row(53000, "interaction_required", "Device is not in required device state: compliant. Conditional Access policy requires a compliant device, and the device is not compliant."),
    row(53001, "interaction_required", "Device is not in required device state: domain_joined. Conditional Access policy requires a domain joined device, and the device is not domain joined."),
    row(53003, "access_denied", "Access has been blocked by Conditional Access policies. The access policy does not allow token issuance."),
    row(54005, "invalid_grant", "OAuth2 Authorization code was already redeemed, please retry with a new valid code or use an existing refresh token."),
    sub(65001, "invalid_grant", "consent_required", "The user or administrator has not consented to use the application with ID '{}' named '{}'. Send an interactive authorization request for this user and resource."),
    row(65004, "access_denied", "User declined to consent to access the app."),
    row(65005, "invalid_client", "The application required resource access list does not contain applications discoverable by resource or the client has requested access to a resource that was not specified in its required resource access list."),
    row(70000, "invalid_grant", "Provided grant is invalid or malformed. The provided value for the input parameter '{}' is not valid."),
    row(70001, "unauthorized_client", "The application named {} was not found in the tenant named {}."),
    row(70002, "invalid_client", "Error validating credentials. The specified client secret does not match the expected value for this client."),
    row(70003, "unsupported_grant_type", "The app requested an unsupported grant type '{}'."),
    row(70005, "unsupported_response_type", "The app returned an unsupported response type: {}."),
    row(70007, "invalid_request", "'{}' is not a supported value of 'response_mode' for the response type '{}'."),
    row(70008, "invalid_grant", "The provided authorization code or refresh token has expired due to inactivity. Send a new interactive authorization request for this user and resource."),
    row(70011, "invalid_scope", "The provided request must include a 'scope' input parameter. The provided value for the input parameter 'scope' is not valid. The scope {} is not valid."),
    row(70016, "authorization_pending", "OAuth 2.0 device flow error. Authorization is pending. Continue polling."),
    row(70018, "bad_verification_code", "Invalid verification code due to User typing in wrong user code for device code flow. The device_code sent was not recognized."),
    row(70019, "code_expired", "Verification code expired. Have the user retry the sign-in."),
    row(70020, "expired_token", "The provided value for the input parameter 'device_code' is not valid. This device code has expired."),
    sub(70043, "invalid_grant", "token_expired", "The refresh token has expired or is invalid due to sign-in frequency checks by conditional access."),
    row(90002, "invalid_request", "Tenant '{}' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud. Check with your subscription administrator, this may happen if there are no active subscriptions for the tenant."),
    row(90010, "invalid_request", "The request is not supported on this endpoint: {}."),
    row(90014, "invalid_request", "The required field '{}' is missing from the credential. Ensure that you have all the necessary parameters for the login request."),
    row(90019, "invalid_request", "No tenant-identifying information found in either the request or implied by any provided credentials."),
    row(90023, "invalid_request", "Invalid STS request. {}"),
    row(90033, "temporarily_unavailable", "A transient error has occurred. Please try again."),
    row(90055, "temporarily_unavailable", "The server is busy: too many requests. Please try again later."),
    row(90090, "temporarily_unavailable", "The server timed out. Please try again later."),
    row(90094, "access_denied", "An administrator of {} has to consent to the permissions that the application {} asks for."),
    row(90095, "access_denied", "An administrator of {} has to approve the request for the application {}."),
    row(500011, "invalid_resource", "The resource principal named {} was not found in the tenant. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant. You might have sent your authentication request to the wrong tenant."),
    row(500112, "invalid_grant", "The reply address '{}' does not match the reply address '{}' provided when requesting Authorization code."),
    row(501481, "invalid_grant", "The Code_Verifier does not match the code_challenge supplied in the authorization request."),
    row(501491, "invalid_request", "Invalid size of Code_Challenge parameter."),
    row(530032, "invalid_grant", "Access blocked by the tenant's security policy."),
    row(650052, "invalid_client", "The app is trying to access a service '{}' that your organization lacks a service principal for."),
    row(650056, "invalid_client", "Misconfigured application. This could be due to one of the following: the client has not listed any permissions for '{}' in the requested permissions in the client's application registration."),
    row(650057, "invalid_client", "Invalid resource. The client has requested access to a resource which is not listed in the requested permissions in the client's application registration. Resource: {}."),
    row(700005, "invalid_grant", "The provided authorization code is intended to use against another tenant, thus rejected. It must be redeemed at the tenant that it was acquired for."),
    row(700016, "unauthorized_client", "Application with identifier '{}' was not found in the directory '{}'. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant. You may have sent your authentication request to the wrong tenant."),
    row(700022, "invalid_scope", "The provided value for the input parameter scope is not valid because it contains more than one resource. Scope {} is not valid."),
    row(700023, "invalid_scope", "The provided value for the input parameter scope is not valid because it contains an empty resource. Scope {} is not valid."),
    row(700024, "invalid_client", "Client assertion is not within its valid time range. Current time: {}, assertion valid from {}, expiry time of assertion {}."),
    row(700025, "invalid_client", "Client is public so neither 'client_assertion' nor 'client_secret' should be presented."),
    row(700027, "invalid_client", "The certificate with identifier used to sign the client assertion is not registered on application, or the assertion failed signature validation. [Reason - {}]"),
    row(700030, "invalid_client", "Invalid certificate - subject name in certificate is not authorized. {}"),
    row(700051, "unsupported_response_type", "response_type 'token' is not enabled for the application."),
    row(700054, "unsupported_response_type", "response_type 'id_token' is not enabled for the application."),
    row(700082, "invalid_grant", "The refresh token has expired due to inactivity. The token was issued on {} and was inactive for 90.00:00:00."),
    row(700084, "invalid_grant", "The refresh token was issued to a single page app (SPA), and therefore has a fixed, limited lifetime of 1.00:00:00, which can't be extended."),
    row(700213, "invalid_client", "No matching federated identity record found for presented assertion subject '{}'. Check your federated identity credential Subject, Audience and Issuer against the presented assertion."),
    row(900023, "invalid_request", "Specified tenant identifier '{}' is neither a valid DNS name, nor a valid external domain."),
    row(900144, "invalid_request", "The request body must contain the following parameter: '{}'."),
    row(901002, "invalid_request", "The 'resource' request parameter is not supported."),
    row(1002012, "invalid_scope", "The provided value for scope {} is not valid. Client credential flows must have a scope value with /.default suffixed to the resource identifier (application ID URI)."),
    row(7000014, "invalid_grant", "The provided value for the input parameter 'device_code' is not valid. It was issued to another client or authority."),
    row(7000112, "unauthorized_client", "Application '{}'({}) is disabled."),
    row(7000215, "invalid_client", "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '{}'."),
    row(7000216, "invalid_client", "'client_assertion', 'client_secret' or 'request' is required for the '{}' grant type."),
    row(7000218, "invalid_client", "The request body must contain the following parameter: 'client_assertion' or 'client_secret'."),
    row(7000222, "invalid_client", "The provided client secret keys for app '{}' are expired. Visit the Azure portal to create new keys for your app: https://aka.ms/NewClientSecret, or consider using certificate credentials for added security: https://aka.ms/certCreds."),
    row(7000229, "invalid_client", "The client application {} is missing service principal in the tenant {}. See instructions here: https://go.microsoft.com/fwlink/?linkid=2225119."),
    row(9001023, "invalid_request", "The grant type is not supported over the /common or /consumers endpoints. Please use the /organizations or tenant-specific endpoint."),
    row(9002313, "invalid_request", "Invalid request. Request is malformed or invalid."),
    row(9002325, "invalid_request", "Proof Key for Code Exchange is required for cross-origin authorization code redemption."),
    row(9002326, "invalid_request", "Cross-origin token redemption is permitted only for the 'Single-Page Application' client-type."),
    row(9002327, "invalid_request", "Tokens issued for the 'Single-Page Application' client-type may only be redeemed via cross-origin requests."),
    row(9002332, "invalid_request", "Application '{}'({}) is configured for use by Microsoft Entra users only. Please do not use the /consumers endpoint to serve this request."),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_has_no_code_twice() {
        assert!(TABLE.windows(2).all(|pair| pair[0].code < pair[1].code));
    }

    #[test]
    fn words_are_filled_in_order() {
        let error = EntraError::about(700016, &["an-id", "a-tenant"]);
        assert!(error.description.starts_with(
            "Application with identifier 'an-id' was not found in the directory 'a-tenant'."
        ));
        assert_eq!(
            (error.error.as_str(), error.status.as_u16()),
            ("unauthorized_client", 400)
        );
        assert_eq!(EntraError::new(7000218).status.as_u16(), 401);
    }
}
