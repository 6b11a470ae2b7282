//! What goes wrong on purpose: named faults, per endpoint, so many times or always.
//!
//! A fault either takes the place of an endpoint's answer, or spoils the answer on its way out. Endpoints know nothing
//! of it.

mod endpoints;
pub mod openid;
mod waiting;

use std::str::FromStr;

use anyhow::{Context, bail};
use serde_json::Value;

use crate::errors;
pub use endpoints::ENDPOINTS;
use openid::{IdTokenEdit, WayBackEdit, WayBackError};
pub use waiting::{Faults, Shown};

/// The faults, as they are written, and what they do.
#[rustfmt::skip] // one line per fault
pub const FAULTS: &[(&str, &str)] = &[
    ("status-NNN", "a refusal with this HTTP status, JSON body (status-429, status-500, status-503, …)"),
    ("status-NNN=SECONDS", "the same with a Retry-After header of so many seconds; =date: an HTTP date 2 seconds ahead"),
    ("status-NNN-html", "a refusal with this HTTP status and an HTML body, as gateways give; =SECONDS as above"),
    ("redirect=URL", "307 to the same path under another address"),
    ("hang", "no answer, the connection stays open"),
    ("cut", "the real answer, the connection closed in the middle of the body"),
    ("reset", "the connection closed before an answer"),
    ("slow", "the real answer, byte by byte; =MILLISECONDS between two bytes, 20 by default"),
    ("empty", "200 with an empty body"),
    ("huge", "200 with a JSON body of 64 MiB; =MEBIBYTES"),
    ("html", "200 with an HTML body"),
    ("body=[STATUS ]TEXT", "this text as the answer's body"),
    ("body-file=[STATUS ]FILE", "what stands in this file as the answer's body (on the command line and in a file of faults only)"),
    ("error=NAME", "an OAuth error of this name"),
    ("error-200=NAME", "an OAuth error inside an answer 200; without a name invalid_grant"),
    ("aadsts=CODE", "the refusal with this AADSTS code, with the error and status that belong to it"),
    ("crlf", "a refusal whose description has line breaks, terminal control and bidi characters"),
    ("slow_down", "the device polls too fast"),
    ("expired_token", "the device code has expired"),
    ("authorization_declined", "the user has declined"),
    ("rotate-keys", "tokens are signed with a new key from this request on"),
    ("no-message", "the answer without its field message"),
    ("no-interval", "the answer without its field interval"),
    ("interval=N", "the answer with this interval, which then counts"),
    ("verification-uri=URL", "the answer with this page to open"),
    ("no-refresh-token", "the answer without its refresh_token"),
    ("expires-in=N", "the answer with this expires_in"),
    ("cae", "Graph: 401 with a claims challenge"),
    ("unauthorized", "Graph: a plain 401, the token is expired"),
    ("next-link=URL", "the answer with this @odata.nextLink"),
    ("next-link-loop", "the answer with an @odata.nextLink to itself"),
];

/// The AADSTS codes that `aadsts=CODE` understands.
pub fn aadsts_codes() -> impl Iterator<Item = u32> {
    errors::codes()
}

/// One fault, as set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// As it was written, without the number of times.
    pub spec: String,
    /// One of [`ENDPOINTS`].
    pub endpoint: String,
    /// What it does.
    pub effect: Effect,
    /// How many more times; nothing means always.
    pub times: Option<u32>,
}

/// What a fault does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// A refusal by status.
    Status {
        /// The HTTP status.
        status: u16,
        /// An HTML page instead of JSON.
        html: bool,
        /// Seconds of a Retry-After header.
        retry_after: Option<RetryAfter>,
    },
    /// 307 to the same path at this address.
    Redirect(String),
    /// No answer.
    Hang,
    /// The connection closed in the middle of the body.
    Cut,
    /// The connection closed before an answer.
    Reset,
    /// Byte by byte, with so many milliseconds in between.
    Slow(u64),
    /// 200 and nothing.
    Empty,
    /// So many mebibytes.
    Huge(usize),
    /// 200 and HTML.
    Html,
    /// This body.
    Body(u16, String),
    /// An OAuth error.
    Error {
        /// Its name.
        name: String,
        /// Inside an answer 200.
        with_200: bool,
    },
    /// An AADSTS code.
    Aadsts(u32),
    /// Characters that harm a terminal.
    Crlf,
    /// A new signing key.
    RotateKeys,
    /// A claims challenge.
    Cae,
    /// A plain 401.
    Unauthorized,
    /// The JSON answer changed.
    Edit(Edit),
    /// The ID token changed.
    IdToken(IdTokenEdit),
    /// What the browser brings back changed.
    WayBack(WayBackEdit),
    /// The browser brings a refusal back.
    WayBackError(WayBackError),
}

/// When to come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryAfter {
    /// After so many seconds.
    Seconds(u64),
    /// Two seconds ahead, as an HTTP date.
    Date,
}

/// A change to a JSON answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit {
    /// A field is left out.
    Remove(String),
    /// A field has this value.
    Set(String, Value),
    /// `@odata.nextLink` points to the request itself.
    Loop,
    /// All addresses but the issuer have this beginning.
    Addresses(&'static str),
    /// A word of `scope` is left out.
    WithoutScope(String),
    /// Each key has this in one of its fields, or not the field at all.
    OfEachKey(&'static str, Option<String>),
    /// Keys that nobody signs with.
    StrangeKeys,
    /// The answer ends in the middle, as if that were its end.
    Half,
}

impl FromStr for Fault {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let text = text.trim();
        let (spec, times) = match text.rsplit_once('*') {
            Some((spec, "always")) => (spec, None),
            Some((spec, times)) if times.parse::<u32>().is_ok() => (spec, times.parse().ok()),
            _ => (text, Some(1)),
        };
        let (endpoint, fault) = spec
            .split_once(':')
            .with_context(|| format!("the fault '{text}' is not of the form <endpoint>:<fault>"))?;
        if !ENDPOINTS.iter().any(|(name, _)| *name == endpoint) {
            bail!("'{endpoint}' is no endpoint that can have faults; `emulator faults` lists them");
        }
        let (name, argument) = fault
            .split_once('=')
            .map_or((fault, None), |(name, argument)| (name, Some(argument)));
        let effect = match openid::effect(endpoint, name, argument) {
            Ok(None) => effect(name, argument),
            Ok(Some(effect)) => Ok(effect),
            Err(error) => Err(error),
        };
        let effect = effect.with_context(|| {
            format!("the fault '{text}' makes no sense; `emulator faults` lists them")
        })?;
        Ok(Self {
            spec: spec.to_owned(),
            endpoint: endpoint.to_owned(),
            effect,
            times,
        })
    }
}

fn effect(name: &str, argument: Option<&str>) -> anyhow::Result<Effect> {
    let needed = || argument.with_context(|| format!("{name} needs an argument"));
    let number = || {
        needed()?
            .parse::<i64>()
            .with_context(|| format!("{name} needs a number"))
    };
    let error = |name: &str| Effect::Error {
        name: name.to_owned(),
        with_200: false,
    };
    if let Some(status) = name.strip_prefix("status-") {
        let (status, html) = status
            .strip_suffix("-html")
            .map_or((status, false), |status| (status, true));
        let status = status_number(status)?;
        let retry_after = match argument {
            None => None,
            Some("date") => Some(RetryAfter::Date),
            Some(seconds) => Some(RetryAfter::Seconds(
                seconds
                    .parse()
                    .context("Retry-After needs a number or `date`")?,
            )),
        };
        return Ok(Effect::Status {
            status,
            html,
            retry_after,
        });
    }
    Ok(match name {
        "redirect" => Effect::Redirect(needed()?.trim_end_matches('/').to_owned()),
        "hang" => Effect::Hang,
        "cut" => Effect::Cut,
        "reset" => Effect::Reset,
        "slow" => Effect::Slow(argument.unwrap_or("20").parse()?),
        "empty" => Effect::Empty,
        "huge" => Effect::Huge(argument.unwrap_or("64").parse()?),
        "html" => Effect::Html,
        "body" => match needed()?.split_once(' ') {
            Some((status, text)) if status.len() == 3 && status_number(status).is_ok() => {
                Effect::Body(status_number(status)?, text.to_owned())
            }
            _ => Effect::Body(200, needed()?.to_owned()),
        },
        "error" => error(needed()?),
        "error-200" => Effect::Error {
            name: argument.unwrap_or("invalid_grant").to_owned(),
            with_200: true,
        },
        "aadsts" => {
            let code = needed()?.parse()?;
            if !aadsts_codes().any(|known| known == code) {
                bail!("the emulator does not know AADSTS{code}");
            }
            Effect::Aadsts(code)
        }
        "crlf" => Effect::Crlf,
        "slow_down" | "authorization_declined" => error(name),
        "expired_token" => Effect::Aadsts(70020),
        "rotate-keys" => Effect::RotateKeys,
        "no-message" => Effect::Edit(Edit::Remove("message".to_owned())),
        "no-interval" => Effect::Edit(Edit::Remove("interval".to_owned())),
        "interval" => Effect::Edit(Edit::Set("interval".to_owned(), number()?.into())),
        "verification-uri" => {
            Effect::Edit(Edit::Set("verification_uri".to_owned(), needed()?.into()))
        }
        "no-refresh-token" => Effect::Edit(Edit::Remove("refresh_token".to_owned())),
        "expires-in" => Effect::Edit(Edit::Set("expires_in".to_owned(), number()?.into())),
        "cae" => Effect::Cae,
        "unauthorized" => Effect::Unauthorized,
        "next-link" => Effect::Edit(Edit::Set("@odata.nextLink".to_owned(), needed()?.into())),
        "next-link-loop" => Effect::Edit(Edit::Loop),
        _ => bail!("there is no fault '{name}'"),
    })
}

/// A final HTTP status.
fn status_number(text: &str) -> anyhow::Result<u16> {
    let status = text
        .parse()
        .with_context(|| format!("'{text}' is no HTTP status"))?;
    if !(200..=599).contains(&status) {
        bail!("{status} is no status of an answer");
    }
    Ok(status)
}

/// The name of the endpoint at a path; the emulator's own pages have none.
pub fn endpoint_of(path: &str) -> Option<&'static str> {
    endpoints::names_of(path).first().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_read() {
        let fault: Fault = "token:status-429=7*2".parse().unwrap();
        assert_eq!((fault.endpoint.as_str(), fault.times), ("token", Some(2)));
        assert_eq!(
            fault.effect,
            Effect::Status {
                status: 429,
                html: false,
                retry_after: Some(RetryAfter::Seconds(7))
            }
        );
        let fault: Fault = "users:next-link=https://evil.example/v1.0/users?$skiptoken=x*always"
            .parse()
            .unwrap();
        assert_eq!(fault.times, None);
        assert_eq!(
            fault.effect,
            Effect::Edit(Edit::Set(
                "@odata.nextLink".to_owned(),
                "https://evil.example/v1.0/users?$skiptoken=x".into()
            ))
        );
        let fault: Fault = r#"token:body=418 {"a": "b*c"}"#.parse().unwrap();
        assert_eq!(
            (fault.effect, fault.times),
            (Effect::Body(418, r#"{"a": "b*c"}"#.to_owned()), Some(1))
        );
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for text in [
            "",
            "token",
            "nowhere:hang",
            "token:",
            "token:status-99",
            "token:status-429=soon",
            "token:aadsts=1",
            "token:redirect",
            "token:interval=x",
        ] {
            assert!(text.parse::<Fault>().is_err(), "{text}");
        }
    }

    #[test]
    fn every_listed_fault_can_be_set() {
        for (form, _) in FAULTS
            .iter()
            .filter(|(form, _)| !form.starts_with("body-file"))
        {
            let spec = form
                .replace("[STATUS ]TEXT", "400 {}")
                .replace("CODE", "50126")
                .replace("NNN", "503")
                .replace("SECONDS", "3");
            assert!(
                format!("any:{}", spec.replace("=NAME", "=x").replace("=N", "=9"))
                    .parse::<Fault>()
                    .is_ok(),
                "{form}"
            );
        }
    }
}
