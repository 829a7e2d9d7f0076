//! What the threads of a proxy know of its fault.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Instant;

use crate::patience::PATIENCE;
use crate::proxy::fault::{Effect, Fault};
use crate::proxy::link::Link;
use crate::proxy::rule::{Delayed, Rule};

/// The fault in force and what came of it, for all connections of a proxy.
#[derive(Debug, Default)]
pub(super) struct Control {
    state: Mutex<State>,
    changed: Condvar,
    sent: AtomicU64,
    received: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    fault: Option<Fault>,
    /// Counts the changes of the fault.
    era: u64,
    /// The era from which strikes count.
    counted: u64,
    strikes: u64,
    connections: u64,
    links: Vec<Weak<Link>>,
    /// How often all connections were closed.
    closings: u64,
    closed: bool,
}

/// What to do with what a client has sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Verdict {
    Pass,
    /// It is the last thing that the server hears.
    PassAsLast,
    Close,
}

impl Control {
    pub(super) fn set(&self, fault: Option<Fault>) {
        let mut state = self.state();
        state.era += 1;
        if fault.as_ref().is_some_and(|fault| fault.effect == Effect::Refuse) {
            state.close_links();
        }
        if fault.is_some() {
            state.counted = state.era;
            state.strikes = 0;
        }
        state.fault = fault;
        self.changed.notify_all();
    }

    pub(super) fn close_links(&self) {
        self.state().close_links();
    }

    /// Closes every connection, and ends every thread that waits, for good.
    pub(super) fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        state.close_links();
        self.changed.notify_all();
    }

    pub(super) fn is_closed(&self) -> bool {
        self.state().closed
    }

    pub(super) fn connections(&self) -> u64 {
        self.state().connections
    }

    pub(super) fn strikes(&self) -> u64 {
        self.state().strikes
    }

    pub(super) fn await_strikes(&self, count: u64) {
        let few = |state: &mut State| state.strikes < count;
        let waited = self.changed.wait_timeout_while(self.state(), PATIENCE, few);
        let strikes = waited.unwrap_or_else(PoisonError::into_inner).0.strikes;
        assert!(strikes >= count, "The fault should have struck {count} times by now; it did {strikes} times.");
    }

    pub(super) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    pub(super) fn count_sent(&self, bytes: usize) {
        self.sent.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(super) fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    pub(super) fn count_received(&self, bytes: usize) {
        self.received.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Counts a strike of the fault of that era, unless another has been set since.
    pub(super) fn count_strike(&self, era: u64) {
        self.count(&mut self.state(), era);
    }

    /// Counts a new connection. One that may live gets a ticket for [`register`](Self::register).
    pub(super) fn admit(&self) -> Option<u64> {
        let mut state = self.state();
        state.connections += 1;
        if state.fault.as_mut().is_some_and(Fault::refuses) {
            let era = state.era;
            self.count(&mut state, era);
            return None;
        }
        Some(state.closings)
    }

    /// Makes a connection one of those that can be closed, unless all were closed since it got its ticket.
    pub(super) fn register(&self, link: &Arc<Link>, ticket: u64) -> bool {
        let mut state = self.state();
        state.links.retain(|link| link.strong_count() > 0);
        state.links.push(Arc::downgrade(link));
        state.closings == ticket
    }

    /// What to do with `sent`, of which the first `old` bytes had been seen before. Returns when no stall holds it.
    pub(super) fn judge(&self, link: &Link, sent: &[u8], old: usize) -> Verdict {
        let mut state = self.state();
        loop {
            if state.closed {
                return Verdict::Close;
            }
            if link.rule().is_cut() {
                return Verdict::Pass;
            }
            let era = state.era;
            let Some(effect) = state.fault.as_mut().and_then(|fault| fault.strike(sent, old)) else {
                if matches!(link.rule(), Rule::Delay { .. }) {
                    link.follow(Rule::Pass);
                }
                return Verdict::Pass;
            };
            match effect {
                // These count when they are done.
                Effect::CutAfterSend => {
                    link.follow(Rule::Swallow { era });
                    return Verdict::PassAsLast;
                }
                Effect::CutInReply { bytes } => {
                    link.follow(Rule::First { bytes, era });
                    return Verdict::Pass;
                }
                _ => self.count(&mut state, era),
            }
            match effect {
                Effect::Delay(by) => link.follow(Rule::Delay { by, era }),
                Effect::StallReplies | Effect::Stall => link.follow(Rule::Hold { era }),
                _ => return Verdict::Close,
            }
            if effect != Effect::Stall {
                return Verdict::Pass;
            }
            let unchanged = |state: &mut State| state.era == era && !state.closed;
            state = self.changed.wait_while(state, unchanged).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Returns when an answer may go on, with the rule that it goes by.
    pub(super) fn release(&self, link: &Link, delayed: Option<Delayed>) -> Rule {
        let mut state = self.state();
        if let Some(Delayed { until, era }) = delayed {
            let unchanged = |state: &mut State| state.era == era && !state.closed;
            let left = until.saturating_duration_since(Instant::now());
            let waited = self.changed.wait_timeout_while(state, left, unchanged);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        let held = |state: &mut State| link.rule() == Rule::Hold { era: state.era } && !state.closed;
        let state = self.changed.wait_while(state, held).unwrap_or_else(PoisonError::into_inner);
        drop(state);
        link.rule()
    }

    fn count(&self, state: &mut State, era: u64) {
        if era >= state.counted {
            state.strikes += 1;
            self.changed.notify_all();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn close_links(&mut self) {
        self.closings += 1;
        self.links.drain(..).filter_map(|link| link.upgrade()).for_each(|link| link.close());
    }
}
