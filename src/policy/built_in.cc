#include "policy/loader.h"

namespace weir {

// Read by the same loader as any file. A provider whose key is not in the environment is left out, and its models with
// it.
std::string_view built_in_yaml() {
  return R"(
providers:
  openai: { dialect: openai,    url: https://api.openai.com,    key: "${OPENAI_API_KEY}" }
  claude: { dialect: anthropic, url: https://api.anthropic.com, key: "${ANTHROPIC_API_KEY}" }
  gemini: { dialect: gemini,    url: https://generativelanguage.googleapis.com, key: "${GEMINI_API_KEY}" }
  sim:    { simulate: { output_tokens: 20..200, first_byte: 150ms, tokens_per_second: 100 } }
models:
  gpt-4o:      { provider: openai, price: { input: 2.50, cached_input: 1.25, output: 10.00 } }
  "gpt-*":     { provider: openai, fallback: [gpt-4o-mini] }
  "claude-*":  { provider: claude }
  "*":         { provider: sim }
limits:
  - { name: runs,      per: caller, meter: runs,     allow: [20/1m, 200/1h] }
  - { name: requests,  per: caller, meter: requests, allow: 600/1m }
  - { name: tokens,    per: caller, meter: tokens,   allow: [50k/1m, 500k/1h] }
  - { name: in-flight, per: caller, meter: concurrency, allow: 16 }
  - { name: high-risk, per: [caller, tool], meter: tool_calls, allow: 5/1h, on_exceed: strip_tool, fail: closed,
      match: { tool: ["*payment*", "pay_*", "refund*", "transfer*", "send_money*", "send_email*", "delete_*", "*_delete",
                      "drop_*"] } }
  - name: spend
    per: caller
    meter: usd
    allow: 10/day
    fail: closed
    degrade:
      - { at: 50%, model: { gpt-4o: gpt-4o-mini }, max_tokens: 2048 }
      - { at: 80%, max_tokens: 1024 }
)";
}

}  // namespace weir
