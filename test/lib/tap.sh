# Sourced by the check-*.sh that print TAP: the results of their checks, and the plan at the end.
# shellcheck shell=bash

n=0 failed=0

# result STATUS NAME TEXT: one result, with the text as its diagnosis where the status is not 0.
result() {
    n=$((n + 1))
    if [ "$1" -eq 0 ]; then
        echo "ok $n - $2"
    else
        echo "not ok $n - $2"
        printf '%s\n' "$3" | sed -n '1,30s/^/#   /p'
        failed=1
    fi
}

# check NAME COMMAND...: passes when the command does; shows what it said when it does not.
check() {
    local name=$1 said status=0; shift
    said=$("$@" 2>&1) || status=$?
    result "$status" "$name" "$said"
}

# none NAME LINES: passes when there are none.
none() { if [ -z "$2" ]; then result 0 "$1" ''; else result 1 "$1" "$2"; fi; }

# Ends the script.
end_of_checks() { echo "1..$n"; exit $failed; }
