#!/usr/bin/env bash
# run.sh [NAME…]: breaks the product with each patch beside it (or those whose name contains one of NAME) and looks
# which checker of the simulator notices. Works on HEAD, in a worktree of its own under build/mutants. Prints a table;
# exit 1 if a mutant survives. A failure counts only if the same seed without the patch does not fail the same checker.
#
# A patch begins with what is broken and `# caught by: CHECKER (world NAME…, seed N)`: that seed first, if there is one,
# then WEIR_MUTANT_SEEDS seeds of those worlds.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
here=sim/mutants out=$PWD/build/mutants tree=$PWD/build/mutants/tree
cores=$(nproc) seeds=${WEIR_MUTANT_SEEDS:-48} cpu_seconds=${WEIR_MUTANT_CPU_SECONDS:-300}
mkdir -p "$out"
# Children hold the lock too: a compiler that outlived a run that was stopped would leave its mutant in the next one.
exec 9>"$out/lock"
flock -n 9 || { echo "run.sh: another run is not over yet; wait for it" >&2; exit 2; }

build() { ninja -C "$tree/build/dev" -j"$cores" weir_simulate >"$out/build.log" 2>&1; }

# The tree as it is committed, built; its program and what its seeds found stay until HEAD changes.
prepare() {
  local head
  head=$(git rev-parse HEAD)
  if [ ! -e "$tree/.git" ]; then
    git worktree prune
    git worktree add -q --detach "$tree" "$head"
  fi
  git -C "$tree" checkout -q -f --detach "$head"
  mkdir -p build/ranks "$tree/build"
  [ -e "$tree/build/ranks" ] || ln -s ../../../ranks "$tree/build/ranks"
  [ -f "$tree/build/dev/build.ninja" ] || (cd "$tree" && cmake --preset dev >"$out/build.log" 2>&1)
  [ "$(cat "$out/clean/commit" 2>/dev/null)" != "$head" ] || return 0
  build || { tail -n 30 "$out/build.log" >&2; return 2; }
  rm -rf "$out/clean"
  mkdir -p "$out/clean"
  cp "$tree/build/dev/weir_simulate" "$out/clean/weir_simulate"
  echo "$head" >"$out/clean/commit"
}

# found PROGRAM WORLD SEED FILE: the checkers that failed go to FILE, one a line; a process that died is one of them.
found() {
  local result=0
  (ulimit -t "$cpu_seconds"; exec "$1" --world "$2" --first "$3" --seeds 1 --once --no-regressions --jobs 1) \
    >"$4.log" 2>&1 || result=$?
  awk '/^FAILED /{ if ($5 == "the") print "process"; else { sub(/:$/, "", $5); print $5 } }' "$4.log" | sort -u >"$4.new"
  [ "$result" -le 1 ] || echo process >>"$4.new"
  mv "$4.new" "$4"
}

# notices NAME WORLD SEED: what fails with the patch and not without it.
notices() {
  local mutated=$out/$1/$2-$3 clean=$out/clean/$2-$3
  found "$tree/build/dev/weir_simulate" "$2" "$3" "$mutated"
  [ -s "$mutated" ] || return 0
  [ -f "$clean" ] || found "$out/clean/weir_simulate" "$2" "$3" "$clean"
  comm -23 "$mutated" "$clean" >"$mutated.caught"
}

# hunt NAME: sets caught, world and seed; as many seeds at once as there are cores.
hunt() {
  local name=$1 patch=$here/$1.patch tasks=() worlds noted i at pids
  read -r -a worlds <<<"$(sed -n 's/^# caught by: .*(worlds* \([a-z -]*\).*/\1/p' "$patch" | head -n 1)"
  noted=$(sed -n 's/^# caught by: .*, seed \([0-9]*\)).*/\1/p' "$patch" | head -n 1)
  noted=${noted:+${worlds[0]} $noted}
  [ -z "$noted" ] || tasks=("$noted")
  for ((i = 0; i < seeds; ++i)); do tasks+=("${worlds[i % ${#worlds[@]}]} $((i + 1))"); done
  caught="" world="" seed=""
  rm -rf "${out:?}/$name"
  mkdir -p "$out/$name"
  for ((i = 0; i < ${#tasks[@]}; i = at)); do
    pids=()
    at=$((i == 0 && ${#noted} > 0 ? 1 : i + cores))   # what is noted by itself: nothing more is needed, most often
    for task in "${tasks[@]:i:at-i}"; do
      read -r world seed <<<"$task"
      notices "$name" "$world" "$seed" &
      pids+=("$!")
    done
    wait "${pids[@]}"
    for task in "${tasks[@]:i:at-i}"; do
      read -r world seed <<<"$task"
      [ -f "$out/$name/$world-$seed.caught" ] || continue
      caught=$(xargs <"$out/$name/$world-$seed.caught")
      [ -z "$caught" ] || return 0
    done
  done
}

prepare
survived=0 count=0
printf '| mutant | what is broken | caught by | world, seed | seconds |\n|---|---|---|---|---|\n'
for patch in "$here"/*.patch; do
  name=$(basename -s .patch "$patch")
  wanted=$([ $# -gt 0 ] && echo no || echo yes)
  for word in "$@"; do [[ "$name" != *"$word"* ]] || wanted=yes; done
  [ "$wanted" = yes ] || continue
  begin=$SECONDS count=$((count + 1))
  broken=$(sed -n '/^# caught by: /!s/^# //p' "$patch" | xargs -d '\n')
  git -C "$tree" checkout -q -- .
  if ! git -C "$tree" apply "$PWD/$patch" || ! build; then
    caught="" world="does not build" seed="see build/mutants/build.log"
  else
    hunt "$name"
    [ -n "$caught" ] || world="$seeds seeds" seed="none fails"
  fi
  [ -n "$caught" ] || survived=$((survived + 1))
  printf '| %s | %s | %s | %s, %s | %d |\n' "$name" "$broken" "${caught:-**nobody**}" "$world" "$seed" \
    "$((SECONDS - begin))"
done
git -C "$tree" checkout -q -- .
printf '\n%d of %d mutants caught\n' "$((count - survived))" "$count"
[ "$survived" = 0 ] && [ "$count" -gt 0 ]
