# Sourced by run-tests.sh and check-counts.sh. Each function reads what a suite printed, and prints "PASSED FAILED".
#
# A suite may have several parts (programs that it runs one after the other); run by "part", each ends with a line
# that says how it ended. A part that failed although no test of it did, or that ran no test, is a failure itself.
# shellcheck shell=bash

# part COMMAND...: one part of a suite.
part() {
    local status=0
    "$@" || status=$?
    echo "== ended with status $status"
    return $status
}
PART_ENDS='/^== ended with status [0-9]+$/ { if (f == f0 && ($NF != 0 || p == p0)) f++; p0 = p; f0 = f }'

# [doctest] test cases: 12 | 11 passed | 1 failed | 0 skipped
count_doctest() {
    awk '/^\[doctest\] test cases:/ { for (i = 1; i <= NF; i++) { if ($i == "passed") p += $(i-1); if ($i == "failed") f += $(i-1) } }
         '"$PART_ENDS"' END { print p + 0, f + 0 }' "$1"
}

# PostgreSQL 15: "test name ... ok 12 ms", in a group of parallel tests without the "test"; "... FAILED" when it failed.
# Since 16: "ok 1 - name 12 ms" and "not ok 2 - name 12 ms"; in a group of parallel tests with a "+".
# It ends with 1 when tests have failed; with 2 it has stopped before the last.
count_pg_regress() {
    awk '/^(test| ) *[^ ]+ +\.\.\. ok / || /^ok [0-9]+ +[-+] / { p++ }
         /^(test| ) *[^ ]+ +\.\.\. (FAILED|failed)/ || /^not ok [0-9]+ +[-+] / { f++ }
         /^== ended with status [2-9]/ { f++ }
         '"$PART_ENDS"' END { print p + 0, f + 0 }' "$1"
}

# prove lists each program that had a problem:
#   t/name.pl (Wstat: 256 (exited 1) Tests: 55 Failed: 2)         the tests that failed, in lines of their own too
#     Parse errors: Bad plan.  You planned 60 tests but ran 55.   those that were planned and not run failed as well
# A program that died, or said no plan, is one failure more: nobody knows what it would have tested. (Test::More ends
# with the number of its failures, so that this status says nothing more.) Last, for all: Files=3, Tests=57, ...
# A program that was skipped as a whole counts as a failure too: what nobody has tested has not passed.
# Where prove itself did not come to its end, there are only its lines "Failed 2/57 subtests".
count_prove() {
    awk 'function close_program() { if (in_report && (died || (trouble && !here))) f++; in_report = died = trouble = here = 0 }
         /^Failed [0-9]+\/[0-9]+ subtests/ { split($2, a, "/"); seen += a[1] }
         /\.pl \.+ skipped: / { f++; seen++ }
         / \(Wstat: [0-9]+.* Tests: [0-9]+ Failed: [0-9]+\)$/ {
             close_program(); in_report = 1
             here = $NF + 0; f += here; failed += here
             status = /\(exited / ? $0 : ""; sub(/.*\(exited /, "", status); status += 0
             if (/\(Signal: / || status > 254 || (status && status != here)) died = 1
         }
         in_report && /Non-zero (exit|wait) status|Parse errors/ { trouble = 1 }
         in_report && /No plan found/ { died = 1 }
         in_report && /You planned [0-9]+ tests? but ran [0-9]+/ {
             n = $0; sub(/.*You planned /, "", n); m = n; sub(/.*but ran /, "", m)
             if (n + 0 > m + 0) { f += n - m; here += n - m }
             died = 0
         }
         /^Files=[0-9]+, Tests=[0-9]+/ { close_program(); split($2, t, /[=,]/); n = t[2]; complete = 1 }
         END { if (complete) print n - failed, f + 0; else print 0, seen + 0 }' "$1"
}

# ok 1 - text / not ok 2 - text / 1..2: without the plan at its end, or with another one, it did not come to its end.
count_tap() {
    awk '/^ok / { p++ } /^not ok / { f++ } /^1\.\.[0-9]+$/ { planned += substr($0, 4) }
         END { if (planned != p + f || !planned) f++; print p + 0, f + 0 }' "$1"
}
