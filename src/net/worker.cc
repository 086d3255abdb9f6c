#include "net/worker.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "gateway/refusal_audit.h"
#include "net/thread_name.h"

namespace weir {
namespace {

constexpr int kAcceptsPerTurn = 64;
constexpr DurationNs kHousekeeping = 100 * kMillisecond;

std::string peer_text(const sockaddr_storage& from) {
  char text[INET6_ADDRSTRLEN] = {};
  if (from.ss_family == AF_INET) {
    inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in&>(from).sin_addr, text, sizeof text);
  } else {
    inet_ntop(AF_INET6, &reinterpret_cast<const sockaddr_in6&>(from).sin6_addr, text, sizeof text);
  }
  return text;
}

std::uint64_t mix(std::uint64_t& state) {  // splitmix64
  std::uint64_t z = (state += 0x9e3779b97f4a7c15ull);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
  return z ^ (z >> 31);
}

}  // namespace

class Worker::Acceptor final : public Watched {
 public:
  Acceptor(Worker& worker, int fd, Session::Listener listener)
      : worker_(worker), fd_(fd), listener_(listener), reserve_(::open("/dev/null", O_RDONLY | O_CLOEXEC)) {
    worker.loop().watch(fd, *this, EPOLLIN);
  }
  ~Acceptor() override {
    ::close(fd_);
    if (reserve_ >= 0) ::close(reserve_);
  }

  Session::Listener listener() const { return listener_; }

 private:
  void on_events(std::uint32_t) override {
    for (int i = 0; i < kAcceptsPerTurn; ++i) {
      sockaddr_storage from{};
      socklen_t size = sizeof from;
      const int fd = ::accept4(fd_, reinterpret_cast<sockaddr*>(&from), &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd >= 0) {
        worker_.accepted(fd, peer_text(from), listener_);
      } else if (errno == EMFILE || errno == ENFILE) {
        shed();
        return;
      } else if (errno != ECONNABORTED && errno != EINTR) {
        return;
      }
    }
  }

  // Out of descriptors: the spare one takes the waiting client and lets it go, so that it is not left hanging.
  void shed() {
    if (reserve_ >= 0) ::close(reserve_);
    const int fd = ::accept4(fd_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) ::close(fd);
    reserve_ = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  }

  Worker& worker_;
  int fd_;
  Session::Listener listener_;
  int reserve_;
};

Worker::Worker(WorkerShared shared, int index, std::unique_ptr<JournalWriter> journal,
               std::shared_ptr<const Ruleset> rules, std::shared_ptr<const ConsumerSnapshot> consumers)
    : shared_(shared),
      metrics_(shared.metrics),
      loop_(shared.clock),
      dialer_(loop_, shared.resolver, metrics_.upstream_connections_opened, index),
      api_(shared.api),
      key_hasher_(shared.key_secret),
      journal_(std::move(journal)),
      housekeeping_([this] { check_drained(); }),
      id_state_(shared.id_seed),
      index_(index) {
  for (std::uint64_t& state : id_state_) state ^= static_cast<std::uint64_t>(index + 1) << 56;
  services_.now = loop_.now();
  services_.rules = std::move(rules);
  services_.consumers = std::move(consumers);
  services_.key_hasher = &key_hasher_;
  services_.secret = &shared_.subject_secret;
  services_.counters = &shared_.counters;
  services_.auth_failures = &shared_.auth_failures;
  services_.auth_failure_counter = shared_.auth_failure_counter;
  services_.journal = journal_.get();
  services_.audit_sum = &shared_.audit_sum;
  services_.dialer = &dialer_;
  services_.metrics = &metrics_;
  services_.health = &shared_.health;
  services_.buffers = &shared_.buffers;
  services_.learned = &shared_.learned;
  services_.guard = &shared_.guard;
  services_.budgets = &shared_.budgets;
  services_.events = &shared_.events;
  services_.endpoints = &api_;
  services_.next_id = [this] { return next_id(); };
  shard_ = shared_.decisions.join(api_.desk(), services_, [this](auto work) { loop_.post(std::move(work)); });
  api_.use(shared_.decisions, shard_);
  loop_.at_start = [this] { services_.now = loop_.now(); };
  loop_.at_end = [this] { return end_of_turn(); };
  housekeeping_.set(loop_, loop_.now() + kHousekeeping);
}

Worker::~Worker() {
  shared_.decisions.leave(shard_);
  for (ClientConnection* client : std::vector<ClientConnection*>(clients_.begin(), clients_.end())) client->cut();
  end_of_turn();
  api_.shut_down();
}

void Worker::listen(int fd, Session::Listener listener, std::shared_ptr<const ServerTls> tls) {
  (listener == Session::Listener::kAdmin ? admin_tls_ : data_tls_) = std::move(tls);
  acceptors_.push_back(std::make_unique<Acceptor>(*this, fd, listener));
}

void Worker::start() {
  thread_ = std::thread([this] {
    name_thread("weir-worker-" + std::to_string(index_));
    loop_.run();
  });
}

void Worker::join() {
  if (thread_.joinable()) thread_.join();
}

bool Worker::adopt_hold(Hash128 id, const UsageRow& row, const std::string& hold) {
  if (!api_.desk().adopt(id, row, hold)) return false;
  journal_->adopt_hold(id, row, hold);
  return true;
}

Hash128 Worker::next_id() {
  return {mix(id_state_[0]) | 1, mix(id_state_[1])};
}

void Worker::use_rules(std::shared_ptr<const Ruleset> rules) {
  loop_.post([this, rules = std::move(rules)] { services_.rules = rules; });
}

void Worker::use_consumers(std::shared_ptr<const ConsumerSnapshot> consumers) {
  loop_.post([this, consumers = std::move(consumers)] { services_.consumers = consumers; });
}

void Worker::use_kills(std::shared_ptr<const KillSwitches> kills) {
  loop_.post([this, kills = std::move(kills)] { services_.kills = kills; });
}

void Worker::use_tls(std::shared_ptr<const ServerTls> data, std::shared_ptr<const ServerTls> admin) {
  loop_.post([this, data = std::move(data), admin = std::move(admin)] {
    data_tls_ = data;
    admin_tls_ = admin;
  });
}

void Worker::end_budgets(std::vector<std::pair<HeldRunBudget, RunUse>> ended) {
  loop_.post([this, ended = std::move(ended)] {
    for (const auto& [budget, used] : ended) end_run_budget(services_, budget, used);
  });
}

void Worker::drain(TimeNs until) {
  loop_.post([this, until] {
    draining_ = true;
    drain_until_ = until;
    std::erase_if(acceptors_, [&](const auto& acceptor) {  // the admin listener goes on saying how the drain goes
      if (acceptor->listener() == Session::Listener::kAdmin) return false;
      loop_.forget_events(*acceptor);
      return true;
    });
    for (ClientConnection* client : std::vector<ClientConnection*>(clients_.begin(), clients_.end()))
      client->close_if_idle();
    check_drained();
  });
}

void Worker::check_drained() {
  housekeeping_.set(loop_, loop_.now() + kHousekeeping);
  flush_audit(services_, draining_);
  if (!draining_) return;
  if (!services_.live.empty() && loop_.now() < drain_until_) return;
  for (ClientConnection* client : std::vector<ClientConnection*>(clients_.begin(), clients_.end())) {
    if (loop_.now() >= drain_until_) client->cut();
  }
  // Another worker's connection may still ask for a hold that is kept here.
  if (shared_.decisions.connections.load() == 0 || loop_.now() >= drain_until_) loop_.stop();
}

void Worker::accepted(int fd, const std::string& peer, Session::Listener listener) {
  if (clients_.size() >= kMaxConnections) {
    ::close(fd);
    return;
  }
  const ServerTls* tls = listener == Session::Listener::kAdmin ? admin_tls_.get() : data_tls_.get();
  Ssl ssl = tls != nullptr ? tls->session(fd) : nullptr;
  if (tls != nullptr && !ssl) {
    ::close(fd);
    return;
  }
  shared_.decisions.connections.fetch_add(1);
  clients_.insert(new ClientConnection(*this, fd, std::move(ssl), peer, listener));
}

void Worker::ended(ClientConnection& connection) {
  shared_.decisions.connections.fetch_sub(1);
  clients_.erase(&connection);
  loop_.dispose(std::unique_ptr<Disposable>(&connection));
}

bool Worker::end_of_turn() {
  constexpr int kMaxFlushes = 8;  // an answer to one flush may append for the next
  for (int i = 0; i < kMaxFlushes && journal_->pending(); ++i) journal_->flush();
  std::vector<Exchange*> done;
  done.swap(services_.graveyard);
  for (Exchange* exchange : done) delete exchange;
  return journal_->pending() && journal_->healthy();
}

}  // namespace weir
