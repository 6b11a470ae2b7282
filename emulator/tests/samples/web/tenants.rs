//! E20, E21, E23: other kinds of tenants, and a certificate instead of the secret.

use emulator::{CLIENT_CERTIFICATE, SEED_DATA};

use super::*;

#[test]
fn e20_external_id() {
    let emulator = emulator();
    let app = App::of(world_of(&emulator, "flask-equivalent-web-external-id"));
    let mut browser = Browser::new(&app);
    browser.visit("/").shows(200, "Welcome Cleo Customer!");
    browser.visit("/call_api").shows(200, "Cleo Customer");
    emulator.fault("idtoken:no-tid").unwrap();
    assert_eq!(browser.visit("/login").status, 400);
}

#[test]
fn e20_any_openid_provider() {
    let emulator = emulator();
    let world = || world_of(&emulator, "flask-equivalent-web-oidc");
    let app = App::of(world());
    let mut browser = Browser::new(&app);
    browser.visit("/").shows(200, "Welcome Iris Identity!");
    browser.visit("/call_api").shows(200, "iris@idp.example");
    assert_eq!(browser.get("/edit_profile").status, 404);
    let away = browser.get("/logout").location();
    assert!(
        parameter(&away, "post_logout_redirect_uri").is_some(),
        "{away}"
    );

    // Without ENDPOINT there is nothing to call, and SCOPE has no default.
    let app = App::of(world().without("ENDPOINT").without("SCOPE"));
    let mut browser = Browser::new(&app);
    let page = browser.visit("/");
    page.shows(200, "Welcome Iris Identity!");
    assert!(!page.body.contains("Call an API"), "{page:#?}");
    assert_eq!(browser.get("/call_api").status, 404);
}

#[test]
fn e20_the_issuer_of_an_openid_provider_is_its_address() {
    for fault in [
        "discovery:wrong-issuer",
        "discovery:http-endpoints",
        "discovery:field=token_endpoint=\"http://login.example/token\"",
        "discovery:without=issuer",
    ] {
        println!("{fault}");
        let emulator = emulator();
        emulator.fault(fault).unwrap();
        let app = App::of(world_of(&emulator, "flask-equivalent-web-oidc"));
        assert_eq!(Browser::new(&app).get("/").status, 502);
        assert!(calls(&emulator, "/token").is_empty());
    }
}

#[test]
fn e20_only_one_authority() {
    let emulator = emulator();
    for (name, value) in [
        ("OIDC_AUTHORITY", "https://idp.example"),
        ("B2C_TENANT_NAME", "contosob2c"),
    ] {
        let outcome = world(&emulator)
            .env("REDIRECT_URI", "http://localhost:5000/getAToken")
            .env(name, value)
            .run();
        outcome.fails(2, &["AUTHORITY", name, "are both set"]);
    }
}

fn b2c(emulator: &Emulator) -> App {
    App::of(world_of(emulator, "flask-equivalent-web-b2c"))
}

/// The user flow at which a sign-in begins.
fn flow_of(begun: &str) -> &str {
    let path = begun.split("/oauth2/").next().unwrap();
    path.rsplit('/').next().unwrap()
}

#[test]
fn e21_b2c_signs_in_edits_the_profile_and_signs_out() {
    let emulator = emulator();
    let app = b2c(&emulator);
    let mut browser = Browser::new(&app);
    let begun = browser.get("/").location();
    assert_eq!(flow_of(&begun).to_lowercase(), "b2c_1_signupsignin1");
    browser
        .visit(&begun)
        .shows(200, "Welcome Bo Consumer!")
        .shows(200, "<a href=\"/edit_profile\">Edit Profile</a>");
    browser.visit("/call_api").shows(200, "API Response");

    let begun = browser.get("/edit_profile").location();
    assert_eq!(flow_of(&begun).to_lowercase(), "b2c_1_editprofile1");
    let page = browser.visit(&begun);
    page.shows(200, "Welcome Bo Consumer!");
    assert_eq!(page.url, format!("{}/", app.origin));
    browser.visit("/call_api").shows(200, "API Response");

    let away = browser.get("/logout").location();
    assert_eq!(flow_of(&away).to_lowercase(), "b2c_1_signupsignin1");
}

#[test]
fn e21_a_forgotten_password_goes_on_to_its_flow() {
    let emulator = emulator();
    let app = b2c(&emulator);
    let mut browser = Browser::new(&app);
    emulator.fault("authorize:forgot-password").unwrap();
    let back = browser.come_back_from("/?a=1");
    let begun = browser.get(&back).location();
    assert_eq!(flow_of(&begun).to_lowercase(), "b2c_1_resetpassword1");
    let page = browser.visit(&begun);
    page.shows(200, "Welcome Bo Consumer!");
    assert_eq!(page.url, format!("{}/?a=1", app.origin));
}

#[test]
fn e21_without_a_reset_flow_it_is_an_error() {
    let emulator = emulator();
    let world = world_of(&emulator, "flask-equivalent-web-b2c")
        .without("RESETPASSWORD_USER_FLOW")
        .without("EDITPROFILE_USER_FLOW");
    let app = App::of(world);
    let mut browser = Browser::new(&app);
    emulator.fault("authorize:forgot-password").unwrap();
    browser.visit("/").shows(400, "AADB2C90118");
    let page = browser.visit("/");
    assert!(!page.body.contains("Edit Profile"), "{page:#?}");
    assert_eq!(browser.get("/edit_profile").status, 404);
}

#[test]
fn e21_whoever_cancels_is_back_where_they_were() {
    let emulator = emulator();
    let app = b2c(&emulator);
    let mut browser = Browser::new(&app);
    browser.visit("/");
    emulator.fault("authorize:cancel").unwrap();
    let back = browser.come_back_from("/edit_profile");
    assert_eq!(browser.get(&back).location(), "/");
    assert!(browser.is_signed_in());
}

#[test]
fn e23_a_certificate_in_the_place_of_the_secret() {
    // The registration, with the certificate that the seed data has for another one.
    let begin = SEED_DATA.find("certificates = [").unwrap();
    let length = SEED_DATA[begin..].find("''']").unwrap() + 4;
    let certificate = &SEED_DATA[begin..begin + length];
    let own = "key = \"flask-equivalent-web\"\n";
    let emulator = Emulator::start(Options {
        auto_sign_in: Some(EMPLOYEE.into()),
        seed_data: Some(SEED_DATA.replace(own, &format!("{own}{certificate}\n"))),
        ..Options::default()
    })
    .unwrap();
    let world = world(&emulator)
        .without("CLIENT_SECRET")
        .file("client.pem", CLIENT_CERTIFICATE)
        .env("CLIENT_CERTIFICATE", "client.pem");
    let app = App::of(world);
    Browser::signed_in(&app)
        .visit("/call_api")
        .shows(200, "Contoso Employee");
    let call = &calls(&emulator, "/token")[0];
    let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
    assert_eq!(call.field("client_assertion_type"), Some(kind));
    assert_eq!(call.field("client_secret"), None);
}

#[test]
fn e1_e20_accounts_of_any_tenant() {
    let (before, own) = SEED_DATA
        .split_once("key = \"flask-equivalent-web\"\n")
        .unwrap();
    let own = own.replacen("AzureADMyOrg", "AzureADandPersonalMicrosoftAccount", 1);
    let emulator = Emulator::start(Options {
        auto_sign_in: Some(EMPLOYEE.into()),
        seed_data: Some(format!("{before}key = \"flask-equivalent-web\"\n{own}")),
        ..Options::default()
    })
    .unwrap();
    let world = world(&emulator);
    assert!(world.setting("AUTHORITY").ends_with("/common"));
    let app = App::of(world);
    Browser::signed_in(&app)
        .visit("/call_api")
        .shows(200, "Contoso Employee");
    // The issuer has to be that of the user's own tenant.
    for fault in ["wrong-tid", "iss-template", "wrong-iss", "no-tid"] {
        emulator.fault(&format!("idtoken:{fault}")).unwrap();
        let page = Browser::new(&app).visit("/");
        assert_eq!(page.status, 400, "{fault}: {page:#?}");
    }
}
