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
    lock: Statement,
    bucket: Statement,
    chunks: Statement,
    chunks_from: Statement,
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

/// Chunks as a statement takes them, column by column; the events of all of them behind each other.
#[derive(Debug, Default)]
pub(super) struct ChunkColumns {
    pub(super) slots: Vec<i32>,
    pub(super) numbers: Vec<i64>,
    pub(super) starts: Vec<i64>,
    pub(super) lengths: Vec<i32>,
    pub(super) events: Vec<i64>,
    pub(super) ends: Vec<i32>,
}

impl Statements {
    async fn prepare(session: &Session) -> Result<Self, PostgresError> {
        // All asked for at once: most connections are used for this but now and then, so that the first time matters.
        let get = |query| session.statement(query);
        let load =
            in_turn(in_turn(get(Query::Lock), get(Query::Bucket)), in_turn(get(Query::Chunks), get(Query::ChunksFrom)));
        let save = in_turn(get(Query::SaveBucket), get(Query::SaveChunks));
        let change = in_turn(save, in_turn(get(Query::RemoveBucket), get(Query::RemoveChunks)));
        let (((lock, bucket), (chunks, chunks_from)), ((save_bucket, save_chunks), (remove_bucket, remove_chunks))) =
            in_turn(load, change).await;
        Ok(Self {
            lock: lock?,
            bucket: bucket?,
            chunks: chunks?,
            chunks_from: chunks_from?,
            save_bucket: save_bucket?,
            save_chunks: save_chunks?,
            remove_bucket: remove_bucket?,
            remove_chunks: remove_chunks?,
        })
    }
}

impl<'s> Transaction<'s> {
    /// Waits for the bucket, if it may, and loads it: the row is read in a statement behind the lock, so that it is what the last
    /// one who had the lock left. Without waiting, there is nothing to be had of a bucket that somebody else has.
    pub(super) async fn begin(
        session: &'s Session,
        id: Id,
        since: u64,
        may_wait: bool,
    ) -> Result<(Self, Option<Rows>), PostgresError> {
        let statements = Statements::prepare(session).await?;
        let this = Self { session, id, statements };
        let client = session.client();
        let parameters: [&(dyn ToSql + Sync); 2] = [&id, &may_wait];
        let locked = in_turn(client.query_one(&this.statements.lock, &parameters), this.load(since));
        let (begun, (locked, rows)) = in_turn(client.batch_execute(BEGIN), locked).await;
        begun?;
        let is_had = locked?.try_get(0)?;
        let rows = rows?;
        Ok((this, (may_wait || is_had).then_some(rows)))
    }

    /// The bucket, and of its log what lies beside its head and the chunks since this tick.
    pub(super) async fn load(&self, since: u64) -> Result<Rows, PostgresError> {
        let client = self.session.client();
        let by_id: [&(dyn ToSql + Sync); 1] = [&self.id];
        let bucket = client.query_one(&self.statements.bucket, &by_id);
        let chunks = async {
            if since == 0 {
                return client.query(&self.statements.chunks, &by_id).await;
            }
            let since = i64::try_from(since).unwrap_or(i64::MAX);
            client.query(&self.statements.chunks_from, &[&self.id, &since]).await
        };
        let (bucket, chunks) = in_turn(bucket, chunks).await;
        Rows::read(&bucket?, &chunks?, since > 0)
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
        let ChunkColumns { slots, numbers, starts, lengths, events, ends } = ChunkColumns::of(laid);
        let parameters: [&(dyn ToSql + Sync); 7] = [&self.id, &slots, &numbers, &starts, &lengths, &events, &ends];
        self.session.client().execute(&self.statements.save_chunks, &parameters).await.map(drop)
    }
}

impl ChunkColumns {
    /// Those that are to be written.
    pub(super) fn of(laid: &Laid) -> Self {
        let mut columns = Self::default();
        let mut end = 0;
        for chunk in laid.written() {
            let slot = chunk.number & i64::from(laid.log.slots - 1);
            columns.slots.push(i32::try_from(slot).unwrap_or(i32::MAX));
            columns.numbers.push(chunk.number);
            columns.starts.push(bigint(chunk.starts));
            let numbers = flat(&chunk.events);
            let length = i32::try_from(numbers.len()).unwrap_or(i32::MAX);
            end += length;
            columns.lengths.push(length);
            columns.ends.push(end);
            columns.events.extend(numbers);
        }
        columns
    }
}

impl Change {
    /// What this bucket is to be in place of what is stored; nothing if it takes all of its log to say that.
    pub(super) fn to(state: Option<BucketState>, before: Option<&Stored>, clock: Timestamp) -> Option<Self> {
        let Some(mut state) = state else { return Some(Self::Nothing) };
        let idle_from = state.idle_from_at(clock);
        let numbers: Numbers = state.to_numbers();
        if numbers.events.is_empty() && before.is_some_and(|before| before.log.older.is_some()) {
            // What the bucket owes now is in what is not known.
            return None;
        }
        if idle_from <= clock {
            return Some(if before.is_some() { Self::Remove } else { Self::Nothing });
        }
        if before.is_some_and(|before| before.is(&numbers)) {
            return Some(Self::Nothing);
        }
        let new = Log::default();
        let log = before.map_or(&new, |before| &before.log);
        let laid = if numbers.kind.has_lanes() { log.anew(&[]) } else { log.lay(&numbers.events)? };
        Some(Self::Save { head: numbers.head, laid, idle_from: idle_from.as_micros() })
    }
}
