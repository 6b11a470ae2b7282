//! One line of advice for each error that a reader can act on.
//!
//! Numbers and causes after
//! [Microsoft Entra authentication error codes](https://learn.microsoft.com/entra/identity-platform/reference-error-codes).
//! Programs branch on OAuth's `error` alone; the numbers only choose words.

use oauth2::http::StatusCode;

/// A topic of `docs/troubleshooting.md`.
#[derive(Debug)]
pub struct Topic {
    /// The anchor in `docs/troubleshooting.md`.
    pub anchor: &'static str,
    /// The AADSTS numbers it answers.
    pub codes: &'static [u32],
    /// The OAuth errors it answers where no number is known.
    pub errors: &'static [&'static str],
    /// What to do, in one line.
    pub advice: &'static str,
}

const fn topic(
    anchor: &'static str,
    codes: &'static [u32],
    errors: &'static [&'static str],
    advice: &'static str,
) -> Topic {
    Topic {
        anchor,
        codes,
        errors,
        advice,
    }
}

/// What Entra ID's refusals mean. The first topic that fits counts.
pub const ENTRA: &[Topic] = &[
    topic(
        "public-client-flows",
        &[7000218],
        &[],
        "For a user sign-in without a secret, set App registrations > your app > Authentication > Allow public client flows to Yes; an app with its own identity needs CLIENT_SECRET or CLIENT_CERTIFICATE.",
    ),
    topic(
        "client-proof-missing",
        &[7000216],
        &[],
        "The app must prove its identity: set CLIENT_SECRET or CLIENT_CERTIFICATE.",
    ),
    topic(
        "secret-wrong",
        &[70002, 7000215],
        &[],
        "Set CLIENT_SECRET to the secret's Value, not its Secret ID (App registrations > your app > Certificates & secrets); a Value is shown only once, so make a new one if it is lost.",
    ),
    topic(
        "secret-expired",
        &[7000222],
        &[],
        "The client secret has expired: make a new one under App registrations > your app > Certificates & secrets and put its Value in CLIENT_SECRET.",
    ),
    topic(
        "secret-unwanted",
        &[700025],
        &[],
        "This app is registered as a public client: unset CLIENT_SECRET and CLIENT_CERTIFICATE.",
    ),
    topic(
        "assertion-refused",
        &[50012, 700024, 700027, 700030],
        &[],
        "The certificate or federated token was refused: check this machine's clock, and that this very certificate is uploaded under App registrations > your app > Certificates & secrets.",
    ),
    topic(
        "app-not-found",
        &[700016],
        &[],
        "The app is not in this tenant: check CLIENT_ID and the tenant in AUTHORITY.",
    ),
    topic(
        "app-disabled",
        &[70001, 7000112],
        &[],
        "The app is disabled or unknown in this tenant: ask an administrator to look under Enterprise applications > your app > Properties > Enabled for users to sign-in.",
    ),
    topic(
        "tenant-not-found",
        &[90002],
        &["invalid_tenant"],
        "No such tenant: check the tenant in AUTHORITY (Overview > Directory (tenant) ID).",
    ),
    topic(
        "tenant-needed",
        &[900023, 50059, 50128, 90019],
        &[],
        "Entra ID found no usable tenant: name yours in AUTHORITY, https://login.microsoftonline.com/<tenant>.",
    ),
    topic(
        "single-tenant",
        &[50194],
        &[],
        "The app is registered for a single tenant: name that tenant in AUTHORITY, or change Supported account types.",
    ),
    topic(
        "authority-unsuitable",
        &[90010, 9001023, 9002332],
        &[],
        "This flow does not work at this authority: use your tenant or organizations in AUTHORITY.",
    ),
    topic(
        "account-not-in-tenant",
        &[16000, 50020],
        &[],
        "This account is not in the tenant: sign in with another one, correct the tenant in AUTHORITY, or have the account invited as a guest.",
    ),
    topic(
        "user-not-found",
        &[50034],
        &[],
        "There is no such user in this tenant: check the user name and the tenant in AUTHORITY.",
    ),
    topic(
        "password-wrong",
        &[50126],
        &[],
        "User name or password is wrong: check both; repeated tries lock the account.",
    ),
    topic(
        "password-expired",
        &[50055, 50144],
        &[],
        "The password has expired: sign in once in a browser and change it.",
    ),
    topic(
        "no-cloud-password",
        &[50056],
        &[],
        "This account has no password in Entra ID: use the device-code sample.",
    ),
    topic(
        "account-locked",
        &[50053],
        &[],
        "The account is locked or the IP address is blocked: wait a while, then ask an administrator.",
    ),
    topic(
        "account-disabled",
        &[50057],
        &[],
        "The account is disabled: ask an administrator.",
    ),
    topic(
        "user-not-assigned",
        &[50105],
        &[],
        "The user is not assigned to this app: ask an administrator (Enterprise applications > your app > Users and groups).",
    ),
    topic(
        "mfa-required",
        &[50072, 50074, 50076, 50078, 50079, 50158],
        &[],
        "Multifactor authentication is required, which needs a browser: use the device-code or the flask-equivalent-web sample.",
    ),
    topic(
        "device-policy",
        &[50097, 50131, 53000, 53001],
        &[],
        "A policy asks for a managed device: sign in from a compliant one, or ask an administrator.",
    ),
    topic(
        "blocked-by-policy",
        &[53003, 530032],
        &[],
        "A Conditional Access policy blocks this sign-in: ask an administrator, who finds it by the correlation id in the sign-in logs.",
    ),
    topic(
        "confirm-app",
        &[50199],
        &[],
        "The sign-in was not confirmed in the browser: start again and confirm that you are signing in to this app.",
    ),
    topic(
        "request-loop",
        &[50196],
        &[],
        "Entra ID sees a loop of equal requests: wait a minute, keep the token cache on, and do not run the program in a tight loop.",
    ),
    topic(
        "declined",
        &[65004],
        &["authorization_declined", "access_denied"],
        "The sign-in was declined in the browser: start again if that was a mistake.",
    ),
    topic(
        "admin-consent",
        &[90094, 90095],
        &[],
        "An administrator must approve this app: App registrations > your app > API permissions > Grant admin consent.",
    ),
    topic(
        "consent-required",
        &[65001],
        &["consent_required"],
        "Nobody has consented to these permissions: sign in interactively once, or use App registrations > your app > API permissions > Grant admin consent.",
    ),
    topic(
        "permissions-wrong",
        &[65005, 650052, 650056, 650057],
        &[],
        "The app asks for a permission that it does not list: add it under App registrations > your app > API permissions.",
    ),
    topic(
        "scope-wrong",
        &[70011, 28002, 28003],
        &["invalid_scope"],
        "Entra ID does not know this scope: correct SCOPE (permission names separated by spaces, for example User.Read).",
    ),
    topic(
        "one-resource",
        &[28000, 700022, 700023],
        &[],
        "A token is for one API only: leave the scopes of just one API in SCOPE.",
    ),
    topic(
        "default-scope",
        &[1002012],
        &[],
        "An app's own token is asked for with <API>/.default: set SCOPE to https://graph.microsoft.com/.default, or unset it.",
    ),
    topic(
        "resource-unknown",
        &[50001, 500011],
        &["invalid_resource"],
        "This tenant does not know the API in SCOPE: check its name and the tenant in AUTHORITY.",
    ),
    topic(
        "v1-resource",
        &[901002],
        &[],
        "The request has the v1 parameter `resource`: name the API in SCOPE instead.",
    ),
    topic(
        "session-revoked",
        &[50132, 50133, 50173],
        &[],
        "The session was revoked or the password changed: sign in again.",
    ),
    topic(
        "code-expired",
        &[70019, 70020],
        &["expired_token", "code_expired"],
        "The code expired before the sign-in was complete: run the program again for a new one.",
    ),
    topic(
        "code-refused",
        &[70018, 7000014],
        &["bad_verification_code"],
        "The device code is wrong or was used before: run the program again for a new one.",
    ),
    topic(
        "code-used",
        &[54005],
        &[],
        "The authorization code was used before: start the sign-in again.",
    ),
    topic(
        "other-tenant",
        &[700005],
        &[],
        "The code was issued by another tenant: use one AUTHORITY for the whole sign-in.",
    ),
    topic(
        "pkce",
        &[501481, 50147, 501491],
        &[],
        "The PKCE verifier does not fit this sign-in: start it again.",
    ),
    topic(
        "reply-url",
        &[50011],
        &[],
        "Register REDIRECT_URI, letter by letter, under App registrations > your app > Authentication > Web.",
    ),
    topic(
        "spa-redirect",
        &[9002326, 9002327],
        &[],
        "The redirect URI is registered as a single-page application: register it as Web under App registrations > your app > Authentication.",
    ),
    topic(
        "response-type",
        &[700054, 70005],
        &["unsupported_response_type"],
        "The app may not receive this response type: use the authorization code flow.",
    ),
    topic(
        "grant-type",
        &[70003],
        &["unsupported_grant_type"],
        "The app may not use this grant: check the app registration and the sample that you run.",
    ),
    topic(
        "request-malformed",
        &[90014, 900144, 90023, 9002313],
        &[],
        "The request itself is wrong, which is a bug in the program: report it with the correlation id.",
    ),
    topic(
        "busy",
        &[90033, 90055, 90090],
        &["temporarily_unavailable", "server_error"],
        "Entra ID is busy: try again later.",
    ),
    topic(
        "sign-in-again",
        &[50058, 70000, 70008, 700082, 700084, 70043],
        &["invalid_grant", "interaction_required", "login_required"],
        "The grant is invalid or has expired: sign in again.",
    ),
];

/// What Graph's refusals mean, by status. See
/// [Microsoft Graph error responses](https://learn.microsoft.com/graph/errors).
pub const GRAPH: &[(u16, &str, &str)] = &[
    (
        400,
        "graph-bad-request",
        "Graph does not understand the request: check ENDPOINT; /me needs a signed-in user, an app on its own uses /users/<id>.",
    ),
    (
        401,
        "graph-unauthorized",
        "Graph refuses the token, which is now dropped from the cache: run the program again, and check that SCOPE and ENDPOINT belong to the same API and cloud.",
    ),
    (
        403,
        "graph-forbidden",
        "The token lacks a permission: add it under App registrations > your app > API permissions, select Grant admin consent, name it in SCOPE and sign in again.",
    ),
    (
        404,
        "graph-not-found",
        "Graph has no such object: check the id and the path in ENDPOINT.",
    ),
    (
        429,
        "graph-throttled",
        "Graph is throttling this app or tenant: try again later and less often.",
    ),
];

/// The advice for a refusal of Entra ID: by its first known AADSTS number, else by its OAuth error.
pub fn for_refusal(error: &str, codes: &[u32]) -> Option<String> {
    let by_code = codes
        .iter()
        .find_map(|code| ENTRA.iter().find(|topic| topic.codes.contains(code)));
    let by_error = || ENTRA.iter().find(|topic| topic.errors.contains(&error));
    let topic = by_code.or_else(by_error)?;
    Some(pointing_to(topic.anchor, topic.advice))
}

/// The least permission for the calls that the samples make, by a part of the path; see the Permissions table of
/// each call in the Microsoft Graph reference. The first that fits counts.
const PERMISSIONS: &[(&str, &str)] = &[
    (
        "/applications",
        "the application permission Application.Read.All",
    ),
    ("/manager", "User.Read.All"),
    (
        "/users",
        "User.ReadBasic.All, or the application permission User.Read.All",
    ),
    ("/me", "User.Read"),
];

/// The advice for a refusal of Microsoft Graph at a path.
pub fn for_graph(status: StatusCode, path: &str) -> String {
    let known = GRAPH.iter().find(|(known, ..)| *known == status.as_u16());
    let Some((_, anchor, advice)) = known else {
        return for_status(status);
    };
    let permission = PERMISSIONS.iter().find(|(part, _)| path.contains(part));
    match permission {
        Some((_, permission)) if status == StatusCode::FORBIDDEN => {
            pointing_to(anchor, &format!("{advice} This call needs {permission}."))
        }
        _ => pointing_to(anchor, advice),
    }
}

/// What to do about an answer that is neither Entra's nor Graph's, by its status.
pub const STATUSES: &[(&str, &str)] = &[REDIRECTED, PROXY_LOGIN, OUTAGE, NOT_MICROSOFT];

const REDIRECTED: (&str, &str) = (
    "redirected",
    "Something redirects the request, and redirects are not followed: check the host, and whether a proxy or captive portal asks for a login first.",
);
const PROXY_LOGIN: (&str, &str) = (
    "proxy-login",
    "The proxy asks for a login: put user name and password into HTTPS_PROXY.",
);
const OUTAGE: (&str, &str) = ("outage", "The service is busy or down: try again later.");
const NOT_MICROSOFT: (&str, &str) = (
    "not-microsoft",
    "This is no answer of Microsoft: check the host, and whether a proxy stands in between.",
);

/// The advice for an answer that is neither Entra's nor Graph's.
pub fn for_status(status: StatusCode) -> String {
    let (anchor, advice) = match status {
        status if status.is_redirection() => REDIRECTED,
        StatusCode::PROXY_AUTHENTICATION_REQUIRED => PROXY_LOGIN,
        StatusCode::TOO_MANY_REQUESTS => OUTAGE,
        status if status.is_server_error() => OUTAGE,
        _ => NOT_MICROSOFT,
    };
    pointing_to(anchor, advice)
}

fn pointing_to(anchor: &str, advice: &str) -> String {
    format!("{advice} (docs/troubleshooting.md#{anchor})")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_code_error_and_anchor_stands_once() {
        let mut codes: Vec<_> = ENTRA.iter().flat_map(|topic| topic.codes).collect();
        let mut errors: Vec<_> = ENTRA.iter().flat_map(|topic| topic.errors).collect();
        let mut anchors: Vec<_> = ENTRA.iter().map(|topic| topic.anchor).collect();
        anchors.extend(GRAPH.iter().map(|(_, anchor, _)| anchor));
        anchors.extend(STATUSES.iter().map(|(anchor, _)| anchor));
        let before = (codes.len(), errors.len(), anchors.len());
        codes.sort();
        codes.dedup();
        errors.sort();
        errors.dedup();
        anchors.sort();
        anchors.dedup();
        assert_eq!((codes.len(), errors.len(), anchors.len()), before);
    }

    #[test]
    fn the_number_decides_before_the_name() {
        let advice = |error, codes: &[u32]| for_refusal(error, codes).unwrap_or_default();
        assert!(advice("invalid_client", &[7000218]).contains("Allow public client flows"));
        assert!(advice("invalid_grant", &[1, 50126]).contains("password is wrong"));
        assert!(advice("invalid_grant", &[]).contains("sign in again"));
        assert_eq!(advice("unheard_of", &[1]), "");
    }
}
