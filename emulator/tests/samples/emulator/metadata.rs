//! Lines 1 to 8: transport and names, metadata and keys.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD as BASE64URL};
use emulator::Options;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use serde_json::{Value, json};

use super::client::{claims, header};
use super::*;

fn metadata(client: &Client, tenant: &str) -> Value {
    client
        .get(&format!("/{tenant}/v2.0/.well-known/openid-configuration"))
        .json()
}

/// All addresses in a document.
fn addresses(document: &Value) -> Vec<&str> {
    match document {
        Value::String(text) if text.contains("://") => vec![text],
        Value::Array(items) => items.iter().flat_map(addresses).collect(),
        Value::Object(fields) => fields.values().flat_map(addresses).collect(),
        _ => vec![],
    }
}

#[test]
fn line_01_one_port_speaks_http_and_tls() {
    over_both(|_, client| {
        let answer = client.get("/contoso.com/v2.0/.well-known/openid-configuration");
        assert_eq!(
            answer.json()["issuer"],
            format!("{}/{CONTOSO}/v2.0", client.base)
        );
    });
    // TLS is spoken only where it was asked for.
    let (_emulator, client) = start(Options::default());
    assert!(
        !client
            .exchange(b"\x16\x03\x01\x00\x01\x00")
            .starts_with(b"\x16")
    );
}

#[test]
fn line_02_addresses_are_those_that_the_client_used() {
    over_both(|emulator, client| {
        let port = client.base.rsplit_once(':').unwrap().1;
        for client in [
            client.clone(),
            client.by_name(&format!("localhost:{port}")),
            client.by_name("login.example"),
        ] {
            let base = format!("{}/", client.base);
            let metadata = metadata(&client, "contoso.com");
            for address in addresses(&metadata) {
                // The one address that the emulator does not stand in for.
                assert!(
                    address.starts_with(&base) || address == "https://pas.windows.net",
                    "{address}"
                );
            }
            assert_eq!(metadata["issuer"], format!("{base}{CONTOSO}/v2.0"));

            let device = client_id(emulator, "device-code");
            let fields = [("client_id", device.as_str()), ("scope", "User.Read")];
            let begun = client
                .post("/contoso.com/oauth2/v2.0/devicecode", &fields)
                .json();
            assert_eq!(begun["verification_uri"], format!("{base}devicelogin"));
            assert!(
                begun["message"]
                    .as_str()
                    .unwrap()
                    .contains(&format!("{base}devicelogin"))
            );

            let id = client_id(emulator, "username-password");
            let grant = password_grant(&id, "openid User.ReadBasic.All");
            let tokens = client.token("contoso.com", &grant).json();
            assert_eq!(
                claims(tokens["id_token"].as_str().unwrap())["iss"],
                metadata["issuer"]
            );
            let page = client.graph(
                "/v1.0/users?$top=1",
                tokens["access_token"].as_str().unwrap(),
            );
            let next = page.json()["@odata.nextLink"].as_str().unwrap().to_owned();
            assert!(next.starts_with(&format!("{base}v1.0/users?")), "{next}");

            let refused = client.token("contoso.com", &with(&grant, "password", "wrong"));
            let uri = refused.any_json()["error_uri"].as_str().unwrap().to_owned();
            assert!(uri.starts_with(&base), "{uri}");
        }
    });
}

#[test]
fn line_02_a_front_is_believed_only_when_that_is_switched_on() {
    let front = [
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Host", "login.example"),
    ];
    for (trust, base) in [(false, None), (true, Some("https://login.example"))] {
        let (_emulator, client) = start(Options {
            trust_forwarded_headers: trust,
            ..Options::default()
        });
        let path = "/contoso.com/v2.0/.well-known/openid-configuration";
        let metadata = client.send("GET", path, &front, "").json();
        let base = base.unwrap_or(&client.base);
        assert_eq!(
            metadata["token_endpoint"],
            format!("{base}/{CONTOSO}/oauth2/v2.0/token")
        );
    }
}

#[test]
fn line_03_tenants_have_many_names() {
    let (emulator, client) = start(Options::default());
    for (name, known_as) in [
        (CONTOSO, CONTOSO),
        ("CONTOSO.COM", CONTOSO),
        ("contoso.onmicrosoft.com", CONTOSO),
        ("fabrikam.com", FABRIKAM),
        ("common", "{tenantid}"),
        ("organizations", "{tenantid}"),
        ("consumers", "9188040d-6c67-4c5b-b112-36a304b66dad"),
    ] {
        let issuer = format!("{}/{known_as}/v2.0", client.base);
        assert_eq!(metadata(&client, name)["issuer"], issuer, "{name}");
    }
    let unknown = client.get("/nowhere.example/v2.0/.well-known/openid-configuration");
    assert_eq!((unknown.status, unknown.code()), (400, 90002));
    assert_eq!(unknown.any_json()["error"], "invalid_tenant");

    // Begun at the tenant, polled at common: the poll goes on where it began.
    let id = client_id(&emulator, "device-code");
    let begun = client
        .post(
            "/contoso.com/oauth2/v2.0/devicecode",
            &[("client_id", &id), ("scope", "User.Read")],
        )
        .json();
    let poll = [
        ("client_id", id.as_str()),
        ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
        ("device_code", begun["device_code"].as_str().unwrap()),
    ];
    assert_eq!(
        client.token("common", &poll).any_json()["error"],
        "authorization_pending"
    );
}

#[test]
fn line_04_paths_are_entra_s() {
    let (_emulator, client) = start(Options::default());
    for tenant in [CONTOSO, "contoso.com", "common"] {
        for (method, path) in [
            ("GET", "v2.0/.well-known/openid-configuration"),
            ("GET", ".well-known/openid-configuration"),
            ("GET", "discovery/v2.0/keys"),
            ("GET", "oauth2/v2.0/authorize"),
            ("POST", "oauth2/v2.0/authorize"),
            ("POST", "oauth2/v2.0/token"),
            ("POST", "oauth2/v2.0/devicecode"),
            ("GET", "oauth2/v2.0/logout"),
            ("GET", "oauth2/logout"),
        ] {
            let answer = client.send(method, &format!("/{tenant}/{path}"), &[], "");
            assert!(
                ![404, 405].contains(&answer.status),
                "{method} {path}: {answer:#?}"
            );
        }
        // One library finds the device endpoint by the token endpoint's last segment.
        let metadata = metadata(&client, tenant);
        let token = metadata["token_endpoint"].as_str().unwrap();
        let device = token.strip_suffix("token").unwrap().to_owned() + "devicecode";
        assert_eq!(metadata["device_authorization_endpoint"], device);
    }
    let v1 = client
        .get("/contoso.com/.well-known/openid-configuration")
        .json();
    assert_eq!(v1["issuer"], format!("https://sts.windows.net/{CONTOSO}/"));
    assert_eq!(
        v1["end_session_endpoint"],
        format!("{}/{CONTOSO}/oauth2/logout", client.base)
    );
}

#[test]
fn line_05_user_realms() {
    let (_emulator, client) = start(Options::default());
    for (name, account_type) in [
        (EMPLOYEE, "Managed"),
        ("nobody@fabrikam.com", "Managed"),
        ("federated@contoso.com", "Federated"),
        ("someone@outlook.com", "Unknown"),
        ("someone@nowhere.example", "Unknown"),
        ("no-address", "Unknown"),
        (
            "ada_fabrikam.com%23EXT%23@contoso.onmicrosoft.com",
            "Managed",
        ),
    ] {
        let realm = client
            .get(&format!("/common/userrealm/{name}?api-version=1.0"))
            .json();
        assert_eq!(realm["account_type"], account_type, "{name}");
    }
}

#[test]
fn line_06_instance_discovery() {
    over_both(|_, client| {
        let own = client.base.split_once("://").unwrap().1;
        let ask = |endpoint: &str| {
            client.get(&format!(
                "/common/discovery/instance?{}",
                query(&[("api-version", "1.1"), ("authorization_endpoint", endpoint)])
            ))
        };
        for (host, base) in [
            (own, client.base.as_str()),
            (
                "login.microsoftonline.com",
                "https://login.microsoftonline.com",
            ),
            (
                "login.microsoftonline.us",
                "https://login.microsoftonline.us",
            ),
            ("login.chinacloudapi.cn", "https://login.chinacloudapi.cn"),
        ] {
            let found = ask(&format!("https://{host}/contoso.com/oauth2/v2.0/authorize")).json();
            assert_eq!(
                found["tenant_discovery_endpoint"],
                format!("{base}/contoso.com/v2.0/.well-known/openid-configuration")
            );
            let entries = found["metadata"].as_array().unwrap();
            let names = |entry: &Value| {
                entry["preferred_network"].is_string()
                    && entry["preferred_cache"].is_string()
                    && entry["aliases"].as_array().unwrap().contains(&json!(host))
            };
            assert!(entries.iter().any(names), "{host}: {found:#}");
        }
        let unknown = ask("https://login.evil.example/common/oauth2/v2.0/authorize");
        assert_eq!(unknown.status, 400);
        assert_eq!(unknown.any_json()["error"], "invalid_instance");
    });
}

#[test]
fn line_07_metadata_has_what_libraries_ask_for() {
    over_both(|_, client| {
        for tenant in [CONTOSO, "common", "organizations"] {
            let answer = client.get(&format!("/{tenant}/v2.0/.well-known/openid-configuration"));
            assert!(
                answer
                    .header("content-type")
                    .unwrap()
                    .starts_with("application/json")
            );
            let metadata = answer.json();
            for name in [
                "authorization_endpoint",
                "token_endpoint",
                "jwks_uri",
                "device_authorization_endpoint",
                "end_session_endpoint",
                "userinfo_endpoint",
            ] {
                let address = metadata[name].as_str().unwrap();
                assert!(address.starts_with(&client.base), "{name}: {address}");
            }
            assert_eq!(
                metadata["id_token_signing_alg_values_supported"],
                json!(["RS256"])
            );
            assert_eq!(metadata["subject_types_supported"], json!(["pairwise"]));
            let types = metadata["response_types_supported"].as_array().unwrap();
            assert!(types.contains(&json!("code")) && types.contains(&json!("code id_token")));
            let literal = metadata["issuer"]
                .as_str()
                .unwrap()
                .contains("/{tenantid}/");
            assert_eq!(literal, tenant != CONTOSO, "{tenant}");
        }
    });
}

#[test]
fn line_08_tokens_are_signed_by_a_published_key() {
    over_both(|emulator, client| {
        let keys = || {
            let set = client
                .get(&format!("/{CONTOSO}/discovery/v2.0/keys"))
                .json();
            set["keys"].as_array().unwrap().clone()
        };
        let sign_in = || {
            let id = client_id(emulator, "username-password");
            client
                .token("contoso.com", &password_grant(&id, "openid User.Read"))
                .json()
        };
        let signer = |tokens: &Value| {
            let kid = header(tokens["access_token"].as_str().unwrap())["kid"].clone();
            kid.as_str().unwrap().to_owned()
        };
        let (published, tokens) = (keys(), sign_in());
        assert!(published.len() >= 2);
        for name in ["access_token", "id_token"] {
            let token = tokens[name].as_str().unwrap();
            let header = header(token);
            assert_eq!(header["alg"], "RS256");
            let key = published
                .iter()
                .find(|key| key["kid"] == header["kid"])
                .unwrap();
            assert_eq!((&key["kty"], &key["use"]), (&json!("RSA"), &json!("sig")));
            assert!(key["issuer"].as_str().unwrap().starts_with(&client.base));
            let part = |name: &str| BASE64URL.decode(key[name].as_str().unwrap()).unwrap();
            let public = RsaPublicKeyComponents {
                n: part("n"),
                e: part("e"),
            };
            let (signed, signature) = token.rsplit_once('.').unwrap();
            let signature = BASE64URL.decode(signature).unwrap();
            public
                .verify(&RSA_PKCS1_2048_8192_SHA256, signed.as_bytes(), &signature)
                .unwrap();
        }

        // A rotation: a key that nobody has seen signs, and the old one stays published.
        let before = signer(&tokens);
        let rotated = client.post("/_emulator/rotate-keys", &[]).json();
        let after = signer(&sign_in());
        assert_eq!(rotated["kids"][0], after);
        assert!(published.iter().all(|key| key["kid"] != after));
        for kid in [before, after] {
            assert!(keys().iter().any(|key| key["kid"] == kid), "{kid}");
        }
    });
}
