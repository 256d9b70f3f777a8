#!/usr/bin/env bash
# Runs the extension's tests in a server whose extension reports each wrong use of memory
# (AddressSanitizer) and each undefined behaviour (UndefinedBehaviorSanitizer), and ends with the line
# "N passed, N failed": a report is a failure, whatever the test that caused it said, and so is it when
# the sanitizers do not see a mistake made on purpose. "make test-sanitizers" is the usual way in.
#
# All of it happens in a copy of the sources, build/sanitizers, with a private PostgreSQL of its own.
# The server itself is the usual one, so mistakes inside its functions are seen only where they call
# malloc or memcpy. The reports stay in build/sanitizers/reports.
#
#   SUITES   the suites, as for test/lib/run-tests.sh: "regress isolation" unless given
#   CLANG    the compiler, clang++ unless given
set -euo pipefail
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
: "${SUITES:=regress isolation}" "${CLANG:=clang++}" "${MAKE:=make}"

[ -n "${NO_DEPS:-}" ] || EXTRA_PACKAGES='clang llvm libclang-rt-dev' "$ROOT/test/lib/install-deps.sh"
copy=$BUILD/sanitizers
runtime=$("$CLANG" -print-runtime-dir)/libclang_rt.asan-$(uname -m).so
symbolizer=$(command -v llvm-symbolizer) || die "no llvm-symbolizer"
[ -f "$runtime" ] || die "$CLANG has no AddressSanitizer that can be preloaded ($runtime)"

# ---- the copy, its build and its server ----------------------------------------------------------

mkdir -p "$copy"
find "$copy" -mindepth 1 -maxdepth 1 ! -name build -exec rm -rf {} +
# Each file counts as new (m): what was built there before may be younger than a change in the sources.
tar -C "$ROOT" --exclude=./.git --exclude=./build --exclude='*.o' --exclude='*.so' -cf - . | tar -C "$copy" -xmf -
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

passed=0 failed=0

# canary NAME TEXT SOURCE: a mistake made on purpose is reported, in the place where reports are looked for.
canary() {
    local program=$run/canary
    "$CLANG" -w -x c++ "${flags[@]}" -O0 -g -o "$program" - <<<"$3"
    as_server timeout 60 "$run/sanitized" canary "$program" >/dev/null 2>&1 || true
    if grep -qs "$2" "$reports"/report.*; then
        echo "ok - a $1 is reported"; passed=$((passed + 1))
    else
        echo "not ok - a $1 is reported"; failed=$((failed + 1))
    fi
    rm -f "$reports"/report.* "$program"
}
canary "write past the end of the heap" heap-buffer-overflow \
    '#include <stdlib.h>
     int main(int n, char**) { volatile char* p = (char*)malloc(n); p[n] = 1; }'
canary "signed overflow" 'signed integer overflow' \
    'int main(int n, char**) { volatile int x = 2147483647; x = x + n; }'

status=0
export PGCTLTIMEOUT=120 PGPUBSUB_SUITE_TIMEOUT=${PGPUBSUB_SUITE_TIMEOUT:-1200}
# shellcheck disable=SC2086  # names of suites
CXX=$CLANG MAKE=$MAKE "$copy/test/lib/run-tests.sh" $SUITES || status=$?
p=0 f=0
if [ -f "$run/test/totals" ]; then read -r p _ f _ < "$run/test/totals"; fi
if [ "$status" -ne 0 ] && [ "$f" -eq 0 ]; then f=1; fi
passed=$((passed + p)) failed=$((failed + f))

# ---- the reports ---------------------------------------------------------------------------------

found=0
for report in "$reports"/report.*; do
    [ -s "$report" ] || continue
    found=$((found + 1))
    echo "---- $report"
    head -n 80 "$report"
done
echo
echo "sanitizers' reports: $found"
echo "$passed passed, $((failed + found)) failed"
[ $((failed + found)) -eq 0 ]
