//! Who signs in, and where the password comes from: never from an argument, which every process of the machine can
//! read.

use std::{
    io::{self, Read},
    path::Path,
};

use anyhow::{Context, anyhow, bail};
use common::{
    config::{ConfigError, Settings},
    console,
    token_cache::TokenCache,
};
use oauth2::{ResourceOwnerPassword, ResourceOwnerUsername};

/// Entra ID allows this many characters in a password.
const LONGEST: usize = 256;

pub struct User {
    pub name: ResourceOwnerUsername,
    /// None: the person at the terminal is asked, if it comes to that.
    password: Option<ResourceOwnerPassword>,
}

impl User {
    /// The user's name alone, by which the token cache is asked first.
    pub fn read(settings: &Settings) -> Result<Self, ConfigError> {
        let setting = settings.require("AZURE_USERNAME")?;
        if let Some(path) = settings.parameters_file_with("AZURE_PASSWORD")
            && is_readable_by_others(path)
        {
            console::say(format_args!(
                "Warning: {0} holds a password and can be read by other users. Run: chmod 600 {0}",
                path.display()
            ));
        }
        Ok(Self {
            name: ResourceOwnerUsername::new(setting.value().trim().to_owned()),
            password: None,
        })
    }

    /// Adds the password: from stdin if asked for, else AZURE_PASSWORD, else from a prompt where there is a terminal.
    /// A cached sign-in may need none of them.
    pub fn with_password(
        mut self,
        settings: &Settings,
        stdin: bool,
        cache: &TokenCache,
    ) -> Result<Self, ConfigError> {
        self.password = if stdin {
            let password = from_stdin().map_err(|problem| {
                ConfigError::Usage(format!("The password from stdin {problem}."))
            })?;
            Some(password)
        } else if let Some(setting) = settings.get("AZURE_PASSWORD")? {
            let password = checked(setting.value().to_owned());
            Some(password.map_err(|problem| setting.invalid(problem))?)
        } else if console::is_interactive() || cache.may_be_silent() {
            None
        } else {
            return Err(ConfigError::Usage(format!(
                "There is no password, and no terminal to ask at.\n{HINT}"
            )));
        };
        Ok(self)
    }

    /// The password, for the moment in which it is sent.
    pub async fn password(&self) -> anyhow::Result<ResourceOwnerPassword> {
        if let Some(password) = &self.password {
            return Ok(password.clone());
        }
        if !console::is_interactive() {
            bail!(
                "The cached sign-in has ended, and there is no terminal to ask for the password.\n{HINT}"
            );
        }
        match rpassword::prompt_password("Password: ") {
            // Ctrl-C: the signal is on its way, and ends the program in the usual manner.
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                std::future::pending().await
            }
            typed => {
                let typed = typed.context("The password could not be read")?;
                checked(typed).map_err(|problem| anyhow!("The password {problem}."))
            }
        }
    }
}

const HINT: &str = "Pass it with --password-stdin or in AZURE_PASSWORD.";

/// All of stdin but one final line end, which `echo` adds and no password has.
fn from_stdin() -> Result<ResourceOwnerPassword, String> {
    let mut bytes = Vec::new();
    // More than the longest password, in bytes of UTF-8 and a line end, need not be read.
    let limit = 4 * LONGEST + 3;
    io::stdin()
        .take(limit as u64)
        .read_to_end(&mut bytes)
        .map_err(|error| format!("cannot be read: {error}"))?;
    if bytes.len() == limit {
        return Err(too_long());
    }
    let mut password = String::from_utf8(bytes).map_err(|_| "is no UTF-8 text")?;
    if password.ends_with('\n') {
        password.pop();
        if password.ends_with('\r') {
            password.pop();
        }
    }
    checked(password)
}

fn checked(password: String) -> Result<ResourceOwnerPassword, String> {
    match password.chars().count() {
        0 => Err("is empty".into()),
        length if length > LONGEST => Err(too_long()),
        _ => Ok(ResourceOwnerPassword::new(password)),
    }
}

fn too_long() -> String {
    format!("is longer than {LONGEST} characters, the most that Entra ID allows")
}

#[cfg(unix)]
fn is_readable_by_others(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata()
        .is_ok_and(|file| file.permissions().mode() & 0o044 != 0)
}

#[cfg(not(unix))]
fn is_readable_by_others(_path: &Path) -> bool {
    false
}
