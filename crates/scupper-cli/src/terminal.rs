//! The terminal that is drawn on.

use std::io;

use console::Term;
use indicatif::TermLike;

/// The terminal on stderr, a little narrower than it is.
///
/// Drawing fills its row. The `^C` that the terminal echoes there must not wrap to the next one, or the wrong row would
/// be wiped afterwards.
#[derive(Debug)]
pub(crate) struct Stderr(Term);

impl Stderr {
    const ECHO: u16 = 3;

    pub(crate) fn new() -> Self {
        Self(Term::buffered_stderr())
    }
}

impl TermLike for Stderr {
    fn width(&self) -> u16 {
        self.0.size().1.saturating_sub(Self::ECHO)
    }

    fn height(&self) -> u16 {
        self.0.size().0
    }

    fn move_cursor_up(&self, n: usize) -> io::Result<()> {
        self.0.move_cursor_up(n)
    }

    fn move_cursor_down(&self, n: usize) -> io::Result<()> {
        self.0.move_cursor_down(n)
    }

    fn move_cursor_right(&self, n: usize) -> io::Result<()> {
        self.0.move_cursor_right(n)
    }

    fn move_cursor_left(&self, n: usize) -> io::Result<()> {
        self.0.move_cursor_left(n)
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        self.0.write_line(text)
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        self.0.write_str(text)
    }

    fn clear_line(&self) -> io::Result<()> {
        self.0.clear_line()
    }

    fn flush(&self) -> io::Result<()> {
        self.0.flush()
    }
}
