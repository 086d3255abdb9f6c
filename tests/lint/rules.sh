#!/usr/bin/env bash
# rules.sh [ROOT]: the text rules of STYLE.md over the tree at ROOT (default: this repository); one line per fault,
# exit 1 if there is any. No compiler needed. tests/lint/selftest.sh shows that each rule can fail.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "${1:-$here/../..}"
max_lines=600 max_function=70 max_readme=15

mapfile -t sources < <(find src include sim bench fuzz prove tests -name node_modules -prune -o -type f \
  \( -name '*.cc' -o -name '*.h' \) -print 2>/dev/null | sort)
mapfile -t scripts < <(find dev .ci tests bench sim prove -name node_modules -prune -o -type f \
  \( -name '*.sh' -o -name '*.mjs' -o -name dev -o -name run \) -print 2>/dev/null | sort)

faults() {
  if [ "${#sources[@]}" -gt 0 ]; then
    awk -v max_lines="$max_lines" -f "$here/text.awk" "${sources[@]}"
    awk -v limit="$max_function" -f "$here/functions.awk" "${sources[@]}"
    awk -f "$here/banned.awk" "$here/known.txt" "${sources[@]}"
    awk -f "$here/layering.awk" CMakeLists.txt "$here/libraries.txt" "${sources[@]}"
  fi
  if [ "${#scripts[@]}" -gt 0 ]; then
    awk -v max="$max_lines" 'FNR == 1 { tabs = 0 }
      /\t/ { printf "%s:%d: tab\n", FILENAME, FNR }
      /[ \t\r]$/ { printf "%s:%d: space at the end of the line\n", FILENAME, FNR }
      FNR == max + 1 { printf "%s:1: more than %d lines: cut it in two\n", FILENAME, max }' "${scripts[@]}"
  fi
  readmes
  secrets
}

# Every folder of src/ explains itself in a README of at most 15 lines.
readmes() {
  local folder lines
  for folder in src/*/; do
    [ -d "$folder" ] || continue
    if [ ! -f "${folder}README.md" ]; then
      echo "${folder}README.md:1: missing: what the folder is, what it may not depend on, where to start"
      continue
    fi
    lines=$(wc -l <"${folder}README.md")
    [ "$lines" -le "$max_readme" ] || echo "${folder}README.md:1: $lines lines (limit $max_readme)"
  done
}

# Strings that look like real credentials. Samples in tests are short or spelled in pieces.
secrets() {
  local pattern='sk-(ant-|proj-)?[A-Za-z0-9_-]{32,}|AKIA[0-9A-Z]{16}|AIza[0-9A-Za-z_-]{35}|gh[pousr]_[A-Za-z0-9]{36}'
  pattern="$pattern|-----BEGIN ([A-Z]+ )?PRIVATE KEY-----[^\"'\`]*\$|xox[baprs]-[0-9A-Za-z-]{20,}"
  grep -rnIE --exclude-dir=node_modules --exclude-dir=build --exclude-dir=.git --exclude=package-lock.json \
    -e "$pattern" . 2>/dev/null | sed -E 's/^\.\/([^:]+:[0-9]+):.*/\1: looks like a credential/' || true
}

found=$(faults)
[ -z "$found" ] && exit 0
printf '%s\n' "$found"
exit 1
