#include "admin/first_run.h"

#include <fmt/format.h>

namespace weir {

std::optional<FirstBite> first_bite(const Policy& policy) {
  const WindowRule* tightest = nullptr;
  const LimitRule* owner = nullptr;
  for (const LimitRule& limit : policy.limits) {
    const bool plain =
        limit.match.empty() && !limit.shadow && limit.meter.size() == 1 &&
        (limit.meter.front().kind == MeterKind::kRequests || limit.meter.front().kind == MeterKind::kRuns);
    if (!plain) continue;
    for (const TierAllowance& allowance : limit.allow) {
      if (!allowance.tier.empty() && allowance.tier != policy.default_tier) continue;
      for (const WindowRule& window : allowance.windows) {
        if (window.amount_metadata.empty() && (tightest == nullptr || window.amount < tightest->amount)) {
          tightest = &window;
          owner = &limit;
        }
      }
    }
  }
  if (tightest == nullptr) return std::nullopt;
  return FirstBite{.limit = owner->name, .window = tightest->label, .allowed = tightest->amount};
}

const Provider* provider_of_try(const Policy& policy) {
  const ModelRule* rule = policy.find_model(kTryModel);
  return rule != nullptr ? policy.find_provider(rule->provider) : nullptr;
}

std::string curl_for(std::string_view listen, std::string_view key) {
  // In double quotes the shell fills in the variable.
  const std::string authorization =
      key.empty() ? "\"Authorization: Bearer $WEIR_KEY\"" : fmt::format("'Authorization: Bearer {}'", key);
  return fmt::format(
      "curl -i {}/v1/chat/completions -H {} -H 'Content-Type: application/json' "
      "-d '{{\"model\":\"{}\",\"messages\":[{{\"role\":\"user\",\"content\":\"Hello\"}}]}}'",
      listen, authorization, kTryModel);
}

}  // namespace weir
