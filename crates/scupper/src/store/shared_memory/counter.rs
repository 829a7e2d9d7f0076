use std::time::{Duration, Instant};

use crate::error::{ErrorKind, Result};
use crate::store::batch::{Action, Operation};
use crate::store::line::Line;
use crate::store::outcome::{Outcome, Reply};
use crate::store::shared_memory::list::Listing;
use crate::store::shared_memory::mapped::Mapped;
use crate::store::submission::Outcomes;

/// Carries out batches on a mapped file.
#[derive(Clone, Copy)]
pub(super) struct Counter<'m> {
    pub(super) mapped: &'m Mapped,
    /// How long to wait for the lock at first.
    pub(super) first: Duration,
    /// Until when to wait for it once something has been done.
    pub(super) until: Instant,
}

impl Counter<'_> {
    /// The outcomes of all operations.
    ///
    /// # Errors
    /// If the lock was not free in time. Nothing was done.
    pub(super) fn carry_out<'a>(self, operations: &'a [Operation<'a>]) -> Result<Outcomes> {
        let (mut line, mut outcomes) = (Line::default(), Outcomes::new());
        // One lock for what stands between lists, which give it back every now and then.
        let is_list = |operation: &Operation<'_>| matches!(operation.action, Action::List { .. });
        for part in operations.chunk_by(|first, second| !is_list(first) && !is_list(second)) {
            match self.carry_out_part(part, &mut line, &mut outcomes) {
                Err(error) if outcomes.is_empty() => return Err(error),
                Err(error) => outcomes.extend(part.iter().map(|_| Err(error.again()))),
                Ok(()) => {}
            }
        }
        Ok(outcomes)
    }

    fn carry_out_part<'a>(self, part: &'a [Operation<'a>], line: &mut Line<'a>, outcomes: &mut Outcomes) -> Result<()> {
        if let [Operation { key, action: Action::List { after, most }, .. }] = part {
            let within = if outcomes.is_empty() { self.first } else { self.left() };
            outcomes.push(self.list(within, Listing::new(key, *after, *most))?);
            return Ok(());
        }
        let begin = outcomes.len();
        let within = if begin == 0 { self.first } else { self.left() };
        self.mapped.locked(within, |keeper| {
            let decide = |operation: &'a Operation<'a>| {
                line.pass(operation, || keeper.apply(self.mapped.hash(operation.key), operation))
            };
            outcomes.extend(part.iter().map(decide));
            Ok(())
        })?;
        self.find_room(part, &mut outcomes[begin..]);
        for outcome in &mut outcomes[begin..] {
            if let Err(error) = outcome {
                *outcome = Err(self.mapped.named(error.again()));
            }
        }
        Ok(())
    }

    /// Where there was no room, has all that is idle leave, a piece at a time, and tries again after each.
    fn find_room(self, part: &[Operation<'_>], outcomes: &mut [Outcome]) {
        let lacks_room = |outcome: &Outcome| matches!(outcome, Err(error) if error.kind() == ErrorKind::Capacity);
        let mut pieces = self.mapped.pieces_to_sweep();
        while pieces > 0 && outcomes.iter().any(lacks_room) {
            pieces -= 1;
            let swept = self.mapped.locked(self.left(), |keeper| {
                if keeper.make_room() > 0 {
                    for (operation, outcome) in
                        part.iter().zip(&mut *outcomes).filter(|(_, outcome)| lacks_room(outcome))
                    {
                        *outcome = keeper.apply(self.mapped.hash(operation.key), operation);
                    }
                }
                Ok(())
            });
            if swept.is_err() {
                return;
            }
        }
        if outcomes.iter().any(lacks_room) {
            self.mapped.note_full();
        }
    }

    fn list(self, within: Duration, mut listing: Listing<'_>) -> Result<Outcome> {
        let mut page = self.mapped.locked(within, |keeper| Ok(listing.go_on(keeper)))?;
        loop {
            match page {
                Ok(Some(page)) => return Ok(Ok(Reply::Listed(page))),
                Ok(None) => page = self.mapped.locked(self.left(), |keeper| listing.go_on(keeper)),
                Err(error) => return Ok(Err(self.mapped.named(error))),
            }
        }
    }

    fn left(self) -> Duration {
        self.until.saturating_duration_since(Instant::now())
    }
}
