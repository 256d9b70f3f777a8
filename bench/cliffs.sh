# Does a statement pay for the past? What a take, or a claim and its ack, costs, beside the same in a channel where nothing happened, where an
# old snapshot keeps all entries of what was consumed, and one more thing is so: many consumers with open transactions, many
# priorities, one row that stays in front, one key. Each is a way to walk over what is gone. So are publishing with a dedup_key, and PREPARE
# TRANSACTION; and what administration does under a lock keeps publishers of other channels waiting.
#
# The time is the server's clock inside the session, the median of 200: no client, no network and no flush is in it. PREPARE TRANSACTION is
# timed by psql, since no procedure may execute it. For each number of dead entries each channel is made anew; a million takes long,
# and is measured in the first round only.
# shellcheck shell=bash
# shellcheck disable=SC2153,SC2154
start_server shared_buffers=4GB fsync=off max_prepared_transactions=10
sql -f "$ROOT/bench/cliffs.sql" >/dev/null
spare=30000  # what is measured on: measure() takes two thirds of it
leases=190000

quietly() { sql -c 'SET pgpubsub.wakeup = off' "$@"; }
drain() { quietly -c "CALL drain('$1', $2)"; }
take_in() { start_helper "$programs/hold" "SELECT count(*) FROM pgpubsub.take('$1', $2)"; }
hold_snapshot() { start_helper "$programs/hold"; }
release() {
    stop_helpers
    until [ "$(sql -c "SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction'")" = 0 ]; do sleep 0.05; done
}

# new_channel NAME COUNT [ARGUMENTS [KEYS]]: with so many that wait.
new_channel() {
    sql -c "SELECT pgpubsub.create_channel('$1'${3:+, $3})" >/dev/null
    quietly -c "CALL stock('$1', $2, keys => '${4:-none}')"
}
# begin NAME MORE [ARGUMENTS [KEYS]]: a channel with so many more, and a snapshot from before anything of it is consumed.
begin() {
    channel="$1 $dead $round"
    new_channel "$channel" $((dead + spare + $2)) "${3:-}" "${4:-}"
    hold_snapshot
}

# measure CASE CHANNEL [BASE [ARGUMENTS]]: the arguments are those of take() and claim(). commits=false: all in one transaction.
measure() {
    local what statement
    for what in 'take(1)' 'take(100)' 'claim(1) and ack'; do
        case $what in
            claim*) statement="SELECT pgpubsub.ack(array_agg(receipt)) FROM pgpubsub.claim('$2', 1${4:+, $4})" ;;
            *) statement="SELECT count(*) FROM pgpubsub.take('$2', ${what//[^0-9]/}${4:+, $4})" ;;
        esac
        record "$what" "$1" ms "$(quietly -c "CALL cost(ARRAY[\$\$$statement\$\$], commits => ${commits:-true})")" "${3:-fresh}"
    done
}
measure_dedup() {
    record 'publish with a dedup_key, take(1)' "$1" ms \
        "$(quietly -c "CALL cost(ARRAY['SELECT pgpubsub.publish(''$2'', ''1'', dedup_key => ''hot'')', 'SELECT pgpubsub.take(''$2'', 1)'])")" fresh
}
measure_prepare() {
    local i
    record 'PREPARE TRANSACTION after claim(1)' "$1" ms "$(for ((i = 0; i < 200; i++)); do
        printf '%s\n' BEGIN\; "SELECT count(*) FROM pgpubsub.claim('$2');" '\timing on' "PREPARE TRANSACTION 'bench';" '\timing off' "ROLLBACK PREPARED 'bench';"
    done | sql | sed -n 's/^Time: \([0-9.]*\) ms.*/\1/p' | sort -n | sed -n 100p)" fresh
}
# measure_elsewhere CASE COMMAND BASE: of what is published while the command runs.
measure_elsewhere() {
    local publisher began
    sql -c 'TRUNCATE stop, published_elsewhere'
    quietly -c 'CALL publish_elsewhere()' &
    publisher=$!
    until [ "$(sql -c "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'CALL publish_elsewhere%'")" = 1 ]; do sleep 0.05; done
    sleep 0.2
    began=$(sql -c 'SELECT clock_timestamp()' -c "$2" -c 'INSERT INTO stop DEFAULT VALUES' | sed -n 1p)
    wait "$publisher"
    record 'publish to another channel, the longest' "$1" ms \
        "$(sql -c "SELECT round(1000 * max(extract(epoch FROM done - begun)), 4) FROM published_elsewhere WHERE done > '$began'")" "$3"
}
# administer PREFIX CHANNEL: it has two subscriptions, with rows in them.
administer() {
    measure_elsewhere "$1, purge_channel" "SELECT pgpubsub.purge_channel('$2')" 'fresh, purge_channel'
    measure_elsewhere "$1, alter_channel" "SELECT pgpubsub.alter_channel('$2', ordered => true)" 'fresh, alter_channel'
    measure_elsewhere "$1, unsubscribe" "SELECT pgpubsub.unsubscribe('$2', 'second')" 'fresh, unsubscribe'
    measure_elsewhere "$1, drop_channel" "SELECT pgpubsub.drop_channel('$2')" 'fresh, drop_channel'
}
subscribed_twice() {
    sql -c "SELECT pgpubsub.create_channel('$1')" -c "SELECT pgpubsub.subscribe('$1', 'second')" >/dev/null
    quietly -c "CALL stock('$1', $2)"
}
# add_takers COUNT ROWS: so many more consumers that keep their transactions open, while so many more rows are consumed.
add_takers() {
    local i
    for ((i = 1; i <= $1; i++)); do
        take_in "$channel" 1
        drain "$channel" $(($2 / $1))
    done
    takers=$((takers + $1))
    measure "$behind, $takers consumers with open transactions" "$channel"
}
just_made="filter => '{\"op\": \"insert\"}'"  # what stock() publishes

measure_fresh() {
    new_channel "fresh $round" $spare
    measure fresh "fresh $round"
    measure_prepare fresh "fresh $round"
    new_channel "fresh dedup $round" 0
    measure_dedup fresh "fresh dedup $round"
    new_channel "fresh filter $round" $spare
    measure 'fresh, a filter' "fresh filter $round" 'fresh, a filter' "$just_made"
    new_channel "fresh keys $round" $spare 'ordered => true' each
    measure 'fresh, ordered' "fresh keys $round" 'fresh, ordered'
    new_channel "fresh key $round" $spare 'ordered => true' one
    measure 'fresh, one ordered key' "fresh key $round" 'fresh, one ordered key'
    subscribed_twice "fresh, twice $round" 1000
    administer fresh "fresh, twice $round"
}

# Cases that go together use one channel, since a million rows take some seconds to publish and to take.
measure_behind() {
    local others=$((dead < 200000 ? dead : 200000))
    begin plain $((others + 3 * spare))
    drain "$channel" "$dead"
    measure "$behind" "$channel"
    commits=false measure "$behind, all in one transaction" "$channel"
    take_in "$channel" $others
    measure "$behind, up to 200,000 in another transaction's hands" "$channel"
    release
    for ((p = 1; p <= 100; p++)); do
        quietly -c "CALL stock('$channel', 1000, $p)" -c "CALL drain('$channel', 1000)"
        case $p in 9 | 100) measure "$behind, $p priorities" "$channel" ;; esac
    done

    takers=0
    begin takers $((dead / 2 + 2 * spare))
    add_takers 17 "$dead"
    add_takers 83 $((dead / 4))
    add_takers 100 $((dead / 4))
    release

    # One row that stays in front.
    channel="in front $dead $round"
    sql -c "SELECT pgpubsub.create_channel('$channel')" -c "SELECT pgpubsub.publish('$channel', '{\"op\": \"delete\"}', dedup_key => 'k')" >/dev/null
    quietly -c "CALL stock('$channel', $((dead + 2 * spare)))"
    hold_snapshot
    quietly -c "CALL drain('$channel', $dead, $just_made)"
    measure "$behind, one that the filter keeps in front" "$channel" 'fresh, a filter' "$just_made"
    start_helper "$programs/hold" "SELECT pgpubsub.publish('$channel', '1', dedup_key => 'k')"
    measure "$behind, a joined dedup_key in front" "$channel"
    release

    channel="retry $dead $round"
    sql -c "SELECT pgpubsub.create_channel('$channel', ordered => true)" -c "SELECT pgpubsub.publish_batch('$channel', '{1,2}', keys => '{first,first}')" \
        -c "SELECT pgpubsub.nack(array_agg(receipt), '1 hour') FROM pgpubsub.claim('$channel')" >/dev/null
    quietly -c "CALL stock('$channel', $((dead + spare)), keys => 'each')"
    hold_snapshot
    drain "$channel" "$dead"
    measure "$behind, a key that waits for its retry in front" "$channel" 'fresh, ordered'
    release

    begin ordered 0 'ordered => true'
    start_helper "$programs/hold" 'SELECT pg_current_xact_id()'
    drain "$channel" "$dead"
    measure "$behind, ordered, a transaction id held" "$channel"
    release

    # One key.
    begin 'one key' 0 'ordered => true' one
    quietly -c "CALL leave_behind('$channel', $dead, 'attempts = 1, due_at = clock_timestamp(), lease_token = id')"
    measure "$behind, one ordered key" "$channel" 'fresh, one ordered key'
    release

    begin dedup 0
    quietly -c "CALL leave_behind('$channel', $((dead + spare)), 'dedup_key = ''hot''')"
    measure_dedup "$behind" "$channel"
    release

    # Leases.
    channel="leases $dead $round"
    new_channel "$channel" $((leases + dead + spare))
    hold_snapshot
    quietly -c "CALL work_off('$channel', $dead)" -c "SET pgpubsub.lease_scope = 'time'" \
        -c "SELECT count(*) FROM pgpubsub.claim('$channel', $leases, '1 hour')" >/dev/null
    measure_prepare "$behind, 190,000 leases out" "$channel"
    release

    # What administration does.
    channel="twice $dead $round"
    subscribed_twice "$channel" $((dead / 2 + 1000))
    hold_snapshot
    quietly -c "CALL drain('$channel', $((dead / 2)))" -c "CALL drain('$channel', $((dead / 2)), subscription => 'second')"
    administer "$behind" "$channel"
    release
}

declare -A named=([100000]='100,000' [1000000]='1,000,000')
new_channel 'warm up' $spare
quietly -c "CALL drain('warm up', $spare)"
for ((round = 1; round <= (ROUNDS + 1) / 2; round++)); do
    measure_fresh
    for dead in 100000 1000000; do
        if ((dead > 100000)) && { [ -n "${QUICK:-}" ] || ((round > 1)); }; then continue; fi
        behind="${named[$dead]} dead entries"
        measure_behind
        sql -c "SELECT count(pgpubsub.drop_channel(name)) FROM pgpubsub.channels WHERE name NOT LIKE 'fresh%' AND name <> 'elsewhere'" \
            -c 'VACUUM pgpubsub.notification' >/dev/null
    done
done
