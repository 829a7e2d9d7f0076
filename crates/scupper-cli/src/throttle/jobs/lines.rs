use std::ffi::OsString;
use std::fmt;
use std::io::{self, BufRead};
use std::os::unix::ffi::OsStringExt;

use crate::throttle::pieces::Pieces;

/// Lines as arguments of a command, with bounded memory.
#[derive(Debug)]
pub(super) struct Lines<R> {
    pieces: Pieces<R>,
    number: u64,
}

/// A line, without its newline.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// From 1.
    pub(super) number: u64,
    pub(super) argument: Result<OsString, Unfit>,
}

/// Why a line cannot be an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unfit {
    Nul,
    TooLong,
}

impl Lines<()> {
    /// The most bytes in a line: what Linux takes as one argument, which there ends in a NUL.
    pub(super) const LONGEST: usize = 128 * 1024 - 1;
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(input: R) -> Self {
        Self { pieces: Pieces::new(input), number: 0 }
    }

    /// The next line. One that an error cuts short is none: half an argument may mean something else.
    pub(super) fn next(&mut self) -> io::Result<Option<Line>> {
        let most = Lines::LONGEST + 1;
        let Some(piece) = self.pieces.next(most)? else { return Ok(None) };
        self.number += 1;
        let mut line = Line { number: self.number, argument: argument(piece.bytes) };
        let (mut ends_line, newline) = (piece.ends_line, piece.bytes.ends_with(b"\n"));
        if ends_line && !newline {
            // Whether it ended or broke off is only told now.
            self.pieces.next(most)?;
        }
        while !ends_line {
            line.argument = Err(Unfit::TooLong);
            ends_line = self.pieces.next(most)?.is_none_or(|piece| piece.ends_line);
        }
        Ok(Some(line))
    }
}

fn argument(line: &[u8]) -> Result<OsString, Unfit> {
    let bytes = line.strip_suffix(b"\n").unwrap_or(line);
    if bytes.contains(&0) { Err(Unfit::Nul) } else { Ok(OsString::from_vec(bytes.to_vec())) }
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nul => f.write_str("an argument cannot have a NUL byte in it"),
            Self::TooLong => write!(f, "an argument cannot be longer than {} bytes", Lines::LONGEST),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufReader, Read};

    use super::*;

    fn lines(input: impl Read) -> (Vec<Result<Vec<u8>, Unfit>>, io::Result<()>) {
        let mut lines = Lines::new(BufReader::new(input));
        let mut seen = Vec::new();
        loop {
            match lines.next() {
                Ok(Some(line)) => seen.push(line.argument.map(OsString::into_vec)),
                end => return (seen, end.map(|_| ())),
            }
            assert_eq!(lines.number, seen.len() as u64);
        }
    }

    fn whole(input: &[u8]) -> Vec<Result<Vec<u8>, Unfit>> {
        let (lines, end) = lines(input);
        end.unwrap();
        lines
    }

    #[test]
    fn each_line_is_an_argument_be_it_empty_or_unended_or_no_text() {
        assert!(whole(b"").is_empty());
        assert_eq!(whole(b"\n"), [Ok(vec![])]);
        assert_eq!(
            whole(b"a b\n\n\xff\r\nend"),
            [b"a b".as_slice(), b"", b"\xff\r", b"end"].map(|line| Ok(line.to_vec()))
        );
    }

    #[test]
    fn a_nul_is_refused_and_the_next_line_is_not() {
        assert_eq!(whole(b"a\0b\nc\n\0"), [Err(Unfit::Nul), Ok(b"c".to_vec()), Err(Unfit::Nul)]);
    }

    #[test]
    fn the_longest_line_fits_and_a_longer_one_is_skipped_to_its_end() {
        for end in [b"\n".as_slice(), b""] {
            for (excess, fits) in [(0, true), (1, false), (2, false), (Lines::LONGEST, false), (5 << 20, false)] {
                let long = vec![b'x'; Lines::LONGEST + excess];
                let seen = whole(&[b"a\n", long.as_slice(), end].concat());
                assert_eq!(seen, [Ok(b"a".to_vec()), if fits { Ok(long) } else { Err(Unfit::TooLong) }]);
            }
        }
        let long = vec![b'x'; Lines::LONGEST + 1];
        assert_eq!(
            whole(&[long.as_slice(), b"\n\nb\n"].concat()),
            [Err(Unfit::TooLong), Ok(vec![]), Ok(b"b".to_vec())]
        );
    }

    #[test]
    fn a_line_that_an_error_cuts_short_is_none() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("broken"))
            }
        }
        let (seen, end) = lines(b"whole\nhal".chain(Broken));
        assert_eq!(seen, [Ok(b"whole".to_vec())]);
        assert_eq!(end.unwrap_err().to_string(), "broken");
    }
}
