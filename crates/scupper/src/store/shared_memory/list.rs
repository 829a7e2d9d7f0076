use crate::error::Result;
use crate::store::outcome::{Cursor, Page};
use crate::store::shared_memory::bucket::owes;
use crate::store::shared_memory::keeper::Keeper;
use crate::store::shared_memory::table::Table;
use crate::store::shared_memory::words::Words;
use crate::time::Timestamp;

/// A list of the keys that begin with a prefix and owe something, on its way to `most` of them.
pub(super) struct Listing<'a> {
    prefix: &'a str,
    most: usize,
    /// The chain to look at next, and after which of its keys: a page may end in the middle of one, and meanwhile its order
    /// may change.
    chain: u64,
    after: Option<String>,
    keys: Vec<String>,
}

impl<'a> Listing<'a> {
    /// So many chains are looked at under one lock.
    const STRIDE: u64 = 64;

    pub(super) fn new(prefix: &'a str, after: Option<&Cursor>, most: usize) -> Self {
        let place = after.and_then(|after| after.place().split_once(' '));
        let chain = place.and_then(|(chain, _)| chain.parse().ok()).unwrap_or_default();
        let after = place.map(|(_, key)| key.to_owned());
        Self { prefix, most: most.max(1), chain, after, keys: Vec::new() }
    }

    /// Looks at some more chains; the page once it is complete.
    pub(super) fn go_on<W: Words + ?Sized>(&mut self, keeper: &Keeper<'_, W>) -> Result<Option<Page>> {
        let end = keeper.geometry.chains;
        let to = self.chain.saturating_add(Self::STRIDE).min(end);
        keeper.change(|table, now| {
            while self.chain < to && !self.look(table, now)? {}
            Ok(())
        })?;
        let is_full = self.keys.len() >= self.most;
        if !is_full && self.chain < end {
            return Ok(None);
        }
        let keys = std::mem::take(&mut self.keys);
        let next =
            is_full.then(|| Cursor::new(format!("{} {}", self.chain, self.after.as_deref().unwrap_or_default())));
        Ok(Some(Page { keys, next }))
    }

    /// Looks at one chain; says whether the page is full with it.
    fn look<W: Words + ?Sized>(&mut self, table: &Table<'_, '_, W>, now: Timestamp) -> Result<bool> {
        let mut keys = Vec::new();
        for found in table.chain(self.chain)? {
            let key = found.slot.key(table.change)?;
            let comes_next = self.after.as_ref().is_none_or(|after| key > *after);
            if comes_next && key.starts_with(self.prefix) && owes(table, found.slot, now)? {
                keys.push(key);
            }
        }
        keys.sort_unstable();
        keys.truncate(self.most - self.keys.len());
        let is_full = self.keys.len() + keys.len() >= self.most;
        if is_full {
            self.after = keys.last().cloned().or(self.after.take());
        } else {
            (self.chain, self.after) = (self.chain + 1, None);
        }
        self.keys.append(&mut keys);
        Ok(is_full)
    }
}
