//! Blocks do not overlap, all come back, and a change of them is whole or none.

use proptest::prelude::*;

use crate::error::ErrorKind;
use crate::store::shared_memory::arena::{Arena, Block, Use};
use crate::store::shared_memory::geometry::{Geometry, at};
use crate::store::shared_memory::journal::Change;
use crate::store::shared_memory::trial::audit::audit;
use crate::store::shared_memory::trial::memory::Memory;
use crate::store::shared_memory::words::Words;

const BYTES: u64 = 64 * 1024;

#[derive(Clone, Debug)]
enum Step {
    Take(u64),
    GiveBack(usize),
    /// A change that is dropped instead of committed.
    Dropped(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (1_u64..300).prop_map(Step::Take),
        1 => (1_u64..4_000).prop_map(Step::Take),
        4 => any::<usize>().prop_map(Step::GiveBack),
        1 => (1_u64..300).prop_map(Step::Dropped),
    ];
    prop::collection::vec(step, 1..120)
}

fn with<T>(memory: &Memory, work: impl FnOnce(&Arena<'_, '_, Memory>) -> T) -> T {
    let change = Change::begin(memory).unwrap();
    let arena = Arena::new(&change, Geometry::of(memory.len()));
    let done = work(&arena);
    arena.settle().unwrap();
    drop(arena);
    change.commit().unwrap();
    done
}

fn content(memory: &Memory, block: Block) -> Vec<u64> {
    (block.at + 1..block.at + block.words()).map(|place| memory.load(place)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn blocks_keep_what_is_written_on_them_and_all_come_back(steps in steps()) {
        let memory = Memory::new(BYTES);
        let mut taken: Vec<(Block, u64)> = Vec::new();
        let mut mark = 0;
        for step in steps {
            match step {
                Step::Take(words) => {
                    mark += 1;
                    let block = with(&memory, |arena| arena.take(words, Use::Log));
                    let Ok(block) = block else {
                        prop_assert_eq!(block.unwrap_err().kind(), ErrorKind::Capacity);
                        continue;
                    };
                    prop_assert!((words..=(2 * words).max(8)).contains(&block.words()));
                    (block.at + 1..block.at + block.words()).for_each(|place| memory.store(place, mark));
                    taken.push((block, mark));
                }
                Step::GiveBack(which) if !taken.is_empty() => {
                    let (block, _) = taken.swap_remove(which % taken.len());
                    with(&memory, |arena| arena.give_back(block));
                }
                Step::GiveBack(_) => {}
                Step::Dropped(words) => {
                    let before = memory.words.clone();
                    let change = Change::begin(&memory).unwrap();
                    let arena = Arena::new(&change, Geometry::of(memory.len()));
                    let _ = arena.take(words, Use::Bucket);
                    if let Some((block, _)) = taken.last() {
                        arena.give_back(*block);
                        arena.settle().unwrap();
                    }
                    drop(arena);
                    drop(change);
                    let fixed = (0..at::JOURNAL).map(|place| usize::try_from(place).unwrap());
                    prop_assert!(fixed.into_iter().all(|place| before[place] == memory.words[place]));
                }
            }
            for (block, mark) in &taken {
                prop_assert!(content(&memory, *block).iter().all(|word| word == mark), "nobody else wrote on {:?}", block);
            }
        }
        for (block, _) in taken.drain(..) {
            with(&memory, |arena| arena.give_back(block));
        }
        prop_assert!(audit(&memory).is_empty());
        let fresh = Memory::new(BYTES);
        for order in Arena::<Memory>::SMALLEST..=Arena::<Memory>::LARGEST {
            let has = |memory: &Memory| memory.load(Arena::<Memory>::list(order)) != 0;
            prop_assert_eq!(has(&memory), has(&fresh), "blocks of order {} are whole again", order);
        }
    }
}

#[test]
fn a_file_of_any_size_is_divided_without_a_gap() {
    for bytes in
        (Geometry::SMALLEST_BYTES..Geometry::SMALLEST_BYTES + 5_000).step_by(8).chain([1 << 20, (1 << 20) + 8, 3 << 20])
    {
        assert!(audit(&Memory::new(bytes)).is_empty());
    }
}

#[test]
fn a_change_that_is_too_long_is_an_error_and_undone() {
    let memory = Memory::new(BYTES);
    let before: Vec<u64> = (at::CHAINS..memory.len()).map(|place| memory.load(place)).collect();
    let change = Change::begin(&memory).unwrap();
    (0..2 * Change::<Memory>::MOST).for_each(|nth| change.set(at::CHAINS + nth % 7, nth + 1));
    assert_eq!(change.commit().unwrap_err().kind(), ErrorKind::Corrupt);
    let after: Vec<u64> = (at::CHAINS..memory.len()).map(|place| memory.load(place)).collect();
    assert_eq!(before, after);
}
