//! The authorization code grant.

use serde_json::Value;

use super::TokenRequest;
use super::client_proof::ProofKind;
use crate::authorize::codes::Code;
use crate::directory::Authority;
use crate::errors::EntraError;
use crate::redirect_uri::{Platform, with_path};
use crate::scopes::Scopes;
use crate::sign_in;
use crate::tokens::{BrowserSignIn, UserGrant};

/// How long a single-page application can go on without a browser's sign-in: 24 hours.
const SINGLE_PAGE_LIFETIME: i64 = 24 * 3600;

impl TokenRequest<'_> {
    /// Tokens for a code, which is used up by that.
    pub fn authorization_code(&self) -> Result<Value, EntraError> {
        let (service, call) = (self.service, self.call);
        let text = self.field("code")?;
        self.field("redirect_uri")?;
        let code = service
            .codes
            .with(text, |code| self.redeem(code))
            .unwrap_or(Err(EntraError::about(70000, &["code"])))?;

        let user = service
            .directory
            .user(&code.user.to_string())
            .ok_or_else(|| EntraError::about(50034, &["(unknown)"]))?;
        sign_in::in_person(&user)?;
        // Fewer scopes, or others that were agreed to, can be asked for now; the first ones count otherwise.
        let mut scopes = match call.form.get("scope") {
            Some(scope) => self.scopes(scope)?,
            None => code.scopes.clone(),
        };
        for reserved in code.scopes.reserved {
            if !scopes.has(&reserved) {
                scopes.reserved.push(reserved);
            }
        }
        let mut browser = code.browser;
        if code.platform == Platform::SinglePage {
            browser.single_page_until = Some(call.now + SINGLE_PAGE_LIFETIME);
        }
        let grant = UserGrant {
            user: &user,
            tenant: code.tenant,
            application: self.application,
            scopes,
            proof: self.proof,
            browser,
        };
        service.user_answer(call, &grant)
    }

    /// What the code stood for, if everything fits; then it is used up.
    fn redeem(&self, code: &mut Code) -> Result<Code, EntraError> {
        if code.client != self.application.client_id {
            return Err(EntraError::about(70000, &["code"]));
        }
        if code.platform == Platform::Web
            && self.proof == ProofKind::None
            && !self.application.public_client
        {
            return Err(EntraError::new(7000218));
        }
        match (code.platform, self.is_cross_origin()) {
            (Platform::SinglePage, false) => return Err(EntraError::new(9002327)),
            (Platform::Web | Platform::Public, true) => return Err(EntraError::new(9002326)),
            _ => {}
        }
        if code.redeemed {
            return Err(EntraError::new(54005));
        }
        if code.expires <= self.call.now {
            return Err(EntraError::new(70008));
        }
        if !self.is_issued_here(code) {
            return Err(EntraError::new(700005));
        }
        let redirect_uri = with_path(self.field("redirect_uri")?);
        if redirect_uri != code.redirect_uri {
            return Err(EntraError::about(
                500112,
                &[&redirect_uri, &code.redirect_uri],
            ));
        }
        let verifier = self.call.form.get("code_verifier");
        let fits = match (&code.challenge, verifier) {
            (Some(challenge), Some(verifier)) => challenge.fits(verifier),
            (None, None) => true,
            _ => false,
        };
        if !fits {
            return Err(EntraError::new(501481));
        }
        code.redeemed = true;
        let redeemed = code.clone();
        // That it was used is all that is left to know.
        code.scopes = Scopes::default();
        code.browser = BrowserSignIn::default();
        code.authority = String::new();
        code.redirect_uri = String::new();
        code.challenge = None;
        Ok(redeemed)
    }

    /// A code is redeemed where it was issued: at the same authority, or at the tenant that the user has signed in to.
    fn is_issued_here(&self, code: &Code) -> bool {
        let flow = self.provider.flow.map(|flow| &flow.name);
        let own_tenant = match self.authority {
            Authority::Tenant(tenant) => tenant.id == code.tenant,
            Authority::Common | Authority::Organizations | Authority::Consumers => self
                .service
                .directory
                .authority(&code.authority)
                .is_ok_and(|authority| !matches!(authority, Authority::Tenant(_))),
        };
        own_tenant && flow == code.browser.flow.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use form_urlencoded::Serializer;

    use super::super::grant;
    use super::*;
    use crate::call::{Call, Form};
    use crate::keys::Jwt;
    use crate::provider::Names;
    use crate::{Emulator, Options};

    const USER: &str = "contoso_employee@contoso.com";
    const REDIRECT_URI: &str = "http://localhost:61234/getAToken";
    // RFC 7636, appendix B.
    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    /// What the browser brings back for the web sample, or for one of its likes.
    fn answer(emulator: &Emulator, key: &str, more: &[(&str, &str)]) -> Form {
        let settings = Form::parse(
            Serializer::new(String::new())
                .extend_pairs(emulator.settings(key).unwrap())
                .finish()
                .as_bytes(),
        );
        let mut query = Serializer::new(String::new());
        query.extend_pairs(more);
        query.extend_pairs([
            ("client_id", settings.get("CLIENT_ID").unwrap()),
            ("response_type", "code"),
            ("redirect_uri", REDIRECT_URI),
            ("scope", "openid offline_access User.Read"),
            ("state", "a state & more"),
            ("nonce", "a nonce"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ]);
        let authority = settings.get("AUTHORITY").unwrap();
        let address = format!("{authority}/oauth2/v2.0/authorize?{}", query.finish());
        let location = emulator.authorize(&address, USER).unwrap();
        assert!(location.starts_with(REDIRECT_URI), "{location}");
        Form::parse(location.split_once(['?', '#']).unwrap().1.as_bytes())
    }

    /// What the token endpoint says to the web sample, or the code of its refusal.
    fn redeem(emulator: &Emulator, code: &str, more: &[(&str, &str)]) -> Result<Value, u32> {
        let application = emulator.application("flask-equivalent-web").unwrap();
        let mut form = Serializer::new(String::new());
        form.extend_pairs(more);
        form.extend_pairs([
            ("client_id", application.client_name().as_str()),
            ("client_secret", &application.secrets[0].value),
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", REDIRECT_URI),
            ("code_verifier", VERIFIER),
        ]);
        let mut call = Call::internal(emulator.url(), emulator.service.clock.now());
        call.form = Form::parse(form.finish().as_bytes());
        let names = Names {
            tenant: "contoso.com".to_owned(),
            policy: None,
            in_query: false,
        };
        grant(&emulator.service, &call, names).map_err(|error| error.code)
    }

    fn claims(answer: &Value) -> Value {
        Jwt::parse(answer["id_token"].as_str().unwrap())
            .unwrap()
            .claims
    }

    #[test]
    fn a_code_is_good_once_and_only_for_its_own_request() {
        let emulator = Emulator::start(Options::default()).unwrap();
        let answer = answer(&emulator, "flask-equivalent-web", &[]);
        assert_eq!(answer.get("state"), Some("a state & more"));
        let code = answer.get("code").unwrap();
        for (field, value, refusal) in [
            ("code_verifier", "wrong", 501481),
            ("code_verifier", "", 501481),
            ("redirect_uri", "http://localhost:1/getAToken", 500112),
            ("client_secret", "wrong", 7000215),
            ("client_secret", "", 7000218),
            ("code", "wrong", 70000),
        ] {
            assert_eq!(
                redeem(&emulator, code, &[(field, value)]),
                Err(refusal),
                "{field}"
            );
        }

        let tokens = redeem(&emulator, code, &[]).unwrap();
        let first = claims(&tokens);
        assert_eq!(
            (&first["nonce"], &first["ver"]),
            (&"a nonce".into(), &"2.0".into())
        );
        assert_eq!(first["sid"], *answer.get("session_state").unwrap());
        assert_eq!(redeem(&emulator, code, &[]), Err(54005));

        let refresh = tokens["refresh_token"].as_str().unwrap();
        let more = [("grant_type", "refresh_token"), ("refresh_token", refresh)];
        let second = claims(&redeem(&emulator, "", &more).unwrap());
        assert_eq!(
            (&second["sub"], &second["sid"]),
            (&first["sub"], &first["sid"])
        );
        assert!(second.get("nonce").is_none());
    }

    #[test]
    fn a_code_expires() {
        let emulator = Emulator::start(Options::default()).unwrap();
        let answer = answer(&emulator, "flask-equivalent-web", &[]);
        emulator.advance_clock(601);
        assert_eq!(
            redeem(&emulator, answer.get("code").unwrap(), &[]),
            Err(70008)
        );
    }

    #[test]
    fn faults_change_the_way_back_and_the_id_token() {
        let emulator = Emulator::start(Options::default()).unwrap();
        emulator.fault("authorize:no-state").unwrap();
        emulator.fault("idtoken:wrong-aud").unwrap();
        emulator.fault("idtoken:alg-none").unwrap();
        let first = answer(&emulator, "flask-equivalent-web", &[]);
        assert_eq!(first.get("state"), None);
        let tokens = redeem(&emulator, first.get("code").unwrap(), &[]).unwrap();
        assert_eq!(claims(&tokens)["aud"], crate::faults::openid::FOREIGN_ID);
        let second = answer(&emulator, "flask-equivalent-web", &[]);
        let tokens = redeem(&emulator, second.get("code").unwrap(), &[]).unwrap();
        assert!(tokens["id_token"].as_str().unwrap().ends_with('.'));
    }

    #[test]
    fn what_makes_no_sense_goes_back_to_the_application_or_nowhere() {
        let emulator = Emulator::start(Options::default()).unwrap();
        for (name, value, error) in [
            ("response_type", "token", "unsupported_response_type"),
            ("scope", "User.Reed", "invalid_scope"),
            ("prompt", "none login", "invalid_request"),
            ("code_challenge", "short", "invalid_request"),
            ("scope", "openid User.Read.All", "access_denied"),
        ] {
            let answer = answer(&emulator, "flask-equivalent-web", &[(name, value)]);
            assert_eq!(answer.get("error"), Some(error), "{name}={value}");
            assert_eq!(answer.get("state"), Some("a state & more"));
        }
        let address = format!(
            "{}/contoso.com/oauth2/v2.0/authorize?client_id=b546cf29-f51e-40ed-abb3-a275d2133076&response_type=code&redirect_uri=https://evil.example/",
            emulator.url()
        );
        let error = emulator.authorize(&address, USER).unwrap_err().to_string();
        assert!(error.starts_with("AADSTS50011: "), "{error}");
    }
}
