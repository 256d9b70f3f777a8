# Does an old snapshot slow consumers down? A drain in takes of 100, with and without another session that holds a snapshot (a
# backup, a report): with it, nothing that is consumed can be removed from the tables and their indexes, and a claim that walks over what is
# consumed takes longer and longer.
#
# As in drain.sh; but compared is the rate until as many were consumed as with the snapshot (or without it, where that
# was less), for what degrades does so with what has been consumed. A cell takes 3 * SECONDS_EACH at the most. bench-held.svg shows the rate over
# what was consumed.
# shellcheck shell=bash
# shellcheck disable=SC2153,SC2154
read -r -a systems <<<"$(chosen pgpubsub raw pgq graphile-worker pg-boss | tr '\n' ' ')"
seconds_held=$(calculate "3 * $SECONDS_EACH" %.1f)

held_rows() {
    local rows rates=250000
    case $1 in pg-boss | graphile-worker) rates=30000 ;; raw) rates=200000 ;; pgq) rates=90000 ;; esac
    rows=$(calculate "$rates * $seconds_held")
    echo $((rows < 3 * MAX_ROWS ? rows : 3 * MAX_ROWS))
}

# rate_at TRACE ROWS: the rate until that many were consumed.
rate_at() {
    awk -v rows="$2" '$2 >= rows { at = $2 > before ? time + ($1 - time) * (rows - before) / ($2 - before) : $1; printf "%.0f\n", rows / at; exit }
                      { time = $1; before = $2 }' "$1"
}

# The session that holds a snapshot does nothing else. It begins before anything is consumed.
start_server shared_buffers=4GB fsync=off
rm -f "$BUILD"/bench/traces/held.*
for system in "${systems[@]}"; do set_up "$system"; done
for ((round = 1; round <= (ROUNDS + 1) / 2; round++)); do      # it takes long, and differs much
    for consumers in $HELD_CONSUMERS; do
        for system in $(rotated $((round - 1)) "${systems[@]}"); do
            group="100 at a time, $consumers $( ((consumers > 1)) && echo consumers || echo consumer)"
            trace=$BUILD/bench/traces/held.$system.$consumers.$round
            for held in free held; do
                load "$system" "$(held_rows "$system")" 100
                if [ $held = held ]; then start_helper "$programs/hold"; fi
                race_for "$system" 100 "$consumers" "$seconds_held" "$trace.$held" >"$work/out"
                stop_helpers
                until [ "$(sql -c "SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction'")" = 0 ]; do sleep 0.05; done
            done
            rows=$(tail -qn 1 "$trace.free" "$trace.held" | awk 'NR == 1 || $2 < least { least = $2 } END { print least }')
            # Where each consumer gets all, the trace counts the copies.
            copies=1
            if [ "$system" = pgq ]; then copies=$consumers; fi
            record "$group" "$(title "$system")" rows/s "$(calculate "$(rate_at "$trace.free" "$rows") / $copies")"
            record "$group" "$(title "$system"), snapshot held" rows/s "$(calculate "$(rate_at "$trace.held" "$rows") / $copies")" "$(title "$system")"
        done
    done
done
