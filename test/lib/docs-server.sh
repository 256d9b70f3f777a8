# Sourced by the checks of the documents: a private server that has the database "app", and the client as "make install" lays it out.
# Before: OUT, the folder for logs. After: PGHOST, PGUSER and PATH lead to the server, CLIENT to the client.
# shellcheck shell=bash

mkdir -p "$OUT"
run_place
server=$RUN/server server_pid='' data=$RUN/readme sockets='' CLIENT=$OUT/root
clean_up() {
    [ -n "$sockets" ] || return 0
    if [ -n "$server_pid" ]; then kill -INT "$server_pid" 2>/dev/null || true; wait "$server_pid" 2>/dev/null || true; fi
    rm -rf "$data" "$sockets"
}
trap clean_up EXIT
trap 'exit 143' TERM INT HUP

# start_server OPTION...
start_server() {
    rm -rf "$data"; mkdir "$data"
    sockets=$(mktemp -d /tmp/pgpubsub.XXXXXX)
    give_to_server "$data" "$sockets"
    as_server "$server/bin/initdb" -D "$data/data" -U postgres -A trust -E UTF8 --no-locale --no-sync >"$OUT/initdb.log" 2>&1
    END_WITH_PARENT=INT become_server "$server/bin/postgres" -D "$data/data" -c listen_addresses= -c fsync=off \
        -c unix_socket_directories="$sockets" "$@" </dev/null >"$OUT/server.log" 2>&1 &
    server_pid=$!
    export PGHOST=$sockets PGUSER=postgres PATH="$server/bin:$PATH"
    for _ in {1..600}; do ! pg_isready -q || break; sleep 0.1; done
    createdb app
}

install_client() {
    [ -e "$CLIENT" ] || "${MAKE:-make}" -C "$ROOT" -s client-install DESTDIR="$CLIENT" PREFIX=/opt/pgpubsub
}
# compile PROGRAM SOURCE OPTION...: with what pkg-config says, and nothing else.
compile() {
    local program=$1 source=$2 flags
    shift 2
    flags=$(PKG_CONFIG_PATH=$(dirname "$(find "$CLIENT" -name pgpubsub.pc)") PKG_CONFIG_SYSROOT_DIR="$CLIENT" \
        pkg-config --cflags --libs pgpubsub)
    # shellcheck disable=SC2086  # flags are words
    "${CXX:-g++}" -std=c++20 -Wall -Wextra "$@" -o "$program" "$source" $flags
}
