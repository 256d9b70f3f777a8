#!/usr/bin/env bash
# check-readme.sh FOLDER: what README.md has to be typed works as it stands there, in that order, as TAP. The SQL blocks show
# rows, in one session of psql; the first C++ program compiles against the client as "make install" lays it out, with what
# pkg-config says, and takes what waits; the commands of the shell succeed. It has a private server, in build/run/readme.
set -euo pipefail
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
out=$1
mkdir -p "$out"
run_place
server=$RUN/server

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

# ---- a server ----------------------------------------------------------------------------------------------

server_pid='' data=$RUN/readme sockets=''
clean_up() {
    if [ -n "$server_pid" ]; then kill -INT "$server_pid" 2>/dev/null || true; wait "$server_pid" 2>/dev/null || true; fi
    rm -rf "$data" ${sockets:+"$sockets"}
}
trap clean_up EXIT
trap 'exit 143' TERM INT HUP
start_server() {
    rm -rf "$data"; mkdir "$data"
    sockets=$(mktemp -d /tmp/pgpubsub.XXXXXX)
    give_to_server "$data" "$sockets"
    as_server "$server/bin/initdb" -D "$data/data" -U postgres -A trust -E UTF8 --no-locale --no-sync >"$out/initdb.log" 2>&1
    END_WITH_PARENT=INT become_server "$server/bin/postgres" -D "$data/data" -c listen_addresses= -c fsync=off \
        -c unix_socket_directories="$sockets" </dev/null >"$out/server.log" 2>&1 &
    server_pid=$!
    export PGHOST=$sockets PGUSER=postgres PATH="$server/bin:$PATH"
    for _ in {1..600}; do ! pg_isready -q || break; sleep 0.1; done
    createdb app
}

# ---- SQL ---------------------------------------------------------------------------------------------------

blocks=$(grep -c '^```sql' "$ROOT/README.md")
type_sql() {
    local i
    for ((i = 1; i <= blocks; i++)); do
        printf '\\echo == block %d\n' "$i"
        block sql "$i"
    done | psql -X -v ON_ERROR_STOP=1 -d app > "$out/sql.log" 2>&1 || { cat "$out/sql.log"; return 1; }
}
typed() { awk -v number="$1" '/^== block / { inside = $3 == number; next } inside' "$out/sql.log"; }
shows_rows() {
    typed "$1" | grep -E '^\([1-9][0-9]* rows?\)$|^INSERT 0 [1-9]' >/dev/null && ! typed "$1" | grep -E '^\(0 rows\)$|\| +0$' >/dev/null ||
        { typed "$1"; return 1; }
}

# ---- the program and the shell -----------------------------------------------------------------------------

block cpp 1 > "$out/first.cpp"
lines=$(grep -c . "$out/first.cpp" || true)
install_client() { "${MAKE:-make}" -C "$ROOT" -s client-install DESTDIR="$out/root" PREFIX=/opt/pgpubsub; }
compile() {
    local flags
    flags=$(PKG_CONFIG_PATH=$(dirname "$(find "$out/root" -name pgpubsub.pc)") PKG_CONFIG_SYSROOT_DIR="$out/root" \
        pkg-config --cflags --libs pgpubsub)
    # shellcheck disable=SC2086  # flags are words
    "${CXX:-g++}" -std=c++20 -Wall -Wextra -o "$out/first" "$out/first.cpp" $flags
}
finds_its_library() {
    LD_LIBRARY_PATH=$(dirname "$(find "$out/root" -name 'libpgpubsub.so' -print -quit)") ldd "$out/first" | grep 'libpgpubsub.*=> /'
}
# The library needs neither libpq's nor fmt's development files to be linked.
needs_no_more() { ! grep -E '^Requires' "$(find "$out/root" -name pgpubsub.pc)"; }
takes_what_waits() {
    local pid status=0
    LD_LIBRARY_PATH=$out/root/opt/pgpubsub/lib setpriv --pdeathsig KILL "$out/first" >"$out/first.log" 2>&1 & pid=$!
    for _ in {1..600}; do ! grep -q '^done: ' "$out/first.log" || break; sleep 0.1; done
    kill -TERM $pid
    wait $pid || status=$?
    cat "$out/first.log"
    [ $status -eq 0 ] && grep -q '^done: ' "$out/first.log" && [ "$(psql -XAtd app -c 'SELECT count(*) FROM scan_result')" -gt 0 ]
}
# Consumers run until they are stopped; here until nothing is left.
typed_in_shell() { block_with "$1" | sed 's/^\(pgpubsub listen [^#]*\)/\1 --drain /' | PATH=$out/root/opt/pgpubsub/bin:$PATH bash -euo pipefail; }

start_server
check "README.md has SQL" test "$blocks" -gt 0
check "all of it can be typed in order" type_sql
for ((i = 1; i <= blocks; i++)); do check "block $i shows rows" shows_rows "$i"; done
check "README.md has a C++ program" test "$lines" -gt 0
check "it has under 15 lines ($lines)" test "$lines" -lt 15
check "it is the one in examples/" diff "$out/first.cpp" "$ROOT/examples/first_program.cpp"
check "the client installs" install_client
check "pkg-config needs no other package" needs_no_more
check "the program compiles and links as it stands" compile
check "it finds the installed library" finds_its_library
check "it takes what waits" takes_what_waits
check "the shell's block with a consumer" typed_in_shell 'pgpubsub listen media'
export PGDATABASE=app
check "the shell's block for who looks after it" typed_in_shell 'pgpubsub stats'

end_of_checks
