#!/usr/bin/env bash
# Runs the extension's tests in a server whose extension reports each wrong use of memory
# (AddressSanitizer) and each undefined behaviour (UndefinedBehaviorSanitizer), then the client's
# (test-client-sanitizers.sh), and ends with the line "N passed, N failed" for both: a report is a failure,
# whatever the test that caused it said, and so is it when the sanitizers do not see a mistake made on
# purpose. "make test-sanitizers" is the usual way in.
#
# The extension's half happens in a copy of the sources, build/sanitizers, with a private PostgreSQL of its own.
# The server itself is the usual one, so mistakes inside its functions are seen only where they call
# malloc or memcpy. The reports stay in build/sanitizers/reports.
#
#   SUITES   only the extension's half, with these suites (as for test/lib/run-tests.sh); else "regress isolation"
#   T        only the client's half, with these of test/t
#   CLANG    the compiler, clang++ unless given
set -euo pipefail
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
# shellcheck source=sanitizers.sh
. "$(dirname "$0")/sanitizers.sh"
only_extension=${SUITES:-}
if [ -z "$only_extension" ] && [ -n "${T:-}" ]; then exec "$ROOT/test/lib/test-client-sanitizers.sh"; fi
: "${SUITES:=regress isolation}" "${CLANG:=clang++}" "${MAKE:=make}"

[ -n "${NO_DEPS:-}" ] || EXTRA_PACKAGES='clang llvm libclang-rt-dev' "$ROOT/test/lib/install-deps.sh"
copy=$BUILD/sanitizers
runtime=$("$CLANG" -print-runtime-dir)/libclang_rt.asan-$(uname -m).so
symbolizer=$(command -v llvm-symbolizer) || die "no llvm-symbolizer"
[ -f "$runtime" ] || die "$CLANG has no AddressSanitizer that can be preloaded ($runtime)"

# ---- the copy, its build and its server ----------------------------------------------------------

copy_sources "$copy"
# PostgreSQL is built with -fwrapv, under which no signed overflow is undefined: here each is a mistake.
# shellcheck disable=SC2054  # a comma inside an option
flags=(-fsanitize=address,undefined -shared-libasan -fno-omit-frame-pointer -fno-wrapv)
rm -f "$copy/build/run/server/stamp"      # a server without the wrapper that the run before left in it
"$MAKE" -C "$copy" --no-print-directory NO_DEPS=1 PARTS=extension WERROR=1 CXX="$CLANG" \
    PG_CXXFLAGS="${flags[*]} -include test/lib/checked_palloc.hpp" private
grep -q __asan_ <<<"$(nm -D --undefined-only "$copy/pgpubsub.so")" || die "the extension was built without AddressSanitizer"

run=$(cd "$copy/build/run" && pwd -P)
reports=$run/reports
rm -rf "$reports" "$copy/reports"
mkdir -p "$reports"
ln -s "$reports" "$copy/reports"
give_to_server "$reports"

# Without this second library Debian's server hangs at its start: the first malloc must come early.
printf '#include <stdlib.h>\n__attribute__((constructor)) static void early(void) { free(malloc(1)); }\n' |
    "$CLANG" -x c -shared -fPIC -O0 -Wl,-z,initfirst -o "$run/early.so" -
options="abort_on_error=1:detect_leaks=0:print_stacktrace=1:log_path=$reports/report:external_symbolizer_path=$symbolizer"
cat > "$run/sanitized" <<EOF
#!/usr/bin/env bash
# sanitized NAME PROGRAM ARGUMENT...: runs PROGRAM under the sanitizers' runtime, as NAME.
export LD_PRELOAD='$runtime:$run/early.so' ASAN_OPTIONS='$options' UBSAN_OPTIONS='$options'
name=\$1; shift
exec -a "\$name" "\$@"
EOF
# initdb's server, which runs none of this project's code, is spared.
mv "$run/server/bin/postgres" "$run/server/bin/postgres.bare"
cat > "$run/server/bin/postgres" <<EOF
#!/usr/bin/env bash
case " \$* " in
    *' --boot '*|*' --check '*|*' --single '*|*' -V '*|*' --version '*|*' -C '*) exec -a "\$0" "\$0.bare" "\$@" ;;
    *) exec '$run/sanitized' "\$0" "\$0.bare" "\$@" ;;
esac
EOF
chmod 755 "$run/sanitized" "$run/server/bin/postgres"

# ---- the tests -----------------------------------------------------------------------------------

# mistake NAME TEXT SOURCE
mistake() {
    "$CLANG" -w -x c++ "${flags[@]}" -O0 -g -o "$run/canary" - <<<"$3"
    canary "$1" "$reports/report" "$2" "$run/sanitized" canary "$run/canary"
}
mistake "write past the end of the heap" heap-buffer-overflow \
    '#include <stdlib.h>
     int main(int n, char**) { volatile char* p = (char*)malloc(n); p[n] = 1; }'
mistake "signed overflow" 'signed integer overflow' \
    'int main(int n, char**) { volatile int x = 2147483647; x = x + n; }'

export PGCTLTIMEOUT=120 PGPUBSUB_SUITE_TIMEOUT=${PGPUBSUB_SUITE_TIMEOUT:-1200}
# shellcheck disable=SC2086  # names of suites
add_totals "$run/test/totals" env CXX="$CLANG" MAKE="$MAKE" "$copy/test/lib/run-tests.sh" $SUITES
echo
tell_reports "$reports/report"

# ---- the client ----------------------------------------------------------------------------------

if [ -z "$only_extension" ]; then add_totals "$BUILD/client-sanitizers/totals" "$ROOT/test/lib/test-client-sanitizers.sh"; fi

echo
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
