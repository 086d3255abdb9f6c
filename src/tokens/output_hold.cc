#include "tokens/output_hold.h"

#include <algorithm>

#include "base/sites.h"

namespace weir {
namespace {

constexpr std::int64_t kMost = std::int64_t{1} << 53;

std::int64_t tokens(std::int64_t value) {
  return std::clamp<std::int64_t>(value, 0, kMost);
}

}  // namespace

std::int64_t output_ceiling(const OutputDemand& demand, const OutputRule& rule) {
  const std::int64_t per_choice =
      demand.cap ? tokens(*demand.cap)
                 : tokens(tokens(rule.default_output) + tokens(demand.thinking_budget.value_or(0)));
  std::int64_t all = 0;
  if (__builtin_mul_overflow(per_choice, std::max<std::int64_t>(1, demand.choices), &all)) return kMost;
  return tokens(all);
}

std::int64_t output_to_hold(const OutputDemand& demand, const OutputRule& rule, std::optional<std::int64_t> learned) {
  const std::int64_t ceiling = output_ceiling(demand, rule);
  if (rule.whole_cap) return ceiling;
  if (maybe("output.history-forgotten")) learned.reset();
  // What is learned of answers is learned of whole ones: all choices together.
  if (demand.stream) return std::min(ceiling, tokens(learned.value_or(rule.trust_cap)));
  if (!learned || ceiling <= rule.trust_cap) return ceiling;
  return std::min(ceiling, tokens(*learned));
}

}  // namespace weir
