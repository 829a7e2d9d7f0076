use crate::error::Result;
use crate::store::shared_memory::arena::{Arena, Use};
use crate::store::shared_memory::failure::corrupt;
use crate::store::shared_memory::geometry::{self, Geometry};
use crate::store::shared_memory::journal::Change;
use crate::store::shared_memory::ring::Ring;
use crate::store::shared_memory::slot::{Slot, at};
use crate::store::shared_memory::words::Words;

/// The buckets by their keys: chains of slots, by the keyed hash of the key.
pub(super) struct Table<'c, 'w, W: Words + ?Sized> {
    pub(super) change: &'c Change<'w, W>,
    pub(super) arena: &'c Arena<'c, 'w, W>,
    geometry: Geometry,
}

/// A slot, and the word that leads to it: that of its chain, or of the slot before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) slot: Slot,
    link: u64,
}

impl<'c, 'w, W: Words + ?Sized> Table<'c, 'w, W> {
    /// With a secret hash and chains enough for every bucket that has room, none becomes so long; one that does goes round.
    const LONGEST_CHAIN: usize = 512;

    pub(super) fn new(change: &'c Change<'w, W>, arena: &'c Arena<'c, 'w, W>, geometry: Geometry) -> Self {
        Self { change, arena, geometry }
    }

    /// The slot of this key.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`](crate::ErrorKind::Corrupt) if the chain is none.
    #[inline(always)]
    pub(super) fn find(&self, hash: u64, key: &str) -> Result<Option<Found>> {
        let mut link = self.geometry.chain(hash);
        for _ in 0..Self::LONGEST_CHAIN {
            let at = self.change.get(link);
            if at == 0 {
                return Ok(None);
            }
            let slot = Slot::read(self.change, self.arena, at)?;
            if slot.is_of(self.change, hash, key) {
                return Ok(Some(Found { slot, link }));
            }
            link = at + at::NEXT;
        }
        Err(corrupt("its table goes round in a circle"))
    }

    /// All slots of the chain of this number.
    pub(super) fn chain(&self, nth: u64) -> Result<Vec<Found>> {
        let (mut link, mut found) = (self.geometry.chain(nth), Vec::new());
        while found.len() < Self::LONGEST_CHAIN {
            let at = self.change.get(link);
            if at == 0 {
                return Ok(found);
            }
            let slot = Slot::read(self.change, self.arena, at)?;
            if self.geometry.chain(self.change.get(at + at::HASH)) != self.geometry.chain(nth) {
                return Err(corrupt("a slot of it is in the wrong chain"));
            }
            found.push(Found { slot, link });
            link = at + at::NEXT;
        }
        Err(corrupt("its table goes round in a circle"))
    }

    /// Makes a slot for a key that has none.
    ///
    /// # Errors
    /// [`ErrorKind::Capacity`](crate::ErrorKind::Capacity) if there is no room.
    pub(super) fn insert(&self, hash: u64, key: &str, head: &[u64]) -> Result<Slot> {
        let block = self.arena.take(Slot::words_for(head.len() as u64, key), Use::Bucket)?;
        let slot = Slot::fill(self.change, block, hash, key, head);
        let chain = self.geometry.chain(hash);
        self.change.fill(block.at + at::NEXT, self.change.get(chain));
        self.change.set(chain, block.at);
        self.count(1);
        Ok(slot)
    }

    /// Puts a head of another length in the place of a slot's; the log stays.
    ///
    /// # Errors
    /// [`ErrorKind::Capacity`](crate::ErrorKind::Capacity) if there is no room.
    pub(super) fn replace(&self, old: Found, hash: u64, key: &str, head: &[u64]) -> Result<Slot> {
        let block = self.arena.take(Slot::words_for(head.len() as u64, key), Use::Bucket)?;
        let slot = Slot::fill(self.change, block, hash, key, head);
        for same in at::OF_THE_LOG.into_iter().chain([at::NEXT]) {
            self.change.fill(block.at + same, self.change.get(old.slot.block.at + same));
        }
        self.change.set(old.link, block.at);
        self.arena.give_back(old.slot.block);
        Ok(slot)
    }

    /// Removes a slot and its log.
    pub(super) fn remove(&self, found: Found) -> Result<()> {
        let at = found.slot.block.at;
        Ring::read(self.change, self.arena, at)?.clear();
        self.change.set(found.link, self.change.get(at + at::NEXT));
        self.arena.give_back(found.slot.block);
        self.count(u64::MAX);
        Ok(())
    }

    fn count(&self, more: u64) {
        let buckets = self.change.get(geometry::at::BUCKETS);
        self.change.set(geometry::at::BUCKETS, buckets.wrapping_add(more));
    }

    /// How many buckets there are.
    #[cfg(test)]
    pub(super) fn len(&self) -> u64 {
        self.change.get(geometry::at::BUCKETS)
    }
}
