//! Where sessions are kept: in a file of this machine, or in Redis for several instances.
//!
//! actix-session is not used: it writes a session as a whole at the end of each request, so that two requests at once
//! undo each other's changes. Here a session changes in one step, and only if it is still there.

use std::{
    fs::{self, File, OpenOptions},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use common::console;
use oauth2::url::Url;
use redb::{
    Database, ReadableDatabase, ReadableTable, ReadableTableMetadata, TableDefinition,
    backends::InMemoryBackend,
};
use redis::{AsyncCommands, ExistenceCheck, SetExpiry, SetOptions, aio::ConnectionManager};
use ring::{
    digest::{SHA256, digest},
    rand::{SecureRandom, SystemRandom},
};

use crate::provider::now;

/// How long a session lasts, in seconds.
pub const SESSION_LIFETIME: u64 = 24 * 60 * 60;
/// How many ended entries are swept out with each new one.
const SWEEP: usize = 100;
/// Memory for the file's pages, in bytes.
const PAGE_CACHE: usize = 16 << 20;
/// How long Redis may take.
const REDIS_PATIENCE: Duration = Duration::from_secs(5);
/// How long a refresh may hold a session, in milliseconds.
const LOCK_LIFETIME: usize = 40_000;

/// Values by key, with the time at which each ends in front.
type Values = TableDefinition<'static, &'static [u8], (u64, &'static [u8])>;
/// The keys in the order in which they end.
type Ends = TableDefinition<'static, (u64, &'static [u8]), ()>;

/// Values of one kind. Each kind has tables of its own, so that none takes the place of another.
#[derive(Clone, Copy)]
enum Kind {
    /// Somebody who is signed in.
    Session,
    /// The `state` of a sign-in that has come back. Anybody can bring those about, without signing in.
    UsedState,
    /// What all instances of the app share.
    Secret,
}

impl Kind {
    fn tables(self) -> (Values, Ends) {
        let (values, ends) = match self {
            Self::Session => ("sessions", "ends of sessions"),
            Self::UsedState => ("used states", "ends of used states"),
            Self::Secret => ("secrets", "ends of secrets"),
        };
        (TableDefinition::new(values), TableDefinition::new(ends))
    }

    /// The most of this kind that are kept; the oldest makes room for a new one. A forgotten `state` does little harm:
    /// its code is used up at the provider as well.
    fn most(self) -> u64 {
        match self {
            Self::Session => 200_000,
            Self::UsedState => 20_000,
            Self::Secret => 1,
        }
    }
}

/// Adds a member to a sorted set, by the time at which it ends, unless it is in there. The oldest make room.
const USE_UP: &str = "
redis.call('zremrangebyscore', KEYS[1], '-inf', ARGV[1])
local is_new = redis.call('zadd', KEYS[1], 'NX', ARGV[2], ARGV[3])
redis.call('zremrangebyrank', KEYS[1], 0, -1 - ARGV[4])
redis.call('expireat', KEYS[1], ARGV[2])
return is_new";

/// A store of values that end.
#[derive(Clone)]
pub enum Store {
    /// A file, or memory where no file can be.
    Embedded(Arc<Database>),
    /// Redis, with the prefix of the app's keys.
    Redis(ConnectionManager, String),
}

/// Why a store cannot be opened, or used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another instance of the same app has the file open.
    #[error("Another instance of this app is running on this machine, with its sessions in {}.\nTo run several, set SESSION_STORE to a redis:// or rediss:// URL.", .0.display())]
    InUse(PathBuf),
    /// The file is damaged, or not one of sessions.
    #[error("The sessions in {} cannot be read: {problem}.\nDelete the file; everybody has to sign in again.", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// A read or write failed.
    #[error("{0}")]
    Failed(String),
}

fn failed(error: impl std::fmt::Display) -> StoreError {
    StoreError::Failed(error.to_string())
}

impl Store {
    /// Opens the store of the app with this name (anything that tells apps apart).
    ///
    /// # Errors
    /// The file is in use or damaged, or Redis is not reached. Where no file can be, sessions are in memory.
    pub async fn open(app: &str, redis: Option<&str>) -> Result<Self, StoreError> {
        let name = URL_SAFE_NO_PAD.encode(
            digest(&SHA256, app.as_bytes())
                .as_ref()
                .get(..12)
                .unwrap_or_default(),
        );
        if let Some(url) = redis {
            return open_redis(url, &name).await;
        }
        let mut builder = Database::builder();
        builder.set_cache_size(PAGE_CACHE);
        let database = match session_file(&name) {
            Ok((path, file)) => {
                let database = builder.create_file(file).map_err(|error| match error {
                    redb::DatabaseError::DatabaseAlreadyOpen => StoreError::InUse(path.clone()),
                    error => StoreError::Unreadable {
                        path: path.clone(),
                        problem: error.to_string(),
                    },
                })?;
                console::say(format_args!("Sessions: {}", path.display()));
                database
            }
            Err(problem) => {
                console::say(format_args!(
                    "Warning: sessions are in memory only, and end with this process: {problem}."
                ));
                builder
                    .create_with_backend(InMemoryBackend::new())
                    .map_err(failed)?
            }
        };
        let write = database.begin_write().map_err(failed)?;
        for kind in [Kind::Session, Kind::UsedState, Kind::Secret] {
            let (values, ends) = kind.tables();
            write.open_table(values).map_err(failed)?;
            write.open_table(ends).map_err(failed)?;
        }
        write.commit().map_err(failed)?;
        Ok(Self::Embedded(Arc::new(database)))
    }

    /// A session that has not ended.
    pub async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.get_any(Kind::Session, key).await
    }

    async fn get_any(&self, kind: Kind, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        match self {
            Self::Embedded(database) => {
                let table = database
                    .begin_read()
                    .map_err(failed)?
                    .open_table(kind.tables().0)
                    .map_err(failed)?;
                let entry = table.get(key.as_bytes()).map_err(failed)?;
                Ok(entry.and_then(|entry| {
                    let (end, value) = entry.value();
                    (end > now()).then(|| value.to_owned())
                }))
            }
            Self::Redis(redis, prefix) => redis
                .clone()
                .get(format!("{prefix}{key}"))
                .await
                .map_err(failed),
        }
    }

    /// Keeps a new session.
    pub async fn insert(&self, key: &str, value: Vec<u8>) -> Result<(), StoreError> {
        let is_new = self.insert_any(Kind::Session, key, value, SESSION_LIFETIME);
        is_new.await.map(drop)
    }

    /// Remembers for `lifetime` seconds that the `state` of a sign-in is used up. False if it was so before.
    pub async fn use_up(&self, state: &str, lifetime: u64) -> Result<bool, StoreError> {
        let kind = Kind::UsedState;
        let Self::Redis(redis, prefix) = self else {
            return self.insert_any(kind, state, Vec::new(), lifetime).await;
        };
        redis::cmd("EVAL")
            .arg(USE_UP)
            .arg(1)
            .arg(format!("{prefix}used-states"))
            .arg(now())
            .arg(now() + lifetime)
            .arg(state)
            .arg(kind.most())
            .query_async(&mut redis.clone())
            .await
            .map_err(failed)
    }

    /// Sets the value of a new key, which ends after `lifetime` seconds. False if the key was there.
    async fn insert_any(
        &self,
        kind: Kind,
        key: &str,
        value: Vec<u8>,
        lifetime: u64,
    ) -> Result<bool, StoreError> {
        match self {
            Self::Embedded(_) => {
                let key = key.as_bytes().to_owned();
                let end = now() + lifetime;
                self.change(move |database| insert(database, kind, &key, &value, end))
                    .await
            }
            Self::Redis(redis, prefix) => {
                let options = SetOptions::default()
                    .conditional_set(ExistenceCheck::NX)
                    .with_expiration(SetExpiry::EX(lifetime));
                let set: Option<String> = redis
                    .clone()
                    .set_options(format!("{prefix}{key}"), value, options)
                    .await
                    .map_err(failed)?;
                Ok(set.is_some())
            }
        }
    }

    /// Changes a session that is still there, and leaves its end. False if it is gone.
    pub async fn replace(&self, key: &str, value: Vec<u8>) -> Result<bool, StoreError> {
        match self {
            Self::Embedded(_) => {
                let key = key.as_bytes().to_owned();
                self.change(move |database| replace(database, &key, &value))
                    .await
            }
            Self::Redis(redis, prefix) => {
                let options = SetOptions::default()
                    .conditional_set(ExistenceCheck::XX)
                    .with_expiration(SetExpiry::KEEPTTL);
                let set: Option<String> = redis
                    .clone()
                    .set_options(format!("{prefix}{key}"), value, options)
                    .await
                    .map_err(failed)?;
                Ok(set.is_some())
            }
        }
    }

    /// Removes a session.
    pub async fn remove(&self, key: &str) -> Result<(), StoreError> {
        match self {
            Self::Embedded(_) => {
                let key = key.as_bytes().to_owned();
                self.change(move |database| remove(database, &key)).await
            }
            Self::Redis(redis, prefix) => redis
                .clone()
                .del::<_, ()>(format!("{prefix}{key}"))
                .await
                .map_err(failed),
        }
    }

    /// Locks a session against the other instances; within one, the caller has a lock of its own. False if another
    /// instance holds it. It ends by itself, should its holder die.
    pub async fn try_lock(&self, key: &str, holder: &str) -> Result<bool, StoreError> {
        let Self::Redis(redis, prefix) = self else {
            return Ok(true);
        };
        let options = SetOptions::default()
            .conditional_set(ExistenceCheck::NX)
            .with_expiration(SetExpiry::PX(LOCK_LIFETIME as u64));
        let set: Option<String> = redis
            .clone()
            .set_options(format!("{prefix}lock:{key}"), holder, options)
            .await
            .map_err(failed)?;
        Ok(set.is_some())
    }

    /// Gives a lock back, if it is still the holder's.
    pub async fn unlock(&self, key: &str, holder: &str) -> Result<(), StoreError> {
        let Self::Redis(redis, prefix) = self else {
            return Ok(());
        };
        redis::cmd("EVAL")
            .arg("if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) else return 0 end")
            .arg(1)
            .arg(format!("{prefix}lock:{key}"))
            .arg(holder)
            .exec_async(&mut redis.clone())
            .await
            .map_err(failed)
    }

    /// The secret that all instances of the app share: what was stored first.
    pub async fn secret(&self) -> Result<Vec<u8>, StoreError> {
        let mut secret = vec![0; 32];
        SystemRandom::new().fill(&mut secret).map_err(failed)?;
        const TEN_YEARS: u64 = 10 * 365 * 24 * 60 * 60;
        let is_new = self.insert_any(Kind::Secret, "secret", secret.clone(), TEN_YEARS);
        if is_new.await? {
            return Ok(secret);
        }
        let stored = self.get_any(Kind::Secret, "secret").await?;
        stored.ok_or_else(|| StoreError::Failed("the app's secret was removed".into()))
    }

    /// Writes wait for the disk, so they have a thread of their own.
    async fn change<T: Send + 'static>(
        &self,
        change: impl FnOnce(&Database) -> Result<T, redb::Error> + Send + 'static,
    ) -> Result<T, StoreError> {
        let Self::Embedded(database) = self else {
            return Err(StoreError::Failed("this store has no file".into()));
        };
        let database = database.clone();
        let changed = tokio::task::spawn_blocking(move || change(&database)).await;
        changed.map_err(failed)?.map_err(failed)
    }
}

fn insert(
    database: &Database,
    kind: Kind,
    key: &[u8],
    value: &[u8],
    end: u64,
) -> Result<bool, redb::Error> {
    let write = database.begin_write()?;
    {
        let (values, ends) = kind.tables();
        let mut values = write.open_table(values)?;
        let mut ends = write.open_table(ends)?;
        let mut gone: Vec<_> = ends
            .range(..(now(), [].as_slice()))?
            .take(SWEEP)
            .filter_map(|entry| {
                entry
                    .ok()
                    .map(|(key, _)| (key.value().0, key.value().1.to_owned()))
            })
            .collect();
        if let Some(entry) = values.get(key)? {
            let (end, _) = entry.value();
            if end > now() {
                return Ok(false);
            }
            gone.push((end, key.to_owned()));
        }
        if values.len()? >= kind.most() && gone.is_empty() {
            gone.extend(
                ends.first()?
                    .map(|(key, _)| (key.value().0, key.value().1.to_owned())),
            );
        }
        for (end, key) in gone {
            ends.remove((end, key.as_slice()))?;
            values.remove(key.as_slice())?;
        }
        values.insert(key, (end, value))?;
        ends.insert((end, key), ())?;
    }
    write.commit()?;
    Ok(true)
}

fn replace(database: &Database, key: &[u8], value: &[u8]) -> Result<bool, redb::Error> {
    let write = database.begin_write()?;
    {
        let mut values = write.open_table(Kind::Session.tables().0)?;
        let end = values.get(key)?.map(|entry| entry.value().0);
        match end {
            Some(end) if end > now() => values.insert(key, (end, value))?,
            _ => return Ok(false),
        };
    }
    write.commit()?;
    Ok(true)
}

fn remove(database: &Database, key: &[u8]) -> Result<(), redb::Error> {
    let write = database.begin_write()?;
    {
        let (values, ends) = Kind::Session.tables();
        let end = write
            .open_table(values)?
            .remove(key)?
            .map(|entry| entry.value().0);
        if let Some(end) = end {
            write.open_table(ends)?.remove((end, key))?;
        }
    }
    write.commit()?;
    Ok(())
}

async fn open_redis(url: &str, name: &str) -> Result<Store, StoreError> {
    // The address may hold a password, so that only its host is told.
    let address = Url::parse(url).map_err(failed)?;
    let host = address.host_str().unwrap_or_default();
    let advice = match address.scheme() {
        "rediss" => {
            "\nIf its certificate is of a private CA, name that CA's file in SSL_CERT_FILE."
        }
        _ => "",
    };
    let unreachable = |error: redis::RedisError| {
        StoreError::Failed(format!(
            "SESSION_STORE: Redis at {host} cannot be reached: {error}.{advice}"
        ))
    };
    let config = redis::aio::ConnectionManagerConfig::new()
        .set_connection_timeout(Some(REDIS_PATIENCE))
        .set_response_timeout(Some(REDIS_PATIENCE))
        .set_number_of_retries(1);
    let client = redis::Client::open(url).map_err(unreachable)?;
    let manager = ConnectionManager::new_with_config(client, config)
        .await
        .map_err(unreachable)?;
    Ok(Store::Redis(manager, format!("entra-samples-rust:{name}:")))
}

/// The file of an app's sessions, in the user's state folder, for the user alone.
fn session_file(name: &str) -> Result<(PathBuf, File), String> {
    let folder = state_folder()
        .ok_or("this user has no state folder")?
        .join("entra-samples-rust");
    let path = folder.join(format!("sessions-{name}.redb"));
    let opened = fs::create_dir_all(&folder).and_then(|()| private_file().open(&path));
    opened
        .map(|file| (path.clone(), file))
        .map_err(|error| format!("{}: {error}", path.display()))
}

#[cfg(unix)]
fn private_file() -> OpenOptions {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = OpenOptions::new();
    options
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600);
    options
}

#[cfg(not(unix))]
fn private_file() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    options
}

/// Where programs of this user keep what should survive them but is no document.
fn state_folder() -> Option<PathBuf> {
    let absolute = |name: &str| {
        std::env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    if cfg!(windows) {
        return absolute("LOCALAPPDATA");
    }
    let in_home = |path: &str| absolute("HOME").map(|home| home.join(path));
    if cfg!(target_os = "macos") {
        return in_home("Library/Application Support");
    }
    absolute("XDG_STATE_HOME").or_else(|| in_home(".local/state"))
}
