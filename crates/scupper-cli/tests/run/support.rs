//! Runs `scupper run`, and looks into the store afterwards.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use rustix::process::Pid;
use scupper::store::{self, Batch, Operation, Reply, Store, Verdict};
use scupper::{Limiter, LimiterBuilder, Quota};
use scupper_testbed::{SharedPostgres, SharedRedis, await_that};

pub(crate) use crate::common::{Ended, Folder, Running};

/// A rate that makes nothing wait.
pub(crate) const FAST: &str = "--rate 1000000000/s";
/// A rate that makes the second run wait longer than a test takes.
pub(crate) const SLOW: &str = "1/h";

/// Where the runs of a test count, and nobody else.
pub(crate) struct Place {
    url: String,
    /// What tells runs of it: variables and their values, or that they are not to be there.
    environment: Vec<(&'static str, Option<PathBuf>)>,
    _folder: Option<Folder>,
}

impl Place {
    /// Any that lasts.
    pub(crate) fn new(test: &str) -> Self {
        Self::of_state(test)
    }

    /// The one that runs find with no store given, by the folder of the user's state.
    pub(crate) fn of_state(test: &str) -> Self {
        let folder = Folder::new(test);
        // So that the test can look there before any run has.
        fs::create_dir(folder.path().join("scupper")).unwrap();
        let environment = vec![("SCUPPER_STORE", None), ("XDG_STATE_HOME", Some(folder.path().into()))];
        Self { url: default_url(folder.path()), environment, _folder: Some(folder) }
    }

    /// The one that runs find of a user who has a home and nothing else.
    pub(crate) fn of_home(test: &str) -> Self {
        let folder = Folder::new(test);
        let environment = vec![("SCUPPER_STORE", None), ("XDG_STATE_HOME", None), ("HOME", Some(folder.path().into()))];
        Self { url: default_url(&folder.path().join(".local/state")), environment, _folder: Some(folder) }
    }

    /// A file that is named.
    pub(crate) fn of_file(test: &str) -> Self {
        let folder = Folder::new(test);
        Self::named(format!("sqlite:{}/limits.db", folder.path().display()), Some(folder))
    }

    pub(crate) fn shared_memory(test: &str) -> Self {
        let folder = Folder::new(test);
        Self::named(format!("shm:{}/limits", folder.path().display()), Some(folder))
    }

    pub(crate) fn redis() -> Self {
        let redis = SharedRedis::get();
        Self::named(format!("{}?prefix={}", redis.url(), redis.prefix()), None)
    }

    pub(crate) fn postgres() -> Self {
        let postgres = SharedPostgres::get();
        Self::named(format!("{}?schema={}", postgres.url(), postgres.schema()), None)
    }

    fn named(url: String, folder: Option<Folder>) -> Self {
        Self { environment: vec![("SCUPPER_STORE", Some(url.clone().into()))], url, _folder: folder }
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
        for (name, value) in &self.environment {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
    }

    fn limiter(&self, rates: &str) -> Limiter {
        let builder: LimiterBuilder = Limiter::builder().quota(&quota(rates)).shared_store(self.store());
        // What a busy machine takes longer for than a second is done all the same.
        builder.call_timeout(None).build().unwrap()
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
    /// Once *w* of the *limit* units have left the window, there is room for a weight of *w*: the answer to such a request says
    /// when the one was admitted that must leave last.
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

fn default_url(state: &Path) -> String {
    format!("sqlite:{}/scupper/limits.sqlite", state.display())
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
    await_that("it waits for its turn", || fs::read_to_string(&path).unwrap().starts_with(&sleeping));
}

/// A line of what the system tells of this process.
pub(crate) fn told(run: &Running, name: &str) -> String {
    let status = fs::read_to_string(format!("/proc/{}/status", Pid::from_child(run).as_raw_nonzero())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.unwrap().trim().to_owned()
}

pub(crate) fn await_stopped(run: &Running) {
    await_that("it is stopped", || told(run, "State").starts_with('T'));
}
