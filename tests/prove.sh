#!/usr/bin/env bash
# prove.sh HISTORIES SEED: the properties of the limiter (docs/proof/properties.md) over that many random histories in
# all, the same number for every test, on all cores. Prints how many each property had; exit 1 on a counterexample, with
# the seed that repeats it. Needs build/dev/engine_test and policy_test; `./dev prove` builds them.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
histories=${1:-1000000} seed=${2:-1} cores=$(nproc) out=build/prove result=0
expected="P1 P2 P3 P5 P6 P7 P8 P9 P10 P11 P12 P13 P14 P15 P16 P17 P18 P19 P22"
rm -rf "$out"
mkdir -p "$out"

# run PART HISTORIES FILTER: the named tests of both programs; what they say goes to $out/PART-PROGRAM.txt.
run() {
  local part=$1 count=$2 filter=$3 program failed=0
  for program in engine policy; do
    WEIR_PROVE=$count WEIR_PROVE_SEED=$((seed + part * count)) "build/dev/${program}_test" --gtest_filter="$filter" \
      >"$out/$part-$program.txt" 2>&1 || failed=1
  done
  return "$failed"
}

# Which tests there are is told by one history of each.
if ! run 0 1 '*'; then
  grep -h -A12 -E 'Failure$' "$out"/0-*.txt
  exit 1
fi
calls=$(cat "$out"/0-*.txt | grep -c '^proved ')
names=$(awk '/^proved / && $2 !~ /^P1\./ { print $2 }' "$out"/0-*.txt | sort -u | paste -sd:)
rm "$out"/0-*.txt
each=$(((histories + calls - 1) / calls))
echo "$calls kinds of histories, $each of each, seed $seed, $cores at a time"

# Histories of threads want the machine for themselves.
run 0 "$each" 'P1.*' || result=1
for program in engine policy; do mv "$out/0-$program.txt" "$out/threads-$program.txt"; done
pids=()
for ((part = 0; part < cores; ++part)); do
  run "$part" $(((each + cores - 1) / cores)) "$names" &
  pids+=($!)
done
for pid in "${pids[@]}"; do wait "$pid" || result=1; done

grep -h -A12 -E 'Failure$' "$out"/*.txt || true
grep -hE '^[0-9]+ histories, .* overlapping' "$out"/threads-engine.txt || true
cat "$out"/*.txt | awk -v expected="$expected" -v wanted="$histories" '
  /^proved / {
    split($2, name, ".")
    test[$2] += $3
    total += $3
    rest = name[1]
    while (match(rest, /P[0-9]+/)) {
      property[substr(rest, RSTART, RLENGTH)] += $3
      rest = substr(rest, RSTART + RLENGTH)
    }
  }
  END {
    for (one in test) printf "%10d  %s\n", test[one], one | "sort -k2"
    close("sort -k2")
    print ""
    count = split(expected, names, " ")
    for (i = 1; i <= count; ++i) {
      printf "%-4s %10d\n", names[i], property[names[i]]
      if (property[names[i]] < wanted / 100) { printf "%s has too few histories\n", names[i]; bad = 1 }
    }
    printf "in all %d histories\n", total
    exit bad || total < wanted
  }' || result=1
if [ "$result" = 0 ]; then echo "no counterexample"; fi
exit "$result"
