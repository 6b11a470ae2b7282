//! The exchange as HTTP, for reading and for docs: secrets masked, everything that differs from run to run replaced.

use std::fmt::Write;

use emulator::{Emulator, MASK, Recorded};
use form_urlencoded::byte_serialize;
use serde_json::Value;

/// How a trace is written.
#[derive(Clone, Copy, PartialEq, clap::ValueEnum)]
pub enum Format {
    /// As on the wire.
    Text,
    /// As blocks of a Markdown page.
    Markdown,
}

/// Fields of answers that differ from run to run, or are secrets.
const MASKED: &[&str] = &[
    "access_token",
    "secretText",
    "client-request-id",
    "client_info",
    "correlation_id",
    "date",
    "device_code",
    "id_token",
    "refresh_token",
    "request-id",
    "timestamp",
    "trace_id",
    "user_code",
];

/// Parameters that differ from run to run.
const VARYING: &[&str] = &["code_challenge", "nonce", "session_state", "sid", "state"];
/// On a page, a longer query has a line for each field.
const LONG_QUERY: usize = 100;

/// All requests and answers so far.
pub fn write(emulator: &Emulator, format: Format) -> String {
    let mut text = String::new();
    for request in emulator.requests() {
        // Writing to a string cannot fail.
        let _ = exchange(&mut text, &request, emulator.url(), format);
    }
    text
}

fn exchange(out: &mut String, request: &Recorded, base: &str, format: Format) -> std::fmt::Result {
    let fence = |out: &mut String, mark: &str| {
        if format == Format::Markdown {
            writeln!(out, "{mark}")
        } else {
            Ok(())
        }
    };
    let host = base.split_once("://").map_or(base, |(_, host)| host);
    let stable = |text: &str| text.replace(host, "localhost:8443");

    fence(out, "```http")?;
    writeln!(
        out,
        "{} {}{} HTTP/1.1",
        request.method,
        request.path,
        query(&request.query, format)
    )?;
    for (name, value) in &request.headers {
        if ["authorization", "content-type", "host"].contains(&name.as_str()) {
            writeln!(
                out,
                "{name}: {}",
                stable(value).replace(MASK, "<access_token>")
            )?;
        }
    }
    if !request.form.is_empty() {
        let fields: Vec<String> = request
            .form
            .iter()
            .map(|(name, value)| field(name, value))
            .collect();
        writeln!(out, "\n{}", fields.join("\n&"))?;
    }
    fence(out, "```")?;
    writeln!(out)?;

    fence(out, "```http")?;
    match request.status {
        Some(status) => writeln!(out, "HTTP/1.1 {status}")?,
        None => writeln!(out, "(no answer)")?,
    }
    if let Some((address, fields)) = &request.location {
        writeln!(
            out,
            "location: {}{}",
            stable(address),
            query(fields, format)
        )?;
    }
    if let Some(body) = request.answer.as_deref().filter(|body| !body.is_empty()) {
        let body = match serde_json::from_slice::<Value>(body) {
            Ok(mut json) => {
                let mut words = Vec::new();
                mask(&mut json, &mut words);
                if format == Format::Markdown {
                    shorten(&mut json);
                }
                // What is masked must not turn up in the words around it.
                words
                    .iter()
                    .fold(format!("{json:#}"), |text, (secret, mask)| {
                        text.replace(secret, mask)
                    })
            }
            Err(_) if format == Format::Markdown && body.starts_with(b"<") => "(a page)".into(),
            Err(_) => without_values(&String::from_utf8_lossy(body)),
        };
        writeln!(out, "\n{}", stable(&body))?;
    }
    fence(out, "```")?;
    writeln!(out)
}

/// A page whose hidden fields have their names as values: what travels in them are codes, tokens and sealed states.
fn without_values(html: &str) -> String {
    const VALUE: &str = " value=\"";
    let mut text = String::new();
    let mut rest = html;
    while let Some((before, field)) = rest.split_once("<input type=\"hidden\" name=\"") {
        let (name, value) = field.split_once('"').unwrap_or((field, ""));
        let after = value
            .strip_prefix(VALUE)
            .and_then(|value| value.split_once('"'))
            .map_or("", |(_, after)| after);
        let _ = write!(
            text,
            "{before}<input type=\"hidden\" name=\"{name}\"{VALUE}&lt;{name}&gt;\""
        );
        rest = after;
    }
    text + rest
}

/// Replaces the masked fields by their names, and collects what was replaced.
fn mask(json: &mut Value, replaced: &mut Vec<(String, String)>) {
    match json {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Value::String(text) if MASKED.contains(&name.as_str()) && !text.is_empty() => {
                        let mask = format!("<{name}>");
                        replaced.push((std::mem::replace(text, mask.clone()), mask));
                    }
                    other => mask(other, replaced),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| mask(item, replaced)),
        _ => {}
    }
}

/// Leaves the beginning of keys and certificates, which nobody reads.
fn shorten(json: &mut Value) {
    match json {
        Value::String(text) if text.len() > 60 && !text.contains([' ', ':']) => {
            *text = text.chars().take(20).chain(['…']).collect();
        }
        Value::Object(fields) => fields.values_mut().for_each(shorten),
        Value::Array(items) => items.iter_mut().for_each(shorten),
        _ => {}
    }
}

fn query(fields: &[(String, String)], format: Format) -> String {
    let fields: Vec<String> = fields
        .iter()
        .map(|(name, value)| field(name, value))
        .collect();
    let query = fields.join("&");
    match (query.len(), format) {
        (0, _) => query,
        (LONG_QUERY.., Format::Markdown) => format!("?{}", fields.join("\n  &")),
        _ => format!("?{query}"),
    }
}

/// Percent-encoded, but for what reads well and does no harm; a secret is replaced by its name.
fn field(name: &str, value: &str) -> String {
    if value == MASK || VARYING.contains(&name) {
        return format!("{name}=<{name}>");
    }
    let encoded: String = byte_serialize(value.as_bytes()).collect();
    format!("{name}={}", encoded.replace("%3A", ":").replace("%2F", "/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_fields_of_a_page_are_masked() {
        let page = r#"<form action="/"><input type="hidden" name="code" value="1.secret"><input type="hidden" name="state" value=""><input name="user" value="shown"></form>"#;
        let shown = r#"<form action="/"><input type="hidden" name="code" value="&lt;code&gt;"><input type="hidden" name="state" value="&lt;state&gt;"><input name="user" value="shown"></form>"#;
        assert_eq!(without_values(page), shown);
        assert_eq!(without_values("plain"), "plain");
        // Broken off in the middle: what follows is not shown.
        let cut = r#"<input type="hidden" name="code" value="1.sec"#;
        assert!(!without_values(cut).contains("1.sec"));
    }

    #[test]
    fn fields_that_differ_from_run_to_run_go_by_their_names() {
        assert_eq!(field("nonce", "abc"), "nonce=<nonce>");
        assert_eq!(field("code", MASK), "code=<code>");
        assert_eq!(field("scope", "a b"), "scope=a+b");
    }
}
