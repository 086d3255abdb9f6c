#!/usr/bin/env bash
# tidy.sh: clang-tidy over the product sources that changed since they last passed. A stamp in build/tidy-cache is named
# by the hash of the source, of every project header it reaches, of .clang-tidy and of the compile command.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
cache=build/tidy-cache
commands=build/dev/compile_commands.json
mkdir -p "$cache"
[ -f build/dev/build.ninja ] || cmake --preset dev >/dev/null
find src include -name '*.cc' -newer "$commands" -print -quit | grep -q . && cmake --preset dev >/dev/null

# "hash file" of all sources, then per .cc file "hash-of-everything file", by walking quoted includes.
stamps() {
  {
    clang-tidy-19 --version | sha256sum | sed 's/-$/version/'
    sha256sum .clang-tidy cmake/toolchain.cmake CMakeLists.txt
    find src include -name '*.cc' -o -name '*.h' | sort | xargs sha256sum
  } | awk '
    { hash[$2] = $1; order[++count] = $2 }
    function path_of(name) {
      if (("src/" name) in hash) return "src/" name
      if (("include/" name) in hash) return "include/" name
      return ""
    }
    function walk(file,   line, name, found) {
      if (file in seen) return
      seen[file] = 1
      text = text " " hash[file]
      if (!(file in includes)) {
        includes[file] = ""
        while ((getline line < file) > 0)
          if (line ~ /^ *# *include *"/) {
            name = line; sub(/^[^"]*"/, "", name); sub(/".*/, "", name)
            found = path_of(name)
            if (found != "") includes[file] = includes[file] " " found
          }
        close(file)
      }
      walk_list(includes[file])
    }
    function walk_list(list,   i, parts, n) {
      n = split(list, parts, " ")
      for (i = 1; i <= n; i++) walk(parts[i])
    }
    END {
      common = hash["version"] " " hash[".clang-tidy"] " " hash["cmake/toolchain.cmake"] " " hash["CMakeLists.txt"]
      for (i = 1; i <= count; i++)
        if (order[i] ~ /^src\/.*\.cc$/ && order[i] !~ /_test\.cc$/) {
          split("", seen); text = common
          walk(order[i])
          print order[i] "\t" text
        }
    }' | while IFS=$'\t' read -r file text; do
      printf '%s %s\n' "$(sha256sum <<<"$text" | cut -c1-32)" "$file"
    done
}

export cache
check() {
  local stamp=$1 file=$2
  if clang-tidy-19 -p build/dev --quiet --extra-arg=-Wno-unknown-warning-option --extra-arg=-Wno-everything \
       "$file" >"$cache/$stamp.log" 2>/dev/null; then
    mv "$cache/$stamp.log" "$cache/$stamp.ok"
  else
    cat "$cache/$stamp.log"
    rm -f "$cache/$stamp.log"
    return 1
  fi
}
export -f check

# The engine is compiled as one file, so that the list of commands does not name its sources.
todo=$(stamps | while read -r stamp file; do
  [ ! -f "$cache/$stamp.ok" ] || continue
  if [[ $file == src/engine/* ]] || grep -qF "/$file\"" "$commands"; then echo "$stamp $file"; fi
done || true)
[ -n "$todo" ] || exit 0
echo "clang-tidy: $(wc -l <<<"$todo") files" >&2
xargs -P "$(nproc)" -L 1 bash -c 'check "$0" "$1"' <<<"$todo"
