// The journal: before a request goes upstream its reservation is in it, before an answer's last byte its usage is.
//
// Each worker appends to segment files of its own (`<dir>/wNN-<sequence>.log`), buffered and written once per turn of
// its loop. A record is [length u32][checksum u32][type u8][payload]. Readers: recovery at start, and the drain that
// fills the ledger.
//
//   journal.open(id, row, effects);           // buffered
//   journal.when_written(*this);              // on_written() once everything appended so far is on file
//   … end of the turn: writer.flush();
//
// A journal belongs to one worker (thread).
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "model/decision.h"
#include "model/usage.h"
#include "weir/limiter.h"

namespace weir {

inline constexpr std::size_t kMaxHoldBytes = 128 << 10;

class JournalEvents {
 public:
  virtual ~JournalEvents() = default;
  // ok == false: the disk refused. What is not written must not be acted on.
  virtual void on_written(bool ok) = 0;
};

// The contract the gateway sees.
class Journal {
 public:
  virtual ~Journal() = default;
  // A request is about to go upstream: what it holds and the facts of its ledger row. `row.usage`, `row.usd_micros` and
  // `row.reserved_tokens` say what is held: if the process dies, the row is booked with them as `expired`.
  virtual void open(Hash128 id, const UsageRow& row, std::span<const Effect> effects) = 0;
  // More was held or charged for an open request.
  virtual void top_up(Hash128 id, std::span<const Effect> effects) = 0;
  // As top_up(), and says by how much the row's held tokens and micro-dollars grow.
  virtual void top_up_held(Hash128 id, std::int64_t extra_tokens, std::int64_t extra_usd_micros,
                           std::span<const Effect> effects) = 0;
  // The request is over: its complete row. Closes `id` (also one that was never opened).
  virtual void settle(Hash128 id, const UsageRow& row, std::span<const Effect> effects) = 0;
  // As open(), for a hold of the decision API: it survives the process. `hold` says what it holds, in the words of
  // whoever opens it again (at most kMaxHoldBytes).
  virtual void open_hold(Hash128 id, const UsageRow& row, std::string_view hold, std::span<const Effect> effects) = 0;
  // As settle(), and keeps the answers. May come twice for one hold: expired, then settled.
  virtual void settle_hold(const UsageRow& row, const ClosedDecision& closed, std::span<const Effect> effects) = 0;
  virtual void audit(const AuditRow& row) = 0;
  virtual void when_written(JournalEvents& events) = 0;
  virtual void forget(JournalEvents& events) = 0;  // the listener is gone
};

}  // namespace weir
