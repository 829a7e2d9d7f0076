use tokio_postgres::types::ToSql;
use tokio_postgres::{Error as PostgresError, Statement};

use crate::error::Result;
use crate::store::bucket::{BucketState, Numbers};
use crate::store::postgres::arguments::bigint;
use crate::store::postgres::id::Id;
use crate::store::postgres::in_turn::in_turn;
use crate::store::postgres::log::{Laid, Log};
use crate::store::postgres::session::Session;
use crate::store::postgres::statement::Query;
use crate::store::postgres::stored::{Rows, Stored, flat};
use crate::time::Timestamp;

const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED, READ WRITE";

/// A transaction on one bucket, which nobody else has meanwhile.
pub(super) struct Transaction<'s> {
    session: &'s Session,
    id: Id,
    statements: Statements,
}

struct Statements {
    save_bucket: Statement,
    save_chunks: Statement,
    remove_bucket: Statement,
    remove_chunks: Statement,
}

/// What becomes of the rows of a bucket.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Change {
    Nothing,
    Remove,
    Save { head: Vec<u64>, laid: Laid, idle_from: u64 },
}

impl<'s> Transaction<'s> {
    /// Waits for the bucket, and loads it: the row is read in a statement behind the lock, so that it is what the last one who
    /// had the lock left.
    pub(super) async fn begin(session: &'s Session, id: Id) -> Result<(Self, Rows), PostgresError> {
        let [lock, bucket, chunks] = [Query::Lock, Query::Bucket, Query::Chunks];
        let lock = session.statement(lock).await?;
        let (bucket, chunks) = (session.statement(bucket).await?, session.statement(chunks).await?);
        let statements = Statements {
            save_bucket: session.statement(Query::SaveBucket).await?,
            save_chunks: session.statement(Query::SaveChunks).await?,
            remove_bucket: session.statement(Query::RemoveBucket).await?,
            remove_chunks: session.statement(Query::RemoveChunks).await?,
        };
        let client = session.client();
        let by_id: [&(dyn ToSql + Sync); 1] = [&id];
        let load = in_turn(client.query_one(&bucket, &by_id), client.query(&chunks, &by_id));
        let locked = in_turn(client.query_one(&lock, &by_id), load);
        let (begun, (locked, (bucket, chunks))) = in_turn(client.batch_execute(BEGIN), locked).await;
        begun?;
        locked?;
        let rows = Rows::read(&bucket?, &chunks?)?;
        Ok((Self { session, id, statements }, rows))
    }

    /// Writes down what has become of the bucket, and ends the transaction.
    pub(super) async fn end(self, key: &str, change: Change) -> Result<(), PostgresError> {
        let client = self.session.client();
        let commit = client.batch_execute("COMMIT");
        let (changed, committed) = match change {
            Change::Nothing => (Ok(()), commit.await),
            Change::Remove => in_turn(self.remove(), commit).await,
            Change::Save { head, laid, idle_from } => in_turn(self.save(key, &head, &laid, idle_from), commit).await,
        };
        changed.and(committed)
    }

    async fn remove(&self) -> Result<(), PostgresError> {
        let client = self.session.client();
        let by_id: [&(dyn ToSql + Sync); 1] = [&self.id];
        let chunks = client.execute(&self.statements.remove_chunks, &by_id);
        let (chunks, bucket) = in_turn(chunks, client.execute(&self.statements.remove_bucket, &by_id)).await;
        chunks.and(bucket).map(drop)
    }

    async fn save(&self, key: &str, head: &[u64], laid: &Laid, idle_from: u64) -> Result<(), PostgresError> {
        let wipe = async {
            if laid.wipe {
                self.session.client().execute(&self.statements.remove_chunks, &[&self.id]).await?;
            }
            Ok(())
        };
        let chunks = async { if laid.written().is_empty() { Ok(()) } else { self.save_chunks(laid).await } };
        let bucket = self.save_bucket(key, head, &laid.log, idle_from);
        let (wiped, (chunks, bucket)) = in_turn(wipe, in_turn(chunks, bucket)).await;
        wiped.and(chunks).and(bucket)
    }

    async fn save_bucket(&self, key: &str, head: &[u64], log: &Log, idle_from: u64) -> Result<(), PostgresError> {
        let head: Vec<i64> = head.iter().copied().map(bigint).collect();
        let idle_from = i64::try_from(idle_from).unwrap_or(i64::MAX);
        let (recent, base, spilled) = (flat(&log.recent), bigint(log.base), bigint(log.spilled));
        let in_last = i32::try_from(log.in_last()).unwrap_or(i32::MAX);
        let parameters: [&(dyn ToSql + Sync); 11] = [
            &self.id,
            &key.as_bytes(),
            &idle_from,
            &head,
            &recent,
            &base,
            &spilled,
            &log.first,
            &log.last,
            &in_last,
            &log.slots,
        ];
        self.session.client().execute(&self.statements.save_bucket, &parameters).await.map(drop)
    }

    async fn save_chunks(&self, laid: &Laid) -> Result<(), PostgresError> {
        let chunks = laid.written();
        let (mut slots, mut lengths, mut ends) = (Vec::new(), Vec::new(), Vec::new());
        let (mut events, mut end) = (Vec::new(), 0);
        for chunk in chunks {
            let slot = chunk.number & i64::from(laid.log.slots - 1);
            slots.push(i32::try_from(slot).unwrap_or(i32::MAX));
            let numbers = flat(&chunk.events);
            let length = i32::try_from(numbers.len()).unwrap_or(i32::MAX);
            end += length;
            lengths.push(length);
            ends.push(end);
            events.extend(numbers);
        }
        let numbers: Vec<i64> = chunks.iter().map(|chunk| chunk.number).collect();
        let starts: Vec<i64> = chunks.iter().map(|chunk| bigint(chunk.starts)).collect();
        let parameters: [&(dyn ToSql + Sync); 7] = [&self.id, &slots, &numbers, &starts, &lengths, &events, &ends];
        self.session.client().execute(&self.statements.save_chunks, &parameters).await.map(drop)
    }
}

impl Change {
    /// What this bucket is to be in place of what is stored.
    pub(super) fn to(state: Option<BucketState>, before: Option<&Stored>, clock: Timestamp) -> Self {
        let Some(mut state) = state else { return Self::Nothing };
        let idle_from = state.idle_from_at(clock);
        if idle_from <= clock {
            return if before.is_some() { Self::Remove } else { Self::Nothing };
        }
        let numbers: Numbers = state.to_numbers();
        if before.is_some_and(|before| before.is(&numbers)) {
            return Self::Nothing;
        }
        let empty = Log::default();
        let laid = before.map_or(&empty, |before| &before.log).lay(&numbers.events);
        Self::Save { head: numbers.head, laid, idle_from: idle_from.as_micros() }
    }
}
