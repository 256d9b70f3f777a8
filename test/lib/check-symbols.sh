#!/usr/bin/env bash
# check-symbols.sh LIBRARY: what the extension's library exports and needs, as TAP.
# It must need no C++ runtime: none is linked into it, and what throws or owns memory there would not
# survive an ereport. It must export only what PostgreSQL looks up by name.
set -euo pipefail
# shellcheck source=tap.sh
. "$(dirname "$0")/tap.sh"
library=$1

undefined=$(nm -D --undefined-only "$library" | awk '{print $NF}')
exported=$(nm -D --defined-only "$library" | awk '{print $NF}')

none "needs no C++ runtime symbol" \
    "$(grep -E '^(_Z|__cxa_|__gxx_|_Unwind_)' <<<"$undefined" | grep -v '^__cxa_finalize' || true)"
none "is not linked with the C++ runtime" \
    "$(objdump -p "$library" | awk '$1 == "NEEDED" {print $2}' | grep -E '^lib(stdc\+\+|c\+\+|gcc_s|fmt)' || true)"
none "exports only pgpubsub_*, _PG_init and what PostgreSQL's macros add" \
    "$(grep -vE '^(pgpubsub_[a-z0-9_]+|pg_finfo_pgpubsub_[a-z0-9_]+|_PG_init|Pg_magic_func)(@.*)?$' <<<"$exported" || true)"
none "exports the magic and at least one function" \
    "$( (grep -q '^Pg_magic_func' <<<"$exported" && grep -q '^pg_finfo_' <<<"$exported") || echo 'not there')"

# Each C function that the SQL script names is there, and the other way round.
root=$(cd "$(dirname "$0")/../.." && pwd)
version=$(sed -n "s/^default_version *= *'\(.*\)'/\1/p" "$root/extension/pgpubsub.control")
in_sql=$(grep -ohE "'pgpubsub_[a-z0-9_]+'" "$root"/extension/sql/*.sql | tr -d "'" | sort -u)
in_library=$(comm -12 <(sed -n 's/^pg_finfo_//p' <<<"$exported" | sort -u) <(sort -u <<<"$exported"))
none "has each function that the scripts in extension/sql name" "$(comm -23 <(echo "$in_sql") <(echo "$in_library"))"
none "the numbers of arguments and columns in extension/src are those of the scripts" \
    "$(perl "$root/test/lib/check-catalog.pl" "$root" 2>&1 || true)"
none "each file in extension/sql is a part of the script, and each part is a file" \
    "$(diff <(sed -n 's/^SQL_PARTS *:= *//p' "$root/Makefile" | tr ' ' '\n' | sort) \
            <(cd "$root/extension/sql" && printf '%s\n' * | sed 's/\.sql$//' | sort) || true)"
none "extension/ has no other script of the version that the parts make" "$(find "$root/extension" -maxdepth 1 -name "pgpubsub--$version.sql")"
none "META.json names the version of the control file ($version)" \
    "$( (grep -q "\"version\": \"$version\"" "$root/META.json" || echo 'another one') 2>&1)"

end_of_checks
