// The holds of the decision API whose ids belong to one worker: admitted, settled, cancelled and expired exactly once,
// and answered the same when they are asked again.
//
//   desk.admit(services, call, [&](Reply reply) { … });      // answers once the journal has it
//   desk.settle(services, id, body, done);
//   desk.expired(services, id);                                // the limiter closed it
//
// What arrives for an id while something is under way for it waits its turn. An answer is given after the journal holds
// what it says. Belongs to one thread; `services` must be that thread's and outlive the desk's work.
//
// Limits: open holds are bounded by LimiterOptions::max_reservations, those of one key by kMaxHoldsPerKey; closed ones
// are remembered kRemembered long, at most kMaxClosed and kMaxClosedBytes of them, and at most kMaxWaiting calls wait
// for one id.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "api/decision_call.h"
#include "api/holds_per_key.h"
#include "gateway/reply.h"
#include "model/decision.h"

namespace weir {

struct DeskLimits {
  std::size_t closed = 1'000'000;
  std::size_t closed_bytes = std::size_t{512} << 20;
};

class DecisionDesk {
 public:
  using Done = std::function<void(Reply)>;
  static constexpr DurationNs kRemembered = kHour;
  static constexpr std::size_t kMaxWaiting = 64;

  explicit DecisionDesk(DeskLimits limits = {});
  ~DecisionDesk();
  DecisionDesk(const DecisionDesk&) = delete;
  DecisionDesk& operator=(const DecisionDesk&) = delete;

  void admit(Services& services, std::shared_ptr<DecisionCall> call, Done done);
  void settle(Services& services, Hash128 id, const SettleBody& body, Done done);
  void cancel(Services& services, Hash128 id, Done done);
  // Its deadline has passed and the limiter has charged it. Unknown ids are not the desk's.
  void expired(Services& services, Hash128 id);

  // Before the first call: what an earlier process left. False if `hold` cannot be read.
  bool adopt(Hash128 id, const UsageRow& row, std::string hold);
  void remember(const ClosedDecision& closed);

  // Counts the holds of each key together with other desks; before the first call. `holds` outlives the desk.
  void share(HoldsPerKey& holds) { holds_ = &holds; }

  // What is under way ends without an answer; what the journal has stays.
  void drop_operations();

  std::size_t open() const { return open_; }
  std::size_t closed() const { return closed_.size(); }

 private:
  class Operation;
  class Admit;
  class Close;
  struct Entry {
    enum class State : std::uint8_t { kNew, kOpen, kExpired, kClosed };
    State state = State::kNew;
    bool busy = false;
    ClosedHow how = ClosedHow::kSettled;
    TimeNs deadline = 0, closed_at = 0;
    UsageRow row;          // open and expired; before that, its key
    std::string hold;      // open and expired: DecisionHold
    std::string admitted;  // bodies of answers
    std::string answer;
    std::vector<std::function<void()>> waiting;
    std::size_t bytes() const { return hold.size() + admitted.size() + answer.size(); }
  };
  struct HashOfId {
    std::size_t operator()(const Hash128& id) const { return static_cast<std::size_t>(id.low ^ (id.high << 1)); }
  };

  Entry* find(Hash128 id);
  // True if `again` will be called later, or was turned away, because the entry is busy.
  bool must_wait(Entry& entry, const Done& done, std::function<void()> again);
  void close(Services& services, Hash128 id, Entry& entry, ClosedHow how, const SettleBody* body, Done done);
  void run(std::unique_ptr<Operation> operation);
  std::unique_ptr<Operation> take(Operation& operation);
  void not_busy(Hash128 id);
  void no_longer_open(const Entry& entry);
  void keep_closed(Hash128 id, TimeNs now);
  void forget(TimeNs now);

  const DeskLimits limits_;
  HoldsPerKey own_holds_;
  HoldsPerKey* holds_ = &own_holds_;
  std::unordered_map<Hash128, Entry, HashOfId> entries_;
  std::unordered_map<Operation*, std::unique_ptr<Operation>> operations_;
  std::deque<std::pair<TimeNs, Hash128>> closed_;  // oldest first; an entry closed again later has two places
  std::size_t closed_bytes_ = 0;
  std::size_t open_ = 0;
};

// Answers of the decision API, apart from refusals.
Reply call_fault_reply(const CallFault& fault, const std::string& request_id);
std::string settle_answer(const UsageRow& row, const MeterAmounts& usage, bool late);

}  // namespace weir
