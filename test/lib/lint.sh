#!/usr/bin/env bash
# lint.sh: prints as TAP whether
# - all C++ is laid out as .clang-format says,
# - clang-tidy (.clang-tidy) finds nothing in a file of the extension or the client,
# - shellcheck (.shellcheckrc) finds nothing in a script.
# "make lint" is the usual way in.
#
#   FLAGS_extension, FLAGS_client   how the files of that folder are compiled
#
# The tools are those of Debian 12, for each version of clang-format lays out in its own way.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=tap.sh
. test/lib/tap.sh
clang_format=clang-format-14 clang_tidy=clang-tidy-14

folders=(extension client examples test bench)
cpp() { find "${folders[@]}" \( -name '*.cpp' -o -name '*.hpp' -o -name '*.c' \) "$@"; }

# By comparison: --dry-run complains of some lines that stay as they are.
laid_out_otherwise() { cpp -print0 | while IFS= read -r -d '' file; do "$clang_format" "$file" | cmp -s - "$file" || echo "$file"; done; }
none "the C++ is laid out as .clang-format says; \"make format\" does it" "$(laid_out_otherwise)"

# tidy FOLDER FLAGS: several files at once, so each report is a file of its own.
reports=$(mktemp -d "${TMPDIR:-/tmp}/pgpubsub.XXXXXX")
trap 'rm -rf "$reports"' EXIT
tidy() {
    local folder=$1 flags=$2
    find "$folder" -name '*.cpp' | sort > "$reports/$folder"
    # shellcheck disable=SC2086  # flags are words
    xargs -P "$(nproc)" -I{} sh -c 'file=$1 reports=$2 tidy=$3; shift 3
        "$tidy" --quiet "$file" -- -DPGPUBSUB_VERSION=\"\" -Wno-register -Wno-unknown-warning-option "$@" > "$reports/$(echo "$file" | tr / +)" 2> /dev/null || echo "failed" >> "$reports/$(echo "$file" | tr / +)"' \
        _ {} "$reports" "$clang_tidy" $flags < "$reports/$folder" || true
    local file
    while read -r file; do none "clang-tidy: $file" "$(cat "$reports/$(tr / + <<<"$file")")"; done < "$reports/$folder"
}
tidy extension "$FLAGS_extension"
tidy client "$FLAGS_client"

while read -r file; do check "shellcheck: $file" shellcheck "$file"; done < <(
    { echo .ci/run; find "${folders[@]}" -type f -name '*.sh'; } | sort)
end_of_checks
