// How providers are doing: a breaker per provider and model, a retry budget per provider, and what providers say of
// their own limits. Decides what may be tried; knows no request and no socket.
//
//   const ProviderHealth::Gate gate = health.gate("openai", "gpt-4o", held_tokens, now);
//   if (gate.closed()) …send; else fall back, or answer 503 (kBreaker) or 429 (kExhausted) with gate.retry_after…
//   health.sent("openai", "gpt-4o", held_tokens, false, now);
//   … health.answered("openai", "gpt-4o", ProviderHealth::Answer::kGood, now);
//
// Shared by all workers: thread-safe. Bounded: kMaxModels entries, the longest unused is forgotten first.
// `now` may be a little older than in the call before: time never goes back here.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "providers/provider_limits.h"

namespace weir {

class ProviderHealth {
 public:
  static constexpr std::size_t kMaxModels = 4096;
  static constexpr DurationNs kWindow = 30 * kSecond;   // of the error share
  static constexpr std::int64_t kLeast = 20;            // answers in it before the breaker may open
  static constexpr DurationNs kOpenFor = 30 * kSecond;  // then one probe
  static constexpr std::int64_t kRetryPercent = 10;     // of a provider's requests
  static constexpr std::int64_t kMaxRetryBurst = 10;    // retries in a row; a provider begins with them
  static constexpr DurationNs kMaxBlock = kHour;        // whatever a provider says, it is asked again after that long

  ProviderHealth();
  ~ProviderHealth();
  ProviderHealth(const ProviderHealth&) = delete;
  ProviderHealth& operator=(const ProviderHealth&) = delete;

  struct Gate {
    enum class Reason : std::uint8_t { kNone, kBreaker, kExhausted };
    Reason reason = Reason::kNone;  // kExhausted: the provider said that its own limit is used up
    bool probe = false;             // half-open: this request decides; report its end whatever it is
    DurationNs retry_after = 0;     // when `reason` is set
    bool closed() const { return reason == Reason::kNone; }
  };
  // May this be sent? A probe is granted to one request at a time (and again after kOpenFor without its report).
  Gate gate(std::string_view provider, std::string_view model, std::int64_t tokens, TimeNs now);

  enum class Answer : std::uint8_t { kGood, kFailed, kAbandoned /* the client left; says nothing */ };
  // An attempt leaves: takes its share of what the provider said remains, and earns retry budget (not for retries).
  void sent(std::string_view provider, std::string_view model, std::int64_t tokens, bool retry, TimeNs now);
  // … and has ended. kFailed: connect failure, timeout, 5xx, a broken answer.
  void answered(std::string_view provider, std::string_view model, Answer answer, TimeNs now, bool probe = false);
  void learn(std::string_view provider, std::string_view model, const ProviderLimits& limits, TimeNs now);

  // A token of the provider's retry budget: kRetryPercent of its requests, a small burst to begin with.
  bool take_retry(std::string_view provider, TimeNs now);

  std::size_t open_breakers(TimeNs now) const;
  // What is known of each model of a provider, used last first, at most `most`.
  struct ModelState {
    std::string provider, model;
    TimeNs opened_at = 0;   // 0: its breaker is closed
    TimeNs asked_from = 0;  // when the next request may go there, if that is later than now
  };
  std::vector<ModelState> states(TimeNs now, std::size_t most) const;

  // Attempts that ended, since the start, by provider.
  struct Answers {
    std::string provider;
    std::int64_t answered = 0, failed = 0;
  };
  std::vector<Answers> answers() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace weir
