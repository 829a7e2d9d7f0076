-- Up to `look_at` buckets after `after`, in the order of their ids. Of those whose keys begin with `prefix`, and which are not
-- idle, also the key, and what says whether they owe anything at this clock: the head, and when the newest event was.
CREATE OR REPLACE FUNCTION {s}.list(prefix bytea, after uuid, look_at int)
RETURNS TABLE (id uuid, key bytea, head bigint[], newest bigint, clock bigint)
LANGUAGE plpgsql STABLE AS $list$
#variable_conflict use_column
DECLARE
  at bigint := {s}.clock();
BEGIN
  RETURN QUERY
    SELECT b.id, shown.key, shown.head, shown.newest, at
      FROM (SELECT * FROM {s}.bucket AS b WHERE b.id > after OR after IS NULL ORDER BY b.id LIMIT look_at) AS b
      LEFT JOIN LATERAL (
        SELECT b.key, b.head, CASE
          WHEN cardinality(b.recent) > 0 THEN b.recent[cardinality(b.recent) - 1]
          WHEN b.first < b.last THEN (
            SELECT c.events[cardinality(c.events) - 1] FROM {s}.chunk AS c
              WHERE c.bucket = b.id AND c.slot = ((b.last - 1) & (b.slots - 1))::int)
          END AS newest
          WHERE b.idle_from > at AND substr(b.key, 1, length(prefix)) = prefix
      ) AS shown ON true
      ORDER BY b.id;
END
$list$;
