#!/usr/bin/env bash
# events.sh: does the event stream keep up? One weir, one worker, a load of about RATE (5000) requests a second for
# SECONDS_OF_LOAD (10), READERS (5) that read every event. Environment: as run.sh; WATCH_QUERY, such as ?only=admitted.
# Prints a JSON line: what was decided, what each reader was shown, of how many it was told that it sees a sample, what was
# dropped before anybody saw it, and the processor time of the whole process.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
rate=${RATE:-5000} seconds=${SECONDS_OF_LOAD:-10} readers=${READERS:-5}
weir=$PWD/${WEIR_BIN:-build/bench/weir}
upstream_port=${UPSTREAM_PORT:-19190} weir_port=${WEIR_PORT:-19192} admin_port=${ADMIN_PORT:-19193}
work=$(mktemp -d)
pids=()
finish() {
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  wait 2>/dev/null || true
  rm -rf "$work"
}
trap finish EXIT
build/bench/bench/gateway/mock_upstream "$upstream_port" & pids+=($!)
cat >"$work/weir.yaml" <<EOF
listen: 127.0.0.1:$weir_port
admin: { listen: 127.0.0.1:$admin_port, token: bench-token }
data: $work/data
workers: 1
providers: { mock: { dialect: openai, url: "http://127.0.0.1:$upstream_port", key: upstream } }
models: { "*": { provider: mock, price: { input: 1, output: 2 } } }
limits:
  - { name: requests, per: caller, meter: requests, allow: 1000000000/1m }
  - { name: tokens, per: caller, meter: tokens, allow: 1000000000000/1h }
  - { name: spend, per: caller, meter: usd, allow: 1000000000/day }
EOF
WEIR_BENCH_KEY=$("$weir" keys create --name bench --json -c "$work/weir.yaml" | sed -n 's/.*"key" *: *"\([^"]*\)".*/\1/p')
export WEIR_BENCH_KEY
"$weir" serve -c "$work/weir.yaml" >"$work/weir.log" 2>&1 & weir_pid=$!
pids+=("$weir_pid")
end=$((SECONDS + 20))
until curl -s -o "$work/up" "http://127.0.0.1:$weir_port/readyz"; do
  [ "$SECONDS" -lt "$end" ] || { cat "$work/weir.log" >&2; exit 2; }
  read -r -t 0.05 <> <(:) || true
done
for ((reader = 0; reader < readers; reader++)); do
  curl -sN -H "Authorization: Bearer bench-token" -o "$work/events.$reader" \
    "http://127.0.0.1:$admin_port/admin/v1/events${WATCH_QUERY:-}" & pids+=($!)
done
read -r -t 1 <> <(:) || true
# As many connections as ask once in 20 ms each.
cat >"$work/load.lua" <<EOF
dofile("bench/gateway/chat.lua")
function delay() return 20 end
EOF
cpu_s() { sed 's/.*) //' "/proc/$weir_pid/stat" | awk -v hz="$(getconf CLK_TCK)" '{print ($12 + $13) / hz}'; }
before=$(cpu_s)
wrk -t1 -c$((rate * 21 / 1000)) -d"${seconds}s" -s "$work/load.lua" "http://127.0.0.1:$weir_port" >"$work/wrk"
after=$(cpu_s)
requests=$(awk '/requests in/ {print $1}' "$work/wrk")
read -r -t 2 <> <(:) || true
dropped=$(curl -s "http://127.0.0.1:$admin_port/metrics" | awk '/^weir_events_dropped_total/ {print $2}')
shown= of=
for ((reader = 0; reader < readers; reader++)); do
  shown+="${shown:+,}$(grep -c '^event: decision' "$work/events.$reader" || true)"
  of+="${of:+,}$(sed -n 's/^data: {"shown":\([0-9]*\),"of":\([0-9]*\)}.*/\1 \2/p' "$work/events.$reader" | awk '{n += $2 - $1} END {print n + 0}')"
done
printf '{"bench":"event_stream","requests":%s,"seconds":%s,"per_s":%s,"readers":%s,"shown":[%s],"left_out":[%s],"dropped":%s,"cpu_s":%s}\n' \
  "$requests" "$seconds" "$((requests / seconds))" "$readers" "$shown" "$of" "${dropped:-0}" "$(awk -v a="$after" -v b="$before" 'BEGIN {print a - b}')"
