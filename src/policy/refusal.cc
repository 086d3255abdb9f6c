#include "policy/behavior_words.h"
#include "policy/calendar.h"
#include "policy/compiled.h"
#include "policy/ladder_state.h"

namespace weir {
namespace {

bool enforced(const Plan& plan, const Decision& decision, std::size_t i) {
  return i < plan.limits().size() && decision.verdicts[i].refuses && !plan.limits()[i].rule->shadow;
}

std::string shown(std::int64_t amount, AmountUnit unit) {
  return unit == AmountUnit::kUsd ? format_usd(amount) : std::to_string(amount);
}

std::vector<std::pair<std::string, std::string>> shown_per(const LimitRule& rule, const Attributes& attributes) {
  std::vector<std::pair<std::string, std::string>> out;
  bool missing = false, named = false;
  for (const std::string& name : rule.per) {
    const AttributeReader reader(name);
    const bool key = reader.is(Attribute::kKey) && attributes.consumer != nullptr;
    const std::string_view value = key ? std::string_view(attributes.consumer->name) : reader.value(attributes);
    if (value.data() != nullptr) out.emplace_back(name, value);
    missing = missing || value.data() == nullptr;
    named = named || key;
  }
  if (!missing || named) return out;
  // The counters are the key's, or the address's, then; see make_subject().
  if (attributes.consumer != nullptr) {
    out.emplace_back("key", attributes.consumer->name);
  } else if (attributes.has(Attribute::kIp)) {
    out.emplace_back("ip", attributes[Attribute::kIp]);
  }
  return out;
}

std::string plural(std::int64_t count, std::string_view unit) {
  return std::to_string(count) + " " + std::string(unit) + (count == 1 ? "" : "s");
}

std::string length_in_words(DurationNs length) {
  if (length % kDay == 0) return plural(length / kDay, "day");
  if (length % kHour == 0) return plural(length / kHour, "hour");
  if (length % kMinute == 0) return plural(length / kMinute, "minute");
  if (length % kSecond == 0) return plural(length / kSecond, "second");
  return plural(length / kMillisecond, "millisecond");
}

std::string amount_in_words(const LimitRule& rule, std::int64_t amount) {
  const AmountUnit unit = unit_of(rule);
  if (unit == AmountUnit::kUsd) return "$" + format_usd(amount);
  if (unit == AmountUnit::kConcurrency) {
    return format_count(amount) + (tool_use_of(rule).calls_in_flight ? " tool calls at once" : " requests at once");
  }
  std::string meter = rule.meter_name;
  std::replace(meter.begin(), meter.end(), '_', ' ');
  return format_count(amount) + " " + meter;
}

std::string window_in_words(const PlannedLimit& limit, const RefillRate& rate, const std::string& zone) {
  const WindowRule& window = *limit.window;
  switch (window.kind) {
    case WindowKind::kSliding:
      return " in any " + length_in_words(window.length);
    case WindowKind::kCalendar:
      return " per calendar " + window.calendar + " of " + zone +
             (window.anchor.empty() ? "" : " from " + window.anchor);
    case WindowKind::kBucket:
      return " at once, refilled at " + shown(rate.units, unit_of(*limit.rule)) + " per " +
             length_in_words(rate.per).substr(2);
    case WindowKind::kConcurrency:
      break;
  }
  return "";
}

std::string who_in_words(const LimitRule& rule) {
  if (rule.per.empty()) return " for everybody together";
  std::string out = " per ";
  for (std::size_t i = 0; i < rule.per.size(); ++i) out.append(i == 0 ? "" : " and ").append(rule.per[i]);
  return out;
}

std::string state_in_words(const PlannedLimit& limit, const Verdict& verdict, TimeNs now, const std::string& zone) {
  const AmountUnit unit = unit_of(*limit.rule);
  const auto amount = [&](std::int64_t value) {
    return unit == AmountUnit::kUsd ? format_usd(value) : format_count(value);
  };
  if (unit == AmountUnit::kConcurrency) return ", " + amount(verdict.used + verdict.reserved) + " in flight";
  std::string out = ", " + amount(verdict.used) + " used";
  if (verdict.reserved > 0) out += ", " + amount(verdict.reserved) + " held";
  if (limit.window->kind == WindowKind::kCalendar) out += ", resets " + format_local(limit.period.end, now, zone);
  return out;
}

std::string rung_in_words(const Rung& rung) {
  std::string out = "from " + std::to_string(rung.percent) + "%:";
  const char* between = " ";
  const auto add = [&](const std::string& words) {
    out.append(between).append(words);
    between = ", ";
  };
  for (const auto& [from, to] : rung.model) add(std::string(from).append(" becomes ").append(to));
  if (rung.max_tokens) add("at most " + plural(*rung.max_tokens, "output token"));
  if (rung.keep_messages) add("only the last " + plural(static_cast<std::int64_t>(*rung.keep_messages), "message"));
  return out;
}

std::string ladder_in_words(const LimitRule& rule, std::int64_t amount, std::int64_t hard) {
  std::string out;
  for (const Rung& rung : rule.degrade) out += "; " + rung_in_words(rung);
  if (rule.on_exceed != OnExceed::kDegrade || hard == amount) return out;
  return out + "; refused only beyond " + std::to_string(rule.hard_percent) + "%, " + amount_in_words(rule, hard);
}

Refusal numbers_of(const Plan& plan, const Decision& decision, std::size_t i, const Attributes& attributes) {
  const PlannedLimit& limit = plan.limits()[i];
  const Verdict& verdict = decision.verdicts[i];
  const AmountUnit unit = unit_of(*limit.rule);
  const bool concurrency = unit == AmountUnit::kConcurrency;
  Refusal out{.limit = limit.rule->name, .layer = std::string(to_string(limit.rule->layer))};
  out.per = shown_per(*limit.rule, attributes);
  out.meter = limit.rule->meter_name;
  out.allowed = shown(plan.demands()[i].quota.amount, unit);  // the amount that refuses
  out.used = shown(concurrency ? verdict.used + verdict.reserved : verdict.used, unit);
  out.reserved = shown(concurrency ? 0 : verdict.reserved, unit);
  out.requested = shown(plan.demands()[i].cost, unit);
  out.window = limit.window->label;
  return out;
}

}  // namespace

Refusal ladder_state(std::string_view degraded, const Plan& plan, const Decision& state, const Attributes& attributes) {
  const std::string_view name = degraded.substr(0, degraded.find_first_of(",;"));
  const std::size_t count = std::min<std::size_t>(state.count, plan.limits().size());
  std::size_t fullest = count;
  const auto share = [&](std::size_t i) {
    return static_cast<double>(state.verdicts[i].used + state.verdicts[i].reserved) /
           static_cast<double>(std::max<std::int64_t>(plan.limits()[i].amount, 1));
  };
  for (std::size_t i = 0; i < count; ++i) {
    if (plan.limits()[i].rule->name == name && (fullest == count || share(i) > share(fullest))) fullest = i;
  }
  if (fullest == count) return {};
  const PlannedLimit& limit = plan.limits()[fullest];
  Refusal out = numbers_of(plan, state, fullest, attributes);
  out.allowed = shown(limit.amount, unit_of(*limit.rule));  // of which rungs are shares, not the one that refuses
  return out;
}

Refusal Ruleset::refusal(const Plan& plan, const Decision& decision, const Attributes& attributes, TimeNs now) const {
  Refusal out;
  const std::size_t count = std::min<std::size_t>(decision.count, plan.limits().size());
  std::size_t worst = count;
  for (std::size_t i = 0; i < count; ++i) {
    if (!enforced(plan, decision, i)) continue;
    if (worst == count || decision.verdicts[i].retry_after > decision.verdicts[worst].retry_after) worst = i;
  }
  if (worst == count) {
    out.layer = "entry";  // no limit refused: the counters' memory is full
    return out;
  }
  out = numbers_of(plan, decision, worst, attributes);
  const Verdict& verdict = decision.verdicts[worst];
  const bool concurrency = unit_of(*plan.limits()[worst].rule) == AmountUnit::kConcurrency;
  if (verdict.retry_after != kNever) {
    const DurationNs wait = concurrency ? kSecond : std::max<DurationNs>(verdict.retry_after, 1);
    const std::int64_t wait_ms = wait / kMillisecond + (wait % kMillisecond != 0 ? 1 : 0);
    out.retry_after_s = static_cast<double>(wait_ms) / 1000;
    if (!concurrency) out.reset_at = now + wait_ms * kMillisecond;
  }
  for (std::size_t i = 0; i < count; ++i) {
    const std::string& name = plan.limits()[i].rule->name;
    const bool known = name == out.limit || std::find(out.also.begin(), out.also.end(), name) != out.also.end();
    if (enforced(plan, decision, i) && !known) out.also.push_back(name);
  }
  return out;
}

bool Ruleset::never_fits(const Plan& plan, const Decision& decision) {
  for (std::size_t i = 0; i < decision.count; ++i) {
    if (enforced(plan, decision, i) && decision.verdicts[i].retry_after == kNever) return true;
  }
  return false;
}

std::vector<std::string> Ruleset::explain(const Plan& plan, const Attributes& attributes, const Decision* state,
                                          TimeNs now) const {
  std::vector<std::string> out;
  const auto limits = plan.limits();
  for (std::size_t i = 0; i < limits.size(); ++i) {
    const LimitRule& rule = *limits[i].rule;
    const auto compiled = std::find_if(compiled_->limits.begin(), compiled_->limits.end(),
                                       [&](const CompiledLimit& c) { return c.rule == &rule; });
    const Scope& scope = compiled_->scopes[compiled->scope];
    const std::string& zone = zone_for(*policy_, scope, compiled_->tenant_zones, attributes);
    std::string line = rule.name + ": " + amount_in_words(rule, limits[i].amount) +
                       window_in_words(limits[i], plan.demands()[i].quota.rate, zone) + who_in_words(rule);
    if (state != nullptr && i < state->count) line += state_in_words(limits[i], state->verdicts[i], now, zone);
    line += ladder_in_words(rule, limits[i].amount, plan.demands()[i].quota.amount);
    line += beyond_in_words(rule);
    if (rule.contextual) line += " (scaled by the caller's trust)";
    if (rule.shadow) line += " (shadow: refuses nothing)";
    out.push_back(std::move(line));
  }
  return out;
}

}  // namespace weir
