-- Where buckets are kept. A role that is not the owner of what is made here needs these rights to use it, and no others:
--
--   GRANT USAGE ON SCHEMA {s} TO the_role;
--   GRANT SELECT, INSERT, UPDATE, DELETE ON {s}.bucket, {s}.chunk TO the_role;
--
-- Functions run with the rights of who calls them, and may be called by all who may use the schema.

-- Nobody needs the right to make schemas where there is this one already, and one of another version is left alone.
DO $make$
BEGIN
  -- A session that has found no schema remembers that until it opens a table, and somebody may have made it before this had the lock.
  PERFORM FROM pg_namespace LIMIT 1;
  IF to_regnamespace($name${s}$name$) IS NULL THEN
    CREATE SCHEMA {s};
  ELSIF to_regprocedure($name${s}.version()$name$) IS NOT NULL THEN
    IF {s}.version() <> 1 THEN
      RAISE EXCEPTION 'the schema is of version %, and this makes version 1', {s}.version();
    END IF;
  END IF;
END
$make$;

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
-- A page is cleared of dead rows when it is fuller than this: with half of it, rows that a burst has spread, one on a page, kept
-- three dead ones each.
) WITH (fillfactor = 25);

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

-- A change writes no long key anew, and nothing is packed or unpacked for it. Where that is so already, nobody is to wait for it
-- who uses the tables.
DO $store$
BEGIN
  IF EXISTS (
    SELECT FROM pg_attribute
    WHERE attrelid IN (to_regclass($name${s}.bucket$name$), to_regclass($name${s}.chunk$name$))
      AND (attname, attstorage) IN (('key', 'x'), ('head', 'x'), ('recent', 'x'), ('events', 'x'))
  ) THEN
    ALTER TABLE {s}.bucket
      ALTER key SET STORAGE EXTERNAL, ALTER head SET STORAGE PLAIN, ALTER recent SET STORAGE PLAIN;
    ALTER TABLE {s}.chunk ALTER events SET STORAGE PLAIN;
  END IF;
END
$store$;

