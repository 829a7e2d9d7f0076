//! Stores by URL.

use crate::error::{Error, ErrorKind, Result};
use crate::store::contract::Store;
use crate::store::memory::MemoryStore;
use crate::sync::Arc;
use crate::timer::block_on;

/// The store that a URL names.
///
/// | URL | store | feature |
/// |---|---|---|
/// | `memory:` | [`MemoryStore`], new and empty | |
/// | `sqlite:limits.db`, `sqlite:/var/lib/app/limits.db` | `SqliteStore`, in this file; `?timeout=500ms` may follow | `sqlite` |
/// | `redis://…`, `rediss://…`, `redis+sentinel://…`, `redis+cluster://…` and the like | `RedisStore`, which says more of its URLs | `redis` |
/// | `postgres://…`, `postgresql://…` | `PostgresStore`, which says more of its URLs | `postgres` |
/// | `shm:name`, `shm:/path/to/file` | `SharedMemoryStore`, made if it is not there | `shared-memory` |
///
/// A remote store is not reached before the first request; [`connect`] goes there at once. A file is opened at once. In the
/// path of an `SQLite` file, special characters are written like `%3F`.
///
/// # Errors
/// [`ErrorKind::InvalidConfig`] if the URL names no store, or is wrong in a part, which is named; no message shows a password.
/// For a file, those of opening it.
/// [`ErrorKind::Unsupported`] if the store is of a feature that was not built in.
///
/// # Examples
/// ```
/// use scupper::{Limiter, store};
///
/// let url = std::env::var("LIMITS").unwrap_or_else(|_| "memory:".into());
/// let limiter = Limiter::builder().rates(["5/s".parse()?]).shared_store(store::open(&url)?).build()?;
/// assert!(limiter.try_acquire("user:42")?.is_admitted());
/// # Ok::<(), scupper::Error>(())
/// ```
pub fn open(url: &str) -> Result<Arc<dyn Store>> {
    match Kind::of(url)? {
        Kind::Memory => Ok(Arc::new(MemoryStore::new())),
        #[cfg(feature = "sqlite")]
        Kind::Sqlite => Ok(Arc::new(crate::store::sqlite::SqliteStore::at_url(url)?)),
        #[cfg(not(feature = "sqlite"))]
        Kind::Sqlite => Err(not_built_in("sqlite")),
        #[cfg(feature = "redis")]
        Kind::Redis => Ok(Arc::new(crate::store::redis::RedisStore::open(url)?)),
        #[cfg(not(feature = "redis"))]
        Kind::Redis => Err(not_built_in("redis")),
        #[cfg(feature = "postgres")]
        Kind::Postgres => Ok(Arc::new(crate::store::postgres::PostgresStore::open(url)?)),
        #[cfg(not(feature = "postgres"))]
        Kind::Postgres => Err(not_built_in("postgres")),
        #[cfg(feature = "shared-memory")]
        Kind::SharedMemory => Ok(Arc::new(crate::store::shared_memory::SharedMemoryStore::open(url)?)),
        #[cfg(not(feature = "shared-memory"))]
        Kind::SharedMemory => Err(not_built_in("shared-memory")),
    }
}

/// The store that a URL names, once it has been reached.
///
/// # Errors
/// Those of [`open`]; [`ErrorKind::InvalidConfig`] if the store does not let this user in, [`ErrorKind::Unavailable`] if it cannot
/// be reached.
///
/// # Examples
/// ```
/// # pollster::block_on(async {
/// let store = scupper::store::connect("memory:").await?;
/// # Ok::<(), scupper::Error>(())
/// # }).unwrap();
/// ```
pub async fn connect(url: &str) -> Result<Arc<dyn Store>> {
    match Kind::of(url)? {
        #[cfg(feature = "redis")]
        Kind::Redis => Ok(Arc::new(crate::store::redis::RedisStore::connect(url).await?)),
        #[cfg(feature = "postgres")]
        Kind::Postgres => Ok(Arc::new(crate::store::postgres::PostgresStore::connect(url).await?)),
        _ => open(url),
    }
}

/// As [`connect`], blocking the calling thread.
///
/// # Errors
/// Those of [`connect`].
///
/// # Examples
/// ```
/// let store = scupper::store::connect_blocking("memory:")?;
/// # Ok::<(), scupper::Error>(())
/// ```
pub fn connect_blocking(url: &str) -> Result<Arc<dyn Store>> {
    block_on(connect(url), |_| false)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Memory,
    Sqlite,
    Redis,
    Postgres,
    SharedMemory,
}

impl Kind {
    /// Only what can be nothing but a scheme is ever quoted: where somebody forgot it, a password stands there.
    fn of(url: &str) -> Result<Self> {
        let wrong = |what: String| {
            let right = "write memory:, sqlite:file, shm:name, redis://host, rediss://host, redis+sentinel://host/master, \
                         redis+cluster://host,host or postgres://host/database";
            Error::new(ErrorKind::InvalidConfig, format!("{what}; {right}"))
        };
        let Some((scheme, rest)) = url.split_once(':') else {
            let what = if url.is_empty() { "is empty" } else { "has no ':' in it" };
            return Err(wrong(format!("the URL of the store {what}")));
        };
        let scheme = &*scheme.to_ascii_lowercase();
        match scheme {
            "memory" if rest.is_empty() => Ok(Self::Memory),
            "memory" => Err(wrong("nothing can follow after memory:".to_owned())),
            "sqlite" => Ok(Self::Sqlite),
            "shm" => Ok(Self::SharedMemory),
            "postgres" | "postgresql" => Ok(Self::Postgres),
            _ if scheme.starts_with("redis") || scheme.starts_with("valkey") => Ok(Self::Redis),
            _ => {
                let is_scheme = rest.starts_with("//")
                    && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
                let shown = if is_scheme && scheme.len() <= 20 {
                    format!("{scheme:?}")
                } else {
                    "what the URL of the store begins with".into()
                };
                Err(wrong(format!("{shown} is no kind of store")))
            }
        }
    }
}

#[cfg(not(all(feature = "postgres", feature = "redis", feature = "sqlite", feature = "shared-memory")))]
#[cold]
fn not_built_in(feature: &str) -> Error {
    let what = format!("stores of {feature} are not built in; build scupper with the feature `{feature}`");
    Error::new(ErrorKind::Unsupported, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_names_no_store_is_said_without_its_secrets() {
        for (url, says) in [
            ("", "is empty"),
            ("localhost", "has no ':'"),
            ("memory:x", "nothing can follow"),
            ("http://user:secret@host", "\"http\" is no kind of store"),
            ("user:secret@host:6379/0", "begins with is no kind of store"),
            ("secret@host:6379/0", "begins with is no kind of store"),
            (" redis://host", "begins with is no kind of store"),
        ] {
            let error = open(url).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidConfig);
            assert!(error.message().contains(says), "{url:?}: {error}");
            assert!(error.message().contains("redis+cluster://"), "says what would be right: {error}");
            assert!(!error.message().contains("secret"), "{error}");
        }
    }

    #[test]
    fn memory_is_opened_and_each_time_another() {
        let (one, other) = (open("Memory:").unwrap(), connect_blocking("memory:").unwrap());
        assert_ne!(one.identity(), other.identity());
    }

    #[cfg(feature = "redis")]
    #[test]
    fn redis_is_opened_without_being_reached() {
        for url in ["redis://127.0.0.1:1", "valkey+cluster://127.0.0.1:1", "rediss+sentinel://127.0.0.1/main"] {
            open(url).unwrap();
        }
        let error = open("redis://user:secret@:1").unwrap_err();
        assert!(error.message().contains("the host") && !error.to_string().contains("secret"), "{error}");
    }

    #[cfg(not(feature = "redis"))]
    #[test]
    fn a_store_that_is_not_built_in_is_said_to_be_so() {
        let error = open("redis://127.0.0.1").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.message().contains("feature `redis`"), "{error}");
    }
}
