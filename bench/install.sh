#!/usr/bin/env bash
# Installs what only the benchmarks need: Debian packages like any others (test/lib/install-deps.sh), and the npm packages of
# bench/peers/package.json into build/bench/peers, in exactly the versions of its lock file. PEERS chooses.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=settings.sh
. bench/settings.sh

for peer in $PEERS; do
    case $peer in pgq | pg-boss | graphile-worker | redis) ;; *) echo "PEERS: there is no $peer" >&2; exit 1 ;; esac
done
needs_node=
if wants pg-boss "$PEERS" || wants graphile-worker "$PEERS"; then needs_node=1; fi

if [ -z "${NO_DEPS:-}" ]; then
    test/lib/install-deps.sh demo   # the server first: what PgQ is for
    packages=(python3)
    if wants pgq "$PEERS"; then
        major=$("${PG_CONFIG:-pg_config}" --version | sed 's/^[^0-9]*\([0-9]*\).*/\1/')
        packages+=("postgresql-$major-pgq3")
    fi
    # redis-tools has the server too; the package redis-server would start one.
    if wants redis "$PEERS"; then packages+=(redis-tools libhiredis-dev); fi
    if [ -n "$needs_node" ] && ! command -v npm >/dev/null; then packages+=(nodejs npm); fi
    if ! EXTRA_PACKAGES=${packages[*]} test/lib/install-deps.sh; then
        echo "PEERS=\"…\" leaves systems out that can't be installed (now: $PEERS)." >&2
        exit 1
    fi
fi

if [ -n "$needs_node" ]; then
    there=build/bench/peers
    mkdir -p $there
    if ! cmp -s bench/peers/package-lock.json $there/installed; then
        cp bench/peers/package.json bench/peers/package-lock.json $there/
        echo "Installing from npm: $(sed -n '/ependencies"/,/}/s/^    "\(.*\)": "\(.*\)".*/\1@\2/p' bench/peers/package.json | tr '\n' ' ')"
        if ! (cd $there && npm ci --no-audit --no-fund) >$there/npm.log 2>&1; then
            tail -n 20 $there/npm.log >&2
            echo "Could not install from npm. PEERS=\"…\" leaves pg-boss and graphile-worker out (now: $PEERS)." >&2
            exit 1
        fi
        cp bench/peers/package-lock.json $there/installed
    fi
    cp bench/peers/*.mjs $there/
fi
