#include "policy/behavior_words.h"

#include <fmt/format.h>

#include <algorithm>

#include "policy/amounts.h"
#include "policy/compiled.h"

namespace weir {
namespace {

constexpr std::size_t kMostShown = 12;  // names of one list

std::string in_time(DurationNs length) {
  struct Unit {
    DurationNs length;
    const char* name;
  };
  for (const Unit& unit : {Unit{kDay, "day"}, Unit{kHour, "hour"}, Unit{kMinute, "minute"}, Unit{kSecond, "second"}}) {
    if (length % unit.length != 0) continue;
    const std::int64_t count = length / unit.length;
    return count == 1 ? fmt::format("1 {}", unit.name) : fmt::format("{} {}s", count, unit.name);
  }
  return fmt::format("{} ms", length / kMillisecond);
}

// "5 tool calls per hour", "3 tool calls at once".
std::string amounts_of(const LimitRule& rule, const TierAllowance& allowance) {
  std::string out;
  for (const WindowRule& window : allowance.windows) {
    const std::string amount =
        !window.amount_metadata.empty() ? "as many as the key's metadata says" : format_count(window.amount);
    const bool flight = window.kind == WindowKind::kConcurrency;
    std::string time = flight ? " at once" : " per " + window.label;
    if (window.kind == WindowKind::kSliding) {
      const std::string length = in_time(window.length);
      time = " per " + (length.starts_with("1 ") ? length.substr(2) : length);
    }
    const bool calls = std::all_of(rule.meter.begin(), rule.meter.end(), [](const MeterTerm& t) {
      return (t.kind == MeterKind::kToolCalls && t.weight == 1) || t.kind == MeterKind::kConcurrency;
    });
    const std::string unit = !calls ? rule.meter_name : window.amount == 1 ? "tool call" : "tool calls";
    out.append(out.empty() ? "" : ", ").append(amount).append(" ").append(unit).append(time);
  }
  return allowance.tier.empty() ? out : out + " for tier " + allowance.tier;
}

std::string limit_in_words(const LimitRule& rule) {
  std::string out = rule.name + ": ";
  for (std::size_t i = 0; i < rule.allow.size(); ++i) {
    out.append(i == 0 ? "" : ", ").append(amounts_of(rule, rule.allow[i]));
  }
  for (const std::string& name : rule.per) out.append(" and ").append(name);
  for (const MatchTerm& term : rule.match) {
    const char* how = term.attribute == "tool" ? (term.negated ? ", for all but " : ", for ") : nullptr;
    if (how != nullptr) {
      out += how + listed(term.patterns);
    } else {
      out += fmt::format(", where {} is {}{}", term.attribute, term.negated ? "not " : "", listed(term.patterns));
    }
  }
  const std::string beyond = beyond_in_words(rule);
  out += beyond.empty() ? "; then the call is refused" : beyond;
  if (rule.contextual) out += " (scaled by the caller's trust)";
  if (rule.shadow) out += " (shadow: refuses nothing)";
  return out;
}

// Collects "at most 200 tool calls" and the like; what is 0 says nothing.
class Sentence {
 public:
  explicit Sentence(std::string begins) : text_(std::move(begins)) {}
  void add(bool says, std::string words) {
    if (!says) return;
    text_.append(any_ ? ", " : " ").append(words);
    any_ = true;
  }
  void finish(bool shadow, std::vector<std::string>& out) {
    if (any_) out.push_back(text_ + (shadow ? " (shadow: refuses nothing)" : ""));
  }

 private:
  std::string text_;
  bool any_ = false;
};

std::string times(const Threshold& threshold, std::string_view what) {
  return fmt::format("{} {} within {}", threshold.count, what, in_time(threshold.within));
}

void add_runs(const RunRules& r, std::vector<std::string>& out) {
  Sentence s("runs: one run has at most");
  s.add(r.max_tool_calls > 0, format_count(r.max_tool_calls) + " tool calls");
  s.add(r.burst.count > 0, times(r.burst, "tool calls"));
  s.add(r.max_llm_calls > 0, format_count(r.max_llm_calls) + " model calls");
  s.add(r.max_depth > 0, fmt::format("{} level{} of agents", r.max_depth, r.max_depth == 1 ? "" : "s"));
  s.add(r.max_fanout > 0, fmt::format("{} sub-agents of one agent that bring nothing new", r.max_fanout));
  s.add(r.max_tokens > 0, format_count(r.max_tokens) + " tokens");
  s.add(r.max_usd_micros > 0, "$" + format_usd(r.max_usd_micros));
  s.finish(r.shadow, out);
  out.push_back("runs: one run is over after " + in_time(r.idle) + " without a request");
}

void add_breakers(const BreakerRules& b, std::vector<std::string>& out) {
  Sentence s("breaker: refused for " + in_time(b.cooldown) + " after");
  s.add(b.repeats.count > 0, times(b.repeats, "equal tool calls or prompts of one run"));
  s.add(b.tool_errors.count > 0, times(b.tool_errors, "tool errors in a row"));
  s.add(b.failed_prompts.count > 0, times(b.failed_prompts, "failed runs of a caller"));
  s.add(b.unlinked_repeats.count > 0, times(b.unlinked_repeats, "equal requests outside of runs"));
  s.add(b.unlinked_failed.count > 0, times(b.unlinked_failed, "such requests that failed"));
  s.finish(b.shadow, out);
  if (b.repeats_warn > 0) out.push_back(fmt::format("breaker: {} equal calls are noted", b.repeats_warn));
  if (!b.exempt.empty()) out.push_back("breaker: repeats are ordinary of " + listed(b.exempt));
}

}  // namespace

std::string listed(const std::vector<std::string>& names) {
  std::string out;
  for (std::size_t i = 0; i < std::min(names.size(), kMostShown); ++i) out.append(i == 0 ? "" : ", ").append(names[i]);
  if (names.size() > kMostShown) out += fmt::format(" and {} more", names.size() - kMostShown);
  return out;
}

std::string beyond_in_words(const LimitRule& rule) {
  if (rule.on_exceed == OnExceed::kStripTool) return "; then the tool is taken from the request's list";
  if (rule.on_exceed == OnExceed::kQueue) return "; then it waits up to " + in_time(rule.queue) + " for room";
  return {};
}

std::vector<std::string> tool_limits_in_words(const Policy& policy, std::string_view tool) {
  std::vector<std::string> out;
  for (const LimitRule& rule : policy.limits) {
    const ToolUse use = tool_use_of(rule);
    if (!use.counts || !use.by_name) continue;
    CountedTools counted;
    counted.add(rule);
    if (tool.empty() || counted.contains(tool)) out.push_back(limit_in_words(rule));
  }
  return out;
}

std::vector<std::string> tool_lists_in_words(const ToolLists& lists, std::string_view whose) {
  std::vector<std::string> out;
  if (!lists.allow.empty()) out.push_back(fmt::format("tools: {} may use only {}", whose, listed(lists.allow)));
  if (!lists.deny.empty()) out.push_back(fmt::format("tools: {} may not use {}", whose, listed(lists.deny)));
  return out;
}

std::vector<std::string> behavior_in_words(const BehaviorRules& rules) {
  std::vector<std::string> out;
  add_runs(rules.runs, out);
  add_breakers(rules.breaker, out);
  if (!rules.profiles.sensitive.empty()) {
    out.push_back(fmt::format("profiles: after {} ordinary runs of an agent's task, unusual calls of {} are {}",
                              rules.profiles.warmup, listed(rules.profiles.sensitive),
                              rules.profiles.refuse ? "refused" : "noted"));
  }
  const TrustRules& trust = rules.trust;
  std::string line = fmt::format(
      "trust: anomalies scale contextual limits down to {:.3g} of their amounts, {} of quiet "
      "restore them",
      trust.min, in_time(trust.recover));
  if (trust.action != TrustAction::kNone) {
    line += fmt::format("; after {} the key is {}", times(trust.escalate, "throttles"),
                        trust.action == TrustAction::kSuspend ? "suspended" : "flagged");
  }
  out.push_back(line + (trust.shadow ? " (shadow: throttles nothing)" : ""));
  return out;
}

}  // namespace weir
