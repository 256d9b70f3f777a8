#!/usr/bin/env bash
# Runs the extension's tests in a PostgreSQL that checks itself: Debian's source package, built with
# assertions. Then the SQL tests once more with debug_discard_caches = 1, where each look into the catalog
# forgets all that was cached: what still points there is found. Ends with the line "N passed, N failed".
# "make test-assert" is the usual way in.
#
# All of it happens in a copy of the sources, build/assert. The server is built once (some minutes), into
# the place of the copy's private server, and kept for the next time until "make clean".
#
#   SUITES   the suites, as for test/lib/run-tests.sh: "regress isolation preloaded tap discard" unless given
#   T        which of test/t
set -euo pipefail
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
: "${SUITES:=regress isolation preloaded tap discard}" "${MAKE:=make}"

[ -n "${NO_DEPS:-}" ] || EXTRA_PACKAGES='bison flex libicu-dev liblz4-dev libxml2-dev' "$ROOT/test/lib/install-deps.sh" tap
copy=$BUILD/assert
major=$("${PG_CONFIG:-pg_config}" --version | sed 's/^PostgreSQL \([0-9]*\).*/\1/')

copy_sources "$copy"
BUILD=$copy/build
run_place
server=$RUN/server

# ---- the server ----------------------------------------------------------------------------------

# private_apt PROGRAM ARGUMENT...: apt with the machine's archives as sources of source packages. Lists and cache are its own,
# so that the machine's apt stays as it is, and no right is needed.
private_apt() {
    local program=$1 apt=$work/apt; shift
    "$program" -q -o Dir::Etc::SourceList="$apt/sources.list" -o Dir::Etc::SourceParts=- -o Dir::State::Lists="$apt/lists" \
        -o Dir::Cache="$apt/cache" -o APT::Sandbox::User="$(id -un)" "$@"
}

# What is called in a condition, as these two are, does not end at the first failure by itself.
#
# The source as PostgreSQL released it: Debian's patches would put the libraries to where Debian has its own.
fetch_source() {
    local version
    mkdir -p "$work/apt/lists/partial" "$work/apt/cache/archives/partial" "$work/source"
    # shellcheck disable=SC2016  # apt's own variables
    apt-get indextargets --format '$(CREATED_BY) $(REPO_URI) $(RELEASE) $(COMPONENT) $(SIGNED_BY)' |
        while read -r kind uri release component key; do
            [ "$kind" = Packages ] || continue
            case $key in /*) key="[signed-by=${key// /,}] " ;; *) key= ;; esac
            echo "deb-src $key$uri $release $component"
        done | sort -u > "$work/apt/sources.list"
    [ -s "$work/apt/sources.list" ] || die "apt names no archive that could have the source of PostgreSQL"
    private_apt apt-get update
    # The newest one that is to be had: an archive may have dropped what its index still names.
    for version in $(private_apt apt-cache madison "postgresql-$major" | awk '/Sources$/ { print $3 }'); do
        (cd "$work" && private_apt apt-get source --download-only "postgresql-$major=$version") || continue
        tar -C "$work/source" --strip-components=1 -xf "$(find "$work" -maxdepth 1 -name '*.orig.tar.*' ! -name '*.asc')" && return
    done
    die "no archive has the source of postgresql-$major"
}

# What no test asks for is left out, so that no further package is needed.
options='--enable-cassert --enable-tap-tests --enable-debug --with-icu --with-libxml --with-lz4 --with-ssl=openssl --without-readline --without-zlib'
# What tests ask CREATE EXTENSION, or a replication slot, for.
contrib='amcheck hstore postgres_fdw test_decoding'

build_server() {
    local jobs module stage=$work/stage
    fetch_source || return
    jobs=$(nproc)
    cd "$work/source" || return
    # shellcheck disable=SC2086  # options are words
    ./configure --prefix="$server" $options CFLAGS='-O1 -fno-omit-frame-pointer' &&
        # Into a place of its own first: nothing may land outside the server's folder.
        "$MAKE" -j"$jobs" -C src && "$MAKE" -C src install DESTDIR="$stage" || return
    for module in $contrib; do "$MAKE" -j"$jobs" -C "contrib/$module" install DESTDIR="$stage" || return; done
    if [ -n "$(find "$stage" ! -type d ! -path "$stage$server/*")" ]; then
        echo "PostgreSQL would install files outside $server"
        return 1
    fi
    rm -rf "$server"
    mv "$stage$server" "$server"
}

if [ "$(cat "$server/assertions" 2>/dev/null)" != "$major $options $contrib" ]; then
    work=$RUN/postgresql log=$RUN/postgresql.log
    say "Building PostgreSQL $major with assertions, which takes some minutes ($log)"
    rm -rf "$work"; mkdir -p "$work"
    # make of this tree has told make of its own: that one must know nothing of it.
    (unset MAKEFLAGS MAKELEVEL MFLAGS; build_server) >"$log" 2>&1 </dev/null || { tail -n 40 "$log"; die "PostgreSQL could not be built"; }
    echo "$major $options $contrib" > "$server/assertions"
    rm -rf "$work"
fi

# ---- the tests -----------------------------------------------------------------------------------

# capture_replay: an assertion of PostgreSQL's own heap_update() (15.18, "HEAP_XMAX_IS_LOCKED_ONLY(infomask_lock_old_tuple)")
# fails by its statements on a plain table too, where this extension is not installed.
# stats_not_stored: RollbackAndReleaseCurrentSubTransaction() asserts that no COMMIT is under way; a deferred trigger in
# PL/pgSQL that catches an error fails there likewise, where this extension is not installed.
export PGPUBSUB_LEFT_OUT='capture_replay|stats_not_stored'

for what in sharedir pkglibdir; do
    case $("$server/bin/pg_config" "--$what") in "$server"/*) ;; *) die "the server is not by itself: --$what" ;; esac
done
export PG_CONFIG=$server/bin/pg_config NO_DEPS=1 PGPUBSUB_SUITE_TIMEOUT=${PGPUBSUB_SUITE_TIMEOUT:-5400}
"$MAKE" -C "$copy" --no-print-directory -j"$(nproc)" WERROR=1 PG_CONFIG="$PG_CONFIG" everything-for-tests
"$MAKE" -C "$copy" --no-print-directory WERROR=1 PG_CONFIG="$PG_CONFIG" private
# shellcheck disable=SC2086  # names of suites
CXX=${CXX:-g++} MAKE=$MAKE exec "$copy/test/lib/run-tests.sh" $SUITES
