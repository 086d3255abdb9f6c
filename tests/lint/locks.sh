#!/usr/bin/env bash
# locks.sh: shows that clang's analysis of locks (cmake/toolchain.cmake, src/base/mutex.h) refuses what it must, and that
# the right way passes. Syntax only, no build needed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
flags=$(grep -oE -e '-Wthread-safety[a-z-]*' cmake/toolchain.cmake | sort -u | tr '\n' ' ')
[ -n "$flags" ] || { echo "cmake/toolchain.cmake:1: clang's -Wthread-safety is off"; exit 1; }
result=0

# says ok|PATTERN NAME BODY: the body of a function that has a guarded object `box`.
says() {
  local expected=$1 name=$2 body=$3 out
  # shellcheck disable=SC2086
  out=$(printf '%s\n' '#include "base/mutex.h"' '#include "engine/spin_lock.h"' 'using namespace weir;' \
    'struct Box {' '  Mutex mutex;' '  engine::SpinLock spin;' '  int a WEIR_GUARDED_BY(mutex) = 0;' \
    '  int b WEIR_GUARDED_BY(spin) = 0;' '  void grow() WEIR_REQUIRES(mutex) { ++a; }' '};' \
    "int work(Box& box) { $body }" |
    clang++-19 -std=c++23 -Isrc -Iinclude -Wall -Wextra $flags -Werror -fsyntax-only -x c++ - 2>&1) && out=ok
  if [ "$expected" = ok ] && [ "$out" != ok ]; then
    printf 'tests/lint/locks.sh:1: %s: refused:\n%s\n' "$name" "$out"; result=1
  elif ! grep -q -- "$expected" <<<"$out"; then
    printf 'tests/lint/locks.sh:1: %s: expected "%s", got:\n%s\n' "$name" "$expected" "$out"; result=1
  fi
}

says ok locked 'const MutexLock lock(box.mutex); box.grow(); return box.a;'
says ok spinning 'const engine::SpinGuard guard(box.spin); return box.b;'
says ok by-another-name 'box.mutex.held(); return box.a;'
says 'requires holding mutex' unlocked-read 'return box.a;'
says 'requires holding mutex' unlocked-write 'box.a = 1; return 0;'
says 'requires holding mutex' unlocked-call 'box.grow(); return 0;'
says 'requires holding spin lock' wrong-lock 'const MutexLock lock(box.mutex); return box.b;'
says 'requires holding mutex' after-the-scope '{ const MutexLock lock(box.mutex); } return box.a;'
says 'already held' twice 'const MutexLock one(box.mutex); const MutexLock two(box.mutex); return 0;'
says 'still held' forgotten 'box.mutex.lock(); return box.a;'
exit "$result"
