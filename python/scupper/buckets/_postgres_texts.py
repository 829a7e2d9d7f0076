"""What can be asked of the tables by hand."""

from .._home import known_by
from .._scupper import PostgresCall

_SCHEMA_SQL = PostgresCall("scupper", "", [(1, 1, 1)], "gcra").schema_sql()


class Queries:
    """Statements about the tables, for psycopg, after ``.format(schema='"scupper"')``.

    ``%(id)s`` is what a bucket is found by, the first half of the SHA-256 of its key. A bucket does not read these texts;
    to write by any other than its own methods takes :attr:`LOCK_TABLE` before, in one transaction.
    """

    CREATE_BUCKET_TABLE = _SCHEMA_SQL.replace("{", "{{").replace("}", "}}").replace('"scupper"', "{schema}")
    # There is none but the primary key.
    CREATE_INDEX_ON_TIMESTAMP = ""
    LOCK_TABLE = "SELECT pg_advisory_xact_lock({schema}.lock_of(%(id)s::uuid))"
    COUNT = (
        "SELECT coalesce(sum(coalesce(recent[cardinality(recent)], spilled) - base), 0) FROM {schema}.bucket "
        "WHERE id = %(id)s::uuid"
    )
    COUNT_WINDOW = "SELECT used FROM {schema}.look(%(id)s::uuid, %(microseconds)s::bigint[])"
    PUT = (
        "SELECT {schema}.decide(%(ids)s::uuid[], %(keys)s::bytea[], %(quota_of)s::int[], %(quotas)s::bigint[], "
        "%(op_key)s::int[], %(weights)s::bigint[], %(counts)s::int[], %(standings)s::int[], true)"
    )
    FLUSH = (
        "WITH chunks AS (DELETE FROM {schema}.chunk WHERE bucket = %(id)s::uuid) "
        "DELETE FROM {schema}.bucket WHERE id = %(id)s::uuid"
    )
    PEEK = "SELECT to_timestamp(newest / 1e6) FROM {schema}.look(%(id)s::uuid, ARRAY[]::bigint[])"
    LEAK = "SELECT next, looked_at, removed FROM {schema}.sweep(%(after)s::uuid, %(most)s::int)"
    LEAK_COUNT = "SELECT count(*) FROM {schema}.bucket WHERE idle_from <= {schema}.clock()"


known_by("scupper.buckets.postgres", Queries)
