// How long an answer takes, as a trace does not say: a constant and so much per output token.
//
//   auto service = parse_service_time("0.5+0.02*out");   // seconds
//   DurationNs until_token_10 = service->of(10);
//
// Immutable value. Limits: the constant up to one day, the slope up to one minute a token.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"

namespace weir {

struct ServiceTime {
  DurationNs constant = 500 * kMillisecond;
  double per_token = 20e6;  // nanoseconds

  // From the request until output token `token` appears; saturates at ten years.
  DurationNs of(std::int64_t token) const;
};

// A sentence for the note of a result.
std::string assumption(const ServiceTime& service);

// "0.5+0.02*out", "0.5", "0.02*out"; spaces are ignored.
Result<ServiceTime> parse_service_time(std::string_view text);

}  // namespace weir
