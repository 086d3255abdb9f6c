#include "policy/keys.h"

namespace weir {
namespace {

using enum ValueType;
constexpr bool kLater = true;

constexpr KeySpec kKeys[] = {
    {"", "listen", kEndpoint, "", "address of the data plane"},
    {"", "admin", kSection, "admin", "the admin listener"},
    {"", "tls", kSection, "tls", "certificate of the data plane; absent: plain HTTP"},
    {"", "data", kText, "", "folder of the embedded store"},
    {"", "store", kSection, "store", "where counters and records live"},
    {"", "workers", kWorkers, "", "event loops; auto is one per core"},
    {"", "zone", kZone, "", "IANA zone of calendar windows that have no tenant"},
    {"", "tenants", kSectionMap, "tenant", "facts about tenants, by name"},
    {"", "providers", kSectionMap, "provider", "LLM providers, by name"},
    {"", "models", kSectionMap, "model", "model name or glob -> provider; the first match wins"},
    {"", "upstreams", kSectionList, "upstream", "MCP servers, and HTTP APIs that are not LLM providers"},
    {"", "default_tier", kText, "", "tier of keys that have none"},
    {"", "tiers", kSectionMap, "tier", "the tiers, by name"},
    {"", "limits", kSectionList, "limit", "replaces the built-in limits"},
    {"", "reservation", kSection, "reservation", "what an admitted request holds until it is settled"},
    {"", "timeouts", kSection, "timeouts", "of clients"},
    {"", "bounds", kSection, "bounds", "of requests"},
    {"", "retry", kSection, "retry", "what is tried again before a first byte went to the client"},
    {"", "auth_failures", kSection, "auth_failures", "wrong keys allowed per address"},
    {"", "durability", kChoice, "relaxed|strict", "relaxed survives kill -9, strict also power loss"},
    {"", "anonymous", kChoice, "refuse|allow", "requests without a key"},
    {"", "trusted_proxies", kTextList, "", "addresses or networks whose X-Forwarded-For is believed"},
    {"", "retention", kSection, "retention", "how long records are kept"},
    {"", "drain", kDuration, "", "how long SIGTERM waits for open requests"},
    {"", "runs", kSection, "runs", "how much one run of an agent may do; 0 is no bound"},
    {"", "breaker", kSection, "breaker", "when loops and bursts of errors are stopped; 0 is never"},
    {"", "profiles", kSection, "profiles", "what agents usually do with tools that have side effects"},
    {"", "trust", kSection, "trust", "how anomalies scale limits that say contextual: true"},
    {"", "alerts", kSection, "alerts", "what is worth waking somebody for, and whom"},
    {"", "guards", kText, "", "", kLater},
    {"", "cache", kText, "", "", kLater},
    {"", "edge", kText, "", "", kLater},
    {"", "plans", kText, "", "", kLater},
    {"", "adjust", kText, "", "", kLater},
    {"", "script", kText, "", "", kLater},
    {"", "route", kText, "", "", kLater},
    {"", "rls", kText, "", "", kLater},

    {"admin", "listen", kEndpoint, "", "address of the admin API and metrics"},
    {"admin", "token", kText, "", "bearer token; absent: generated and kept in data"},
    {"admin", "metrics", kChoice, "token|public", "public: /metrics without the token"},
    {"admin", "tls", kSection, "tls", "its certificate; absent: the data plane's, or none on a loopback address"},
    {"admin", "names", kTextList, "", "host names it is reached by, beside IP addresses and localhost"},

    {"tls", "cert", kText, "", "PEM file: the certificate, then the intermediates"},
    {"tls", "key", kText, "", "PEM file of its private key, not readable by others"},

    {"store", "counters", kChoice, "memory", "in this process"},
    {"store", "records", kChoice, "embedded", "SQLite in data"},

    {"tenant", "zone", kZone, "", "zone of this tenant's calendar windows"},

    {"provider", "dialect", kChoice, "openai|anthropic|gemini|ollama", "how the provider speaks"},
    {"provider", "url", kUrl, "", "scheme and host; a path is prefixed, a trailing /v1 replaces the dialect's"},
    {"provider", "key", kText, "", "the provider's credential"},
    {"provider", "ca", kText, "", "PEM file that signs the provider's certificate"},
    {"provider", "simulate", kSection, "simulate", "answers made up inside the gateway"},
    {"provider", "price", kPrice, "", "of models that nothing else prices"},
    {"provider", "timeouts", kSection, "provider timeouts", "of calls to the provider"},

    {"provider timeouts", "connect", kDuration, "", "until the connection stands"},
    {"provider timeouts", "first_byte", kDuration, "", "streams: until the first byte"},
    {"provider timeouts", "idle", kDuration, "", "streams: between bytes"},
    {"provider timeouts", "total", kDuration, "", "the whole call"},

    {"simulate", "output_tokens", kOutputRange, "", "a number, or a range such as 20..200"},
    {"simulate", "first_byte", kDuration, "", "wait before the first byte"},
    {"simulate", "tokens_per_second", kInteger, "", "0 is as fast as possible"},
    {"simulate", "seed", kInteger, "", "same seed, same answers"},

    {"model", "provider", kText, "", "name of a provider"},
    {"model", "price", kPrice, "", "over the built-in price book"},
    {"model", "fallback", kTextList, "", "models to call instead when this one cannot answer, in order"},

    {"price", "input", kUsdPerMillion, "", "USD per 1M input tokens"},
    {"price", "cached_input", kUsdPerMillion, "", "USD per 1M input tokens read from the cache"},
    {"price", "cache_write", kUsdPerMillion, "", "USD per 1M input tokens written to the cache"},
    {"price", "cache_write_1h", kUsdPerMillion, "", "USD per 1M input tokens written to the cache for an hour"},
    {"price", "output", kUsdPerMillion, "", "USD per 1M output tokens"},
    {"price", "reasoning", kUsdPerMillion, "", "USD per 1M reasoning tokens; as output if absent"},
    {"price", "audio_in", kUsdPerMillion, "", "USD per 1M audio input tokens"},
    {"price", "audio_out", kUsdPerMillion, "", "USD per 1M audio output tokens"},
    {"price", "tool_unit", kUsdPerMillion, "", "USD per 1000 calls of tools that the provider runs"},

    {"upstream", "path", kPath, "", "exact, or ending in /** for everything below"},
    {"upstream", "kind", kChoice, "http|mcp", "what is behind it"},
    {"upstream", "url", kUrl, "", "where requests go"},
    {"upstream", "tool", kText, "", "name of the operation, from {method} and {path}"},
    {"upstream", "ca", kText, "", "PEM file that signs the upstream's certificate"},
    {"upstream", "pass_authorization", kBoolean, "", "forward Weir's own key as well"},
    {"upstream", "meters", kSectionMap, "custom meter", "what the upstream's answers count, by name"},
    {"upstream", "timeouts", kSection, "provider timeouts", "of calls to the upstream"},
    {"upstream", "server", kText, "", "mcp: name of the server; the last segment of the path if absent"},
    {"upstream", "hide_tools", kBoolean, "", "mcp: tools/list leaves out what the caller may not use or has used up"},

    {"custom meter", "response_header", kText, "", "header of the answer that holds the number"},
    {"custom meter", "response_json", kText, "", "dotted path in a JSON answer"},
    {"custom meter", "estimate", kInteger, "", "held before the answer is known"},

    {"tier", "weight", kInteger, "", "share of a provider's quota when callers compete"},
    {"tier", "tools", kSection, "tool lists", "which tools keys of this tier may use"},

    {"tool lists", "allow", kTextList, "", "names or globs; every other tool is denied"},
    {"tool lists", "deny", kTextList, "", "names or globs of tools that are denied"},

    {"limit", "name", kName, "", "unique; shown in refusals"},
    {"limit", "match", kMatch, "", "attribute -> value, list, glob, or {not: ...}; all must hold"},
    {"limit", "per", kPer, "", "attribute or list; global for one shared bucket"},
    {"limit", "meter", kMeter, "", "what is counted: a name, or weights"},
    {"limit", "allow", kAllow, "", "an amount per window, a list of them, or a map by tier"},
    {"limit", "on_exceed", kOnExceed, "refuse|degrade|strip_tool",
     "beyond the amount: refuse, degrade up to hard, take the tool from the request, or wait, as in {queue: 2s}"},
    {"limit", "degrade", kSectionList, "rung", "what changes from which share of the amount on"},
    {"limit", "hard", kPercent, "", "share of the amount beyond which a degrading limit refuses"},
    {"limit", "mode", kChoice, "enforce|shadow", "shadow decides the same and refuses nothing"},
    {"limit", "fail", kChoice, "local|open|closed", "when the counter store is unreachable"},
    {"limit", "missing", kChoice, "shared|skip|refuse", "when a per attribute is absent"},
    {"limit", "precision", kInteger, "", "buckets of a sliding window"},
    {"limit", "contextual", kBoolean, "", "its amounts are scaled by the caller's trust"},
    {"limit", "layer", kText, "", "", kLater},
    {"limit", "soft", kText, "", "", kLater},

    {"rung", "at", kPercent, "", "share of the amount from which on this applies; left 5 points below"},
    {"rung", "model", kTextMap, "", "model -> model to call instead"},
    {"rung", "max_tokens", kInteger, "", "most output tokens"},
    {"rung", "keep_messages", kInteger, "", "how many of the latest messages are kept"},

    {"reservation", "mode", kChoice, "estimate|reserve", "reserve always holds the whole cap"},
    {"reservation", "default_output", kInteger, "", "tokens held for a request without a cap"},
    {"reservation", "trust_cap", kInteger, "", "most tokens a stream holds at once"},
    {"reservation", "quantile", kFraction, "", "of learned outputs that is held once warm"},
    {"reservation", "warmup", kInteger, "", "answers of a tenant and model before it is warm"},
    {"reservation", "top_up", kInteger, "", "tokens a stream adds at a time"},

    {"timeouts", "header", kDuration, "", "until the header is complete"},
    {"timeouts", "body", kDuration, "", "of the body without 16 KiB of progress"},
    {"timeouts", "idle", kDuration, "", "of a connection between requests"},

    {"bounds", "header", kBytes, "", "request line and fields"},
    {"bounds", "body", kBytes, "", "body of a request"},
    {"bounds", "depth", kInteger, "", "nesting of JSON"},
    {"bounds", "messages", kInteger, "", "messages of a request"},
    {"bounds", "tools", kInteger, "", "tools of a request"},

    {"retry", "attempts", kInteger, "", "calls in all, 1 to 10"},
    {"retry", "within", kDuration, "", "how long after the first another attempt may begin"},
    {"retry", "when", kRetryWhen, "", "what is tried again"},

    {"auth_failures", "per", kChoice, "ip", "the client's address"},
    {"auth_failures", "allow", kText, "", "a sliding window such as 30/1m"},

    {"runs", "mode", kChoice, "enforce|shadow", "shadow notes what would have been refused and refuses nothing"},
    {"runs", "max_tool_calls", kInteger, "", "tool calls of one run"},
    {"runs", "max_llm_calls", kInteger, "", "calls of models of one run"},
    {"runs", "max_depth", kInteger, "", "agents below agents"},
    {"runs", "max_fanout", kInteger, "", "sub-agents of one agent before anything new came of them"},
    {"runs", "max_tokens", kAmount, "", "tokens of one run"},
    {"runs", "max_usd", kUsd, "", "dollars of one run"},
    {"runs", "idle", kDuration, "", "a run without requests for so long is over"},
    {"runs", "burst", kSection, "burst", "tool calls of one run within a short time"},

    {"burst", "tool_calls", kInteger, "", "at most so many"},
    {"burst", "within", kDuration, "", "in any such time"},

    {"breaker", "mode", kChoice, "enforce|shadow", "shadow notes what would have been stopped and stops nothing"},
    {"breaker", "repeats", kSection, "repeats", "the same call with the same arguments, or the same prompt, in a run"},
    {"breaker", "tool_errors", kSection, "threshold", "failures of tools in a row, in one run"},
    {"breaker", "failed_prompts", kSection, "threshold", "runs of a caller whose last answer failed"},
    {"breaker", "unlinked", kSection, "unlinked", "the same request again and again, outside of any run"},
    {"breaker", "cooldown", kDuration, "", "how long what broke stays refused"},
    {"breaker", "exempt", kTextList, "", "names or globs of tools that poll: their repeats are ordinary"},

    {"repeats", "warn", kInteger, "", "from so many on they are noted"},
    {"repeats", "break", kInteger, "", "so many are refused"},
    {"repeats", "within", kDuration, "", "counted in any such time"},

    {"threshold", "break", kInteger, "", "so many are refused"},
    {"threshold", "within", kDuration, "", "counted in any such time"},

    {"unlinked", "repeats", kInteger, "", "so many equal requests are refused"},
    {"unlinked", "failed", kInteger, "", "so many equal requests that failed are refused"},
    {"unlinked", "within", kDuration, "", "counted in any such time"},

    {"profiles", "sensitive", kTextList, "", "names or globs of tools with side effects"},
    {"profiles", "warmup", kInteger, "", "ordinary runs of an agent's task before its profile judges"},
    {"profiles", "on_anomaly", kChoice, "audit|refuse", "what follows a call that the profile does not know"},

    {"trust", "mode", kChoice, "enforce|shadow", "shadow notes what would have been throttled and throttles nothing"},
    {"trust", "min", kFraction, "", "share of its amounts that the least trusted caller keeps"},
    {"trust", "recover", kDuration, "", "of quiet, from min back to full trust"},
    {"trust", "escalate", kSection, "escalate", "when the key itself is flagged or suspended"},

    {"escalate", "throttles", kInteger, "", "falls from full trust"},
    {"escalate", "within", kDuration, "", "counted in any such time"},
    {"escalate", "action", kChoice, "flag|suspend", "flag: noted for the operator; suspend: the key is refused"},

    {"alerts", "targets", kSectionMap, "alert target", "who is told, by name"},
    {"alerts", "rules", kSectionList, "alert rule", "what they are told of"},

    {"alert target", "url", kUrl, "", "https; http to this machine only"},
    {"alert target", "kind", kChoice, "webhook|slack", "slack: JSON that Slack and its likes show as text"},
    {"alert target", "secret", kText, "", "webhook: what messages are signed with"},

    {"alert rule", "name", kName, "", "unique; the word of `when` if absent"},
    {"alert rule", "when", kChoice, "usage|spend|spike|breaker_opened|fail_open|settlement_drift|provider_errors",
     "what happens"},
    {"alert rule", "limit", kText, "", "usage: name of a limit; absent: every limit"},
    {"alert rule", "above", kText, "", "a percentage such as 80%; spend: dollars in a time, such as 50/1h"},
    {"alert rule", "forecast", kText, "", "spend: dollars that a day, week or month will come to, such as 1000/month"},
    {"alert rule", "per", kChoice, "key|tenant|global", "spend, spike: whose use is summed up"},
    {"alert rule", "meter", kChoice, "tokens|usd|requests", "spike: what is counted"},
    {"alert rule", "factor", kFraction, "", "spike: so many times the subject's own baseline"},
    {"alert rule", "min", kText, "", "spike: less than so much is never one"},
    {"alert rule", "within", kDuration, "", "the time that is summed up"},
    {"alert rule", "warmup", kDuration, "", "spike: a subject is watched for so long before it is judged"},
    {"alert rule", "for", kDuration, "", "how long it must last"},
    {"alert rule", "every", kDuration, "", "said again that often while it lasts; absent: once"},
    {"alert rule", "to", kTextList, "", "targets; absent: all"},

    {"retention", "ledger", kDuration, "", "usage rows"},
    {"retention", "audit", kDuration, "", "audit rows"},
};

}  // namespace

std::span<const KeySpec> policy_keys() {
  return kKeys;
}

std::vector<std::string_view> keys_of(std::string_view section) {
  std::vector<std::string_view> out;
  for (const KeySpec& spec : kKeys) {
    if (spec.section == section && !spec.later) out.push_back(spec.key);
  }
  return out;
}

const KeySpec* find_key(std::string_view section, std::string_view key) {
  for (const KeySpec& spec : kKeys) {
    if (spec.section == section && spec.key == key) return &spec;
  }
  return nullptr;
}

}  // namespace weir
