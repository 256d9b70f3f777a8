# Sourced by test-sanitizers.sh and test-client-sanitizers.sh, which count in `passed` and `failed`:
#   canary        shows that a mistake made on purpose is reported; a sanitizer that sees nothing would prove nothing
#   add_totals    adds what another script of tests has counted
#   tell_reports  prints what was reported; each report is a failure
# shellcheck shell=bash

passed=0 failed=0

# canary NAME REPORTS TEXT COMMAND...: COMMAND makes a mistake, and a file REPORTS.* then has the text.
canary() {
    local name=$1 reports=$2 text=$3; shift 3
    as_server timeout 60 "$@" >/dev/null 2>&1 || true
    if grep -qs "$text" "$reports".*; then
        echo "ok - a $name is reported"; passed=$((passed + 1))
    else
        echo "not ok - a $name is reported"; failed=$((failed + 1))
    fi
    rm -f "$reports".*
}

# add_totals FILE COMMAND...: COMMAND leaves the line "N passed, N failed" in FILE. One that ends with an error has failed,
# whatever it counted.
add_totals() {
    local file=$1 status=0 p=0 f=0; shift
    rm -f "$file"
    "$@" || status=$?
    if [ -f "$file" ]; then read -r p _ f _ < "$file"; fi
    if [ "$status" -ne 0 ] && [ "$f" -eq 0 ]; then f=1; fi
    passed=$((passed + p)) failed=$((failed + f))
}

# tell_reports REPORTS
tell_reports() {
    local report found=0
    for report in "$1".*; do
        [ -s "$report" ] || continue
        found=$((found + 1))
        echo "---- $report"
        head -n 80 "$report"
    done
    echo "sanitizers' reports: $found"
    failed=$((failed + found))
}
