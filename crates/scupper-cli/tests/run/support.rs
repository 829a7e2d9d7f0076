//! Runs `scupper run`, and looks into the store afterwards.

use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use rustix::process::Pid;
use scupper::store::{self, Batch, Operation, Reply, Store, Verdict};
use scupper::{Limiter, LimiterBuilder, Quota};
use scupper_testbed::{SharedRedis, await_that};

pub(crate) use crate::common::{Ended, Folder, Running};

/// A rate that makes nothing wait.
pub(crate) const FAST: &str = "--rate 1000000000/s";
/// A rate that makes the second run wait longer than a test takes.
pub(crate) const SLOW: &str = "1/h";

/// Where the runs of a test count, and nobody else.
pub(crate) struct Place {
    url: String,
    /// Whether runs find it with no store given.
    is_unnamed: bool,
    folder: Option<Folder>,
}

impl Place {
    /// Any that lasts.
    pub(crate) fn new(test: &str) -> Self {
        let _ = test;
        Self::redis()
    }

    pub(crate) fn redis() -> Self {
        let redis = SharedRedis::get();
        let url = format!("{}?prefix={}", redis.url(), redis.prefix());
        Self { url, is_unnamed: false, folder: None }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// `scupper run` with these arguments, without a COMMAND yet.
    pub(crate) fn run(&self, args: &str) -> Command {
        let mut command = scupper(args);
        self.lead(&mut command);
        command
    }

    /// Has what this runs find the store.
    pub(crate) fn lead(&self, command: &mut Command) {
        match &self.folder {
            Some(folder) if self.is_unnamed => command.env_remove("SCUPPER_STORE").env("XDG_STATE_HOME", folder.path()),
            _ => command.env("SCUPPER_STORE", &self.url),
        };
    }

    fn limiter(&self, rates: &str) -> Limiter {
        let builder: LimiterBuilder = Limiter::builder().quota(&quota(rates)).shared_store(self.store());
        builder.build().unwrap()
    }

    fn store(&self) -> Arc<dyn Store> {
        store::connect_blocking(&self.url).unwrap()
    }

    /// Units under this key that count against a rate of an hour.
    pub(crate) fn used(&self, key: &str) -> u64 {
        self.limiter(SLOW).peek(key).unwrap().usage[0].used
    }

    /// Takes units under this key.
    pub(crate) fn fill(&self, key: &str, rates: &str, units: u64) {
        self.limiter(rates).penalize(key, units).unwrap();
    }

    /// When each unit of this key was admitted, in microseconds of the store's clock, where its last rate is full.
    ///
    /// Once *w* of the *limit* units have left the window, there is room for a weight of *w*: the answer to such a request says when the
    /// one was admitted that must leave last.
    pub(crate) fn ticks(&self, key: &str, rates: &str) -> Vec<u64> {
        let quota = quota(rates);
        let (store, longest) = (self.store(), quota.rates().len() - 1);
        let full = quota.rates()[longest];
        let lone = Quota::new(quota.algorithm(), full).unwrap();
        let left = |weight| {
            let outcomes = store.submit(Batch::from(&Operation::acquire(key, &lone, weight))).wait();
            match &outcomes[0] {
                Ok(Reply::Acquired(Verdict::Denied(denial))) => denial.retry_at.as_micros() - 1,
                other => panic!("{key} is not full: {other:?}"),
            }
        };
        let window = u64::try_from(full.interval().as_micros()).unwrap();
        (1..=full.limit()).map(|weight| left(weight) - window).collect()
    }
}

pub(crate) fn quota(rates: &str) -> Quota {
    Quota::new(scupper::Algorithm::SlidingWindowLog, rates).unwrap()
}

/// `scupper run` with these arguments, and nothing that tells it a store or a key.
pub(crate) fn scupper(args: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_scupper"));
    command.arg("run").args(args.split_whitespace());
    alone(&mut command);
    command
}

/// Leaves this nothing that tells it a store or a key.
pub(crate) fn alone(command: &mut Command) {
    command.env_remove("SCUPPER_STORE").env_remove("SCUPPER_KEY");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
}

pub(crate) fn ended(command: &mut Command) -> Ended {
    Running::new(command).end()
}

/// Waits until this `scupper run` waits for its turn, which it does in the one sleep of its main thread.
pub(crate) fn await_waiting(run: &Child) {
    let path = format!("/proc/{}/syscall", Pid::from_child(run).as_raw_nonzero());
    let sleeping = format!("{} ", libc::SYS_clock_nanosleep);
    await_that("it waits for its turn", || std::fs::read_to_string(&path).unwrap().starts_with(&sleeping));
}
