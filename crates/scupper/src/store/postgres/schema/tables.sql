-- Where buckets are kept, and in what clock's time.

CREATE TABLE IF NOT EXISTS {s}.bucket (
  -- The first 16 bytes of the SHA-256 of the key.
  id uuid PRIMARY KEY,
  key bytea NOT NULL,
  -- From then on nobody misses the bucket.
  idle_from bigint NOT NULL,
  -- All numbers of the bucket but the events of its log, as the library lists them: unsigned, so what is negative here is
  -- beyond 2^63 there.
  head bigint[] NOT NULL,
  -- The newest events of a log, a tick and all units up to and with it each: at most 16. What is not a log has none, and
  -- zero in all that follows.
  recent bigint[] NOT NULL,
  -- Units before the first event of all that is kept.
  base bigint NOT NULL,
  -- Units up to and with the last event in chunks; `base` if there are none.
  spilled bigint NOT NULL,
  -- The chunks from number `first` to before number `last` are in use. Number n is at n % slots.
  first bigint NOT NULL,
  last bigint NOT NULL,
  -- Events in the last of them.
  in_last int NOT NULL,
  slots int NOT NULL
) WITH (fillfactor = 50);

-- Older events of a log, 64 a row. Rows are written anew, and go with their bucket only.
CREATE TABLE IF NOT EXISTS {s}.chunk (
  bucket uuid,
  slot int,
  number bigint NOT NULL,
  -- Units before its first event.
  starts bigint NOT NULL,
  events bigint[] NOT NULL,
  PRIMARY KEY (bucket, slot)
) WITH (fillfactor = 50);

-- A change writes no long key anew, and nothing is packed or unpacked for it.
ALTER TABLE {s}.bucket
  ALTER key SET STORAGE EXTERNAL, ALTER head SET STORAGE PLAIN, ALTER recent SET STORAGE PLAIN;
ALTER TABLE {s}.chunk ALTER events SET STORAGE PLAIN;

-- Of the tables and functions here; another one is left alone.
CREATE OR REPLACE FUNCTION {s}.version() RETURNS int LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN 1;

-- Microseconds since 1970, whatever the session's time zone; not those at which the transaction began.
CREATE OR REPLACE FUNCTION {s}.clock() RETURNS bigint LANGUAGE sql VOLATILE PARALLEL SAFE
  RETURN (extract(epoch FROM clock_timestamp()) * 1000000)::bigint;

-- The number of the lock of a bucket. Others who lock numbers, also other schemas, have others.
CREATE OR REPLACE FUNCTION {s}.lock_of(id uuid) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE
  RETURN uuid_hash_extended(id, hashtextextended($name${s}$name$, 0));

-- Locks these buckets until the transaction ends, in an order that is the same for all: nobody waits for each other in a circle.
-- What it guards must be read by later statements, which then see what was written under the lock before.
CREATE OR REPLACE FUNCTION {s}.lock(ids uuid[]) RETURNS void LANGUAGE plpgsql AS $lock$
BEGIN
  IF current_setting('transaction_isolation') <> 'read committed' THEN
    RAISE EXCEPTION 'the transaction is %, and must be read committed', current_setting('transaction_isolation')
      USING ERRCODE = 'invalid_transaction_state';
  END IF;
  IF cardinality(ids) = 1 THEN
    PERFORM pg_advisory_xact_lock({s}.lock_of(ids[1]));
  ELSE
    PERFORM pg_advisory_xact_lock(number)
      FROM (SELECT DISTINCT {s}.lock_of(id) AS number FROM unnest(ids) AS id ORDER BY number) AS numbers;
  END IF;
END
$lock$;
