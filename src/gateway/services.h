// What one worker hands to its sessions. Belongs to the worker's thread; `now` is set at the start of every turn.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_set>
#include <vector>

#include "behavior/guard.h"
#include "counters/counters.h"
#include "gateway/learned.h"
#include "gateway/metrics_book.h"
#include "gateway/ports.h"
#include "gateway/run_budgets.h"
#include "journal/audit_sum.h"
#include "journal/journal.h"
#include "model/kill_switch.h"
#include "policy/ruleset.h"
#include "records/directory.h"

namespace weir {

// Shared by all workers.
struct Health {
  std::atomic<bool> draining{false};  // connections end after their answer
};

// Bytes of request bodies held in memory by all sessions together; beyond kMaxBuffered new bodies get 503.
struct BufferBudget {
  static constexpr std::int64_t kMaxBuffered = std::int64_t{2} << 30;
  std::atomic<std::int64_t> used{0};
};

class EventFeed;
class Exchange;
class OwnEndpoints;

struct Services {
  TimeNs now = 0;
  std::shared_ptr<const Ruleset> rules;
  std::shared_ptr<const ConsumerSnapshot> consumers;
  KeyHasher* key_hasher = nullptr;
  const SubjectSecret* secret = nullptr;
  Counters* counters = nullptr;
  Limiter* auth_failures = nullptr;  // its own small table: strangers cannot crowd out consumers
  CounterId auth_failure_counter = 0;
  Journal* journal = nullptr;
  AuditSum* audit_sum = nullptr;
  Dialer* dialer = nullptr;
  Learned* learned = nullptr;
  Guard* guard = nullptr;
  RunBudgets* budgets = nullptr;
  std::shared_ptr<const KillSwitches> kills = std::make_shared<KillSwitches>();  // never null
  MetricsBook* metrics = nullptr;
  EventFeed* events = nullptr;  // null: nobody watches
  Health* health = nullptr;
  BufferBudget* buffers = nullptr;
  OwnEndpoints* endpoints = nullptr;
  std::function<Hash128()> next_id;  // unique, unguessable enough to be a request id
  static constexpr std::size_t kMaxQueued = 10'000;
  std::size_t queued = 0;              // exchanges that wait for room
  std::unordered_set<Exchange*> live;  // owned; see exchange.h
  std::vector<Exchange*> graveyard;    // done; the worker deletes them at the end of the turn
};

}  // namespace weir
