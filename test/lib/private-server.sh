#!/usr/bin/env bash
# Copies the PostgreSQL that PG_CONFIG names to build/run/server, with all its folders in their places
# relative to each other: a server finds its files from where it is itself. So an extension can be
# installed into the copy, and the original stays as it is. The programs are real copies; everything
# that is only read is a link. The copy is made anew when the original has changed.
# build/run/server/bin holds the copy's programs, pg_config among them.
set -euo pipefail
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"

pg_config=$(command -v "${PG_CONFIG:-pg_config}") || die "no pg_config: run make deps, or give PG_CONFIG"
bindir=$(readlink -f "$("$pg_config" --bindir)")
[ -x "$bindir/postgres" ] || die "no server in $bindir"
sharedir=$(readlink -f "$("$pg_config" --sharedir)")
pkglibdir=$(readlink -f "$("$pg_config" --pkglibdir)")
includedir=$(readlink -f "$("$pg_config" --includedir)")

run_place
case $bindir in "$RUN"/*) exit 0 ;; esac        # PG_CONFIG is the copy already

server=$RUN/server
stamp=$("$pg_config"; stat -c '%n %s %Y' "$bindir/postgres" "$bindir/psql" "$sharedir" "$pkglibdir"; id -u)
if [ "$(cat "$server/stamp" 2>/dev/null)" = "$stamp" ]; then exit 0; fi

# The longest path that all folders share.
prefix=$bindir
for dir in "$sharedir" "$pkglibdir" "$includedir"; do
    while [ "$prefix" != / ] && [ "${dir#"$prefix"/}" = "$dir" ]; do prefix=$(dirname "$prefix"); done
done
prefix=${prefix%/}
in_copy() { printf '%s\n' "$server${1#"$prefix"}"; }

# link_all FROM TO: links in TO to all that is in FROM, but for an installed pgpubsub.
link_all() {
    mkdir -p "$2"
    find "$1" -mindepth 1 -maxdepth 1 ! -name 'pgpubsub*' ! -name bitcode -exec ln -sfn -t "$2" {} +
}

say "Copying $("$pg_config" --version) to $server"
rm -rf "$server"
mkdir -p "$(in_copy "$bindir")" "$(dirname "$(in_copy "$includedir")")"
cp -L "$bindir"/* "$(in_copy "$bindir")/"
# pg_config of the package, where PG_CONFIG is a script that looks for one.
[ -x "$(in_copy "$bindir")/pg_config" ] || cp -L "$pg_config" "$(in_copy "$bindir")/"
link_all "$pkglibdir" "$(in_copy "$pkglibdir")"
link_all "$sharedir" "$(in_copy "$sharedir")"
rm "$(in_copy "$sharedir")/extension"
link_all "$sharedir/extension" "$(in_copy "$sharedir")/extension"
[ -e "$(in_copy "$includedir")" ] || ln -s "$includedir" "$(in_copy "$includedir")"
[ -e "$server/bin" ] || ln -s ".${bindir#"$prefix"}" "$server/bin"
# Headers and pgxs are found from pg_config too: make sure that the copy names nothing but itself.
for what in sharedir pkglibdir; do
    case $("$server/bin/pg_config" "--$what") in
        "$server"/*) ;;
        *) rm -rf "$server"; die "the copy of the server is not self-contained: --$what" ;;
    esac
done
printf '%s\n' "$stamp" > "$server/stamp"
