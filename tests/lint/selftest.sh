#!/usr/bin/env bash
# The lint can fail: each sample below breaks one rule, and rules.sh must say so; the clean sample must pass.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
result=0

fresh() {
  rm -rf "${root:?}"/*
  mkdir -p "$root/src/base" "$root/src/gateway" "$root/src/net" "$root/include/weir" "$root/sim" "$root/bench"
  printf '%s\n' 'weir_module(base PUBLIC fmt)' 'weir_module(gateway PUBLIC weir_base' \
    '  PRIVATE simdjson)' 'weir_module(net PUBLIC weir_gateway)' >"$root/CMakeLists.txt"
  for folder in base gateway net; do echo "what it is" >"$root/src/$folder/README.md"; done
  printf '%s\n' '// What it is.' '#pragma once' '#include <string>' >"$root/include/weir/a.h"
  printf '%s\n' '#include "base/a.h"' '#include "weir/a.h"' 'int f() {' '  return 1;' '}' >"$root/src/gateway/a.cc"
  printf '%s\n' '#include "base/mutex.h"' '#include "gateway/a.h"' '#include "sim/b.h"' >"$root/sim/a.cc"
  mkdir -p "$root/sim/clients"
  printf '%s\n' '#include "clients/b.h"' '#include "b.h"' '#include <sqlite3.h>' 'A(Random r) : a(1), random(r) {}' \
    >"$root/sim/clients/a.cc"
  for header in b clients/b; do printf '%s\n' '// What it is.' '#pragma once' >"$root/sim/$header.h"; done
  printf '%s\n' '#include <poll.h>' 'auto t = std::chrono::steady_clock::now();' 'void f() { fmt::print("a"); }' \
    'void g() { std::puts("a"); }' >"$root/sim/main.cc"
  printf '%s\n' '#include "net/a.h"' '#include <thread>' 'int n = std::atoi(argv[1]);' >"$root/bench/a.cc"
  # None of these is what a rule is after.
  printf '%s\n' 'const char* a = R"(catch (...) throw new)";' '// new mutexes throw' 'auto b = "delete all, throw";' \
    'A(const A&) = delete;' 'const auto news = renew(x);' 'asm volatile("" ::: "memory");' >"$root/src/base/c.cc"
}

# refuses NAME PATTERN: the tree as it stands has exactly this kind of fault.
refuses() {
  local out
  if out=$("$here/rules.sh" "$root"); then
    echo "lint self-test: $1: not noticed"; result=1
  elif ! grep -q -- "$2" <<<"$out"; then
    printf 'lint self-test: %s: expected "%s", got:\n%s\n' "$1" "$2" "$out"; result=1
  elif [ "$(wc -l <<<"$out")" != 1 ]; then
    printf 'lint self-test: %s: more than one fault:\n%s\n' "$1" "$out"; result=1
  fi
}

# sample NAME PATTERN FILE TEXT…: adds the lines to FILE and expects the fault.
sample() {
  local name=$1 pattern=$2 file=$3
  shift 3
  fresh
  printf '%s\n' "$@" >>"$root/$file"
  refuses "$name" "$pattern"
}

fresh
out=$("$here/rules.sh" "$root") || { printf 'lint self-test: the clean sample fails:\n%s\n' "$out"; result=1; }

sample layering 'src/base may not include src/gateway' src/base/b.cc '#include "gateway/a.h"'
sample unknown-folder 'no folder src/nowhere' src/base/b.cc '#include "nowhere/a.h"'
sample sockets-in-gateway 'is for net only' src/gateway/b.cc '#include <sys/socket.h>'
sample public-header 'public header includes' include/weir/a.h '#include "base/a.h"'
sample clock 'reads a clock' src/base/b.cc 'auto t = std::chrono::steady_clock::now();'
sample sleeping 'sleeps' src/gateway/b.cc 'void f() { std::this_thread::sleep_for(x); }'
sample randomness 'randomness' src/gateway/b.cc 'std::random_device device;'
sample c-rand 'randomness' src/gateway/b.cc 'int f() { return rand(); }'
sample c-random 'randomness' src/gateway/b.cc 'int f() { return random(); }'
sample c-srandom 'randomness' src/gateway/b.cc 'void f() { srandom(7); }'
sample environment 'getenv' src/gateway/b.cc 'auto home = std::getenv("HOME");'
sample sim-without-threads 'sim/ may not include src/net' sim/b.cc '#include "net/loop.h"'
sample sim-own-folders 'no folder src/nowhere' sim/c.cc '#include "nowhere/b.h"'
sample sim-own-files 'by folder' sim/c.cc '#include "nowhere.h"'
sample outer-files-are-not-src 'no folder src/clients' src/gateway/b.cc '#include "clients/b.h"'
sample sim-main-only 'is for net sim/main.cc only' sim/c.cc '#include <poll.h>'
sample sim-main-waits-for-nobody 'sleeps' sim/main.cc 'void f() { std::this_thread::sleep_for(x); }'
sample sim-stdout 'writes to stdout' sim/c.cc 'void f() { std::puts("a"); }'
sample sim-without-sockets 'is for net only' sim/b.cc '#include <sys/socket.h>'
sample product-without-sim 'no folder src/sim' src/gateway/b.cc '#include "sim/a.h"'
sample sim-without-clock 'reads a clock' sim/b.cc 'auto t = std::chrono::steady_clock::now();'
sample bench-unknown-folder 'no folder src/nowhere' bench/b.cc '#include "nowhere/a.h"'
sample public-lock 'public header includes' include/weir/a.h '#include "base/mutex.h"'
for call in strcpy strcat strncpy sprintf gets strtok system popen alloca tmpnam mktemp; do
  sample "banned $call" 'banned call' src/net/b.cc "void f() { $call(a, b); }"
done
for call in atoi atol atof strtol std::strtoull strtod; do
  sample "banned $call" 'takes what is no number' src/net/b.cc "auto a = $call(text);"
done
for call in localtime gmtime ctime; do
  sample "banned $call" 'not thread-safe' src/net/b.cc "auto a = $call(&t);"
done
sample regex 'std::regex' src/net/b.cc 'std::regex pattern("a+");'
sample volatile 'orders nothing' src/net/b.cc 'volatile int stop = 0;'
sample catch-all 'name the exception' src/net/b.cc 'void f() { try { g(); } catch (...) { } }'
sample detach 'who waits' src/net/b.cc 'void f() { thread.detach(); }'
sample async 'threads belong' src/net/b.cc 'auto a = std::async(f);'
sample sto 'throws on bad input' src/gateway/b.cc 'int a = std::stoi(text);'
sample stdout 'writes to stdout' src/gateway/b.cc 'void f() { std::printf("a"); }'
sample cout 'writes to stdout' src/gateway/b.cc 'void f() { std::cout << 1; }'
sample fprintf-stdout 'writes to stdout' src/gateway/b.cc 'void f() { fprintf(stdout, "a"); }'
for lock in mutex shared_mutex lock_guard unique_lock scoped_lock condition_variable; do
  sample "bare $lock" 'use base/mutex.h' src/gateway/b.cc "std::$lock a;"
done
sample bare-mutex-header 'use base/mutex.h' src/gateway/b.cc '#include <mutex>'
sample reinterpret_cast 'bytes of known layout' src/gateway/b.cc 'auto* a = reinterpret_cast<char*>(b);'
sample const_cast 'what is const' src/gateway/b.cc 'auto* a = const_cast<char*>(b);'
sample new 'std::make_unique' src/gateway/b.cc 'auto* a = new Thing;'
sample placement-new 'std::make_unique' src/gateway/b.cc 'auto* a = new (memory) Thing;'
sample delete 'std::unique_ptr' src/gateway/b.cc 'void f() { delete a; }'
sample throw 'returns a Result' src/gateway/b.cc 'void f() { throw 1; }'
sample secrets-memcmp 'constant time' src/base/hmac.cc 'bool same = std::memcmp(a, b, 32) == 0;'
# One more than known in a file is noticed.
fresh
mkdir -p "$root/src/policy"
echo "what it is" >"$root/src/policy/README.md"
echo 'weir_module(policy PUBLIC weir_base)' >>"$root/CMakeLists.txt"
printf 'void f%s() { throw Stop{}; }\n' 1 2 3 4 >"$root/src/policy/yaml.cc"
refuses one-throw-more 'throw: .*(3 known here'
rm -r "$root/src/policy"
sample pragma 'without #pragma once' src/base/b.h '// What it is.' 'int f();'
sample header-comment 'does not start with a comment' src/base/b.h '#pragma once' 'int f();'
sample mark 'unfinished mark' src/base/b.cc "// TO""DO later"
sample tab ': tab' src/base/b.cc "$(printf 'int\ta;')"
sample trailing-space 'space at the end' src/base/b.cc 'int a; '
sample credential 'looks like a credential' src/base/b.cc "auto key = \"sk-""abcdefghijklmnopqrstuvwxyz0123456789ABCD\";"
sample long-readme 'lines (limit 15)' src/base/README.md a b c d e f g h i j k l m n o p
sample long-file '602 lines (limit 600)' src/base/b.cc $(for i in $(seq 602); do echo "int_a$i;"; done)
sample long-function 'function of 73 lines (limit 70)' src/base/b.cc 'namespace weir {' \
  'int f(int a, char c = '"'{'"') {  // }' $(for i in $(seq 70); do echo "call$i;"; done) '  return 1;' '}' '}'
sample long-method 'function of 72 lines (limit 70)' src/base/b.cc 'struct Thing {' '  template <class T>' \
  '  void run(T a) {' $(for i in $(seq 69); do echo "call$i;"; done) '  }' '};'
fresh
rm "$root/src/base/README.md"
refuses missing-readme 'README.md:1: missing'

fresh
printf '%s\n' 'struct Long {' $(for i in $(seq 90); do echo "int_a$i;"; done) '};' 'constexpr int kA[] = {' \
  $(for i in $(seq 90); do echo "$i,"; done) '};' >"$root/src/base/b.cc"
out=$("$here/rules.sh" "$root") || { printf 'lint self-test: data counted as a function:\n%s\n' "$out"; result=1; }
exit "$result"
