// Which attempt comes next when one has failed: the same model again, its next fallback, or none (PRODUCT section 3).
//
//   Attempts attempts(policy.retry, /*fallbacks=*/1, now);
//   attempts.begun();
//   … it failed …
//   NextAttempt next = attempts.after(AttemptFailure::kStatus503, {}, now, any_number, [&] { return budget(); });
//
// The same model is tried again while enough attempts are left for every fallback; a wait that the provider asks for is
// waited for only within `within` of the first attempt. No clock, no provider: a value.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "policy/policy.h"

namespace weir {

enum class AttemptFailure : std::uint8_t { kConnect, kStatus429, kStatus502, kStatus503, kStatus504, kOther };
AttemptFailure failure_of_status(int status);

struct NextAttempt {
  enum class Kind : std::uint8_t { kNone, kSameModel, kFallback } kind = Kind::kNone;
  DurationNs wait = 0;  // kSameModel
};

class Attempts {
 public:
  static constexpr DurationNs kFirstPause = 250 * kMillisecond;  // doubled for every further try of the same model

  Attempts() = default;
  Attempts(const RetryRule& rule, std::size_t fallbacks, TimeNs now)
      : rule_(rule), fallbacks_(fallbacks), first_at_(now) {}

  void begun() {
    ++made_;
    ++of_this_model_;
  }
  void fell_back();  // the target is now the next fallback
  int made() const { return made_; }

  // `retry_after`: what the provider asked for. `may_retry`: asked once, only if the same model would be tried again
  // (takes a token of the retry budget). `spread`: any number, so that clients do not come back together.
  NextAttempt after(AttemptFailure failure, std::optional<DurationNs> retry_after, TimeNs now, std::uint64_t spread,
                    const std::function<bool()>& may_retry) const;

 private:
  bool retriable(AttemptFailure failure) const;

  RetryRule rule_;
  std::size_t fallbacks_ = 0;  // left
  TimeNs first_at_ = 0;
  int made_ = 0;
  int of_this_model_ = 0;
};

}  // namespace weir
