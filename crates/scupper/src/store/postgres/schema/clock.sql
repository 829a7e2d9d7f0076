-- Of the tables and functions here; another one is left alone.
CREATE OR REPLACE FUNCTION {s}.version() RETURNS int LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN 1;

-- Microseconds since 1970, whatever the session's time zone; not those at which the transaction began.
CREATE OR REPLACE FUNCTION {s}.clock() RETURNS bigint LANGUAGE sql VOLATILE PARALLEL SAFE
  RETURN (extract(epoch FROM clock_timestamp()) * 1000000)::bigint;

-- The number of the lock of a bucket. Others who lock numbers, also other schemas, have others.
CREATE OR REPLACE FUNCTION {s}.lock_of(id uuid) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE
  RETURN uuid_hash_extended(id, hashtextextended($name${s}$name$, 0));
