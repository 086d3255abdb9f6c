#include "policy/llm_costs.h"

#include <algorithm>

namespace weir {

void hold_llm_costs(Costs& costs, const Price& price, std::int64_t input_tokens, std::int64_t output_held) {
  costs.set(MeterKind::kTokens, input_tokens, std::min(input_tokens + output_held, kMaxAmount));
  costs.set(MeterKind::kInputTokens, input_tokens, input_tokens);
  costs.set(MeterKind::kOutputTokens, 0, output_held);
  costs.set(MeterKind::kUsd, cost_usd_micros(price, {.input_uncached = input_tokens}),
            cost_usd_micros(price, {.input_uncached = input_tokens, .output_visible = output_held}));
}

void use_llm_costs(Costs& costs, const Price& price, const Usage& usage) {
  const auto set = [&](MeterKind kind, std::int64_t amount) { costs.set(kind, amount, amount); };
  set(MeterKind::kTokens, usage.total());
  set(MeterKind::kInputTokens, usage.input());
  set(MeterKind::kOutputTokens, usage.output());
  set(MeterKind::kCachedTokens, usage.cache_read);
  set(MeterKind::kUsd, cost_usd_micros(price, usage));
}

std::int64_t fitting_output(const Plan& plan, const Costs& costs, const Price& price, std::int64_t output_held) {
  std::int64_t most = output_held;
  for (std::size_t i = 0; i < plan.demands().size(); ++i) {
    const LimitRule& rule = *plan.limits()[i].rule;
    if (rule.shadow || rule.meter.size() != 1 || rule.meter.front().weight != 1) continue;
    const auto kind = static_cast<std::size_t>(rule.meter.front().kind);
    if (kind >= costs.held.size() || plan.demands()[i].cost >= costs.held[kind]) continue;
    const std::int64_t room = plan.demands()[i].cost - costs.certain[kind];
    if (rule.meter.front().kind == MeterKind::kUsd) {
      const double tokens =
          static_cast<double>(room) * 1e6 / static_cast<double>(std::max<std::int64_t>(1, price.output));
      if (tokens < static_cast<double>(most)) most = static_cast<std::int64_t>(tokens);
    } else {
      most = std::min(most, room);
    }
  }
  return most;
}

}  // namespace weir
