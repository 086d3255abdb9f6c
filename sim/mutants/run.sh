#!/usr/bin/env bash
# Breaks the product in known ways, one patch at a time, and shows which checker of the simulator notices.
#   sim/mutants/run.sh [NAME…]      names or beginnings of names of sim/mutants/*.patch; all without
# A mutant says in its first line which worlds lead to it: "# caught by: CHECKER (world W [W…])".
# WEIR_MUTANT_SECONDS: how long each is looked for once it is built (default 180). Exit 1: one survives.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
root=$PWD
tree=$root/build/mutants/tree
seconds=${WEIR_MUTANT_SECONDS:-180}
jobs=$(nproc)

# A copy that keeps its objects from one run to the next; only what changed is copied again.
mkdir -p "$tree"
git ls-files -z --cached --others --exclude-standard | while IFS= read -r -d '' file; do
  [ -f "$file" ] && printf '%s\0' "$file"
done | xargs -0 cp -u --parents -t "$tree"
# An interrupted run leaves its patch behind.
[ -f "$tree/../applied" ] && (cd "$tree" && GIT_CEILING_DIRECTORIES=$tree/.. git apply -R "$(cat ../applied)") || true
rm -f "$tree/../applied"

build() { (cd "$tree" && ninja -C build/dev -j"$jobs" weir_simulate) >"$tree/../build.log" 2>&1; }
[ -f "$tree/build/dev/build.ninja" ] || (cd "$tree" && cmake --preset dev >/dev/null)
build || { tail -20 "$tree/../build.log" >&2; exit 2; }

wanted() {
  [ "$#" -gt 1 ] || return 0
  local name=$1 each
  shift
  for each in "$@"; do [[ $name == "$each"* ]] && return 0; done
  return 1
}

# search WORLD…: prints "checker world seed" of the first failure.
search() {
  local begin=$SECONDS seed world found
  for ((seed = 1; SECONDS - begin < seconds; ++seed)); do
    for world in "$@"; do
      found=$("$tree/build/dev/weir_simulate" --world "$world" --seed "$seed" --no-regressions 2>&1 |
        sed -n 's/^FAILED \([^ ]*\) seed \([0-9]*\): \([a-z_]*\):.*/\3 \1 \2/p' | head -1) || true
      [ -z "$found" ] || { echo "$found"; return 0; }
    done
  done
  return 1
}

survivors=0
printf '%-36s %-24s %-16s %6s %8s\n' mutant checker world seed seconds
for patch in "$root"/sim/mutants/*.patch; do
  name=$(basename "$patch" .patch)
  wanted "$name" "$@" || continue
  worlds=$(sed -n '1s/.*(world[s]* \([^)]*\)).*/\1/p' "$patch")
  (cd "$tree" && GIT_CEILING_DIRECTORIES=$tree/.. git apply "$patch")
  echo "$patch" >"$tree/../applied"
  began=$SECONDS
  if ! build; then
    printf '%-36s %s\n' "$name" "does not build, see build/mutants/build.log"
    survivors=1
  elif found=$(began=$SECONDS; search $worlds && echo $((SECONDS - began))); then
    # shellcheck disable=SC2086
    printf '%-36s %-24s %-16s %6s %8s\n' "$name" $found
  else
    printf '%-36s %s\n' "$name" "SURVIVES in: $worlds"
    survivors=1
  fi
  (cd "$tree" && GIT_CEILING_DIRECTORIES=$tree/.. git apply -R "$patch")
  rm -f "$tree/../applied"
done
exit "$survivors"
