//! What Redis answers.

use std::io::{self, BufRead, Read};

/// An answer of the protocol's second version.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Reply {
    /// A word such as `OK`.
    Status(String),
    /// A refusal, such as `MOVED 42 127.0.0.1:7000`.
    Error(String),
    /// A number.
    Integer(i64),
    /// Bytes.
    Bulk(Vec<u8>),
    /// No value, or no list.
    Nil,
    /// A list of answers.
    Array(Vec<Self>),
}

impl Reply {
    /// The text of a status, of an error, or of bytes; empty where the answer is none of these.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Status(text) | Self::Error(text) => text.clone(),
            Self::Bulk(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            Self::Integer(_) | Self::Nil | Self::Array(_) => String::new(),
        }
    }

    /// The number.
    ///
    /// # Panics
    ///
    /// When the answer is none.
    #[must_use]
    pub fn integer(&self) -> i64 {
        match self {
            Self::Integer(number) => *number,
            _ => panic!("The answer should have been a number: {self:?}"),
        }
    }

    /// The list.
    ///
    /// # Panics
    ///
    /// When the answer is none.
    #[must_use]
    pub fn array(self) -> Vec<Self> {
        match self {
            Self::Array(answers) => answers,
            _ => panic!("The answer should have been a list: {self:?}"),
        }
    }

    /// The answer, unless it is an error.
    ///
    /// # Panics
    ///
    /// When the answer is an error.
    #[must_use]
    pub fn granted(self) -> Self {
        match self {
            Self::Error(error) => panic!("The server refused: {error}"),
            answer => answer,
        }
    }

    /// # Errors
    ///
    /// When the connection fails or ends, or says what is not of the protocol.
    pub(super) fn read(from: &mut impl BufRead) -> io::Result<Self> {
        let line = line(from)?;
        let (kind, rest) = line.split_at_checked(1).ok_or_else(|| unreadable(&line))?;
        let number = || rest.parse::<i64>().map_err(|_| unreadable(&line));
        // A length of -1 says that there is no value.
        let length = || number().map(|length| usize::try_from(length).ok());
        Ok(match kind {
            "+" => Self::Status(rest.to_owned()),
            "-" => Self::Error(rest.to_owned()),
            ":" => Self::Integer(number()?),
            "$" => match length()? {
                Some(length) => Self::Bulk(bytes(from, length)?),
                None => Self::Nil,
            },
            "*" => match length()? {
                Some(length) => Self::Array((0..length).map(|_| Self::read(from)).collect::<io::Result<_>>()?),
                None => Self::Nil,
            },
            _ => return Err(unreadable(&line)),
        })
    }
}

fn line(from: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    from.read_line(&mut line)?;
    match line.strip_suffix("\r\n") {
        Some(text) => Ok(text.to_owned()),
        None => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

fn bytes(from: &mut impl Read, length: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; length + 2];
    from.read_exact(&mut bytes)?;
    bytes.truncate(length);
    Ok(bytes)
}

fn unreadable(line: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("this is not of the protocol: {line:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(mut bytes: &[u8]) -> io::Result<Reply> {
        Reply::read(&mut bytes)
    }

    #[test]
    fn each_kind_of_answer_is_read() {
        assert_eq!(read(b"+OK\r\n").unwrap(), Reply::Status("OK".to_owned()));
        assert_eq!(read(b"-ERR no\r\n").unwrap(), Reply::Error("ERR no".to_owned()));
        assert_eq!(read(b":-3\r\n").unwrap(), Reply::Integer(-3));
        assert_eq!(read(b"$4\r\na\r\nb\r\n").unwrap(), Reply::Bulk(b"a\r\nb".to_vec()));
        assert_eq!(read(b"$-1\r\n").unwrap(), Reply::Nil);
        assert_eq!(read(b"*-1\r\n").unwrap(), Reply::Nil);
        assert_eq!(read(b"*2\r\n:1\r\n*0\r\n").unwrap().array(), [Reply::Integer(1), Reply::Array(Vec::new())]);
    }

    #[test]
    fn a_broken_answer_is_an_error() {
        assert_eq!(read(b"").unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        assert_eq!(read(b"$4\r\nab").unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        assert_eq!(read(b"HTTP/1.1\r\n").unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
