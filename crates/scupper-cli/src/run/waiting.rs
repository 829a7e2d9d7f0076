use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

use scupper::{Denied, Error};

use crate::ending::die_by;
use crate::failure::complain;
use crate::row::{Row, countdown};
use crate::run::deadline::park;
use crate::run::rest::{clock, sleep};
use crate::run::signals::Signals;

/// How a run waits, and what it says meanwhile.
#[derive(Debug)]
pub(super) struct Waiting<'a> {
    signals: &'a Signals,
    key: String,
    is_quiet: bool,
    /// There if it can be drawn, and is to be. A signal that ends the process then waits until it is wiped.
    row: Option<RefCell<Row>>,
    since: Instant,
    has_complained: Cell<bool>,
}

impl<'a> Waiting<'a> {
    /// It says under which key it waits.
    pub(super) fn new(key: &str, is_quiet: bool, signals: &'a Signals) -> Self {
        Self {
            signals,
            // On a terminal, the rest would do something.
            key: key.escape_debug().to_string(),
            is_quiet,
            row: (!is_quiet && Row::can_be_drawn()).then(RefCell::default),
            since: Instant::now(),
            has_complained: Cell::new(false),
        }
    }

    /// Waits for room.
    pub(super) fn for_room(&self, denied: &Denied) {
        let why = match denied.binding_rate() {
            Some(rate) => format!("{rate} is full"),
            None => "held".to_owned(),
        };
        self.sleep(denied.retry_after(), |left| format!("{why}, next in {}", countdown(left)));
    }

    /// Waits until it is worth asking again a store that had no answer for this reason.
    pub(super) fn for_the_store(&self, pause: Duration, error: &Error) {
        self.sleep(pause, |_| format!("waits for the store: {}", error.message()));
    }

    /// Says why it goes on waiting for a store, to whoever sees no row: nobody else would know how long that lasts.
    pub(super) fn complain_once(&self, error: &Error) {
        if self.row.is_none() && !self.is_quiet && !self.has_complained.replace(true) {
            complain(&format!("{error}; nothing was taken, and it is asked again until it answers"));
        }
    }

    /// Does not return if a signal has come that ends the process.
    pub(super) fn heed_signals(&self) {
        if let Some(signal) = self.signals.end() {
            if let Some(row) = &self.row {
                row.borrow_mut().wipe();
            }
            die_by(signal);
        }
    }

    /// Parks the thread while a store is being opened, no longer than this.
    pub(super) fn park(&self, longest: Option<Duration>) {
        if self.row.is_none() {
            return self.signals.let_ends_through(|| park(longest));
        }
        self.heed_signals();
        if self.since.elapsed() >= Row::PERIOD {
            self.show("waits for the store");
        }
        park(Some(longest.map_or(Row::PERIOD, |longest| longest.min(Row::PERIOD))));
    }

    fn sleep(&self, time: Duration, says: impl Fn(Duration) -> String) {
        if self.row.is_none() {
            return self.signals.let_through(|| sleep(time));
        }
        let end = clock().saturating_add(time);
        loop {
            let left = end.saturating_sub(clock());
            if left.is_zero() {
                return;
            }
            self.show(&says(left));
            self.signals.let_stops_through(|| sleep(left.min(Row::PERIOD)));
            self.heed_signals();
        }
    }

    fn show(&self, what: &str) {
        if let Some(row) = &self.row {
            row.borrow_mut().draw(format!("{}: {what}", self.key));
        }
    }
}
