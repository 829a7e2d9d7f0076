//! One Redis for all the tests of a process.

use std::env;
use std::process;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::redis::server::RedisServer;

const OVERRIDE: &str = "SCUPPER_TEST_REDIS_URL";

/// A Redis that the tests of a process share, when any Redis will do: they keep to keys of their own, change no setting and
/// flush nothing.
///
/// It is the one that `SCUPPER_TEST_REDIS_URL` names, where that is set; else it is started when it is first asked for, and
/// ends with the process.
///
/// # Examples
///
/// ```
/// use scupper_testbed::SharedRedis;
///
/// let redis = SharedRedis::get();
/// assert_eq!(redis.url(), SharedRedis::get().url());
/// assert_ne!(redis.prefix(), redis.prefix());
/// ```
#[derive(Debug)]
pub struct SharedRedis {
    url: String,
    /// Not to be dropped, since statics are not: its keeper sees to its end.
    _server: Option<RedisServer>,
}

impl SharedRedis {
    /// The server, running.
    pub fn get() -> &'static Self {
        static SHARED: OnceLock<SharedRedis> = OnceLock::new();
        SHARED.get_or_init(|| {
            let given = env::var(OVERRIDE).ok().map(|url| Self { url, _server: None });
            given.unwrap_or_else(|| {
                let server = RedisServer::start();
                Self { url: server.url(), _server: Some(server) }
            })
        })
    }

    /// Its URL.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A prefix for keys that no other test uses, in this process or another, now or later.
    #[must_use]
    pub fn prefix(&self) -> String {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_micros());
        format!("test:{}:{now}:{}:", process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
    }
}
