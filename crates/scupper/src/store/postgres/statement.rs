use tokio::sync::OnceCell;
use tokio_postgres::{Client, Error as PostgresError, Statement};

use crate::store::postgres::schema::Schema;

/// What is asked of the server, each prepared once a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Query {
    Decide,
    Lock,
    Bucket,
    Chunks,
    ChunksFrom,
    Look,
    SaveBucket,
    SaveChunks,
    RemoveBucket,
    RemoveChunks,
    Sweep,
    List,
}

impl Query {
    const ALL: [Self; 12] = [
        Self::Decide,
        Self::Lock,
        Self::Bucket,
        Self::Chunks,
        Self::ChunksFrom,
        Self::Look,
        Self::SaveBucket,
        Self::SaveChunks,
        Self::RemoveBucket,
        Self::RemoveChunks,
        Self::Sweep,
        Self::List,
    ];

    pub(super) const fn sql(self) -> &'static str {
        match self {
            Self::Decide => "SELECT {s}.decide($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            // Whether it is had: waited for, or else only if nobody has it.
            Self::Lock => {
                "SELECT CASE WHEN $2 THEN pg_catalog.pg_advisory_xact_lock({s}.lock_of($1)) IS NOT NULL \
                 ELSE pg_catalog.pg_try_advisory_xact_lock({s}.lock_of($1)) END"
            }
            Self::Bucket => {
                "SELECT {s}.clock(), b.head, b.recent, b.base, b.spilled, b.first, b.last, b.in_last, b.slots \
                 FROM (SELECT) AS one LEFT JOIN {s}.bucket AS b ON b.id = $1"
            }
            Self::Chunks => {
                "SELECT c.number, c.starts, c.events FROM {s}.bucket AS b JOIN {s}.chunk AS c ON c.bucket = b.id \
                 WHERE b.id = $1 AND b.first <= c.number AND c.number < b.last ORDER BY c.number"
            }
            Self::ChunksFrom => "SELECT number, starts, events FROM {s}.chunks_from($1, $2)",
            Self::Look => "SELECT clock, head, newest, used FROM {s}.look($1, $2)",
            Self::SaveBucket => {
                "INSERT INTO {s}.bucket (id, key, idle_from, head, recent, base, spilled, first, last, in_last, slots) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) \
                 ON CONFLICT (id) DO UPDATE SET idle_from = excluded.idle_from, head = excluded.head, \
                 recent = excluded.recent, base = excluded.base, spilled = excluded.spilled, first = excluded.first, \
                 last = excluded.last, in_last = excluded.in_last, slots = excluded.slots"
            }
            // The events of all of them stand behind each other.
            Self::SaveChunks => {
                "INSERT INTO {s}.chunk (bucket, slot, number, starts, events) \
                 SELECT $1, slot, number, starts, ($6::bigint[])[ends - length + 1 : ends] \
                 FROM unnest($2::int[], $3::bigint[], $4::bigint[], $5::int[], $7::int[]) \
                 AS saved (slot, number, starts, length, ends) \
                 ON CONFLICT (bucket, slot) DO UPDATE SET number = excluded.number, starts = excluded.starts, \
                 events = excluded.events"
            }
            Self::RemoveBucket => "DELETE FROM {s}.bucket WHERE id = $1",
            Self::RemoveChunks => "DELETE FROM {s}.chunk WHERE bucket = $1",
            Self::Sweep => "SELECT * FROM {s}.sweep($1, $2)",
            // Of a log, the tick of its newest event tells whether it owes anything.
            Self::List => {
                "SELECT b.id, CASE WHEN substring(b.key FROM 1 FOR length($2::bytea)) = $2 THEN b.key END, {s}.clock(), b.head, \
                 CASE WHEN cardinality(b.recent) > 1 THEN b.recent[cardinality(b.recent) - 1] \
                 WHEN b.first < b.last THEN (SELECT c.events[cardinality(c.events) - 1] FROM {s}.chunk AS c \
                 WHERE c.bucket = b.id AND c.slot = (b.last - 1) & (b.slots - 1)) END \
                 FROM (SELECT * FROM {s}.bucket WHERE id >= $1 ORDER BY id LIMIT $3) AS b"
            }
        }
    }
}

/// The text of each query, for one schema.
#[derive(Debug)]
pub(super) struct Texts(Vec<String>);

impl Texts {
    pub(super) fn of(schema: &Schema) -> Self {
        Self(Query::ALL.iter().map(|query| schema.within(query.sql())).collect())
    }

    fn get(&self, query: Query) -> &str {
        self.0.get(query as usize).map_or("", String::as_str)
    }
}

/// Those that a connection has prepared.
#[derive(Default)]
pub(super) struct Prepared([OnceCell<Statement>; Query::ALL.len()]);

impl Prepared {
    pub(super) async fn get(&self, query: Query, client: &Client, texts: &Texts) -> Result<Statement, PostgresError> {
        let prepare = || client.prepare(texts.get(query));
        match self.0.get(query as usize) {
            Some(cell) => cell.get_or_try_init(prepare).await.cloned(),
            None => prepare().await,
        }
    }
}
