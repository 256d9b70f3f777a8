# The machines of test-start-states.sh, which sources this: for each a function state_NAME, which says what is on the
# machine before anything of pgpubsub, and what is then expected. They run outside the machine, with these:
#
#   root COMMAND, ann COMMAND     a line for bash, inside, as root or as a user that user_ann has made
#   owner_installs PACKAGE...     what was on the machine before
#   source_for USER FOLDER        the sources
#   expect TEXT COMMAND...        a check: the command succeeds
#   demo_works USER FOLDER        several checks: the demo's end, and that nothing is left that nobody asked for
#   says PATTERN                  a check of what the last "run" printed
#
# A machine has no make and no git unless its state gives it them.
# shellcheck shell=bash disable=SC2154  # system comes from test-start-states.sh

release_of() { case $1 in trixie*) echo trixie ;; *) echo bookworm ;; esac; }

inside() {
    chroot "$system" setpriv --reuid="$1" --regid="$1" --init-groups env -i HOME="$2" USER="$1" LOGNAME="$1" LANG=C.UTF-8 \
        PATH=/usr/lib/ccache:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
        CCACHE_DIR=/var/cache/ccache CCACHE_UMASK=000 CCACHE_NOHASHDIR=1 CCACHE_BASEDIR="$2" CCACHE_SLOPPINESS=time_macros \
        bash -c "$3" </dev/null
}
root() { inside root /root "$1"; }
ann() { inside ann /home/ann "$1"; }
postgres() { inside postgres /var/lib/postgresql "$1"; }
user_ann() { root 'useradd --create-home --shell /bin/bash ann'; }
# Services can't be started here, as far as the packages are concerned; the owner's file is expected to stay.
owner_installs() {
    printf '#!/bin/sh\n# of the owner\nexit 101\n' > "$system/usr/sbin/policy-rc.d"
    chmod 755 "$system/usr/sbin/policy-rc.d"
    root "apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o Dpkg::Use-Pty=0 --no-install-recommends install $*"
}
source_for() {
    copy_sources "$root" "$system$2"
    root "chown -R $1: '$2'"
}

expect() {
    local text=$1; shift
    checks=$((checks + 1))
    if "$@"; then echo "ok - $text"; else echo "not ok - $text"; failures=$((failures + 1)); fi
}
fails() { ! "$@"; }
# run USER COMMAND: what it prints is for says, too.
run() { local status=0; "$1" "$2" >"$system/said" 2>&1 || status=$?; cat "$system/said"; return $status; }
says() { expect "it says: $1" grep -qE -- "$1" "$system/said"; }

# What packages and their services leave: clusters, the policy, units that start by themselves, processes, files in /tmp.
machine() {
    (
        cd "$system" || exit
        find etc/postgresql -mindepth 2 -maxdepth 2 2>/dev/null
        cat usr/sbin/policy-rc.d 2>/dev/null
        find etc/postgresql-common/createcluster.d 2>/dev/null
        find etc/systemd/system etc/rc?.d -type l \( -path '*.wants/*' -o -name 'S*' \) ! -name '*postgresql*' 2>/dev/null
        grep -hE '^(postgres|pgbouncer)$' proc/[0-9]*/comm 2>/dev/null
        find tmp -mindepth 1 -maxdepth 1
    ) | sort
}
nothing_is_left() { machine > "$STATES_DIR/after" || true; diff "$STATES_DIR/before" "$STATES_DIR/after"; }

demo_works() {
    local user=$1 where=$2 settings=${3:-}
    machine > "$STATES_DIR/before" || true
    expect "make demo $settings" run "$user" "cd '$where' && make demo MEDIA=/some-files $settings"
    says '^All as it should be'
    expect "make clean" run "$user" "cd '$where' && make clean"
    expect "nothing is left on the machine but packages" nothing_is_left
}

# ---- a machine without anything ------------------------------------------------------------------------

# What README says for it, and what only the tests need.
state_bare() {
    source_for root /root/pgpubsub
    local line; line=$(sed -n 's/^sudo \(apt-get install[^#]*\).*/\1/p' "$root/README.md" | sed -n 1p)
    expect "README's first line: $line" run root "apt-get update -q && DEBIAN_FRONTEND=noninteractive $line -y -q -o Dpkg::Use-Pty=0"
    demo_works root /root/pgpubsub
    expect "the demo has installed nothing that only tests need" fails root 'dpkg-query -W pgbouncer doctest-dev libipc-run-perl'
    machine > "$STATES_DIR/before" || true
    expect "make test-tap T=takers" run root 'cd /root/pgpubsub && make test-tap T=takers'
    expect "pgbouncer is there now" root 'command -v pgbouncer'
    expect "make test-harness test-symbols test-unit" run root 'cd /root/pgpubsub && make test-harness && make test-symbols && make test-unit'
    expect "make clean" run root 'cd /root/pgpubsub && make clean'
    expect "nothing is left on the machine but packages" nothing_is_left
    # What is installed later by somebody else makes its cluster as ever.
    root 'apt-get -q -y purge postgresql-15 >/dev/null 2>&1'
    expect "a later apt-get install postgresql-15" run root 'DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends postgresql-15'
    expect "makes a cluster as ever" test -d "$system/etc/postgresql/15/main"
}
state_trixie_bare() {
    source_for root /root/pgpubsub
    root 'apt-get update -qq && apt-get install -y -qq make' >/dev/null
    demo_works root /root/pgpubsub
}

# The lines of README from Install to the first notification, as they stand, without systemd.
state_readme() {
    owner_installs sudo
    user_ann
    echo 'ann ALL=(ALL) NOPASSWD: ALL' > "$system/etc/sudoers.d/ann"
    mkdir -p "$system/etc/postgresql-common/createcluster.d"
    echo "listen_addresses = ''" > "$system/etc/postgresql-common/createcluster.d/socket.conf"
    source_for ann /home/ann/pgpubsub
    local text
    for text in 'sudo apt-get install git' 'make deps' 'createdb app'; do
        readme_block "$text" | sed -e '/^git clone/d' -e '/^make demo/d' -e '/^make test/d' -e '/^\$/d' \
            -e 's/^\(sudo apt-get install\) /\1 -y -q -o Dpkg::Use-Pty=0 /' -e 's/^sudo systemctl.*without systemd: *//' > "$system/typed"
        expect "typed: $text" run ann 'cd ~/pgpubsub && export DEBIAN_FRONTEND=noninteractive && bash -euxo pipefail /typed'
    done
    readme_block 'CREATE EXTENSION pgpubsub;' > "$system/typed"
    expect "typed: the first SQL" run ann 'psql -X -v ON_ERROR_STOP=1 -d app -f /typed'
    says '"path": "/etc/hostname"'
    root 'pg_ctlcluster 15 main stop'
}
readme_block() {
    awk -v text="$1" '/^```/ { if (inside) { if (found) { printf "%s", block; exit } inside = 0 } else { inside = 1; block = "" } next }
                      inside { block = block $0 "\n"; if (index($0, text)) found = 1 }' "$root/README.md"
}

# ---- users ------------------------------------------------------------------------------------------------

state_user_with_sudo() {
    owner_installs make sudo
    user_ann
    echo 'ann ALL=(ALL) NOPASSWD: ALL' > "$system/etc/sudoers.d/ann"
    source_for ann /home/ann/pgpubsub
    demo_works ann /home/ann/pgpubsub
    expect "a PG_CONFIG that names nothing" fails run ann 'cd ~/pgpubsub && make demo PG_CONFIG=/nosuch/pg_config'
    says 'PG_CONFIG=/nosuch/pg_config names no program'
    expect "a build for one that is named" run ann 'cd ~/pgpubsub && make PG_CONFIG=/usr/lib/postgresql/15/bin/pg_config'
    expect "make install as root" run ann 'cd ~/pgpubsub && sudo make install'
    expect "make uninstall" run ann 'cd ~/pgpubsub && sudo make uninstall'
    expect "leaves no file" fails root "find /usr -name '*pgpubsub*' | grep ."
}

# The line that is printed for root is run as it stands.
state_user_without_sudo() {
    owner_installs make
    user_ann
    source_for ann /home/ann/pgpubsub
    expect "make demo stops" fails run ann 'cd ~/pgpubsub && make demo MEDIA=/some-files'
    says 'packages are missing.*run as root'
    machine > "$STATES_DIR/before" || true
    expect "the line that it prints" run root "$(sed -n 's/^    \(\/.*install-packages.*\)/\1/p' "$system/said")"
    expect "starts and leaves nothing" nothing_is_left
    demo_works ann /home/ann/pgpubsub
    expect "make test-tap T=takers stops" fails run ann 'cd ~/pgpubsub && make test-tap T=takers'
    says 'install-packages.sh .*pgbouncer'
}

state_tree_that_root_built() {
    owner_installs make
    user_ann
    source_for ann /home/ann/pgpubsub
    expect "make deps and make as root" run root 'cd /home/ann/pgpubsub && make deps && make'
    expect "make as another user stops" fails run ann 'cd ~/pgpubsub && make'
    says 'build.* belongs to root.*make clean'
    expect "make demo too" fails run ann 'cd ~/pgpubsub && make demo NO_DEPS=1'
    says 'build.* belongs to root.*make clean'
    expect "make clean as root" run root 'cd /home/ann/pgpubsub && make clean'
    expect "make as the other user" run ann 'cd ~/pgpubsub && make'
    source_for root /srv/pgpubsub
    expect "make in a folder that is read-only stops" fails run ann 'cd /srv/pgpubsub && make'
    says 'read-only for ann'
}

state_path_with_space() {
    owner_installs make sudo
    user_ann
    echo 'ann ALL=(ALL) NOPASSWD: ALL' > "$system/etc/sudoers.d/ann"
    source_for ann '/home/ann/Mein Projekt é/pgpubsub'
    demo_works ann '/home/ann/Mein Projekt é/pgpubsub'
    source_for root '/root/Mein Projekt é/pgpubsub'
    demo_works root '/root/Mein Projekt é/pgpubsub'
    expect "make test-regress" run root 'cd "/root/Mein Projekt é/pgpubsub" && make test-regress'
    says '^[1-9][0-9]* passed, 0 failed'
}

# ---- parts of PostgreSQL, or of a compiler, are there ---------------------------------------------------------

state_only_server() {
    owner_installs make postgresql-15
    source_for root /root/pgpubsub
    demo_works root /root/pgpubsub
}
state_only_client() {
    owner_installs make postgresql-client-15
    source_for root /root/pgpubsub
    demo_works root /root/pgpubsub
}
state_only_libpq() {
    owner_installs make libpq-dev
    source_for root /root/pgpubsub
    demo_works root /root/pgpubsub
}
state_clang() {
    owner_installs make clang
    source_for root /root/pgpubsub
    demo_works root /root/pgpubsub CXX=clang++
    expect "it needed no g++" fails root 'command -v g++'
    expect "make deps and make, with what make takes unless told" run root 'cd /root/pgpubsub && make deps && make'
    expect "g++ is there now" root 'command -v g++'
}

# ---- other systems, other sources of packages -------------------------------------------------------------------

state_derivatives() {
    owner_installs make
    source_for root /root/pgpubsub
    printf 'ID=ubuntu\nID_LIKE=debian\nVERSION_ID="24.04"\nPRETTY_NAME="Ubuntu 24.04"\n' > "$system/etc/os-release"
    demo_works root /root/pgpubsub
    root 'apt-get -q -y purge "postgresql*" libpq-dev >/dev/null 2>&1'
    printf 'ID=kali\nID_LIKE=debian\nVERSION_ID="2026.1"\nPRETTY_NAME="Kali"\n' > "$system/etc/os-release"
    demo_works root /root/pgpubsub
}

# A suite that does not exist, and a place that does not answer.
state_broken_source() {
    owner_installs make
    source_for root /root/pgpubsub
    printf 'deb %s nosuchsuite main\ndeb http://127.0.0.1:9/packages stable main\n' "$MIRROR" > "$system/etc/apt/sources.list.d/broken.list"
    rm -rf "$system"/var/lib/apt/lists/*
    demo_works root /root/pgpubsub
    expect "a system that has no PostgreSQL" run root 'apt-get -q -y purge "postgresql*" libpq-dev && rm /etc/apt/sources.list; true'
    expect "make deps stops" fails run root 'cd /root/pgpubsub && make deps'
    says 'apt knows no PostgreSQL 15 or later'
}

# ---- make installcheck in the clusters that people have -----------------------------------------------------------

# installcheck NAME INITDB-OPTION...: in a cluster with PostgreSQL's own settings, by user postgres over its socket.
installcheck() {
    local name=$1; shift
    expect "a cluster: $name" postgres "pg_createcluster 15 $name --start-conf manual -p 5499 -- $* && \
        echo \"listen_addresses = ''\" > /etc/postgresql/15/$name/conf.d/socket.conf && pg_ctlcluster 15 $name start"
    expect "make installcheck: $name" run postgres "cd /srv/pgpubsub && PGPORT=5499 make installcheck NO_DEPS=1"
    says 'All [1-9][0-9]* tests passed'
    find "$system/srv/pgpubsub" -name regression.diffs -exec tail -n 80 {} +
    postgres "pg_ctlcluster 15 $name stop -m immediate; pg_dropcluster 15 $name"
}
state_installcheck() {
    owner_installs make
    source_for root /srv/pgpubsub
    expect "make and make install" run root 'cd /srv/pgpubsub && test/lib/install-deps.sh demo && make && make install && chown -R postgres: .'
    installcheck utf8 --locale=C.UTF-8
    installcheck sql_ascii --locale=C --encoding=SQL_ASCII
    installcheck latin1 --locale=C --encoding=LATIN1
}
