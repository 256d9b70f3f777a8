#!/usr/bin/env bash
# check-readme.sh FOLDER: what README.md has to be typed works as it stands there, in that order, as TAP. The SQL blocks show
# rows, in one session of psql; the first C++ program compiles against the client as "make install" lays it out, with what
# pkg-config says, and takes what waits; the commands of the shell succeed. It has a private server, in build/run/readme.
set -euo pipefail
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
OUT=$1
# shellcheck source=docs-server.sh
. "$(dirname "$0")/docs-server.sh"
# shellcheck source=tap.sh
. "$(dirname "$0")/tap.sh"

# block LANGUAGE NUMBER: a block of README.md that begins so ("" for the shell's, which have no language).
block() {
    awk -v language="$1" -v number="$2" '
        /^```/ { if (inside) { inside = 0; next } inside = 1; wanted = ($0 == "```" language && ++seen == number); next }
        inside && wanted' "$ROOT/README.md"
}
# The shell's block that has a text.
block_with() { local i; for i in {1..30}; do if block '' "$i" | grep -F "$1" >/dev/null; then block '' "$i"; return; fi; done; return 1; }

# ---- SQL ---------------------------------------------------------------------------------------------------

blocks=$(grep -c '^```sql' "$ROOT/README.md")
type_sql() {
    local i
    for ((i = 1; i <= blocks; i++)); do
        printf '\\echo == block %d\n' "$i"
        block sql "$i"
    done | psql -X -v ON_ERROR_STOP=1 -d app > "$OUT/sql.log" 2>&1 || { cat "$OUT/sql.log"; return 1; }
}
typed() { awk -v number="$1" '/^== block / { inside = $3 == number; next } inside' "$OUT/sql.log"; }
shows_rows() {
    typed "$1" | grep -E '^\([1-9][0-9]* rows?\)$|^INSERT 0 [1-9]' >/dev/null && ! typed "$1" | grep -E '^\(0 rows\)$|\| +0$' >/dev/null ||
        { typed "$1"; return 1; }
}
# What README.md shows after its first block is the last result of that.
shows_the_same() {
    diff <(block_with '"path": "/etc/hostname"}, "old"' | sed 's/ *$//') <(typed 1 | sed 's/ *$//' | grep -A2 '^ id | *payload')
}

# ---- the program and the shell -----------------------------------------------------------------------------

block cpp 1 > "$OUT/first.cpp"
lines=$(grep -c . "$OUT/first.cpp" || true)
finds_its_library() {
    LD_LIBRARY_PATH=$(dirname "$(find "$CLIENT" -name 'libpgpubsub.so' -print -quit)") ldd "$OUT/first" | grep 'libpgpubsub.*=> /'
}
# The library needs neither libpq's nor fmt's development files to be linked.
needs_no_more() { ! grep -E '^Requires' "$(find "$CLIENT" -name pgpubsub.pc)"; }
takes_what_waits() {
    local pid status=0
    LD_LIBRARY_PATH=$CLIENT/opt/pgpubsub/lib setpriv --pdeathsig KILL "$OUT/first" >"$OUT/first.log" 2>&1 & pid=$!
    for _ in {1..600}; do ! grep -q '^done: ' "$OUT/first.log" || break; sleep 0.1; done
    kill -TERM "$pid"
    wait "$pid" || status=$?
    cat "$OUT/first.log"
    [ "$status" -eq 0 ] && grep -q '^done: ' "$OUT/first.log" && [ "$(psql -XAtd app -c 'SELECT count(*) FROM scan_result')" -gt 0 ]
}
# Consumers run until they are stopped; here until nothing is left.
typed_in_shell() { block_with "$1" | sed 's/^\(pgpubsub listen [^#]*\)/\1 --drain /' | PATH=$CLIENT/opt/pgpubsub/bin:$PATH bash -euo pipefail; }

start_server
check "README.md has SQL" test "$blocks" -gt 0
check "all of it can be typed in order" type_sql
for ((i = 1; i <= blocks; i++)); do check "block $i shows rows" shows_rows "$i"; done
check "the first shows what README.md says that it does" shows_the_same
check "README.md has a C++ program" test "$lines" -gt 0
check "it has under 15 lines ($lines)" test "$lines" -lt 15
check "it is the one in examples/" diff "$OUT/first.cpp" "$ROOT/examples/first_program.cpp"
check "the client installs" install_client
check "pkg-config needs no other package" needs_no_more
check "the program compiles and links as it stands" compile "$OUT/first" "$OUT/first.cpp"
check "it finds the installed library" finds_its_library
check "it takes what waits" takes_what_waits
check "the shell's block with a consumer" typed_in_shell 'pgpubsub listen media'
export PGDATABASE=app
check "the shell's block for who looks after it" typed_in_shell 'pgpubsub stats'

end_of_checks
