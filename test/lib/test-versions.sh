#!/usr/bin/env bash
# Runs every test on other versions of PostgreSQL than the machine's own, and ends with the line
# "N passed, N failed". "make test-versions" is the usual way in. It needs root and Debian's archive.
#
#   VERSIONS       the versions: those of the file postgresql-versions but the machine's own unless given. Each named version is tested or counts as a
#                  failure that says why: none is left out in silence
#   VERSIONS_DIR   where the Debian systems live that hold the versions, /var/tmp/pgpubsub-versions
#                  unless given. Each takes 1.5 GB, is made when it is missing, and kept for next time
#   SUITES, T      the suites, as for test/lib/run-tests.sh, and which of test/t; all of them unless given
#   MIRROR         Debian's archive; the one that this machine's apt uses unless given
#
# The tests run as user postgres in a chroot, on a copy of the sources that git knows or would add.
# What the chroot needs mounted, and every process started in it, live in namespaces that end with
# this script, however it ends. Each version's whole output is kept in VERSIONS_DIR/VERSION.log.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd -P)
own=$("${PG_CONFIG:-pg_config}" --version 2>/dev/null | sed 's/[^0-9]*\([0-9]*\).*/\1/' || true)
: "${VERSIONS:=$(grep -v '^#' "$root/test/lib/postgresql-versions" | grep -vx "${own:-none}" | xargs)}" "${VERSIONS_DIR:=/var/tmp/pgpubsub-versions}"
# shellcheck source=debian.sh
. "$root/test/lib/debian.sh"
: "${MIRROR:=$(debian_archive)}"
[ -n "$MIRROR" ] || exit 1

die() { printf '%s: %s\n' "$(basename "$0")" "$*" >&2; exit 1; }

# The release that has a version, and the one on top of it that must lend it.
suites_of() {
    case $1 in
        15) echo bookworm ;;
        17) echo trixie ;;
        18) echo sid ;;
        19) echo sid experimental ;;
        *)  return 1 ;;
    esac
}

# What a version's packages need beside install-deps.sh's.
packages_of() {
    case $1 in
        19) echo libcurl4-openssl-dev ;;        # libpq.pc of 19rc1 requires it, libpq-dev does not
    esac
}

# ---- in the namespaces: what is here runs as this script once more, as process 1 ------------------

# A system that starts no service, takes old indexes (a mirror of sid may lag), and takes from the
# second release what belongs to this PostgreSQL and nothing else.
configure() {
    local version=$1 extra=${2:-}
    printf '#!/bin/sh\nexit 101\n' > "$system/usr/sbin/policy-rc.d"
    chmod 755 "$system/usr/sbin/policy-rc.d"
    printf 'Acquire::Check-Valid-Until "false";\nAPT::Install-Recommends "false";\n' > "$system/etc/apt/apt.conf.d/90pgpubsub"
    settings_of_apt > "$system/etc/apt/apt.conf.d/91this-machine"
    if [ -n "$extra" ]; then
        echo "deb $MIRROR $extra main" > "$system/etc/apt/sources.list.d/$extra.list"
        printf 'Package: src:postgresql-%s\nPin: release a=%s\nPin-Priority: 900\n' "$version" "$extra" \
            > "$system/etc/apt/preferences.d/$extra"
    fi
}

# Makes the system when there is none yet. One that was not finished has another name, and is made anew.
make_system() {
    local version=$1 base=$2 extra=${3:-} finished=$system
    [ ! -d "$system" ] || return 0
    system=$finished.unfinished
    rm -rf "$system"
    echo "making a Debian $base${extra:+ with $extra} in $finished"
    debootstrap --variant=minbase "$base" "$system" "$MIRROR"
    configure "$version" "$extra"
    mv "$system" "$finished"
    system=$finished
}

test_version() {
    local version=$1 pg_config=/usr/lib/postgresql/$1/bin/pg_config base extra
    read -r base extra < <(suites_of "$version")
    system=$VERSIONS_DIR/$version
    make_system "$version" "$base" "$extra"
    mount_what_it_needs
    mkdir -p "$system/tmp/deps"
    cp "$root"/test/lib/install-*.sh "$system/tmp/deps/"
    in_chroot PG_CONFIG="$pg_config" PG_MAJOR="$version" EXTRA_PACKAGES="$(packages_of "$version")" /tmp/deps/install-deps.sh tap
    rm -rf "$system/src"
    copy_sources "$root" "$system/src"
    in_chroot chown -R postgres:postgres /src
    in_chroot setpriv --reuid=postgres --regid=postgres --init-groups env HOME=/src USER=postgres LOGNAME=postgres \
        make -C /src --no-print-directory WERROR=1 NO_DEPS=1 PG_CONFIG="$pg_config" ${SUITES:+"SUITES=$SUITES"} ${T:+"T=$T"} test </dev/null
}

if [ "${1:-}" = --in-namespaces ]; then
    test_version "$2"
    exit
fi

# ---- outside -------------------------------------------------------------------------------------

[ "$(id -u)" -eq 0 ] || die "other versions of PostgreSQL are installed with debootstrap and run in a chroot, which takes root"
for version in $VERSIONS; do suites_of "$version" >/dev/null || die "PostgreSQL $version is in no release of Debian that this script knows"; done
command -v debootstrap >/dev/null || { apt-get -qq update && apt-get -qq install -y debootstrap; } >/dev/null 2>&1 || die "debootstrap is missing"
mkdir -p "$VERSIONS_DIR"
export VERSIONS VERSIONS_DIR MIRROR

passed=0 failed=0
for version in $VERSIONS; do
    log=$VERSIONS_DIR/$version.log totals=$VERSIONS_DIR/$version/src/build/run/test/totals status=0
    echo "PostgreSQL $version in $VERSIONS_DIR/$version ($log)"
    exec 9> "$VERSIONS_DIR/$version.lock"
    # What runs in the chroot inherits the lock: there is no second run before the last of it has ended.
    flock -n 9 || die "another run is using $VERSIONS_DIR/$version"
    rm -f "$totals"
    setpriv --pdeathsig KILL unshare --mount --pid --ipc --fork --kill-child \
        bash "$0" --in-namespaces "$version" >"$log" 2>&1 </dev/null || status=$?
    exec 9>&-
    p=0 f=0
    if [ -f "$totals" ]; then read -r p _ f _ < "$totals"; fi
    # What went wrong before the first test, or after the last, is a failure too.
    if [ "$status" -ne 0 ] && [ "$f" -eq 0 ]; then f=1; fi
    if [ $((p + f)) -eq 0 ]; then f=1; fi
    if [ "$f" -gt 0 ]; then tail -n 200 "$log" | sed "s/^/[$version] /"; fi
    summary+=("PostgreSQL $version: $p passed, $f failed")
    passed=$((passed + p)) failed=$((failed + f))
done

echo
printf '%s\n' "${summary[@]}"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
