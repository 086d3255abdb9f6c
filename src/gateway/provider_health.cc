#include "gateway/provider_health.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string>

#include "base/lru_map.h"
#include "base/mutex.h"

namespace weir {
namespace {

constexpr std::size_t kBuckets = 15;
constexpr DurationNs kBucket = ProviderHealth::kWindow / static_cast<DurationNs>(kBuckets);
constexpr std::int64_t kRetryCost = 100;  // so that kRetryPercent is what a request earns
constexpr std::int64_t kMaxRetryCredit = ProviderHealth::kMaxRetryBurst * kRetryCost;

// Answers of the last kWindow, in steps of kBucket.
class ErrorShare {
 public:
  void add(bool failed, TimeNs now) {
    const std::int64_t slot = now / kBucket;
    Bucket& bucket = buckets_[static_cast<std::size_t>(slot) % kBuckets];
    if (bucket.slot != slot) bucket = {.slot = slot};
    ++bucket.answers;
    if (failed) ++bucket.failed;
  }
  bool too_high(TimeNs now) const {
    const std::int64_t first = now / kBucket - static_cast<std::int64_t>(kBuckets) + 1;
    std::int64_t answers = 0, failed = 0;
    for (const Bucket& bucket : buckets_) {
      if (bucket.slot < first) continue;
      answers += bucket.answers;
      failed += bucket.failed;
    }
    return answers >= ProviderHealth::kLeast && 2 * failed >= answers;
  }

 private:
  struct Bucket {
    std::int64_t slot = -1, answers = 0, failed = 0;
  };
  std::array<Bucket, kBuckets> buckets_{};
};

// What a provider said that it will still take until `reset_at`.
struct Remaining {
  std::int64_t amount = 0;
  TimeNs reset_at = 0;

  void report(std::optional<std::int64_t> reported, DurationNs reset, TimeNs now) {
    if (!reported) return;
    amount = std::max<std::int64_t>(*reported, 0);
    if (reset > 0)
      reset_at = now + std::min(reset, ProviderHealth::kMaxBlock);  // not said: the instant known before still holds
  }
  void take(std::int64_t taken) { amount = std::max<std::int64_t>(amount - std::max<std::int64_t>(taken, 0), 0); }
  TimeNs refuses_until(std::int64_t needed) const { return amount < needed ? reset_at : 0; }
};

struct Model {
  ErrorShare share;
  TimeNs opened_at = 0;  // 0: the breaker is closed
  TimeNs probe_at = 0;   // 0: no probe is under way
  Remaining requests, tokens;
  TimeNs blocked_until = 0;  // by a Retry-After
};

struct ProviderRecord {
  std::int64_t hundredths = kMaxRetryCredit;
  std::int64_t answered = 0, failed = 0;  // attempts that ended
};

}  // namespace

struct ProviderHealth::Impl {
  mutable Mutex mutex;
  LruMap<std::string, Model, TextHash> models WEIR_GUARDED_BY(mutex){kMaxModels};
  LruMap<std::string, ProviderRecord, TextHash> retries WEIR_GUARDED_BY(mutex){kMaxModels};
  std::string name WEIR_GUARDED_BY(mutex);  // of the model looked for
  TimeNs latest WEIR_GUARDED_BY(mutex) = 0;

  std::string_view name_of(std::string_view provider, std::string_view model) WEIR_REQUIRES(mutex) {
    name.assign(provider);
    name += '\0';
    name += model;
    return name;
  }
  // Workers read the clock at different moments: time never goes back here.
  TimeNs advance(TimeNs now) WEIR_REQUIRES(mutex) { return latest = std::max(latest, now); }
};

ProviderHealth::ProviderHealth() : impl_(std::make_unique<Impl>()) {}
ProviderHealth::~ProviderHealth() = default;

ProviderHealth::Gate ProviderHealth::gate(std::string_view provider, std::string_view model, std::int64_t tokens,
                                          TimeNs now) {
  const MutexLock lock(impl_->mutex);
  now = impl_->advance(now);
  Model* const known = impl_->models.use(impl_->name_of(provider, model));
  if (known == nullptr) return {};
  const TimeNs exhausted_until =
      std::max({known->blocked_until, known->requests.refuses_until(1), known->tokens.refuses_until(tokens)});
  if (known->opened_at != 0) {
    const TimeNs probe_from = std::max(known->opened_at, known->probe_at) + kOpenFor;
    if (now < probe_from) {
      return {.reason = Gate::Reason::kBreaker, .retry_after = std::max(probe_from, exhausted_until) - now};
    }
  }
  if (now < exhausted_until) return {.reason = Gate::Reason::kExhausted, .retry_after = exhausted_until - now};
  if (known->opened_at == 0) return {};
  known->probe_at = now;
  return {.probe = true};
}

void ProviderHealth::sent(std::string_view provider, std::string_view model, std::int64_t tokens, bool retry,
                          TimeNs now) {
  const MutexLock lock(impl_->mutex);
  impl_->advance(now);
  if (!retry) {
    ProviderRecord& budget = impl_->retries.touch(provider);
    budget.hundredths = std::min(budget.hundredths + kRetryPercent, kMaxRetryCredit);
  }
  if (Model* const known = impl_->models.use(impl_->name_of(provider, model))) {
    known->requests.take(1);
    known->tokens.take(tokens);
  }
}

void ProviderHealth::answered(std::string_view provider, std::string_view model, Answer answer, TimeNs now,
                              bool probe) {
  const MutexLock lock(impl_->mutex);
  now = impl_->advance(now);
  if (answer == Answer::kAbandoned) {
    Model* const known = impl_->models.use(impl_->name_of(provider, model));
    if (probe && known != nullptr && known->probe_at != 0) {
      // The next one may probe at once: this one will never tell.
      known->probe_at = 0;
      known->opened_at = std::max<TimeNs>(now - kOpenFor, 1);
    }
    return;
  }
  Model& known = impl_->models.touch(impl_->name_of(provider, model));
  const bool failed = answer == Answer::kFailed;
  ProviderRecord& all = impl_->retries.touch(provider);
  ++all.answered;
  if (failed) ++all.failed;
  if (known.opened_at == 0) {
    known.share.add(failed, now);
    if (known.share.too_high(now)) known.opened_at = std::max<TimeNs>(now, 1);
    return;
  }
  if (!probe || known.probe_at == 0) return;  // sent before the breaker opened: what it says is known already
  known.probe_at = 0;
  known.opened_at = failed ? std::max<TimeNs>(now, 1) : 0;
  if (!failed) known.share = {};
}

void ProviderHealth::learn(std::string_view provider, std::string_view model, const ProviderLimits& limits,
                           TimeNs now) {
  if (!limits.any()) return;
  const MutexLock lock(impl_->mutex);
  now = impl_->advance(now);
  Model& known = impl_->models.touch(impl_->name_of(provider, model));
  known.requests.report(limits.remaining_requests, limits.reset_requests, now);
  known.tokens.report(limits.remaining_tokens, limits.reset_tokens, now);
  if (limits.retry_after && *limits.retry_after > 0) {
    known.blocked_until = std::max(known.blocked_until, now + std::min(*limits.retry_after, kMaxBlock));
  }
}

bool ProviderHealth::take_retry(std::string_view provider, TimeNs now) {
  const MutexLock lock(impl_->mutex);
  impl_->advance(now);
  ProviderRecord& budget = impl_->retries.touch(provider);
  if (budget.hundredths < kRetryCost) return false;
  budget.hundredths -= kRetryCost;
  return true;
}

std::size_t ProviderHealth::open_breakers(TimeNs now) const {
  const MutexLock lock(impl_->mutex);
  impl_->advance(now);
  return static_cast<std::size_t>(std::count_if(impl_->models.begin(), impl_->models.end(),
                                                [](const auto& model) { return model.second.opened_at != 0; }));
}

std::vector<ProviderHealth::ModelState> ProviderHealth::states(TimeNs now, std::size_t most) const {
  std::vector<ModelState> all;
  {
    const MutexLock lock(impl_->mutex);
    now = impl_->advance(now);
    for (const auto& [name, model] : impl_->models) {
      const std::size_t end = name.find('\0');
      TimeNs from = std::max(model.blocked_until, model.requests.refuses_until(1));
      if (model.opened_at != 0) from = std::max(from, std::max(model.opened_at, model.probe_at) + kOpenFor);
      all.push_back({.provider = name.substr(0, end),
                     .model = name.substr(end + 1),
                     .opened_at = model.opened_at,
                     .asked_from = from > now ? from : 0});
    }
  }
  std::stable_partition(all.begin(), all.end(), [](const ModelState& state) { return state.opened_at != 0; });
  if (all.size() > most) all.resize(most);
  return all;
}

std::vector<ProviderHealth::Answers> ProviderHealth::answers() const {
  const MutexLock lock(impl_->mutex);
  std::vector<Answers> all;
  for (const auto& [provider, known] : impl_->retries) {
    if (known.answered > 0) all.push_back({provider, known.answered, known.failed});
  }
  return all;
}

}  // namespace weir
