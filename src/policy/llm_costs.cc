#include "policy/llm_costs.h"

#include <algorithm>

namespace weir {

void hold_llm_costs(Costs& costs, const Price& price, const Usage& most, ServiceTier tier) {
  Usage input = most;
  input.output_visible = input.reasoning = input.audio_out = 0;
  costs.set(MeterKind::kTokens, most.input(), std::min(most.total(), kMaxAmount));
  costs.set(MeterKind::kInputTokens, most.input(), most.input());
  costs.set(MeterKind::kOutputTokens, 0, most.output());
  costs.set(MeterKind::kCachedTokens, most.cache_read, most.cache_read);
  costs.set(MeterKind::kUsd, cost_usd_micros(price, input, tier), cost_usd_micros(price, most, tier));
}

void use_llm_costs(Costs& costs, const Price& price, const Usage& usage, ServiceTier tier) {
  const auto set = [&](MeterKind kind, std::int64_t amount) { costs.set(kind, amount, amount); };
  set(MeterKind::kTokens, usage.total());
  set(MeterKind::kInputTokens, usage.input());
  set(MeterKind::kOutputTokens, usage.output());
  set(MeterKind::kCachedTokens, usage.cache_read);
  set(MeterKind::kUsd, cost_usd_micros(price, usage, tier));
}

std::int64_t fitting_output(const Plan& plan, const Costs& costs, const Price& price, std::int64_t output_held,
                            ServiceTier tier) {
  constexpr std::int64_t kMillion = 1'000'000;
  std::int64_t most = output_held;
  for (std::size_t i = 0; i < plan.demands().size(); ++i) {
    const LimitRule& rule = *plan.limits()[i].rule;
    if (rule.shadow || rule.meter.size() != 1 || rule.meter.front().weight != 1) continue;
    const auto kind = static_cast<std::size_t>(rule.meter.front().kind);
    if (kind >= costs.held.size() || plan.demands()[i].cost >= costs.held[kind]) continue;
    const std::int64_t room = plan.demands()[i].cost - costs.certain[kind];
    if (rule.meter.front().kind == MeterKind::kUsd) {
      const std::int64_t million = cost_usd_micros(price, {.output_visible = kMillion}, tier);
      const double tokens = static_cast<double>(room) * static_cast<double>(kMillion) /
                            static_cast<double>(std::max<std::int64_t>(1, million));
      if (tokens < static_cast<double>(most)) most = static_cast<std::int64_t>(tokens);
    } else {
      most = std::min(most, room);
    }
  }
  return std::max<std::int64_t>(0, most);
}

}  // namespace weir
