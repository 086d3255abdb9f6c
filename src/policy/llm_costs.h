// What one call of a model costs, in every meter that limits may count: before it is forwarded and afterwards.
//
//   Costs costs;
//   costs.set(MeterKind::kRequests, 1, 1);
//   hold_llm_costs(costs, price, {.input_uncached = input_tokens, .output_visible = output_held});
//   …rules.plan(attributes, costs, now, plan)…
//   if (const auto fits = fitting_output(plan, costs, price, output_held); fits < output_held) …hold that, plan again…
//
// The gateway, the decision API and replay all count by these. Pure functions. Tokens are 0 to 2^53; sums saturate
// there.
#pragma once

#include <cstdint>

#include "policy/ruleset.h"
#include "pricing/price_book.h"

namespace weir {

// Sets tokens, input_tokens, output_tokens, cached_tokens and usd: the input is certain, the output is held.
void hold_llm_costs(Costs& costs, const Price& price, const Usage& most, ServiceTier tier = ServiceTier::kStandard);

// Sets tokens, input_tokens, output_tokens, cached_tokens and usd to what was used.
void use_llm_costs(Costs& costs, const Price& price, const Usage& usage, ServiceTier tier = ServiceTier::kStandard);

// A cap beyond a limit's amount holds the amount (PRODUCT section 3): the most output, up to `output_held`, that fits
// into what every planned limit holds, so that a lost request is not charged what its caller only dreamt of.
std::int64_t fitting_output(const Plan& plan, const Costs& costs, const Price& price, std::int64_t output_held,
                            ServiceTier tier = ServiceTier::kStandard);

}  // namespace weir
