//! The pages, in the order in which a user meets them: the sign-in begins, the browser comes back, home, the API, out.

use std::time::Duration;

use actix_web::{
    HttpRequest, HttpResponse,
    http::{StatusCode, header::LOCATION},
    web::{self, Data},
};
use common::{
    graph::GraphError,
    oauth::{Claims, Refusal},
};
use oauth2::{PkceCodeVerifier, url::form_urlencoded};

use crate::{
    app::App,
    error::AppError,
    pages::{self, CallApi, Index, Message},
    provider::now,
    session::{SIGN_IN_LIFETIME, SignIn},
};

/// How long a call of the API may take, with all that is tried again.
const API_PATIENCE: Duration = Duration::from_secs(30);

/// `login`: to the provider, whoever is signed in by now.
pub async fn login(app: Data<App>, request: HttpRequest) -> Result<HttpResponse, AppError> {
    app.begin_sign_in(&request, None, false, None, "/".into())
        .await
}

/// The page at REDIRECT_URI: the browser comes back from the provider, with a code or with an error.
pub async fn callback(app: Data<App>, request: HttpRequest) -> Result<HttpResponse, AppError> {
    // <check_state>
    let answer = Answer::read(request.query_string())?;
    let (sign_in, used_up) =
        app.cookies
            .sign_in(&request, &answer.state)
            .ok_or(AppError::Callback(
                "It was not begun in this browser, or it is over already.",
            ))?;
    if now() >= sign_in.began_at.saturating_add(SIGN_IN_LIFETIME) {
        return Err(AppError::Callback("It took longer than 15 minutes."));
    }
    if !app.store.use_up(&sign_in.state, SIGN_IN_LIFETIME).await? {
        return Err(AppError::Callback("It was used before."));
    }
    // </check_state>
    // RFC 9207: an answer may name its provider (Entra ID's does not).
    if let Some(issuer) = &answer.issuer {
        let metadata = app.provider.metadata(sign_in.user_flow.as_deref()).await?;
        if *issuer != metadata.issuer {
            return Err(AppError::Callback("It is of another provider (iss)."));
        }
    }
    let outcome = match answer.outcome {
        Ok(code) => finish_sign_in(&app, &request, &sign_in, code).await,
        Err((error, description)) => refused(&app, &request, &sign_in, &error, &description).await,
    };
    let mut response = outcome.unwrap_or_else(HttpResponse::from_error);
    // A header that cannot be set leaves a cookie that is of no use any more.
    let _ = response.add_cookie(&used_up);
    Ok(response)
}

async fn finish_sign_in(
    app: &App,
    request: &HttpRequest,
    sign_in: &SignIn,
    code: String,
) -> Result<HttpResponse, AppError> {
    // <redeem_code>
    let verifier = PkceCodeVerifier::new(sign_in.verifier.clone());
    let user_flow = sign_in.user_flow.as_deref();
    let answer = app.provider.redeem(user_flow, code, verifier).await?;
    let identity = app
        .provider
        .identify(user_flow, &answer, Some(&sign_in.nonce))
        .await?;
    // </redeem_code>
    tracing::info!(sub = %identity.sub, iss = %identity.iss, "signed in");
    let session = app
        .start_session(request, identity, &answer, sign_in)
        .await?;
    Ok(HttpResponse::Found()
        .cookie(app.cookies.set_session(request, &session))
        .insert_header((LOCATION, sign_in.return_to.as_str()))
        .finish())
}

/// The provider's errors, of which B2C uses two to say what the user has chosen.
async fn refused(
    app: &App,
    request: &HttpRequest,
    sign_in: &SignIn,
    error: &str,
    description: &str,
) -> Result<HttpResponse, AppError> {
    if let Some(flows) = app.provider.user_flows() {
        match &flows.reset_password {
            Some(flow) if description.starts_with("AADB2C90118") => {
                let return_to = sign_in.return_to.clone();
                return app
                    .begin_sign_in(request, Some(flow), sign_in.for_api, None, return_to)
                    .await;
            }
            _ if description.starts_with("AADB2C90091") => return Ok(found("/")),
            _ => {}
        }
    }
    Err(AppError::Refused(Box::new(Refusal::from_redirect(
        error,
        description,
    ))))
}

/// `/`: who is signed in, and what they can do.
pub async fn index(app: Data<App>, request: HttpRequest) -> Result<HttpResponse, AppError> {
    let Some((_, session)) = app.session(&request).await? else {
        return app
            .begin_sign_in(&request, None, false, None, path_of(&request))
            .await;
    };
    let flows = app.provider.user_flows();
    let edit_profile = flows
        .and_then(|flows| flows.edit_profile.as_ref())
        .map(|_| app.redirect_uri.sibling("edit_profile"));
    Ok(pages::respond(
        StatusCode::OK,
        &Index {
            name: &session.name,
            call_api: app.endpoint.is_some(),
            edit_profile: edit_profile.as_deref(),
            logout: &app.redirect_uri.sibling("logout"),
        },
    ))
}

/// `edit_profile`: the user flow of B2C that does so.
pub async fn edit_profile(app: Data<App>, request: HttpRequest) -> Result<HttpResponse, AppError> {
    let flow = app
        .provider
        .user_flows()
        .and_then(|flows| flows.edit_profile.as_deref());
    let flow = flow.ok_or(AppError::NotFound)?;
    app.begin_sign_in(&request, Some(flow), false, None, "/".into())
        .await
}

/// `/call_api`: needs a token for SCOPE, for which the user may have to consent first.
pub async fn call_api(app: Data<App>, request: HttpRequest) -> Result<HttpResponse, AppError> {
    let endpoint = app.endpoint.as_ref().ok_or(AppError::NotFound)?;
    let sign_in = async |claims: Option<&Claims>| {
        app.begin_sign_in(&request, None, true, claims, path_of(&request))
            .await
    };
    let Some((id, session)) = app.session(&request).await? else {
        return sign_in(None).await;
    };
    let mut claims: Option<Claims> = None;
    loop {
        // <acquire_token>
        let Some(api) = app
            .with_api_token(&id, session.clone(), &mut claims)
            .await?
        else {
            return sign_in(claims.as_ref()).await;
        };
        if !api.ungranted.is_empty() {
            return Err(AppError::Ungranted(api.ungranted));
        }
        // </acquire_token>

        // <call_graph>
        let answer = tokio::time::timeout(API_PATIENCE, app.graph.get(endpoint, &api.token)).await;
        match answer.map_err(|_| AppError::ApiTimeout)? {
            // Continuous access evaluation: the API may ask for a token with further claims. It is answered once.
            Err(GraphError::Unauthorized {
                challenge: Some(challenge),
                ..
            }) if !api.answers_challenge => {
                claims = Some(challenge);
            }
            Err(error) => return Err(error.into()),
            Ok(json) => {
                let json = serde_json::to_string_pretty(&json)
                    .map_err(|error| AppError::Internal(error.to_string()))?;
                return Ok(pages::respond(StatusCode::OK, &CallApi { json }));
            }
        }
        // </call_graph>
    }
}

/// `logout`: the session ends here, and then at the provider.
pub async fn logout(app: Data<App>, request: HttpRequest) -> Result<HttpResponse, AppError> {
    let site = request.headers().get("sec-fetch-site");
    if site.is_some_and(|site| site == "cross-site") {
        let page = Message {
            title: "Sign out?",
            text: "Another site has sent you here.",
            link: Some(("Sign out", &app.redirect_uri.sibling("logout"))),
            ..Message::default()
        };
        return Ok(pages::respond(StatusCode::OK, &page));
    }
    if let Some(id) = app.cookies.session(&request) {
        app.store.remove(&id.key()).await?;
        tracing::info!("signed out");
    }
    // Signed out here in any case, even if the provider cannot be asked where to go next.
    let metadata = app.provider.metadata(None).await.ok();
    let end = metadata.and_then(|metadata| metadata.end_session_endpoint.clone());
    let mut response = match end {
        Some(mut url) => {
            url.query_pairs_mut().append_pair(
                "post_logout_redirect_uri",
                &format!("{}/", app.redirect_uri.origin()),
            );
            found(url.as_str())
        }
        None => pages::respond(
            StatusCode::OK,
            &Message {
                title: "Signed out",
                text: "You are signed out of this app.",
                link: Some(("Sign in again", "/")),
                ..Message::default()
            },
        ),
    };
    let _ = response.add_cookie(&app.cookies.remove_session(&request));
    Ok(response)
}

/// `/health`: for a load balancer, and about nobody.
pub async fn health() -> &'static str {
    "ok"
}

/// Any other path.
pub async fn not_found() -> Result<HttpResponse, AppError> {
    Err(AppError::NotFound)
}

/// A path of this app for another method.
pub async fn wrong_method() -> Result<HttpResponse, AppError> {
    Err(AppError::Method)
}

fn found(address: &str) -> HttpResponse {
    HttpResponse::Found()
        .insert_header((LOCATION, address))
        .finish()
}

/// Where to come back to: a path of this app, since it is one that this app was asked for.
fn path_of(request: &HttpRequest) -> String {
    let path = request
        .uri()
        .path_and_query()
        .map_or("/", |path| path.as_str());
    path.to_owned()
}

/// What the browser brings from the provider (RFC 6749 section 4.1.2).
struct Answer {
    state: String,
    issuer: Option<String>,
    outcome: Result<String, (String, String)>,
}

impl Answer {
    fn read(query: &str) -> Result<Self, AppError> {
        let mut fields = std::collections::HashMap::new();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            if fields
                .insert(name.into_owned(), value.into_owned())
                .is_some()
            {
                return Err(AppError::Callback("A parameter came twice."));
            }
        }
        let mut take = |name: &str| fields.remove(name).filter(|value| !value.is_empty());
        let state = take("state").ok_or(AppError::Callback(
            "It has no state, so it was not begun here.",
        ))?;
        let outcome = match (take("code"), take("error")) {
            (Some(_), Some(_)) => {
                return Err(AppError::Callback("It has both a code and an error."));
            }
            (Some(code), None) => Ok(code),
            (None, Some(error)) => Err((error, take("error_description").unwrap_or_default())),
            (None, None) => return Err(AppError::Callback("It has neither a code nor an error.")),
        };
        let issuer = take("iss");
        Ok(Self {
            state,
            issuer,
            outcome,
        })
    }
}

/// All routes. REDIRECT_URI decides where the sign-in's own pages are.
pub fn routes(app: Data<App>) -> impl FnOnce(&mut web::ServiceConfig) {
    move |routes| {
        let get =
            |path: &str| web::resource(path.to_owned()).default_service(web::to(wrong_method));
        let redirect_uri = app.redirect_uri.clone();
        routes
            .service(get("/").route(web::get().to(index)))
            .service(get("/call_api").route(web::get().to(call_api)))
            .service(get("/health").route(web::get().to(health)))
            .service(get(redirect_uri.url.path()).route(web::get().to(callback)))
            .service(get(&redirect_uri.sibling("login")).route(web::get().to(login)))
            .service(get(&redirect_uri.sibling("logout")).route(web::get().to(logout)))
            .service(get(&redirect_uri.sibling("edit_profile")).route(web::get().to(edit_profile)))
            .default_service(web::to(not_found))
            .app_data(app);
    }
}
