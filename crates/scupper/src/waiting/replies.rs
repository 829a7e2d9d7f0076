//! What those in line are told without asking the store.

use crate::ruling::Ruling;
use crate::sync::{Arc, MutexGuard, lock};
use crate::time::Timestamp;
use crate::waiting::answers::{behind, too_late, unknown, untold};
use crate::waiting::claim::Claim;
use crate::waiting::entry::Entry;
use crate::waiting::exchange::Dismissal;
use crate::waiting::line::Line;
use crate::waiting::server::{Server, Step};
use crate::waiting::waiter::Waiter;

impl Server {
    /// What is known of the request of one who does not wait: a flood that gathered during a call is answered by it.
    pub(super) fn known_denial(&self, entry: &Entry<Arc<Waiter>>, now: Timestamp) -> Option<Ruling> {
        let Claim { quota, weight, at, waits, .. } = &entry.claim;
        if *waits || at.is_some() {
            return None;
        }
        self.denials.find(&self.key, (quota, *weight), now, entry.who.store.keep_denials)
    }

    pub(super) fn spare(
        self: &Arc<Self>,
        line: MutexGuard<'_, Line>,
        spared: Vec<(Entry<Arc<Waiter>>, Ruling)>,
    ) -> Step {
        drop(line);
        let mut step = Step::default();
        for (entry, ruling) in spared {
            self.rule(&entry.who, Ok(ruling), &mut step);
        }
        step
    }

    pub(super) fn dismiss(self: &Arc<Self>, dismissed: Vec<(Entry<Arc<Waiter>>, Dismissal)>, now: Timestamp) -> Step {
        let mut step = Step::default();
        for (entry, why) in dismissed {
            let ruling = match why {
                Dismissal::TooLate(due) => Err(too_late(entry.deadline, now, due)),
                Dismissal::Unknown => {
                    let passed = self.ruled_in_its_place(&entry, now).filter(Ruling::is_admitted);
                    passed.ok_or_else(|| unknown(entry.joined, now))
                }
                Dismissal::Unasked if lock(&self.line).was_silent(entry.joined, now) => {
                    match self.ruled_in_its_place(&entry, now) {
                        Some(ruling) if ruling.is_admitted() => Ok(ruling),
                        Some(_) => Err(too_late(entry.deadline, now, now)),
                        None => Err(untold(entry.joined, now)),
                    }
                }
                Dismissal::Unasked => Err(too_late(entry.deadline, now, now)),
                Dismissal::Behind(due) => Ok(behind(&entry.claim.quota, now, due)),
            };
            self.rule(&entry.who, ruling, &mut step);
        }
        step
    }

    /// What the policy says to one whose deadline ends the wait for the store's answer.
    fn ruled_in_its_place(&self, entry: &Entry<Arc<Waiter>>, now: Timestamp) -> Option<Ruling> {
        entry.who.store.rule_in_its_place(&self.key, &entry.ask(), now)
    }
}
