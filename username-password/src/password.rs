//! Where the password comes from. Never from an argument, which every process of the machine can read.

use std::{
    io::{self, Read},
    path::Path,
};

use anyhow::Context;
use common::{
    config::{ConfigError, Settings},
    console,
    token_cache::TokenCache,
};
use oauth2::ResourceOwnerPassword;

/// Entra ID allows this many characters in a password.
const LONGEST: usize = 256;

pub enum Source {
    Known(ResourceOwnerPassword),
    /// The person at the terminal is asked, if it comes to that.
    Prompt,
}

impl Source {
    /// Stdin if asked for, else AZURE_PASSWORD, else a prompt where there is a terminal. A cached sign-in may need
    /// none of them.
    pub fn find(settings: &Settings, stdin: bool, cache: &TokenCache) -> Result<Self, ConfigError> {
        // Also where it is not used: others can read it all the same.
        if let Some(path) = settings.parameters_with("AZURE_PASSWORD")
            && is_readable_by_others(path)
        {
            console::say(format_args!(
                "Warning: {} holds a password and can be read by other users. Run: chmod 600 {0}",
                path.display()
            ));
        }
        if stdin {
            return from_stdin().map(Self::Known).map_err(|problem| {
                ConfigError::Usage(format!("The password from stdin {problem}."))
            });
        }
        let Some(setting) = settings.get("AZURE_PASSWORD")? else {
            if console::is_interactive() || cache.may_be_silent() {
                return Ok(Self::Prompt);
            }
            return Err(ConfigError::Usage(
                "There is no password and no terminal to ask at.\nPass it with --password-stdin or in AZURE_PASSWORD.".into(),
            ));
        };
        let password =
            checked(setting.value().to_owned()).map_err(|problem| setting.invalid(problem))?;
        Ok(Self::Known(password))
    }

    /// The password, for the moment in which it is sent.
    pub async fn get(&self) -> anyhow::Result<ResourceOwnerPassword> {
        match self {
            Self::Known(password) => Ok(password.clone()),
            Self::Prompt if !console::is_interactive() => {
                anyhow::bail!(
                    "The cached sign-in has ended, and there is no terminal to ask for the password.\nPass it with --password-stdin or in AZURE_PASSWORD."
                )
            }
            Self::Prompt => match rpassword::prompt_password("Password: ") {
                // Ctrl-C: the signal is on its way, and ends the program in the usual manner.
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                    std::future::pending().await
                }
                typed => {
                    let typed = typed.context("The password could not be read")?;
                    checked(typed).map_err(|problem| anyhow::anyhow!("The password {problem}."))
                }
            },
        }
    }
}

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
