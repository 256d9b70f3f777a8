#!/usr/bin/env bash
# The main job on real input. A table gets a row for each file of a folder; a trigger turns each row
# into a notification; two consumers take them, hash the file and store the result in the transaction
# in which they took the notification. At half the way one of them is killed. In the end it is proved
# that each file was hashed once and none was left out, and three short scenes follow.
#
# "make demo" is the usual way in: it builds first. MEDIA names the folder (default /usr/share/doc).
# It uses a PostgreSQL of its own (build/run/demo) and leaves nothing running, however it ends. The
# exit status is 0 only when everything came out as it should.
#
# A file name may be any bytes; so the table holds it as bytea. Only regular files that the user can
# read are taken; how many are left out is said.
set -euo pipefail
# shellcheck source=../../test/lib/common.sh
. "$(dirname "$0")/../../test/lib/common.sh"

MEDIA=$(cd "${MEDIA:-/usr/share/doc}" && pwd -P)
run_place
demo=$RUN/demo
server=${PGPUBSUB_SERVER:-$RUN/server}
consumer=$BUILD/examples/media_scan
psql=$server/bin/psql
[ -x "$psql" ] && [ -x "$consumer" ] || die "not built: run make demo"

# ---- how it looks -----------------------------------------------------------------------------

bold='' green='' red='' plain='' tty=
if [ -t 1 ]; then bold=$'\e[1m' green=$'\e[32m' red=$'\e[31m' plain=$'\e[0m' tty=1; fi
failures=0

title() { printf '\n%s%s%s\n' "$bold" "$1" "$plain"; }
line()  { printf '  %-38s %s\n' "$1" "$2"; }
# check TEXT ACTUAL EXPECTED: one line of the proof.
check() {
    if [ "$2" = "$3" ]; then
        printf '  %-38s %9s  %sok%s\n' "$1" "$2" "$green" "$plain"
    else
        printf '  %-38s %9s  %sFAILED, expected %s%s\n' "$1" "$2" "$red" "$3" "$plain"
        failures=$((failures + 1))
    fi
}
now() { date +%s%N; }
seconds() { printf '%d.%01d' $(($1 / 1000000000)) $(($1 / 100000000 % 10)); }

# ---- whatever is started here is ended here, by its pid --------------------------------------

server_pid='' watch_pid='' bar_pid='' sockets='' consumers=()

alive() { [ -n "$1" ] && kill -0 "$1" 2>/dev/null; }

# end_process PID SIGNAL TENTHS: asks, waits, and then insists.
end_process() {
    alive "$1" || return 0
    kill "-$2" "$1" 2>/dev/null || true
    kill -CONT "$1" 2>/dev/null || true
    local i
    for ((i = 0; i < $3; i++)); do alive "$1" || break; sleep 0.1; done
    if alive "$1"; then kill -KILL "$1" 2>/dev/null || true; fi
    wait "$1" 2>/dev/null || true
}

clean_up() {
    local status=$? pid
    trap '' INT TERM HUP
    set +e
    for pid in "${consumers[@]}" "$watch_pid"; do end_process "$pid" TERM 50; done
    end_process "$bar_pid" TERM 5
    # INT is a fast shutdown, QUIT an immediate one.
    if alive "$server_pid"; then
        kill -INT "$server_pid"
        for ((i = 0; i < 100; i++)); do alive "$server_pid" || break; sleep 0.1; done
        end_process "$server_pid" QUIT 50
    fi
    [ -z "$sockets" ] || rm -rf "$sockets"
    rm -rf "$demo/data"
    if [ "$status" -ne 0 ]; then
        if [ "$status" -ge 128 ]; then
            printf '\ninterrupted; nothing is left running\n' >&2
        else
            printf '\n%sThe demo failed.%s What the processes said is in %s\n' "$red" "$plain" "$demo" >&2
        fi
    fi
    exit "$status"
}

if pid=$(head -n 1 "$demo/data/postmaster.pid" 2>/dev/null) && [ "$(readlink "/proc/$pid/cwd")" = "$demo/data" ]; then
    die "the demo is running already (server pid $pid)"
fi
rm -rf "$demo"
trap clean_up EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
mkdir -p "$demo"
give_to_server "$demo"

remember() { printf '%s %s\n' "$1" "$2" >> "$demo/pids"; }

# In a process group of its own (set -m), so that ^C reaches only this script, which then ends all in order.
start_server() {
    # A socket's path can't be long.
    local place=${TMPDIR:-/tmp}
    if as_root || [ ${#place} -gt 60 ]; then place=/tmp; fi
    sockets=$(mktemp -d "$place/pgpubsub.XXXXXX")
    give_to_server "$sockets"
    as_server "$server/bin/initdb" -D "$demo/data" -U postgres -A trust -E UTF8 --no-locale --no-sync >"$demo/initdb.log" 2>&1
    set -m
    END_WITH_PARENT=INT become_server "$server/bin/postgres" -D "$demo/data" -c listen_addresses= \
        -c unix_socket_directories="$sockets" -c cluster_name=pgpubsub_demo </dev/null >"$demo/server.log" 2>&1 &
    server_pid=$!
    set +m
    remember server "$server_pid"
    export PGHOST=$sockets PGUSER=postgres PGDATABASE=postgres
    for _ in {1..300}; do
        ! "$server/bin/pg_isready" -q || return 0
        alive "$server_pid" || break
        sleep 0.1
    done
    tail -n 20 "$demo/server.log" >&2
    return 1
}

# start_consumer NAME [OPTION...]: its pid is in $started.
start_consumer() {
    local name=$1; shift
    set -m
    setpriv --pdeathsig KILL "$consumer" --name "$name" --batch "$batch" "$@" \
        </dev/null >"$demo/consumer-$name.log" 2>&1 3<&- 4>&- &
    started=$!
    set +m
    consumers+=("$started")
    remember "consumer-$name" "$started"
}

# stop_consumer PID: as a service manager does; it ends the batch in hand and exits with 0.
stop_consumer() {
    local status=0
    kill -TERM "$1"
    wait "$1" || status=$?
    [ $status -eq 0 ] || { echo "consumer $1 ended with status $status" >&2; failures=$((failures + 1)); }
}

stopped() { [ "$(sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -c1)" = T ]; }

sql() { "$psql" -XAtq -v ON_ERROR_STOP=1 "$@"; }
ask() { sql -c "$1"; }
results() { ask 'SELECT count(*) FROM scan_result'; }
stored()  { ask "SELECT count(*) FROM pgpubsub.notifications WHERE channel = 'media'"; }

# wait_for COUNT: until there are so many results and no notification is left. It gives up when
# nothing has moved for 30 seconds, or when a consumer is gone.
wait_for() {
    local count last=-1 still=0
    while :; do
        count=$(results)
        if [ "$count" -ge "$1" ] && [ "$(stored)" -eq 0 ]; then return 0; fi
        if [ "$count" -ne "$last" ]; then last=$count still=0; else still=$((still + 1)); fi
        [ $still -lt 600 ] || { echo "no progress: $count results of $1, $(stored) notifications stored" >&2; return 1; }
        sleep 0.05
    done
}

# ---- the stage --------------------------------------------------------------------------------

title "pgpubsub: every file of $MEDIA is hashed once"
start_server
line "private PostgreSQL" "$(ask 'SHOW server_version'), data in $demo/data"

# Names travel as hexadecimal digits: any byte is fine, a newline too.
find "$MEDIA" -type f -readable -print0 > "$demo/files"
unreadable=$(find "$MEDIA" -type f ! -readable -print0 2>/dev/null | tr -dc '\0' | wc -c)
files=$(tr -dc '\0' < "$demo/files" | wc -c)
[ "$files" -ge 8 ] || die "$MEDIA has $files readable files; the demo needs 8 or more"
batch=$((files / 8 < 25 ? files / 8 : 25))

sql <<'SQL'
CREATE EXTENSION pgpubsub;
CREATE TABLE media (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, path bytea NOT NULL);
-- Nothing here keeps a file from being hashed twice: that is for the proof to find.
CREATE TABLE scan_result (media_id bigint NOT NULL, bytes bigint, sha256 bytea, error text, consumer text NOT NULL,
                          scanned_at timestamptz NOT NULL DEFAULT clock_timestamp());
CREATE TRIGGER media_capture AFTER INSERT ON media FOR EACH ROW EXECUTE FUNCTION pgpubsub.capture('media');
SQL
begun=$(now)
perl -0ne 'chomp; print "\\\\x", unpack("H*", $_), "\n"' "$demo/files" | sql -c 'COPY media (path) FROM STDIN'
line "files, a row of table media each" "$files (left out, not readable: $unreadable)"
line "time to fill the table" "$(seconds $(($(now) - begun))) s, all notifications stored with it: $(stored)"

# ---- the main job -----------------------------------------------------------------------------

title "Two consumers at work"
# Each stops itself (SIGSTOP) in the middle of one file when it has done a quarter: half of all is done
# then, for certain, and both have a transaction open.
begun=$(now)
quarter=$((files / 4))
start_consumer 1 --stop-at $quarter; first=$started
start_consumer 2 --stop-at $quarter; second=$started

if [ -n "$tty" ] && command -v pv >/dev/null; then
    exec 4> >(exec pv -l -s "$files" -p -t -e -b -a -i 0.2 -w 78 >/dev/null)
    bar_pid=$!
fi
exec 3< <(exec 4>&-; exec "$psql" -XAtq <<<'SELECT count(*) FROM scan_result \watch 0.1')
watch_pid=$!
remember watch "$watch_pid"

tell() { if [ -n "$bar_pid" ]; then printf '\r\e[K  %s\n' "$1" >&2; else printf '  %s\n' "$1"; fi; }

shown=0 next_tenth=1 killed='' moved=$SECONDS
while read -r -t 30 count <&3 || die "no answer from the server"; do
    [ -n "$count" ] || continue             # psql ends each answer with an empty line
    if [ "$count" -gt "$shown" ]; then
        if [ -n "$bar_pid" ]; then printf '%*s' $((count - shown)) '' | tr ' ' '\n' >&4; fi
        while [ -z "$bar_pid" ] && [ $((count * 10)) -ge $((next_tenth * files)) ] && [ $next_tenth -le 10 ]; do
            printf '  %3d %%   %d of %d files\n' $((next_tenth * 10)) "$count" "$files"
            next_tenth=$((next_tenth + 1))
        done
        shown=$count moved=$SECONDS
    fi
    if [ -z "$killed" ] && stopped "$first" && stopped "$second"; then
        killed=$(results)
        kill -KILL "$first"
        wait "$first" 2>/dev/null || true
        kill -CONT "$second"
        start_consumer 3; third=$started
        tell "$killed files done: consumer 1 killed with SIGKILL in the middle of the next; consumer 3 replaces it"
    fi
    [ "$count" -lt "$files" ] || break
    [ $((SECONDS - moved)) -lt 60 ] || die "no progress: $count of $files files after 60 s"
done
wait_for "$files"
took=$(($(now) - begun))
end_process "$watch_pid" TERM 20; exec 3<&-
if [ -n "$bar_pid" ]; then exec 4>&-; sleep 0.3; end_process "$bar_pid" TERM 5; bar_pid=; fi

title "The proof"
# What sha256sum says of the same files; -z keeps odd names as they are.
xargs -0 -a "$demo/files" sha256sum -z -- > "$demo/sha256sum" || true
sql -c 'CREATE TABLE truth (path bytea, sha256 bytea)'
perl -0ne 'chomp; /^([0-9a-f]{64}) [ *](.*)/s and print "\\\\x", unpack("H*", $2), "\t\\\\x$1\n"' "$demo/sha256sum" |
    sql -c 'COPY truth FROM STDIN'
check "files"                       "$(ask 'SELECT count(*) FROM media')" "$files"
check "results"                     "$(results)" "$files"
check "duplicates"                  "$(ask 'SELECT count(*) - count(DISTINCT media_id) FROM scan_result')" 0
check "missing"                     "$(ask 'SELECT count(*) FROM media m WHERE NOT EXISTS (SELECT FROM scan_result r WHERE r.media_id = m.id)')" 0
check "digests equal to sha256sum's" "$(ask 'SELECT count(*) FROM scan_result r JOIN media m ON m.id = r.media_id JOIN truth USING (path) WHERE r.sha256 = truth.sha256')" "$files"
check "notifications left over"     "$(stored)" 0
check "consumers killed at half the way" "$([ -n "$killed" ] && echo 1 || echo 0)" 1
line "results of the consumers 1, 2, 3" "$(ask "SELECT string_agg(n::text, ', ' ORDER BY c) FROM (SELECT c, count(r.consumer) AS n FROM unnest('{1,2,3}'::text[]) c LEFT JOIN scan_result r ON r.consumer = c GROUP BY c) _")"
line "time and rate" "$(seconds "$took") s, $((files * 1000 / (took / 1000000 + 1))) files/s"

# ---- three scenes -----------------------------------------------------------------------------

# since_mark: the results of the rows inserted after mark, as "results/different rows".
mark() { mark=$(ask 'SELECT max(id) FROM media'); }
since_mark() { ask "SELECT count(*) || '/' || count(DISTINCT media_id) FROM scan_result WHERE media_id > $mark"; }

title "Scene 1: a rolled-back INSERT sends nothing"
mark
sql <<'SQL'
BEGIN;
INSERT INTO media (path) SELECT path FROM media ORDER BY id LIMIT 5;
ROLLBACK;
BEGIN;
SAVEPOINT s;
INSERT INTO media (path) SELECT path FROM media ORDER BY id LIMIT 5;
ROLLBACK TO s;
INSERT INTO media (path) SELECT path FROM media ORDER BY id LIMIT 1;
COMMIT;
SQL
line "5 rows rolled back, 5 to a savepoint" "and 1 row committed"
wait_for $((files + 1))
check "results / different rows" "$(since_mark)" 1/1

title "Scene 2: rows inserted while no consumer runs are delivered when one comes back"
mark
stop_consumer "$second"
stop_consumer "$third"
ask 'INSERT INTO media (path) SELECT path FROM media ORDER BY id LIMIT 5'
check "stored while nobody is there" "$(stored)" 5
check "results so far" "$(since_mark)" 0/0
start_consumer 4; fourth=$started
wait_for $((files + 6))
check "results / different rows" "$(since_mark)" 5/5

title "Scene 3: a bulk INSERT ... SELECT delivers each row"
mark
bulk=$((files < 2000 ? files : 2000))
ask "INSERT INTO media (path) SELECT path FROM media ORDER BY id LIMIT $bulk"
wait_for $((files + 6 + bulk))
check "results / different rows" "$(since_mark)" "$bulk/$bulk"
stop_consumer "$fourth"
check "notifications left over" "$(stored)" 0

echo
[ "$failures" -eq 0 ] || exit 1
printf '%sAll as it should be.%s\n' "$green" "$plain"
