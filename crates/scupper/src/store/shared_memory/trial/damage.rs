//! Whatever is written into the words, by whom or by what ever: an error or a wrong number, and nothing worse.

use proptest::prelude::*;

use crate::error::ErrorKind;
use crate::store::batch::{Action, Operation};
use crate::store::shared_memory::arena::Arena;
use crate::store::shared_memory::geometry::{Geometry, at};
use crate::store::shared_memory::header::Header;
use crate::store::shared_memory::journal::Change;
use crate::store::shared_memory::keeper::Keeper;
use crate::store::shared_memory::list::Listing;
use crate::store::shared_memory::table::Table;
use crate::store::shared_memory::trial::life::{Permits, Step, quotas, steps};
use crate::store::shared_memory::trial::memory::{Memory, hash, host};
use crate::store::shared_memory::words::Words;

/// A word that is overwritten: which, and with what.
#[derive(Clone, Copy, Debug)]
struct Damage {
    place: usize,
    word: Wrong,
}

#[derive(Clone, Copy, Debug)]
enum Wrong {
    Any(u64),
    Small(u64),
    Beside(i64),
    Bit(u32),
    /// What stands elsewhere: an address, a tag, a length that could be.
    Copied(usize),
}

fn damages() -> impl Strategy<Value = Vec<Damage>> {
    let word = prop_oneof![
        any::<u64>().prop_map(Wrong::Any),
        (0_u64..70).prop_map(Wrong::Small),
        (-9_i64..9).prop_map(Wrong::Beside),
        (0_u32..64).prop_map(Wrong::Bit),
        any::<usize>().prop_map(Wrong::Copied),
    ];
    prop::collection::vec((any::<usize>(), word).prop_map(|(place, word)| Damage { place, word }), 1..4)
}

impl Damage {
    /// Among the words that are in use, where it hurts.
    fn apply(&self, memory: &Memory) {
        let used: Vec<usize> = (0..memory.words.len()).filter(|place| memory.words[*place].get() != 0).collect();
        let place = used[self.place % used.len()];
        let word = memory.words[place].get();
        memory.words[place].set(match self.word {
            Wrong::Any(word) | Wrong::Small(word) => word,
            Wrong::Beside(by) => word.wrapping_add_signed(by),
            Wrong::Bit(bit) => word ^ 1 << bit,
            Wrong::Copied(from) => memory.words[used[from % used.len()]].get(),
        });
    }
}

/// None of these is a panic, an endless loop or a kind of error that speaks of anything else.
fn live_on(memory: &Memory, steps: &[Step]) {
    let (host, quotas, mut permits) = (host(), quotas(), Permits::default());
    for step in steps {
        host.pass(step.pause);
        let Some(operation) = step.operation(&quotas, &mut permits) else { continue };
        memory.loads.set(0);
        let outcome = memory.keeper(&host).apply(hash(operation.key), &operation);
        assert!(memory.loads.get() < 500_000, "{} words were looked at", memory.loads.get());
        step.note(&outcome, &mut permits);
        if let Err(error) = outcome {
            let is_known =
                matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Capacity | ErrorKind::AlgorithmMismatch);
            assert!(is_known, "{error}");
        }
    }
    list_all(&memory.keeper(&host));
}

fn list_all(keeper: &Keeper<'_, Memory>) {
    let mut listing = Listing::new("", None, 1_000);
    while let Ok(None) = listing.go_on(keeper) {}
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, failure_persistence: None, max_shrink_iters: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn damaged_words_give_errors(before in steps(25), damages in damages(), after in steps(25)) {
        let memory = Memory::new(64 * 1024);
        live_on(&memory, &before);
        for damage in damages {
            damage.apply(&memory);
        }
        // As one who opens the file now, and as one who had it open.
        let _ = Header::read(&memory);
        live_on(&memory, &after);
    }

    #[test]
    fn a_damaged_journal_gives_errors(
        before in steps(25),
        left in prop_oneof![1_u64..20, any::<u64>()],
        entries in prop::collection::vec((prop_oneof![0_u64..9_000, any::<u64>()], any::<u64>()), 20),
        after in steps(10),
    ) {
        let memory = Memory::new(64 * 1024);
        live_on(&memory, &before);
        for (place, (at, word)) in (at::JOURNAL + 1..).step_by(2).zip(entries) {
            memory.store(place, at);
            memory.store(place + 1, word);
        }
        memory.store(at::JOURNAL, left);
        live_on(&memory, &after);
        let entry = |nth: u64| memory.load(at::JOURNAL + 1 + 2 * nth);
        prop_assert!(left <= 20 || memory.load(at::JOURNAL) == left, "nothing is undone by a journal like {}", entry(0));
    }
}

#[test]
fn a_file_of_another_make_is_told_from_ours() {
    let memory = Memory::new(64 * 1024);
    assert!(Header::read(&memory).is_ok());
    for (place, word, says) in [
        (at::MAGIC, 0, "does not begin like a store"),
        (at::LAYOUT, 2, "its layout has the version 2, this library knows 1"),
        (at::WORDS, 4096, "it was made with 4096 words, and the file has 8192"),
    ] {
        let other = memory.clone();
        other.store(place, word);
        let error = Header::read(&other).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        assert!(error.message().contains(says) && error.message().contains("delete the file"), "{error}");
    }
}

#[test]
fn a_bucket_that_cannot_be_read_spoils_no_other() {
    let (memory, host, quotas) = (Memory::new(64 * 1024), host(), quotas());
    let acquire = |key| memory.keeper(&host).apply(hash(key), &Operation::acquire(key, &quotas[2], 1));
    (0..2).for_each(|_| assert!(acquire("good").is_ok() && acquire("bad").is_ok()));
    let change = Change::begin(&memory).unwrap();
    let (geometry, arena) = (Geometry::of(memory.len()), Arena::new(&change, Geometry::of(memory.len())));
    let found = Table::new(&change, &arena, geometry).find(hash("bad"), "bad").unwrap().unwrap();
    memory.store(found.slot.head(0), 7);
    assert_eq!(acquire("bad").unwrap_err().kind(), ErrorKind::Corrupt);
    let look = Operation::new("good", Action::Peek { quota: &quotas[2] });
    assert!(acquire("good").is_ok() && memory.keeper(&host).apply(hash("good"), &look).is_ok());
}
