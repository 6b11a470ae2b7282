//! The record of requests: what came, what was answered, secrets masked, and no more of it than fits.

use std::collections::VecDeque;
use std::sync::Mutex;

use ring::digest::{SHA256, digest};
use serde::Serialize;

use crate::call::{Call, Form};
use crate::locked;

/// How many requests are kept.
const LIMIT: usize = 2000;
/// How much of one field is kept.
const FIELD_LIMIT: usize = 500;
/// Fields whose value is nobody's business.
const SECRET_FIELDS: &[&str] = &[
    "access_token",
    "assertion",
    "client_assertion",
    "client_secret",
    "code",
    "code_verifier",
    "device_code",
    "id_token",
    "id_token_hint",
    "new_password",
    "password",
    "refresh_token",
    "state_of_page",
];
/// Headers that are kept.
const HEADERS: &[&str] = &[
    "accept",
    "authorization",
    "client-request-id",
    "content-type",
    "host",
    "origin",
    "user-agent",
];
/// What stands in the place of a secret in the record.
pub const MASK: &str = "***";

/// A request and its answer.
#[derive(Clone, Debug, Serialize)]
pub struct Recorded {
    /// Counts the requests from 1.
    pub number: u64,
    /// Counts the connections from 1: requests with the same number came over the same one.
    pub connection: u64,
    /// The method.
    pub method: String,
    /// The path.
    pub path: String,
    /// The fields of the query, secrets masked.
    pub query: Vec<(String, String)>,
    /// The fields of the form, secrets masked.
    pub form: Vec<(String, String)>,
    /// The headers that tell something, secrets masked.
    pub headers: Vec<(String, String)>,
    /// The status of the answer; nothing as long as there is none.
    pub status: Option<u16>,
    /// The fault that was used; several are joined by a comma.
    pub fault: Option<String>,
    /// The body of the answer, where an exchange is traced.
    #[serde(skip)]
    pub answer: Option<Vec<u8>>,
    /// Where a redirect leads, and the fields of its query, secrets masked.
    #[serde(skip)]
    pub location: Option<(String, Vec<(String, String)>)>,
    /// SHA-256 of each secret's value, to compare with.
    #[serde(skip)]
    secrets: Vec<(String, Vec<u8>)>,
}

impl Recorded {
    /// A field of the form, or `***` if it is a secret.
    pub fn field(&self, name: &str) -> Option<&str> {
        value_of(&self.form, name)
    }

    /// A field of the query, or `***` if it is a secret.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        value_of(&self.query, name)
    }

    /// A header, by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        value_of(&self.headers, name)
    }

    /// Whether a secret field, or the header `authorization`, had exactly this value.
    pub fn carried(&self, name: &str, value: &str) -> bool {
        self.secrets.iter().any(|(secret, hash)| {
            secret == name && hash == digest(&SHA256, value.as_bytes()).as_ref()
        })
    }
}

fn value_of<'a>(fields: &'a [(String, String)], name: &str) -> Option<&'a str> {
    fields
        .iter()
        .find(|(field, _)| field == name)
        .map(|(_, value)| value.as_str())
}

/// All requests that are kept.
#[derive(Debug)]
pub struct Record {
    requests: Mutex<(u64, VecDeque<Recorded>)>,
    /// Whether answers are kept too.
    pub traces: bool,
}

impl Record {
    /// An empty record.
    pub fn new(traces: bool) -> Self {
        Self {
            requests: Mutex::default(),
            traces,
        }
    }

    /// Notes a request down, and returns its number.
    pub fn request(&self, call: &Call, connection: u64) -> u64 {
        let mut secrets = Vec::new();
        let query = masked(&call.query, &mut secrets);
        let form = masked(&call.form, &mut secrets);
        let headers = HEADERS.iter().filter_map(|name| {
            let value = call.header(name)?;
            if *name != "authorization" {
                return Some(((*name).to_owned(), shortened(value)));
            }
            secrets.push((
                (*name).to_owned(),
                digest(&SHA256, value.as_bytes()).as_ref().to_vec(),
            ));
            let scheme = value.split_once(' ').map_or("", |(scheme, _)| scheme);
            Some(((*name).to_owned(), format!("{} {MASK}", shortened(scheme))))
        });
        let headers = headers.collect();
        let mut requests = locked(&self.requests);
        let (count, kept) = &mut *requests;
        *count += 1;
        let path = shortened(&call.path);
        let method = call.method.to_string();
        kept.push_back(Recorded {
            number: *count,
            connection,
            method,
            path,
            query,
            form,
            headers,
            status: None,
            fault: joined(&locked(&call.faults)),
            answer: None,
            location: None,
            secrets,
        });
        if kept.len() > LIMIT {
            kept.pop_front();
        }
        *count
    }

    /// Notes down how a request was answered, and with which faults.
    pub fn answer(
        &self,
        number: u64,
        status: u16,
        faults: &[String],
        answer: Option<Vec<u8>>,
        location: Option<&str>,
    ) {
        let location = location.filter(|_| self.traces).map(|location| {
            let (address, query) = location.split_once('?').unwrap_or((location, ""));
            let form = Form::parse(query.as_bytes());
            (shortened(address), masked(&form, &mut Vec::new()))
        });
        let mut requests = locked(&self.requests);
        if let Some(request) = requests
            .1
            .iter_mut()
            .rev()
            .find(|request| request.number == number)
        {
            request.status = Some(status);
            request.answer = answer;
            request.location = location;
            request.fault = joined(faults);
        }
    }

    /// All requests that are kept, oldest first.
    pub fn list(&self) -> Vec<Recorded> {
        locked(&self.requests).1.iter().cloned().collect()
    }

    /// The newest requests, so many of them, oldest first.
    pub fn latest(&self, count: usize) -> Vec<Recorded> {
        let requests = locked(&self.requests);
        let first = requests.1.len().saturating_sub(count);
        requests.1.iter().skip(first).cloned().collect()
    }

    /// Forgets the requests so far.
    pub fn clear(&self) {
        locked(&self.requests).1.clear();
    }
}

fn joined(faults: &[String]) -> Option<String> {
    (!faults.is_empty()).then(|| shortened(&faults.join(", ")))
}

fn masked(form: &Form, secrets: &mut Vec<(String, Vec<u8>)>) -> Vec<(String, String)> {
    let fields = form.fields().iter().take(40).map(|(name, value)| {
        let shown = if SECRET_FIELDS.contains(&name.as_str()) {
            secrets.push((
                name.clone(),
                digest(&SHA256, value.as_bytes()).as_ref().to_vec(),
            ));
            MASK.to_owned()
        } else {
            shortened(value)
        };
        (shortened(name), shown)
    });
    fields.collect()
}

fn shortened(text: &str) -> String {
    let end = text.char_indices().nth(FIELD_LIMIT);
    end.and_then(|(end, _)| text.get(..end))
        .unwrap_or(text)
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_masked_but_can_be_compared() {
        let mut secrets = Vec::new();
        let form = masked(&Form::parse(b"username=a&password=b+c"), &mut secrets);
        assert_eq!(
            form,
            [
                ("username".to_owned(), "a".to_owned()),
                ("password".to_owned(), MASK.to_owned())
            ]
        );
        let hash = digest(&SHA256, b"b c").as_ref().to_vec();
        assert_eq!(secrets, [("password".to_owned(), hash)]);
    }
}
