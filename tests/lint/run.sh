#!/usr/bin/env bash
# run.sh [--no-tidy]: all lint: its own self-test, text rules, clang-format, clang-tidy. Exit 1 on any fault.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
result=0

tests/lint/selftest.sh || result=1
tests/lint/rules.sh || result=1
tests/lint/locks.sh || result=1

mapfile -t sources < <(find src include sim bench fuzz prove tests -name node_modules -prune -o -type f \
  \( -name '*.cc' -o -name '*.h' \) -print 2>/dev/null | grep -v '^tests/lint/' | sort)
if [ "${#sources[@]}" -gt 0 ]; then
  clang-format-19 --dry-run -Werror "${sources[@]}" 2>&1 | grep -E 'error:' | head -n 50
  [ "${PIPESTATUS[0]}" = 0 ] || { echo "clang-format: ./dev format mends it"; result=1; }
fi

if [ "${1:-}" != --no-tidy ]; then tests/lint/tidy.sh || result=1; fi

[ "$result" = 0 ] && echo "lint: clean"
exit "$result"
