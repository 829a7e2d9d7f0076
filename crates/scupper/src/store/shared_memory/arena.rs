use std::cell::RefCell;

use smallvec::SmallVec;

use crate::error::Result;
use crate::store::shared_memory::failure::{corrupt, no_room};
use crate::store::shared_memory::geometry::{Geometry, at};
use crate::store::shared_memory::journal::Change;
use crate::store::shared_memory::words::Words;

/// What a block is used for. A block of another use than it is looked for is damage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    Free,
    Bucket,
    Log,
}

impl Use {
    const ALL: [Self; 3] = [Self::Free, Self::Bucket, Self::Log];

    const fn tag(self, order: u32) -> u64 {
        let letters = match self {
            Self::Free => *b"free",
            Self::Bucket => *b"buck",
            Self::Log => *b"log ",
        };
        (u32::from_be_bytes(letters) as u64) << 32 | order as u64
    }
}

/// A block in use: its first word says what it is, the others are its owner's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Block {
    pub(super) at: u64,
    pub(super) order: u32,
}

impl Block {
    /// How many words it has, the first included.
    #[inline(always)]
    pub(super) const fn words(self) -> u64 {
        1 << self.order
    }
}

/// Blocks of words, of sizes that are powers of two. A free block lies in the list of its size; two that are halves of a larger
/// one become that again as soon as both are free.
///
/// What a change gives back is free only at its end, by [`settle`](Self::settle): if it were taken again and written on in
/// the same change, that would not be undone.
pub(super) struct Arena<'c, 'w, W: Words + ?Sized> {
    change: &'c Change<'w, W>,
    geometry: Geometry,
    given_back: RefCell<SmallVec<[Block; 2]>>,
}

impl<'c, 'w, W: Words + ?Sized> Arena<'c, 'w, W> {
    pub(super) const SMALLEST: u32 = 3;
    pub(super) const LARGEST: u32 = 39;
    /// Where a free block has the next and the one before of its list.
    pub(super) const NEXT: u64 = 1;
    pub(super) const BEFORE: u64 = 2;

    #[inline(always)]
    pub(super) fn new(change: &'c Change<'w, W>, geometry: Geometry) -> Self {
        Self { change, geometry, given_back: RefCell::default() }
    }

    /// Writes the blocks of a new file: all free, each as large as its place allows.
    pub(super) fn format(words: &W, geometry: Geometry) {
        let length = geometry.end - geometry.base;
        let mut place = 0;
        while place < length {
            let fits = (length - place).ilog2().min(Self::LARGEST);
            let order = if place == 0 { fits } else { place.trailing_zeros().min(fits) };
            let (block, list) = (geometry.base + place, Self::list(order));
            words.store(block, Use::Free.tag(order));
            let next = words.load(list);
            words.store(block + Self::NEXT, next);
            if next != 0 {
                words.store(next + Self::BEFORE, block);
            }
            words.store(list, block);
            place += 1 << order;
        }
    }

    pub(super) const fn list(order: u32) -> u64 {
        at::FREE + (order - Self::SMALLEST) as u64
    }

    /// The block at this place, which must be one of this use.
    #[inline(always)]
    pub(super) fn block(&self, at: u64, used_as: Use) -> Result<Block> {
        match self.find(at) {
            Some((block, found)) if found == used_as => Ok(block),
            _ => Err(corrupt("a block of it is not where it should be")),
        }
    }

    /// The block that is said to be at this place and of this order. Whether it is there in truth shows where it is given back:
    /// to see it, another line of the cache would be fetched.
    #[inline(always)]
    pub(super) fn block_of(&self, at: u64, order: u32) -> Result<Block> {
        let Geometry { base, end, .. } = self.geometry;
        let block = Block { at, order: order.min(Self::LARGEST) };
        let is_within = (base..end).contains(&at) && block.words() <= end - at;
        if is_within && (at - base).is_multiple_of(block.words()) {
            Ok(block)
        } else {
            Err(corrupt("a block of it is not where it should be"))
        }
    }

    /// What lies at this place, if it is a block.
    #[inline(always)]
    pub(super) fn find(&self, at: u64) -> Option<(Block, Use)> {
        let Geometry { base, end, .. } = self.geometry;
        let tag = if (base..end).contains(&at) { self.change.get(at) } else { 0 };
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a tag with more than an order there is none of those that are known"
        )]
        let order = tag as u32;
        let is_order = (Self::SMALLEST..=Self::LARGEST).contains(&order);
        let used_as = Use::ALL.into_iter().find(|used_as| is_order && used_as.tag(order) == tag)?;
        let block = Block { at, order };
        let is_block = (at - base).is_multiple_of(block.words()) && block.words() <= end - at;
        is_block.then_some((block, used_as))
    }

    /// Takes a block of at least so many words.
    ///
    /// # Errors
    /// [`ErrorKind::Capacity`](crate::ErrorKind::Capacity) if none is free.
    pub(super) fn take(&self, words: u64, used_as: Use) -> Result<Block> {
        let order = words.max(1 << Self::SMALLEST).checked_next_power_of_two().map_or(u32::MAX, u64::ilog2);
        let larger = (order..=Self::LARGEST).find(|order| self.change.get(Self::list(*order)) != 0);
        let Some(larger) = larger else { return Err(no_room(words, self.geometry.bytes())) };
        let block = self.block(self.change.get(Self::list(larger)), Use::Free)?;
        if block.order != larger {
            return Err(corrupt("a free block of it is in the wrong list"));
        }
        self.unlink(block)?;
        // Its owner writes on these, and they must be there again if the change is undone.
        self.change.keep(block.at + Self::NEXT);
        self.change.keep(block.at + Self::BEFORE);
        for half in (order..larger).rev() {
            let upper = block.at + (1 << half);
            self.change.fill(upper, Use::Free.tag(half));
            self.change.fill(upper + Self::NEXT, 0);
            self.change.fill(upper + Self::BEFORE, 0);
            self.change.set(Self::list(half), upper);
        }
        self.change.set(block.at, used_as.tag(order));
        Ok(Block { at: block.at, order })
    }

    /// Gives a block back, once the change is settled.
    pub(super) fn give_back(&self, block: Block) {
        self.given_back.borrow_mut().push(block);
    }

    /// Frees what was given back. It comes last in a change.
    #[inline(always)]
    pub(super) fn settle(&self) -> Result<()> {
        if self.given_back.borrow().is_empty() { Ok(()) } else { self.free_all() }
    }

    #[cold]
    fn free_all(&self) -> Result<()> {
        self.given_back.take().into_iter().try_for_each(|block| self.free(block))
    }

    fn free(&self, block: Block) -> Result<()> {
        if !matches!(self.find(block.at), Some((found, Use::Bucket | Use::Log)) if found == block) {
            return Err(corrupt("a block of it is not where it should be"));
        }
        let (mut place, mut order) = (block.at - self.geometry.base, block.order);
        while order < Self::LARGEST {
            let other = self.find(self.geometry.base + (place ^ (1 << order)));
            let Some((other, Use::Free)) = other.filter(|(other, _)| other.order == order) else { break };
            self.unlink(other)?;
            place &= !(1 << order);
            order += 1;
        }
        let (free, list) = (self.geometry.base + place, Self::list(order));
        let next = self.change.get(list);
        if next != 0 {
            self.block(next, Use::Free)?;
            self.change.set(next + Self::BEFORE, free);
        }
        self.change.set(free, Use::Free.tag(order));
        self.change.set(free + Self::NEXT, next);
        self.change.set(free + Self::BEFORE, 0);
        self.change.set(list, free);
        Ok(())
    }

    /// Takes a free block out of its list.
    fn unlink(&self, block: Block) -> Result<()> {
        let (next, before) = (self.change.get(block.at + Self::NEXT), self.change.get(block.at + Self::BEFORE));
        let towards = |at: u64, side: u64, list: u64| {
            if at == 0 {
                return Ok(list);
            }
            let place = self.block(at, Use::Free)?.at + side;
            if self.change.get(place) == block.at { Ok(place) } else { Err(corrupt("a list of free blocks is broken")) }
        };
        let from_before = towards(before, Self::NEXT, Self::list(block.order))?;
        let from_next = towards(next, Self::BEFORE, 0)?;
        if before == 0 && self.change.get(from_before) != block.at {
            return Err(corrupt("a list of free blocks is broken"));
        }
        self.change.set(from_before, next);
        if next != 0 {
            self.change.set(from_next, before);
        }
        Ok(())
    }
}
