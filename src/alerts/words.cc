#include "alerts/words.h"

#include <fmt/format.h>

#include "policy/amounts.h"

namespace weir {
namespace {

std::string whose(AlertRule::Per per) {
  return per == AlertRule::Per::kKey ? "a key" : per == AlertRule::Per::kTenant ? "a tenant" : "all traffic";
}

std::string what(const AlertRule& rule) {
  using When = AlertRule::When;
  const std::string within = duration_words(rule.within);
  switch (rule.when) {
    case When::kUsage:
      return fmt::format("{} is used to {}%", rule.limit.empty() ? "a limit" : "limit " + rule.limit,
                         rule.above_percent);
    case When::kSpend:
      return rule.period.empty()
                 ? fmt::format("{} spends ${} within {}", whose(rule.per), format_usd(rule.amount_micros), within)
                 : fmt::format("{} will spend ${} this {} at the pace so far", whose(rule.per),
                               format_usd(rule.amount_micros), rule.period);
    case When::kSpike:
      return fmt::format("{} uses {:g} times its own baseline within {}, and at least {}", whose(rule.per), rule.factor,
                         within, amount_words(rule.meter, rule.least));
    case When::kBreakerOpened:
      return "the breaker of a provider's model opens, or one stops a key's loop";
    case When::kFailOpen:
      return "a limit cannot reach its counters and admits everything";
    case When::kSettlementDrift:
      return fmt::format("answers of {} use {}% more tokens than was held for them", within, rule.above_percent);
    case When::kProviderErrors:
      break;
  }
  return fmt::format("{}% of the calls to a provider fail within {}", rule.above_percent, within);
}

}  // namespace

std::string duration_words(DurationNs time) {
  const std::int64_t seconds = time / kSecond;
  if (seconds == 0) return fmt::format("{}ms", time / kMillisecond);
  if (seconds < 120) return seconds == 60 ? "1m" : fmt::format("{}s", seconds);
  const std::int64_t minutes = seconds / 60;
  if (minutes < 120) return minutes == 60 ? "1h" : fmt::format("{}m", minutes);
  const std::int64_t hours = minutes / 60;
  if (hours >= 48) return fmt::format("{}d", hours / 24);
  return minutes % 60 == 0 ? fmt::format("{}h", hours) : fmt::format("{}h {}m", hours, minutes % 60);
}

std::string amount_words(AlertRule::Meter meter, std::int64_t amount) {
  if (meter == AlertRule::Meter::kUsd) return "$" + format_usd(amount);
  return format_count(amount) + (meter == AlertRule::Meter::kTokens ? " tokens" : " requests");
}

std::string rule_words(const AlertRule& rule) {
  std::string out = what(rule);
  if (rule.hold > 0) out += ", for " + duration_words(rule.hold);
  if (rule.every > 0) out += "; said again every " + duration_words(rule.every);
  return out;
}

std::string over_words(const Alert& alert) {
  return fmt::format("Over after {}: {} of rule {}.", duration_words(alert.until - alert.since), alert.subject,
                     alert.rule);
}

}  // namespace weir
