//! What every sample needs and what does not teach a flow.
//!
//! In reading order, which is the order in which a sample uses it:
//!
//! | module | what it answers |
//! |---|---|
//! | [`config`] | Which settings count, where were they read from, and where does a person find them? |
//! | [`authority`] | Who signs the user in, of which kind is the tenant, and which cloud is it in? |
//! | [`oauth`] | The client for oauth2's grants: how is an answer of Entra ID judged, what does a refusal say? |
//! | [`credential`] | How does an app prove who it is: secret, certificate, federated token? |
//! | [`token_cache`] | Is there a token already, or one for the refresh token, before anybody is asked? |
//! | [`graph`] | Call Microsoft Graph and print what it answers, one object or page after page. |
//! | [`advice`] | What can the reader do about this error? |
//! | [`http`] | The one HTTP client below: no redirects, time-outs, retries, proxy and CA. |
//! | [`console`] | What goes to stderr, and with which status the program ends. |
//! | [`log`] | One line for each request, on demand. |
//! | [`text`] | Foreign text, made safe for a terminal. |

pub mod advice;
pub mod authority;
pub mod config;
pub mod console;
pub mod credential;
#[cfg(test)]
mod fuzz;
pub mod graph;
pub mod http;
pub mod log;
pub mod oauth;
pub mod text;
pub mod token_cache;
