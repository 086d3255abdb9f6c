// The limit headers that each dialect's clients understand (specs/http.md sections 5 and 6).
#include <algorithm>
#include <array>

#include "base/strings.h"
#include "providers/errors.h"

namespace weir {
namespace {

// Resets further away are shown as this far away: an instant must still fit a date.
constexpr DurationNs kMaxReset = 10 * 366 * kDay;

// As Go writes a time.Duration: "12ms", "1s", "1.5s", "6m0s", "1h0m0s". Rounded up to milliseconds.
void append_go_duration(std::string& out, DurationNs span) {
  const std::int64_t ms = (span + kMillisecond - 1) / kMillisecond;
  if (ms > 0 && ms < 1000) {
    append_number(out, ms);
    out += "ms";
    return;
  }
  if (ms >= 3'600'000) {
    append_number(out, ms / 3'600'000);
    out += 'h';
  }
  if (ms >= 60'000) {
    append_number(out, ms / 60'000 % 60);
    out += 'm';
  }
  append_number(out, ms / 1000 % 60);
  if (ms % 1000 != 0) {
    out += '.';
    append_number(out, ms % 1000, 3);
    while (out.back() == '0') out.pop_back();
  }
  out += 's';
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
  if (shape != ErrorShape::kOpenAi && shape != ErrorShape::kAnthropic) return;
  const bool openai = shape == ErrorShape::kOpenAi;
  const std::span<const MeterName> meters =
      openai ? std::span<const MeterName>(kOpenAiMeters) : std::span<const MeterName>(kAnthropicMeters);
  for (const MeterName& name : meters) {
    const LimitShare* share = tightest(shares, name.meter);
    if (share == nullptr) continue;
    const std::int64_t remaining = std::max<std::int64_t>(0, share->remaining);
    const DurationNs reset = std::clamp<DurationNs>(share->until_reset, 0, kMaxReset);
    const std::string_view prefix = openai ? "x-ratelimit-" : "anthropic-ratelimit-";
    const auto begin = [&](std::string_view what) {  // OpenAI names what comes first, Anthropic last
      out.append(prefix).append(openai ? what : name.shown).append("-").append(openai ? name.shown : what).append(": ");
    };
    begin("limit");
    append_number(out, share->limit);
    out += "\r\n";
    begin("remaining");
    append_number(out, remaining);
    out += "\r\n";
    begin("reset");
    if (openai) {
      append_go_duration(out, reset);
    } else {
      out += format_rfc3339((now + reset + kSecond - 1) / kSecond * kSecond);
    }
    out += "\r\n";
  }
}

bool is_dialect_limit_header(std::string_view lower_name) {
  return lower_name == "ratelimit" || lower_name == "ratelimit-policy" || lower_name.starts_with("x-ratelimit-") ||
         lower_name.starts_with("anthropic-ratelimit-") || lower_name.starts_with("anthropic-priority-");
}

}  // namespace weir
