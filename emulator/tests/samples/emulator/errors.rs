//! Line 24: each cause has its own code, class and status, in the full body.

use super::*;

/// Entra's keys, in its order.
const KEYS: [&str; 7] = [
    "error",
    "error_description",
    "error_codes",
    "timestamp",
    "trace_id",
    "correlation_id",
    "error_uri",
];

#[test]
fn line_24_each_cause_has_its_own_refusal() {
    over_both(|emulator, client| {
        let id = client_id(emulator, "username-password");
        let web = settings(emulator, "flask-equivalent-web");
        let expired = settings(emulator, "client-credentials-secret-expired");
        let disabled = client_id(emulator, "device-code-disabled");
        let no_public = client_id(emulator, "device-code-no-public-client-flow");
        let unconsented = client_id(emulator, "username-password-not-consented");
        let own = client_id(emulator, "device-code");
        let grant = password_grant(&id, "User.Read");
        let device = |id| {
            vec![
                ("client_id", id),
                ("grant_type", "device_code"),
                ("device_code", "x"),
            ]
        };
        let app = |id, secret| {
            let fields = vec![
                ("client_id", id),
                ("grant_type", "client_credentials"),
                ("scope", "https://graph.microsoft.com/.default"),
            ];
            with(&fields, "client_secret", secret)
        };
        type Row<'a> = (&'a str, Vec<(&'a str, &'a str)>, u64, &'a str, u16);
        let rows: Vec<Row> = vec![
            (
                "contoso.com",
                with(&grant, "grant_type", ""),
                900144,
                "invalid_request",
                400,
            ),
            (
                "contoso.com",
                with(&grant, "grant_type", "magic"),
                70003,
                "unsupported_grant_type",
                400,
            ),
            (
                "contoso.com",
                with(&grant, "client_id", ""),
                900144,
                "invalid_request",
                400,
            ),
            (
                "contoso.com",
                with(&grant, "client_id", "x"),
                700016,
                "unauthorized_client",
                400,
            ),
            (
                "contoso.com",
                with(&grant, "password", "wrong"),
                50126,
                "invalid_grant",
                400,
            ),
            (
                "contoso.com",
                with(&grant, "username", "nobody@contoso.com"),
                50034,
                "invalid_grant",
                400,
            ),
            (
                "contoso.com",
                with(&grant, "username", "ada@fabrikam.com"),
                50034,
                "invalid_grant",
                400,
            ),
            (
                "contoso.com",
                with(&grant, "username", "disabled@contoso.com"),
                50126,
                "invalid_grant",
                400,
            ),
            (
                "contoso.com",
                with(&grant, "scope", "openid nonsense"),
                70011,
                "invalid_scope",
                400,
            ),
            (
                "contoso.com",
                with(&grant, "client_secret", "x"),
                700025,
                "invalid_client",
                401,
            ),
            (
                "nowhere.example",
                grant.clone(),
                90002,
                "invalid_request",
                400,
            ),
            ("common", grant.clone(), 9001023, "invalid_request", 400),
            (
                "consumers",
                grant.clone(),
                700016,
                "unauthorized_client",
                400,
            ),
            (
                "common",
                with(&grant, "client_id", &own),
                50194,
                "invalid_request",
                400,
            ),
            (
                "contoso.com",
                with(&grant, "client_id", &unconsented),
                65001,
                "invalid_grant",
                400,
            ),
            (
                "contoso.com",
                device(disabled.as_str()),
                7000112,
                "unauthorized_client",
                400,
            ),
            (
                "contoso.com",
                device(no_public.as_str()),
                7000218,
                "invalid_client",
                401,
            ),
            (
                "contoso.com",
                app(&web["CLIENT_ID"], "wrong"),
                7000215,
                "invalid_client",
                401,
            ),
            (
                "contoso.com",
                app(&web["CLIENT_ID"], ""),
                7000216,
                "invalid_client",
                401,
            ),
            (
                "contoso.com",
                app(&expired["CLIENT_ID"], &expired["CLIENT_SECRET"]),
                7000222,
                "invalid_client",
                401,
            ),
            (
                "contoso.com",
                with(
                    &app(&web["CLIENT_ID"], &web["CLIENT_SECRET"]),
                    "scope",
                    "User.Read",
                ),
                1002012,
                "invalid_scope",
                400,
            ),
        ];
        for (tenant, fields, code, error, status) in rows {
            let path = format!("/{tenant}/oauth2/v2.0/token");
            let correlation_id = "11111111-2222-3333-4444-555555555555";
            let headers = [
                ("client-request-id", correlation_id),
                ("return-client-request-id", "true"),
            ];
            let answer = client.post_with(&path, &headers, &fields);
            let body = answer.any_json();
            let row = format!("{tenant} {fields:?}: {body:#}");
            assert_eq!(
                (answer.code(), body["error"].as_str(), answer.status),
                (code, Some(error), status),
                "{row}"
            );
            let keys: Vec<&str> = body
                .as_object()
                .unwrap()
                .keys()
                .map(String::as_str)
                .collect();
            assert_eq!(keys[..7], KEYS, "{row}");
            let description = body["error_description"].as_str().unwrap();
            assert!(description.starts_with(&format!("AADSTS{code}: ")), "{row}");
            assert!(!description.contains("{}"), "{row}");
            for line in [
                format!("\r\nTrace ID: {}\r\n", body["trace_id"].as_str().unwrap()),
                format!("\r\nCorrelation ID: {correlation_id}\r\n"),
                format!("\r\nTimestamp: {}", body["timestamp"].as_str().unwrap()),
            ] {
                assert!(description.contains(&line), "{row}");
            }
            assert_eq!(body["correlation_id"], correlation_id);
            assert_eq!(answer.header("client-request-id"), Some(correlation_id));
            assert_eq!(answer.header("x-ms-request-id"), body["trace_id"].as_str());
            assert!(answer.header("cache-control").unwrap().contains("no-store"));
            assert_eq!(
                body["error_uri"],
                format!("{}/error?code={code}", client.base)
            );
        }
    });
}

/// The users whose accounts have something wrong, by the password grant.
#[test]
fn line_24_each_condition_of_a_user_has_its_own_refusal() {
    let (emulator, client) = start(Options::default());
    let id = client_id(&emulator, "username-password");
    for (user, password, code, suberror) in [
        ("disabled@contoso.com", "Disabled#1004", 50057, ""),
        (
            "expired@contoso.com",
            "Expired#1005",
            50055,
            "user_password_expired",
        ),
        ("mfa@contoso.com", "Second#1006", 50076, "basic_action"),
        ("locked@contoso.com", "Locked#1008", 50053, ""),
        ("passwordless@contoso.com", "x", 50056, ""),
        ("federated@contoso.com", "Elsewhere#1007", 50056, ""),
    ] {
        let grant = with(&password_grant(&id, "User.Read"), "username", user);
        let answer = client.token("contoso.com", &with(&grant, "password", password));
        assert_eq!(answer.code(), code, "{user}");
        assert_eq!(
            answer.any_json()["suberror"].as_str().unwrap_or_default(),
            suberror,
            "{user}"
        );
    }
}
