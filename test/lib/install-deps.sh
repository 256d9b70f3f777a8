#!/usr/bin/env bash
# Makes sure that what is needed to build, test and demonstrate pgpubsub is there. On Debian it
# installs the packages that are missing, says which, and asks apt nothing when none is. It neither
# makes nor starts a database cluster. Without the right to install it prints the command to run.
# EXTRA_PACKAGES names more that are wanted, PG_MAJOR the PostgreSQL where PG_CONFIG finds none.
set -euo pipefail

pg_config=${PG_CONFIG:-pg_config}
packages=(make g++ pkg-config libpq-dev libfmt-dev libcli11-dev nlohmann-json3-dev libssl-dev doctest-dev
          libipc-run-perl pgbouncer pv)
read -r -a extra <<<"${EXTRA_PACKAGES:-}"
packages+=("${extra[@]}")

# The server: the one that PG_CONFIG names, if it is whole; else Debian's.
server_is_whole() {
    local bindir pgxs
    bindir=$("$pg_config" --bindir 2>/dev/null) && pgxs=$("$pg_config" --pgxs 2>/dev/null) &&
        [ -x "$bindir/postgres" ] && [ -f "$pgxs" ] && [ -f "${pgxs%/makefiles/pgxs.mk}/test/perl/PostgreSQL/Test/Cluster.pm" ]
}

if ! command -v dpkg-query >/dev/null; then
    server_is_whole || {
        echo "Not a Debian system: please install PostgreSQL 15 or later with its development files," >&2
        echo "and what these Debian packages hold: ${packages[*]}" >&2
        exit 1
    }
    exit 0
fi

if ! server_is_whole; then
    case ${PG_MAJOR:-$(. /etc/os-release && echo "debian-${VERSION_ID:-}")} in
        debian-12) major=15 ;;
        debian-13) major=17 ;;
        debian-*)  major=18 ;;
        *)         major=$PG_MAJOR ;;
    esac
    packages+=("postgresql-$major" "postgresql-server-dev-$major")
fi

installed=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' "${packages[@]}" 2>/dev/null || true)
missing=()
for package in "${packages[@]}"; do
    grep -qx "$package installed" <<<"$installed" || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

command=(apt-get install -y --no-install-recommends "${missing[@]}")
as_root=()
if [ "$(id -u)" -ne 0 ]; then
    # With a terminal sudo may ask for the password; without one it must not wait for it.
    sudo=(sudo); [ -t 0 ] || sudo=(sudo -n)
    if ! command -v sudo >/dev/null || ! "${sudo[@]}" true 2>/dev/null; then
        echo "These packages are missing, and installing them takes root. Please run:" >&2
        echo "    ${command[*]}" >&2
        exit 1
    fi
    as_root=("${sudo[@]}")
fi

# A server package would make and start a cluster unless it is told not to, before it is installed.
conf=/etc/postgresql-common/createcluster.conf
if printf '%s\n' "${missing[@]}" | grep -q '^postgresql-[0-9]' && [ ! -e $conf ]; then
    "${as_root[@]}" mkdir -p "$(dirname $conf)"
    echo 'create_main_cluster = false' | "${as_root[@]}" tee $conf >/dev/null
fi

# apt NAME ARGUMENT...: a mirror that is busy or being updated is asked again.
apt() {
    local try
    for try in 1 2 3; do
        "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -o Dpkg::Use-Pty=0 -o Dpkg::Options::=--force-confold \
            -o DPkg::Lock::Timeout=120 "$@" </dev/null && return 0
        echo "apt-get $1 failed (try $try of 3)" >&2
        sleep $((try * 3))
    done
    return 1
}

echo "Installing: ${missing[*]}"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! { apt update && apt "${command[@]:1}"; } >"$log" 2>&1; then
    tail -n 40 "$log" >&2
    echo "Could not install: ${missing[*]}" >&2
    exit 1
fi
