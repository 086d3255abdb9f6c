#!/usr/bin/env bash
# run.sh [FOLDER…]: from the profiles in build/coverage/profiles (./dev coverage), the table and the lines of the folders
# that nothing ran (default: those that decide and those that must not lose anything).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
build=build/coverage
[ $# -gt 0 ] || set -- src/engine src/journal src/policy src/gateway
objects=()
for program in "$build"/*_test "$build/weir"; do
  [ -x "$program" ] && objects+=(-object "$program")
done
find "$build/profiles" -name '*.profraw' >"$build/profiles.txt"
[ -s "$build/profiles.txt" ] || { echo "coverage: no profiles; run ./dev coverage" >&2; exit 1; }
llvm-profdata-19 merge -sparse --failure-mode=all -f "$build/profiles.txt" -o "$build/all.profdata"
llvm-cov-19 export -format=lcov -instr-profile="$build/all.profdata" "${objects[@]}" >"$build/all.lcov"
node tests/coverage/report.mjs "$build/all.lcov" "$build/uncovered.txt" "$@"
echo
echo "lines that no test runs: $build/uncovered.txt ($(grep -cE '^ +[0-9]' "$build/uncovered.txt" || true) lines of $*)"
