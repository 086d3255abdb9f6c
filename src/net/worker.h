// One worker: an event loop, its listening sockets, its clients, its journal writer. Everything in it belongs to its
// thread, except the members under "any thread".
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <unordered_set>

#include "api/endpoints.h"
#include "gateway/services.h"
#include "journal/writer.h"
#include "net/client.h"
#include "net/dialer.h"
#include "net/loop.h"
#include "net/server_tls.h"

namespace weir {

// What all workers share; outlives them.
struct WorkerShared {
  const Clock& clock;
  Resolver& resolver;
  Counters& counters;
  Limiter& auth_failures;
  CounterId auth_failure_counter;
  const SubjectSecret& subject_secret;
  const std::string& key_secret;
  AuditSum& audit_sum;
  Metrics& metrics;
  Health& health;
  BufferBudget& buffers;
  Learned& learned;
  Guard& guard;
  RunBudgets& budgets;
  const ApiOptions& api;
  DecisionRouter& decisions;
  std::array<std::uint64_t, 2> id_seed;  // random; ids are unique across workers and hard to guess
  EventFeed& events;                     // this worker's own
};

class Worker {
 public:
  static constexpr std::size_t kMaxConnections = 50'000;

  Worker(WorkerShared shared, int index, std::unique_ptr<JournalWriter> journal, std::shared_ptr<const Ruleset> rules,
         std::shared_ptr<const ConsumerSnapshot> consumers);
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // Before start(). `tls`: null for plain HTTP.
  void listen(int fd, Session::Listener listener, std::shared_ptr<const ServerTls> tls);
  void start();

  // --- any thread -------------------------------------------------------------------------------------------------
  void use_rules(std::shared_ptr<const Ruleset> rules);
  void use_consumers(std::shared_ptr<const ConsumerSnapshot> consumers);
  void use_kills(std::shared_ptr<const KillSwitches> kills);
  void use_tls(std::shared_ptr<const ServerTls> data, std::shared_ptr<const ServerTls> admin);  // of new connections
  void end_budgets(std::vector<std::pair<HeldRunBudget, RunUse>> ended);
  void drain(TimeNs until);  // stops accepting; ends when idle, at the latest at `until`
  void join();
  JournalWriter& journal() { return *journal_; }

  // A hold of an earlier process, before start(). False if it cannot be read.
  bool adopt_hold(Hash128 id, const UsageRow& row, const std::string& hold);
  void remember_closed(const ClosedDecision& closed) { api_.desk().remember(closed); }

  // --- for this worker's connections --------------------------------------------------------------------------------
  Services& services() { return services_; }
  Loop& loop() { return loop_; }
  void accepted(int fd, const std::string& peer, Session::Listener listener);
  void ended(ClientConnection& connection);

 private:
  class Acceptor;

  bool end_of_turn();
  void check_drained();
  Hash128 next_id();

  WorkerShared shared_;
  MetricsBook metrics_;
  Loop loop_;
  NetDialer dialer_;
  Api api_;
  KeyHasher key_hasher_;
  std::unique_ptr<JournalWriter> journal_;
  Services services_;
  Timer housekeeping_;
  std::size_t shard_ = 0;  // of the decision API
  std::vector<std::unique_ptr<Acceptor>> acceptors_;
  std::shared_ptr<const ServerTls> data_tls_, admin_tls_;
  std::unordered_set<ClientConnection*> clients_;
  bool draining_ = false;
  TimeNs drain_until_ = 0;
  std::array<std::uint64_t, 2> id_state_;
  const int index_;
  std::thread thread_;
};

}  // namespace weir
