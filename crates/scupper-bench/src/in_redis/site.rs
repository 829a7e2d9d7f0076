//! Where a contest is held.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use rustix::time::{ClockId, Timespec, clock_gettime};
use scupper::RedisStoreBuilder;
use scupper::store::Store;
use scupper_testbed::{Client, RedisServer};
use tokio::runtime::Runtime;

use crate::caller::runtime;
use crate::contest::{Contest, Pace, Side, Title};
use crate::in_redis::SUITE;
use crate::ours::asked::redis;
use crate::peers::ping::Ping;
use crate::run::Spent;

const KEYS: usize = 1_000;

/// A server, and a runtime to ask it from.
#[derive(Debug)]
pub(super) struct Site {
    server: RedisServer,
    runtime: Runtime,
    /// For questions to the server that are not timed.
    client: Mutex<Client>,
    pub(super) keys: Arc<[String]>,
}

impl Site {
    pub(super) fn new() -> Result<Self> {
        let server = RedisServer::start();
        let client = Mutex::new(server.client()?);
        let keys = (0..KEYS).map(|number| format!("user:{number}")).collect();
        Ok(Self { server, runtime: runtime()?, client, keys })
    }

    pub(super) fn contest(&self, case: impl Into<String>, pace: Pace, sides: &[Side<'_>]) -> Result<Contest> {
        Contest::hold(Title(SUITE, case.into()), pace, &self.runtime, || self.spent(), sides)
    }

    pub(super) fn ping(&self) -> Result<Ping> {
        Ping::connect(&self.server.url(), &self.runtime)
    }

    /// A store on it, with the settings that it has by itself.
    pub(super) fn store(&self) -> RedisStoreBuilder {
        redis(&self.server.url())
    }

    pub(super) fn open(&self) -> Result<Arc<dyn Store>> {
        Ok(Arc::new(self.store().open()?))
    }

    /// The answer to a command, as a number.
    pub(super) fn number(&self, words: &[&str]) -> Result<i64> {
        let mut client = self.client.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(client.command(words)?.granted().integer())
    }

    /// Sends these commands and waits for all answers.
    pub(super) fn all(&self, commands: impl Iterator<Item = Vec<String>>) -> Result<()> {
        let mut client = self.client.lock().unwrap_or_else(PoisonError::into_inner);
        for words in commands {
            let _ = client.command(&words)?.granted();
        }
        Ok(())
    }

    fn spent(&self) -> Result<Spent> {
        let mut client = self.client.lock().unwrap_or_else(PoisonError::into_inner);
        let mut info = |section: &str| anyhow::Ok(client.command(&["INFO", section])?.granted().text());
        let (commands, processor) = (info("commandstats")?, info("cpu")?);
        let mut spent = Spent { client: nanos(clock_gettime(ClockId::ProcessCPUTime)), ..Spent::default() };
        // What scripts call is part of them.
        for command in ["cmdstat_ping:", "cmdstat_evalsha:"] {
            let Some(figures) = commands.lines().find_map(|line| line.strip_prefix(command)) else { continue };
            spent.calls += figure(figures, "calls=")?;
            spent.commands += figure(figures, "usec=")? * 1e3;
        }
        for part in ["used_cpu_user_main_thread:", "used_cpu_sys_main_thread:"] {
            spent.server += figure(&processor, part)? * 1e9;
        }
        Ok(spent)
    }
}

#[expect(clippy::cast_precision_loss, reason = "a run takes far less than the hundred days that a double can count")]
fn nanos(time: Timespec) -> f64 {
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}

/// The number behind a name.
fn figure(text: &str, name: &str) -> Result<f64> {
    let found = text.split([',', '\r', '\n']).find_map(|part| part.strip_prefix(name));
    found.and_then(|number| number.parse().ok()).with_context(|| format!("the server does not tell {name}"))
}
