//! Scupper beside its peers, in one process.
//!
//! `scupper-bench memory [--quick] [--json PATH]` times the memory store against other crates
//! that decide in memory, and weighs what one key costs. A *case* is one kind of request; it has
//! our side and one or more peers. All sides of a case run in interleaved rounds, so that a
//! machine that slows down slows all of them, and the answer is a ratio: ours over theirs, below
//! one where we take less. Every timed request is also counted as admitted or denied, and a side
//! that decided other than its case says is an error rather than a figure.
//!
//! `scupper-bench waiting` has waiters wait: it holds the time to the ideal schedule, counts who
//! got how much, and weighs and times the line of ten thousand.
//!
//! `scupper-bench-shared redis` and `postgres` ask a server, beside the least that the same client can ask of
//! it; `sqlite` does so with a file, beside a bare transaction, and `shared-memory` with a mapping,
//! beside the memory of one process. It is another program because what counts the bytes in the
//! first one makes those wait for each other who allocate at the same time, as all do that talk to
//! servers.
//!
//! | module | what it is |
//! |---|---|
//! | `memory`, `sizes` | the cases of that suite and their targets |
//! | `waiting`, `crowds` | the same for the other |
//! | `in_redis`, `in_postgres`, `in_sqlite`, `in_shared_memory` | the same for stores that several processes can share |
//! | `ours`, `peers` | the sides: each crate's API behind one closure, or a caller |
//! | `harness`, `crew` | rounds, warm-up, threads |
//! | `contest`, `caller`, `run` | the same for those who wait for each answer |
//! | `workers` | processes that take part |
//! | `folder` | where files are meanwhile |
//! | `side`, `keys`, `limit` | what a case is made of |
//! | `queue`, `waiters`, `visits` | those who wait for real, and the record of it |
//! | `crowd`, `counted` | lines on a clock that stands; calls and alarms counted |
//! | `row`, `table`, `json` | the result and how it is shown |

mod caller;
mod contest;
mod counted;
mod crew;
mod crowd;
mod crowds;
mod folder;
mod harness;
mod in_postgres;
mod in_redis;
mod in_shared_memory;
mod in_sqlite;
mod json;
mod keys;
mod limit;
mod memory;
mod ours;
mod peers;
mod queue;
mod row;
mod run;
mod side;
mod sizes;
mod table;
mod visits;
mod waiters;
mod waiting;
mod workers;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use peak_alloc::PeakAlloc;

/// What the program has allocated, for [`sizes`]: two counters beside the system's allocator, if the program says so, as the
/// tests do. Of the timed sides of such a program only throttlecrab allocates per request; see its module for what that adds.
#[cfg_attr(test, global_allocator)]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// Compares Scupper with its peers on this machine.
#[derive(Debug, Parser)]
#[command(version, about)]
struct Command<S: Subcommand> {
    #[command(subcommand)]
    suite: S,
}

#[derive(Debug, Subcommand)]
enum InProcess {
    /// Decisions in memory: one bucket, many keys, several threads, bytes per key.
    Memory(Options),
    /// Waiting on one key: time beside the ideal schedule, fairness, a line of ten thousand.
    Waiting(Options),
}

#[derive(Debug, Subcommand)]
enum AcrossProcesses {
    /// Decisions in Redis, beside `PING`: one caller and many tasks, on one key and on many; bytes.
    Redis(Options),
    /// Decisions in Postgres, beside `SELECT 1` and a table lock: one caller and many tasks, on one key and on many; growth.
    Postgres(Options),
    /// Decisions in a file, beside a bare transaction: one caller, threads, tasks; growth.
    Sqlite(Options),
    /// Decisions in shared memory, beside the memory of one process: by key, and two processes.
    SharedMemory(Options),
    /// A process that takes part in another's measurement, as its input says.
    #[command(hide = true)]
    SharedMemoryWorker(in_shared_memory::Share),
}

#[derive(Debug, Args)]
struct Options {
    /// Fewer and shorter rounds: a smoke test, not a measurement.
    #[arg(long)]
    quick: bool,
    /// Also writes the results to this file, as a JSON array.
    #[arg(long, value_name = "PATH")]
    json: Option<PathBuf>,
}

impl Options {
    /// Runs a suite and shows what came of it.
    fn show(&self, suite: impl FnOnce(&harness::Plan) -> anyhow::Result<Vec<row::Row>>) -> anyhow::Result<()> {
        let plan = if self.quick { harness::Plan::quick() } else { harness::Plan::full() };
        let rows = suite(&plan)?;
        print!("{}", table::render(&rows));
        if let Some(path) = &self.json {
            json::write(path, &rows)?;
        }
        Ok(())
    }
}

/// Runs the suite that the command line names: those of a program whose allocator is [`PeakAlloc`].
///
/// # Errors
///
/// If a suite fails, or its figures cannot be written.
pub fn in_process() -> anyhow::Result<()> {
    match Command::parse().suite {
        InProcess::Memory(options) => options.show(memory::run),
        InProcess::Waiting(options) => options.show(waiting::run),
    }
}

/// Runs the suite that the command line names: those on stores that several processes can share.
///
/// # Errors
///
/// If a suite fails, or its figures cannot be written.
pub fn shared() -> anyhow::Result<()> {
    match Command::parse().suite {
        AcrossProcesses::Redis(options) => options.show(in_redis::run),
        AcrossProcesses::Postgres(options) => options.show(in_postgres::run),
        AcrossProcesses::Sqlite(options) => options.show(in_sqlite::run),
        AcrossProcesses::SharedMemory(options) => options.show(in_shared_memory::run),
        AcrossProcesses::SharedMemoryWorker(share) => share.take(),
    }
}
