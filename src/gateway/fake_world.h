// Test-only: everything around one Session as plain objects. Nothing moves unless the test says so.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "counters/local.h"
#include "gateway/exchange.h"
#include "gateway/session.h"

namespace weir {

struct FakeClient final : ClientPort {
  std::string sent;
  std::size_t stuck = 0;  // bytes that the kernel does not take
  bool reading = true, closing = false, aborted = false;
  TimeNs deadline = 0;
  void send(std::string_view bytes) override { sent += bytes; }
  std::size_t unsent() const override { return stuck; }
  void want_read(bool on) override { reading = on; }
  void set_deadline(TimeNs at) override { deadline = at; }
  void close_after_send() override { closing = true; }
  void abort() override { aborted = true; }
};

struct FakeUpstream final : UpstreamPort {
  UpstreamEvents* events = nullptr;
  Origin origin;
  std::string received;
  bool from_pool = false, reading = true, released = false, kept = false;
  TimeNs deadline = 0;
  void send(std::string_view bytes) override { received += bytes; }
  void want_read(bool on) override { reading = on; }
  void set_deadline(TimeNs at) override { deadline = at; }
  bool reused() const override { return from_pool; }
  void release(bool reusable) override {
    released = true;
    kept = reusable;
  }
};

struct FakeDialer final : Dialer {
  std::vector<std::unique_ptr<FakeUpstream>> dialed;
  bool pool = false;  // the next connection comes from the pool
  UpstreamPort* dial(const Origin& origin, UpstreamEvents& events, bool fresh) override {
    dialed.push_back(std::make_unique<FakeUpstream>());
    dialed.back()->events = &events;
    dialed.back()->origin = origin;
    dialed.back()->from_pool = pool && !fresh;
    return dialed.back().get();
  }
};

struct FakeJournal final : Journal {
  struct Settled {
    Hash128 id;
    UsageRow row;
  };
  std::vector<Hash128> opened;
  std::vector<UsageRow> open_rows;
  std::vector<Settled> settled;
  std::vector<AuditRow> audits;
  std::vector<JournalEvents*> waiting;
  void open(Hash128 id, const UsageRow& row, std::span<const Effect>) override {
    opened.push_back(id);
    open_rows.push_back(row);
  }
  void top_up(Hash128, std::span<const Effect>) override {}
  void settle(Hash128 id, const UsageRow& row, std::span<const Effect>) override { settled.push_back({id, row}); }
  void audit(const AuditRow& row) override { audits.push_back(row); }
  void when_written(JournalEvents& events) override { waiting.push_back(&events); }
  void forget(JournalEvents& events) override { std::erase(waiting, &events); }
  void flush(bool ok = true) {
    std::vector<JournalEvents*> now;
    now.swap(waiting);
    for (JournalEvents* events : now) events->on_written(ok);
  }
};

// No endpoints of our own but one, which needs a key and answers 200.
struct FakeEndpoints final : OwnEndpoints {
  bool needs_identity(const Target& target) const override { return target.kind == TargetKind::kMe; }
  void handle(Services&, const OwnRequest&, ReplyEvents& events) override { events.on_reply({.body = "{}"}); }
  void forget(ReplyEvents&) override {}
};

// Answers when the test says so.
struct LateCounters final : Counters {
  explicit LateCounters(Limiter& limiter) : local(limiter) {}
  LocalCounters local;
  std::vector<std::pair<const void*, std::function<void()>>> waiting;
  CounterId define(const CounterSpec& spec) override { return local.define(spec); }
  void admit(const AdmitRequest& request, AdmissionEvents& events) override {
    waiting.emplace_back(&events, [this, request, &events] { local.admit(request, events); });
  }
  void peek(const AdmitRequest& request, AdmissionEvents& events) override { local.peek(request, events); }
  void top_up(Hash128 id, std::span<const std::int64_t> extra, TimeNs now, AdmissionEvents& events) override {
    local.top_up(id, extra, now, events);
  }
  void settle(Hash128 id, std::span<const std::int64_t> actual, TimeNs now, SettlementEvents& events) override {
    waiting.emplace_back(&events, [this, id, copy = std::vector<std::int64_t>(actual.begin(), actual.end()), now,
                                   &events] { local.settle(id, copy, now, events); });
  }
  void cancel(Hash128 id, TimeNs now, SettlementEvents& events) override { local.cancel(id, now, events); }
  void forget(const void* events) override {
    std::erase_if(waiting, [&](const auto& entry) { return entry.first == events; });
  }
  void answer() {
    auto now = std::move(waiting);
    waiting.clear();
    for (auto& entry : now) entry.second();
  }
};

inline constexpr char kAgentKey[] = "agent";
inline constexpr char kServiceKey[] = "service";
inline constexpr char kRevokedKey[] = "revoked";

class World {
 public:
  explicit World(const std::string& yaml, bool late_counters = false) : key_hasher_("secret") {
    const LoadedPolicy loaded = load_policy(yaml, "test.yaml", [](std::string_view) { return std::nullopt; });
    for (const Diagnostic& d : loaded.diagnostics) problems += to_string(d) + "\n";
    if (late_counters) {
      late = std::make_unique<LateCounters>(limiter);
      services.counters = late.get();
    } else {
      services.counters = &local_;
    }
    if (loaded.policy) use(loaded.policy);
    auto consumers = std::make_shared<ConsumerSnapshot>();
    add(*consumers, kAgentKey, {.id = 1, .name = "ann"});
    add(*consumers, kServiceKey, {.id = 2, .name = "backend", .kind = ConsumerKind::kService});
    add(*consumers, kRevokedKey, {.id = 3, .name = "gone", .status = ConsumerStatus::kRevoked});
    services.consumers = consumers;
    services.now = 1'800'000'000 * kSecond;
    services.key_hasher = &key_hasher_;
    services.secret = &secret_;
    services.auth_failures = &auth_failures_;
    services.auth_failure_counter = auth_failures_.define({.identity = "auth", .window = kMinute});
    services.journal = &journal;
    services.audit_sum = &audit_sum_;
    services.dialer = &dialer;
    services.metrics = &book_;
    services.health = &health;
    services.buffers = &buffers;
    services.learned = &learned;
    services.guard = &guard;
    services.budgets = &budgets;
    services.endpoints = &endpoints_;
    services.next_id = [this] { return Hash128{7, ++ids_}; };
  }
  ~World() { bury(); }

  void use(const std::shared_ptr<const Policy>& policy) {
    services.rules =
        Ruleset::compile(policy, [this](const CounterSpec& spec) { return services.counters->define(spec); }, secret_);
  }
  // The key that make_key() gives for that seed.
  static std::string key(std::string_view seed) {
    std::array<unsigned char, 24> bytes{};
    for (std::size_t i = 0; i < bytes.size(); ++i)
      bytes[i] = static_cast<unsigned char>(seed[i % seed.size()] + static_cast<char>(i));
    return make_key(bytes);
  }
  void add(ConsumerSnapshot& snapshot, std::string_view seed, Consumer consumer) {
    snapshot.add({key_hasher_.hash(key(seed)), std::make_shared<Consumer>(std::move(consumer))});
  }
  // What the limit of that name has settled for the agent's key; its first window.
  std::int64_t used(std::string_view limit) {
    Attributes attributes;
    attributes.consumer = services.consumers->find_name("ann").get();
    attributes.set(Attribute::kKey, "ann");
    attributes.set(Attribute::kCaller, "ann");
    Plan plan;
    if (services.rules->plan(attributes, Costs{}, services.now, plan)) return -1;
    Decision decision;
    limiter.peek({.subjects = plan.subjects(), .demands = plan.demands(), .now = services.now}, decision);
    for (std::size_t i = 0; i < plan.limits().size(); ++i) {
      if (plan.limits()[i].rule->name == limit) return decision.verdicts[i].used;
    }
    return -1;
  }
  FakeUpstream& upstream() { return *dialer.dialed.back(); }
  void bury() {  // as the worker does at the end of a turn
    std::vector<Exchange*> done;
    done.swap(services.graveyard);
    for (Exchange* exchange : done) delete exchange;
  }
  // Nothing is left of any request: the property behind "nothing leaks".
  bool clean() {
    bury();
    for (const auto& port : dialer.dialed) {
      if (!port->released) return false;
    }
    return services.live.empty() && limiter.stats().open_reservations == 0 &&
           journal.settled.size() == journal.opened.size() && journal.waiting.empty() && buffers.used.load() == 0;
  }

  std::string problems;  // of the policy
  Services services;
  Limiter limiter;
  FakeJournal journal;
  FakeDialer dialer;
  Health health;
  BufferBudget buffers;
  Learned learned;
  Guard guard{Guard::Options{}};
  RunBudgets budgets;
  std::unique_ptr<LateCounters> late;

 private:
  SubjectSecret secret_{};
  KeyHasher key_hasher_;
  Limiter auth_failures_;
  LocalCounters local_{limiter};
  AuditSum audit_sum_;
  Metrics metrics_;
  MetricsBook book_{metrics_};
  FakeEndpoints endpoints_;
  std::uint64_t ids_ = 0;
};

// A request as bytes, with the agent's key.
inline std::string post(std::string_view path, std::string_view body, std::string_view headers = {}) {
  std::string out = "POST " + std::string(path) + " HTTP/1.1\r\nhost: weir\r\nauthorization: Bearer " +
                    World::key(kAgentKey) + "\r\n";
  out.append(headers).append("content-length: ").append(std::to_string(body.size())).append("\r\n\r\n").append(body);
  return out;
}

}  // namespace weir
