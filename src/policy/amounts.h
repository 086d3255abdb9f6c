// Amounts, windows and sizes as weir.yaml writes them: "20/1m", "2M/30d", "10k/month anchor metadata.subscribed_at",
// "10/s burst 50", "2.50/day", "150ms", "32k".
//
//   Result<WindowRule> window = parse_window("50k/1m", AmountUnit::kCount);   // 50,000 in any minute
//
// Pure functions. Errors say what to write instead.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.h"
#include "policy/policy.h"

namespace weir {

enum class AmountUnit : std::uint8_t { kCount, kUsd, kConcurrency };

// "50k", "2M", "500"; kUsd: "2.50" dollars as micro-dollars. k M G are 10^3, 10^6, 10^9. 0 to 2^53.
Result<std::int64_t> parse_amount(std::string_view text, AmountUnit unit);

// One window with its amount. `item` is left empty.
Result<WindowRule> parse_window(std::string_view text, AmountUnit unit);

// "150ms", "10s", "5m", "2h", "30d": a whole number and a unit, at most 3,660 days.
Result<DurationNs> parse_duration(std::string_view text);

// "32k", "8M", "1G" or plain bytes; here k M G are powers of 1024. At most 2^40.
Result<std::int64_t> parse_bytes(std::string_view text);

// Dollars as micro-dollars: "2.50", at most six decimals.
Result<std::int64_t> parse_usd(std::string_view text);

// An instant in metadata: RFC 3339 ("2026-03-31T12:00:00Z", with any offset) or a date ("2026-03-31", midnight UTC).
Result<TimeNs> parse_instant(std::string_view text);

// "10", "2.50": micro-dollars as dollars, without needless zeros; at least two decimals if any.
std::string format_usd(std::int64_t micros);
// "50,000"
std::string format_count(std::int64_t value);

// Units an amount of this window refills per nanosecond: compares the strictness of different windows.
double refill_per_ns(const WindowRule& window);

}  // namespace weir
