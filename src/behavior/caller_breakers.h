// Two breakers across the runs of a caller: prompts that fail one after the other (`failed_prompts`), and the same
// request again and again without a run (`unlinked`). Both open for `rules.cooldown`; then one request is let through
// as a probe, and its end decides.
//
//   FailedPrompts prompts({});
//   auto gate = prompts.enter(caller, rules, now);          // gate.trip: refuse
//   … prompts.end(caller, run, prompt, failed, gate.probe, rules, now);   // or abandon(), if nobody knows how it ended
//
//   Unlinked unlinked({});
//   auto gate = unlinked.enter(caller, fingerprint, model_route, rules, now);
//   … unlinked.end(caller, fingerprint, failed, gate.probe, rules, now);   // or refused(), if a limit refused it, or
//                                                                      // abandon(), if its client left
//
// Every enter() without a trip is followed by exactly one end(), or abandon() or refused(). After a trip: nothing.
// Where the breaker is in shadow and the request goes on in spite of a trip, nothing either. Thread-safe, shared by all
// workers; O(1) a call. Bounded as the constants say; what is least recently used goes.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/time.h"
#include "model/behavior_rules.h"
#include "weir/types.h"

namespace weir {

struct BreakerTrip {
  std::string_view meter;  // "prompts" (failed runs) "requests" (identical ones) "errors" (their failures)
  std::int64_t allowed = 0, used = 0;
  DurationNs retry_after = 0;  // never 0
  bool first = false;          // the breaker opened with this
  std::string evidence;        // one sentence
};

struct BreakerGate {
  std::optional<BreakerTrip> trip;
  bool probe = false;  // half-open: this one decides
};

// Opens when `failed_prompts.count` runs failed within its time and they are at least half of the caller's runs that
// ended in it: a busy caller's ordinary share of errors is no failure of the caller. The runs that ended well are
// counted in kSlots parts of the window; a run counts once as long as no kRecent others ended in between.
class FailedPrompts {
 public:
  static constexpr std::size_t kMaxFailedRuns = 256;  // remembered a caller; a higher threshold acts like this
  static constexpr std::size_t kMaxRecentRuns = 16;   // of those that ended well, told apart
  static constexpr std::size_t kSlots = 8;
  static constexpr std::size_t kStripes = 16;

  struct Options {
    std::size_t max_callers = 20'000;
  };
  explicit FailedPrompts(Options options);
  ~FailedPrompts();
  FailedPrompts(const FailedPrompts&) = delete;
  FailedPrompts& operator=(const FailedPrompts&) = delete;

  BreakerGate enter(Hash128 caller, const BreakerRules& rules, TimeNs now);
  // An answer of this run ended. A run counts while its last answer failed, once however often, and until the same
  // prompt (0: none) was answered, by whatever run: a retry that succeeds makes up for what failed before it.
  void end(Hash128 caller, Hash128 run, std::uint64_t prompt, bool failed, bool probe, const BreakerRules& rules,
           TimeNs now);
  // Not sent after all (a limit refused it), or its client left: says nothing; the next one may be the probe.
  void abandon(Hash128 caller, bool probe);

  std::size_t size() const;  // callers with failed runs

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Requests outside runs, told apart by their fingerprint (method, path, body).
//
// On routes other than a model's, `unlinked_repeats` identical requests open the breaker. On all routes
// `unlinked_failed` failures do: the upstream's errors, and returns before a wait that was told (after the refusal that
// told it, and only where nothing of its kind was in flight then: parallel requests are no returns). So that identical
// requests in flight cannot slip by before the first has failed, a fingerprint is trusted by its last end:
//   - it ended well: as many as like may be in flight;
//   - it failed: failures within the window and requests in flight together stay below the threshold, so the upstream
//     sees at most `unlinked_failed.count` of them;
//   - none has ended yet: likewise, of those that began within kPatience (streams that last are no failures); but on a
//     model's routes any number (parallel samples of one prompt are ordinary).
// A client that repeats one failing request in sequence is therefore cut off at exactly the threshold. One that sends
// all at once too, but for an upstream that takes longer than kPatience to fail, and for a model, where those pass that
// arrive before the first failure is known.
class Unlinked {
 public:
  static constexpr std::size_t kMaxPerCaller = 64;          // fingerprints
  static constexpr std::size_t kMaxFingerprints = 131'072;  // of all callers
  static constexpr std::size_t kMaxCounted = 1024;          // a higher threshold acts like this
  static constexpr std::size_t kStripes = 16;
  static constexpr DurationNs kPatience = 10 * kSecond;
  static constexpr DurationNs kBusy = kSecond;  // told to come back when the ones in flight may have ended

  struct Options {
    std::size_t max_fingerprints = kMaxFingerprints;
  };
  explicit Unlinked(Options options);
  ~Unlinked();
  Unlinked(const Unlinked&) = delete;
  Unlinked& operator=(const Unlinked&) = delete;

  BreakerGate enter(Hash128 caller, std::uint64_t fingerprint, bool model_route, const BreakerRules& rules, TimeNs now);
  void end(Hash128 caller, std::uint64_t fingerprint, bool failed, bool probe, const BreakerRules& rules, TimeNs now);
  // Not sent: a limit refused it and told it to wait until then (0: no wait, or not its fault).
  void refused(Hash128 caller, std::uint64_t fingerprint, TimeNs until, bool probe, TimeNs now);
  // Its client left: nobody knows how it would have ended.
  void abandon(Hash128 caller, std::uint64_t fingerprint, bool probe);

  // How long the wait still is that a limit told this request, 0 if there is none: no breaker names a shorter one.
  DurationNs told(Hash128 caller, std::uint64_t fingerprint, TimeNs now);

  std::size_t size() const;  // fingerprints

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace weir
