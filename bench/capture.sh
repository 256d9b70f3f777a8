# What a capture adds to a single-row insert. At least 0.85 of the inserts without a trigger is what is aimed at, without a wake-up.
#
# The cases of cases.sh, by pgbench with prepared statements, in turn, each round beginning with another one; each is compared with
# the table without a trigger of the same round. The throughput is by the clock. The CPU time is what the server's processes used, by the
# kernel's accounting: other load on the machine hardly changes it. Each without a wake-up, and with NOTIFY, in the original too.
# With fsync off, so that the disk does not drown the difference, and with it on, as a server has it.
# ROUNDS (5) and SECONDS_EACH (2) make it longer or shorter.
# shellcheck shell=bash
# shellcheck source=cases.sh
. "$ROOT/bench/cases.sh"
rounds=${ROUNDS:-5} seconds=${SECONDS_EACH:-2}
work=$(mktemp -d)
cases=(bare statement_level row_level original)
for case in "${cases[@]}"; do
    echo "INSERT INTO $case (name, path, size) VALUES ('copyright', '/usr/share/doc/postgresql-15/copyright', 12345);" >"$work/$case.sql"
done

# shellcheck disable=SC2154  # server_pid is set in run.sh
ticks() { awk '{ print $16 + $17 }' "/proc/$server_pid/stat"; }   # CPU time of the server's processes that have ended

# measure CASE CLIENTS WAKEUP: appends inserts per second to $work/CASE.tps, and CPU time per insert in µs to $work/CASE.cpu.
measure() {
    local before count
    before=$(ticks)
    PGOPTIONS="-c pgpubsub.wakeup=$3 -c session_preload_libraries=pgpubsub" \
        pgbench -n -M prepared -c "$2" -j 2 -T "$seconds" -f "$work/$1.sql" >"$work/out" 2>"$work/err"
    until [ "$(sql -c "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pgbench'")" = 0 ]; do :; done
    count=$(awk '/transactions actually processed/ { print $NF }' "$work/out")
    echo "$(($(ticks) - before)) $(getconf CLK_TCK) $count" | awk '{ printf "%.1f\n", 1e6 * $1 / $2 / $3 }' >>"$work/$1.cpu"
    awk '/^tps = / { printf "%.0f\n", $3 }' "$work/out" >>"$work/$1.tps"
}

# compare CLIENTS WAKEUP
compare() {
    local case round
    rm -f "$work"/*.cpu "$work"/*.tps
    original_trigger "${2/transaction/on}"
    for ((round = 0; round < rounds; round++)); do
        sql -c "TRUNCATE $(IFS=,; echo "${cases[*]}"), $queues" -c CHECKPOINT
        for case in $(rotated $round "${cases[@]}"); do measure "$case" "$1" "$2"; done
    done
    for case in "${cases[@]}"; do
        each_ratio "$work/$case.tps" "$work/bare.tps" >"$work/ratio"
        each_less "$work/$case.cpu" "$work/bare.cpu" >"$work/added"
        if [ "$case" = bare ]; then cp "$work/bare.cpu" "$work/added"; fi
        printf '%-8s %-12s %-16s %9s %-14s %7s %-12s %8s %s\n' "$1" "$2" "$case" \
            "$(median <"$work/$case.tps")" "$(spread <"$work/$case.tps")" "$(median <"$work/ratio")" "$(spread <"$work/ratio")" \
            "$(median <"$work/added")" "$(spread <"$work/added")"
    done
}

for fsync in off on; do
    start_server shared_buffers=1GB fsync=$fsync
    make_tables
    say "Single-row inserts, fsync $fsync: inserts per second, ratio to bare, and CPU time of an insert (bare), or added to it (others)"
    say "(medians of $rounds rounds of $seconds s, lowest–highest)"
    printf '%-8s %-12s %-16s %9s %-14s %7s %-12s %8s\n' clients wake-up case inserts/s '' ratio '' 'CPU µs'
    for wakeup in off transaction; do
        for clients in 1 8; do compare $clients $wakeup; done
    done
    stop_server
done
rm -rf "$work"
