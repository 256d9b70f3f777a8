# What stands in the queue must not slow down what is taken from it.
#
# One consumer takes 100 at a time with a commit after each, or claims and acks them, from channels that differ in what waits in them: next to
# nothing (10,000), 100,000, a million and ten million ready ones, a million delayed ones, a million of ten priorities at random, a million of 10,000 keys in an
# ordered channel. All are in the same table. In each round each channel gets as many new rows as are taken from it, the table is
# vacuumed, and the channels have their turns. The time is the server's clock inside the session: no client and no network is in it. Nothing is flushed.
# Last, what a filter costs: the time of a take that finds its rows behind 100,000 that the filter does not let pass.
# shellcheck shell=bash
# shellcheck disable=SC2153,SC2154
channels=(10k 100k 1M delayed priorities ordered)
crowd=$((BACKLOG < 1000000 ? BACKLOG : 1000000))        # how many of each kind that is not just ready
if ((BACKLOG > crowd)); then channels+=(full); fi

channel_title() {
    local millions
    millions=$(calculate "$crowd / 1e6" '%.1f million')
    case $1 in
        10k) echo '10,000 ready' ;;
        100k) echo '100,000 ready' ;;
        1M) echo "${millions/.0/} ready" ;;
        full) calculate "$BACKLOG / 1e6" '%.0f million ready' ;;
        delayed) echo "${millions/.0/} delayed" ;;
        priorities) echo "${millions/.0/} of ten priorities" ;;
        ordered) echo "${millions/.0/} of 10,000 keys, ordered" ;;
    esac
}

start_server shared_buffers=4GB fsync=off
sql -v crowd="$crowd" -v backlog="$BACKLOG" <<'SQL'
DO $$ BEGIN
  PERFORM pgpubsub.create_channel(c) FROM unnest('{10k,100k,1M,full,delayed,priorities,filtered}'::text[]) c;
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
SELECT stock('10k', 10000), stock('100k', 100000), stock('1M', :crowd), stock('full', CASE WHEN :backlog > :crowd THEN :backlog ELSE 0 END) \g /dev/null
SELECT stock('delayed', :crowd, now() + interval '1 day'), stock('priorities', :crowd), stock('ordered', :crowd) \g /dev/null
SQL

rows=$((ROWS < MAX_ROWS ? ROWS : MAX_ROWS))
for ((round = 1; round <= ROUNDS; round++)); do
    for mode in take 'claim and ack'; do
        for channel in "${channels[@]}"; do
            sql -c 'SET pgpubsub.wakeup = off' -c "SELECT stock('$channel', $rows)" >"$work/out"
        done
        sql -c 'VACUUM ANALYZE pgpubsub.notification' -c 'CHECKPOINT'
        for channel in $(rotated $((round - 1)) "${channels[@]}"); do
            record "$mode, 100 at a time, 1 consumer" "$(channel_title "$channel")" rows/s \
                "$(sql -c 'SET pgpubsub.wakeup = off' -c "CALL consume('$channel', '$mode', $rows)")" '10,000 ready'
        done
    done
done

sql <<'SQL'
SET pgpubsub.wakeup = off;
DO $$ BEGIN PERFORM stock('filtered', 100000); END $$;
DO $$ BEGIN PERFORM pgpubsub.publish('filtered', '{"context": {"tenant": 7}}') FROM generate_series(1, 10000); END $$;
CREATE PROCEDURE filtered_take(INOUT ms numeric DEFAULT 0) LANGUAGE plpgsql AS $$
DECLARE begun timestamptz := clock_timestamp();
BEGIN
  ASSERT (SELECT count(*) FROM pgpubsub.take('filtered', 100, filter => '{"context": {"tenant": 7}}')) = 100;
  ms := round(1000 * extract(epoch FROM clock_timestamp() - begun), 1);
END $$;
SQL
for ((round = 1; round <= ROUNDS; round++)); do
    record 'a take of 100 with a filter' 'behind 100,000 that do not pass' ms "$(sql -c 'CALL filtered_take()')"
done
