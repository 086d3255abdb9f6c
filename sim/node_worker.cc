#include "node_worker.h"

#include <utility>

#include "gateway/refusal_audit.h"
#include "node_sockets.h"

namespace weir::sim {

NodeWorker::NodeWorker(NodeShared& shared, int index, std::unique_ptr<JournalWriter> journal,
                       std::shared_ptr<const Ruleset> rules, std::shared_ptr<const ConsumerSnapshot> consumers,
                       Random random)
    : shared_(shared),
      metrics_(shared.metrics),
      journal_(std::move(journal)),
      tapped_(*journal_, shared.context),
      counters_(shared.limiter, shared.context, random.fork("counters"), shared.now, late_),
      api_(shared.api),
      key_hasher_(shared.key_secret),
      ids_(random.fork("ids")) {
  late_.on = shared.late_counters;
  late_.later = [this](DurationNs wait, auto work) { post(std::move(work), wait); };
  services_.now = shared.now();
  services_.rules = std::move(rules);
  services_.consumers = std::move(consumers);
  services_.key_hasher = &key_hasher_;
  services_.secret = &shared.subject_secret;
  services_.counters = &counters_;
  services_.auth_failures = &shared.auth_failures;
  services_.auth_failure_counter = shared.auth_failure_counter;
  services_.journal = &tapped_;
  services_.audit_sum = &shared.audit_sum;
  services_.dialer = this;
  services_.metrics = &metrics_;
  services_.health = &shared.health;
  services_.buffers = &shared.buffers;
  services_.learned = &shared.learned;
  services_.guard = &shared.guard;
  services_.budgets = &shared.budgets;
  services_.endpoints = &api_;
  services_.next_id = [this, index] {
    return Hash128{ids_.next() | 1, ids_.next() ^ (static_cast<std::uint64_t>(index + 1) << 56)};
  };
  shard_ = shared.decisions.join(api_.desk(), services_, [this](auto work) { post(std::move(work)); });
  api_.use(shared.decisions, shard_);
}

// A process that dies tells nobody: what its objects do on their way out did not happen.
NodeWorker::~NodeWorker() {
  *alive_ = false;
  tapped_.mute();
  counters_.mute();
  shared_.decisions.leave(shard_);
  for (auto& [number, client] : clients_) client->cut();
  for (auto& [number, upstream] : busy_) upstream->cut();
  for (Exchange* exchange : std::exchange(services_.graveyard, {})) delete exchange;
  for (Exchange* exchange : std::exchange(services_.live, {})) delete exchange;
  api_.shut_down();
  dead_clients_.clear();
  clients_.clear();
}

void NodeWorker::turn(std::function<void()> work) {
  if (!shared_.running()) {
    shared_.when_running([this, alive = alive_, held = std::move(work)] {
      if (*alive) turn(held);
    });
    return;
  }
  if (in_turn_) {
    queued_.push_back(std::move(work));
    return;
  }
  in_turn_ = true;
  services_.now = shared_.now();
  work();
  end_of_turn();
  in_turn_ = false;
  if (queued_.empty()) return;
  const std::function<void()> next = std::move(queued_.front());
  queued_.pop_front();
  turn(next);
}

void NodeWorker::post(std::function<void()> work, DurationNs wait) {
  shared_.context.schedule.after(wait, [this, alive = alive_, held = std::move(work)] {
    if (*alive) turn(held);
  });
}

void NodeWorker::end_of_turn() {
  constexpr int kMaxFlushes = 8;
  if (shared_.dies_before_flush()) return;
  for (int i = 0; i < kMaxFlushes && journal_->pending(); ++i) journal_->flush();
  if (shared_.dies_before_sending()) return;
  for (Exchange* exchange : std::exchange(services_.graveyard, {})) delete exchange;
  for (const std::uint64_t number : std::exchange(dirty_clients_, {})) {
    if (const auto found = clients_.find(number); found != clients_.end()) found->second->flush();
  }
  for (const std::uint64_t number : std::exchange(dirty_upstreams_, {})) {
    if (const auto found = busy_.find(number); found != busy_.end()) found->second->flush();
  }
  dead_clients_.clear();
  dead_upstreams_.clear();
  if (journal_->pending() && journal_->healthy()) post([] {});
}

void NodeWorker::housekeep(bool draining) {
  flush_audit(services_, draining);
}

void NodeWorker::close_idle() {
  for (const std::uint64_t number : numbers()) {
    if (const auto found = clients_.find(number); found != clients_.end()) found->second->close_if_idle();
  }
}

void NodeWorker::cut_all() {
  for (const std::uint64_t number : numbers()) {
    if (const auto found = clients_.find(number); found != clients_.end()) found->second->cut();
  }
}

std::vector<std::uint64_t> NodeWorker::numbers() const {
  std::vector<std::uint64_t> out;
  for (const auto& [number, client] : clients_) out.push_back(number);
  return out;
}

WireEvents* NodeWorker::accept(std::unique_ptr<Wire> wire, const std::string& peer, weir::Session::Listener listener) {
  shared_.decisions.connections.fetch_add(1);
  const std::uint64_t number = ++sockets_;
  auto& socket = clients_[number];
  services_.now = shared_.now();
  socket = std::make_unique<ClientSocket>(*this, number, std::move(wire), peer, listener);
  return socket.get();
}

void NodeWorker::bury_client(std::uint64_t number) {
  const auto found = clients_.find(number);
  if (found == clients_.end()) return;
  shared_.decisions.connections.fetch_sub(1);
  dead_clients_.push_back(std::move(found->second));
  if (*alive_) clients_.erase(found);  // else ~NodeWorker is walking over them
}

UpstreamPort* NodeWorker::dial(const Origin& origin, UpstreamEvents& events, bool fresh) {
  WEIR_CHECK(origin.simulate == nullptr);
  if (auto found = idle_.find(origin.host); !fresh && found != idle_.end() && !found->second.empty()) {
    std::unique_ptr<UpstreamSocket> socket = std::move(found->second.back());
    found->second.pop_back();
    socket->reuse(events);
    UpstreamSocket* const out = socket.get();
    busy_[out->number()] = std::move(socket);
    return out;
  }
  metrics_.upstream_connections_opened.add(1);
  const std::uint64_t number = ++sockets_;
  auto& socket = busy_[number];
  socket = std::make_unique<UpstreamSocket>(*this, number, origin.host);
  socket->start(events, origin.connect_timeout);
  return socket.get();
}

void NodeWorker::released(std::uint64_t number, bool keep) {
  const auto found = busy_.find(number);
  WEIR_CHECK(found != busy_.end());
  std::unique_ptr<UpstreamSocket> socket = std::move(found->second);
  busy_.erase(found);
  if (!keep) {
    dead_upstreams_.push_back(std::move(socket));
    return;
  }
  auto& pool = idle_[socket->place()];
  if (pool.size() >= kMaxIdlePerOrigin) {
    dead_upstreams_.push_back(std::move(pool.front()));
    pool.erase(pool.begin());
  }
  pool.push_back(std::move(socket));
}

void NodeWorker::drop_idle(UpstreamSocket& socket) {
  auto& pool = idle_[socket.place()];
  for (auto at = pool.begin(); at != pool.end(); ++at) {
    if (at->get() != &socket) continue;
    dead_upstreams_.push_back(std::move(*at));
    pool.erase(at);
    return;
  }
}

void NodeWorker::turn_of_client(std::uint64_t number, std::function<void(ClientSocket&)> work) {
  turn([this, number, held = std::move(work)] {
    if (const auto found = clients_.find(number); found != clients_.end()) held(*found->second);
  });
}

void NodeWorker::turn_of_upstream(std::uint64_t number, std::function<void(UpstreamSocket&)> work) {
  turn([this, number, held = std::move(work)] {
    if (const auto found = busy_.find(number); found != busy_.end()) return held(*found->second);
    for (auto& [place, pool] : idle_) {
      for (auto& socket : pool) {
        if (socket->number() == number) return held(*socket);
      }
    }
  });
}

}  // namespace weir::sim
