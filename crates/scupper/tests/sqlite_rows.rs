//! Whatever is wrong with the rows of a file: the operations on their buckets are errors that say so or those of another valid
//! bucket, what is sound beside it is answered, and nothing panics or goes on for ever.
#![cfg(all(feature = "sqlite", target_os = "linux"))]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test reports by panicking")]

mod support;

use std::time::Duration;

use rusqlite::{Connection, Params};
use scupper::store::{Action, Admission, Batch, Operation, Reply, Standing, Store, Verdict};
use scupper::{Algorithm, ErrorKind, Quota, SqliteStore};
use support::damage::{Dice, endures, is_admitted};
use support::folder::Folder;
use support::sqlite::{is_sound, number, submit, used};

const DAMAGED: &str = "damaged";
const SOUND: &str = "sound";
const FREE: &str = "1000000/h";
/// A log of so many events has four chunks of its own, and the newest events beside its head.
const LONG: usize = 180;

/// A file with a bucket in it, and a hand of a test's own in the file.
struct Bed {
    /// Gone with this.
    _folder: Folder,
    store: SqliteStore,
    hand: Connection,
    quota: Quota,
    other: Quota,
    admissions: Vec<Admission>,
}

impl Bed {
    fn new(algorithm: Algorithm, rates: [&str; 2], events: usize) -> Self {
        let folder = Folder::new();
        let store = SqliteStore::open(folder.file("limits.db")).unwrap();
        let [quota, other] = rates.map(|rates| Quota::new(algorithm, rates).unwrap());
        let mut admissions = Vec::new();
        for _ in 0..events {
            match submit(&store, &Operation::acquire(DAMAGED, &quota, 1)).unwrap() {
                Reply::Acquired(Verdict::Admitted(admission)) => admissions.push(admission),
                other => panic!("{other:?}"),
            }
        }
        let hand = Connection::open(store.path()).unwrap();
        hand.busy_timeout(Duration::from_secs(10)).unwrap();
        hand.execute_batch("PRAGMA synchronous = OFF").unwrap();
        Self { _folder: folder, store, hand, quota, other, admissions }
    }

    fn all() -> [Self; 4] {
        let many = ["1000/h, 2000/2h", "1500/h"];
        [
            Self::new(Algorithm::SlidingWindowLog, many, 5),
            Self::new(Algorithm::SlidingWindowLog, many, LONG),
            Self::new(Algorithm::Gcra, many, 5),
            Self::new(Algorithm::FixedWindow, many, 5),
        ]
    }

    fn execute(&self, sql: &str, params: impl Params) {
        self.hand.execute(sql, params).unwrap();
    }

    fn state(&self) -> Vec<u8> {
        let sql = "SELECT state FROM bucket WHERE key = CAST(?1 AS BLOB)";
        self.hand.query_row(sql, (DAMAGED,), |row| row.get(0)).unwrap()
    }

    /// All that can be done with a bucket.
    fn actions(&self) -> [Action<'_>; 9] {
        let (quota, other) = (&self.quota, &self.other);
        let newest = *self.admissions.last().unwrap();
        [
            Action::Acquire { quota, weight: 1, standing: Standing::Alone },
            Action::Acquire { quota, weight: 900, standing: Standing::Alone },
            Action::Acquire { quota: other, weight: 2, standing: Standing::Alone },
            Action::Peek { quota },
            Action::Refund(newest),
            Action::Refund(self.admissions[0]),
            Action::Penalize { quota, units: 3 },
            Action::Hold { quota, duration: Duration::from_secs(1) },
            Action::Reset,
        ]
    }

    /// Has all of it done, each beside what is sound and right after this damage; says how often it was an error.
    fn endures_all(&self, what: &str, damage: &dyn Fn(&Self)) -> usize {
        let free = Quota::new(Algorithm::default(), FREE).unwrap();
        let mut errors = 0;
        for action in self.actions() {
            self.hand.execute_batch("BEGIN IMMEDIATE").unwrap();
            damage(self);
            self.hand.execute_batch("COMMIT").unwrap();
            let before = self.contents();
            let [acquire, list] =
                [Operation::acquire(SOUND, &free, 1), Operation::new("", Action::List { after: None, most: 9 })];
            let operations = [acquire, Operation::new(DAMAGED, action), list, acquire];
            let outcomes = self.store.submit(Batch::new(&operations)).wait();
            let told = format!("{what}, {action:?}");
            assert!(is_admitted(&outcomes[0]) && is_admitted(&outcomes[3]), "{told}: {outcomes:?}");
            if let Err(error) = &outcomes[1] {
                let is_named = matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::AlgorithmMismatch);
                assert!(is_named, "{told}: {error}");
                assert!(before == self.contents(), "{told}: it was changed");
                errors += 1;
            }
            if let Err(error) = &outcomes[2] {
                assert_eq!(error.kind(), ErrorKind::Corrupt, "{told}: {error}");
            }
        }
        errors
    }

    /// What the file holds of the bucket that is damaged.
    fn contents(&self) -> Vec<(i64, Vec<u8>)> {
        let sql = "SELECT id, state FROM bucket WHERE key = CAST(?1 AS BLOB) UNION ALL \
                   SELECT chunk.upto, chunk.events FROM chunk JOIN bucket ON bucket.id = chunk.bucket WHERE key = CAST(?1 AS BLOB)";
        let mut statement = self.hand.prepare_cached(sql).unwrap();
        let rows = statement.query_map((DAMAGED,), |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        rows.map(Result::unwrap).collect()
    }

    /// The rows as they are now, to be put back by what this gives.
    fn restoring(&self) -> impl Fn(&Self) + use<> {
        self.hand
            .execute_batch(
                "CREATE TABLE bucket_before AS SELECT * FROM bucket WHERE key = CAST('damaged' AS BLOB); \
                 CREATE TABLE chunk_before AS SELECT * FROM chunk",
            )
            .unwrap();
        |bed: &Self| {
            bed.hand
                .execute_batch(
                    "DELETE FROM bucket WHERE key = CAST('damaged' AS BLOB); DELETE FROM chunk; \
                     INSERT INTO bucket SELECT * FROM bucket_before; INSERT INTO chunk SELECT * FROM chunk_before",
                )
                .unwrap();
        }
    }

    fn endures_state(&self, what: &str, restore: &dyn Fn(&Self), state: &[u8]) -> usize {
        self.endures_all(&format!("{what}: {:?}", state.escape_ascii().to_string()), &|bed| {
            restore(bed);
            bed.execute("UPDATE bucket SET state = ?1 WHERE key = CAST(?2 AS BLOB)", (state, DAMAGED));
        })
    }
}

#[test]
fn a_row_that_is_cut_off_anywhere_is_an_error_and_spoils_nothing_beside_it() {
    for bed in Bed::all() {
        endures(move || {
            let (restore, state) = (bed.restoring(), bed.state());
            for length in (0..state.len()).filter(|length| *length < 60 || length % 7 == 0) {
                bed.endures_state("cut off", &restore, &state[..length]);
                let peek = Operation::new(DAMAGED, Action::Peek { quota: &bed.quota });
                restore(&bed);
                bed.execute("UPDATE bucket SET state = ?1 WHERE key = CAST(?2 AS BLOB)", (&state[..length], DAMAGED));
                if let Err(error) = submit(&bed.store, &peek) {
                    assert_eq!(error.kind(), ErrorKind::Corrupt, "{length} bytes: {error}");
                }
            }
            is_sound(bed.store.path());
        });
    }
}

#[test]
fn a_row_with_flipped_bits_is_an_error_or_another_bucket() {
    for bed in Bed::all() {
        endures(move || {
            let (restore, state) = (bed.restoring(), bed.state());
            let mut errors = 0;
            for bit in (0..state.len() * 8).filter(|bit| bit % if *bit < 480 { 3 } else { 41 } == 0) {
                let mut flipped = state.clone();
                flipped[bit / 8] ^= 1 << (bit % 8);
                errors += bed.endures_state("flipped", &restore, &flipped);
            }
            assert!(errors > 50, "{errors}");
        });
    }
}

/// The numbers of a row: seven bits a byte, the lowest first.
fn numbers(state: &[u8]) -> Vec<u64> {
    let mut numbers = Vec::new();
    for number in state.split_inclusive(|byte| *byte < 0x80) {
        numbers.push(number.iter().rev().fold(0, |sum, byte| sum << 7 | u64::from(byte & 0x7f)));
    }
    numbers
}

fn row_of(numbers: &[u64]) -> Vec<u8> {
    let mut row = Vec::new();
    for number in numbers {
        let mut rest = *number;
        while rest >= 0x80 {
            row.push(rest.to_le_bytes()[0] | 0x80);
            rest >>= 7;
        }
        row.push(rest.to_le_bytes()[0]);
    }
    row
}

#[test]
fn a_row_with_numbers_that_cannot_be_is_an_error_or_another_bucket() {
    const WRONG: [u64; 9] = [0, 1, 1_000, 1 << 40, (1 << 61) - 1, 1 << 61, 1 << 63, u64::MAX - 5, u64::MAX];
    for bed in Bed::all() {
        endures(move || {
            let (restore, state) = (bed.restoring(), bed.state());
            let sound = numbers(&state);
            assert_eq!(row_of(&sound), state);
            let places = (0..sound.len()).filter(|place| *place < 28 || place % 29 == 0);
            for place in places.collect::<Vec<_>>() {
                for value in WRONG {
                    let mut wrong = sound.clone();
                    wrong[place] = value;
                    bed.endures_state("a number", &restore, &row_of(&wrong));
                    // Two that only together can be.
                    if let Some(next) = wrong.get_mut(place + 1) {
                        *next = value;
                        bed.endures_state("two numbers", &restore, &row_of(&wrong));
                    }
                }
            }
        });
    }
}

#[test]
fn a_log_whose_numbers_grow_too_large_is_counted_anew_and_loses_nothing() {
    endures(|| {
        let [bed, ..] = Bed::all();
        let mut row = numbers(&bed.state());
        // After the head of a log with two rates: what was dropped, and what lies in chunks.
        for number in &mut row[16..18] {
            assert_eq!(*number, 0);
            *number = (1 << 61) - 10;
        }
        bed.execute("UPDATE bucket SET state = ?1 WHERE key = CAST(?2 AS BLOB)", (row_of(&row), DAMAGED));
        for more in 1..=100 {
            let verdict = submit(&bed.store, &Operation::acquire(DAMAGED, &bed.quota, 1));
            assert!(is_admitted(&verdict), "{verdict:?}");
            assert_eq!(used(&bed.store, DAMAGED, "1000/h, 2000/2h"), 5 + more);
        }
        assert!(numbers(&bed.state())[17] < 200, "{:?}", numbers(&bed.state()));
    });
}

#[test]
fn a_row_that_is_all_wrong_is_an_error_or_another_bucket() {
    for bed in Bed::all() {
        endures(move || {
            let (restore, state) = (bed.restoring(), bed.state());
            let mut dice = Dice(7);
            for _ in 0..120 {
                let mut wrong = state.clone();
                for _ in 0..=dice.below(4) {
                    let (at, length) = (1 + dice.below(wrong.len() - 1), dice.below(11));
                    let end = (at + length).min(wrong.len());
                    // Also the largest numbers, which take ten bytes.
                    let kind = dice.below(3);
                    for byte in &mut wrong[at..end] {
                        *byte = [0xff, dice.byte(), dice.byte() & 1][kind];
                    }
                }
                bed.endures_state("wrong", &restore, &wrong);
            }
        });
    }
}

#[test]
fn chunks_that_are_missing_or_wrong_are_an_error_of_their_bucket_alone() {
    endures(|| {
        let [_, bed, ..] = Bed::all();
        let restore = bed.restoring();
        let chunks = number(bed.store.path(), "SELECT count(*) FROM chunk");
        assert!(chunks >= 3, "{chunks}");
        for chunk in 0..chunks {
            let nth = format!("WHERE upto = (SELECT upto FROM chunk ORDER BY upto LIMIT 1 OFFSET {chunk})");
            for damage in [
                format!("DELETE FROM chunk {nth}"),
                format!("UPDATE chunk SET events = x'' {nth}"),
                format!("UPDATE chunk SET events = zeroblob(1000) {nth}"),
                format!("UPDATE chunk SET events = x'ffffffffffffffffff01' {nth}"),
                format!("UPDATE chunk SET events = x'ffffffffffffffffff01ffffffffffffffffff01' {nth}"),
                format!("UPDATE chunk SET events = substr(events, 1, 40) {nth}"),
                format!("UPDATE chunk SET events = randomblob(100) {nth}"),
                format!("UPDATE chunk SET upto = -5 {nth}"),
                format!("UPDATE chunk SET upto = 9223372036854775807 {nth}"),
                format!("UPDATE chunk SET upto = upto + 7 {nth}"),
                format!("UPDATE chunk SET newest = -9223372036854775808 {nth}"),
                format!("UPDATE chunk SET newest = 9223372036854775807 {nth}"),
                format!("UPDATE chunk SET bucket = -1 {nth}"),
            ] {
                bed.endures_all(&damage, &|bed| {
                    restore(bed);
                    bed.execute(&damage, ());
                });
            }
            restore(&bed);
            bed.execute(&format!("DELETE FROM chunk {nth}"), ());
            // The next one knows how many units came before it: they count, and leave later.
            match submit(&bed.store, &Operation::new(DAMAGED, Action::Peek { quota: &bed.quota })) {
                Ok(Reply::Peeked(snapshot)) => assert_eq!(snapshot.usage[0].used, LONG as u64, "without chunk {chunk}"),
                Ok(other) => panic!("{other:?}"),
                Err(error) => assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}"),
            }
        }
    });
}

#[test]
fn a_row_with_a_key_or_a_time_that_cannot_be_spoils_nothing_beside_it() {
    for bed in Bed::all() {
        endures(move || {
            let restore = bed.restoring();
            for damage in [
                "idle_from = -9223372036854775808",
                "idle_from = 9223372036854775807",
                "id = -7",
                "id = 9223372036854775807",
                "key = x'fffe00'",
                "key = x''",
            ] {
                bed.endures_all(damage, &|bed| {
                    bed.execute("DELETE FROM bucket WHERE key IN (x'fffe00', x'')", ());
                    restore(bed);
                    bed.execute(&format!("UPDATE bucket SET {damage} WHERE key = CAST('damaged' AS BLOB)"), ());
                });
            }
        });
    }
}
