#!/usr/bin/env bash
# install-packages.sh PACKAGE...: installs Debian packages, as root, and nothing else: no service is started or will
# start with the machine, no database cluster is made, and no file is left that says so to packages that are installed later.
# NN in a name (postgresql-NN) is the PostgreSQL of this Debian, or of what is derived from it: what apt says it is.
set -euo pipefail

die() { printf '%s\n' "$@" >&2; exit 1; }
[ "$(id -u)" -eq 0 ] || die "install-packages.sh: it takes root to install packages"
export LC_ALL=C DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 PATH=$PATH:/usr/sbin:/sbin

# ---- for the time of the installation -----------------------------------------------------------------

mark='# for the time of an installation by pgpubsub'
policy=/usr/sbin/policy-rc.d kept=/usr/sbin/policy-rc.d.kept-by-pgpubsub
clusters=/etc/postgresql-common/createcluster.d no_cluster=/etc/postgresql-common/createcluster.d/pgpubsub-install.conf
log='' made=()

as_it_was() {
    local i
    if grep -qsF "$mark" $policy; then rm -f $policy; fi
    if [ -e $kept ]; then mv -f $kept $policy; fi
    rm -f $no_cluster
    for ((i = ${#made[@]} - 1; i >= 0; i--)); do rmdir "${made[i]}" 2>/dev/null || true; done
    if [ -n "$log" ]; then rm -f "$log"; fi
}
as_it_was                       # what a run left behind that was killed
trap as_it_was EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

if [ -e $policy ]; then mv $policy $kept; fi
printf '#!/bin/sh\n%s\nexit 101\n' "$mark" > $policy
chmod 755 $policy
for dir in /etc/postgresql-common $clusters; do if [ ! -d "$dir" ]; then mkdir "$dir"; made+=("$dir"); fi; done
printf '%s\ncreate_main_cluster = false\n' "$mark" > $no_cluster

# ---- the installation ---------------------------------------------------------------------------------

apt() { apt-get -q -o Dpkg::Use-Pty=0 -o Dpkg::Options::=--force-confold -o DPkg::Lock::Timeout=120 "$@" </dev/null; }

# The version that the package "postgresql" stands for; else the newest one of which apt has the server and its headers.
# Not grep -q: it ends at once, and what writes to it would end with SIGPIPE, which pipefail takes for a no.
has_candidate() { apt-cache policy "$1" 2>/dev/null | grep '^  Candidate: [^(]' >/dev/null; }
newest_postgresql() {
    local major
    for major in $(apt-cache depends postgresql 2>/dev/null | sed -n 's/.*Depends: postgresql-\([0-9]*\)$/\1/p') \
                 $(apt-cache pkgnames postgresql-server-dev- | sed -n 's/.*-\([0-9]*\)$/\1/p' | sort -rn); do
        if [ "$major" -ge 15 ] && has_candidate "postgresql-$major" && has_candidate "postgresql-server-dev-$major"; then
            echo "$major"
            return
        fi
    done
}

# Units that start with the machine: links that packages make. That of PostgreSQL starts the clusters that there are: none.
starts_with_the_machine() { find /etc/systemd/system /etc/rc?.d -type l \( -path '*.wants/*' -o -name 'S*' \) 2>/dev/null || true; }
stay_off() {
    local link name
    while read -r link; do
        name=${link##*/}
        case $link in /etc/rc?.d/*) name=${name#S[0-9][0-9]} ;; esac
        case $name in postgresql | postgresql.service | *@*) continue ;; esac
        case $link in
            /etc/rc?.d/*) update-rc.d "$name" disable ;;
            *) deb-systemd-helper disable "$name" ;;
        esac >/dev/null 2>&1 || true
    done < <(comm -13 <(sort <<<"$1") <(starts_with_the_machine | sort))
}

echo "Installing: $*"
log=$(mktemp)
before=$(starts_with_the_machine)
warned='' done=''
for try in 1 2 3; do
    # A source that is broken, of somebody else's, is no reason to give up: the packages may come from others.
    if ! apt update >"$log" 2>&1 || grep -q '^[WE]: Failed to fetch' "$log"; then
        if [ -z "$warned" ]; then
            echo "apt-get update had problems; the installation is tried all the same. It said:" >&2
            { grep '^[WE]: ' "$log" || cat "$log"; } | sed -n '1,6s/^/    /p' >&2
        fi
        warned=1
    fi
    case "$*" in
        *NN*) major=$(newest_postgresql)
              [ -n "$major" ] || die "apt knows no PostgreSQL 15 or later (postgresql-NN with postgresql-server-dev-NN)." \
                  "PostgreSQL's own packages for Debian and Ubuntu (PGDG) are one place to get it from: add that source and try again." ;;
        *) major='' ;;
    esac
    if apt install -y --no-install-recommends "${@//NN/$major}" >>"$log" 2>&1; then done=1; break; fi
    echo "apt-get install failed (try $try of 3)" >&2
    if [ "$try" -lt 3 ]; then sleep $((try * 3)); fi    # a mirror that is busy or being updated
done
stay_off "$before"
if [ -z "$done" ]; then
    tail -n 40 "$log" >&2
    die "Could not install: ${*//NN/$major}"
fi
