use std::io::{self, BufRead, Read};

/// Cuts bytes into lines, and lines that are too long into pieces, with bounded memory.
#[derive(Debug)]
pub(super) struct Pieces<R> {
    input: R,
    buffer: Vec<u8>,
    in_line: bool,
    ended: Option<io::Result<()>>,
}

/// A line or a part of one.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Piece<'a> {
    /// Never empty; with the newline, if that is in it.
    pub(super) bytes: &'a [u8],
    pub(super) starts_line: bool,
    pub(super) ends_line: bool,
}

impl<R: BufRead> Pieces<R> {
    pub(super) fn new(input: R) -> Self {
        Self { input, buffer: Vec::new(), in_line: false, ended: None }
    }

    /// The next piece, of at most `most` bytes: less only if the line, or the input, ends there.
    ///
    /// What was read before an error is a piece; the error comes after it.
    pub(super) fn next(&mut self, most: usize) -> io::Result<Option<Piece<'_>>> {
        self.buffer.clear();
        if self.ended.is_none() {
            let read = self.input.by_ref().take(most as u64).read_until(b'\n', &mut self.buffer);
            let newline = self.buffer.last() == Some(&b'\n');
            if read.is_err() || (!newline && self.buffer.len() < most) {
                self.ended = Some(read.map(|_| ()));
            }
        }
        if self.buffer.is_empty() {
            return self.ended.replace(Ok(())).unwrap_or(Ok(())).map(|()| None);
        }
        let ends_line = self.ended.is_some() || self.buffer.ends_with(b"\n");
        let starts_line = !std::mem::replace(&mut self.in_line, !ends_line);
        Ok(Some(Piece { bytes: &self.buffer, starts_line, ends_line }))
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;

    /// The pieces as text, each with `<` where a line starts and `>` where it ends.
    fn cut(input: &str, most: usize) -> Vec<String> {
        let mut pieces = Pieces::new(BufReader::with_capacity(3, input.as_bytes()));
        let mut seen = Vec::new();
        while let Some(piece) = pieces.next(most).unwrap() {
            let start = if piece.starts_line { "<" } else { "" };
            let end = if piece.ends_line { ">" } else { "" };
            seen.push(format!("{start}{}{end}", str::from_utf8(piece.bytes).unwrap()));
        }
        seen
    }

    #[test]
    fn nothing_has_no_pieces() {
        assert!(cut("", 10).is_empty());
    }

    #[test]
    fn lines_are_pieces_and_an_empty_line_is_one() {
        assert_eq!(cut("ab\n\ncdefgh\n", 10), ["<ab\n>", "<\n>", "<cdefgh\n>"]);
    }

    #[test]
    fn the_end_of_the_input_ends_a_line() {
        assert_eq!(cut("ab\ncd", 10), ["<ab\n>", "<cd>"]);
    }

    #[test]
    fn a_long_line_is_cut() {
        assert_eq!(cut("abcdefg\nx\n", 3), ["<abc", "def", "g\n>", "<x\n>"]);
        assert_eq!(cut("abcdef\n", 3), ["<abc", "def", "\n>"]);
        assert_eq!(cut("abcdef", 3), ["<abc", "def"]);
        assert_eq!(cut("ab\n\n", 1), ["<a", "b", "\n>", "<\n>"]);
    }

    #[test]
    fn what_came_before_an_error_is_not_lost() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("broken"))
            }
        }
        let mut pieces = Pieces::new(BufReader::new(b"a\nbc".chain(Broken)));
        assert_eq!(pieces.next(10).unwrap().unwrap().bytes, b"a\n");
        let last = pieces.next(10).unwrap().unwrap();
        assert!(last.bytes == b"bc" && last.ends_line);
        assert_eq!(pieces.next(10).unwrap_err().to_string(), "broken");
        assert_eq!(pieces.next(10).unwrap(), None);
    }
}
