#!/usr/bin/env bash
# check-readme.sh FOLDER: the first C++ program of README.md compiles and links as it stands there,
# against the client as "make install" lays it out, with what pkg-config says; as TAP.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
out=$1
mkdir -p "$out"

n=0 failed=0
# check NAME COMMAND...: passes when the command does; shows what it said when it does not.
check() {
    local name=$1 said; shift
    n=$((n + 1))
    if said=$("$@" 2>&1); then
        echo "ok $n - $name"
    else
        echo "not ok $n - $name"
        printf '%s\n' "$said" | head -n 30 | sed 's/^/#   /'
        failed=1
    fi
}

awk '/^```(cpp|c\+\+)/ { if (!seen++) inside = 1; next } /^```/ { inside = 0 } inside' "$root/README.md" > "$out/first.cpp"
lines=$(grep -c . "$out/first.cpp" || true)

install_client() { "${MAKE:-make}" -C "$root" -s client-install DESTDIR="$out/root" PREFIX=/opt/pgpubsub; }
compile() {
    local flags
    flags=$(PKG_CONFIG_PATH=$(dirname "$(find "$out/root" -name pgpubsub.pc)") PKG_CONFIG_SYSROOT_DIR="$out/root" \
        pkg-config --cflags --libs pgpubsub)
    # shellcheck disable=SC2086  # flags are words
    "${CXX:-g++}" -std=c++20 -Wall -Wextra -o "$out/first" "$out/first.cpp" $flags
}
finds_its_library() {
    LD_LIBRARY_PATH=$(dirname "$(find "$out/root" -name 'libpgpubsub.so' | head -n 1)") ldd "$out/first" | grep 'libpgpubsub.*=> /'
}

check "README.md has a C++ program" test "$lines" -gt 0
check "it has under 15 lines ($lines)" test "$lines" -lt 15
check "the client installs" install_client
check "the program compiles and links as it stands" compile
check "it finds the installed library" finds_its_library

echo "1..$n"
exit $failed
