#!/usr/bin/env bash
# run-tests.sh SUITE...: runs the suites one after the other, whatever the earlier ones did, counts
# what each reports, and ends with the line "N passed, N failed". A suite that ran no test, crashed or
# did not come to its end counts as a failure. The exit status is 0 only when nothing failed.
# "make test-SUITE" is the usual way in: it builds first.
#
# The server's user runs the suites that need a server, on a copy of the sources in build/run/src, so
# that nothing depends on who may read the sources. What is left of each suite: build/run/test/SUITE.
set -euo pipefail
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
# shellcheck source=count-tests.sh
. "$(dirname "$0")/count-tests.sh"

: "${CXX:=g++}" "${MAKE:=make}" "${PGPUBSUB_SUITE_TIMEOUT:=1800}"
run_place
# pg_regress unsets LC_ALL: LANG decides the encoding of its cluster.
export LC_ALL=C.UTF-8 LANG=C.UTF-8
server=$RUN/server
pgxs=$(dirname "$(dirname "$(dirname "$("$server/bin/pg_config" --pgxs)")")")/src
results=$RUN/test
export PATH="$server/bin:$PATH"

# ---- the suites: each is a function, its output is counted by count_SUITE -----------------------

suite_unit() {
    local status=0
    part "$BUILD/test/unit/unit" --no-version --no-colors || status=1
    part "$MAKE" -C "$ROOT" --no-print-directory client-unit || status=1
    return $status
}

suite_symbols() {
    local status=0
    part "$ROOT/test/lib/check-symbols.sh" "$ROOT/pgpubsub.so" || status=1
    part "$ROOT/test/lib/check-layers.sh" || status=1
    part "$ROOT/test/lib/check-versions.sh" || status=1
    return $status
}

# pg_regress FOLDER PROGRAM DATABASE OPTION... TEST...: a cluster of its own, gone at the end.
pg_regress() {
    local out=$results/$1 program=$2 database=$3; shift 3
    part as_server "$program" --bindir="$server/bin" --dlpath="$("$server/bin/pg_config" --pkglibdir)" \
        --outputdir="$out" --temp-instance="$out/instance" --temp-config="$RUN/src/test/lib/postgresql.conf" \
        --load-extension=pgpubsub --dbname="$database" "$@"
}

# PGPUBSUB_LEFT_OUT: tests that can't pass where this runs, as a|b; who sets it says why (test-assert.sh).
names() {
    local f
    for f in "$@"; do if [ -e "$f" ]; then f=${f##*/}; echo "${f%.*}"; fi; done | grep -vxE "${PGPUBSUB_LEFT_OUT:-^$}" || true
}

suite_regress() {
    local tests; tests=$(names "$ROOT"/sql/*.sql)
    [ -n "$tests" ] || { echo "no tests in sql/"; return 1; }
    # shellcheck disable=SC2086  # names without spaces
    pg_regress regress "$pgxs/test/regress/pg_regress" contrib_regression --inputdir="$RUN/src" $tests
}

suite_isolation() {
    local tests; tests=$(names "$ROOT"/test/specs/*.spec)
    [ -n "$tests" ] || { echo "no tests in test/specs/"; return 1; }
    # shellcheck disable=SC2086
    pg_regress isolation "$pgxs/test/isolation/pg_isolation_regress" isolation_regression --inputdir="$RUN/src/test" $tests
}

# The same once more where the library is preloaded, so that there are shared memory, a launcher and a worker; but not what is about loading it late
# or about who sends NOTIFY: encoding (databases that it makes and drops while a worker may look into them), settings, hint and ordered-hint;
# nor recover (both), recover-drop and retries, where the worker would do first what they do by hand.
suite_preloaded() {
    local status=0 tests preloaded="--temp-config=$RUN/src/test/lib/preloaded.conf"
    tests=$(names "$ROOT"/sql/*.sql | grep -vxE 'encoding|settings|recover|retries')
    # shellcheck disable=SC2086  # names without spaces
    pg_regress preloaded/regress "$pgxs/test/regress/pg_regress" contrib_regression --inputdir="$RUN/src" "$preloaded" $tests || status=1
    tests=$(names "$ROOT"/test/specs/*.spec | grep -vxE 'hint|ordered-hint|recover|recover-drop')
    # shellcheck disable=SC2086
    pg_regress preloaded/isolation "$pgxs/test/isolation/pg_isolation_regress" isolation_regression --inputdir="$RUN/src/test" "$preloaded" $tests || status=1
    return $status
}

# SQL tests on a server built with assertions (test-assert.sh), where every look into its caches finds them emptied: a few statements
# of each kind, and what a row locked by several means. Each statement then takes a second or more, so the others would take hours, and
# the leases that they count on would be over. "types" can't pass there: to_jsonb() of PostgreSQL 15 itself, which it compares with,
# reads the names of the columns of a composite value after it has let go of their descriptor.
suite_discard() {
    local tests; tests=$(names "$ROOT"/sql/{each_call,own_locks,dedup,subscriptions}.sql)
    # shellcheck disable=SC2086  # names without spaces
    pg_regress discard "$pgxs/test/regress/pg_regress" contrib_regression --inputdir="$RUN/src" \
        --temp-config="$RUN/src/test/lib/discard.conf" $tests
}

# Most of a test's time is waiting, so twice as many run at once as there are processors.
suite_tap() {
    local jobs=$((2 * $(nproc))) wanted name tests=() found
    # T narrows it down: make test-tap T='client_reconnect cli_*'
    read -ra wanted <<<"${T:-*}"
    for name in "${wanted[@]}"; do
        # shellcheck disable=SC2206  # a pattern
        found=("$RUN"/src/test/t/$name.pl)
        [ -e "${found[0]}" ] || { echo "no test test/t/$name.pl"; return 1; }
        tests+=("${found[@]}")
    done
    mapfile -t tests < <(printf '%s\n' "${tests[@]}" | sort -u)    # what two patterns name runs once
    as_server env TESTDIR="$results/tap" TESTDATADIR="$results/tap/tmp_check" TESTLOGDIR="$results/tap/tmp_check/log" \
        PATH="$PATH" PGPORT=65432 PG_REGRESS="$pgxs/test/regress/pg_regress" top_builddir="$RUN/src" \
        PGPUBSUB_ROOT="$RUN/src" PGPUBSUB_BUILD="$RUN/src/build" PGPUBSUB_CLI="$RUN/src/build/client/pgpubsub" \
        PGPUBSUB_SERVER="$server" CXX="$CXX" \
        prove --norc --timer --failures --jobs "$jobs" -I "$pgxs/test/perl" -I "$RUN/src/test/lib" "${tests[@]}"
}

suite_harness() {
    local status=0
    part "$ROOT/test/lib/check-counts.sh" || status=1
    part "$ROOT/test/lib/check-deps.sh" || status=1
    MAKE=$MAKE part "$ROOT/test/lib/check-install.sh" "$server/bin/pg_config" || status=1
    return $status
}

suite_readme() {
    local status=0
    part "$ROOT/test/lib/check-markdown.pl" || status=1
    CXX=$CXX MAKE=$MAKE part "$ROOT/test/lib/check-readme.sh" "$results/readme" || status=1
    CXX=$CXX MAKE=$MAKE part "$ROOT/test/lib/check-docs.sh" "$results/readme" || status=1
    return $status
}

suite_lint() { "$MAKE" -C "$ROOT" --no-print-directory lint-checks; }

# ---- counting: each reads the suite's log and prints "PASSED FAILED" (count-tests.sh) ------------

count_unit()      { count_doctest "$1"; }
count_symbols()   { count_tap "$1"; }
count_regress()   { count_pg_regress "$1"; }
count_isolation() { count_pg_regress "$1"; }
count_preloaded() { count_pg_regress "$1"; }
count_discard()   { count_pg_regress "$1"; }
count_tap_()      { count_prove "$1"; }
count_harness()   { count_tap "$1"; }
count_readme()    { count_tap "$1"; }
count_lint()      { count_tap "$1"; }

# ---- running -------------------------------------------------------------------------------------

# The sources and what was built of them, where the server's user can read them.
stage() {
    rm -rf "$RUN/src"
    mkdir -p "$RUN/src/build"
    tar -C "$ROOT" --exclude=./.git --exclude=./build --exclude='*.o' --exclude='*.d' -cf - . | tar -C "$RUN/src" -xf -
    local part
    for part in client examples; do
        if [ -d "$BUILD/$part" ]; then
            mkdir -p "$RUN/src/build/$part"
            tar -C "$BUILD/$part" --exclude='*.o' --exclude='*.d' -cf - . | tar -C "$RUN/src/build/$part" -xf -
        fi
    done
    ln -s "$server" "$RUN/src/build/server"
    give_to_server "$RUN/src"
}

# What a failed suite left, the last part of each file.
show_failure() {
    local file
    while read -r file; do
        echo "---- $file"
        tail -n 150 "$file"
    done < <(case $1 in
        regress|isolation|preloaded|discard) find "$results/$1" -name regression.diffs -size +0 ;;
        tap) sed -n 's/^[^ ]*\/t\/\([^ /]*\)\.pl .*Wstat.*/\1/p' "$2" | sort -u | sed -n 1,5p | while read -r name; do
                 find "$results/tap" -name "regress_log_$name"; done ;;
        esac)
    if [ "$1" != tap ] && [ -z "$(find "$results/$1" -name regression.diffs -size +0)" ]; then
        # A server that does not start is told of in its own log only.
        find "$results/$1" \( -name initdb.log -o -name postmaster.log \) -exec sh -c 'echo "---- $1"; tail -n 20 "$1"' _ {} \; 2>/dev/null || true
    fi
}

# No server of ours outlives the tests, not even when one was cut short: each is known by the
# postmaster.pid in its data folder, and is only ended if it works in just that folder.
stop_left_servers() {
    local file pid
    while read -r file; do
        pid=$(head -n 1 "$file" 2>/dev/null || true)
        case $pid in ''|*[!0-9]*) continue ;; esac
        if [ "$(readlink "/proc/$pid/cwd" 2>/dev/null)" = "$(dirname "$file")" ]; then
            echo "ending a server that was left running in $(dirname "$file")" >&2
            kill -QUIT "$pid" 2>/dev/null || true
            for _ in {1..100}; do [ -e "/proc/$pid" ] || break; sleep 0.1; done
        fi
    done < <(find "$results" -name postmaster.pid 2>/dev/null)
}

# end_group PGID: ends a suite's process group, of which the first process may have ended by itself.
# Some clean up after themselves, which takes a while; what still runs after half a minute is killed.
end_group() {
    local i
    # timeout passes the signal on to its group.
    kill -TERM "$1" 2>/dev/null || kill -TERM -- "-$1" 2>/dev/null || return 0
    for ((i = 0; i < 300; i++)); do
        kill -0 -- "-$1" 2>/dev/null || return 0
        [ $i -ne 20 ] || stop_left_servers
        sleep 0.1
    done
    kill -KILL -- "-$1" 2>/dev/null || true
}

running=
interrupted() {
    trap '' INT TERM HUP
    if [ -n "$running" ]; then end_group "$running"; fi
    stop_left_servers
    rm -rf "${scratch:-}"
    echo "interrupted" >&2
    exit 130
}
trap interrupted INT TERM HUP

# run_suite NAME: in a process group of its own, so that a time-out or an interrupt reaches all of it.
run_suite() {
    local name=$1 log=$results/$1.log status=0 passed failed count=count_$1 begun=$SECONDS output tee
    [ "$name" = tap ] && count=count_tap_
    rm -rf "${results:?}/$name"; mkdir -p "$results/$name"
    scratch=$(mktemp -d /tmp/pgpubsub.XXXXXX)       # sockets, which need a short path
    give_to_server "$results/$name" "$scratch"
    echo "== $name"
    output=$results/$name.pipe
    rm -f "$output"; mkfifo "$output"
    tee -i "$log" <"$output" 9>&- & tee=$!
    # This script once more, for the one suite: timeout starts programs, not functions. Without set -m
    # the suite would start with SIGINT ignored, and no test could show what ^C does.
    set -m
    PGPUBSUB_ONE_SUITE=$name SERVER_TMPDIR=$scratch timeout -k 30 "$PGPUBSUB_SUITE_TIMEOUT" bash "$0" "$name" </dev/null >"$output" 2>&1 9>&- & running=$!
    set +m
    wait "$running" || status=$?
    end_group "$running"
    running=
    stop_left_servers
    # tee ends with the last writer. One that was left behind must not hold up the rest.
    for _ in {1..50}; do kill -0 "$tee" 2>/dev/null || break; sleep 0.1; done
    kill "$tee" 2>/dev/null || true
    wait "$tee" 2>/dev/null || true
    rm -rf "$output" "$scratch"
    read -r passed failed < <("$count" "$log")
    if [ "$status" -eq 124 ] || [ "$status" -eq 137 ]; then
        failed=$((failed + 1))
        echo "$name: not at its end after $PGPUBSUB_SUITE_TIMEOUT s"
    fi
    if [ "$status" -ne 0 ] && [ "$failed" -eq 0 ]; then failed=1; echo "$name: failed with status $status"; fi
    if [ $((passed + failed)) -eq 0 ]; then failed=1; echo "$name: no test ran"; fi
    if [ "$failed" -gt 0 ]; then show_failure "$name" "$log"; fi
    summary+=("$(printf '%-10s %5d passed %5d failed  %4d s' "$name" "$passed" "$failed" $((SECONDS - begun)))")
    total_passed=$((total_passed + passed)) total_failed=$((total_failed + failed))
}

if [ -n "${PGPUBSUB_ONE_SUITE:-}" ]; then
    trap - INT TERM HUP
    "suite_$1"
    exit
fi

[ $# -gt 0 ] || die "which suites?"
for suite in "$@"; do
    declare -F "suite_$suite" >/dev/null || die "there is no suite $suite"
done
total_passed=0 total_failed=0 summary=()
mkdir -p "$results"
# One run at a time in one tree: the staged sources and the results are shared.
exec 9>"$RUN/test.lock"
flock -n 9 || { say "Waiting for the tests that run in $RUN already."; flock 9; }
rm -f "$results/totals"
stage
for suite in "$@"; do run_suite "$suite"; done

echo
printf '%s\n' "${summary[@]}"
echo "$total_passed passed, $total_failed failed" | tee "$results/totals"
[ "$total_failed" -eq 0 ]
