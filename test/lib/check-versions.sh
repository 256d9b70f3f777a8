#!/usr/bin/env bash
# check-versions.sh: that all that is said of the versions of PostgreSQL agrees with test/lib/postgresql-versions, and that one
# header has what differs between them; as TAP.
set -euo pipefail
# shellcheck source=tap.sh
. "$(dirname "$0")/tap.sh"
cd "$(dirname "$0")/../.."

mapfile -t versions < <(grep -v '^#' test/lib/postgresql-versions)
oldest=${versions[0]}
words=$(printf '%s, ' "${versions[@]:0:${#versions[@]}-1}")
words="${words%, } and ${versions[-1]}"
has() { grep -qE -- "$2" "$1" || { echo "$1 does not have: $2"; return 1; }; }
none_but_these() {
    local other
    other=$(grep -oE "$2" "$1" | grep -oE '[0-9]+' | grep -vxF "$(printf '%s\n' "${versions[@]}")" || true)
    [ -z "$other" ] || { echo "$1 has $other"; return 1; }
}

check "README names the versions" has README.md "^\\| PostgreSQL \\| $words"
check "META.json names the oldest" has META.json "\"PostgreSQL\": \"$oldest\\.0\\.0\""
check "the sources refuse what is older than the oldest" has extension/src/pg/postgres.hpp "^#if PG_VERSION_NUM < ${oldest}0000\$"
check "the workflow uses no other" none_but_these .github/workflows/ci.yml 'postgresql: *[0-9]+'
check "test-versions.sh knows no other" none_but_these test/lib/test-versions.sh '^        [0-9]+\) echo [a-z ]+;;$'
for version in "${versions[@]}"; do
    check "test-versions.sh knows where $version is" has test/lib/test-versions.sh "^        $version\\) echo [a-z ]+;;\$"
done
none "what differs between versions is in extension/src/pg/compat.hpp alone" \
    "$(grep -rn 'PG_VERSION_NUM' extension/src | grep -vE '^extension/src/pg/compat.hpp:|#if PG_VERSION_NUM < [0-9]+$' || true)"

end_of_checks
