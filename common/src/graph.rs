//! Calls to Microsoft Graph: one answer, or page after page; what a refusal says; and the way to stdout.

use std::{
    collections::{HashSet, hash_map::DefaultHasher},
    fmt,
    hash::{Hash, Hasher},
    io::{self, Write},
};

use base64::{
    Engine,
    alphabet::{STANDARD, URL_SAFE},
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use oauth2::{
    AccessToken, HttpRequest, HttpResponse,
    http::{
        HeaderMap, HeaderValue, StatusCode,
        header::{ACCEPT, AUTHORIZATION, WWW_AUTHENTICATE},
    },
    url::Url,
};
use serde_json::{Map, Value};

use crate::{
    advice, console,
    http::{HttpClient, HttpError},
    oauth::Claims,
    text,
};

const NEXT_LINK: &str = "@odata.nextLink";
/// Of an error answer, this many bytes are looked at.
const LONGEST_ERROR: usize = 64 << 10;

/// Why a call to Graph has no result.
#[derive(Debug, thiserror::Error)]
pub enum GraphError {
    /// Graph does not accept the token (401). With a `challenge`, it accepts one that answers it.
    #[error("{refusal}")]
    Unauthorized {
        /// What to tell the user.
        refusal: Box<GraphRefusal>,
        /// What a new token has to answer (continuous access evaluation).
        challenge: Option<Claims>,
    },
    /// Graph refuses the call, or something else answers in its place.
    #[error("{0}")]
    Refused(Box<GraphRefusal>),
    /// The next page is not where it may be.
    #[error("Graph's @odata.nextLink {0}; it was not followed.")]
    NextLink(&'static str),
    /// An answer arrived, but not of the kind that was asked for.
    #[error("{0}")]
    Unexpected(&'static str),
    /// No answer arrived.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The result could not be written to stdout.
    #[error("The result could not be written: {0}.")]
    Output(io::Error),
}

/// A refused call, as the user sees it.
#[derive(Debug)]
pub struct GraphRefusal {
    /// The HTTP status.
    pub status: StatusCode,
    /// The error JSON, or the text of a page in its place.
    pub content: String,
    /// What to do about it.
    pub advice: String,
}

impl fmt::Display for GraphRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Failed to call the Web Api: {}", self.status)?;
        write!(f, "Content: {}\n{}", self.content, self.advice)
    }
}

impl GraphRefusal {
    pub(crate) fn read(answer: &HttpResponse, url: &Url) -> Self {
        let status = answer.status();
        let content = match serde_json::from_slice::<Value>(answer.body()) {
            Ok(mut json) if !status.is_success() => {
                make_visible(&mut json);
                text::shorten(&format!("{json:#}"), 4 * text::LONGEST)
            }
            _ => {
                let start = answer.body().get(..LONGEST_ERROR).unwrap_or(answer.body());
                let text = text::without_tags(&String::from_utf8_lossy(start));
                text::one_line(&text, 1000)
            }
        };
        Self {
            status,
            content,
            advice: advice::for_graph(status, url.path()),
        }
    }
}

/// Makes each string of foreign JSON safe for a terminal.
fn make_visible(json: &mut Value) {
    match json {
        Value::String(text) => *text = text::one_line(text, text::LONGEST),
        Value::Array(items) => items.iter_mut().for_each(make_visible),
        Value::Object(fields) => {
            *fields = std::mem::take(fields)
                .into_iter()
                .map(|(name, mut value)| {
                    make_visible(&mut value);
                    (text::one_line(&name, 100), value)
                })
                .collect();
        }
        _ => {}
    }
}

/// Calls Graph. Each call takes the token, so that a new one can be used as soon as there is one.
pub struct GraphClient(HttpClient);

impl GraphClient {
    /// A client that shares the connections of `http`.
    pub fn new(http: &HttpClient) -> Self {
        Self(http.clone())
    }

    /// GETs one JSON object.
    ///
    /// # Errors
    /// Graph refuses, cannot be reached, or answers with something else.
    pub async fn get(
        &self,
        url: &Url,
        token: &AccessToken,
    ) -> Result<Map<String, Value>, GraphError> {
        let mut authorization = HeaderValue::from_str(&format!("Bearer {}", token.secret()))
            .map_err(|_| GraphError::Unexpected("The access token is malformed."))?;
        authorization.set_sensitive(true);
        let mut request = HttpRequest::new(Vec::new());
        *request.uri_mut() = url
            .as_str()
            .parse()
            .map_err(|error| HttpError::Setup(format!("ENDPOINT is no URI: {error}.")))?;
        request.headers_mut().insert(AUTHORIZATION, authorization);
        request
            .headers_mut()
            .insert(ACCEPT, HeaderValue::from_static("application/json"));

        let answer = self.0.send(request).await?;
        if answer.status().is_success()
            && let Ok(json) = serde_json::from_slice(answer.body())
        {
            return Ok(json);
        }
        let refusal = Box::new(GraphRefusal::read(&answer, url));
        if answer.status() == StatusCode::UNAUTHORIZED {
            let challenge = claims_challenge(answer.headers());
            return Err(GraphError::Unauthorized { refusal, challenge });
        }
        Err(GraphError::Refused(refusal))
    }
}

/// One call and how far it has come, so that it can go on with a new token: what was printed stays printed.
pub struct GraphCall {
    url: Url,
    all: bool,
    manager: bool,
    seen: HashSet<u64>,
    document: Option<Document>,
}

impl GraphCall {
    /// A GET of `url`; with `all`, of all pages that follow.
    pub fn new(url: &Url, all: bool) -> Self {
        Self {
            url: url.clone(),
            all,
            manager: false,
            seen: HashSet::new(),
            document: None,
        }
    }

    /// Asks for the manager of the user as well.
    pub fn with_manager(mut self, manager: bool) -> Self {
        self.manager = manager;
        self
    }

    /// Makes the call and prints the answer to stdout, its fields in Graph's order. A reader who has seen enough
    /// and closes the pipe is no error.
    ///
    /// # Errors
    /// As [`GraphClient::get`]; a next page that must not be followed; a stdout that cannot be written.
    pub async fn print(
        &mut self,
        graph: &GraphClient,
        token: &AccessToken,
    ) -> Result<(), GraphError> {
        let printed = match self.all {
            true => self.print_pages(graph, token).await,
            false => self.print_object(graph, token).await,
        };
        match printed {
            Err(GraphError::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            printed => printed,
        }
    }

    async fn print_object(
        &self,
        graph: &GraphClient,
        token: &AccessToken,
    ) -> Result<(), GraphError> {
        let mut object = graph.get(&self.url, token).await?;
        if self.manager {
            if object.get("value").is_some_and(Value::is_array) {
                return Err(GraphError::Unexpected(
                    "--manager needs an ENDPOINT that answers with one user, such as /v1.0/me.",
                ));
            }
            let manager = manager_of(&self.url, graph, token).await?;
            object.insert("manager".into(), manager);
        }
        print_object(&object)
    }

    async fn print_pages(
        &mut self,
        graph: &GraphClient,
        token: &AccessToken,
    ) -> Result<(), GraphError> {
        loop {
            let mut page = graph.get(&self.url, token).await?;
            let next = page.shift_remove(NEXT_LINK);
            if self.document.is_none() && !page.get("value").is_some_and(Value::is_array) {
                return print_object(&page);
            }
            self.document.get_or_insert_default().print_page(page)?;
            match next {
                None => break,
                Some(link) => self.url = self.next_page(&link)?,
            }
        }
        self.document.take().unwrap_or_default().end()
    }

    /// The token goes with the request, so a page elsewhere is not asked for; a page seen before would never end.
    fn next_page(&mut self, link: &Value) -> Result<Url, GraphError> {
        let next = link.as_str().and_then(|link| Url::parse(link).ok());
        let next = next.ok_or(GraphError::NextLink("is no URL"))?;
        if next.origin() != self.url.origin() {
            return Err(GraphError::NextLink("leads to another host"));
        }
        self.seen.insert(hash(&self.url));
        if self.seen.contains(&hash(&next)) {
            return Err(GraphError::NextLink("leads back to an earlier page"));
        }
        Ok(next)
    }
}

/// Eight bytes for each page seen keep a listing of any length small.
fn hash(url: &Url) -> u64 {
    let mut hasher = DefaultHasher::new();
    url.hash(&mut hasher);
    hasher.finish()
}

/// The manager of the user at `user`, or null. Asked for on its own: `$expand=manager` answers a user without a
/// manager like one whose manager must not be seen.
async fn manager_of(
    user: &Url,
    graph: &GraphClient,
    token: &AccessToken,
) -> Result<Value, GraphError> {
    let mut url = user.clone();
    url.set_path(&format!("{}/manager", user.path().trim_end_matches('/')));
    url.set_query(None);
    match graph.get(&url, token).await {
        Ok(manager) => Ok(Value::Object(manager)),
        Err(GraphError::Refused(refusal)) if refusal.status == StatusCode::NOT_FOUND => {
            Ok(Value::Null)
        }
        Err(error) => Err(error),
    }
}

/// The label is for people, so it goes to stderr, and only when there is something to follow.
fn label() {
    console::say("Graph API call result:");
}

fn print_object(object: &Map<String, Value>) -> Result<(), GraphError> {
    label();
    let mut stdout = io::BufWriter::new(io::stdout().lock());
    serde_json::to_writer_pretty(&mut stdout, object)
        .map_err(io::Error::from)
        .and_then(|()| writeln!(stdout))
        .and_then(|()| stdout.flush())
        .map_err(GraphError::Output)
}

/// A listing on its way to stdout: the fields of the first page around the rows of all of them. Only one page is
/// ever in memory.
#[derive(Default)]
struct Document {
    begun: bool,
    rows: usize,
    after: Vec<(String, Value)>,
}

impl Document {
    fn print_page(&mut self, page: Map<String, Value>) -> Result<(), GraphError> {
        self.write_page(page)
            .map_err(GraphError::Output)?
            .ok_or(GraphError::Unexpected(
                "A later page of the listing has no rows, so that the listing is incomplete.",
            ))
    }

    fn write_page(&mut self, page: Map<String, Value>) -> io::Result<Option<()>> {
        let mut stdout = io::BufWriter::new(io::stdout().lock());
        if !self.begun {
            label();
            write!(stdout, "{{")?;
        }
        let mut rows = None;
        for (name, value) in page {
            match value {
                Value::Array(array) if name == "value" => rows = Some(array),
                _ if self.begun => {}
                value if rows.is_some() => self.after.push((name, value)),
                value => write!(
                    stdout,
                    "\n  {}: {},",
                    Value::String(name),
                    indented(&value, 2)
                )?,
            }
        }
        if !self.begun {
            write!(stdout, "\n  \"value\": [")?;
            self.begun = true;
        }
        for row in rows.iter().flatten() {
            let comma = if self.rows == 0 { "" } else { "," };
            write!(stdout, "{comma}\n    {}", indented(row, 4))?;
            self.rows += 1;
        }
        stdout.flush()?;
        Ok(rows.map(|_| ()))
    }

    fn end(self) -> Result<(), GraphError> {
        let write = || {
            let mut stdout = io::BufWriter::new(io::stdout().lock());
            let close = if self.rows == 0 { "]" } else { "\n  ]" };
            write!(stdout, "{close}")?;
            for (name, value) in &self.after {
                write!(
                    stdout,
                    ",\n  {}: {}",
                    Value::String(name.clone()),
                    indented(value, 2)
                )?;
            }
            writeln!(stdout, "\n}}")?;
            stdout.flush()
        };
        write().map_err(GraphError::Output)
    }
}

/// Pretty JSON inside of pretty JSON. A line break in it is never part of a string, where it would be escaped.
fn indented(value: &Value, spaces: usize) -> String {
    format!("{value:#}").replace('\n', &format!("\n{}", " ".repeat(spaces)))
}

/// The claims challenge of a 401: `Bearer …, error="insufficient_claims", claims="<base64>"`, its parameters in any
/// order (RFC 9110 section 11.6.1), its base64 of either alphabet and with or without padding.
pub fn claims_challenge(headers: &HeaderMap) -> Option<Claims> {
    let challenges = headers.get_all(WWW_AUTHENTICATE).into_iter();
    challenges
        .filter_map(|challenge| auth_parameter(challenge.to_str().ok()?, "claims"))
        .find_map(|claims| Claims::parse(&decode(&claims)?))
}

fn decode(base64: &str) -> Option<Vec<u8>> {
    let lenient = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    [&STANDARD, &URL_SAFE]
        .into_iter()
        .find_map(|alphabet| GeneralPurpose::new(alphabet, lenient).decode(base64).ok())
}

/// The value of one parameter of a challenge, quoted or not.
fn auth_parameter(challenge: &str, wanted: &str) -> Option<String> {
    let mut rest = challenge;
    loop {
        let (before, after) = rest.split_once('=')?;
        let name = before.rsplit([' ', ',', '\t']).next()?;
        let value;
        (value, rest) = match after.strip_prefix('"') {
            Some(quoted) => quoted_string(quoted)?,
            None => {
                let end = after.find([',', ' ']).unwrap_or(after.len());
                let (value, rest) = after.split_at(end);
                (value.to_owned(), rest)
            }
        };
        if name.eq_ignore_ascii_case(wanted) {
            return Some(value);
        }
    }
}

/// A quoted string without its opening quote: its value, and what follows the closing one.
fn quoted_string(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value, text.get(at + 1..)?)),
            '\\' => value.push(characters.next()?.1),
            character => value.push(character),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn challenge(header: &str) -> Option<Claims> {
        let mut headers = HeaderMap::new();
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_str(header).unwrap());
        claims_challenge(&headers)
    }

    #[test]
    fn claims_in_any_shape() {
        let claims = r#"{"access_token":{"nbf":{"essential":true,"value":"1635527790"}}}"#;
        let expected = Claims::parse(claims.as_bytes());
        let base64 = base64::engine::general_purpose::STANDARD.encode(claims);
        let bare = base64.trim_end_matches('=');
        for header in [
            format!(
                r#"Bearer realm="", authorization_uri="https://x/?a=b", error="insufficient_claims", claims="{base64}""#
            ),
            format!(r#"Bearer claims="{bare}", realm="a \" b, claims=\"no\"""#),
            format!("bearer CLAIMS={bare},realm=x"),
        ] {
            assert_eq!(challenge(&header), expected, "{header}");
        }
    }

    #[test]
    fn no_claims() {
        for header in [
            "",
            "Bearer",
            "Bearer realm=\"\"",
            "Bearer claims=\"",
            "Bearer claims=\"!\"",
            "claims",
            "=",
            "Bearer claims=\"e30\"",
        ] {
            assert_eq!(challenge(header), None, "{header}");
        }
    }
}
