#!/usr/bin/env bash
# check-deps.sh: what install-deps.sh asks for, with stand-ins for pg_config, dpkg and the installation; as TAP. Real
# machines are in "make test-start-states".
set -euo pipefail
lib=$(cd "$(dirname "$0")" && pwd)
dir=$(mktemp -d "${TMPDIR:-/tmp}/pgpubsub.XXXXXX")
trap 'rm -rf "$dir"' EXIT
unset PG_MAJOR EXTRA_PACKAGES

n=0 failed=0
# gives NAME EXPECTED-STATUS EXPECTED-PACKAGES PATTERN TARGET...: what was asked for, and what was said.
gives() {
    local name=$1 wanted_status=$2 wanted=$3 pattern=$4 status=0 said asked; shift 4
    n=$((n + 1))
    rm -f "$dir/asked"
    said=$(PATH="$dir/bin:$PATH" "$dir/install-deps.sh" "$@" 2>&1) || status=$?
    asked=$(cat "$dir/asked" 2>/dev/null || true)
    if [ $status -eq "$wanted_status" ] && [ "$asked" = "$wanted" ] && grep -q "$pattern" <<<"$said"; then
        echo "ok $n - $name"
    else
        echo "not ok $n - $name"
        printf '#   status %s, asked for: %s\n' "$status" "$asked"
        sed 's/^/#   /' <<<"$said"
        failed=1
    fi
}

# A PostgreSQL of one's own, whole but for what a test takes away; install-packages.sh brings it back, or not.
mkdir -p "$dir/bin" "$dir/pg"
cp "$lib/install-deps.sh" "$dir/"
whole() {
    rm -rf "$dir/pg"
    mkdir -p "$dir"/pg/{bin,include,share/extension} "$dir/pg/pgxs/src"/{makefiles,test/regress,test/isolation,test/perl/PostgreSQL/Test}
    touch "$dir"/pg/bin/{postgres,initdb,psql} "$dir/pg/include/postgres.h" "$dir/pg/share/extension/dblink.control" \
        "$dir/pg/pgxs/src/makefiles/pgxs.mk" "$dir/pg/pgxs/src/test/regress/pg_regress" \
        "$dir/pg/pgxs/src/test/isolation/pg_isolation_regress" "$dir/pg/pgxs/src/test/perl/PostgreSQL/Test/Cluster.pm"
}
version() {
    cat > "$dir/pg/bin/pg_config" <<END
#!/bin/sh
case \$1 in
    --version) echo 'PostgreSQL $1' ;;
    --bindir) echo '$dir/pg/bin' ;;
    --sharedir) echo '$dir/pg/share' ;;
    --includedir-server) echo '$dir/pg/include' ;;
    --pgxs) echo '$dir/pg/pgxs/src/makefiles/pgxs.mk' ;;
    --cc) echo 'sh -O2' ;;
esac
END
    chmod 755 "$dir/pg/bin/pg_config"
}
stand_in() { printf '#!/bin/sh\n%s\n' "$2" > "$dir/$1"; chmod 755 "$dir/$1"; }
stand_in bin/dpkg-query 'case "$*" in *-server-dev-*|*extra*|*postgresql-client*) exit 1 ;; *) printf installed ;; esac'
stand_in bin/apt-get 'exit 1'
stand_in bin/id 'echo 0'
stand_in install-packages.sh "echo \"\$*\" > '$dir/asked'; [ ! -e '$dir/brings' ] || . '$dir/brings'"
export PG_CONFIG=$dir/pg/bin/pg_config

whole; version 16.4
gives 'nothing is missing: nothing is asked for' 0 '' '' build demo test
echo "touch '$dir/pg/include/postgres.h'" > "$dir/brings"
rm "$dir/pg/include/postgres.h"
gives 'the headers: of the version that pg_config names' 0 'postgresql-server-dev-16' '' build
rm "$dir/pg/pgxs/src/test/perl/PostgreSQL/Test/Cluster.pm"
gives 'a build of its own without TAP: the demo does not care' 0 '' '' demo
gives 'but the TAP suite says so' 1 'postgresql-client-16' 'enable-tap-tests' tap
whole; version 16.4
rm "$dir/pg/include/postgres.h" "$dir/brings"
gives 'what is still missing after the installation is named' 1 'postgresql-server-dev-16' "the server's headers (postgres.h)" build
EXTRA_PACKAGES='pv extra' gives 'and packages that are wanted besides' 1 'postgresql-server-dev-16 extra' 'the package extra' build
stand_in bin/dpkg-query 'printf installed'
gives 'a package that is there and does not have what it should' 1 '' 'although the packages' build
whole; version 14.1
gives 'a version that is too old' 1 '' 'no pg_config of PostgreSQL 15 or later (PostgreSQL 14.1)' build
PG_CONFIG=/nosuch/pg_config gives 'a PG_CONFIG that names nothing' 1 '' 'names no program' build
gives 'a target that there is not' 1 '' 'there is no target nosuch' nosuch

# What apt says of a package goes on behind the line that is looked for, and what reads it must not end before.
n=$((n + 1))
stand_in bin/apt-cache 'case $1 in depends) echo "  Depends: postgresql-17" ;; policy) echo "  Candidate: 17.1-1"; seq 100000 ;; esac'
got=$(PATH="$dir/bin:$PATH"; eval "$(sed -n '/^has_candidate()/,/^}/p' "$lib/install-packages.sh")"; newest_postgresql)
if [ "$got" = 17 ]; then echo "ok $n - the PostgreSQL that apt has"; else echo "not ok $n - the PostgreSQL that apt has"; failed=1; fi

echo "1..$n"
exit $failed
