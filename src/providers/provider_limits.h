// What a provider's answer says of its own limits (specs/http.md 5 to 8): it only ever lowers what may be sent there.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>

#include "base/time.h"
#include "providers/operation.h"

namespace weir {

struct ProviderLimits {
  std::optional<std::int64_t> remaining_requests, remaining_tokens;  // never negative; absurd values count as absent
  DurationNs reset_requests = 0, reset_tokens = 0;                   // from now; 0: not said
  std::optional<DurationNs> retry_after;                             // Retry-After or retry-after-ms, or RetryInfo

  bool any() const { return remaining_requests || remaining_tokens || retry_after; }
};

// `header` finds a field by lower-case name (null data: absent). `error_body`: of a 429 or 503, for dialects that put
// the wait there (Gemini RetryInfo); may be empty.
ProviderLimits read_provider_limits(Dialect dialect, const std::function<std::string_view(std::string_view)>& header,
                                    std::string_view error_body, TimeNs now);

}  // namespace weir
