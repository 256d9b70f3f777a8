#!/usr/bin/env bash
# The totals of "make test" count what failed: what the suites' programs print, and how they end, as TAP.
set -euo pipefail
# shellcheck source=count-tests.sh
. "$(dirname "$0")/count-tests.sh"
dir=$(mktemp -d "${TMPDIR:-/tmp}/pgpubsub.XXXXXX")
trap 'rm -rf "$dir"' EXIT

n=0 failed=0
# counts COUNTER NAME "PASSED FAILED": of what comes on stdin.
counts() {
    local got
    cat > "$dir/log"
    got=$("count_$1" "$dir/log")
    n=$((n + 1))
    if [ "$got" = "$3" ]; then
        echo "ok $n - $1: $2"
    else
        echo "not ok $n - $1: $2"
        echo "#   counted $got, not $3"
        failed=1
    fi
}

# ---- prove: real runs of small programs --------------------------------------------------------------
program() { printf 'use Test::More;\n%s\n' "$2" > "$dir/$1.pl"; }
program good     'ok 1; ok 1; done_testing;'
program four     'ok $_ % 5 for 1 .. 20; done_testing;'
program one      'ok 1; ok 0; done_testing;'
program dies     'ok 1; die "in the middle";'
program worse    'ok 1; ok 0; die "in the middle, after a failure";'
program killed   'ok 1; kill KILL => $$;'
program short    'plan tests => 5; ok 1; ok 1;'
program long     'plan tests => 1; ok 1; ok 1;'
program silent   'exit 3;'
program status   'ok 1; done_testing; END { $? = 3 }'
program todo     'ok 1; TODO: { local $TODO = "later"; ok 0; ok 1; } done_testing;'
program skipped  'plan skip_all => "not here";'
proved() { counts prove "$1" "$2" < <(cd "$dir" && prove --norc --timer --failures --jobs 3 "${@:3}" 2>&1); }
proved 'all pass'                                            '5 0'  good.pl todo.pl
proved 'four of one program and one of another'             '19 5'  good.pl four.pl one.pl
proved 'a program that dies'                                 '3 1'  good.pl dies.pl
proved 'a program that dies after a failure'                 '3 2'  good.pl worse.pl
proved 'a program that is killed'                            '3 1'  good.pl killed.pl
proved 'a program that stops before its plan is at its end'  '4 3'  good.pl short.pl
proved 'a program that runs more than it planned'            '3 1'  good.pl long.pl
proved 'a program that runs nothing'                         '2 1'  good.pl silent.pl
proved 'a program that passes and ends with a status'        '3 1'  good.pl status.pl
proved 'a program that is skipped as a whole'                '2 1'  good.pl skipped.pl
proved 'all of it' '26 16' good.pl four.pl one.pl dies.pl worse.pl killed.pl short.pl long.pl silent.pl status.pl skipped.pl
counts prove 'prove that was ended itself' '0 4' <<'END'
[05:48:22] t/many.pl .....
not ok 7
not ok 14
Failed 3/60 subtests
[05:48:22] t/good.pl ..... ok       95 ms ( 0.00 usr  0.00 sys +  0.05 cusr  0.00 csys =  0.05 CPU)
Failed 1/9 subtests
END

# ---- pg_regress ---------------------------------------------------------------------------------------
counts pg_regress 'PostgreSQL 15' '2 2' <<'END'
============== running regression test queries        ==============
test good                         ... ok           38 ms
parallel group (2 tests):  side bad
     bad                          ... FAILED       22 ms
     side                         ... ok           20 ms
test dies                         ... FAILED (test process was terminated by signal 9: Killed)       15 ms
============== shutting down postmaster               ==============

======================
 2 of 4 tests failed.
======================
== ended with status 1
END
counts pg_regress 'PostgreSQL 16 and later' '2 2' <<'END'
# using temp instance on port 55432 with PID 4711
ok 1         - good                                       38 ms
# parallel group (2 tests):  side bad
not ok 2     + bad                                        22 ms
ok 3         + side                                       20 ms
not ok 4     - dies                                       15 ms
# (test process was terminated by signal 9: Killed)
1..4
# 2 of 4 tests failed.
== ended with status 1
END
counts pg_regress 'two runs that pass' '2 0' <<'END'
test good                         ... ok           38 ms
== ended with status 0
test good                         ... ok           38 ms
== ended with status 0
END
counts pg_regress 'a run that is cut short, and one with a failure' '1 2' <<'END'
test good                         ... ok           38 ms
pg_regress: could not start the server
== ended with status 2
test bad                          ... FAILED       38 ms
== ended with status 1
END
counts pg_regress 'a run that stops after a failure' '1 2' <<'END'
test good                         ... ok           38 ms
test bad                          ... FAILED       38 ms
diff: /home/ann/pgpubsub/expected/new.out: No such file or directory
== ended with status 2
END
counts pg_regress 'a run without a test, and one that passes' '1 1' <<'END'
== ended with status 0
test good                         ... ok           38 ms
== ended with status 0
END

# ---- doctest ------------------------------------------------------------------------------------------
counts doctest 'two programs' '18 3' <<'END'
[doctest] test cases:  12 |  10 passed | 2 failed | 0 skipped
[doctest] assertions: 112 | 109 passed | 3 failed |
== ended with status 1
[doctest] test cases:  9 |  8 passed | 1 failed | 0 skipped
== ended with status 2
END
counts doctest 'a program that crashes, and one with a failure' '8 2' <<'END'
== ended with status 139
[doctest] test cases:  9 |  8 passed | 1 failed | 0 skipped
== ended with status 2
END

# ---- scripts that print TAP -----------------------------------------------------------------------------
counts tap 'one of two' '1 1' < <(printf '%s\n' 'ok 1 - a' 'not ok 2 - b' '#   why' '1..2')
counts tap 'one of two, in two scripts' '3 1' < <(printf '%s\n' 'ok 1 - a' 'not ok 2 - b' '1..2' 'ok 1 - a' 'ok 2 - b' '1..2')
counts tap 'a script that does not come to its end' '1 1' < <(printf '%s\n' 'ok 1 - a')
counts tap 'a script that prints nothing' '0 1' < /dev/null

# ---- how a part ends -------------------------------------------------------------------------------------
counts pg_regress 'part says the status' '0 1' < <(part sh -c 'exit 7')
if part true >/dev/null && ! part sh -c 'exit 7' >/dev/null; then echo 'ok 1'; else echo 'not ok 1'; fi > "$dir/passed"
echo '1..1' >> "$dir/passed"
counts tap 'and passes it on' '1 0' < "$dir/passed"

echo "1..$n"
exit $failed
