CREATE SCHEMA IF NOT EXISTS {s};
CREATE TABLE IF NOT EXISTS {s}.bucket (
  id uuid PRIMARY KEY, key bytea NOT NULL, idle_from bigint NOT NULL, head bigint[] NOT NULL, recent bigint[] NOT NULL,
  base bigint NOT NULL, spilled bigint NOT NULL, first bigint NOT NULL, last bigint NOT NULL, in_last int NOT NULL,
  slots int NOT NULL) WITH (fillfactor = 50);
CREATE TABLE IF NOT EXISTS {s}.chunk (bucket uuid, slot int, number bigint NOT NULL, starts bigint NOT NULL,
  events bigint[] NOT NULL, PRIMARY KEY (bucket, slot)) WITH (fillfactor = 50);
CREATE OR REPLACE FUNCTION {s}.clock() RETURNS bigint LANGUAGE sql VOLATILE AS
  $f$ SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint $f$;
CREATE OR REPLACE FUNCTION {s}.version() RETURNS int LANGUAGE sql AS $f$ SELECT 1 $f$;
CREATE OR REPLACE FUNCTION {s}.lock_of(id uuid) RETURNS bigint LANGUAGE sql AS
  $f$ SELECT ('x' || left(replace(id::text, '-', ''), 16))::bit(64)::bigint $f$;
CREATE OR REPLACE FUNCTION {s}.decide(ids uuid[], keys bytea[], quota_of int[], quotas bigint[], op_key int[], weights bigint[],
  counts int[], standings int[]) RETURNS bigint[] LANGUAGE sql AS $f$ SELECT array_fill(0::bigint, ARRAY[8 * cardinality(op_key)]) $f$;
CREATE OR REPLACE FUNCTION {s}.sweep(after uuid, most int) RETURNS TABLE (next uuid, looked_at int, removed int)
LANGUAGE plpgsql AS $f$
DECLARE found uuid[]; gone int;
BEGIN
  SELECT array_agg(id ORDER BY id) INTO found FROM (SELECT b.id FROM {s}.bucket b WHERE b.id > after ORDER BY b.id LIMIT most) x;
  DELETE FROM {s}.chunk c USING {s}.bucket b WHERE c.bucket = b.id AND b.id = ANY (found) AND b.idle_from <= {s}.clock();
  DELETE FROM {s}.bucket b WHERE b.id = ANY (found) AND b.idle_from <= {s}.clock();
  GET DIAGNOSTICS gone = ROW_COUNT;
  RETURN QUERY SELECT CASE WHEN cardinality(found) >= most THEN found[most] END, coalesce(cardinality(found), 0), gone;
END $f$;
