use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender};

use scupper::Bucket;

use crate::failure::bare;
use crate::throttle::args::is_stdin;
use crate::throttle::jobs::event::{Event, Order};
use crate::throttle::jobs::lines::Lines;

/// Reads lines, and orders a run for each once there is a slot for it and then a permit.
#[derive(Debug)]
pub(super) struct Feeder {
    pub(super) bucket: Bucket,
    pub(super) files: Vec<PathBuf>,
    /// Each thing received is a slot.
    pub(super) slots: Receiver<()>,
    pub(super) events: SyncSender<Event>,
}

/// Nothing more is to be started.
#[derive(Debug)]
struct Over;

impl Feeder {
    /// Goes through all files, or until nothing more is to be started.
    pub(super) fn feed(&self) {
        let fed = self.files.iter().try_for_each(|path| self.feed_file(path));
        // An error means that whoever could be told has lost interest.
        let _ = fed.and_then(|()| self.tell(Event::InputOver));
    }

    fn feed_file(&self, path: &Path) -> Result<(), Over> {
        if is_stdin(path) {
            return self.feed_lines("stdin", io::stdin().lock());
        }
        let name = path.display().to_string();
        match File::open(path) {
            Ok(file) => self.feed_lines(&name, BufReader::new(file)),
            Err(error) => self.tell(Event::Unusable(format!("{name}: {}", bare(&error)))),
        }
    }

    fn feed_lines(&self, name: &str, input: impl BufRead) -> Result<(), Over> {
        let mut lines = Lines::new(input);
        loop {
            let line = match lines.next() {
                Ok(Some(line)) => line,
                Ok(None) => return Ok(()),
                Err(error) => return self.tell(Event::Unusable(format!("{name}: {}", bare(&error)))),
            };
            let place = format!("{name}: line {}", line.number);
            match line.argument {
                Ok(argument) => self.order(Order { argument, place })?,
                Err(unfit) => self.tell(Event::Unusable(format!("{place}: {unfit}")))?,
            }
        }
    }

    fn order(&self, order: Order) -> Result<(), Over> {
        // The slot comes first: a permit is for now, and would be stale after a wait for the slot.
        self.slots.recv().map_err(|_| Over)?;
        match self.bucket.request().acquire() {
            Ok(_) => self.tell(Event::Start(order)),
            Err(error) => self.tell(Event::Limiter(error)).and(Err(Over)),
        }
    }

    fn tell(&self, event: Event) -> Result<(), Over> {
        self.events.send(event).map_err(|_| Over)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{channel, sync_channel};
    use std::thread;
    use std::time::Duration;

    use scupper::{Algorithm, Limiter, ManualTimer, Rates, Timer};

    use super::*;

    fn bucket(rates: &str, algorithm: Algorithm, timer: &ManualTimer) -> Bucket {
        let rates: Rates = rates.parse().unwrap();
        let limiter = Limiter::builder().algorithm(algorithm).rates(Vec::from(rates)).timer(timer.clone());
        limiter.build().unwrap().bucket("throttle").unwrap()
    }

    /// When each line of the input is started, if a run before takes so many microseconds of the manual clock.
    fn started(rates: &str, algorithm: Algorithm, run_micros: u64, input: &str) -> Vec<(u64, String)> {
        let timer = ManualTimer::auto_advancing();
        let (free, slots) = channel();
        let (events, told) = sync_channel(0);
        let feeder = Feeder { bucket: bucket(rates, algorithm, &timer), files: Vec::new(), slots, events };
        let mut starts = Vec::new();
        thread::scope(|scope| {
            scope.spawn(move || feeder.feed_lines("test", input.as_bytes()).unwrap());
            free.send(()).unwrap();
            for event in told {
                let Event::Start(order) = event else { panic!("{event:?}") };
                starts.push((timer.now().as_micros(), order.argument.into_string().unwrap()));
                timer.advance(Duration::from_micros(run_micros));
                // After the last line nobody is there to take it.
                let _ = free.send(());
            }
        });
        starts
    }

    fn times(starts: &[(u64, String)]) -> Vec<u64> {
        starts.iter().map(|(at, _)| *at).collect()
    }

    #[test]
    fn seven_runs_at_three_per_second_start_in_threes_in_order() {
        let starts = started("3/s", Algorithm::SlidingWindowLog, 0, "1\n2\n3\n4\n5\n6\n7");
        let expected: Vec<_> = (0..7).map(|run| (run / 3 * 1_000_001, (run + 1).to_string())).collect();
        assert_eq!(starts, expected);
    }

    #[test]
    fn a_token_bucket_starts_its_burst_and_then_evenly() {
        let starts = started("5/s+3", Algorithm::TOKEN_BUCKET, 0, "1\n2\n3\n4\n5\n6\n");
        assert_eq!(times(&starts), [0, 0, 0, 200_000, 400_000, 600_000]);
    }

    #[test]
    fn the_time_that_a_run_takes_counts_towards_the_wait_for_the_next() {
        let starts = started("1/s", Algorithm::FixedWindow, 300_000, "a\nb\nc\n");
        assert_eq!(times(&starts), [0, 1_000_000, 2_000_000]);
    }

    #[test]
    fn runs_that_are_slower_than_the_rate_set_the_pace() {
        let starts = started("1/s", Algorithm::SlidingWindowLog, 1_500_000, "a\nb\nc\n");
        assert_eq!(times(&starts), [0, 1_500_000, 3_000_000]);
    }

    #[test]
    fn what_cannot_be_an_argument_takes_neither_slot_nor_permit() {
        let timer = ManualTimer::new();
        let (free, slots) = channel();
        let (events, told) = sync_channel(9);
        let bucket = bucket("1/s", Algorithm::SlidingWindowLog, &timer);
        let feeder = Feeder { bucket, files: Vec::new(), slots, events };
        free.send(()).unwrap();
        feeder.feed_lines("test", b"\0\na\n\0\0".as_slice()).unwrap();
        drop(feeder);
        let seen: Vec<_> = told.iter().map(|event| format!("{event:?}")).collect();
        assert!(seen[0].starts_with("Unusable(\"test: line 1: an argument cannot have a NUL"), "{seen:?}");
        assert!(seen[1].starts_with("Start(") && seen[1].contains("line 2"), "{seen:?}");
        assert!(seen[2].contains("line 3") && seen.len() == 3, "{seen:?}");
    }

    #[test]
    fn no_permit_is_spent_without_a_slot() {
        let timer = ManualTimer::new();
        let (free, slots) = channel();
        let (events, told) = sync_channel(9);
        let bucket = bucket("2/s", Algorithm::SlidingWindowLog, &timer);
        let feeder = Feeder { bucket: bucket.clone(), files: Vec::new(), slots, events };
        free.send(()).unwrap();
        drop(free);
        assert!(feeder.feed_lines("test", b"a\nb\n".as_slice()).is_err());
        assert!(matches!(told.try_iter().collect::<Vec<_>>().as_slice(), [Event::Start(_)]));
        assert!(bucket.try_acquire().unwrap().is_admitted(), "the second permit was spent");
        assert!(!bucket.try_acquire().unwrap().is_admitted());
    }
}
