-- Looks at up to `most` buckets after `after`, in the order of their ids, and deletes those that are idle: each only if nobody
-- has it locked, and it is idle even then. `next` is where to go on, nothing at the end. It stops when a hundred have gone:
-- their locks last to the end of the transaction, and a server has not many.
CREATE OR REPLACE FUNCTION {s}.sweep(after uuid, most int, OUT next uuid, OUT looked_at int, OUT removed int)
LANGUAGE plpgsql SET search_path = pg_catalog SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off
AS $sweep$
DECLARE
  clock bigint := {s}.clock();
  place uuid;
  idle_from bigint;
BEGIN
  looked_at := 0;
  removed := 0;
  FOR place, idle_from IN
    SELECT b.id, b.idle_from FROM {s}.bucket AS b WHERE b.id > after ORDER BY b.id LIMIT most
  LOOP
    looked_at := looked_at + 1;
    next := place;
    IF idle_from <= clock AND pg_try_advisory_xact_lock({s}.lock_of(place)) THEN
      DELETE FROM {s}.bucket AS b WHERE b.id = place AND b.idle_from <= clock;
      IF FOUND THEN
        removed := removed + 1;
        DELETE FROM {s}.chunk AS c WHERE c.bucket = place;
        EXIT WHEN removed = 100;
      END IF;
    END IF;
  END LOOP;
  IF looked_at < most AND removed < 100 THEN
    next := NULL;
  END IF;
END
$sweep$;
