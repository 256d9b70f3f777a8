#!/usr/bin/env bash
# check-docs.sh FOLDER: the examples in doc/ run (check-examples.pl), and doc/reference/ is complete (check-reference.pl). It has
# a private server where the library is preloaded, in build/run/readme.
set -euo pipefail
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
OUT=$1
# shellcheck source=docs-server.sh
. "$(dirname "$0")/docs-server.sh"

# compile PROGRAM SOURCE OPTION..., for the scripts.
if [ "${2:-}" = compile ]; then compile "${@:3}"; exit; fi

start_server -c shared_preload_libraries=pgpubsub -c wal_level=logical -c max_prepared_transactions=2
install_client
export PGDATABASE=app PATH=$CLIENT/opt/pgpubsub/bin:$PATH LD_LIBRARY_PATH=$CLIENT/opt/pgpubsub/lib
status=0
psql -Xq -d app -c 'CREATE EXTENSION pgpubsub'
"$ROOT/test/lib/check-reference.pl" "$(pg_config --includedir-server)" || status=1
"$ROOT/test/lib/check-examples.pl" "$OUT" "$0" "$OUT" compile || status=1
exit $status
