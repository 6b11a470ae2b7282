//! The cache file. It is replaced as a whole, so a reader never sees half of it and needs no lock. Writers lock each
//! other out, so none undoes what another has just stored.

use std::{
    cell::Cell,
    env,
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io::{self, Read, Write},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

use super::{Account, now};
use crate::console;

/// The format of the file. Another one is not read, and is replaced by the next token.
const VERSION: u32 = 1;
/// A larger file, in bytes, is none of ours.
const LARGEST_FILE: u64 = 16 << 20;
/// How long another process may hold the lock.
const LOCK_PATIENCE: Duration = Duration::from_secs(5);

#[derive(Default, Deserialize, Serialize)]
struct CacheFile {
    version: u32,
    accounts: Vec<Account>,
}

/// The file, and everything that can be wrong with a disk. The first trouble is told; none of it ends the run.
pub(super) struct Store {
    folder: PathBuf,
    warned: Cell<bool>,
}

impl Store {
    pub(super) fn find() -> Option<Self> {
        let Some(caches) = cache_folder() else {
            console::say("Warning: this user has no cache directory, so tokens are not kept.");
            return None;
        };
        let store = Self {
            folder: caches.join("entra-samples-rust"),
            warned: Cell::new(false),
        };
        console::say(format_args!("Token cache: {}", store.file().display()));
        Some(store)
    }

    fn file(&self) -> PathBuf {
        self.folder.join("token_cache.json")
    }

    fn warn(&self, problem: impl std::fmt::Display) {
        if !self.warned.replace(true) {
            console::say(format_args!(
                "Warning: the token cache is unusable: {problem}."
            ));
        }
    }

    /// All accounts, or none where the file is missing or unusable.
    pub(super) fn read(&self) -> Vec<Account> {
        match read(&self.file(), &self.folder) {
            Ok(accounts) => accounts,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => {
                self.warn(error);
                Vec::new()
            }
        }
    }

    /// Makes a change to an account in the file, as other runs have left it by now; `account` where it is not there.
    pub(super) fn change(&self, account: &Account, change: impl Fn(&mut Account)) {
        let changed = self.lock().and_then(|_lock| {
            let now = now();
            let mut accounts = self.read();
            match accounts.iter_mut().find(|other| other.is_same(account)) {
                Some(account) => change(account),
                None => accounts.push(account.clone()),
            }
            for account in &mut accounts {
                account
                    .access_tokens
                    .retain(|cached| cached.expires_at > now);
            }
            accounts.retain(|account| account.is_alive(now));
            self.replace(&CacheFile {
                version: VERSION,
                accounts,
            })
        });
        if let Err(error) = changed {
            self.warn(error);
        }
    }

    /// Locks other writers out until the file is dropped, be it by kill -9.
    fn lock(&self) -> io::Result<File> {
        make_private_folder(&self.folder)?;
        let lock = private_file()
            .truncate(false)
            .open(self.folder.join("token_cache.lock"))?;
        let deadline = Instant::now() + LOCK_PATIENCE;
        loop {
            match lock.try_lock() {
                Ok(()) => return Ok(lock),
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                    thread::sleep(Duration::from_millis(10));
                }
                Err(TryLockError::WouldBlock) => {
                    return Err(io::Error::other("another process keeps it locked"));
                }
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
    }

    /// Writes a new file beside the old one and renames it. Only who holds the lock does, so one name is enough,
    /// and what a killed process leaves behind is overwritten.
    fn replace(&self, content: &CacheFile) -> io::Result<()> {
        let new = self.folder.join("token_cache.new");
        match fs::remove_file(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = private_file().create_new(true).open(&new)?;
        let written = serde_json::to_vec_pretty(content)
            .map_err(io::Error::from)
            .and_then(|json| file.write_all(&json))
            .and_then(|()| file.sync_all())
            .and_then(|()| fs::rename(&new, self.file()));
        if written.is_err() {
            let _ = fs::remove_file(&new);
        }
        written
    }
}

fn read(path: &Path, folder: &Path) -> io::Result<Vec<Account>> {
    let unusable = |problem: &str| io::Error::other(format!("{} {problem}", path.display()));
    let about =
        |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
    // Not through a link, and not from a pipe, which would block.
    if !fs::symlink_metadata(path).map_err(about)?.is_file() {
        return Err(unusable("is no plain file"));
    }
    let file = File::open(path).map_err(about)?;
    if !is_private(&file, folder)? {
        return Err(unusable(
            "can be read or written by others; it must be yours, with mode 600",
        ));
    }
    let mut json = Vec::new();
    file.take(LARGEST_FILE)
        .read_to_end(&mut json)
        .map_err(about)?;
    parse(&json).map_err(unusable)
}

/// The accounts in a cache file, or a clause that says why it has none.
pub(crate) fn parse(json: &[u8]) -> Result<Vec<Account>, &'static str> {
    match serde_json::from_slice::<CacheFile>(json) {
        Ok(cache) if cache.version == VERSION => Ok(cache.accounts),
        Ok(_) => Err("has the format of another version"),
        Err(_) => Err("is damaged, or not of this format"),
    }
}

#[cfg(unix)]
fn private_file() -> OpenOptions {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = OpenOptions::new();
    options.write(true).create(true).mode(0o600);
    options
}

#[cfg(not(unix))]
fn private_file() -> OpenOptions {
    // The user's own cache directory is closed to others by its access control list.
    let mut options = OpenOptions::new();
    options.write(true).create(true);
    options
}

#[cfg(unix)]
fn make_private_folder(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
    let about =
        |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", folder.display()));
    if let Some(parent) = folder.parent() {
        fs::create_dir_all(parent).map_err(about)?;
    }
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(about)?;
    if fs::metadata(folder).map_err(about)?.permissions().mode() & 0o777 != 0o700 {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700)).map_err(about)?;
    }
    Ok(())
}

#[cfg(not(unix))]
fn make_private_folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).create(folder)
}

/// Only the owner of the folder can have written a private file in it.
#[cfg(unix)]
fn is_private(file: &File, folder: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;
    let file = file.metadata()?;
    Ok(file.mode() & 0o077 == 0 && file.uid() == fs::metadata(folder)?.uid())
}

#[cfg(not(unix))]
fn is_private(_file: &File, _folder: &Path) -> io::Result<bool> {
    Ok(true)
}

/// Where this system keeps a user's caches; on Linux after the XDG Base Directory Specification.
fn cache_folder() -> Option<PathBuf> {
    let named_by = |name| {
        let folder = PathBuf::from(env::var_os(name)?);
        folder.is_absolute().then_some(folder)
    };
    if cfg!(windows) {
        return named_by("LOCALAPPDATA");
    }
    let below_home = |path| Some(env::home_dir()?.join(path)).filter(|folder| folder.is_absolute());
    if cfg!(target_os = "macos") {
        return below_home("Library/Caches");
    }
    named_by("XDG_CACHE_HOME").or_else(|| below_home(".cache"))
}
