#!/usr/bin/env bash
# run.sh: weir beside nginx's proxy_pass on this machine, both with one worker, against the same fast upstream.
# Interleaved rounds, medians, ratios within one run. Environment: ROUNDS (5), SECONDS_PER_ROUND (4), IDLE (10000),
# WEIR_BIN (build/bench/weir), WEIR_BENCH_MODEL (bench-small; gpt-4o has a public tokenizer), WEIR_BENCH_SHAPE (json;
# stream, agent, agentstream: chat.lua). Prints a table, then JSON lines; the same lines go to build/bench-gateway.json.
# With BASE=path/to/an/older/weir only the two versions of weir are compared, in interleaved rounds, with the same policy;
# WATCH=N lets N readers of all events look on at this version's, WATCH_ONLY=refused,… at those of the named kinds.
#
# Measured: requests per CPU-second of the whole proxy process (utime + stime of all its threads, or of all nginx
# processes), added p50 latency with one connection over the upstream alone, resident memory with idle connections.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
rounds=${ROUNDS:-5} seconds=${SECONDS_PER_ROUND:-4} idle=${IDLE:-10000}
weir=$PWD/${WEIR_BIN:-build/bench/weir}
tools=$PWD/build/bench/bench/gateway
lua=$PWD/bench/gateway/chat.lua
nginx=$(command -v nginx || echo /usr/sbin/nginx)
upstream_port=${UPSTREAM_PORT:-19180} nginx_port=${NGINX_PORT:-19181} weir_port=${WEIR_PORT:-19182} admin_port=${ADMIN_PORT:-19183}
results=build/bench-gateway.json
work=$(mktemp -d)
pids=()
finish() {
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  wait 2>/dev/null || true
  rm -rf "$work"
}
trap finish EXIT
ulimit -n "$(ulimit -Hn)"

# until_up PORT PATH: waits for any answer.
until_up() {
  local end=$((SECONDS + 20))
  until curl -s -o "$work/up" "http://127.0.0.1:$1$2"; do
    if [ "$SECONDS" -ge "$end" ]; then
      echo "nothing answers on port $1" >&2
      cat "$work"/*.log >&2
      exit 2
    fi
    read -r -t 0.05 <> <(:) || true
  done
}

"$tools/mock_upstream" "$upstream_port" & pids+=($!)

cat >"$work/nginx.conf" <<EOF
daemon off;
worker_processes 1;
pid $work/nginx.pid;
error_log $work/nginx.log error;
worker_rlimit_nofile 20000;
events { worker_connections 12000; }
http {
  access_log off;
  client_body_temp_path $work/body; proxy_temp_path $work/proxy; fastcgi_temp_path $work/fastcgi;
  uwsgi_temp_path $work/uwsgi; scgi_temp_path $work/scgi;
  keepalive_requests 1000000000;
  keepalive_timeout 300s;
  client_body_buffer_size 16k;
  upstream mock { server 127.0.0.1:$upstream_port; keepalive 128; keepalive_requests 1000000000; }
  server {
    listen 127.0.0.1:$nginx_port backlog=1024;
    location / { proxy_pass http://mock; proxy_http_version 1.1; proxy_set_header Connection ""; }
  }
}
EOF
if [ -z "${BASE:-}" ]; then
  "$nginx" -p "$work" -c "$work/nginx.conf" & nginx_pid=$!
  pids+=("$nginx_pid")
fi

# policy FILE PORT ADMIN_PORT DATA
policy() {
  cat >"$1" <<EOF
listen: 127.0.0.1:$2
admin: { listen: 127.0.0.1:$3, token: bench-token }
data: $4
workers: 1
timeouts: { idle: 300s }
providers: { mock: { dialect: openai, url: "http://127.0.0.1:$upstream_port", key: upstream } }
models: { "*": { provider: mock, price: { input: 1, output: 2 } } }
limits:
  - { name: requests, per: caller, meter: requests, allow: 1000000000/1m }
  - { name: tokens, per: caller, meter: tokens, allow: 1000000000000/1h }
  - { name: spend, per: caller, meter: usd, allow: 1000000000/day }
EOF
}
policy "$work/weir.yaml" "$weir_port" "$admin_port" "$work/data"
WEIR_BENCH_KEY=$("$weir" keys create --name bench --json -c "$work/weir.yaml" | sed -n 's/.*"key" *: *"\([^"]*\)".*/\1/p')
export WEIR_BENCH_KEY
[ -n "$WEIR_BENCH_KEY" ] || { echo "no key" >&2; exit 2; }
start_weir() {
  "$weir" serve -c "$work/weir.yaml" >>"$work/weir.log" 2>&1 & weir_pid=$!
  pids+=("$weir_pid")
  until_up "$weir_port" /readyz
}
start_weir
until_up "$upstream_port" /
if [ -n "${BASE:-}" ]; then  # a store and a key of its own
  policy "$work/base.yaml" "$nginx_port" "$((admin_port + 1))" "$work/base-data"
  base_key=$("$BASE" keys create --name bench --json -c "$work/base.yaml" | sed -n 's/.*"key" *: *"\([^"]*\)".*/\1/p')
  "$BASE" serve -c "$work/base.yaml" >>"$work/base.log" 2>&1 & nginx_pid=$!
  pids+=("$nginx_pid")
fi
until_up "$nginx_port" /readyz
for ((watcher = 0; watcher < ${WATCH:-0}; watcher++)); do
  curl -sN -H "Authorization: Bearer bench-token" -o /dev/null \
    "http://127.0.0.1:$admin_port/admin/v1/events${WATCH_ONLY:+?only=$WATCH_ONLY}" & pids+=($!)
done

# cpu_ticks PID: of the process and its children (nginx: master and worker).
cpu_ticks() {
  local pid total=0
  for pid in "$1" $(ps -o pid= --ppid "$1" || true); do
    [ -r "/proc/$pid/stat" ] && total=$((total + $(sed 's/.*) //' "/proc/$pid/stat" | awk '{print $12 + $13}')))
  done
  echo "$total"
}

# load PORT CONNECTIONS SECONDS: "requests p50_us"; ends the run on any answer that is not 2xx.
load() {
  local out
  out=$(WEIR_BENCH_KEY=$([ "$1" = "$nginx_port" ] && echo "${base_key:-$WEIR_BENCH_KEY}" || echo "$WEIR_BENCH_KEY") wrk -t1 -c"$2" -d"$3s" --latency -s "$lua" "http://127.0.0.1:$1")
  if grep -qE 'Non-2xx|Socket errors' <<<"$out"; then
    printf '%s\n' "$out" >&2
    curl -s -i -H "Authorization: Bearer $WEIR_BENCH_KEY" "http://127.0.0.1:$weir_port/weir/v1/me" >&2
    exit 2
  fi
  awk '/requests in/ {n = $1}
       $1 == "50%" {v = $2; unit = v; sub(/[0-9.]+/, "", unit); sub(/[a-z]+/, "", v)
                    us = v * (unit == "s" ? 1e6 : unit == "ms" ? 1e3 : 1)}
       END {print n, us}' <<<"$out"
}

median() { sort -n | awk '{v[NR] = $1} END {print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2}'; }

hertz=$(getconf CLK_TCK)
# throughput NAME PORT PID: appends requests per CPU-second and requests per second.
throughput() {
  local before after requests
  before=$(cpu_ticks "$3")
  read -r requests _ < <(load "$2" 64 "$seconds")
  after=$(cpu_ticks "$3")
  awk -v n="$requests" -v t=$((after - before)) -v hz="$hertz" 'BEGIN {print n / (t / hz)}' >>"$work/$1.cpu"
  awk -v n="$requests" -v s="$seconds" 'BEGIN {print n / s}' >>"$work/$1.rps"
}
latency() { load "$2" 1 2 | awk '{print $2}' >>"$work/$1.p50"; }

load "$nginx_port" 64 1 >/dev/null
load "$weir_port" 64 1 >/dev/null
for ((round = 1; round <= rounds; round++)); do
  throughput nginx "$nginx_port" "$nginx_pid"
  throughput weir "$weir_port" "$weir_pid"
done
if [ -n "${BASE:-}" ]; then
  awk -v b="$(median <"$work/nginx.rps")" -v w="$(median <"$work/weir.rps")" -v bc="$(median <"$work/nginx.cpu")" \
    -v wc="$(median <"$work/weir.cpu")" 'BEGIN {
      printf "{\"bench\":\"gateway_versions\",\"base_requests_per_s\":%.0f,\"weir_requests_per_s\":%.0f,\"ratio\":%.3f,", b, w, w / b
      printf "\"base_requests_per_cpu_s\":%.0f,\"weir_requests_per_cpu_s\":%.0f,\"cpu_ratio\":%.3f,\"floor\":0.9}\n", bc, wc, wc / bc
    }'
  for what in cpu rps; do  # of each round
    paste "$work/nginx.$what" "$work/weir.$what" | awk -v what="$what" '{printf "%s%.3f", (NR > 1 ? "," : "{\"bench\":\"gateway_rounds\",\"of\":\"" what "\",\"ratios\":["), $2 / $1} END {print "]}"}'
  done
  exit
fi
for ((round = 1; round <= rounds; round++)); do
  latency direct "$upstream_port"
  latency nginx "$nginx_port"
  latency weir "$weir_port"
done

resident_kb() { awk '/^VmRSS/ {print $2}' "/proc/$1/status"; }
rss_before=$(resident_kb "$weir_pid")
# Idle connections are measured on a fresh process: what the load left behind (closed reservations, counters) is above.
kill "$weir_pid"
wait "$weir_pid" || true
rm -rf "$work/data"
start_weir
coproc holder { "$tools/idle_connections" "$weir_port" "$idle"; }
read -r _ held <&"${holder[0]}"
rss_idle=$(resident_kb "$weir_pid")
eval "exec ${holder[1]}>&-"

value() { median <"$work/$1"; }
report() {
  awk -v nc="$(value nginx.cpu)" -v wc="$(value weir.cpu)" -v nr="$(value nginx.rps)" -v wr="$(value weir.rps)" \
    -v d="$(value direct.p50)" -v n="$(value nginx.p50)" -v w="$(value weir.p50)" \
    -v before="$rss_before" -v idle="$rss_idle" -v held="$held" -v json="$1" 'BEGIN {
      added_n = n - d; added_w = w - d
      ratio = wc / nc; added = added_n > 0 ? added_w / added_n : 0
      if (json) {
        printf "{\"bench\":\"gateway_cpu\",\"nginx_requests_per_cpu_s\":%.0f,\"weir_requests_per_cpu_s\":%.0f,\"ratio\":%.3f,\"floor\":0.7,\"goal\":0.9}\n", nc, wc, ratio
        printf "{\"bench\":\"gateway_rate\",\"nginx_requests_per_s\":%.0f,\"weir_requests_per_s\":%.0f}\n", nr, wr
        printf "{\"bench\":\"gateway_latency\",\"direct_us_p50\":%.1f,\"nginx_us_p50\":%.1f,\"weir_us_p50\":%.1f,\"added_ratio\":%.3f,\"ceiling\":1.5}\n", d, n, w, added
        printf "{\"bench\":\"gateway_memory\",\"rss_mb_after_load\":%.1f,\"idle_connections\":%d,\"rss_mb_idle\":%.1f,\"ceiling\":100}\n", before / 1024, held, idle / 1024
      } else {
        printf "%-38s %10s %10s %10s  %s\n", "", "nginx", "weir", "ratio", "wanted"
        printf "%-38s %10.0f %10.0f %10.3f  >= 0.7, goal 0.9\n", "requests per CPU-second", nc, wc, ratio
        printf "%-38s %10.0f %10.0f %10.3f\n", "requests per second, 64 connections", nr, wr, wr / nr
        printf "%-38s %10.1f %10.1f %10.3f  <= 1.5 (direct %.1f)\n", "added p50, 1 connection, us", added_n, added_w, added, d
        printf "%-38s %10s %10.1f %10s  <= 100\n", "RSS with " held " idle connections, MB", "", idle / 1024, ""
      }
    }'
}
report 0
report 1 | tee "$results"
