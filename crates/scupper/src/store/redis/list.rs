use std::fmt::Write as _;

use redis::{Pipeline, Value};

use crate::error::{Error, ErrorKind, Result};
use crate::store::outcome::{Cursor, Outcome, Page, Reply};
use crate::store::redis::intake::List;
use crate::store::redis::job::Job;
use crate::store::redis::node::Node;
use crate::store::redis::way::Way;
use crate::sync::Arc;

/// A list goes through the servers one by one, and through each in the order of its `SCAN`. What one step of that finds may be
/// more than a page: the keys left over are in the cursor.
#[derive(Debug, Default, PartialEq, Eq)]
struct Progress {
    /// The server; none before the first.
    server: Option<String>,
    /// Where its `SCAN` goes on; none after the last step.
    scan: Option<u64>,
    left_over: Vec<String>,
}

/// How many keys a step looks at.
const LEAST: usize = 100;
const MOST: usize = 1_000;
/// For a page, so many steps are made.
const STEPS: usize = 32;

/// Answers with a page.
pub(super) async fn list(list: List, way: Arc<Way>, prefix: String) {
    let page = page(&list, &way, &prefix).await;
    // Who asked may be gone.
    let _ = list.answer.send(vec![page.map(Reply::Listed)]);
}

/// A page has keys, unless there are too many that are none of these.
async fn page(list: &List, way: &Way, prefix: &str) -> Result<Page> {
    let mut progress = match &list.after {
        None => Progress::default(),
        Some(after) => Progress::parse(after.place()).ok_or_else(foreign_cursor)?,
    };
    progress.left_over.retain(|key| key.starts_with(&list.prefix));
    for _ in 0..STEPS {
        if progress.left_over.is_empty() && !progress.step(list, way, prefix).await? {
            return Ok(Page::default());
        }
        let rest = progress.left_over.split_off(progress.left_over.len().min(list.most));
        let keys = owing(std::mem::replace(&mut progress.left_over, rest), way, prefix).await?;
        if !keys.is_empty() {
            let next = if progress.is_over(way).await? { None } else { Some(progress.to_cursor()) };
            return Ok(Page { keys, next });
        }
    }
    Ok(Page { keys: Vec::new(), next: Some(progress.to_cursor()) })
}

impl Progress {
    async fn is_over(&self, way: &Way) -> Result<bool> {
        Ok(self.left_over.is_empty() && self.scan.is_none() && self.server_behind(way).await?.is_none())
    }

    /// The server behind the present one; the first, if there is none yet.
    async fn server_behind(&self, way: &Way) -> Result<Option<(String, Arc<Node>)>> {
        match &self.server {
            None => way.server_from("").await,
            // No name has this in it, so that it is the first that could follow.
            Some(name) => way.server_from(&[name, "\0"].concat()).await,
        }
    }

    /// Goes one step on; says whether there was one to go.
    async fn step(&mut self, list: &List, way: &Way, prefix: &str) -> Result<bool> {
        let server = match (&self.server, self.scan) {
            (Some(name), Some(_)) => way.server_from(name).await?,
            _ => self.server_behind(way).await?,
        };
        let Some((name, node)) = server else { return Ok(false) };
        let from = self.scan.filter(|_| self.server.as_ref() == Some(&name)).unwrap_or_default();
        let (next, found) = scan_once(&node, from, &[prefix, list.prefix.as_str()].concat(), list.most).await?;
        let keys = found.into_iter().filter_map(|key| Some(key.strip_prefix(prefix)?.to_owned()));
        *self = Self { server: Some(name), scan: (next != 0).then_some(next), left_over: keys.collect() };
        Ok(true)
    }
}

/// One step of a `SCAN`: where the next one goes on, and keys that begin with this.
async fn scan_once(node: &Node, from: u64, prefix: &str, most: usize) -> Result<(u64, Vec<String>)> {
    let mut pipeline = Pipeline::with_capacity(1);
    let pattern = [&escaped(prefix), "*"].concat();
    pipeline.cmd("SCAN").arg(from).arg("MATCH").arg(pattern).arg("COUNT").arg(most.clamp(LEAST, MOST));
    let values = node.look(&pipeline).await?;
    let unreadable = || Error::new(ErrorKind::Unavailable, "Redis answered something to SCAN that is no page of keys");
    let [Value::Array(parts)] = values.as_slice() else { return Err(unreadable()) };
    let [Value::BulkString(next), Value::Array(keys)] = parts.as_slice() else { return Err(unreadable()) };
    let next = std::str::from_utf8(next).ok().and_then(|next| next.parse().ok()).ok_or_else(unreadable)?;
    // Keys that are no text are none of ours.
    let text = |key: &Value| if let Value::BulkString(key) = key { String::from_utf8(key.clone()).ok() } else { None };
    Ok((next, keys.iter().filter_map(text).collect()))
}

/// Those of these keys whose buckets owe something.
async fn owing(keys: Vec<String>, way: &Way, prefix: &str) -> Result<Vec<String>> {
    let mut asked = Vec::with_capacity(keys.len());
    for key in keys {
        let (job, awaited) = Job::that_looks([prefix, &key].concat());
        way.send(job);
        asked.push((key, awaited));
    }
    let mut owing = Vec::new();
    for (key, awaited) in asked {
        let outcome: Option<Outcome> = awaited.await.unwrap_or_default().pop();
        match outcome {
            Some(Ok(Reply::Reset(true))) => owing.push(key),
            // What is no bucket owes nothing.
            Some(Ok(_)) => {}
            Some(Err(error)) if error.kind() == ErrorKind::Corrupt => {}
            Some(Err(error)) => return Err(error),
            None => return Err(Error::new(ErrorKind::Closed, "the store was closed during the call")),
        }
    }
    Ok(owing)
}

/// The text as a pattern that it alone matches.
fn escaped(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len());
    for character in text.chars() {
        if matches!(character, '*' | '?' | '[' | ']' | '\\') {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern
}

impl Progress {
    /// Lengths come first, as keys may have anything in them.
    fn to_cursor(&self) -> Cursor {
        let mut text = self.scan.map_or_else(|| "-".to_owned(), |scan| scan.to_string());
        for part in self.server.iter().chain(&self.left_over) {
            // Writing to a string cannot fail.
            let _ = write!(text, " {}:{part}", part.len());
        }
        Cursor::new(text)
    }

    fn parse(text: &str) -> Option<Self> {
        let (scan, mut rest) = text.split_at_checked(text.find(' ')?)?;
        let scan = if scan == "-" { None } else { Some(scan.parse().ok()?) };
        let mut parts = Vec::new();
        while let Some(part) = rest.strip_prefix(' ') {
            let (length, behind) = part.split_once(':')?;
            let (part, behind) = behind.split_at_checked(length.parse().ok()?)?;
            parts.push(part.to_owned());
            rest = behind;
        }
        if !rest.is_empty() || parts.is_empty() {
            return None;
        }
        let server = Some(parts.remove(0));
        Some(Self { server, scan, left_over: parts })
    }
}

#[cold]
fn foreign_cursor() -> Error {
    Error::new(ErrorKind::InvalidRequest, "the cursor is not of a list of this store; begin the list anew, without one")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_comes_back_from_its_cursor() {
        for (server, scan, left_over) in [
            ("127.0.0.1:6379", Some(0), vec![]),
            ("[::1]:7000", None, vec!["", " ", "1:a", "a\0b", "ü 3:x"]),
            ("host:1", Some(u64::MAX), vec!["a"]),
        ] {
            let left_over = left_over.into_iter().map(str::to_owned).collect();
            let progress = Progress { server: Some(server.to_owned()), scan, left_over };
            assert_eq!(Progress::parse(progress.to_cursor().place()), Some(progress));
        }
    }

    #[test]
    fn what_is_no_cursor_is_refused() {
        for text in ["", "7", "x 1:a", "7 2:a", "7 1:ab", "7 1:a ", "7 999999999999999999999:a", "7 1:ü"] {
            assert_eq!(Progress::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_pattern_matches_its_text_alone() {
        assert_eq!(escaped("a*b?[c]\\é"), "a\\*b\\?\\[c\\]\\\\é");
    }
}
