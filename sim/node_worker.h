// One worker of the node: what src/net's Worker, ClientConnection and NetDialer are, over the simulated network. Every
// event is a turn: the time is read once, the event handled, the journal written, the finished exchanges deleted.
//
// One thread. Dies with the process, without a word to anybody.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "api/endpoints.h"
#include "context.h"
#include "gateway/session.h"
#include "node_counters.h"
#include "node_journal.h"
#include "records/directory.h"

namespace weir::sim {

// What all workers of a process share, and how a turn is run.
struct NodeShared {
  Context& context;
  std::function<TimeNs()> now;    // the node's clock
  std::function<bool()> running;  // false: paused
  std::function<void(std::function<void()>)> when_running;
  std::function<TimeNs(TimeNs)> true_time;  // when the node's clock will show that
  Limiter& limiter;
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
  bool late_counters = false;
  // Once the process is to die within a turn: at which point of it. What follows in the turn does not happen.
  std::function<bool()> dies_before_flush, dies_before_sending;
};

class NodeWorker final : private Dialer {
 public:
  static constexpr std::size_t kMaxIdlePerOrigin = 256;
  static constexpr DurationNs kIdleFor = 55 * kSecond;

  NodeWorker(NodeShared& shared, int index, std::unique_ptr<JournalWriter> journal,
             std::shared_ptr<const Ruleset> rules, std::shared_ptr<const ConsumerSnapshot> consumers, Random random);
  ~NodeWorker() override;

  // Runs `work` as a turn now, or once the process runs again.
  void turn(std::function<void()> work);
  // … as a turn of its own, later.
  void post(std::function<void()> work, DurationNs wait = 0);
  WireEvents* accept(std::unique_ptr<Wire> wire, const std::string& peer, weir::Session::Listener listener);
  void housekeep(bool draining);
  void close_idle();
  void cut_all();

  Services& services() { return services_; }
  JournalWriter& journal() { return *journal_; }
  DecisionDesk& desk() { return api_.desk(); }
  std::size_t connections() const { return clients_.size(); }
  std::size_t upstream_ports() const { return busy_.size(); }
  void counters_away(bool away) { late_.away = away; }

 private:
  class ClientSocket;
  class UpstreamSocket;
  UpstreamPort* dial(const Origin& origin, UpstreamEvents& events, bool fresh) override;
  void end_of_turn();
  std::vector<std::uint64_t> numbers() const;
  void turn_of_client(std::uint64_t number, std::function<void(ClientSocket&)> work);
  void turn_of_upstream(std::uint64_t number, std::function<void(UpstreamSocket&)> work);
  void bury_client(std::uint64_t number);
  void released(std::uint64_t number, bool keep);
  void drop_idle(UpstreamSocket& socket);

  NodeShared& shared_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  MetricsBook metrics_;
  std::unique_ptr<JournalWriter> journal_;
  NodeJournal tapped_;
  NodeCounters::Late late_;
  NodeCounters counters_;
  Api api_;
  KeyHasher key_hasher_;
  Services services_;
  std::size_t shard_ = 0;
  Random ids_;
  bool in_turn_ = false;
  std::deque<std::function<void()>> queued_;
  std::map<std::uint64_t, std::unique_ptr<ClientSocket>> clients_;
  std::map<std::uint64_t, std::unique_ptr<UpstreamSocket>> busy_;
  std::map<std::string, std::vector<std::unique_ptr<UpstreamSocket>>> idle_;
  std::set<std::uint64_t> dirty_clients_, dirty_upstreams_;
  std::vector<std::unique_ptr<ClientSocket>> dead_clients_;
  std::vector<std::unique_ptr<UpstreamSocket>> dead_upstreams_;
  std::uint64_t sockets_ = 0;
};

}  // namespace weir::sim
