use std::collections::HashMap;
use std::collections::hash_map::Entry;

use crate::error::Result;
use crate::store::batch::{Action, Operation};
use crate::store::outcome::{Outcome, Reply};
use crate::store::sqlite::bucket::{Bucket, Stored};
use crate::store::sqlite::link::Link;
use crate::store::sqlite::list::list;
use crate::time::Timestamp;

/// The buckets that a transaction has to do with.
#[derive(Debug)]
pub(super) struct Buckets<'l, 'a> {
    link: &'l Link,
    now: Timestamp,
    touched: HashMap<&'a str, Bucket>,
    pub(super) written: Written,
}

/// What a transaction has written.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Written {
    /// When the first of the buckets can be forgotten.
    pub(super) idle_from: Option<i64>,
    /// Rows that were not there before.
    pub(super) new_rows: usize,
}

impl<'l, 'a> Buckets<'l, 'a> {
    pub(super) fn new(link: &'l Link, now: Timestamp) -> Self {
        Self { link, now, touched: HashMap::new(), written: Written::default() }
    }

    pub(super) fn apply(&mut self, operation: &Operation<'a>) -> Outcome {
        if let Action::List { after, most } = operation.action {
            self.store()?;
            return list(self.link, operation.key, after, most, self.now).map(Reply::Listed);
        }
        let bucket = match self.touched.entry(operation.key) {
            Entry::Occupied(bucket) => bucket.into_mut(),
            Entry::Vacant(place) => place.insert(Bucket::find(self.link, operation.key)?),
        };
        bucket.apply(self.link, operation, self.now)
    }

    /// Writes down what has changed so far.
    pub(super) fn store(&mut self) -> Result<()> {
        for (key, bucket) in self.touched.drain() {
            match bucket.store(self.link, key, self.now)? {
                Stored::Unchanged | Stored::Forgotten => {}
                Stored::Kept { idle_from, is_new } => {
                    let written = &mut self.written;
                    written.new_rows += usize::from(is_new);
                    written.idle_from = Some(written.idle_from.map_or(idle_from, |first| first.min(idle_from)));
                }
            }
        }
        Ok(())
    }
}
