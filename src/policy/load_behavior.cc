// `runs`, `breaker`, `profiles` and `trust`, and lists of tools wherever they stand.
#include "model/agent.h"
#include "policy/loader.h"

namespace weir {
namespace {

constexpr std::int64_t kMaxCount = 1'000'000;
constexpr std::int64_t kMaxRunTokens = 1'000'000'000'000;
constexpr std::int64_t kMaxRunUsd = 1'000'000'000'000;  // $1M
constexpr DurationNs kMostWithin = kDay;

bool read_shadow(Section& s) {
  return s.choice("mode") == "shadow";
}

void read_within(Section& s, DurationNs& out) {
  s.duration("within", out, kMillisecond, kMostWithin);
}

void read_threshold(Section& parent, std::string_view key, Threshold& out) {
  const Yaml* node = parent.get(key);
  if (node == nullptr) return;
  Section s(parent.reporter(), *node, "threshold");
  s.integer("break", out.count, 0, kMaxCount);
  read_within(s, out.within);
  s.finish();
}

void read_burst(Section& parent, Threshold& out) {
  const Yaml* node = parent.get("burst");
  if (node == nullptr) return;
  Section s(parent.reporter(), *node, "burst");
  s.integer("tool_calls", out.count, 0, kMaxCount);
  read_within(s, out.within);
  s.finish();
}

void load_runs(Section& root, RunRules& out) {
  const Yaml* node = root.get("runs");
  if (node == nullptr) return;
  Section s(root.reporter(), *node, "runs");
  out.shadow = read_shadow(s);
  s.integer("max_tool_calls", out.max_tool_calls, 0, kMaxCount);
  s.integer("max_llm_calls", out.max_llm_calls, 0, kMaxCount);
  s.integer("max_depth", out.max_depth, 0, 1'000);
  s.integer("max_fanout", out.max_fanout, 0, kMaxCount);
  s.amount("max_tokens", out.max_tokens, kMaxRunTokens);
  s.usd("max_usd", out.max_usd_micros, kMaxRunUsd);
  s.duration("idle", out.idle, kMillisecond, 7 * kDay);
  read_burst(s, out.burst);
  s.finish();
}

void read_repeats(Section& parent, BreakerRules& out) {
  const Yaml* node = parent.get("repeats");
  if (node == nullptr) return;
  Section s(parent.reporter(), *node, "repeats");
  const Yaml* warn = s.scalar("warn");
  s.integer("warn", out.repeats_warn, 0, kMaxCount);
  s.integer("break", out.repeats.count, 0, kMaxCount);
  read_within(s, out.repeats.within);
  s.finish();
  if (out.repeats.count == 0 || out.repeats_warn <= out.repeats.count) return;
  const Yaml* stop = s.scalar("break");
  parent.reporter().error(warn != nullptr ? *warn : *stop,
                          "`warn` (" + std::to_string(out.repeats_warn) + ") must not be above `break` (" +
                              std::to_string(out.repeats.count) + "): nothing would be warned of before it is refused");
}

void read_unlinked(Section& parent, BreakerRules& out) {
  const Yaml* node = parent.get("unlinked");
  if (node == nullptr) return;
  Section s(parent.reporter(), *node, "unlinked");
  s.integer("repeats", out.unlinked_repeats.count, 0, kMaxCount);
  s.integer("failed", out.unlinked_failed.count, 0, kMaxCount);
  read_within(s, out.unlinked_repeats.within);
  out.unlinked_failed.within = out.unlinked_repeats.within;
  s.finish();
}

void load_breaker(Section& root, BreakerRules& out) {
  const Yaml* node = root.get("breaker");
  if (node == nullptr) return;
  Section s(root.reporter(), *node, "breaker");
  out.shadow = read_shadow(s);
  read_repeats(s, out);
  read_threshold(s, "tool_errors", out.tool_errors);
  read_threshold(s, "failed_prompts", out.failed_prompts);
  read_unlinked(s, out);
  s.duration("cooldown", out.cooldown, kMillisecond, kDay);
  read_tools(s, "exempt", out.exempt);
  s.finish();
}

void load_profiles(Section& root, ProfileRules& out) {
  const Yaml* node = root.get("profiles");
  if (node == nullptr) return;
  Section s(root.reporter(), *node, "profiles");
  read_tools(s, "sensitive", out.sensitive);
  s.integer("warmup", out.warmup, 1, kMaxCount);
  out.refuse = s.choice("on_anomaly") == "refuse";
  s.finish();
}

void read_escalation(Section& parent, TrustRules& out) {
  const Yaml* node = parent.get("escalate");
  if (node == nullptr) return;
  Section s(parent.reporter(), *node, "escalate");
  for (const std::string_view key : {"throttles", "within", "action"}) s.required(key);
  s.integer("throttles", out.escalate.count, 1, kMaxCount);
  s.duration("within", out.escalate.within, kMillisecond, 366 * kDay);
  const std::string_view action = s.choice("action");
  if (action == "flag") out.action = TrustAction::kFlag;
  if (action == "suspend") out.action = TrustAction::kSuspend;
  s.finish();
}

void load_trust(Section& root, TrustRules& out) {
  const Yaml* node = root.get("trust");
  if (node == nullptr) return;
  Section s(root.reporter(), *node, "trust");
  out.shadow = read_shadow(s);
  s.fraction("min", out.min, 0, 1);
  s.duration("recover", out.recover, kMillisecond, 366 * kDay);
  read_escalation(s, out);
  s.finish();
}

}  // namespace

std::string read_tool_pattern(Reporter& reporter, const Yaml& at) {
  std::string out = at.is_scalar() ? canonical_tool_name(at.text) : std::string();
  if (out.empty()) {
    reporter.error(at, "no tool can be called so: a name has 1 to " + std::to_string(kMaxToolName) +
                           " bytes of UTF-8 without control characters");
  }
  return out;
}

void read_tools(Section& parent, std::string_view key, std::vector<std::string>& out) {
  const Yaml* node = parent.get(key);
  if (node == nullptr) return;
  if (!node->is_list() || node->items.size() > kMaxToolPatterns) {
    return parent.reporter().error(
        *node,
        "`" + std::string(key) + "` must be a list of at most 1000 names or globs, as in [send_email, \"pay_*\"]");
  }
  out.clear();
  for (const Yaml& item : node->items) {
    std::string pattern = read_tool_pattern(parent.reporter(), item);
    if (!pattern.empty()) out.push_back(std::move(pattern));
  }
}

void load_behavior(Section& root, BehaviorRules& rules) {
  load_runs(root, rules.runs);
  load_breaker(root, rules.breaker);
  load_profiles(root, rules.profiles);
  load_trust(root, rules.trust);
}

}  // namespace weir
