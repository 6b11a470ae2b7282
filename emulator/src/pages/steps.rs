//! The pages on a person's way to a sign-in, which devices and browsers share: account, password, second factor,
//! permissions. What has been done so far travels in one sealed field of each form.

use axum::body::Body;
use axum::http::{Response, StatusCode};

use super::html::{Html, html};
use super::{page, page_for};
use crate::directory::{Application, Authority, User};
use crate::errors::EntraError;
use crate::scopes::PERMISSIONS;
use crate::service::Service;

/// A page that asks for something: its title, and what stands in its form.
pub struct Step {
    title: &'static str,
    content: Html,
}

impl Step {
    /// A step of a way of its own.
    pub fn new(title: &'static str, content: Html) -> Self {
        Self { title, content }
    }

    /// The page: what went wrong before, the step, and Cancel. `sends_to` is where the way may end, since browsers
    /// check a form's redirects too.
    pub fn show(
        self,
        action: &str,
        state: &str,
        error: Option<&EntraError>,
        sends_to: Option<&str>,
    ) -> Response<Body> {
        let error = error.map_or_else(Html::default, |error| {
            html!(
                "<p class=\"error\" role=\"alert\">{}</p>\n",
                error.headline()
            )
        });
        // Cancel skips the checks of the browser: nobody has to type a password to say no.
        let form = html!(
            "{}<form method=\"post\" action=\"{}\">\n<input type=\"hidden\" name=\"state_of_page\" value=\"{}\">\n{}<button class=\"quiet\" name=\"cancel\" value=\"1\" formnovalidate>Cancel</button></div>\n</form>\n",
            error,
            action,
            state,
            self.content
        );
        match sends_to {
            Some(uri) => page_for(StatusCode::OK, self.title, &form, uri),
            None => page(StatusCode::OK, self.title, &form),
        }
    }
}

/// The accounts that can be used at an authority, and a field for any other.
pub fn accounts(
    service: &Service,
    application: &Application,
    authority: Authority<'_>,
    is_signed_in: impl Fn(&User) -> bool,
) -> Step {
    let directory = &service.directory;
    let users = directory.users.iter().filter(|user| {
        directory
            .account(authority, user.sign_in_name())
            .is_ok_and(|account| account.id == user.id)
    });
    let buttons: Html = users
        .map(|user| {
            let note = if is_signed_in(user) { " (signed in)" } else { "" };
            html!("<button class=\"account\" name=\"account\" value=\"{}\">{}<span>{}{}</span></button>\n", user.sign_in_name(), user.display_name, user.sign_in_name(), note)
        })
        .collect();
    Step::new(
        "Pick an account",
        html!(
            "<p>to sign in to <strong>{}</strong></p>\n{}<label for=\"other_account\">Use another account</label>\n<input id=\"other_account\" name=\"other_account\" autocomplete=\"off\">\n<div><button>Next</button>\n",
            application.display_name,
            buttons
        ),
    )
}

/// The password; `more` stands beside the button.
pub fn password(user: &User, more: &Html) -> Step {
    Step::new(
        "Enter password",
        html!(
            "<p>for {}</p>\n<label for=\"password\">Password</label>\n<input id=\"password\" name=\"password\" type=\"password\" autocomplete=\"off\" autofocus required>\n<div><button>Sign in</button>\n{}",
            user.sign_in_name(),
            more
        ),
    )
}

/// The second factor.
pub fn second_factor() -> Step {
    Step::new(
        "Approve sign-in request",
        html!(
            "<p>A telephone would ring now. This tool has none: approve the request here.</p>\n<div><button>Approve</button>\n"
        ),
    )
}

/// The permissions, in words.
pub fn consent(application: &Application, names: &[String]) -> Step {
    let wanted = PERMISSIONS
        .iter()
        .filter(|permission| names.iter().any(|name| name == permission.name));
    let wanted: Html = wanted
        .map(|permission| {
            html!(
                "<li>{} <code>{}</code></li>\n",
                permission.words,
                permission.name
            )
        })
        .collect();
    Step::new(
        "Permissions requested",
        html!(
            "<p><strong>{}</strong> would like to:</p>\n<ul>\n{}</ul>\n<div><button>Accept</button>\n",
            application.display_name,
            wanted
        ),
    )
}
