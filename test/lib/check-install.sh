#!/usr/bin/env bash
# check-install.sh PG_CONFIG: "make uninstall" removes what "make install" has put there, and all of it works where the
# path of the sources has a space; as TAP. It needs everything built.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd -P)
pg_config=$1
dir=$(mktemp -d "${TMPDIR:-/tmp}/pgpubsub.XXXXXX")
chmod 755 "$dir"
place="$dir/Mein Projekt é"
trap 'make -C "$place" -s clean >/dev/null 2>&1 || true; rm -rf "$dir"' EXIT
unset MAKEFLAGS MAKELEVEL MFLAGS
export NO_DEPS=1

# shellcheck source=tap.sh
. "$(dirname "$0")/tap.sh"
make_it() { local where=$1; shift; "${MAKE:-make}" -C "$where" --no-print-directory "$@"; }
there() { local file; for file in "$@"; do [ -e "$file" ] || { echo "there is no $file"; return 1; }; done; }
nothing_in() { local left; left=$(find "$1" ! -type d); [ -z "$left" ] || { echo "$left"; return 1; }; }
library=$dir/root$("$pg_config" --pkglibdir)/pgpubsub.so

install_and_uninstall() {
    local where=$1 what=$2
    check "make install$what" make_it "$where" install PG_CONFIG="$pg_config" DESTDIR="$dir/root" PREFIX=/usr
    check "the library, the program and the headers are there$what" \
        there "$library" "$dir/root/usr/bin/pgpubsub" "$dir/root/usr/include/pgpubsub/pgpubsub.hpp"
    check "make uninstall$what" make_it "$where" uninstall PG_CONFIG="$pg_config" DESTDIR="$dir/root" PREFIX=/usr
    check "leaves no file$what" nothing_in "$dir/root"
}
install_and_uninstall "$root" ''

# ---- a path with a space ---------------------------------------------------------------------------------
copy() {
    mkdir "$place" &&
    tar -C "$root" --exclude=./.git --exclude=./build/{run,sanitizers,assert,bench} -cf - . | tar -C "$place" -xf -
}
small_demo() {
    mkdir "$dir/media"
    local i; for i in {1..20}; do echo "$i" > "$dir/media/file $i"; done
    make_it "$place" demo MEDIA="$dir/media"
}
check "the sources are copied to \"$(basename "$place")\"" copy
check "make demo there" small_demo
install_and_uninstall "$place" ' there'
check "make test-symbols there" make_it "$place" test-symbols
check "make clean there" make_it "$place" clean
check "leaves nothing that was built" test ! -e "$place/build" -a ! -e "$place/pgpubsub.so"

end_of_checks
