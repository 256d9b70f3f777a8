#!/usr/bin/env bash
# Runs the tests of the client and of the program twice, built to report what the sanitizers find: wrong uses of memory,
# leaks and undefined behaviour (AddressSanitizer, LeakSanitizer, UndefinedBehaviorSanitizer), then races of threads
# (ThreadSanitizer). Ends with the line "N passed, N failed": a report is a failure, whatever the test that caused it said,
# and so is it when a sanitizer does not see a mistake made on purpose. test-sanitizers.sh runs it.
#
# All of it happens in a copy of the sources, build/client-sanitizers, with a private PostgreSQL of its own, whose extension is
# built as usual. What a test compiles is built like the client. libpq and the C++ library are the usual ones: what they call
# (malloc, memcpy, read, pthread_mutex_lock) is seen, what they do themselves is not. The reports stay in
# build/client-sanitizers/reports.
#
#   T        which of test/t: "client_* cli_*" unless given
#   KINDS    "address thread" unless given
#   CLANG    the compiler, clang++ unless given
set -euo pipefail
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
# shellcheck source=sanitizers.sh
. "$(dirname "$0")/sanitizers.sh"
: "${T:=client_* cli_*}" "${KINDS:=address thread}" "${CLANG:=clang++}" "${MAKE:=make}"

[ -n "${NO_DEPS:-}" ] || EXTRA_PACKAGES='clang llvm libclang-rt-dev' "$ROOT/test/lib/install-deps.sh" tap
symbolizer=$(command -v llvm-symbolizer) || die "no llvm-symbolizer"
copy=$BUILD/client-sanitizers totals=$BUILD/client-sanitizers/totals
copy_sources "$copy"
BUILD=$copy/build
run_place
"$MAKE" -C "$copy" --no-print-directory -j"$(nproc)" NO_DEPS=1 PARTS=extension private

reports=$RUN/reports
rm -rf "$reports"
mkdir -p "$reports"
ln -s "$reports" "$copy/reports"
cp "$copy/test/lib/thread.suppressions" "$RUN/"
give_to_server "$reports"

# compiler KIND FLAG...: the compiler that builds so, as one program, since tests compile too. A shared library finds the
# sanitizer's functions in the program that loads it.
compiler() {
    local file=$RUN/$1-c++; shift
    cat > "$file" <<EOF
#!/usr/bin/env bash
shared=
for word in "\$@"; do if [ "\$word" = -shared ]; then shared=-Wl,-z,undefs; fi; done
exec '$CLANG' "\$@" $* -O1 -g1 -fno-omit-frame-pointer -Wno-unused-command-line-argument \$shared
EOF
    chmod 755 "$file"
}
# To look at a vptr takes a pipe: a program without descriptors, as some tests have it, would be reported for nothing.
compiler address -fsanitize=address,undefined -fno-sanitize=vptr -D_GLIBCXX_ASSERTIONS
compiler thread -fsanitize=thread

# mistake KIND NAME TEXT SOURCE
mistake() {
    "$RUN/$1-c++" -w -x c++ -std=c++20 -O0 -g -pthread -o "$RUN/canary" - <<<"$4"
    canary "$2" "$reports/$1" "$3" "$RUN/canary"
}

# What is wrong with the build of this kind, which would let a fault pass unseen.
built_wrongly() {
    local mark=$1 file
    for file in client/pgpubsub client/libpgpubsub.so unit/client_unit test/unit/unit; do
        grep -q "$mark" <<<"$(nm "$BUILD/$file")" || echo "$file was built without the sanitizer"
    done
}

export PGPUBSUB_SUITE_TIMEOUT=${PGPUBSUB_SUITE_TIMEOUT:-5400} PG_TEST_TIMEOUT_DEFAULT=${PG_TEST_TIMEOUT_DEFAULT:-180} T
for kind in $KINDS; do
    echo "== the client under the sanitizer: $kind"
    options="log_path=$reports/$kind:print_stacktrace=1:external_symbolizer_path=$symbolizer"
    export PGPUBSUB_SANITIZER=$kind ASAN_OPTIONS="$options:detect_stack_use_after_return=1" UBSAN_OPTIONS=$options
    export TSAN_OPTIONS="$options:suppressions=$RUN/thread.suppressions:second_deadlock_stack=1"
    case $kind in
        address)
            mark=__asan_init
            mistake address "write past the end of the heap" heap-buffer-overflow \
                'int main(int n, char**) { volatile char* p = new char[n]; p[n] = 1; }'
            mistake address "leak" 'detected memory leaks' 'char* volatile p; int main() { p = new char[10]; p = nullptr; }'
            mistake address "signed overflow" 'signed integer overflow' \
                'int main(int n, char**) { volatile int x = 2147483647; x = x + n; }' ;;
        thread)
            mark=__tsan_func_entry
            mistake thread "race" 'data race' \
                '#include <thread>
                 int x; int main() { std::thread other([] { x = 1; }); x = 2; other.join(); }' ;;
        *) die "there is no sanitizer $kind" ;;
    esac
    rm -rf "$BUILD"/{client,unit,test}
    "$MAKE" -C "$copy" --no-print-directory -j"$(nproc)" NO_DEPS=1 WERROR=1 CXX="$RUN/$kind-c++" client unit build/unit/client_unit
    wrong=$(built_wrongly "$mark")
    [ -z "$wrong" ] || die "$wrong"
    add_totals "$RUN/test/totals" env CXX="$RUN/$kind-c++" MAKE="$MAKE" "$copy/test/lib/run-tests.sh" unit tap
    # What could not be tested so is told, with its reason.
    find "$RUN/test/tap" -name 'regress_log_*' -exec sed -nE 's/.*ok [0-9]+ # skip (.*)/skipped: \1/p' {} + | sort | uniq -c
    tell_reports "$reports/$kind"
done

echo
echo "$passed passed, $failed failed" | tee "$totals"
[ "$failed" -eq 0 ]
