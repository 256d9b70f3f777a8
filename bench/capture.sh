# What a row-level capture adds to an insert, against a PL/pgSQL trigger that stores the same payload.
#
# Three tables alike: without a trigger, with pgpubsub.capture(), with the PL/pgSQL trigger, which is what one would write by hand:
# the payload by one jsonb_build_object, a queue table with the one index that a claim needs. Single-row inserts by pgbench,
# prepared, round by round in turn; "added" is the time per insert less that without a trigger. Commits are asynchronous, so
# that the disk's flush does not drown the difference; each case runs without a wake-up, and with NOTIFY in both.
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

# microseconds TABLE CLIENTS WAKEUP: wall-clock time per insert.
microseconds() {
    PGOPTIONS="-c pgpubsub.wakeup=$3 -c session_preload_libraries=pgpubsub" pgbench -n -M prepared -c "$2" -j 2 -T "$seconds" -f "$work/$1.sql" 2>/dev/null |
        awk '/^tps = / { printf "%.2f\n", 1e6 / $3 }'
}
added() { paste "$work/$1" "$work/bare" | awk '{ printf "%.2f\n", $1 - $2 }'; }

say
say "Row-level capture: time added to a single-row insert (µs; median of $rounds rounds of $seconds s, lowest–highest)"
printf '%-8s %-12s %10s  %22s  %22s  %22s\n' clients wake-up 'no trigger' 'capture adds' 'PL/pgSQL adds' 'ratio of the two'
for clients in 1 8; do
    for wakeup in off transaction; do
        rm -f "$work"/{bare,captured,scripted}
        for ((round = 0; round < rounds; round++)); do
            sql -c 'TRUNCATE bare, captured, scripted, queue, pgpubsub.notification; CHECKPOINT'
            for table in bare captured scripted; do microseconds $table $clients $wakeup >>"$work/$table"; done
        done
        added captured >"$work/a"; added scripted >"$work/b"
        paste "$work/a" "$work/b" | awk '{ printf "%.2f\n", $1 / $2 }' >"$work/ratio"
        printf '%-8s %-12s %10s  %8s (%s)  %8s (%s)  %8s (%s)\n' $clients $wakeup "$(median <"$work/bare")" \
            "$(median <"$work/a")" "$(spread <"$work/a")" "$(median <"$work/b")" "$(spread <"$work/b")" \
            "$(median <"$work/ratio")" "$(spread <"$work/ratio")"
    done
done
rm -rf "$work"
