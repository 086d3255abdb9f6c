// What a policy would have done: rows of a trace go through the real limiter in virtual time.
//
//   Replay replay(policy, {.max_tokens = 1024}, [](const ReplayedRow& row) { …one decision… });
//   if (auto added = replay.begin_trace(*trace); !added) …
//   while (…trace->next(row)…) if (auto added = replay.add(row); !added) return fail(added.error().message);
//   replay.finish();                        // the clock runs to the last completion
//   replay.summary().open_reservations;     // 0
//
// Arrivals, top-ups and completions happen in the order of (time, sequence); what completes at an instant has completed
// for a row that arrives at it. A decision knows the rows before it and the answers that had ended by then, nothing of
// the future. The same rows give the same decisions, always.
//
// Ladders degrade as in the gateway: another model's limits and price, a smaller cap to hold. A row's output stays what
// it was, but never more than that cap; keep_messages changes nothing, because rows have no messages.
//
// Who calls: a load row's key and caller are its tenant (`trace` when it has none), of the default tier. A ledger row's
// are its own; its caller is its user, else its key.
// Time: load rows begin at kReplayOrigin, a Monday's midnight UTC; a ledger at its own instants. A further trace begins
// where the one before had its last row, unless its own instants are later.
//
// Belongs to one thread; no clock, no I/O. Limits: kMaxInFlight answers at once (further rows are refused by
// `table_full`), kMaxTenantsCounted tenants in the summary.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/result.h"
#include "policy/ruleset.h"
#include "replay/service_time.h"
#include "replay/trace.h"

namespace weir {

inline constexpr std::size_t kMaxInFlight = 200'000;
inline constexpr std::size_t kMaxTenantsCounted = 100'000;
inline constexpr TimeNs kMaxReplayTime = 8'000'000'000 * kSecond;  // 2223, where the last row of all traces may be
inline constexpr TimeNs kReplayOrigin = 1'767'571'200 * kSecond;   // 2026-01-05T00:00:00Z

enum class ReplayDecision : std::uint8_t { kAllow, kDegrade, kRefuse };
const char* to_string(ReplayDecision decision);  // "allow", "degrade", "refuse"

// Views are valid during the call that gives it.
struct ReplayedRow {
  std::int64_t row = 0;  // over all traces, from 1
  TimeNs time = 0;       // since the replay's zero
  std::string_view tenant;
  ReplayDecision decision = ReplayDecision::kAllow;
  std::string_view limit;               // that refuses; empty: none
  std::int64_t reserved = 0;            // tokens asked
  std::optional<std::int64_t> settled;  // tokens used
  std::optional<double> retry_after_s;  // empty also when it can never fit
};

// One charge of tokens at its instant, as far as they were really used: for measuring.
struct ReplayedCharge {
  std::int64_t row = 0;
  TimeNs time = 0;
  std::int64_t tokens = 0;
};

struct ReplaySummary {
  std::int64_t rows = 0, allowed = 0, degraded = 0, refused = 0;  // degraded ones are allowed too
  std::int64_t tokens_asked = 0, tokens_used = 0;
  std::int64_t top_ups = 0, debts = 0;  // top-ups that fitted; that did not
  std::int64_t open_reservations = 0;
  TimeNs first = 0, last = 0;  // arrival, completion
  std::map<std::string, std::int64_t, std::less<>> refusals_by_limit;
  std::unordered_map<std::string, std::int64_t> refusals_by_tenant;
};

struct ReplayOptions {
  std::optional<bool> whole_cap;  // over `reservation.mode` of the policy
  ServiceTime service{};
  std::int64_t max_tokens = 1024;
  std::function<void(const ReplayedCharge&)> charged{};
};

class Replay {
 public:
  Replay(std::shared_ptr<const Policy> policy, ReplayOptions options, std::function<void(const ReplayedRow&)> decided);
  ~Replay();
  Replay(const Replay&) = delete;
  Replay& operator=(const Replay&) = delete;

  // The rows that follow are this trace's. Call before the first row of each.
  void begin_trace(const TraceReader& trace);
  // An error is a row that cannot be replayed, without its place: the policy has more limits for it than one request
  // may have, or the traces together are longer than kMaxReplayTime.
  Result<void> add(const TraceRow& row);
  void finish();

  const ReplaySummary& summary() const;

 private:
  class State;
  std::unique_ptr<State> state_;
};

}  // namespace weir
