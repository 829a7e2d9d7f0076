-- A log beyond its newest events, which lie with its bucket.

-- When the unit with this number, which is in a chunk, was admitted; nothing where a chunk is not what it should be.
CREATE OR REPLACE FUNCTION {s}.tick_of(
  bucket uuid, unit bigint, base bigint, spilled bigint, first bigint, last bigint, slots int
) RETURNS bigint LANGUAGE plpgsql STABLE AS $tick_of$
#variable_conflict use_variable
DECLARE
  -- The chunks from `low` to `high` hold the units after `before`, up to and with `up_to`.
  low bigint := first;  high bigint := last - 1;  before bigint := base;  up_to bigint := spilled;
  guesses int := 0;  guess bigint;  starts bigint;  events bigint[];  below int;  above int;  middle int;
BEGIN
  WHILE low <= high LOOP
    -- Weights are often alike, and then it is here.
    guess := CASE WHEN guesses < 3 AND up_to > before
      THEN low + floor((high - low + 1) * ((unit - before - 1)::float8 / (up_to - before)))::bigint
      ELSE (low + high) / 2 END;
    guess := least(high, greatest(low, guess));
    guesses := guesses + 1;
    SELECT c.starts, c.events INTO starts, events FROM {s}.chunk AS c
      WHERE c.bucket = bucket AND c.slot = (guess & (slots - 1))::int AND c.number = guess;
    above := cardinality(events) / 2;
    IF unit <= starts THEN
      high := guess - 1;
      up_to := starts;
    ELSIF unit > events[2 * above] THEN
      low := guess + 1;
      before := events[2 * above];
    ELSIF events[2 * above] - starts = above THEN
      RETURN events[2 * (unit - starts) - 1];
    ELSE
      below := 1;
      WHILE below < above LOOP
        middle := (below + above) / 2;
        IF events[2 * middle] < unit THEN below := middle + 1; ELSE above := middle; END IF;
      END LOOP;
      RETURN events[2 * below - 1];
    END IF;
  END LOOP;
  RETURN NULL;
END
$tick_of$;

-- The number of the first chunk with an event at this tick or later, `last` if there is none; nothing where a chunk is not what it
-- should be.
CREATE OR REPLACE FUNCTION {s}.chunk_from(
  bucket uuid, tick bigint, first bigint, last bigint, slots int
) RETURNS bigint LANGUAGE plpgsql STABLE AS $chunk_from$
#variable_conflict use_variable
DECLARE
  low bigint := first;  high bigint := last;  middle bigint;  newest bigint;
BEGIN
  WHILE low < high LOOP
    middle := (low + high) / 2;
    SELECT c.events[cardinality(c.events) - 1] INTO newest FROM {s}.chunk AS c
      WHERE c.bucket = bucket AND c.slot = (middle & (slots - 1))::int AND c.number = middle;
    IF newest >= tick THEN
      high := middle;
    ELSIF newest IS NULL THEN
      RETURN NULL;
    ELSE
      low := middle + 1;
    END IF;
  END LOOP;
  RETURN low;
END
$chunk_from$;

-- The chunks from that one on, and all of them where one is not what it should be. Where no event lies beside the head, the newest
-- chunk is among them.
CREATE OR REPLACE FUNCTION {s}.chunks_from(id uuid, tick bigint)
RETURNS TABLE (number bigint, starts bigint, events bigint[]) LANGUAGE plpgsql STABLE
SET search_path = pg_catalog SET enable_seqscan = off SET plan_cache_mode = force_generic_plan
AS $chunks_from$
#variable_conflict use_variable
DECLARE
  place uuid := id;  recent int;  first bigint;  last bigint;  slots int;  begun bigint;
BEGIN
  SELECT cardinality(b.recent), b.first, b.last, b.slots INTO recent, first, last, slots
    FROM {s}.bucket AS b WHERE b.id = place;
  IF NOT FOUND THEN
    RETURN;
  END IF;
  begun := {s}.chunk_from(place, tick, first, last - CASE WHEN recent = 0 THEN 1 ELSE 0 END, slots);
  FOR nth IN coalesce(begun, first)..last - 1 LOOP
    RETURN QUERY SELECT c.number, c.starts, c.events FROM {s}.chunk AS c
      WHERE c.bucket = place AND c.slot = (nth & (slots - 1))::int AND c.number = nth;
  END LOOP;
END
$chunks_from$;

-- What a look at a bucket sees: the time, its head, and of a log the tick of its newest event and the units within each of these
-- intervals. Nobody waits for it, and it waits for nobody: all of it is read as of one moment.
CREATE OR REPLACE FUNCTION {s}.look(
  id uuid, intervals bigint[], OUT clock bigint, OUT head bigint[], OUT newest bigint, OUT used bigint[]
) LANGUAGE plpgsql STABLE
SET search_path = pg_catalog SET enable_seqscan = off SET plan_cache_mode = force_generic_plan
AS $look$
#variable_conflict use_variable
DECLARE
  place uuid := id;  recent bigint[];  base bigint;  spilled bigint;  first bigint;  last bigint;  slots int;
  length int;  total bigint;  since bigint;  number bigint;  before bigint;  events bigint[];  at int;
BEGIN
  SELECT b.head, b.recent, b.base, b.spilled, b.first, b.last, b.slots
    INTO head, recent, base, spilled, first, last, slots FROM {s}.bucket AS b WHERE b.id = place;
  clock := {s}.clock();
  IF (head[1] >> 8 & 255 = 1) IS NOT TRUE THEN
    RETURN;
  END IF;
  length := cardinality(recent);
  IF length > 0 THEN
    newest := recent[length - 1];
    total := recent[length];
  ELSE
    total := spilled;
    SELECT c.events[cardinality(c.events) - 1] INTO newest FROM {s}.chunk AS c
      WHERE c.bucket = place AND c.slot = ((last - 1) & (slots - 1))::int AND c.number = last - 1;
  END IF;
  FOR nth IN 1..cardinality(intervals) LOOP
    since := greatest(clock, head[5]) - intervals[nth];
    before := spilled;
    events := recent;
    IF length = 0 OR recent[1] >= since THEN
      number := {s}.chunk_from(place, since, first, last, slots);
      IF number < last THEN
        SELECT c.starts, c.events INTO before, events FROM {s}.chunk AS c
          WHERE c.bucket = place AND c.slot = (number & (slots - 1))::int AND c.number = number;
      ELSIF number IS NULL THEN
        before := NULL;
      END IF;
    END IF;
    -- All events before it, of which there are no more than are in a chunk.
    at := 0;
    WHILE events[at + 1] < since LOOP
      before := events[at + 2];
      at := at + 2;
    END LOOP;
    used[nth] := total - CASE WHEN before < base THEN base ELSE before END;
  END LOOP;
END
$look$;

-- Makes room in `recent`, which is full: what came before `keep_from` goes, or else all of it moves to the chunks. Nothing is
-- written where the chunks are not what they should be: then `recent` stays full.
CREATE OR REPLACE FUNCTION {s}.make_room(
  bucket uuid, keep_from bigint,
  INOUT recent bigint[], INOUT base bigint, INOUT spilled bigint,
  INOUT first bigint, INOUT last bigint, INOUT in_last int, INOUT slots int
) LANGUAGE plpgsql AS $make_room$
#variable_conflict use_variable
DECLARE
  length int := cardinality(recent);  at int := 0;  tick bigint;  up_to bigint;
BEGIN
  -- Chunks go faster than they come.
  FOR i IN 1..2 LOOP
    EXIT WHEN first = last;
    SELECT c.events[cardinality(c.events) - 1], c.events[cardinality(c.events)] INTO tick, up_to FROM {s}.chunk AS c
      WHERE c.bucket = bucket AND c.slot = (first & (slots - 1))::int AND c.number = first;
    EXIT WHEN (tick < keep_from) IS NOT TRUE;
    base := up_to;
    first := first + 1;
  END LOOP;
  IF first = last THEN
    WHILE at < length AND recent[at + 1] < keep_from LOOP
      at := at + 2;
    END LOOP;
    IF at > 0 THEN
      base := recent[at];
      spilled := base;
      recent := recent[at + 1:length];
      RETURN;
    END IF;
  END IF;

  IF first < last AND in_last <= 48 THEN
    UPDATE {s}.chunk AS c SET events = c.events || recent
      WHERE c.bucket = bucket AND c.slot = ((last - 1) & (slots - 1))::int AND c.number = last - 1
        AND cardinality(c.events) = 2 * in_last;
    IF NOT FOUND THEN
      RETURN;
    END IF;
    in_last := in_last + length / 2;
  ELSE
    IF last - first = slots THEN
      -- Twice as many: every other one has a new place.
      UPDATE {s}.chunk AS c SET slot = c.slot + slots WHERE c.bucket = bucket AND c.number & slots <> 0;
      slots := greatest(1, 2 * slots);
    END IF;
    UPDATE {s}.chunk AS c SET number = last, starts = spilled, events = recent
      WHERE c.bucket = bucket AND c.slot = (last & (slots - 1))::int;
    IF NOT FOUND THEN
      INSERT INTO {s}.chunk (bucket, slot, number, starts, events)
        VALUES (bucket, (last & (slots - 1))::int, last, spilled, recent);
    END IF;
    last := last + 1;
    in_last := length / 2;
  END IF;
  spilled := recent[length];
  recent := '{}';
END
$make_room$;
