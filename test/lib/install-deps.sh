#!/usr/bin/env bash
# install-deps.sh [build|demo|test|tap|lint]...: makes sure that what these targets use is there ("build" unless said), in the
# order: look, install the Debian packages of what is missing (install-packages.sh), look again. It asks apt nothing
# when nothing is missing. Without the right to install it prints the command to run.
#
#   PG_CONFIG, CXX   as for make
#   PG_MAJOR         the PostgreSQL to install where PG_CONFIG finds none
#   EXTRA_PACKAGES   Debian packages that are wanted besides
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
pg_config=${PG_CONFIG:-pg_config} cxx=${CXX:-g++}
[ $# -gt 0 ] || set -- build

die() { printf '%s\n' "$@" >&2; exit 1; }
newest() { local file; for file in "$@"; do if [ -e "$file" ]; then echo "$file"; fi; done | sort -V | tail -n 1; }
has() { command -v "$1" >/dev/null; }

# ---- the server ------------------------------------------------------------------------------------

# pg WHAT: one fact of pg_config.
pg() { "$pg_config" "--$1" 2>/dev/null; }
pg_file() { local dir; dir=$(pg "$1") && [ -e "$dir/$2" ]; }
pgxs_file() { local pgxs; pgxs=$(pg pgxs) && [ -e "${pgxs%/makefiles/pgxs.mk}/$1" ]; }
links_with() { local cc; cc=$(pg cc) && has "${cc%% *}"; }
new_enough() { local major; major=$(major_of_pg_config) && [ "${major:-0}" -ge 15 ]; }
major_of_pg_config() { pg version | sed -n 's/^PostgreSQL \([0-9]*\).*/\1/p'; }

# The version whose packages hold what is missing: the one of PG_CONFIG if that is whole or was asked for, else the
# newest server on the machine, else what pg_config speaks of (libpq-dev has one too), else what apt has: NN.
major_to_install() {
    local server major
    if [ -n "${PG_MAJOR:-}" ]; then echo "$PG_MAJOR"; return; fi
    major=$(major_of_pg_config || true)
    if [ -z "$major" ] || { [ "$pg_config" = pg_config ] && ! pg_file bindir postgres; }; then
        server=$(newest /usr/lib/postgresql/*/bin/postgres)
        if [ -n "$server" ]; then major=$(cut -d/ -f5 <<<"$server"); fi
    fi
    if [ -z "$major" ] || [ "$major" -lt 15 ]; then major=NN; fi
    echo "$major"
}

# ---- what is used, how it is looked for, which package has it ----------------------------------------

compiles() { printf '#include <concepts>\nint main() { return std::integral<int> ? 0 : 1; }\n' | "$cxx" -std=c++20 -x c++ -fsyntax-only - 2>/dev/null; }
header() {
    if [ -n "$compiler_works" ]; then printf '#if !__has_include(<%s>)\n#error\n#endif\n' "$1" | "$cxx" -std=c++20 -x c++ -E - >/dev/null 2>&1
    else [ -e "/usr/include/$1" ] || [ -e "/usr/local/include/$1" ]; fi
}
library() { pkg-config --exists "$1" 2>/dev/null; }
perl_module() { perl -e "require $1" 2>/dev/null; }

# need PACKAGE WHAT TEST...
need() {
    local package=$1 what=$2; shift 2
    "$@" && return
    case ",${missing[*]/%/,}" in *",$what,"*) ;; *) missing+=("$what") ;; esac
    case " ${packages[*]} " in *" $package "*) ;; *) packages+=("$package") ;; esac
}

need_of_pg() { if has "$pg_config"; then need "$@"; else need "$1" "pg_config ($pg_config)" false; fi; }

needs_of_build() {
    need make                   "make"                                  has make
    need g++                    "a compiler for C++20 ($cxx)"           test -n "$compiler_works"
    need pkg-config             "pkg-config"                            has pkg-config
    need libpq-dev              "libpq (pkg-config libpq)"              library libpq
    need libfmt-dev             "fmt (pkg-config fmt)"                  library fmt
    need libcli11-dev           "CLI11 (CLI/CLI.hpp)"                   header CLI/CLI.hpp
    need nlohmann-json3-dev     "JSON (nlohmann/json.hpp)"              header nlohmann/json.hpp
    need_of_pg "postgresql-server-dev-$major" "PostgreSQL 15 or later" new_enough
    need_of_pg "postgresql-server-dev-$major" "the server's headers (postgres.h)" pg_file includedir-server postgres.h
    need_of_pg "postgresql-server-dev-$major" "PGXS (pgxs.mk)"                pgxs_file makefiles/pgxs.mk
    need_of_pg gcc                    "the linker of PGXS (pg_config --cc)"   links_with
}
# The private server is a copy: of what initdb, the server and psql are.
needs_of_demo() {
    needs_of_build
    need_of_pg "postgresql-$major"    "the server (postgres)"                 pg_file bindir postgres
    need_of_pg "postgresql-$major"    "initdb"                                pg_file bindir initdb
    need_of_pg "postgresql-client-$major" "psql"                              pg_file bindir psql
    need libssl-dev             "OpenSSL (openssl/evp.h)"               header openssl/evp.h
}
needs_of_test() {
    needs_of_demo
    need doctest-dev            "doctest (doctest/doctest.h)"           header doctest/doctest.h
    need binutils               "nm and objdump"                        has objdump
    need perl                   "prove"                                 has prove
    need_of_pg "postgresql-$major"    "the extension dblink"                  pg_file sharedir extension/dblink.control
    need_of_pg "postgresql-server-dev-$major" "pg_regress"                    pgxs_file test/regress/pg_regress
    need_of_pg "postgresql-client-$major" "pg_isolation_regress"              pgxs_file test/isolation/pg_isolation_regress
}
needs_of_tap() {
    needs_of_test
    need perl                   "Perl's Test::More"                     perl_module Test::More
    need libipc-run-perl        "Perl's IPC::Run"                       perl_module IPC::Run
    need pgbouncer              "pgbouncer"                             has_pgbouncer
    need_of_pg "postgresql-client-$major" "PostgreSQL's TAP modules (a build of its own needs --enable-tap-tests)" \
                                                                        pgxs_file test/perl/PostgreSQL/Test/Cluster.pm
}
# Another version of clang-format lays out in another way.
needs_of_lint() {
    needs_of_build
    need clang-format-14        "clang-format 14"                       has clang-format-14
    need clang-tidy-14          "clang-tidy 14"                         has clang-tidy-14
    need shellcheck             "shellcheck"                            has shellcheck
}
has_pgbouncer() { PATH=$PATH:/usr/sbin has pgbouncer; }

# look: what is missing, and in packages what of it is not installed; with the packages that were asked for besides.
look() {
    local target package
    missing=() packages=() major=$(major_to_install) compiler_works=''
    if compiles; then compiler_works=1; fi
    for target in "${targets[@]}"; do "needs_of_$target"; done
    for package in ${EXTRA_PACKAGES:-}; do need "$package" "the package $package" installed "$package"; done
    if has dpkg-query; then
        set --
        for package in "${packages[@]}"; do installed "$package" || set -- "$@" "$package"; done
        packages=("$@")
    fi
}
installed() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

# ---- look, install, look again -----------------------------------------------------------------------

targets=("$@")
for target in "${targets[@]}"; do declare -F "needs_of_$target" >/dev/null || die "install-deps.sh: there is no target $target"; done
# With PG_MAJOR it may be what is to be installed.
if [ "$pg_config" = pg_config ] || [ -n "${PG_MAJOR:-}" ]; then
    :
elif ! has "$pg_config"; then
    die "PG_CONFIG=$pg_config names no program that can be run. Debian's are /usr/lib/postgresql/*/bin/pg_config." \
        "Without PG_CONFIG, the pg_config of PATH is taken."
elif ! new_enough; then
    die "PG_CONFIG=$pg_config is no pg_config of PostgreSQL 15 or later ($(pg version | sed -n 1p))."
fi

still_missing() {
    printf '%s\n' "$1" >&2
    printf '  - %s\n' "${missing[@]}" >&2
    if has "$pg_config"; then
        echo "pg_config is $(command -v "$pg_config"), of $(pg version || echo 'no version'); another one: PG_CONFIG=/path/to/pg_config." >&2
    else
        echo "No pg_config is in PATH. PG_CONFIG=/path/to/pg_config names one${found:+, here for example PG_CONFIG=$found}." >&2
    fi
    echo "Please install what is missing, with its development files. NO_DEPS=1 skips this check." >&2
    exit 1
}

look
[ ${#missing[@]} -gt 0 ] || exit 0
found=$(newest /usr/local/pgsql/bin/pg_config /usr/lib/postgresql/*/bin/pg_config)
has apt-get && has dpkg-query || still_missing "This is no Debian system, and these are missing (Debian's packages: ${packages[*]}):"
[ ${#packages[@]} -gt 0 ] || still_missing "These are missing, although the packages that hold them on Debian are installed:"

as_root=()
if [ "$(id -u)" -ne 0 ]; then
    # With a terminal sudo may ask for the password; without one it must not wait for it.
    sudo=(sudo); [ -t 0 ] || sudo=(sudo -n)
    if ! has sudo || ! "${sudo[@]}" true 2>/dev/null; then
        echo "These packages are missing, and installing them takes root. Please run as root:" >&2
        printf '    %q' "$here/install-packages.sh" >&2
        printf ' %s' "${packages[@]}" >&2
        printf '\n(apt-get update and apt-get install; it starts no service and makes no database cluster.)\n' >&2
        exit 1
    fi
    as_root=("${sudo[@]}")
fi
"${as_root[@]}" "$here/install-packages.sh" "${packages[@]}"
hash -r
look
[ ${#missing[@]} -eq 0 ] || still_missing "Still missing after the installation:"
