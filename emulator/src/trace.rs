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

/// Parameters that are drawn by lot.
const RANDOM: &[&str] = &["code_challenge", "nonce", "session_state", "state"];
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
            Err(_) => String::from_utf8_lossy(body).into_owned(),
        };
        writeln!(out, "\n{}", stable(&body))?;
    }
    fence(out, "```")?;
    writeln!(out)
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
    if value == MASK || RANDOM.contains(&name) {
        return format!("{name}=<{name}>");
    }
    let encoded: String = byte_serialize(value.as_bytes()).collect();
    format!("{name}={}", encoded.replace("%3A", ":").replace("%2F", "/"))
}
