// Short words for tests: one counter, one subject, one demand.
#pragma once

#include <cstdlib>

#include "engine/arithmetic.h"
#include "weir/limiter.h"

namespace weir::engine {

inline constexpr TimeNs kTestStart = 1'700'000'000ll * kSecond;

inline TimeNs at(std::int64_t seconds) {
  return kTestStart + seconds * kSecond;
}

// WEIR_TEST_SCALE multiplies the number of random cases; 1 keeps the whole suite below a minute.
inline int scaled(int cases) {
  const char* scale = std::getenv("WEIR_TEST_SCALE");
  const double factor = scale == nullptr ? 1.0 : std::atof(scale);
  return std::max(1, static_cast<int>(cases * (factor > 0 ? factor : 1.0)));
}

inline CounterId sliding(Limiter& limiter, const char* identity, DurationNs window, std::uint16_t precision = 60) {
  return limiter.define({.identity = identity, .kind = WindowKind::kSliding, .window = window, .precision = precision});
}

struct Ask {
  CounterId counter = 0;
  std::int64_t amount = 0;
  std::int64_t cost = 1;
  bool hold = false;
  bool shadow = false;
  Hash128 key{1, 2};
  Hash128 owner{};
  Hash128 overflow{};
  Hash128 id{};
  TimeNs deadline = 0;
  RefillRate rate{};
  TimeNs period_start = 0;
  TimeNs period_end = 0;
};

template <typename Call>
Decision ask_limiter(const Ask& ask, TimeNs now, std::vector<Effect>* effects, const Call& call) {
  const Subject subject{.key = ask.key, .owner = ask.owner, .overflow = ask.overflow};
  const Demand demand{
      .counter = ask.counter,
      .subject = 0,
      .hold = ask.hold,
      .shadow = ask.shadow,
      .cost = ask.cost,
      .quota = {
          .amount = ask.amount, .rate = ask.rate, .period_start = ask.period_start, .period_end = ask.period_end}};
  Decision decision;
  call({.subjects = {&subject, 1},
        .demands = {&demand, 1},
        .now = now,
        .id = ask.id,
        .deadline = ask.deadline,
        .effects = effects},
       decision);
  return decision;
}

inline Decision admit(Limiter& limiter, const Ask& ask, TimeNs now, std::vector<Effect>* effects = nullptr) {
  return ask_limiter(ask, now, effects, [&](const AdmitRequest& r, Decision& d) { limiter.admit(r, d); });
}

inline Decision peek(const Limiter& limiter, const Ask& ask, TimeNs now) {
  return ask_limiter(ask, now, nullptr, [&](const AdmitRequest& r, Decision& d) { limiter.peek(r, d); });
}

}  // namespace weir::engine
