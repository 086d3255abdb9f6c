#!/usr/bin/env bash
# Installs the library from a build folder into a temporary prefix, builds the consumer against it and runs it.
#   run.sh BUILD_FOLDER [CXX]
set -euo pipefail
build=$1
cxx=${2:-c++}
here=$(cd "$(dirname "$0")" && pwd)
temporary=$(mktemp -d)
trap 'rm -rf "$temporary"' EXIT
cmake --install "$build" --component weir --prefix "$temporary/prefix" >/dev/null
cmake -S "$here" -B "$temporary/build" -DCMAKE_PREFIX_PATH="$temporary/prefix" -DCMAKE_CXX_COMPILER="$cxx" >/dev/null
cmake --build "$temporary/build" >/dev/null
"$temporary/build/consumer"
