//! Whether a redirect URI is a registered one: exact to the letter, but for the port of this machine's own addresses.

use crate::directory::Application;

/// How an application has registered a redirect URI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Platform {
    /// A web application, which has to prove itself when it redeems a code.
    Web,
    /// A mobile or desktop application, which cannot.
    Public,
    /// A script in a browser, which cannot either, and shows its origin instead.
    SinglePage,
}

/// The platform of a redirect URI, if the application has registered it.
pub fn registered(application: &Application, asked: &str) -> Option<Platform> {
    let among = |uris: &[String]| uris.iter().any(|uri| matches(uri, asked));
    [
        (&application.redirect_uris, Platform::Web),
        (&application.public_redirect_uris, Platform::Public),
        (&application.spa_redirect_uris, Platform::SinglePage),
    ]
    .into_iter()
    .find(|(uris, _)| among(uris))
    .map(|(_, platform)| platform)
}

/// Whether a page of this origin belongs to an application that is registered as a single-page one.
pub fn is_single_page(application: &Application, page: &str) -> bool {
    let uris = &application.spa_redirect_uris;
    uris.iter()
        .filter_map(|uri| origin(uri))
        .any(|registered| matches(&registered, page))
}

/// A URI without a path has the path `/` (RFC 3986, 6.2.3).
pub fn with_path(uri: &str) -> String {
    match uri.split_once("://") {
        Some((_, rest)) if !rest.contains(['/', '?', '#']) => format!("{uri}/"),
        _ => uri.to_owned(),
    }
}

/// `http://localhost:5000` of `http://localhost:5000/getAToken`, as a Content-Security-Policy writes it.
pub fn origin(uri: &str) -> Option<String> {
    let (scheme, rest) = uri.split_once(':')?;
    let origin = match rest.strip_prefix("//") {
        Some(rest) if ["http", "https"].contains(&scheme) => {
            format!("{scheme}://{}", rest.split(['/', '?', '#']).next()?)
        }
        _ => format!("{scheme}:"),
    };
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:/+[]".contains(&byte);
    origin.bytes().all(is_plain).then_some(origin)
}

fn matches(registered: &str, asked: &str) -> bool {
    let (registered, asked) = (with_path(registered), with_path(asked));
    registered == asked
        || without_port(&registered)
            .is_some_and(|registered| Some(registered) == without_port(&asked))
}

/// An address of this machine without its port (RFC 8252, 7.3); nothing if it is another machine's.
fn without_port(uri: &str) -> Option<(&str, &str, &str)> {
    let (scheme, rest) = uri.split_once("://")?;
    let (authority, path) = rest.split_at(rest.find('/')?);
    let (host, port) = match authority.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (authority, None),
    };
    let is_number =
        |port: &str| port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok();
    let is_own = ["localhost", "127.0.0.1"].contains(&host)
        && ["http", "https"].contains(&scheme)
        && port.is_none_or(is_number);
    is_own.then_some((scheme, host, path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_port_of_this_machine_may_differ() {
        for (registered, asked) in [
            (
                "http://localhost:5000/getAToken",
                "http://localhost:5000/getAToken",
            ),
            (
                "http://localhost:5000/getAToken",
                "http://localhost:61234/getAToken",
            ),
            ("http://localhost", "http://localhost:61234"),
            ("http://localhost/", "http://localhost:61234"),
            ("http://127.0.0.1/x", "http://127.0.0.1:1/x"),
            ("msal123://auth", "msal123://auth"),
            (
                "https://web.contoso.com/a?b=c",
                "https://web.contoso.com/a?b=c",
            ),
        ] {
            assert!(matches(registered, asked), "{asked}");
        }
        for (registered, asked) in [
            (
                "http://localhost:5000/getAToken",
                "http://localhost:5000/GetAToken",
            ),
            (
                "http://localhost:5000/getAToken",
                "http://localhost:5000/getAToken/",
            ),
            (
                "http://localhost:5000/getAToken",
                "http://localhost:5000/getAToken?x",
            ),
            (
                "http://localhost:5000/getAToken",
                "http://localhost:5000/x/../getAToken",
            ),
            (
                "http://localhost:5000/getAToken",
                "https://localhost:5000/getAToken",
            ),
            (
                "http://localhost:5000/getAToken",
                "http://127.0.0.1:5000/getAToken",
            ),
            (
                "http://localhost:5000/getAToken",
                "http://localhost:80@evil.example/getAToken",
            ),
            (
                "http://localhost:5000/getAToken",
                "http://localhost.evil.example/getAToken",
            ),
            (
                "http://localhost:5000/getAToken",
                "http://localhost:80\\@evil.example/getAToken",
            ),
            ("http://localhost:5000/", "http://localhost?@evil.example/"),
            ("http://localhost:5000/a", "http://localhost:99999/a"),
            ("http://localhost:5000/a", "http://localhost:/a"),
            ("https://web.contoso.com/a", "https://web.contoso.com:444/a"),
            ("https://web.contoso.com/a", "https://web.contoso.com/a#b"),
        ] {
            assert!(!matches(registered, asked), "{asked}");
        }
    }

    #[test]
    fn an_origin_holds_nothing_that_ends_a_policy() {
        assert_eq!(
            origin("http://localhost:5000/a/b?c").unwrap(),
            "http://localhost:5000"
        );
        assert_eq!(origin("msal123://auth").unwrap(), "msal123:");
        assert_eq!(origin("http://a;b/"), None);
    }
}
