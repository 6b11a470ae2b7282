//! The seed data: what the built-in directory has, and that another one can take its place.

use emulator::{Condition, SEED_DATA, TenantKind};
use std::collections::BTreeSet;

use super::*;

#[test]
fn the_directory_has_everything_that_can_be_wrong() {
    let (emulator, _) = start(Options::default());
    let directory = emulator.directory();
    let contoso = &directory.tenants[0];
    assert_eq!(contoso.domains, ["contoso.com", "contoso.onmicrosoft.com"]);
    assert!(directory.tenants.iter().any(|tenant| tenant.personal));
    for kind in [
        TenantKind::Workforce,
        TenantKind::ExternalId,
        TenantKind::B2c,
        TenantKind::OpenId,
    ] {
        assert!(
            directory.tenants.iter().any(|tenant| tenant.kind == kind),
            "{kind:?}"
        );
    }
    let b2c = directory
        .tenants
        .iter()
        .find(|tenant| tenant.kind == TenantKind::B2c)
        .unwrap();
    assert_eq!(b2c.user_flows.len(), 3);
    for condition in [
        Condition::Fine,
        Condition::Disabled,
        Condition::Locked,
        Condition::PasswordExpired,
        Condition::NoPassword,
        Condition::MfaRequired,
        Condition::Federated,
    ] {
        assert!(
            directory
                .users
                .iter()
                .any(|user| user.condition == condition),
            "{condition:?}"
        );
    }
    assert!(directory.users.iter().any(|user| user.user_type == "Guest"));
    assert!(directory.users.iter().any(|user| user.manager.is_some()));

    let ids: BTreeSet<_> = directory
        .applications
        .iter()
        .flat_map(|application| [application.object_id, application.client_id])
        .collect();
    assert_eq!(
        ids.len(),
        2 * directory.applications.len(),
        "no two ids are the same"
    );
    for key in [
        "device-code",
        "client-credentials",
        "username-password",
        "flask-equivalent-web",
        "device-code-no-public-client-flow",
        "client-credentials-secret-expired",
        "client-credentials-role-missing",
        "username-password-not-consented",
    ] {
        assert!(emulator.settings(key).is_ok(), "{key}");
    }
}

#[test]
fn another_directory_takes_its_place() {
    let text = SEED_DATA
        .replace("password = \"Worker#1001\"", "password = \"another\"")
        .replace("generate = 0", "generate = 3");
    let (emulator, client) = start(Options {
        seed_data: Some(text),
        ..Options::default()
    });
    let id = client_id(&emulator, "username-password");
    let grant = password_grant(&id, "User.Read");
    assert_eq!(client.token("contoso.com", &grant).code(), 50126);
    assert_eq!(
        client
            .token("contoso.com", &with(&grant, "password", "another"))
            .status,
        200
    );
    let made_up = with(
        &with(&grant, "username", "user0000002@contoso.com"),
        "password",
        "User#2",
    );
    assert_eq!(client.token("contoso.com", &made_up).status, 200);
    assert_eq!(
        client
            .token(
                "contoso.com",
                &with(&made_up, "username", "user0000003@contoso.com")
            )
            .code(),
        50034
    );

    for (wrong, words) in [
        ("[[tenants]]".to_owned(), "cannot be read"),
        (
            SEED_DATA.replace("generate = 0", "generat = 0"),
            "cannot be read",
        ),
        (
            SEED_DATA.replace(
                "manager = \"contoso_manager@contoso.com\"",
                "manager = \"nobody@contoso.com\"",
            ),
            "is not in the seed data",
        ),
    ] {
        let error = Emulator::start(Options {
            seed_data: Some(wrong),
            ..Options::default()
        })
        .unwrap_err();
        assert!(format!("{error:#}").contains(words), "{error:#}");
    }
}

/// A restart signs nobody out: refresh tokens, browser sessions and keys are good at the next emulator too.
#[test]
fn a_restart_signs_nobody_out() {
    let (first, client) = start(Options::default());
    let id = client_id(&first, "username-password");
    let tokens = client
        .token(
            "contoso.com",
            &password_grant(&id, "offline_access User.Read"),
        )
        .json();
    let kids = first.key_ids();
    drop(first);
    let (second, client) = start(Options::default());
    assert_eq!(second.key_ids(), kids);
    let refresh = [
        ("client_id", id.as_str()),
        ("grant_type", "refresh_token"),
        ("refresh_token", tokens["refresh_token"].as_str().unwrap()),
    ];
    assert_eq!(client.token("contoso.com", &refresh).status, 200);
    assert_eq!(
        client
            .graph("/v1.0/me", tokens["access_token"].as_str().unwrap())
            .status,
        200
    );
}
