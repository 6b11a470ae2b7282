//! Settings to paste: for the samples as environment variables, for the usual libraries as the code that they need.

use super::super::html::{Html, html};
use crate::call::Call;
use crate::directory::{Application, TenantKind};
use crate::provider::issuer;
use crate::service::Service;

/// The settings of every application.
pub fn all(service: &Service, call: &Call) -> Html {
    let base = library_base(service, call);
    let hint = match base.starts_with("https:") {
        true => html!(
            "<p class=\"note\">The samples speak to http on this machine; libraries want https, and to be told of <a href=\"/_emulator/ca.crt\">this CA certificate</a>. <code>emulator ca</code> writes it, and prints the variables by which Python, Node and others trust it.</p>\n"
        ),
        false => html!(
            "<p class=\"note\">The samples speak to http on this machine. Microsoft's own libraries want https: start the emulator with <code>--tls</code> for them.</p>\n"
        ),
    };
    let applications = service
        .directory
        .applications()
        .map(|application| one(service, call, &base, application));
    html!("{}{}", hint, applications.collect::<Html>())
}

fn one(service: &Service, call: &Call, base: &str, application: &Application) -> Html {
    let lines = service
        .settings(&call.base, &application.key)
        .unwrap_or_default();
    let lines: String = lines
        .iter()
        .map(|(name, value)| format!("{name}='{value}'\n"))
        .collect();
    let snippets = Registration::of(service, base, application)
        .map(|registration| registration.snippets())
        .unwrap_or_default();
    let snippets = snippets.into_iter().map(|(language, text)| {
        html!(
            "<details><summary>{}</summary><pre>{}</pre></details>\n",
            language,
            text
        )
    });
    // The first one shows what is in the others.
    let is_first = service
        .directory
        .applications
        .first()
        .is_some_and(|first| first.key == application.key);
    let open = html!("{}", if is_first { " open" } else { "" });
    html!(
        "<details{}><summary><strong>{}</strong> <span>{}</span></summary>\n<p class=\"note\">Shell, or <code>.env</code></p>\n<pre>{}</pre>\n{}</details>\n",
        open,
        application.key,
        application
            .note
            .as_deref()
            .unwrap_or(&application.display_name),
        lines,
        snippets.collect::<Html>()
    )
}

/// Where libraries find the emulator: over TLS if it speaks that.
fn library_base(service: &Service, call: &Call) -> String {
    match call.base.strip_prefix("http://") {
        Some(host) if service.ca_pem.is_some() => {
            let port = host.rsplit_once(':').map_or("", |(_, port)| port);
            format!("https://localhost:{port}")
        }
        _ => call.base.clone(),
    }
}

/// What libraries have to be told of an application.
struct Registration<'a> {
    base: &'a str,
    /// `host:port` of `base`.
    host: &'a str,
    tenant: String,
    authority: String,
    issuer: String,
    client: String,
    secret: Option<&'a str>,
    redirect_uri: Option<&'a str>,
    flow: Flow,
    is_entra: bool,
}

/// How an application signs in.
#[derive(Clone, Copy, PartialEq)]
enum Flow {
    Device,
    Itself,
    Password,
    Web,
    Desktop,
    SinglePage,
}

impl<'a> Registration<'a> {
    fn of(service: &'a Service, base: &'a str, application: &'a Application) -> Option<Self> {
        let home = service.directory.tenant(&application.tenant)?;
        let settings = service.settings(base, &application.key)?;
        let authority = settings
            .into_iter()
            .find(|(name, _)| name == "AUTHORITY")
            .map_or(String::new(), |(_, value)| value);
        let flow = if !application.spa_redirect_uris.is_empty() {
            Flow::SinglePage
        } else if !application.redirect_uris.is_empty() {
            Flow::Web
        } else if !application.public_redirect_uris.is_empty() {
            Flow::Desktop
        } else if application.key.starts_with("username-password") {
            Flow::Password
        } else if application.permissions.is_empty() {
            Flow::Itself
        } else {
            Flow::Device
        };
        let redirect_uris = application
            .spa_redirect_uris
            .first()
            .or(application.redirect_uris.first())
            .or(application.public_redirect_uris.first());
        Some(Self {
            base,
            host: base.split_once("://").map_or(base, |(_, host)| host),
            tenant: authority.rsplit('/').next().unwrap_or_default().to_owned(),
            issuer: match home.kind {
                TenantKind::B2c => {
                    let flow = home.user_flows.first()?;
                    format!("{base}/{}/{}/v2.0", home.address_name(), flow.name)
                }
                TenantKind::OpenId => issuer(base, home),
                TenantKind::Workforce | TenantKind::ExternalId => format!("{authority}/v2.0"),
            },
            authority,
            client: application.client_name(),
            secret: application
                .secrets
                .first()
                .map(|secret| secret.value.as_str()),
            redirect_uri: redirect_uris.map(String::as_str),
            flow,
            is_entra: matches!(home.kind, TenantKind::Workforce | TenantKind::ExternalId),
        })
    }

    fn snippets(&self) -> Vec<(&'static str, String)> {
        let mut snippets = Vec::new();
        if self.is_entra {
            match self.flow {
                Flow::SinglePage => snippets.push((
                    "JavaScript in a browser (@azure/msal-browser)",
                    self.browser(),
                )),
                _ => {
                    snippets.push(("Python (msal)", self.python()));
                    snippets.push(("JavaScript (@azure/msal-node)", self.node()));
                    snippets.push((
                        "C# (appsettings.json of Microsoft.Identity.Web)",
                        self.csharp(),
                    ));
                }
            }
        }
        if self.redirect_uri.is_some() {
            snippets.push(("Any OpenID Connect library", self.openid()));
        }
        snippets
    }

    fn python(&self) -> String {
        let (class, secret) = match self.secret {
            Some(secret) => (
                "ConfidentialClientApplication",
                format!("    client_credential=\"{secret}\",\n"),
            ),
            None => ("PublicClientApplication", String::new()),
        };
        let app = format!(
            "import msal\n\napp = msal.{class}(\n    \"{}\",\n    authority=\"{}\",\n{secret}    instance_discovery=False,\n)\n",
            self.client, self.authority
        );
        let call = match self.flow {
            Flow::Device => "flow = app.initiate_device_flow(scopes=[\"User.Read\"])\nprint(flow[\"message\"])\nresult = app.acquire_token_by_device_flow(flow)".to_owned(),
            Flow::Itself => "result = app.acquire_token_for_client(scopes=[\"https://graph.microsoft.com/.default\"])".to_owned(),
            Flow::Password => "result = app.acquire_token_by_username_password(\n    \"contoso_employee@contoso.com\", \"Worker#1001\", scopes=[\"User.Read\"]\n)".to_owned(),
            Flow::Desktop => "result = app.acquire_token_interactive(scopes=[\"User.Read\"])".to_owned(),
            Flow::Web | Flow::SinglePage => format!(
                "flow = app.initiate_auth_code_flow(\n    scopes=[\"User.Read\"], redirect_uri=\"{}\"\n)  # send the browser to flow[\"auth_uri\"]",
                self.redirect_uri.unwrap_or_default()
            ),
        };
        format!("{app}{call}\n")
    }

    fn node(&self) -> String {
        let class = match self.secret {
            Some(_) => "ConfidentialClientApplication",
            None => "PublicClientApplication",
        };
        let secret = self
            .secret
            .map(|secret| format!("    clientSecret: \"{secret}\",\n"))
            .unwrap_or_default();
        let app = format!(
            "import {{ {class} }} from \"@azure/msal-node\";\n\nconst app = new {class}({{\n  auth: {{\n    clientId: \"{}\",\n    authority: \"{}\",\n    knownAuthorities: [\"{}\"],\n{secret}  }},\n}});\n",
            self.client, self.authority, self.host
        );
        let call = match self.flow {
            Flow::Device => "const result = await app.acquireTokenByDeviceCode({\n  scopes: [\"User.Read\"],\n  deviceCodeCallback: (code) => console.log(code.message),\n});".to_owned(),
            Flow::Itself => "const result = await app.acquireTokenByClientCredential({\n  scopes: [\"https://graph.microsoft.com/.default\"],\n});".to_owned(),
            Flow::Password => "const result = await app.acquireTokenByUsernamePassword({\n  scopes: [\"User.Read\"],\n  username: \"contoso_employee@contoso.com\",\n  password: \"Worker#1001\",\n});".to_owned(),
            Flow::Desktop => "const result = await app.acquireTokenInteractive({\n  scopes: [\"User.Read\"],\n  openBrowser: async (url) => console.log(url),\n});".to_owned(),
            Flow::Web | Flow::SinglePage => format!(
                "const url = await app.getAuthCodeUrl({{\n  scopes: [\"User.Read\"],\n  redirectUri: \"{}\",\n}}); // send the browser there",
                self.redirect_uri.unwrap_or_default()
            ),
        };
        format!("{app}{call}\n")
    }

    fn browser(&self) -> String {
        format!(
            "import {{ PublicClientApplication }} from \"@azure/msal-browser\";\n\nconst app = new PublicClientApplication({{\n  auth: {{\n    clientId: \"{}\",\n    authority: \"{}\",\n    knownAuthorities: [\"{}\"],\n    redirectUri: \"{}\",\n  }},\n}});\nawait app.initialize();\nawait app.loginRedirect({{ scopes: [\"User.Read\"] }});\n",
            self.client,
            self.authority,
            self.host,
            self.redirect_uri.unwrap_or_default()
        )
    }

    fn csharp(&self) -> String {
        let mut fields = vec![
            ("Instance", format!("{}/", self.base)),
            ("TenantId", self.tenant.clone()),
            ("ClientId", self.client.clone()),
        ];
        if let Some(secret) = self.secret {
            fields.push(("ClientSecret", secret.to_owned()));
        }
        let fields: Vec<String> = fields
            .iter()
            .map(|(name, value)| format!("    \"{name}\": \"{value}\""))
            .collect();
        format!("{{\n  \"AzureAd\": {{\n{}\n  }}\n}}\n", fields.join(",\n"))
    }

    fn openid(&self) -> String {
        let mut lines = vec![
            format!(
                "metadata       {}/.well-known/openid-configuration",
                self.issuer.trim_end_matches('/')
            ),
            format!("client id      {}", self.client),
        ];
        lines.extend(self.secret.map(|secret| format!("client secret  {secret}")));
        lines.extend(
            self.redirect_uri
                .map(|redirect_uri| format!("redirect URI   {redirect_uri}")),
        );
        lines.join("\n") + "\n"
    }
}
