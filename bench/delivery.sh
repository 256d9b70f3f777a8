# What stands in the queue must not slow down what is taken from it.
#
# One consumer takes rows, 100 at a time with a commit after each, or claims and acks them, from channels that differ in
# what waits in them: nothing else, 1 million and 10 million ready rows, 1 million delayed ones, priorities (ten of
# them, at random), keys (10,000, in an ordered channel). All are in the same table. In each round each channel gets as many
# new rows as are taken from it, the table is vacuumed, and the channels have their turns, each round beginning with another
# one; the ratio is that to the plain channel in the same round. The time is the server's clock inside the session, so no client and no network is in it.
# Last, what a filter costs: the time of a take that finds its rows behind many that the filter does not let pass.
# ROUNDS (5), ROWS (100000) and BACKLOG (10000000, the largest) make it longer or shorter.
# shellcheck shell=bash
rounds=${ROUNDS:-5} rows=${ROWS:-100000} backlog=${BACKLOG:-10000000}
channels=(plain million full delayed priorities ordered)

start_server shared_buffers=4GB fsync=off
sql -v rows="$rows" -v backlog="$backlog" <<'SQL'
DO $$ BEGIN
  PERFORM pgpubsub.create_channel(c) FROM unnest('{plain,million,full,delayed,priorities,filtered}'::text[]) c;
  PERFORM pgpubsub.create_channel('ordered', ordered => true);
END $$;

-- Publishes rows of about 150 bytes, with what the channel is there for.
CREATE FUNCTION stock(channel text, count bigint, deliver_at timestamptz DEFAULT NULL) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  payload CONSTANT jsonb := jsonb_build_object('op', 'insert', 'table', 'media', 'new', jsonb_build_object('path', repeat('x', 80)));
  prio int;
BEGIN
  FOR i IN 1 .. count / 10000 LOOP
    prio := CASE WHEN channel = 'priorities' THEN floor(random() * 10) ELSE 0 END;
    PERFORM pgpubsub.publish_batch(channel, array_fill(payload, ARRAY[10000]),
              CASE WHEN channel = 'ordered' THEN (SELECT array_agg(k::text) FROM generate_series(1, 10000) k) END,
              NULL, deliver_at, prio);
  END LOOP;
END $$;

-- Takes or claims that many rows; gives back the rows per second.
CREATE PROCEDURE consume(channel text, mode text, count bigint, INOUT rate numeric DEFAULT 0) LANGUAGE plpgsql AS $$
DECLARE
  begun timestamptz := clock_timestamp();
  done bigint := 0;
  got bigint;
  receipts text[];
BEGIN
  WHILE done < count LOOP
    IF mode = 'take' THEN
      SELECT count(*) INTO got FROM pgpubsub.take(channel, 100);
    ELSE
      SELECT count(*), array_agg(c.receipt) INTO got, receipts FROM pgpubsub.claim(channel, 100) c;
      PERFORM pgpubsub.ack(receipts);
    END IF;
    COMMIT;
    ASSERT got > 0, 'the channel ran dry';
    done := done + got;
  END LOOP;
  rate := round(done / extract(epoch FROM clock_timestamp() - begun));
END $$;

SET pgpubsub.wakeup = off;
SELECT stock('million', 1000000) \g /dev/null
SELECT stock('full', :backlog) \g /dev/null
SELECT stock('delayed', 1000000, now() + interval '1 day') \g /dev/null
SELECT stock('priorities', 1000000) \g /dev/null
SELECT stock('ordered', 1000000) \g /dev/null
SQL

work=$(mktemp -d)
for ((round = 0; round < rounds; round++)); do
    for mode in take claim; do
        for channel in "${channels[@]}"; do
            sql -c 'SET pgpubsub.wakeup = off' -c "SELECT stock('$channel', $rows)" >"$work/out"
        done
        sql -c 'VACUUM ANALYZE pgpubsub.notification' -c 'CHECKPOINT'
        for channel in $(rotated $round "${channels[@]}"); do
            sql -c 'SET pgpubsub.wakeup = off' -c "CALL consume('$channel', '$mode', $rows)" >>"$work/$channel.$mode"
        done
    done
done

say
say "Rows per second, one consumer, 100 at a time (median of $rounds rounds of $rows rows, lowest–highest), and ratio to plain"
printf '%-12s %-7s %12s %22s %8s %16s\n' channel mode rows/s spread ratio spread
for mode in take claim; do
    for channel in "${channels[@]}"; do
        each_ratio "$work/$channel.$mode" "$work/plain.$mode" >"$work/ratio"
        printf '%-12s %-7s %12s %22s %8s %16s\n' "$channel" "$mode" "$(median <"$work/$channel.$mode")" \
            "$(spread <"$work/$channel.$mode")" "$(median <"$work/ratio")" "$(spread <"$work/ratio")"
    done
done

say
say "A take of 100 with a filter, behind 100,000 rows that it does not let pass (ms; 5 times)"
sql <<'SQL'
SET pgpubsub.wakeup = off;
DO $$ BEGIN PERFORM stock('filtered', 100000); END $$;
DO $$ BEGIN PERFORM pgpubsub.publish('filtered', '{"context": {"tenant": 7}}') FROM generate_series(1, 1000); END $$;
CREATE PROCEDURE filtered_take(INOUT ms numeric DEFAULT 0) LANGUAGE plpgsql AS $$
DECLARE begun timestamptz := clock_timestamp();
BEGIN
  ASSERT (SELECT count(*) FROM pgpubsub.take('filtered', 100, filter => '{"context": {"tenant": 7}}')) = 100;
  ms := round(1000 * extract(epoch FROM clock_timestamp() - begun), 1);
END $$;
SQL
for _ in 1 2 3 4 5; do sql -c 'CALL filtered_take()'; done >"$work/filtered"
printf '%s ms (%s)\n' "$(median <"$work/filtered")" "$(spread <"$work/filtered")"
rm -rf "$work"
