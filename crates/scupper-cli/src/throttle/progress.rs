use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use indicatif::HumanBytes;

use crate::row::{Row, countdown};
use crate::throttle::args::WeightBy;
use crate::throttle::pieces::Piece;
use crate::throttle::speed::Speed;

/// The line on stderr that says how far copying has come, and how long the wait is. Clones are the same one.
#[derive(Clone, Debug)]
pub(super) struct Progress(Option<Arc<Display>>);

#[derive(Debug)]
struct Display {
    unit: WeightBy,
    /// Lines are written to the terminal that this one is drawn on: it has to be wiped before.
    shares_terminal: bool,
    state: Mutex<State>,
    over: Condvar,
}

#[derive(Debug)]
struct State {
    lines: u64,
    bytes: u64,
    speed: Speed,
    next_at: Option<Instant>,
    /// What was written last did not end in a newline: drawing would be behind it.
    in_line: bool,
    over: bool,
    row: Row,
}

impl Progress {
    /// A shorter wait is not worth a drawing of its own.
    const WORTH_DRAWING: Duration = Duration::from_millis(20);

    /// Nothing is ever shown.
    pub(super) fn none() -> Self {
        Self(None)
    }

    /// Shown on stderr from now on, and kept fresh by a thread of its own.
    pub(super) fn on_stderr(unit: WeightBy, shares_terminal: bool) -> io::Result<Self> {
        let state = Mutex::new(State::new(Instant::now()));
        let display = Arc::new(Display { unit, shares_terminal, state, over: Condvar::new() });
        let ticked = Arc::clone(&display);
        thread::Builder::new().name("progress".into()).spawn(move || ticked.keep_fresh())?;
        Ok(Self(Some(display)))
    }

    /// The next piece has to wait this long.
    pub(super) fn wait(&self, wait: Duration) {
        if let Some(display) = &self.0 {
            let mut state = display.lock();
            state.next_at = Instant::now().checked_add(wait);
            if wait >= Self::WORTH_DRAWING {
                display.draw(&mut state);
            }
        }
    }

    /// Something is about to be written to stdout.
    pub(super) fn make_way(&self) {
        if let Some(display) = &self.0 {
            let mut state = display.lock();
            state.next_at = None;
            if display.shares_terminal {
                state.in_line = true;
                state.row.wipe();
            }
        }
    }

    /// This was written to stdout.
    pub(super) fn passed(&self, piece: &Piece<'_>) {
        if let Some(display) = &self.0 {
            let mut state = display.lock();
            state.lines += u64::from(piece.starts_line);
            state.bytes += piece.bytes.len() as u64;
            state.in_line = !piece.bytes.ends_with(b"\n");
        }
    }

    /// Runs `say`, which writes to stderr, with nothing in its way.
    pub(super) fn aside(&self, say: impl FnOnce()) {
        let mut state = self.0.as_ref().map(|display| display.lock());
        if let Some(state) = &mut state {
            state.row.wipe();
        }
        say();
    }

    /// Wipes it for good.
    pub(super) fn end(&self) {
        if let Some(display) = &self.0 {
            let mut state = display.lock();
            state.over = true;
            state.row.wipe();
            display.over.notify_all();
        }
    }
}

impl Display {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep_fresh(&self) {
        let mut state = self.lock();
        while !state.over {
            self.draw(&mut state);
            state = match self.over.wait_timeout(state, Row::PERIOD) {
                Ok((state, _)) => state,
                Err(poisoned) => poisoned.into_inner().0,
            };
        }
    }

    fn draw(&self, state: &mut State) {
        if state.over || (self.shares_terminal && state.in_line) {
            return;
        }
        let text = self.describe(state, Instant::now());
        state.row.draw(text);
    }

    fn describe(&self, state: &mut State, now: Instant) -> String {
        let lines = if state.lines == 1 { "line" } else { "lines" };
        let passed = format!("{} {lines}, {}", state.lines, HumanBytes(state.bytes));
        let rate = match self.unit {
            WeightBy::Lines => format!("{:.1} lines/s", state.speed.note(now, state.lines)),
            WeightBy::Bytes => format!("{:.0} B/s", state.speed.note(now, state.bytes)),
        };
        let next = state.next_at.map(|at| format!(", next in {}", countdown(at.saturating_duration_since(now))));
        format!("{passed}, {rate}{}", next.unwrap_or_default())
    }
}

impl State {
    fn new(now: Instant) -> Self {
        Self {
            lines: 0,
            bytes: 0,
            speed: Speed::new(now),
            next_at: None,
            in_line: false,
            over: false,
            row: Row::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_says_how_much_how_fast_and_how_long() {
        let start = Instant::now();
        let describe = |unit, lines, bytes, wait: Option<u64>| {
            let display =
                Display { unit, shares_terminal: false, state: Mutex::new(State::new(start)), over: Condvar::new() };
            let mut state = display.lock();
            (state.lines, state.bytes) = (lines, bytes);
            let now = start + Duration::from_secs(2);
            state.next_at = wait.map(|millis| now + Duration::from_millis(millis));
            display.describe(&mut state, now)
        };
        assert_eq!(describe(WeightBy::Lines, 1, 3, None), "1 line, 3 B, 0.5 lines/s");
        assert_eq!(describe(WeightBy::Lines, 5, 2048, Some(1_250)), "5 lines, 2.00 KiB, 2.5 lines/s, next in 1.3s");
        assert_eq!(describe(WeightBy::Bytes, 5, 20, Some(0)), "5 lines, 20 B, 10 B/s, next in 0.0s");
    }
}
