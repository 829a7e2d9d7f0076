use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::quota::Quota;
use crate::time::Timestamp;
use crate::waiting::entry::Entry;
use crate::waiting::exchange::{Dismissal, Fate, Next, Said, Since};
use crate::waiting::forecast;

/// The line on one key, without clock, lock, store or waker: who stands where, whom to ask for next and when.
///
/// It is served in prefixes. A call carries the first few; those behind wait until it is answered. When the first one that
/// waits does not fit, the line rests until it does.
#[derive(Debug)]
pub(super) struct Queue<W> {
    entries: BTreeMap<Number, Entry<W>>,
    deadlines: BTreeSet<(Timestamp, Number)>,
    /// What all that stand in line weigh together.
    units: u64,
    /// How many of them do not wait.
    passing: usize,
    /// Whether they may be held to different quotas: then nothing is known of how fast the line moves.
    is_mixed: bool,
    next: Number,
    /// Who is in the call that is under way, in order. Some may have left meanwhile.
    sent: Vec<Number>,
    /// What became of the bucket since that call was sent.
    since: Since,
    /// Whether the last call was answered later than it was made, so that deadlines may have passed since.
    took_time: bool,
    /// For how many of those who wait to ask in the next call.
    reach: usize,
    /// The line rests until then: the first one in it does not fit before.
    due: Option<Timestamp>,
}

/// The finest difference that a decision can see.
const TICK: Duration = Duration::from_micros(1);

/// A place in line; later ones are higher.
pub(super) type Number = u64;

impl<W> Default for Queue<W> {
    fn default() -> Self {
        let (entries, deadlines) = (BTreeMap::new(), BTreeSet::new());
        Self {
            entries,
            deadlines,
            units: 0,
            passing: 0,
            is_mixed: false,
            next: 0,
            sent: Vec::new(),
            since: Since::default(),
            took_time: false,
            reach: Self::LEAST,
            due: None,
        }
    }
}

impl<W> Queue<W> {
    /// The one that is expected to fit and the one that tells when to come back.
    const LEAST: usize = 2;
    /// The most that one call asks for.
    const MOST: usize = 256;

    /// How many wait.
    pub(super) fn waiting(&self) -> usize {
        self.entries.len() - self.passing
    }

    /// How many go as soon as they are answered.
    pub(super) fn passing(&self) -> usize {
        self.passing
    }

    /// Whether there is nothing to be done before the first one is due.
    pub(super) fn is_at_rest(&self) -> bool {
        self.due.is_some() && !self.entries.is_empty()
    }

    pub(super) fn first(&self) -> Option<&Entry<W>> {
        self.entries.first_key_value().map(|(_, first)| first)
    }

    /// Whether nobody stands in line and no call is under way.
    pub(super) fn is_over(&self) -> bool {
        self.entries.is_empty() && self.sent.is_empty()
    }

    /// Who is in the call that is under way or about to be made, those who left excepted.
    pub(super) fn sent(&self) -> impl Iterator<Item = &Entry<W>> {
        self.sent.iter().filter_map(|number| self.entries.get(number))
    }

    /// If the line rests: when a request that joined now could be admitted at the earliest, as the line stands.
    pub(super) fn earliest(&self, now: Timestamp, quota: &Quota, weight: u64) -> Option<Timestamp> {
        let due = self.due.filter(|due| *due > now && self.sent.is_empty())?;
        let is_alike = !self.is_mixed && self.first()?.claim.quota == *quota;
        Some(if is_alike { forecast::earliest(quota, due, self.units.saturating_add(weight)) } else { due })
    }

    pub(super) fn join(&mut self, entry: Entry<W>) -> Number {
        let number = self.next;
        self.next += 1;
        self.is_mixed = self.first().is_some_and(|first| self.is_mixed || first.claim.quota != entry.claim.quota);
        self.units = self.units.saturating_add(entry.claim.weight);
        self.passing += usize::from(!entry.claim.waits);
        self.deadlines.extend(entry.deadline.map(|deadline| (deadline, number)));
        self.entries.insert(number, entry);
        number
    }

    /// One goes away. If it was the first, the next one may fit at once.
    pub(super) fn leave(&mut self, number: Number) -> Option<Entry<W>> {
        let was_first = self.entries.first_key_value().is_some_and(|(first, _)| *first == number);
        let entry = self.entries.remove(&number)?;
        self.units = self.units.saturating_sub(entry.claim.weight);
        self.passing -= usize::from(!entry.claim.waits);
        entry.deadline.map(|deadline| self.deadlines.remove(&(deadline, number)));
        if was_first {
            self.due = None;
        }
        Some(entry)
    }

    /// One goes away by itself. The next one still has to wait as long if it asks for the same of one with which it would
    /// `go_together`: then a line from which all go is not asked for each time.
    pub(super) fn give_up(&mut self, number: Number, go_together: impl Fn(&W, &W) -> bool) -> Option<Entry<W>> {
        let due = self.due;
        let gone = self.leave(number)?;
        if self.first().is_some_and(|next| next.asks_the_same(&gone) && go_together(&next.who, &gone.who)) {
            self.due = due;
        }
        Some(gone)
    }

    /// Something was given back: the first one may fit at once, whatever a call that is under way will say.
    pub(super) fn release(&mut self) {
        self.due = None;
        self.since = Since::Released;
    }

    /// The bucket has changed, and has no more room than before.
    pub(super) fn change(&mut self) {
        self.since = self.since.max(Since::Changed);
    }

    /// The first one should fit by now, whatever the clock says. Those whose deadline was not before that are in time.
    pub(super) fn ring(&mut self) {
        self.due = self.due.map(|_| Timestamp::ZERO);
    }

    /// Whether a denial that is on its way tells how the bucket is now, as far as this process knows.
    pub(super) fn is_up_to_date(&self) -> bool {
        self.since == Since::Nothing
    }

    /// The call that is under way will not be answered.
    pub(super) fn break_off(&mut self) {
        self.sent.clear();
    }

    /// All that stand in line and are such.
    pub(super) fn numbers(&self, is_such: impl Fn(&Entry<W>) -> bool) -> Vec<Number> {
        self.entries.iter().filter(|(_, entry)| is_such(entry)).map(|(number, _)| *number).collect()
    }

    /// Holds those that are such to another quota.
    pub(super) fn hold_to(&mut self, quota: &Quota, is_such: impl Fn(&Entry<W>) -> bool) {
        for entry in self.entries.values_mut() {
            if is_such(entry) {
                entry.claim.quota = quota.clone();
            } else {
                self.is_mixed = true;
            }
        }
        self.release();
    }

    /// What to do now. Those that `go_together` with the first may be asked for in one call with it.
    pub(super) fn next(&mut self, now: Timestamp, go_together: impl Fn(&W, &W) -> bool) -> Next {
        if !self.sent.is_empty() {
            // A deadline is over a tick later.
            return Next::Await(self.deadlines.first().map(|(deadline, _)| *deadline + TICK));
        }
        let Some((_, first)) = self.entries.first_key_value() else {
            self.due = None;
            return Next::Rest;
        };
        if let Some(due) = self.due.filter(|due| *due > now) {
            return Next::Sleep(due);
        }
        self.due = None;
        // No more fit at once than the capacity; one more tells when to come back.
        // Who does not wait is served whatever the answer.
        let (mut waiting, mut before, capacity) = (0, 0_u64, first.claim.quota.capacity());
        let fits_in = |(_, entry): &(&Number, &Entry<W>)| {
            waiting += usize::from(entry.claim.waits);
            let is_in = waiting <= self.reach && before <= capacity;
            before = before.saturating_add(entry.claim.weight);
            is_in && go_together(&first.who, &entry.who)
        };
        self.sent = self.entries.iter().take(Self::MOST).take_while(fits_in).map(|(number, _)| *number).collect();
        self.since = Since::Nothing;
        Next::Ask
    }

    /// The call that began at one time is answered at another: what becomes of those that were sent, in order.
    pub(super) fn answered(
        &mut self,
        (began, now): (Timestamp, Timestamp),
        is_remote: bool,
        said: &[Said],
    ) -> Vec<Fate<W>> {
        let sent = std::mem::take(&mut self.sent);
        self.took_time = is_remote;
        // Behind one that left meanwhile, the next one may fit at once. A store that holds up everybody behind nobody is
        // not asked again at once.
        let has_reason = said.iter().any(|said| !matches!(said, Said::Queued(_)));
        let mut fate = |number, said: &Said| {
            let waits = self.entries.get(&number).is_some_and(|entry| entry.claim.waits);
            match said {
                Said::Denied(pause) | Said::Queued(pause) if waits => {
                    if matches!(said, Said::Denied(_)) || !has_reason {
                        // The store may have decided as soon as it was asked. But one that says now is not asked without
                        // end: a tick passes first.
                        let due = if *pause > TICK { began + *pause } else { now + TICK };
                        self.due.get_or_insert(due);
                    }
                    Fate::Stays
                }
                _ => self.leave(number).map_or(Fate::Gone, Fate::Answered),
            }
        };
        let asked = sent.len();
        let fates: Vec<_> = sent.into_iter().zip(said).map(|(number, said)| fate(number, said)).collect();
        // Who does not wait is served by a denial, too.
        let served = fates.iter().filter(|fate| !matches!(fate, Fate::Stays)).count();
        self.reach = if served == asked { self.reach * 2 } else { served * 2 }.clamp(Self::LEAST, Self::MOST);
        if std::mem::take(&mut self.since) == Since::Released {
            self.due = None;
        }
        fates
    }

    /// Takes those out of the next call who can be answered without it. If there are any, there is no next call yet.
    pub(super) fn spare<A>(&mut self, answer: impl Fn(&Entry<W>) -> Option<A>) -> Vec<(Entry<W>, A)> {
        let known = |number: &Number| Some((*number, answer(self.entries.get(number)?)?));
        let spared: Vec<_> = self.sent.iter().filter_map(known).collect();
        if !spared.is_empty() {
            self.sent.clear();
        }
        spared.into_iter().filter_map(|(number, answer)| Some((self.leave(number)?, answer))).collect()
    }

    /// Takes out who cannot be served in time as the line stands, and who does not wait behind those that do.
    pub(super) fn dismiss(
        &mut self,
        now: Timestamp,
        go_together: impl Fn(&W, &W) -> bool,
    ) -> Vec<(Entry<W>, Dismissal)> {
        let mut dismissed = Vec::new();
        if !self.sent.is_empty() {
            while let Some(number) = self.late(now) {
                let why = if self.sent.contains(&number) { Dismissal::Unknown } else { Dismissal::Unasked };
                dismissed.extend(self.leave(number).map(|entry| (entry, why)));
            }
        } else if let Some(due) = self.due.filter(|due| *due > now) {
            while let Some((number, first)) = self.entries.first_key_value()
                && first.deadline.is_some_and(|deadline| deadline < due)
            {
                dismissed.extend(self.give_up(*number, &go_together).map(|entry| (entry, Dismissal::TooLate(due))));
                if self.due.is_none() {
                    // Those behind it were held up by it alone.
                    return dismissed;
                }
            }
            while let Some(number) = self.late(due) {
                dismissed.extend(self.leave(number).map(|entry| (entry, Dismissal::TooLate(due))));
            }
            if self.passing > 0 {
                for number in self.numbers(|entry| !entry.claim.waits) {
                    dismissed.extend(self.leave(number).map(|entry| (entry, Dismissal::Behind(due))));
                }
            }
        } else if self.due.is_none() && self.took_time {
            while let Some(number) = self.late(now) {
                dismissed.extend(self.leave(number).map(|entry| (entry, Dismissal::Unasked)));
            }
        }
        dismissed
    }

    /// One whose deadline is before this time.
    fn late(&self, time: Timestamp) -> Option<Number> {
        self.deadlines.first().filter(|(deadline, _)| *deadline < time).map(|(_, number)| *number)
    }
}
