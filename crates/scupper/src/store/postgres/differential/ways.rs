//! Everything that is asked of the store itself, by whichever way it goes: in a call, in passing, or in a transaction that knows the
//! end of a log or all of it.

use std::time::Duration;

use scupper_testbed::SharedPostgres;

use crate::error::Error;
use crate::quota::{Algorithm, Quota};
use crate::store::batch::{Action, Batch, Operation, Standing};
use crate::store::bucket::BucketState;
use crate::store::contract::Store as _;
use crate::store::outcome::{Admission, Outcome, Reply, Verdict};
use crate::store::postgres::differential::comparison::comparable;
use crate::store::postgres::differential::layout::Layout;
use crate::store::postgres::differential::server::Server;
use crate::store::postgres::store::PostgresStore;
use crate::time::Timestamp;

const KEY: &str = "a";
const NOW: u64 = 1_790_000_000_000_000;
const HOUR: u64 = 3_600_000_000;
const PATIENCE: Duration = Duration::from_secs(20);

/// For all sessions, a clock that stands where it is put.
const CLOCK: &str = "CREATE TABLE {s}.now AS SELECT 0::bigint AS micros; \
     CREATE OR REPLACE FUNCTION {s}.clock() RETURNS bigint LANGUAGE sql VOLATILE RETURN (SELECT micros FROM {s}.now)";

/// A store, and the bucket that the library has for the same.
struct Pair {
    store: PostgresStore,
    server: Server,
    bucket: Option<BucketState>,
    clock: u64,
}

impl Pair {
    fn new() -> Self {
        let postgres = SharedPostgres::get();
        let schema = postgres.schema();
        let server = Server::of(postgres.session(), &schema);
        server.ask(CLOCK);
        let store = PostgresStore::builder(postgres.url()).schema(schema).connect_within(PATIENCE);
        let store = store.answer_within(2 * PATIENCE).lock_within(PATIENCE).wait_to_be_sent(PATIENCE);
        Self { store: store.connect_blocking().unwrap(), server, bucket: None, clock: 0 }
    }

    /// Begins anew, with a log of so many events, each a second after the one before.
    fn begin(&mut self, quota: &Quota, events: u64, layout: Layout) {
        self.server.begin();
        self.turn(NOW - 1_000_000 * events);
        let mut bucket = BucketState::new(quota, self.now());
        for _ in 0..events {
            self.clock += 1_000_000;
            bucket.apply(&Operation::acquire(KEY, quota, 1), self.now()).unwrap();
        }
        if events > 0 {
            self.server.save(KEY, &layout.rows(&bucket));
        }
        self.turn(self.clock);
        self.bucket = (events > 0).then_some(bucket);
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.clock)
    }

    fn turn(&mut self, clock: u64) {
        self.clock = clock;
        self.server.ask(&format!("UPDATE {{s}}.now SET micros = {clock}"));
    }

    /// What the library answers, and what it keeps then.
    fn expected(&mut self, operation: &Operation<'_>) -> Outcome {
        let now = self.now();
        let was_there = self.bucket.is_some();
        if !was_there {
            let Some(quota) = operation.quota() else { return operation.without_bucket() };
            self.bucket = Some(BucketState::new(quota, now));
        }
        let bucket = self.bucket.as_mut().unwrap();
        let outcome = bucket.apply(operation, now);
        let is_kept = match operation.action {
            Action::Acquire { .. } => was_there || matches!(outcome, Ok(Reply::Acquired(Verdict::Admitted(_)))),
            Action::Peek { .. } => was_there,
            _ if outcome.is_err() => was_there,
            _ => bucket.idle_from_at(now) > now,
        };
        if !is_kept {
            self.bucket = None;
        }
        outcome
    }

    /// Asks both the same.
    fn ask(&mut self, operation: &Operation<'_>) -> Outcome {
        let expected = self.expected(operation);
        let outcome = self.store.submit(Batch::from(operation)).wait().remove(0);
        let told = |outcome: &Outcome| match outcome {
            Ok(reply) => format!("{reply:?}"),
            Err(error) => format!("{:?}", Error::kind(error)),
        };
        assert_eq!(told(&outcome), told(&expected), "{operation:?} at {}, of {:?}", self.clock, self.bucket);
        outcome
    }

    /// Whether the rows are those of the bucket that the library has.
    fn check(&self, after: &Operation<'_>) {
        let rows = self.server.rows(KEY);
        if let Some(rows) = &rows {
            rows.check().unwrap_or_else(|wrong| panic!("after {after:?}: {wrong}"));
        }
        let stored = rows.map(|rows| comparable(&rows.state().unwrap(), self.now()));
        let expected = self.bucket.as_ref().map(|bucket| comparable(bucket, self.now()));
        assert_eq!(stored, expected, "after {after:?} at {}", self.clock);
    }
}

/// Numbers that look as if they came by chance, the same ones each time.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

struct Quotas {
    own: Quota,
    /// Of the same algorithm.
    wider: Quota,
    other: Quota,
}

/// Something to ask for; nothing if a permit would be needed, and there is none.
fn something<'q>(numbers: &mut Numbers, quotas: &'q Quotas, given: &[Admission]) -> Option<Action<'q>> {
    let quota = match numbers.below(30) {
        0 => &quotas.wider,
        1 => &quotas.other,
        _ => &quotas.own,
    };
    Some(match numbers.below(20) {
        0..7 => Action::Acquire { quota, weight: 1 + numbers.below(4), standing: Standing::Alone },
        7..11 => Action::Peek { quota },
        11..15 => {
            // Mostly of the newest ones.
            let back = if numbers.below(4) == 0 { numbers.below(400) } else { numbers.below(5) };
            let given = given.iter().rev().nth(usize::try_from(back).unwrap())?;
            Action::Refund(Admission { weight: 1 + numbers.below(given.weight), ..*given })
        }
        15..18 => Action::Penalize { quota, units: 1 + numbers.below(30) },
        18 => Action::Hold { quota, duration: Duration::from_micros(numbers.below(3_000_000)) },
        _ if numbers.below(12) == 0 => Action::Reset,
        _ => return None,
    })
}

fn later(numbers: &mut Numbers, clock: u64, given: &[Admission]) -> u64 {
    match numbers.below(60) {
        0..20 => clock,
        20..40 => clock + numbers.below(5),
        // The last tick at which one of them counts, or the next.
        40..50 => {
            let edges = given.iter().map(|given| given.tick.as_micros() + 10_000_000);
            edges.filter(|edge| *edge > clock).min().map_or(clock, |edge| edge + numbers.below(2))
        }
        50..57 => clock + numbers.below(4_000_000),
        57 => clock - numbers.below(2_000_000),
        // So that all that is left of long logs is of no more matter, or their clock too far back.
        58 => clock + numbers.below(HOUR / 20),
        _ if numbers.below(4) == 0 => clock - 3 * HOUR - numbers.below(HOUR),
        _ => clock,
    }
}

/// For each of these lengths, and ways in which rows may have it.
#[test]
fn promises_1_to_4_and_9_all_is_as_the_library_has_it_by_whichever_way_it_goes() {
    let mut pair = Pair::new();
    let mut numbers = Numbers(7);
    for (turn, events) in [0, 5, 30, 90, 700, 0, 1_000, 20, 130].into_iter().enumerate() {
        let algorithm = if turn == 5 { Algorithm::Gcra } else { Algorithm::SlidingWindowLog };
        let quotas = Quotas {
            own: Quota::new(algorithm, "40/10s, 1500/1h").unwrap(),
            wider: Quota::new(algorithm, "60/20s, 3000/2h").unwrap(),
            other: Quota::new(Algorithm::FixedWindow, "1500/1h").unwrap(),
        };
        let layout = Layout { recent: 16 - turn, chunk: 64 - 5 * turn, gone: turn % 3, spare: 1, ..Layout::PLAIN };
        pair.begin(&quotas.own, events, layout);
        let mut given = Vec::new();
        for _ in 0..400 {
            let clock = later(&mut numbers, pair.clock, &given);
            if clock != pair.clock {
                pair.turn(clock);
            }
            let Some(action) = something(&mut numbers, &quotas, &given) else { continue };
            let operation = Operation::new(KEY, action);
            if let Ok(Reply::Acquired(Verdict::Admitted(admission))) = pair.ask(&operation) {
                given.push(admission);
            }
            pair.check(&operation);
        }
    }
}
