//! `cargo xtask bench`: Scupper measured beside its peers.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::command::Command;
use crate::failure::Failure;
use crate::python;
use crate::servers;
use crate::workspace::Workspace;

/// What to measure, how long, and where to write it.
#[derive(Args, Debug)]
pub(crate) struct Bench {
    /// What to measure
    suite: Suite,
    /// Take seconds instead of minutes; the figures are rough
    #[arg(long)]
    quick: bool,
    /// Write the figures to this file as well
    #[arg(long, value_name = "PATH")]
    json: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Suite {
    /// Decisions in memory, by handle and by key, on one thread and on several
    Memory,
    /// Waiting on one key: time beside the ideal schedule, fairness, a line of ten thousand
    Waiting,
    /// Decisions in Redis, beside `PING`: one caller and many tasks, on one key and on many; bytes
    Redis,
    /// Decisions in Postgres, beside `SELECT 1` and a table lock: one caller and many tasks, on one key and on many; growth
    Postgres,
    /// Decisions in a file, beside a bare transaction: one caller, threads, tasks; growth
    Sqlite,
    /// Decisions in shared memory, beside the memory of one process: by key, and two processes
    SharedMemory,
    /// The Python package, beside the one that it replaces: memory, processes, a file, Redis
    Python,
}

impl Suite {
    fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Waiting => "waiting",
            Self::Redis => "redis",
            Self::Postgres => "postgres",
            Self::Sqlite => "sqlite",
            Self::SharedMemory => "shared-memory",
            Self::Python => "python",
        }
    }

    /// The benchmarks in Rust are two programs: one counts what is allocated, which would be in the way of the other.
    fn program(self) -> Option<&'static str> {
        match self {
            Self::Memory | Self::Waiting => Some("scupper-bench"),
            Self::Redis | Self::Postgres | Self::Sqlite | Self::SharedMemory => Some("scupper-bench-shared"),
            Self::Python => None,
        }
    }

    fn has_servers(self) -> bool {
        matches!(self, Self::Redis | Self::Postgres | Self::Python)
    }
}

impl Bench {
    /// A quick run of every suite, which shows that they work and judges no figure.
    pub(crate) fn smoke(workspace: &Workspace) -> Result<(), Failure> {
        servers::ensure(workspace)?;
        Suite::value_variants().iter().try_for_each(|&suite| Self { suite, quick: true, json: None }.run(workspace))
    }

    /// Builds the benchmarks for release and runs the suite, with the servers that it needs.
    pub(crate) fn run(&self, workspace: &Workspace) -> Result<(), Failure> {
        if self.suite.has_servers() {
            servers::ensure(workspace)?;
        }
        let arguments = self.arguments()?;
        let Some(program) = self.suite.program() else {
            return python::bench(workspace, self.quick, &arguments);
        };
        let command =
            Command::cargo(workspace).args("run --release --quiet --package scupper-bench --bin").arg(program);
        let command = command.arg("--").arg(self.suite.name());
        arguments.iter().fold(command, Command::arg).run()
    }

    /// What a program of benchmarks is told.
    fn arguments(&self) -> Result<Vec<OsString>, Failure> {
        let mut arguments = Vec::new();
        if self.quick {
            arguments.push(OsString::from("--quick"));
        }
        if let Some(path) = &self.json {
            // The caller's directory, which the benchmark is not run in.
            let path = std::path::absolute(path)
                .map_err(|error| Failure::new(format!("{} is not a usable path: {error}.", path.display())))?;
            arguments.extend([OsString::from("--json"), path.into()]);
        }
        Ok(arguments)
    }
}
