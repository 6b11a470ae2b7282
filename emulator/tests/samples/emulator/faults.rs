//! Faults: each does what its line in the list says, so many times, and the record tells of it.

use std::{io::Read, net::TcpStream, thread, time::Duration};

use emulator::faults::{FAULTS, openid};
use serde_json::Value;

use super::client::{Answer, claims, header};
use super::*;

/// What an answer shows of a fault.
type Check = fn(&Answer, &str) -> bool;

/// What a client sees of each fault, at the token endpoint unless the fault names another. Those that never answer, or
/// not in one piece, have a test of their own.
#[rustfmt::skip] // one line per fault
const SEEN: &[(&str, Check)] = &[
    ("token:status-429", |a, _| a.status == 429 && a.header("retry-after").is_none() && a.code() == 90055),
    ("token:status-503", |a, _| a.status == 503 && a.any_json()["error"] == "temporarily_unavailable"),
    ("token:status-429=7", |a, _| a.status == 429 && a.header("retry-after") == Some("7")),
    ("token:status-503=date", |a, _| a.header("retry-after").unwrap().ends_with(" GMT")),
    ("token:status-502-html", |a, _| a.status == 502 && a.header("content-type").unwrap().starts_with("text/html")),
    ("token:redirect=https://elsewhere.example", |a, _| a.status == 307 && a.header("location") == Some("https://elsewhere.example/contoso.com/oauth2/v2.0/token")),
    ("token:empty", |a, _| a.status == 200 && a.body.is_empty()),
    ("token:huge=1", |a, _| a.status == 200 && a.body.len() > 1 << 20),
    ("token:html", |a, _| a.status == 200 && a.body.contains("<html")),
    ("token:body=418 tea", |a, _| a.status == 418 && a.body == "tea"),
    ("token:body={\"a\": 1}", |a, _| a.json()["a"] == 1),
    ("token:error=access_denied", |a, _| a.status == 400 && a.any_json()["error"] == "access_denied"),
    ("token:error-200", |a, _| a.json()["error"] == "invalid_grant"),
    ("token:aadsts=53003", |a, _| a.code() == 53003 && a.any_json()["error"] == "access_denied"),
    ("token:crlf", |a, _| a.any_json()["error_description"].as_str().unwrap().contains('\u{1b}')),
    ("token:slow_down", |a, _| a.any_json()["error"] == "slow_down"),
    ("token:expired_token", |a, _| a.any_json()["error"] == "expired_token"),
    ("token:authorization_declined", |a, _| a.any_json()["error"] == "authorization_declined"),
    ("token:rotate-keys", |a, kid| header(a.json()["access_token"].as_str().unwrap())["kid"] != kid),
    ("token:no-refresh-token", |a, _| a.json().get("refresh_token").is_none()),
    ("token:no-id-token", |a, _| a.json().get("id_token").is_none()),
    ("token:no-access-token", |a, _| a.json().get("access_token").is_none()),
    ("token:without-scope=User.Read", |a, _| !a.json()["scope"].as_str().unwrap().contains("User.Read")),
    ("token:expires-in=60", |a, _| a.json()["expires_in"] == 60),
    ("token:slow=1", |a, _| a.json()["access_token"].is_string()),
    ("idtoken:wrong-iss", |a, _| id(a)["iss"] == openid::FOREIGN_ISSUER),
    ("idtoken:wrong-aud", |a, _| id(a)["aud"] == openid::FOREIGN_ID),
    ("idtoken:no-sub", |a, _| id(a).get("sub").is_none()),
    ("idtoken:expired", |a, _| id(a)["exp"].as_i64() < id(a)["auth_time"].as_i64().or(Some(i64::MAX))),
    ("idtoken:alg-none", |a, _| header(a.json()["id_token"].as_str().unwrap())["alg"] == "none"),
    ("idtoken:no-kid", |a, _| header(a.json()["id_token"].as_str().unwrap()).get("kid").is_none()),
    ("idtoken:claim=amr=[\"pwd\"]", |a, _| id(a)["amr"][0] == "pwd"),
    ("idtoken:garbage", |a, _| a.json()["id_token"] == "this is no token"),
];

fn id(answer: &Answer) -> Value {
    claims(answer.json()["id_token"].as_str().unwrap())
}

#[test]
fn each_fault_does_what_it_says_once_and_the_record_tells() {
    let (emulator, client) = start(Options::default());
    let id = client_id(&emulator, "username-password");
    let grant = password_grant(&id, "openid offline_access User.Read");
    for (fault, is_seen) in SEEN {
        emulator.clear_requests();
        let kid = emulator.key_ids()[0].clone();
        emulator.fault(fault).unwrap();
        let spoiled = client.token("contoso.com", &grant);
        assert!(is_seen(&spoiled, &kid), "{fault}: {spoiled:#?}");
        let good = client.token("contoso.com", &grant).json();
        assert!(
            good["id_token"].is_string() && good["refresh_token"].is_string(),
            "{fault}: once"
        );
        let requests = emulator.requests();
        let noted: Vec<_> = requests
            .iter()
            .map(|request| request.fault.as_deref())
            .collect();
        assert_eq!(noted, [Some(*fault), None], "{fault}");
    }
}

/// Faults of the other endpoints.
#[test]
fn each_endpoint_has_faults_of_its_own() {
    let (emulator, client) = signing_in();
    let user = emulator
        .user_token(
            EMPLOYEE,
            "device-code",
            "openid User.Read User.ReadBasic.All",
        )
        .unwrap();
    let device = client_id(&emulator, "device-code");
    type Row = (&'static str, &'static str, fn(&Answer) -> bool);
    let rows: &[Row] = &[
        (
            "discovery:wrong-issuer",
            "/contoso.com/v2.0/.well-known/openid-configuration",
            |a| a.json()["issuer"] == openid::FOREIGN_ISSUER,
        ),
        (
            "discovery:without=jwks_uri",
            "/contoso.com/v2.0/.well-known/openid-configuration",
            |a| a.json().get("jwks_uri").is_none(),
        ),
        (
            "discovery:foreign-endpoints",
            "/contoso.com/v2.0/.well-known/openid-configuration",
            |a| {
                a.json()["token_endpoint"]
                    .as_str()
                    .unwrap()
                    .starts_with("https://login.example/")
            },
        ),
        ("keys:no-keys", "/contoso.com/discovery/v2.0/keys", |a| {
            a.json()["keys"].as_array().unwrap().is_empty()
        }),
        ("keys:no-kid", "/contoso.com/discovery/v2.0/keys", |a| {
            a.json()["keys"][0].get("kid").is_none()
        }),
        ("keys:garbage", "/contoso.com/discovery/v2.0/keys", |a| {
            serde_json::from_str::<Value>(&a.body).is_err()
        }),
        (
            "instance:status-500",
            "/common/discovery/instance?authorization_endpoint=x",
            |a| a.status == 500,
        ),
        ("userrealm:status-504", "/common/userrealm/x", |a| {
            a.status == 504
        }),
        ("userinfo:wrong-sub", "/oidc/userinfo", |a| {
            a.json()["sub"] == "of-somebody-else"
        }),
        ("me:unauthorized", "/v1.0/me", |a| {
            a.status == 401 && !a.header("www-authenticate").unwrap().contains("claims=")
        }),
        ("me:cae", "/v1.0/me", |a| {
            a.header("www-authenticate").unwrap().contains("claims=\"")
        }),
        ("graph:status-429=3", "/v1.0/me", |a| {
            a.any_json()["error"]["code"] == "TooManyRequests"
                && a.header("retry-after") == Some("3")
        }),
        ("manager:status-403", "/v1.0/me/manager", |a| {
            a.any_json()["error"]["code"] == "Authorization_RequestDenied"
        }),
        (
            "users:next-link=https://evil.example/",
            "/v1.0/users",
            |a| a.json()["@odata.nextLink"] == "https://evil.example/",
        ),
        ("users:next-link-loop", "/v1.0/users", |a| {
            a.json()["@odata.nextLink"]
                .as_str()
                .unwrap()
                .ends_with("/v1.0/users")
        }),
        ("any:status-500", "/common/userrealm/x", |a| a.status == 500),
        ("logout:status-503", "/common/oauth2/v2.0/logout", |a| {
            a.status == 503
        }),
    ];
    for (fault, path, is_seen) in rows {
        emulator.clear_requests();
        emulator.fault(fault).unwrap();
        let answer = client.graph(path, &user);
        assert!(is_seen(&answer), "{fault}: {answer:#?}");
        assert_eq!(emulator.requests()[0].fault.as_deref(), Some(*fault));
        client.graph(path, &user);
        assert_eq!(emulator.requests()[1].fault, None, "{fault}: once");
    }
    for (fault, name) in [
        ("devicecode:no-message", "message"),
        ("devicecode:no-interval", "interval"),
    ] {
        emulator.fault(fault).unwrap();
        let fields = [("client_id", device.as_str()), ("scope", "User.Read")];
        let begun = client
            .post("/contoso.com/oauth2/v2.0/devicecode", &fields)
            .json();
        assert!(begun.get(name).is_none(), "{fault}");
    }
}

#[test]
fn faults_of_the_way_back_are_in_the_record_too() {
    let (emulator, client) = signing_in();
    type Row = (&'static str, fn(&BTreeMap<String, String>) -> bool);
    let rows: &[Row] = &[
        ("authorize:no-state", |fields| !fields.contains_key("state")),
        ("authorize:wrong-state", |fields| {
            fields["state"] == "of-somebody-else"
        }),
        ("authorize:no-code", |fields| !fields.contains_key("code")),
        ("authorize:code-and-error", |fields| {
            fields.contains_key("code") && fields.contains_key("error")
        }),
        ("authorize:iss=https://x.example", |fields| {
            fields["iss"] == "https://x.example"
        }),
        ("authorize:bare-error=server_error", |fields| {
            fields["error"] == "server_error" && !fields.contains_key("error_description")
        }),
        ("authorize:cancel", |fields| {
            fields["error"] == "access_denied"
        }),
        ("authorize:aadsts=50105", |fields| {
            fields["error_description"].contains("AADSTS50105")
        }),
        ("idtoken:wrong-nonce", |fields| {
            claims(&fields["id_token"])["nonce"] == "of-somebody-else"
        }),
        ("idtoken:wrong-c-hash", |fields| {
            claims(&fields["id_token"])["c_hash"] == "LDktKdoQak3Pk0cnXxCltA"
        }),
    ];
    for (fault, is_seen) in rows {
        emulator.clear_requests();
        emulator.fault(fault).unwrap();
        let request = authorize(&emulator, &[("response_type", "code id_token")]);
        let fields = client.get(&request).carried();
        assert!(is_seen(&fields), "{fault}: {fields:?}");
        assert_eq!(emulator.requests()[0].fault.as_deref(), Some(*fault));
    }
    // Several at once.
    emulator.clear_requests();
    for fault in ["authorize:no-state", "idtoken:no-nonce"] {
        emulator.fault(fault).unwrap();
    }
    client.get(&authorize(&emulator, &[("response_type", "code id_token")]));
    let noted = emulator.requests()[0].fault.clone().unwrap();
    assert_eq!(noted, "idtoken:no-nonce, authorize:no-state");
}

#[test]
fn answers_that_hang_break_off_or_never_come() {
    let (emulator, client) = start(Options::default());
    let path = "/contoso.com/v2.0/.well-known/openid-configuration";
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    let whole = client.exchange(request.as_bytes()).len();
    emulator.fault("discovery:cut").unwrap();
    let cut = client.exchange(request.as_bytes()).len();
    assert!(cut > 0 && cut < whole, "{cut} of {whole}");
    emulator.fault("discovery:reset").unwrap();
    assert_eq!(client.exchange(request.as_bytes()), b"");

    emulator.fault("discovery:hang").unwrap();
    let port: u16 = client.base.rsplit_once(':').unwrap().1.parse().unwrap();
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    std::io::Write::write_all(&mut stream, request.as_bytes()).unwrap();
    crate::support::until("the request is there", || {
        emulator
            .requests()
            .pop()
            .filter(|request| request.fault.is_some())
    });
    stream.set_nonblocking(true).unwrap();
    thread::sleep(Duration::from_millis(50));
    let read = stream.read(&mut [0; 1]);
    assert_eq!(
        read.unwrap_err().kind(),
        std::io::ErrorKind::WouldBlock,
        "open, and silent"
    );
    assert_eq!(emulator.requests().pop().unwrap().status, None);
}

#[test]
fn faults_are_set_so_many_times_or_always_and_while_it_runs() {
    let (_emulator, client) = start(Options::default());
    let status = || client.get("/common/userrealm/x").status;
    let set = client.send(
        "POST",
        "/_emulator/faults",
        &[],
        "# two\nuserrealm:status-500*2\n\nuserrealm:status-502",
    );
    assert_eq!(set.json().as_array().unwrap().len(), 2);
    assert_eq!(
        [status(), status(), status(), status()],
        [500, 500, 502, 200]
    );
    client.send(
        "POST",
        "/_emulator/faults",
        &[],
        "userrealm:status-500*always",
    );
    assert_eq!([status(), status(), status()], [500; 3]);
    assert_eq!(
        client.get("/_emulator/faults").json()[0]["times"],
        Value::Null
    );
    client.send("DELETE", "/_emulator/faults", &[], "");
    assert_eq!(status(), 200);
    for wrong in [
        "nonsense",
        "nowhere:hang",
        "token:nonsense",
        "token:aadsts=1",
        "token:status-99",
    ] {
        let refused = client.send("POST", "/_emulator/faults", &[], wrong);
        assert_eq!(refused.status, 400, "{wrong}");
    }
}

/// Every AADSTS code can be had, with the error and status that belong to it.
#[test]
fn each_code_of_the_table_can_be_asked_for() {
    let (emulator, client) = start(Options::default());
    for code in emulator::faults::aadsts_codes() {
        emulator.fault(&format!("token:aadsts={code}")).unwrap();
        let answer = client.token("contoso.com", &[]);
        assert_eq!(answer.code(), u64::from(code));
        assert!(answer.status >= 400 && answer.any_json()["error"].is_string());
    }
}

/// The list on the command line and these tests speak of the same faults.
#[test]
fn no_fault_is_left_out_here() {
    let source = include_str!("faults.rs");
    for (form, _) in FAULTS {
        let name = form.split(['=', 'N']).next().unwrap().trim_end_matches('-');
        let is_tested = source.contains(&format!(":{name}"))
            || ["body-file", "interval", "verification-uri"].contains(&name);
        assert!(is_tested, "{form}");
    }
}
