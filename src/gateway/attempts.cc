#include "gateway/attempts.h"

#include <algorithm>

namespace weir {

AttemptFailure failure_of_status(int status) {
  switch (status) {
    case 429:
      return AttemptFailure::kStatus429;
    case 502:
      return AttemptFailure::kStatus502;
    case 503:
      return AttemptFailure::kStatus503;
    case 504:
      return AttemptFailure::kStatus504;
    default:
      return AttemptFailure::kOther;
  }
}

void Attempts::fell_back() {
  if (fallbacks_ > 0) --fallbacks_;
  of_this_model_ = 0;
}

bool Attempts::retriable(AttemptFailure failure) const {
  switch (failure) {
    case AttemptFailure::kConnect:
      return rule_.connect;
    case AttemptFailure::kStatus429:
      return rule_.status_429;
    case AttemptFailure::kStatus502:
      return rule_.status_502;
    case AttemptFailure::kStatus503:
      return rule_.status_503;
    case AttemptFailure::kStatus504:
      return rule_.status_504;
    case AttemptFailure::kOther:
      break;
  }
  return false;
}

NextAttempt Attempts::after(AttemptFailure failure, std::optional<DurationNs> retry_after, TimeNs now,
                            std::uint64_t spread, const std::function<bool()>& may_retry) const {
  if (!retriable(failure) || made_ >= rule_.attempts) return {};
  const auto left = static_cast<std::size_t>(rule_.attempts - made_);
  const DurationNs pause = kFirstPause << std::clamp(of_this_model_ - 1, 0, 5);
  const DurationNs jitter = static_cast<DurationNs>(spread % static_cast<std::uint64_t>(pause / 2));
  const DurationNs wait = std::max(retry_after.value_or(0), pause - jitter);
  const bool in_time = now + wait - first_at_ <= rule_.within;
  if (left > fallbacks_ && in_time && may_retry()) return {NextAttempt::Kind::kSameModel, wait};
  return {fallbacks_ > 0 ? NextAttempt::Kind::kFallback : NextAttempt::Kind::kNone, 0};
}

}  // namespace weir
