// What anomalies do to a caller: its trust falls, and quiet time restores it. Limits that say `contextual: true` are
// scaled by it; nothing else happens to the caller, unless it falls again and again (`escalate`).
//
//   Trust trust({.max_callers = 100'000});
//   TrustChange change = trust.drop(caller, "first use of send_email in this task", rules, now);
//   …audit change.sentence; if (change.escalate != TrustAction::kNone) flag or suspend the account…
//   int permille = trust.permille(caller, rules, now);    // 1000 for whoever was never dropped
//
// A drop takes a third of the way from full trust to `rules.min`, never below it. `rules.recover` of quiet leads from
// `min` back to full, linearly. A fall from full trust is a throttle; `rules.escalate` counts those: reached, they are
// told once and spent, and told again only by as many new ones, not before `within` has passed.
// In shadow everything is tracked and reported, but permille() is 1000 and nothing escalates.
//
// Thread-safe, shared by all workers; permille() is O(1), drop() O(log callers). Bounded: max_callers over kStripes
// stripes. Room is made by who has been back at full trust for longest. Where nobody is, a new caller's drop is
// reported but not remembered: nobody regains trust by filling the table with others.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/time.h"
#include "model/behavior_rules.h"
#include "weir/types.h"

namespace weir {

struct TrustChange {
  int from = 1000, to = 1000;  // permille; equal: it was at its lowest already, or trust.min is 1
  bool throttle = false;       // fell from full trust
  bool shadow = false;         // only noted
  TrustAction escalate = TrustAction::kNone;
  std::int64_t throttles = 0;  // within `escalate.within`, this one included
  std::string sentence;        // "trust 1000 to 833 of 1000: first use of …"
};

class Trust {
 public:
  static constexpr int kFull = 1000;
  static constexpr int kDropsToMin = 3;
  static constexpr std::size_t kStripes = 16;
  static constexpr std::size_t kMaxThrottles = 64;  // remembered a caller; a higher escalate.count acts like this

  struct Options {
    std::size_t max_callers = 100'000;
  };
  explicit Trust(Options options);
  ~Trust();
  Trust(const Trust&) = delete;
  Trust& operator=(const Trust&) = delete;

  TrustChange drop(Hash128 caller, std::string_view cause, const TrustRules& rules, TimeNs now);
  int permille(Hash128 caller, const TrustRules& rules, TimeNs now) const;

  std::size_t size() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace weir
