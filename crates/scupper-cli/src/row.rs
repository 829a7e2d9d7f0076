//! A row on the terminal of stderr that says what is waited for.

use std::io::{self, IsTerminal};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use rustix::process::getpgrp;
use rustix::termios::tcgetpgrp;

use crate::terminal::Stderr;

/// It is wiped when this is dropped.
#[derive(Debug, Default)]
pub(crate) struct Row {
    /// There while it is to be seen.
    bar: Option<ProgressBar>,
}

impl Row {
    /// How often it is drawn anew while time goes on.
    pub(crate) const PERIOD: Duration = Duration::from_millis(100);

    /// Whether stderr is a terminal that can be drawn on.
    pub(crate) fn can_be_drawn() -> bool {
        io::stderr().is_terminal() && !console::is_dumb()
    }

    /// Has it say this, unless the terminal is somebody else's for now.
    pub(crate) fn draw(&mut self, text: String) {
        if !is_in_foreground() {
            // What others write there is not ours to wipe.
            self.bar = None;
            return;
        }
        if let Some(bar) = &self.bar {
            return bar.set_message(text);
        }
        let bar = new_bar().with_message(text);
        bar.force_draw();
        self.bar = Some(bar);
    }

    pub(crate) fn wipe(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

impl Drop for Row {
    fn drop(&mut self) {
        self.wipe();
    }
}

/// A job in the background would draw into what the one in the foreground does, or be stopped for it.
fn is_in_foreground() -> bool {
    // Where it is not this process's terminal, there are no jobs.
    tcgetpgrp(io::stderr()).map_or(true, |group| group == getpgrp())
}

fn new_bar() -> ProgressBar {
    let target = ProgressDrawTarget::term_like(Box::new(Stderr::new()));
    let bar = ProgressBar::with_draw_target(None, target);
    match ProgressStyle::with_template("{wide_msg}") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// A wait in words, rounded up.
pub(crate) fn countdown(wait: Duration) -> String {
    let tenths = wait.as_millis().div_ceil(100);
    if tenths < 600 {
        return format!("{}.{}s", tenths / 10, tenths % 10);
    }
    let seconds = wait.as_millis().div_ceil(1_000);
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours == 0 { format!("{minutes}m{seconds:02}s") } else { format!("{hours}h{minutes:02}m{seconds:02}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_countdown_is_rounded_up() {
        let seconds = [0.0, 0.01, 1.3, 59.95, 60.0, 61.001, 3599.5, 7325.0].map(Duration::from_secs_f64);
        let expected = ["0.0s", "0.1s", "1.3s", "1m00s", "1m00s", "1m02s", "1h00m00s", "2h02m05s"];
        assert_eq!(seconds.map(countdown), expected);
    }
}
