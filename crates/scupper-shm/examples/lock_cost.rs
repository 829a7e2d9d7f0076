//! What the lock of a mapped file costs: alone, between two threads, and between two processes.
//!
//! `cargo run --release -p scupper-shm --example lock_cost`

use std::error::Error;
use std::hint::spin_loop;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};
use std::{env, fs, process, thread};

use scupper_shm::Shared;

const TIMEOUT: Duration = Duration::from_secs(5);
const TIMES: u32 = 1_000_000;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// How many nanoseconds it takes on average to add one under the lock.
fn measure(shared: &Shared) -> Outcome<f64> {
    let start = Instant::now();
    for _ in 0..TIMES {
        let _guard = shared.lock(TIMEOUT)?;
        let count = &shared.words()[0];
        count.store(count.load(Relaxed) + 1, Relaxed);
    }
    Ok(start.elapsed().as_secs_f64() * 1e9 / f64::from(TIMES))
}

/// As [`measure`], once this is here as often as asked for.
fn measure_together(shared: &Shared, parties: u64) -> Outcome<f64> {
    let here = &shared.words()[1];
    here.fetch_add(1, Relaxed);
    while here.load(Relaxed) < parties {
        spin_loop();
    }
    measure(shared)
}

/// A file that goes with its value.
struct File(PathBuf);

impl Drop for File {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn main() -> Outcome<()> {
    if let Some(path) = env::args_os().nth(1) {
        let shared = Shared::open(Path::new(&path))?.ok_or("there is no such file")?;
        measure_together(&shared, 4)?;
        return Ok(());
    }
    let file = File(env::temp_dir().join(format!("scupper-shm-lock-cost-{}", process::id())));
    let shared = Shared::create(&file.0, 2, 0o600, |_| ())?;
    println!("one thread:    {:>5.1} ns a lock", measure(&shared)?);

    let both = thread::scope(|threads| {
        let other = threads.spawn(|| measure_together(&shared, 2));
        let mine = measure_together(&shared, 2);
        (mine, other.join())
    });
    println!("two threads:   {:>5.1} ns a lock of each", both.0?);

    let mut other = Command::new(env::current_exe()?).arg(&file.0).spawn()?;
    println!("two processes: {:>5.1} ns a lock of each", measure_together(&shared, 4)?);
    other.wait()?;
    Ok(())
}
