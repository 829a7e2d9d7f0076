//! A ring is a list of events, however it goes round and grows.

use proptest::prelude::*;

use crate::algorithm::Totals;
use crate::error::Result;
use crate::store::bucket::head;
use crate::store::shared_memory::arena::Arena;
use crate::store::shared_memory::geometry::Geometry;
use crate::store::shared_memory::journal::Change;
use crate::store::shared_memory::ring::Ring;
use crate::store::shared_memory::table::Table;
use crate::store::shared_memory::trial::memory::{Memory, hash};
use crate::store::shared_memory::words::Words;

/// Works on the ring of the only slot, made if it is not there.
fn with<T>(memory: &Memory, work: impl FnOnce(&mut Ring<'_, '_, Memory>) -> Result<T>) -> Result<T> {
    let change = Change::begin(memory)?;
    let geometry = Geometry::of(memory.len());
    let arena = Arena::new(&change, geometry);
    let table = Table::new(&change, &arena, geometry);
    let slot = match table.find(hash("key"), "key")? {
        Some(found) => found.slot,
        None => table.insert(hash("key"), "key", &[0; head::RATES])?,
    };
    let mut ring = Ring::read(&change, &arena, slot.block.at)?;
    let done = work(&mut ring)?;
    if let Some((newest, _)) = ring.newest() {
        change.set(slot.head(head::HIGH_WATER as u64), newest);
    }
    arena.settle()?;
    drop(arena);
    change.commit()?;
    Ok(done)
}

/// One event a unit, the oldest first.
fn ticks(events: &[(u64, u64)]) -> Vec<u64> {
    let mut before = 0;
    let mut ticks = Vec::new();
    for (tick, total) in events {
        ticks.extend((before..*total).map(|_| *tick));
        before = *total;
    }
    ticks
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_ring_is_what_a_list_would_be(
        steps in prop::collection::vec((0_u64..3, prop_oneof![3 => Just(1_u64), 1 => 1_u64..5], 0_u64..40, 0..12_u8), 1..200)
    ) {
        let memory = Memory::new(256 * 1024);
        let (mut now, mut units) = (100, Vec::<u64>::new());
        for (pause, weight, age, what) in steps {
            now += pause;
            if what == 0 {
                // As a refund does it.
                let kept: Vec<(u64, u64)> = with(&memory, |ring| Ok(ring.events())).unwrap();
                units = ticks(&kept[..kept.len() / 2]);
                with(&memory, |ring| ring.write(&kept[..kept.len() / 2])).unwrap();
            }
            let keep_from = now - age;
            with(&memory, |ring| ring.append(now, weight, keep_from)).unwrap();
            units.extend((0..weight).map(|_| now));
            let (found, all) = with(&memory, |ring| {
                let nth = 1 + now % ring.units();
                Ok((ring.tick_of(nth)?, (nth, ring.units(), ring.events(), ring.newest())))
            }).unwrap();
            let (nth, length, events, newest) = all;
            // What was dropped is old, and only that.
            let length = usize::try_from(length).unwrap();
            let dropped = units.len() - length;
            prop_assert!(units[..dropped].iter().all(|tick| *tick < keep_from));
            units.drain(..dropped);
            prop_assert_eq!(&ticks(&events), &units);
            prop_assert_eq!(found, units[usize::try_from(nth).unwrap() - 1]);
            prop_assert_eq!(newest, Some((now, units.len() as u64)));
        }
    }
}

#[test]
fn promise_9_totals_begin_anew_before_they_are_too_large() {
    let memory = Memory::new(256 * 1024);
    // Nobody takes so much at once; with what may be taken, it would be millions of times.
    let most = Totals::HIGHEST / 20;
    for now in 1..200 {
        with(&memory, |ring| ring.append(now, most, now - 1)).unwrap();
        let (units, newest) = with(&memory, |ring| Ok((ring.units(), ring.tick_of(ring.units())?))).unwrap();
        assert!(units <= 8 * most && newest == now, "{units} at {now}");
    }
}

#[test]
fn promise_7_a_ring_whose_events_leave_does_not_grow() {
    let memory = Memory::new(64 * 1024);
    for now in 0..100_000 {
        with(&memory, |ring| ring.append(now, 1, now.saturating_sub(100))).unwrap();
    }
    assert!(with(&memory, |ring| Ok(ring.units())).unwrap() < 256);
}
