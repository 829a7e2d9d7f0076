use std::cell::Cell;

use crate::store::host_clock::{Anchor, TestHost};
use crate::store::shared_memory::geometry::Geometry;
use crate::store::shared_memory::header::Header;
use crate::store::shared_memory::keeper::Keeper;
use crate::store::shared_memory::words::Words;

/// Words in memory, and a process that dies after so many stores: from then on, none is carried out.
#[derive(Clone, Debug)]
pub(super) struct Memory {
    pub(super) words: Vec<Cell<u64>>,
    pub(super) life: Cell<u64>,
    /// How many words were looked at.
    pub(super) loads: Cell<u64>,
}

impl Memory {
    pub(super) const WALL: u64 = 1_800_000_000_000_000;

    /// An empty store.
    pub(super) fn new(bytes: u64) -> Self {
        let words = Geometry::words_of(bytes).unwrap();
        let memory =
            Self { words: (0..words).map(|_| Cell::new(0)).collect(), life: Cell::new(u64::MAX), loads: Cell::new(0) };
        Header::format(&memory, [1, 2], Anchor::first(&host()).unwrap());
        memory
    }

    pub(super) fn keeper<'w>(&'w self, host: &'w TestHost) -> Keeper<'w, Self> {
        Keeper { words: self, geometry: Geometry::of(self.len()), host }
    }

    /// Of all that is stored from now on, only so much is carried out.
    pub(super) fn dies_after(&self, stores: u64) {
        self.life.set(stores);
    }

    /// Whoever was to die has died; another process comes.
    pub(super) fn is_born_again(&self) {
        self.life.set(u64::MAX);
    }
}

/// The host on which such a store was made.
pub(super) fn host() -> TestHost {
    TestHost::new(5_000_000, Memory::WALL)
}

/// A hash for a key of a few letters.
pub(super) fn hash(key: &str) -> u64 {
    key.bytes().fold(7, |hash, byte| hash.wrapping_mul(31).wrapping_add(byte.into()))
}

impl Words for Memory {
    fn len(&self) -> u64 {
        self.words.len() as u64
    }

    fn load(&self, at: u64) -> u64 {
        self.loads.set(self.loads.get() + 1);
        self.words.get(usize::try_from(at).unwrap()).map_or(0, Cell::get)
    }

    fn store(&self, at: u64, word: u64) {
        if self.life.get() == 0 {
            return;
        }
        self.life.set(self.life.get() - 1);
        if let Some(place) = self.words.get(usize::try_from(at).unwrap()) {
            place.set(word);
        }
    }
}
