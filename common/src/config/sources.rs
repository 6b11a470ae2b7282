//! What a setting may be called, where a person finds it, and the files that it may stand in.

use std::{collections::HashMap, fs::File, io::Read, path::Path};

use serde_json::Value;

use super::ConfigError;

/// Everything that a setting may be called, with what it is and where it is found.
const SETTINGS: &[(&str, &str)] = &[
    (
        "AUTHORITY",
        "https://login.microsoftonline.com/<tenant>, the tenant being Microsoft Entra admin center > App registrations > your app > Overview > Directory (tenant) ID",
    ),
    (
        "CLIENT_ID",
        "the GUID at Microsoft Entra admin center > App registrations > your app > Overview > Application (client) ID",
    ),
    (
        "CLIENT_SECRET",
        "the Value (not the Secret ID) of a secret made at Microsoft Entra admin center > App registrations > your app > Certificates & secrets > Client secrets",
    ),
    (
        "CLIENT_CERTIFICATE",
        "the path of a PEM file with private key and certificate, the certificate being uploaded at Microsoft Entra admin center > App registrations > your app > Certificates & secrets > Certificates",
    ),
    (
        "AZURE_FEDERATED_TOKEN_FILE",
        "the path of a token whose issuer is trusted at Microsoft Entra admin center > App registrations > your app > Certificates & secrets > Federated credentials",
    ),
    (
        "CLIENT_OBJECTID",
        "the GUID at Microsoft Entra admin center > App registrations > your app > Overview > Object ID",
    ),
    (
        "SCOPE",
        "a list of permissions, separated by spaces, from Microsoft Entra admin center > App registrations > your app > API permissions",
    ),
    (
        "ENDPOINT",
        "the full URL to call, for example https://graph.microsoft.com/v1.0/me, on a host of the API whose permissions stand at Microsoft Entra admin center > App registrations > your app > API permissions",
    ),
    (
        "REDIRECT_URI",
        "one of those at Microsoft Entra admin center > App registrations > your app > Authentication > Redirect URIs",
    ),
    (
        "AZURE_USERNAME",
        "the name at Microsoft Entra admin center > Users > the user > User principal name",
    ),
    (
        "AZURE_PASSWORD",
        "the password of AZURE_USERNAME, which Microsoft Entra admin center > Users > the user > Reset password changes",
    ),
    (
        "OIDC_AUTHORITY",
        "the issuer of an OpenID provider, for an external tenant with a domain of its own at Microsoft Entra admin center > External Identities > Custom domains, and its metadata is at <it>/.well-known/openid-configuration",
    ),
    (
        "B2C_TENANT_NAME",
        "the first part of <name>.onmicrosoft.com, found at Azure portal > Azure AD B2C > Overview > Domain name (Microsoft Entra admin center has no B2C)",
    ),
    (
        "SIGNUPSIGNIN_USER_FLOW",
        "a name at Azure portal > Azure AD B2C > User flows (Microsoft Entra admin center has no B2C)",
    ),
    (
        "EDITPROFILE_USER_FLOW",
        "a name at Azure portal > Azure AD B2C > User flows (Microsoft Entra admin center has no B2C)",
    ),
    (
        "RESETPASSWORD_USER_FLOW",
        "a name at Azure portal > Azure AD B2C > User flows (Microsoft Entra admin center has no B2C)",
    ),
    (
        "SESSION_STORE",
        "redis://<host>:<port> or rediss://<host>:<port> where several instances share their sessions; it has no place in Microsoft Entra admin center",
    ),
    (
        "TRUST_FORWARDED_HEADERS",
        "1 behind a proxy that sets X-Forwarded-Proto and X-Forwarded-Host itself, else 0; it has no place in Microsoft Entra admin center",
    ),
];

/// The keys of a parameters file and the settings that they stand for.
const PARAMETERS: &[(&str, &str)] = &[
    ("authority", "AUTHORITY"),
    ("client_id", "CLIENT_ID"),
    ("client_secret", "CLIENT_SECRET"),
    ("client_objectid", "CLIENT_OBJECTID"),
    ("username", "AZURE_USERNAME"),
    ("password", "AZURE_PASSWORD"),
    ("scope", "SCOPE"),
    ("endpoint", "ENDPOINT"),
];

/// A settings file larger than this many bytes is a mistake.
const LARGEST_FILE: u64 = 1 << 20;

pub(crate) fn found_at(name: &str) -> &'static str {
    SETTINGS
        .iter()
        .find(|(setting, _)| *setting == name)
        .map_or("", |(_, place)| place)
}

pub(crate) fn set_by(name: &str) -> String {
    let key = PARAMETERS.iter().find(|(_, setting)| *setting == name);
    let key = key.map_or(String::new(), |(key, _)| {
        format!(", or as \"{key}\" in a parameters file")
    });
    format!("in the environment or in .env{key}")
}

/// `Enter_the_…_Here`, `your_…` and `<…>` are what samples put where a value belongs. A password may well have such
/// characters inside, so that it is one only as a whole.
pub(crate) fn is_placeholder(name: &str, value: &str) -> bool {
    if name == "AZURE_PASSWORD" {
        return ["Enter_the_", "your_"]
            .iter()
            .any(|start| value.starts_with(start))
            || (value.starts_with('<') && value.ends_with('>'));
    }
    let angle = value.find('<').zip(value.rfind('>'));
    value.contains("Enter_the_")
        || value.contains("your_")
        || angle.is_some_and(|(open, close)| open < close)
}

/// The known settings in a `.env` file. The process environment stays as it is, so that nothing else in the file
/// (say a proxy) has any effect.
pub(crate) fn dot_env(path: &Path) -> Result<HashMap<&'static str, String>, ConfigError> {
    let file = |problem: String| ConfigError::File {
        path: path.to_owned(),
        problem,
    };
    let content = read(path)?;
    let mut values = HashMap::new();
    for (entries, entry) in dotenvy::from_read_iter(content.as_bytes()).enumerate() {
        // The error's own text would show the line, which may hold a secret.
        let (key, value) = entry.map_err(|_| {
            let line = line_after(&content, entries);
            file(format!(
                "line {line} is not NAME=value; a value that has spaces, #, $ or \\ goes between single quotes"
            ))
        })?;
        if let Some((name, _)) = SETTINGS.iter().find(|(name, _)| *name == key) {
            values.entry(*name).or_insert(value);
        }
    }
    Ok(values)
}

/// The line at which an entry begins that cannot be parsed, after so many that can: dotenvy does not tell. No shorter
/// beginning of the file fails after as many entries.
fn line_after(content: &str, entries: usize) -> usize {
    let ends: Vec<usize> = content.match_indices('\n').map(|(at, _)| at + 1).collect();
    let before = |end: &usize| {
        let beginning = content.as_bytes().get(..*end).unwrap_or_default();
        !matches!(
            dotenvy::from_read_iter(beginning).nth(entries),
            Some(Err(_))
        )
    };
    ends.partition_point(before) + 1
}

/// The known settings in a JSON parameters file. Types are checked here, and not by serde's derive, because
/// serde's messages quote the value.
pub(crate) fn parameters(
    path: &Path,
    more_keys: &[(&str, &'static str)],
) -> Result<HashMap<&'static str, String>, ConfigError> {
    let file = |problem: String| ConfigError::File {
        path: path.to_owned(),
        problem,
    };
    let content = read(path)?;
    let json: Value = serde_json::from_str(&content).map_err(|error| {
        file(format!(
            "is not valid JSON at line {} column {}",
            error.line(),
            error.column()
        ))
    })?;
    let object = json
        .as_object()
        .ok_or_else(|| file("is JSON, but no object: it must begin with {".into()))?;
    let mut values = HashMap::new();
    for (key, name) in PARAMETERS.iter().chain(more_keys) {
        let value = match (object.get(*key), *key) {
            (None, _) => continue,
            (Some(Value::String(value)), _) => value.clone(),
            (Some(Value::Array(items)), "scope") => items
                .iter()
                .map(Value::as_str)
                .collect::<Option<Vec<_>>>()
                .ok_or_else(|| file("\"scope\" has an item that is no string".into()))?
                .join(" "),
            (Some(_), "scope") => {
                return Err(file(
                    "\"scope\" is neither a string nor an array of strings".into(),
                ));
            }
            (Some(_), _) => return Err(file(format!("\"{key}\" is no string"))),
        };
        values.insert(*name, value);
    }
    Ok(values)
}

fn read(path: &Path) -> Result<String, ConfigError> {
    let file = |problem: String| ConfigError::File {
        path: path.to_owned(),
        problem,
    };
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(LARGEST_FILE + 1).read_to_end(&mut bytes))
        .map_err(|error| file(format!("cannot be read: {error}")))?;
    if bytes.len() as u64 > LARGEST_FILE {
        return Err(file("is larger than 1 MiB".into()));
    }
    let content = String::from_utf8(bytes).map_err(|_| file("is no UTF-8 text".into()))?;
    // Some editors begin a file with a byte order mark.
    Ok(content.trim_start_matches('\u{feff}').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders() {
        for value in [
            "Enter_the_Client_Id_Here",
            "your_client_id",
            "https://login.microsoftonline.com/<tenant>",
        ] {
            assert!(is_placeholder("AUTHORITY", value), "{value}");
        }
        for value in ["a>b<c", "59c06144-a668-4828-9ca8-ed6e117c8344", "1<2"] {
            assert!(!is_placeholder("AUTHORITY", value), "{value}");
        }
        assert!(is_placeholder("AZURE_PASSWORD", "<password>"));
        assert!(!is_placeholder("AZURE_PASSWORD", "a<b>c your_ Enter_the_"));
    }

    #[test]
    fn every_parameter_is_a_setting() {
        for (_, name) in PARAMETERS {
            assert!(!found_at(name).is_empty(), "{name}");
        }
    }
}
