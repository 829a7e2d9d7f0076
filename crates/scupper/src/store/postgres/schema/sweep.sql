-- Looks at up to `most` buckets after `after`, in the order of their ids, and deletes those that are idle: each only if nobody
-- has it locked, and it is idle even then. `next` is where to go on, nothing at the end. It stops early when a hundred have gone:
-- their locks last to the end of the transaction, and a server has not many; and when a thousand chunks have gone.
--
-- The bucket that those were of goes with the last of its chunks, in later sweeps. Nothing of its log matters to anybody, so it is
-- one with an empty log meanwhile: a chunk that is left is like one that the ring has passed by, and a slot with none like one that
-- it has not come to yet. Either is written before it is read.
CREATE OR REPLACE FUNCTION {s}.sweep(after uuid, most int, OUT next uuid, OUT looked_at int, OUT removed int)
LANGUAGE plpgsql SET search_path = pg_catalog SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off
AS $sweep$
DECLARE
  clock bigint := {s}.clock();
  room int := 1000;
  before uuid;
  place uuid;
  idle_from bigint;
  gone int;
BEGIN
  next := after;
  looked_at := 0;
  removed := 0;
  FOR place, idle_from IN
    SELECT b.id, b.idle_from FROM {s}.bucket AS b WHERE b.id > after ORDER BY b.id LIMIT most
  LOOP
    before := next;
    next := place;
    looked_at := looked_at + 1;
    CONTINUE WHEN idle_from > clock OR NOT pg_try_advisory_xact_lock({s}.lock_of(place));
    PERFORM FROM {s}.bucket AS b WHERE b.id = place AND b.idle_from <= clock;
    CONTINUE WHEN NOT FOUND;
    DELETE FROM {s}.chunk AS c WHERE c.bucket = place
      AND c.slot = ANY (ARRAY(SELECT o.slot FROM {s}.chunk AS o WHERE o.bucket = place ORDER BY o.slot LIMIT room));
    GET DIAGNOSTICS gone = ROW_COUNT;
    room := room - gone;
    IF room = 0 THEN
      UPDATE {s}.bucket AS b
        SET recent = '{}', base = total, spilled = total, first = b.last, in_last = 0
        FROM (SELECT coalesce(o.recent[cardinality(o.recent)], o.spilled) AS total FROM {s}.bucket AS o WHERE o.id = place) AS log
        WHERE b.id = place AND (b.first, b.base) <> (b.last, total);
      -- It is looked at once more.
      next := before;
      looked_at := looked_at - 1;
      RETURN;
    END IF;
    DELETE FROM {s}.bucket AS b WHERE b.id = place;
    removed := removed + 1;
    EXIT WHEN removed = 100;
  END LOOP;
  IF looked_at < most AND removed < 100 THEN
    next := NULL;
  END IF;
END
$sweep$;
