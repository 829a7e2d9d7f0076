use std::time::{Duration, Instant};

use crate::error::{Error, ErrorKind, Result};
use crate::store::batch::{Action, Operation};
use crate::store::line::Line;
use crate::store::outcome::{Outcome, Reply};
use crate::store::shared_memory::list::Listing;
use crate::store::shared_memory::mapped::Mapped;
use crate::store::shared_memory::progress::Progress;

/// Carries out batches on a mapped file.
#[derive(Clone, Copy)]
pub(super) struct Counter<'m> {
    pub(super) mapped: &'m Mapped,
    /// How long to wait for the lock at first.
    pub(super) first: Duration,
    /// Until when to wait for it once something has been done, and to go on with what takes many pieces.
    pub(super) until: Instant,
}

impl Counter<'_> {
    /// Carries out what is left of the batch.
    ///
    /// # Errors
    /// If the lock was not free in time, or all of it takes longer. What is done by then is in the progress; of the next one,
    /// nothing is but looking for room.
    pub(super) fn carry_on(self, operations: &[Operation<'_>], progress: &mut Progress) -> Result<()> {
        let mut line = Line::default();
        operations.iter().zip(&progress.outcomes).for_each(|(operation, outcome)| line.note(operation, outcome));
        self.find_room(operations, progress)?;
        // One lock for what stands between lists, which give it back every now and then.
        let is_list = |operation: &Operation<'_>| matches!(operation.action, Action::List { .. });
        let left = operations.get(progress.outcomes.len()..).unwrap_or_default();
        for part in left.chunk_by(|first, second| !is_list(first) && !is_list(second)) {
            let within = if progress.outcomes.is_empty() { self.first } else { self.left() };
            if let [Operation { key, action: Action::List { after, most }, .. }] = part {
                progress.outcomes.push(self.list(within, Listing::new(key, *after, *most))?);
            } else {
                self.decide(within, part, &mut line, progress)?;
                self.find_room(operations, progress)?;
            }
        }
        Ok(())
    }

    /// Answers what is left with the error for which it was not carried out.
    pub(super) fn give_up(self, operations: &[Operation<'_>], progress: &mut Progress, error: &Error) {
        let from = progress.lacks_room_from.take().unwrap_or(progress.outcomes.len());
        for outcome in progress.outcomes.iter_mut().skip(from).filter(|outcome| lacks_room(outcome)) {
            *outcome = Err(error.again());
        }
        self.name(progress, from);
        let left = operations.len().saturating_sub(progress.outcomes.len());
        progress.outcomes.extend((0..left).map(|_| Err(error.again())));
    }

    fn decide<'a>(
        self,
        within: Duration,
        part: &[Operation<'a>],
        line: &mut Line<'a>,
        progress: &mut Progress,
    ) -> Result<()> {
        let begin = progress.outcomes.len();
        self.mapped.locked(within, |keeper| {
            let decide = |operation: &Operation<'a>| {
                line.pass(operation, || keeper.apply(self.mapped.hash(operation.key), operation))
            };
            progress.outcomes.extend(part.iter().map(decide));
            Ok(())
        })?;
        if progress.outcomes[begin..].iter().any(Result::is_err) {
            progress.lacks_room_from = Some(begin);
        }
        Ok(())
    }

    /// Where there was no room, has all that is idle leave, a piece at a time, and tries again after each.
    fn find_room(self, operations: &[Operation<'_>], progress: &mut Progress) -> Result<()> {
        let Some(begin) = progress.lacks_room_from else { return Ok(()) };
        let (operations, outcomes) = (&operations[begin..], &mut progress.outcomes[begin..]);
        let mut pieces = if outcomes.iter().any(lacks_room) { self.mapped.pieces_to_sweep() } else { 0 };
        let is_searched = pieces > 0;
        while pieces > 0 && outcomes.iter().any(lacks_room) {
            pieces -= 1;
            self.mapped.locked(self.in_time()?, |keeper| {
                if keeper.make_room() > 0 {
                    let all = operations.iter().zip(&mut *outcomes);
                    for (operation, outcome) in all.filter(|(_, outcome)| lacks_room(outcome)) {
                        *outcome = keeper.apply(self.mapped.hash(operation.key), operation);
                    }
                }
                Ok(())
            })?;
        }
        if is_searched && outcomes.iter().any(lacks_room) {
            self.mapped.note_full();
        }
        progress.lacks_room_from = None;
        self.name(progress, begin);
        Ok(())
    }

    /// Has the errors from there on say of which file they speak.
    fn name(self, progress: &mut Progress, from: usize) {
        for outcome in progress.outcomes.iter_mut().skip(from) {
            if let Err(error) = outcome {
                *outcome = Err(self.mapped.named(error.again()));
            }
        }
    }

    fn list(self, within: Duration, mut listing: Listing<'_>) -> Result<Outcome> {
        let mut page = self.mapped.locked(within, |keeper| Ok(listing.go_on(keeper)))?;
        loop {
            match page {
                Ok(Some(page)) => return Ok(Ok(Reply::Listed(page))),
                Ok(None) => page = self.mapped.locked(self.in_time()?, |keeper| Ok(listing.go_on(keeper)))?,
                Err(error) => return Ok(Err(self.mapped.named(error))),
            }
        }
    }

    fn left(self) -> Duration {
        self.until.saturating_duration_since(Instant::now())
    }

    /// How much time is left for another piece.
    fn in_time(self) -> Result<Duration> {
        let left = self.left();
        if left.is_zero() { Err(self.mapped.late()) } else { Ok(left) }
    }
}

fn lacks_room(outcome: &Outcome) -> bool {
    matches!(outcome, Err(error) if error.kind() == ErrorKind::Capacity)
}
