# How fast what waits is consumed: ~150-byte payloads, an empty handler, by batch size and number of consumers.
#
# What each does for a batch is in programs/sources.cpp and peers/*.mjs: for the systems in PostgreSQL's SQL one loop, in one program,
# with one commit a batch (claim and ack have two); pg-boss and graphile-worker by their own libraries, each consumer a process of
# Node.js. Two consumers compete for the same rows, but in PgQ and with NOTIFY, where each gets all of them and what is counted is
# how many there were. Each cell begins with a freshly loaded table, vacuumed and analyzed, after a checkpoint. Nothing is flushed (fsync is
# off; Redis keeps nothing on disk). A fast system gets more rows, so that no cell is over at once.
# shellcheck shell=bash
# shellcheck disable=SC2153,SC2154
read -r -a systems <<<"$(chosen pgpubsub pgpubsub-lease raw pgq pg-boss graphile-worker redis notify | tr '\n' ' ')"

# rows_for SYSTEM BATCH: about what it consumes in SECONDS_EACH with two consumers on two cores, at most MAX_ROWS.
rows_for() {
    local rates=(20000 130000 300000 300000 300000)     # takes of 1, 10, 100, 500, 1000
    case $1 in
        pg-boss) rates=(1200 9000 25000 25000 25000) ;;
        graphile-worker) rates=(2000 7000 25000 25000 25000) ;;
        pgpubsub-lease) rates=(7000 40000 70000 75000 80000) ;;
        raw) rates=(14000 50000 100000 180000 200000) ;;
        redis) rates=(40000 250000 270000 270000 270000) ;;
        pgq) rates=(1000 10000 80000 160000 190000) ;;
    esac
    local place=0 size
    for size in 10 100 500 1000; do if (($2 >= size)); then place=$((place + 1)); fi; done
    local rows
    rows=$(calculate "${rates[place]} * $SECONDS_EACH")
    echo $((rows < MAX_ROWS ? rows : MAX_ROWS))
}

start_server shared_buffers=4GB fsync=off
for system in "${systems[@]}"; do set_up "$system"; done
for ((round = 1; round <= (ROUNDS + 1) / 2; round++)); do      # with all that is loaded, it takes long
    for batch in $BATCHES; do
        for consumers in $CONSUMERS; do
            if [ "$consumers" = 1 ] && ! wants "$batch" "$SINGLE_BATCHES"; then continue; fi
            for system in $(rotated $((round - 1)) "${systems[@]}"); do
                load "$system" "$(rows_for "$system" "$batch")" "$batch"
                read -r rows seconds <<<"$(race_for "$system" "$batch" "$consumers" "$(calculate "$SECONDS_EACH * 2" %.1f)" "$work/trace")"
                record "$batch at a time, $consumers $( ((consumers > 1)) && echo consumers || echo consumer)" "$(title "$system")" rows/s \
                    "$(calculate "$rows / $seconds")" "$(title raw)"
            done
        done
    done
done
stop_redis
