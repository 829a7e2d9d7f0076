use crate::error::Result;
use crate::store::batch::{Action, Operation};
use crate::store::bucket::{BucketState, check, corrupt};
use crate::store::outcome::{Outcome, Reply, Verdict};
use crate::store::sqlite::chunks::{Chunks, integer};
use crate::store::sqlite::form::{Head, Newest, pack, unpack};
use crate::store::sqlite::in_place::InPlace;
use crate::store::sqlite::link::Link;
use crate::store::sqlite::log::RowLog;
use crate::time::Timestamp;

/// A bucket within a transaction.
#[derive(Debug)]
pub(super) enum Bucket {
    Absent,
    /// As its row has it: enough for what is asked of most.
    Row(Row),
    /// All of it, and the row that it came from.
    Whole(Box<BucketState>, Option<Box<Before>>),
}

#[derive(Debug)]
pub(super) struct Row {
    id: i64,
    head: Head,
    newest: Newest,
    is_changed: bool,
}

/// The row that a bucket was read from, and the events of its log that lie in chunks.
#[derive(Debug)]
pub(super) struct Before {
    row: Row,
    older: Vec<(u64, u64)>,
}

/// What has become of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stored {
    Unchanged,
    /// It is there, and may be forgotten from this tick on.
    Kept {
        idle_from: i64,
        is_new: bool,
    },
    Forgotten,
}

impl Bucket {
    pub(super) fn find(link: &Link, key: &str) -> Result<Self> {
        let sql = "SELECT id, state FROM bucket WHERE key = ?1";
        let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, unpack(row.get_ref(1)?.as_blob()?)));
        let Some((id, unpacked)) = link.first(sql, (key.as_bytes(),), read)? else { return Ok(Self::Absent) };
        let (head, newest) = unpacked?;
        Ok(Self::Row(Row { id, head, newest, is_changed: false }))
    }

    pub(super) fn apply(&mut self, link: &Link, operation: &Operation<'_>, now: Timestamp) -> Outcome {
        check(operation)?;
        if let Self::Row(row) = self
            && let Some(reply) = row.apply(link, operation, now)?
        {
            return Ok(reply);
        }
        self.make_whole(link)?;
        if let Self::Whole(state, _) = self {
            return state.apply(operation, now);
        }
        let Some(quota) = operation.quota() else { return operation.without_bucket() };
        let mut state = BucketState::new(quota, now);
        let reply = state.apply(operation, now)?;
        *self = Self::Whole(Box::new(state), None);
        Ok(reply)
    }

    fn make_whole(&mut self, link: &Link) -> Result<()> {
        let Self::Row(row) = self else { return Ok(()) };
        let older = if row.newest.has_chunks() { row.chunks(link).after(row.newest.dropped)? } else { Vec::new() };
        let state = row.whole(&older)?;
        let head = Head(std::mem::take(&mut row.head.0));
        let row = Row { head, newest: std::mem::take(&mut row.newest), ..*row };
        *self = Self::Whole(Box::new(state), Some(Box::new(Before { row, older })));
        Ok(())
    }

    /// Whether it owes anything at this time.
    pub(super) fn owes(mut self, link: &Link, now: Timestamp) -> Result<bool> {
        self.make_whole(link)?;
        Ok(matches!(self, Self::Whole(state, _) if state.settled_from() > now))
    }

    /// Writes down what has become of it, if anything has.
    pub(super) fn store(self, link: &Link, key: &str, now: Timestamp) -> Result<Stored> {
        match self {
            Self::Absent => Ok(Stored::Unchanged),
            Self::Row(row) if !row.is_changed => Ok(Stored::Unchanged),
            Self::Row(row) => row.write(link),
            Self::Whole(mut state, before) => {
                let idle_from = state.idle_from_at(now);
                if idle_from <= now {
                    let Some(before) = before else { return Ok(Stored::Unchanged) };
                    return before.row.chunks(link).remove_bucket().map(|()| Stored::Forgotten);
                }
                let numbers = state.to_numbers();
                let (head, idle_from) = (Head(numbers.head), integer(idle_from.as_micros()));
                let Some(before) = before else { return insert(link, key, &head, numbers.events, idle_from) };
                before.replace(link, &head, &numbers.events, idle_from)
            }
        }
    }
}

fn insert(link: &Link, key: &str, head: &Head, events: Vec<(u64, u64)>, idle_from: i64) -> Result<Stored> {
    let mut newest = Newest { dropped: 0, chunked: 0, events };
    let is_long = newest.events.len() > Newest::MOST;
    let state = if is_long { pack(head, &Newest::default()) } else { pack(head, &newest) };
    let sql = "INSERT INTO bucket (idle_from, key, state) VALUES (?1, ?2, ?3)";
    link.execute(sql, (idle_from, key.as_bytes(), state))?;
    if is_long {
        let id = link.last_id();
        newest.shorten(Chunks { link, id })?;
        update(link, id, head, &newest, idle_from)?;
    }
    Ok(Stored::Kept { idle_from, is_new: true })
}

fn update(link: &Link, id: i64, head: &Head, newest: &Newest, idle_from: i64) -> Result<Stored> {
    let sql = "UPDATE bucket SET idle_from = ?2, state = ?3 WHERE id = ?1";
    link.execute(sql, (id, idle_from, pack(head, newest)))?;
    Ok(Stored::Kept { idle_from, is_new: false })
}

impl Row {
    fn chunks<'l>(&self, link: &'l Link) -> Chunks<'l> {
        Chunks { link, id: self.id }
    }

    /// Carries it out where the bucket lies, if that can be.
    fn apply(&mut self, link: &Link, operation: &Operation<'_>, now: Timestamp) -> Result<Option<Reply>> {
        let units = match operation.action {
            Action::Acquire { weight, .. } => weight,
            Action::Penalize { units, .. } => units,
            _ => 0,
        };
        if self.head.kind()?.has_lanes() || !self.newest.can_count(units) {
            return Ok(None);
        }
        let log = RowLog { chunks: self.chunks(link), newest: &mut self.newest };
        let reply = InPlace { head: &mut self.head, log, clock: now.as_micros() }.apply(operation)?;
        self.is_changed |= matches!(reply, Some(Reply::Acquired(Verdict::Admitted(_)) | Reply::Penalized(_)));
        Ok(reply)
    }

    fn whole(&self, older: &[(u64, u64)]) -> Result<BucketState> {
        if older.last().map_or(self.newest.dropped, |(_, total)| *total) != self.newest.chunked {
            return Err(corrupt("a part of its log is missing"));
        }
        let dropped = self.newest.dropped;
        let events =
            older.iter().chain(&self.newest.events).map(|(tick, total)| (*tick, total.saturating_sub(dropped)));
        BucketState::from_numbers(&self.head.0, events.collect())
    }

    /// After what was counted in place.
    fn write(&self, link: &Link) -> Result<Stored> {
        update(link, self.id, &self.head, &self.newest, integer(self.head.idle_from()))
    }
}

impl Before {
    /// Writes a bucket to where this one is, and no more of its log than has changed.
    fn replace(self, link: &Link, head: &Head, events: &[(u64, u64)], idle_from: i64) -> Result<Stored> {
        let chunks = self.row.chunks(link);
        let mut newest = if let Some(newest) = self.goes_on(events) {
            if newest.dropped > self.row.newest.dropped {
                chunks.remove_upto(newest.dropped)?;
            }
            newest
        } else {
            chunks.remove_upto(u64::MAX)?;
            Newest { dropped: 0, chunked: 0, events: events.to_vec() }
        };
        let is_same = !self.row.is_changed && *head == self.row.head && newest == self.row.newest;
        if is_same {
            return Ok(Stored::Unchanged);
        }
        newest.shorten(chunks)?;
        update(link, self.row.id, head, &newest, idle_from)
    }

    /// What the row has to say of these events, if all that lies in chunks is among them as it is, but for the oldest. Before the
    /// numbers become too large, all are counted anew.
    fn goes_on(&self, events: &[(u64, u64)]) -> Option<Newest> {
        let (older, row) = (&self.older, &self.row.newest);
        let (first, _) = events.first()?;
        let known = || older.iter().chain(&row.events);
        let gone = known().take_while(|(tick, _)| tick < first).last();
        let dropped = gone.map_or(row.dropped, |(_, total)| *total);
        let same = known().skip_while(|(tick, _)| tick < first).take_while(|(_, total)| *total <= row.chunked);
        let mut rest = events;
        for (tick, total) in same {
            let ((first, units), others) = rest.split_first()?;
            if first != tick || units.checked_add(dropped)? != *total {
                return None;
            }
            rest = others;
        }
        let counted = |(tick, total): &(u64, u64)| Some((*tick, total.checked_add(dropped)?));
        let events = rest.iter().map(counted).collect::<Option<_>>()?;
        let newest = Newest { dropped, chunked: row.chunked.max(dropped), events };
        newest.can_count(0).then_some(newest)
    }
}
