#!/usr/bin/env bash
# Builds pgpubsub and runs its demo on machines as people have them, each a small Debian of its own, and ends with the
# line "N passed, N failed". "make test-start-states" is the usual way in. It needs root and Debian's archive.
#
#   STATES        which of them; all unless given (the list is in start-states.sh, each a function state_NAME)
#   STATES_DIR    where the systems and what they need are kept, /var/tmp/pgpubsub-start-states unless given: a system
#                 of each release before anything is installed, the packages and the compiler's results for next time
#   MIRROR        Debian's archive; the one that this machine's apt uses unless given
#
# A state's system is made anew, used in namespaces that end with this script, and removed; one that failed is kept until
# the next run. What each said is in STATES_DIR/NAME.log.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd -P)
# shellcheck source=debian.sh
. "$root/test/lib/debian.sh"
# shellcheck source=start-states.sh
. "$root/test/lib/start-states.sh"
: "${STATES:=$(declare -F | sed -n 's/^declare -f state_//p' | tr _ -)}" "${STATES_DIR:=/var/tmp/pgpubsub-start-states}"
: "${MIRROR:=$(debian_archive)}"
[ -n "$MIRROR" ] || exit 1

die() { printf '%s: %s\n' "$(basename "$0")" "$*" >&2; exit 1; }

# ---- in the namespaces: what is here runs as this script once more, as process 1 ---------------------------

run_state() {
    local function=state_${1//-/_}
    system=$STATES_DIR/$1
    suite=$(release_of "$1")
    rm -rf --one-file-system "$system"
    mkdir "$system"
    tar -C "$system" -xf "$STATES_DIR/$suite.tar"
    mount_what_it_needs
    # Packages are fetched once, files compiled once, for all states.
    mkdir -p "$STATES_DIR/packages-$suite/partial" "$STATES_DIR/ccache-$suite" "$system/var/cache/ccache"
    chmod 1777 "$STATES_DIR/ccache-$suite"
    mount --bind "$STATES_DIR/packages-$suite" "$system/var/cache/apt/archives"
    mount --bind "$STATES_DIR/ccache-$suite" "$system/var/cache/ccache"
    mkdir "$system/some-files"
    local i; for i in {1..40}; do echo "$i" > "$system/some-files/file $i"; done
    checks=0 failures=0
    "$function"
    if [ $checks -eq 0 ]; then echo "not ok - $1 checks nothing"; fi
    [ $failures -eq 0 ]
}

if [ "${1:-}" = --in-namespaces ]; then
    run_state "$2"
    exit
fi

# ---- outside -----------------------------------------------------------------------------------------------

[ "$(id -u)" -eq 0 ] || die "the machines are made with debootstrap and run in a chroot, which takes root"
for state in $STATES; do declare -F "state_${state//-/_}" >/dev/null || die "there is no state $state"; done
command -v debootstrap >/dev/null || { apt-get -qq update && apt-get -qq install -y debootstrap; } >/dev/null 2>&1 || die "debootstrap is missing"
mkdir -p "$STATES_DIR"
exec 9> "$STATES_DIR/lock"
flock -n 9 || die "another run is using $STATES_DIR"
export STATES STATES_DIR MIRROR

# A Debian of a release, as debootstrap makes it, and ccache, which nothing looks for.
for suite in $(for state in $STATES; do release_of "$state"; done | sort -u); do
    [ ! -f "$STATES_DIR/$suite.tar" ] || continue
    echo "making a Debian $suite"
    base=$STATES_DIR/$suite.unfinished
    rm -rf --one-file-system "$base"
    debootstrap --variant=minbase --include=ccache "$suite" "$base" "$MIRROR" >"$STATES_DIR/$suite.log" 2>&1 9>&- ||
        die "debootstrap $suite failed: $STATES_DIR/$suite.log"
    settings_of_apt > "$base/etc/apt/apt.conf.d/91this-machine"
    echo 'Binary::apt-get::APT::Keep-Downloaded-Packages "true";' > "$base/etc/apt/apt.conf.d/92keep-packages"
    echo force-unsafe-io > "$base/etc/dpkg/dpkg.cfg.d/quick"
    rm -f "$base"/var/cache/apt/archives/*.deb
    tar -C "$base" -cf "$STATES_DIR/$suite.tar.unfinished" .
    mv "$STATES_DIR/$suite.tar.unfinished" "$STATES_DIR/$suite.tar"
    rm -rf --one-file-system "$base"
done

passed=0 failed=0
for state in $STATES; do
    log=$STATES_DIR/$state.log status=0 begun=$SECONDS
    echo "== $state"
    setpriv --pdeathsig KILL unshare --mount --pid --ipc --fork --kill-child \
        bash "$0" --in-namespaces "$state" >"$log" 2>&1 </dev/null || status=$?
    grep -E '^(not )?ok - ' "$log" || true
    p=$(grep -c '^ok - ' "$log" || true) f=$(grep -c '^not ok - ' "$log" || true)
    # What went wrong outside the checks is a failure too.
    if [ "$status" -ne 0 ] && [ "$f" -eq 0 ]; then f=1; fi
    if [ "$f" -gt 0 ]; then tail -n 60 "$log" | sed "s/^/[$state] /"; else rm -rf --one-file-system "${STATES_DIR:?}/$state"; fi
    summary+=("$(printf '%-28s %3d passed %3d failed  %4d s' "$state" "$p" "$f" $((SECONDS - begun)))")
    passed=$((passed + p)) failed=$((failed + f))
done

echo
printf '%s\n' "${summary[@]}"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
