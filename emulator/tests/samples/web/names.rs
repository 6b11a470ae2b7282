//! E20 and E21 under the tenants' real names, and each `.env.sample.*` as it stands and filled in. The app comes to
//! those names by a proxy, behind which every host is the emulator.

use std::{fs, io, net::Shutdown, thread};

use super::*;
use crate::support::workspace;

const CUSTOM_DOMAIN: &str = "login.contosocustomers.example";
const CUSTOMERS: &str = "b1cb1816-7d85-457c-9f32-2a1422d00e17";
const CONTOSO: &str = "4a57a7e8-ecf1-46e6-a830-f85f9364eed3";

/// An emulator that has the certificates of the real hosts.
fn internet() -> Emulator {
    let names = [
        "login.microsoftonline.com",
        "graph.microsoft.com",
        "contosocustomers.ciamlogin.com",
        "contosob2c.b2clogin.com",
        "api.contosob2c.example",
        CUSTOM_DOMAIN,
    ];
    Emulator::start(Options {
        auto_sign_in: Some(EMPLOYEE.into()),
        tls: true,
        tls_names: names.map(str::to_owned).into(),
        ..Options::default()
    })
    .unwrap()
}

fn port_of(emulator: &Emulator) -> u16 {
    emulator.url().rsplit_once(':').unwrap().1.parse().unwrap()
}

/// The address of a proxy at which every host is on this port.
fn proxy(port: u16) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for client in listener.incoming() {
            thread::spawn(move || tunnel(client?, port));
        }
    });
    address
}

fn tunnel(mut client: TcpStream, port: u16) -> io::Result<()> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        client.read_exact(&mut byte)?;
        head.extend(byte);
    }
    assert!(head.starts_with(b"CONNECT "));
    let mut server = TcpStream::connect(("127.0.0.1", port))?;
    client.write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
    let (mut from_client, mut to_server) = (client.try_clone()?, server.try_clone()?);
    thread::spawn(move || {
        let _ = io::copy(&mut from_client, &mut to_server);
        to_server.shutdown(Shutdown::Write)
    });
    let _ = io::copy(&mut server, &mut client);
    client.shutdown(Shutdown::Write)
}

/// A world with nothing but this `.env`, and with the emulator as the internet.
fn world_with(emulator: &Emulator, env: &str) -> World {
    World::empty(SAMPLE)
        .file(".env", env)
        .file("ca.pem", emulator.ca_pem().unwrap())
        .env("SSL_CERT_FILE", "ca.pem")
        .env("HTTPS_PROXY", proxy(port_of(emulator)))
}

fn sample_file(kind: &str) -> String {
    let name = format!(".env.sample.{kind}");
    fs::read_to_string(workspace().join(SAMPLE).join(name)).unwrap()
}

fn setting(emulator: &Emulator, application: &str, name: &str) -> String {
    let settings = emulator.settings(application).unwrap();
    let setting = settings.into_iter().find(|(found, _)| found == name);
    setting.unwrap().1
}

/// A sample file with the values of a registration in the place of the placeholders.
fn filled_in(
    emulator: &Emulator,
    kind: &str,
    application: &str,
    values: &[(&str, &str)],
) -> String {
    let mut env = sample_file(kind)
        .replace(
            "Enter_the_Application_Id_Here",
            &setting(emulator, application, "CLIENT_ID"),
        )
        .replace(
            "Enter_the_Client_Secret_Here",
            &setting(emulator, application, "CLIENT_SECRET"),
        );
    for (placeholder, value) in values {
        assert!(env.contains(placeholder), "{placeholder} in {env}");
        env = env.replace(placeholder, value);
    }
    assert!(!env.contains("Enter_the_"), "{env}");
    env
}

fn browser(emulator: &Emulator, app: &App) -> Browser {
    Browser {
        internet: Some(port_of(emulator)),
        ..Browser::new(app)
    }
}

#[test]
fn e13_sample_files_as_they_stand_say_what_is_missing() {
    let mut kinds: Vec<_> = fs::read_dir(workspace().join(SAMPLE))
        .unwrap()
        .filter_map(|entry| {
            let name = entry.unwrap().file_name().into_string().unwrap();
            name.strip_prefix(".env.sample.").map(str::to_owned)
        })
        .collect();
    kinds.sort();
    assert_eq!(kinds, ["b2c", "custom-domain", "entra", "external-id"]);
    for kind in ["entra", "external-id"] {
        let app = App::of(World::empty(SAMPLE).file(".env", sample_file(kind)));
        let page = Browser::new(&app).get("/");
        page.shows(503, "<h1>Almost there</h1>")
            .shows(503, "AUTHORITY (from .env) is still a placeholder");
    }
    for (kind, setting) in [
        ("b2c", "B2C_TENANT_NAME"),
        ("custom-domain", "OIDC_AUTHORITY"),
    ] {
        let outcome = World::empty(SAMPLE).file(".env", sample_file(kind)).run();
        let said = format!("{setting} (from .env) is still a placeholder");
        outcome.fails(2, &[&said]);
    }
}

#[test]
fn e20_entra_id_by_its_real_name() {
    let emulator = internet();
    let env = filled_in(
        &emulator,
        "entra",
        SAMPLE,
        &[("Enter_the_Tenant_Id_Here", CONTOSO)],
    );
    let world = world_with(&emulator, &env);
    let app = App::at(&world);
    let mut browser = browser(&emulator, &app);
    let begun = browser.get("/").location();
    let own = format!("https://login.microsoftonline.com/{CONTOSO}/oauth2/v2.0/authorize?");
    assert!(begun.starts_with(&own), "{begun}");
    browser
        .visit(&begun)
        .shows(200, "Welcome Contoso Employee!");
    browser.visit("/call_api").shows(200, "Contoso Employee");
    let away = browser.get("/logout").location();
    assert!(
        away.starts_with("https://login.microsoftonline.com/"),
        "{away}"
    );
}

#[test]
fn e20_external_id_by_its_real_name() {
    let emulator = internet();
    let application = "flask-equivalent-web-external-id";
    let name = [("Enter_the_Tenant_Name_Here", "contosocustomers")];
    let env = filled_in(&emulator, "external-id", application, &name);
    let own = "https://contosocustomers.ciamlogin.com/";
    let domain = "contosocustomers.onmicrosoft.com";
    assert!(env.contains(&format!("\nAUTHORITY={own}\n")), "{env}");
    // Without a path, by the tenant's domain, and by its id.
    for path in ["", domain, CUSTOMERS] {
        let env = env.replace(own, &format!("{own}{path}"));
        let world = world_with(&emulator, &env);
        let app = App::at(&world);
        let mut browser = browser(&emulator, &app);
        let begun = browser.get("/").location();
        assert!(begun.starts_with(own), "{begun}");
        browser.visit(&begun).shows(200, "Welcome Cleo Customer!");
        browser.visit("/call_api").shows(200, "Cleo Customer");
    }
    // The issuer has the tenant's id as its host.
    let id = CUSTOMERS;
    for issuer in [
        format!("{own}{id}/v2.0"),
        format!("https://login.microsoftonline.com/{id}/v2.0"),
        format!("https://{CONTOSO}.ciamlogin.com/{id}/v2.0"),
        format!("https://{id}.ciamlogin.com.example/{id}/v2.0"),
        format!("https://{id}.ciamlogin.com/{id}/v2.0/"),
    ] {
        println!("{issuer}");
        let world = world_with(&emulator, &env);
        let app = App::at(&world);
        emulator
            .fault(&format!("discovery:wrong-issuer={issuer}"))
            .unwrap();
        let page = browser(&emulator, &app).get("/");
        page.shows(502, "is of another issuer");
    }
}

#[test]
fn e20_a_custom_domain() {
    let emulator = internet();
    let application = "flask-equivalent-web-external-id";
    let values = [
        ("Enter_the_Custom_Domain_Here", CUSTOM_DOMAIN),
        ("Enter_the_Tenant_Id_Here", CUSTOMERS),
    ];
    let env = filled_in(&emulator, "custom-domain", application, &values);
    let world = world_with(&emulator, &env);
    let app = App::at(&world);
    let mut browser = browser(&emulator, &app);
    let begun = browser.get("/").location();
    assert!(
        begun.starts_with(&format!("https://{CUSTOM_DOMAIN}/")),
        "{begun}"
    );
    let page = browser.visit(&begun);
    page.shows(200, "Welcome Cleo Customer!");
    assert!(!page.body.contains("Call an API"), "{page:#?}");
}

#[test]
fn e21_b2c_by_its_real_name() {
    let emulator = internet();
    let application = "flask-equivalent-web-b2c";
    let scope = setting(&emulator, application, "SCOPE");
    let values = [
        ("Enter_the_Tenant_Name_Here", "contosob2c"),
        ("# EDITPROFILE", "EDITPROFILE"),
        ("# RESETPASSWORD", "RESETPASSWORD"),
        (
            "# SCOPE=https://<name>.onmicrosoft.com/<api>/<scope>",
            &format!("SCOPE={scope}"),
        ),
        (
            "# ENDPOINT=https://<your API>",
            "ENDPOINT=https://api.contosob2c.example/api/me",
        ),
    ];
    let env = filled_in(&emulator, "b2c", application, &values);
    let world = world_with(&emulator, &env);
    let app = App::at(&world);
    let mut browser = browser(&emulator, &app);
    let begun = browser.get("/").location();
    let own = "https://contosob2c.b2clogin.com/contosob2c.onmicrosoft.com/";
    assert!(begun.to_lowercase().starts_with(own), "{begun}");
    browser.visit(&begun).shows(200, "Welcome Bo Consumer!");
    browser.visit("/call_api").shows(200, "API Response");
    browser
        .visit("/edit_profile")
        .shows(200, "Welcome Bo Consumer!");
}
