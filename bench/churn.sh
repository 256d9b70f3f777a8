# What a day passes through the queue must not stay in its files.
#
# Two publishers and two consumers, each a session of its own with a commit after each 100 rows, pass CHURN_ROWS rows (20 million)
# through a backlog of CHURN_BACKLOG (10000), at most PACE rows a second (33000: a day with 20 million in ten minutes; 0: as fast as it goes), once with
# take() and once with claim() and ack(): MODES ("take claim"). For the second third another session holds a snapshot. Wake-ups are off. Sizes are
# those of the table and of each index, in pages of 8 kB: fresh is after a VACUUM FULL with the backlog in it, and at the end is SETTLE
# seconds (60) after that.
#
# A day is pressed into minutes, so what goes by the clock must be too: autovacuum_naptime is a second, its least (in a day
# of 24 hours that would be two and a half minutes; the default is one), and pgpubsub.storage_interval a second likewise (its default is
# 10). UPKEEP=0 switches the latter off, and shows what autovacuum does alone.
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154
rows=${CHURN_ROWS:-20000000} round=1 backlog=${CHURN_BACKLOG:-10000} pace=${PACE:-33000} settle=${SETTLE:-60}

start_server shared_buffers=2GB fsync=off autovacuum=on autovacuum_naptime=1s shared_preload_libraries=pgpubsub \
    pgpubsub.wakeup=off "pgpubsub.storage_interval=$([ "${UPKEEP:-1}" = 0 ] && echo 0 || echo 1s)"
sql <<'SQL'
CREATE SEQUENCE published INCREMENT 100;
CREATE SEQUENCE consumed INCREMENT 100;
CREATE TABLE begun (at timestamptz);
CREATE TABLE seen (relation name, pages bigint) WITH (autovacuum_enabled = off);

CREATE FUNCTION publish() RETURNS void LANGUAGE sql AS $$
  SELECT pgpubsub.publish_batch('churn', array_fill(jsonb_build_object('op', 'insert', 'table', 'media',
    'new', jsonb_build_object('path', repeat('x', 80))), ARRAY[100]));
  SELECT nextval('published');
$$;
CREATE FUNCTION waiting() RETURNS bigint LANGUAGE sql AS 'SELECT p.last_value - c.last_value FROM published p, consumed c';

-- Each waits until it is its turn, with no snapshot held, and does one batch.
CREATE PROCEDURE publish(backlog bigint, pace float8) LANGUAGE plpgsql AS $$
BEGIN
  WHILE waiting() >= backlog OR pace > 0 AND
        (SELECT last_value FROM published) > (SELECT pace * extract(epoch FROM clock_timestamp() - at) FROM begun) LOOP
    PERFORM pg_sleep(0.001);
    COMMIT;
  END LOOP;
  PERFORM publish();
END $$;
CREATE PROCEDURE consume(mode text, backlog bigint) LANGUAGE plpgsql AS $$
DECLARE receipts text[];
BEGIN
  WHILE waiting() <= backlog - 1000 LOOP
    PERFORM pg_sleep(0.001);
    COMMIT;
  END LOOP;
  IF mode = 'take' THEN
    PERFORM pgpubsub.take('churn', 100);
  ELSE
    SELECT array_agg(c.receipt) INTO receipts FROM pgpubsub.claim('churn', 100) c;
    COMMIT;
    PERFORM pgpubsub.ack(receipts);
  END IF;
  PERFORM nextval('consumed');
END $$;

CREATE VIEW sizes AS
  SELECT relname AS relation, pg_relation_size(oid) / 8192 AS pages FROM pg_class
   WHERE oid = 'pgpubsub.notification'::regclass
      OR oid IN (SELECT indexrelid FROM pg_index WHERE indrelid = 'pgpubsub.notification'::regclass);
SQL

consumed() { sql -c 'SELECT last_value FROM consumed'; }
# Holds a snapshot until two thirds are through.
hold_snapshot() {
    {
        echo 'BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1;'
        while (($(consumed) < rows * 2 / 3)); do sleep 0.5; done
        echo 'COMMIT;'
    } | sql >/dev/null
}

for mode in ${MODES:-take claim}; do
    case $mode in take | claim) ;; *) die "MODES: there is no $mode" ;; esac
    sql <<SQL >/dev/null
DO \$\$ BEGIN
  PERFORM pgpubsub.drop_channel(name) FROM pgpubsub.channels;
  PERFORM pgpubsub.create_channel('churn');
END \$\$;
TRUNCATE seen, begun;
SELECT setval('published', 1), setval('consumed', 1);
SELECT publish() FROM generate_series(1, $backlog / 100);
VACUUM FULL pgpubsub.notification;
SET client_min_messages = warning;
DROP TABLE IF EXISTS fresh;
CREATE TABLE fresh AS SELECT * FROM sizes;
INSERT INTO begun VALUES (clock_timestamp());
SQL
    echo "CALL publish($backlog, $pace);" >"$work/publish.sql"
    echo "CALL consume('$mode', $backlog);" >"$work/consume.sql"
    sessions=() holder=
    for script in publish consume; do
        pgbench --no-vacuum --client=2 --jobs=2 --transactions=$((rows / 200)) --file="$work/$script.sql" >"$work/$script.out" 2>&1 &
        sessions+=($!)
    done
    began=$SECONDS
    while kill -0 "${sessions[@]}" 2>/dev/null; do
        sql -c 'INSERT INTO seen SELECT * FROM sizes'
        if [ -z "$holder" ] && (($(consumed) > rows / 3)); then hold_snapshot & holder=$!; fi
        sleep 1
    done
    took=$((SECONDS - began))
    for session in "${sessions[@]}" ${holder:+"$holder"}; do
        wait "$session" || { cat "$work"/*.out >&2; die "$mode: a session failed"; }
    done
    sleep "$settle"

    how=$mode
    if [ "$mode" = claim ]; then how='claim and ack'; fi
    record "$how" "$rows rows in $took s" rows/s $((rows / (took > 0 ? took : 1)))
    record "$how" 'left at the end' rows "$(sql -c 'SELECT count(*) FROM pgpubsub.notification')"
    while read -r relation fresh largest last; do
        record "$how, $relation" fresh pages "$fresh"
        record "$how, $relation" largest pages "$largest" fresh
        record "$how, $relation" 'at the end' pages "$last" fresh
    done < <(sql -F ' ' <<'SQL'
SELECT relation, f.pages, greatest(max(s.pages), e.pages), e.pages
  FROM fresh f JOIN sizes e USING (relation) JOIN seen s USING (relation)
 GROUP BY relation, f.pages, e.pages HAVING max(s.pages) > 1 ORDER BY relation DESC;
SQL
    )
done
