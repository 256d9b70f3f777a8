# What a row-level capture adds to an insert, against a PL/pgSQL trigger that stores the same payload.
#
# Three tables alike: without a trigger, with pgpubsub.capture(), with the PL/pgSQL trigger, which is what one would write by hand:
# the payload by one jsonb_build_object, a queue table with the one index that a claim needs. Single-row inserts by pgbench,
# prepared, round by round in turn; "added" is the time per insert less that without a trigger. It is measured twice: as
# the server's CPU time (what its processes used, from the kernel's accounting), which other load on the machine hardly changes,
# and as time by the clock, which includes waiting. Nothing is flushed (fsync is off), so that the disk does not drown the
# difference. Each case runs without a wake-up, and with NOTIFY in both. A spread that goes below zero says that the
# machine was too noisy for that line.
# ROUNDS (7) and SECONDS_EACH (2) make it longer or shorter.
# shellcheck shell=bash
rounds=${ROUNDS:-7} seconds=${SECONDS_EACH:-2}

sql <<'SQL'
CREATE TABLE bare     (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text, path text, size bigint, seen timestamptz DEFAULT now());
CREATE TABLE captured (LIKE bare INCLUDING ALL);
CREATE TABLE scripted (LIKE bare INCLUDING ALL);
DO 'BEGIN PERFORM pgpubsub.attach(''captured'', ''captured''); END';

CREATE TABLE queue (id bigint GENERATED ALWAYS AS IDENTITY, channel varchar(63), payload jsonb NOT NULL,
                    created_at timestamptz DEFAULT now(), db_version integer);
CREATE INDEX ON queue (channel, id);
CREATE FUNCTION script() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO queue (channel, payload) VALUES ('scripted', jsonb_build_object(
    'op', lower(TG_OP), 'schema', TG_TABLE_SCHEMA, 'table', TG_TABLE_NAME,
    'old', CASE WHEN TG_OP <> 'INSERT' THEN to_jsonb(OLD) END, 'new', CASE WHEN TG_OP <> 'DELETE' THEN to_jsonb(NEW) END,
    'context', coalesce(nullif(current_setting('pgpubsub.notification_context', true), ''), '{}')::jsonb));
  IF current_setting('pgpubsub.wakeup') = 'transaction' THEN
    PERFORM pg_notify('scripted', '');
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER script AFTER INSERT OR UPDATE OR DELETE ON scripted FOR EACH ROW EXECUTE FUNCTION script();
INSERT INTO captured (name, path, size) VALUES ('a', 'b', 1);
INSERT INTO scripted (name, path, size) VALUES ('a', 'b', 1);
DO $$ BEGIN
  ASSERT (SELECT payload FROM queue) #- '{table}' #- '{new,seen}' #- '{new,id}'
       = (SELECT payload FROM pgpubsub.notifications) #- '{table}' #- '{new,seen}' #- '{new,id}', 'the payloads differ';
END $$;
SQL

work=$(mktemp -d)
for table in bare captured scripted; do
    echo "INSERT INTO $table (name, path, size) VALUES ('copyright', '/usr/share/doc/postgresql-15/copyright', 12345);" >"$work/$table.sql"
done

ticks() { awk '{ print $16 + $17 }' "/proc/$server_pid/stat"; }   # CPU time of the server's processes that have ended

# measure TABLE CLIENTS WAKEUP: appends to $work/TABLE.cpu and $work/TABLE.clock, in microseconds per insert.
measure() {
    local before count
    before=$(ticks)
    PGOPTIONS="-c pgpubsub.wakeup=$3 -c session_preload_libraries=pgpubsub" pgbench -n -M prepared -c "$2" -j 2 -T "$seconds" -f "$work/$1.sql" >"$work/out" 2>/dev/null
    until [ "$(sql -c "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pgbench'")" = 0 ]; do :; done
    count=$(awk '/transactions actually processed/ { print $NF }' "$work/out")
    echo "$(($(ticks) - before)) $(getconf CLK_TCK) $count" | awk '{ printf "%.2f\n", 1e6 * $1 / $2 / $3 }' >>"$work/$1.cpu"
    awk '/^tps = / { printf "%.2f\n", 1e6 / $3 }' "$work/out" >>"$work/$1.clock"
}
added() { paste "$work/$1" "$work/$2" | awk '{ printf "%.2f\n", $1 - $2 }'; }

say
say "Row-level capture: time added to a single-row insert (µs; median of $rounds rounds of $seconds s, lowest–highest)"
printf '%-8s %-12s %-6s %10s  %24s  %24s  %20s\n' clients wake-up time 'no trigger' 'capture adds' 'PL/pgSQL adds' 'ratio of the two'
for clients in 1 8; do
    for wakeup in off transaction; do
        rm -f "$work"/*.cpu "$work"/*.clock
        for ((round = 0; round < rounds; round++)); do
            sql -c 'TRUNCATE bare, captured, scripted, queue, pgpubsub.notification; CHECKPOINT'
            for table in bare captured scripted; do measure $table $clients $wakeup; done
        done
        for what in cpu clock; do
            added captured.$what bare.$what >"$work/a"; added scripted.$what bare.$what >"$work/b"
            paste "$work/a" "$work/b" | awk '{ printf "%.2f\n", $1 / $2 }' >"$work/ratio"
            printf '%-8s %-12s %-6s %10s  %9s (%s)  %9s (%s)  %6s (%s)\n' $clients $wakeup $what "$(median <"$work/bare.$what")" \
                "$(median <"$work/a")" "$(spread <"$work/a")" "$(median <"$work/b")" "$(spread <"$work/b")" \
                "$(median <"$work/ratio")" "$(spread <"$work/ratio")"
        done
    done
done
rm -rf "$work"
