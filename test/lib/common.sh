# Sourced by the scripts of tests, demo and benchmarks. It gives them:
#   ROOT       the top folder of the sources
#   RUN        build/run, or where it leads: the place of everything that the server reads and writes
#   run_place  makes RUN; elsewhere, where the server's user can't reach it, or where the path of the sources has a
#              character that PostgreSQL's makefiles and scripts can't have in theirs
#   as_server  runs a command as the user that may run a server: oneself, or postgres when root;
#              become_server is the same without coming back. END_WITH_PARENT=SIGNAL: the command gets
#              the signal when the script dies without having ended it
#   copy_sources DIRECTORY   the sources once more, for a build of another kind; what was built there stays
#   say, die   messages
# shellcheck shell=bash

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
BUILD=$ROOT/build
SERVER_USER=${PGPUBSUB_SERVER_USER:-postgres}

# Nothing that leads elsewhere is inherited, and what is made can be read by the server's user.
unset PGHOST PGHOSTADDR PGPORT PGUSER PGDATABASE PGPASSWORD PGPASSFILE PGSERVICE PGSERVICEFILE PGOPTIONS \
      PGDATA PGSSLMODE PGAPPNAME PGCONNECT_TIMEOUT PGTARGETSESSIONATTRS PGCLIENTENCODING
umask 022

say() { printf '%s\n' "$*"; }
die() { printf '%s: %s\n' "$(basename "$0")" "$*" >&2; exit 1; }

as_root() { [ "$(id -u)" -eq 0 ]; }

# setpriv and not runuser: it becomes the command, so that its pid and its signals are the command's.
# "become_server COMMAND &" leaves the command's pid in $!.
become_server() {
    cd "${RUN:-/}" || exit
    if as_root; then
        exec setpriv --reuid="$SERVER_USER" --regid="$SERVER_USER" --init-groups ${END_WITH_PARENT:+--pdeathsig "$END_WITH_PARENT"} \
            env HOME="${RUN:-/tmp}" USER="$SERVER_USER" LOGNAME="$SERVER_USER" TMPDIR="${SERVER_TMPDIR:-/tmp}" "$@"
    fi
    exec setpriv ${END_WITH_PARENT:+--pdeathsig "$END_WITH_PARENT"} env TMPDIR="${SERVER_TMPDIR:-${TMPDIR:-/tmp}}" "$@"
}
as_server() { (become_server "$@"); }

# Each file counts as new (m): what was built there before may be younger than a change in the sources.
copy_sources() {
    mkdir -p "$1"
    find "$1" -mindepth 1 -maxdepth 1 ! -name build -exec rm -rf {} +
    tar -C "$ROOT" --exclude=./.git --exclude=./build --exclude='*.o' --exclude='*.so' -cf - . | tar -C "$1" -xmf -
}

# Gives files to the user that runs the server.
give_to_server() { if as_root; then chown -R "$SERVER_USER:" "$@"; fi; }

run_place() {
    local link=$BUILD/run there
    mkdir -p "$BUILD"
    RUN=
    if as_root && ! id -u "$SERVER_USER" >/dev/null 2>&1; then
        die "PostgreSQL does not run as root, and there is no user $SERVER_USER (PGPUBSUB_SERVER_USER names another)"
    fi
    if [ -L "$link" ]; then
        # Made before, outside: only good if it is still ours (a reboot empties /tmp).
        there=$(readlink "$link")
        if [ ! -d "$there" ] || [ ! -O "$there" ]; then rm -f "$link"; fi
    fi
    if [ ! -e "$link" ]; then
        mkdir "$link"
        local why=
        case $link in
            *[[:space:]\'\"\\\$\`\&\;\|\<\>\(\)\*\?\[\]\#\~\{\}]*) why="the path of $BUILD has a space or another special character" ;;
            *) as_server test -x "$link" || why="user $SERVER_USER can't reach $BUILD" ;;
        esac
        if [ -n "$why" ]; then
            rmdir "$link"
            there=$(mktemp -d "${TMPDIR:-/tmp}/pgpubsub.XXXXXX")
            chmod 755 "$there"
            as_server test -x "$there" || die "user $SERVER_USER can reach neither $BUILD nor $there"
            ln -s "$there" "$link"
            say "The private PostgreSQL lives in $there, since $why. \"make clean\" removes it."
        fi
    fi
    RUN=$(cd "$link" && pwd -P)
    export RUN
}
