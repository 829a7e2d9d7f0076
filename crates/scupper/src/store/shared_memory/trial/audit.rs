use std::collections::BTreeMap;

use crate::store::bucket::Numbers;
use crate::store::shared_memory::arena::{Arena, Block, Use};
use crate::store::shared_memory::bucket::Loaded;
use crate::store::shared_memory::geometry::{Geometry, at};
use crate::store::shared_memory::journal::Change;
use crate::store::shared_memory::ring::Ring;
use crate::store::shared_memory::table::Table;
use crate::store::shared_memory::words::Words;

/// Looks at every block, every list and every chain. Each word of the blocks must be accounted for. Gives the buckets.
pub(super) fn audit<W: Words + ?Sized>(words: &W) -> BTreeMap<String, Numbers> {
    let geometry = Geometry::of(words.len());
    let change = Change::begin(words).unwrap();
    assert_eq!(words.load(at::JOURNAL), 0, "nothing is half done");
    let arena = Arena::new(&change, geometry);
    let mut blocks = blocks(&arena, geometry);
    for order in Arena::<W>::SMALLEST..=Arena::<W>::LARGEST {
        check_list(&change, order, &mut blocks);
    }
    let free: Vec<&Block> =
        blocks.values().filter(|(_, used_as)| *used_as == Use::Free).map(|(block, _)| block).collect();
    assert!(free.is_empty(), "free and in no list: {free:?}");

    let table = Table::new(&change, &arena, geometry);
    let mut buckets = BTreeMap::new();
    for chain in 0..geometry.chains {
        for found in table.chain(chain).unwrap() {
            let place = found.slot.block.at;
            assert_eq!(blocks.remove(&place).map(|(_, used_as)| used_as), Some(Use::Bucket));
            if let Some(log) = Ring::read(&change, &arena, place).unwrap().block {
                assert_eq!(blocks.remove(&log.at), Some((log, Use::Log)));
            }
            let (_, state) = Loaded::new(&table, found).unwrap();
            let key = found.slot.key(&change).unwrap();
            assert!(buckets.insert(key, state.to_numbers()).is_none(), "a key is there twice");
        }
    }
    assert_eq!(table.len(), buckets.len() as u64);
    assert!(blocks.is_empty(), "in use and nobody's: {blocks:?}");
    buckets
}

/// All blocks, one after the other without a gap.
fn blocks<W: Words + ?Sized>(arena: &Arena<'_, '_, W>, geometry: Geometry) -> BTreeMap<u64, (Block, Use)> {
    let (mut place, mut blocks) = (geometry.base, BTreeMap::new());
    while place < geometry.end {
        let (block, used_as) = arena.find(place).unwrap_or_else(|| panic!("no block at {place}"));
        let half = geometry.base + ((place - geometry.base) ^ block.words());
        let other = arena.find(half).filter(|(other, _)| other.order == block.order);
        let are_whole = used_as == Use::Free && matches!(other, Some((_, Use::Free)));
        assert!(!are_whole, "two free halves at {place} and {half}");
        blocks.insert(place, (block, used_as));
        place += block.words();
    }
    assert_eq!(place, geometry.end);
    blocks
}

fn check_list<W: Words + ?Sized>(change: &Change<'_, W>, order: u32, blocks: &mut BTreeMap<u64, (Block, Use)>) {
    let (mut before, mut place) = (0, change.get(Arena::<W>::list(order)));
    while place != 0 {
        let (block, used_as) = blocks.remove(&place).unwrap_or_else(|| panic!("{place} is in a list and no block"));
        assert_eq!((block.order, used_as), (order, Use::Free));
        assert_eq!(change.get(place + Arena::<W>::BEFORE), before);
        (before, place) = (place, change.get(place + Arena::<W>::NEXT));
    }
}
