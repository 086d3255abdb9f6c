// The limit headers that each dialect's clients understand (specs/http.md sections 5 and 6).
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>

#include "providers/errors.h"

namespace weir {
namespace {

// Resets further away are shown as this far away: an instant must still fit a date.
constexpr DurationNs kMaxReset = 10 * 366 * kDay;

// As Go writes a time.Duration: "12ms", "1s", "1.5s", "6m0s", "1h0m0s". Rounded up to milliseconds.
std::string go_duration(DurationNs span) {
  const std::int64_t ms = (span + kMillisecond - 1) / kMillisecond;
  if (ms == 0) return "0s";
  if (ms < 1000) return fmt::format("{}ms", ms);
  std::string seconds = fmt::format("{}", ms / 1000 % 60);
  if (ms % 1000 != 0) {
    seconds += fmt::format(".{:03}", ms % 1000);
    while (seconds.back() == '0') seconds.pop_back();
  }
  const std::int64_t minutes = ms / 60'000;
  if (minutes == 0) return seconds + "s";
  if (minutes < 60) return fmt::format("{}m{}s", minutes, seconds);
  return fmt::format("{}h{}m{}s", minutes / 60, minutes % 60, seconds);
}

// True if `a` has less of its limit left than `b`.
bool is_tighter(const LimitShare& a, const LimitShare& b) {
  const auto left = [](const LimitShare& x) { return static_cast<__int128>(std::max<std::int64_t>(0, x.remaining)); };
  const auto whole = [](const LimitShare& x) { return static_cast<__int128>(std::max<std::int64_t>(1, x.limit)); };
  return left(a) * whole(b) < left(b) * whole(a);
}

const LimitShare* tightest(std::span<const LimitShare> shares, std::string_view meter) {
  const LimitShare* best = nullptr;
  for (const LimitShare& share : shares) {
    if (share.meter == meter && (best == nullptr || is_tighter(share, *best))) best = &share;
  }
  return best;
}

struct MeterName {
  std::string_view meter, shown;
};

constexpr std::array<MeterName, 2> kOpenAiMeters{{{"requests", "requests"}, {"tokens", "tokens"}}};
constexpr std::array<MeterName, 4> kAnthropicMeters{{{"requests", "requests"},
                                                     {"tokens", "tokens"},
                                                     {"input_tokens", "input-tokens"},
                                                     {"output_tokens", "output-tokens"}}};

}  // namespace

void append_limit_headers(ErrorShape shape, std::span<const LimitShare> shares, TimeNs now, std::string& out) {
  if (shape == ErrorShape::kProblem) return;
  const bool openai = shape == ErrorShape::kOpenAi;
  const std::span<const MeterName> meters =
      openai ? std::span<const MeterName>(kOpenAiMeters) : std::span<const MeterName>(kAnthropicMeters);
  for (const MeterName& name : meters) {
    const LimitShare* share = tightest(shares, name.meter);
    if (share == nullptr) continue;
    const std::int64_t remaining = std::max<std::int64_t>(0, share->remaining);
    const DurationNs reset = std::clamp<DurationNs>(share->until_reset, 0, kMaxReset);
    auto to = std::back_inserter(out);
    if (openai) {
      fmt::format_to(to,
                     "x-ratelimit-limit-{0}: {1}\r\nx-ratelimit-remaining-{0}: {2}\r\nx-ratelimit-reset-{0}: {3}\r\n",
                     name.shown, share->limit, remaining, go_duration(reset));
    } else {
      const TimeNs at = (now + reset + kSecond - 1) / kSecond * kSecond;
      fmt::format_to(to,
                     "anthropic-ratelimit-{0}-limit: {1}\r\nanthropic-ratelimit-{0}-remaining: {2}\r\n"
                     "anthropic-ratelimit-{0}-reset: {3}\r\n",
                     name.shown, share->limit, remaining, format_rfc3339(at));
    }
  }
}

bool is_dialect_limit_header(std::string_view lower_name) {
  return lower_name == "ratelimit" || lower_name == "ratelimit-policy" || lower_name.starts_with("x-ratelimit-") ||
         lower_name.starts_with("anthropic-ratelimit-") || lower_name.starts_with("anthropic-priority-");
}

}  // namespace weir
