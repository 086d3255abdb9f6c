#!/usr/bin/env bash
# run.sh: the tokenizer beside npm tiktoken and gpt-tokenizer: equal ids, speed. Needs build/bench and Node 18 or newer.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
if [ ! -f node_modules/.lock ] || ! cmp -s package-lock.json node_modules/.lock; then
  npm ci --no-audit --no-fund --ignore-scripts --loglevel=error >&2
  cp package-lock.json node_modules/.lock
fi
exec node compare.mjs ../../build/bench/bench/tokens/tokens_compare "${WEIR_DATA:-../../../shared/data}"
