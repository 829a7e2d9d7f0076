-- Decides acquires, as the library would on the same bucket (`acquire_in_place`), and looks at no more of it than it takes.
--
-- `ids`, `keys` and `quota_of` have an entry a bucket, each of which comes once. A quota is: how many numbers follow, the first
-- number of a head under it (`Kind::to_number`), and limit, interval and burst of each rate. `quota_of` says where in
-- `quotas` that of a bucket begins, from 1.
--
-- The others have an entry an operation, those on one bucket in a row and in the order of the buckets: whose (from 1), the
-- weight, how many requests alike in a row, and their standing (0 alone, 1 passing, 2 waiting).
--
-- The answer has eight numbers an operation: verdict, admitted, tick, sequence, clock, retry_at, rate, cause.
-- verdict  0 nothing was done for this bucket, it has to be seen as a whole
--          1 the first `admitted` requests were, at `tick`, the last of them with `sequence`; the others were denied, with
--            `clock`, `retry_at`, `rate` (from 0, -1 for none) and `cause` (1 full, 2 queued, 3 held), which is that of the
--            first of them: those after one that waits are queued
--          2 none was, as it never fits `rate`
--          3 nothing was done for this bucket, somebody else has it; one that is asked for alone is waited for, if `may_wait`
CREATE OR REPLACE FUNCTION {s}.decide(
  ids uuid[], keys bytea[], quota_of int[], quotas bigint[],
  op_key int[], weights bigint[], counts int[], standings int[], may_wait boolean
) RETURNS bigint[] LANGUAGE plpgsql
SET search_path = pg_catalog SET enable_seqscan = off SET plan_cache_mode = force_generic_plan
AS $decide$
#variable_conflict use_variable
DECLARE
  -- Sums of two numbers below it, or products below the other, are within a bigint.
  farthest CONSTANT bigint := 1::bigint << 61;
  widest CONSTANT bigint := 9000000000000000000;
  -- Each number is written where it belongs: what is appended is copied, with all before it.
  answers bigint[] := array_fill(0::bigint, ARRAY[8 * cardinality(op_key)]);  place int;  clock bigint;  ignored text;
  busy boolean[];
  -- Of the quota.
  quota int := 0;  kind bigint;  algorithm int;  rates int;  retention bigint;  capacity bigint;  tightest bigint;
  plain bigint[];
  full_whole bigint[];  full_part bigint[];  rate_limit bigint;  rate_interval bigint;  rate_burst bigint;
  -- Of the bucket.
  head bigint[];  recent bigint[];  base bigint;  spilled bigint;  first bigint;  last bigint;  in_last int;  slots int;
  is_new boolean;  is_decided boolean;
  stretch bigint;  held bigint;  high_water bigint;  sequence bigint;  keep bigint;  now bigint;  idle bigint;
  lanes int;  at int;  whole bigint;  part bigint;
  length int;  total bigint;  newest bigint;  tick bigint;  unit bigint;  below int;  above int;
  -- Of its operations.
  operation int := 1;  begun int;  weight bigint;  count int;  standing int;  pending bigint;
  most int;  low int;  high int;  middle int;  units bigint;  until bigint;  latest bigint;  binding bigint;
  line_retry bigint;  line_rate bigint;
BEGIN
  IF current_setting('transaction_isolation') <> 'read committed' THEN
    RAISE EXCEPTION 'the transaction is %, and must be read committed', current_setting('transaction_isolation')
      USING ERRCODE = 'invalid_transaction_state';
  END IF;
  -- Who waits for a bucket has no other meanwhile: nobody is kept from those for the sake of this one, and nobody waits for each
  -- other in a circle. What the locks guard is read by later statements, which see what was written under them before.
  IF may_wait AND cardinality(ids) = 1 THEN
    -- PERFORM would take twice the time of an expression.
    ignored := pg_advisory_xact_lock({s}.lock_of(ids[1]));
  ELSE
    busy := ARRAY(SELECT NOT pg_try_advisory_xact_lock({s}.lock_of(id)) FROM unnest(ids) AS id);
  END IF;
  clock := {s}.clock();

  FOR k IN 1..cardinality(ids) LOOP
    IF quota_of[k] <> quota THEN
      quota := quota_of[k];
      kind := quotas[quota + 1];
      algorithm := kind >> 8 & 255;
      lanes := quotas[quota] + 9;
      rates := (lanes - 10) / 3;
      plain := quotas[quota + 2:quota + lanes - 9];
      retention := plain[lanes - 11];
      capacity := plain[1];
      tightest := 0;
      IF algorithm = 3 THEN
        FOR r IN 1..rates LOOP
          rate_limit := plain[3 * r - 2];
          rate_interval := plain[3 * r - 1];
          rate_burst := plain[3 * r];
          IF r = 1 OR rate_burst < capacity THEN
            capacity := rate_burst;
            tightest := r - 1;
          END IF;
          -- How long the burst takes to drain, and a part of a microsecond in 1/limit.
          IF rate_burst < widest / rate_interval THEN
            full_whole[r] := rate_burst * rate_interval / rate_limit;
            full_part[r] := rate_burst * rate_interval % rate_limit;
          ELSE
            full_whole[r] := div(rate_burst::numeric * rate_interval, rate_limit);
            full_part[r] := rate_burst::numeric * rate_interval % rate_limit;
          END IF;
          retention := greatest(retention, full_whole[r] + sign(full_part[r])::bigint);
        END LOOP;
      END IF;
    END IF;

    begun := operation;
    is_decided := false;
    <<bucket>>
    BEGIN
      EXIT bucket WHEN busy[k];
      SELECT b.head, b.recent, b.base, b.spilled, b.first, b.last, b.in_last, b.slots
        INTO head, recent, base, spilled, first, last, in_last, slots
        FROM {s}.bucket AS b WHERE b.id = ids[k];
      is_new := NOT FOUND;
      IF is_new THEN
        head := ARRAY[kind, 0, 0, 0, 0, 0, 0, clock, 0, 0] || plain;
        IF algorithm <> 1 THEN
          head := head || array_fill(0::bigint, ARRAY[2 * rates]);
        END IF;
        recent := '{}';  base := 0;  spilled := 0;  first := 0;  last := 0;  in_last := 0;  slots := 0;
      END IF;

      -- To be seen as a whole is what is under another quota, too, and what is not whole.
      stretch := head[2];
      held := head[4];
      high_water := head[5];
      sequence := head[6];
      keep := greatest(retention, stretch);
      now := greatest(clock, high_water);
      -- No number is negative, or too large for sums.
      EXIT bucket WHEN (
        head[1] = kind AND head[11:lanes] = plain
        AND cardinality(head) = CASE WHEN algorithm = 1 THEN lanes ELSE lanes + 2 * rates END
        AND (retention | stretch | held | clock | high_water | sequence) >> 61 = 0
        AND high_water - clock <= keep
      ) IS NOT TRUE;
      IF algorithm = 1 THEN
        length := cardinality(recent);
        total := CASE WHEN length = 0 THEN spilled ELSE recent[length] END;
        newest := recent[length - 1];
        EXIT bucket WHEN (
          length <= 32 AND length % 2 = 0 AND (length = 0 OR newest BETWEEN 0 AND high_water)
          AND base >= 0 AND spilled BETWEEN base AND total AND total < farthest
        ) IS NOT TRUE;
      ELSE
        FOR r IN 1..rates LOOP
          at := lanes + 2 * r - 1;
          whole := head[at];
          part := head[at + 1];
          EXIT bucket WHEN (
            whole >= 0 AND whole < farthest AND part >= 0 AND part < farthest
            AND CASE WHEN algorithm = 2 THEN whole % plain[3 * r - 1] = 0 ELSE part < plain[3 * r - 2] END
          ) IS NOT TRUE;
          -- As it is when something is counted.
          IF algorithm = 3 THEN
            CONTINUE WHEN whole >= now;
            head[at] := now;
          ELSE
            CONTINUE WHEN now - whole < plain[3 * r - 1];
            head[at] := now - now % plain[3 * r - 1];
          END IF;
          head[at + 1] := 0;
        END LOOP;
      END IF;

      pending := 0;
      line_retry := NULL;
      WHILE op_key[operation] = k LOOP
        weight := weights[operation];
        count := counts[operation];
        standing := standings[operation];
        place := 8 * operation - 7;
        operation := operation + 1;
        IF standing > 0 AND line_retry IS NOT NULL THEN
          answers[place] := 1;
          answers[place + 4] := clock;
          answers[place + 5] := line_retry;
          answers[place + 6] := line_rate;
          answers[place + 7] := 2;
          CONTINUE;
        ELSIF weight > capacity THEN
          answers[place] := 2;
          answers[place + 6] := tightest;
          CONTINUE;
        END IF;

        IF algorithm = 1 AND held <= now AND count <= (capacity - (total - base) - pending) / weight THEN
          -- All that is kept is within the smallest limit.
          low := count;
        ELSE
          -- How many of them fit, by halving, until it is known why the next one does not: first all, then one.
          most := least(count, capacity / weight);
          low := 0;
          high := most;
          middle := CASE WHEN held > now THEN 1 ELSE most END;
          LOOP
            units := pending + middle * weight;
            latest := now;
            binding := -1;
            FOR r IN 1..rates LOOP
              IF algorithm = 1 THEN
                -- So many of the oldest units must have left.
                unit := total - base + units - plain[3 * r - 2];
                CONTINUE WHEN unit <= 0;
                unit := base + unit;
                IF unit <= spilled THEN
                  tick := {s}.tick_of(ids[k], unit, base, spilled, first, last, slots);
                ELSIF unit > total THEN
                  tick := now;
                ELSE
                  above := length / 2;
                  below := 1;
                  -- Where each event is one unit, its place is known.
                  IF total - spilled = above THEN
                    above := unit - spilled;
                    below := above;
                  END IF;
                  WHILE below < above LOOP
                    at := (below + above) / 2;
                    IF recent[2 * at] < unit THEN below := at + 1; ELSE above := at; END IF;
                  END LOOP;
                  tick := recent[2 * below - 1];
                END IF;
                EXIT bucket WHEN tick IS NULL;
                until := tick + plain[3 * r - 1] + 1;
              ELSE
                at := lanes + 2 * r - 1;
                rate_limit := plain[3 * r - 2];
                rate_interval := plain[3 * r - 1];
                IF algorithm = 2 THEN
                  CONTINUE WHEN head[at + 1] + units <= rate_limit;
                  until := head[at] + rate_interval;
                ELSE
                  -- From when on what drains is no more than the burst.
                  IF units < widest / rate_interval THEN
                    whole := head[at] - full_whole[r] + units * rate_interval / rate_limit;
                    part := head[at + 1] - full_part[r] + units * rate_interval % rate_limit;
                  ELSE
                    whole := head[at] - full_whole[r] + div(units::numeric * rate_interval, rate_limit);
                    part := head[at + 1] - full_part[r] + units::numeric * rate_interval % rate_limit;
                  END IF;
                  until := whole + CASE WHEN part > rate_limit THEN 2 WHEN part > 0 THEN 1 ELSE 0 END;
                END IF;
              END IF;
              IF until > latest THEN
                latest := until;
                binding := r - 1;
              END IF;
            END LOOP;
            IF binding < 0 AND held <= now THEN
              low := middle;
              EXIT WHEN low = count;
              middle := CASE WHEN low = high THEN low + 1 ELSE (low + high + 1) / 2 END;
            ELSE
              EXIT WHEN middle = low + 1;
              high := middle - 1;
              middle := CASE WHEN middle = most THEN 1 ELSE (low + high + 1) / 2 END;
            END IF;
          END LOOP;
        END IF;

        answers[place] := 1;
        IF low > 0 THEN
          pending := pending + low * weight;
          answers[place + 1] := low;
          answers[place + 2] := now;
          answers[place + 3] := sequence + pending;
          CONTINUE WHEN low = count;
        END IF;
        IF binding < 0 OR latest < held THEN
          latest := held;
          binding := -1;
        END IF;
        answers[place + 4] := clock;
        answers[place + 5] := latest;
        answers[place + 6] := binding;
        answers[place + 7] := CASE WHEN binding < 0 THEN 3 ELSE 1 END;
        IF standing = 2 THEN
          line_retry := latest;
          line_rate := binding;
        END IF;
      END LOOP;

      is_decided := true;
      EXIT bucket WHEN pending = 0;
      head[5] := now;
      head[6] := sequence + pending;
      IF algorithm = 1 THEN
        IF newest = now THEN
          recent[length] := total + pending;
        ELSE
          IF length = 32 THEN
            SELECT * INTO recent, base, spilled, first, last, in_last, slots
              FROM {s}.make_room(ids[k], now - keep, recent, base, spilled, first, last, in_last, slots);
            is_decided := cardinality(recent) < 32;
            EXIT bucket WHEN NOT is_decided;
          END IF;
          recent := recent || ARRAY[now, total + pending];
        END IF;
        idle := greatest(now + keep + 1, held);
      ELSE
        idle := CASE WHEN head[7] = 0 THEN held ELSE greatest(now + keep, held) END;
        FOR r IN 1..rates LOOP
          at := lanes + 2 * r - 1;
          rate_limit := plain[3 * r - 2];
          rate_interval := plain[3 * r - 1];
          IF algorithm = 2 THEN
            head[at + 1] := head[at + 1] + pending;
            idle := greatest(idle, head[at] + rate_interval);
            CONTINUE;
          ELSIF pending < widest / rate_interval THEN
            whole := head[at] + pending * rate_interval / rate_limit;
            part := head[at + 1] + pending * rate_interval % rate_limit;
          ELSE
            whole := head[at] + div(pending::numeric * rate_interval, rate_limit);
            part := head[at + 1] + pending::numeric * rate_interval % rate_limit;
          END IF;
          IF part >= rate_limit THEN
            whole := whole + 1;
            part := part - rate_limit;
          END IF;
          head[at] := whole;
          head[at + 1] := part;
          idle := greatest(idle, whole + sign(part)::bigint);
        END LOOP;
      END IF;

      IF is_new THEN
        INSERT INTO {s}.bucket (id, key, idle_from, head, recent, base, spilled, first, last, in_last, slots)
          VALUES (ids[k], keys[k], idle, head, recent, base, spilled, first, last, in_last, slots);
      ELSIF length = 32 THEN
        -- Some of the log may have moved.
        UPDATE {s}.bucket AS b
          SET idle_from = idle, head = head, recent = recent, base = base, spilled = spilled, first = first, last = last,
            in_last = in_last, slots = slots
          WHERE b.id = ids[k];
      ELSE
        UPDATE {s}.bucket AS b SET idle_from = idle, head = head, recent = recent WHERE b.id = ids[k];
      END IF;
    END;

    IF NOT is_decided THEN
      operation := begun;
      WHILE op_key[operation] = k LOOP
        FOR number IN 8 * operation - 7..8 * operation LOOP
          answers[number] := 0;
        END LOOP;
        IF busy[k] THEN
          answers[8 * operation - 7] := 3;
        END IF;
        operation := operation + 1;
      END LOOP;
    END IF;
  END LOOP;
  RETURN answers;
END
$decide$;
