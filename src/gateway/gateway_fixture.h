// For tests: a gateway without sockets. One World holds a real policy, real counters and fake ports; the test plays the
// client, the provider, the disk and the clock.
//
//   using namespace stage;
//   World world;
//   Connection client(world);
//   client.say(chat_request(world.agent));
//   world.upstream().bytes(json_answer(kChatAnswer));
//   EXPECT_EQ(client.answer().status, 200);
//   world.expect_quiet();
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/strings.h"
#include "gateway/exchange.h"
#include "gateway/gateway_fakes.h"
#include "gateway/session.h"
#include "policy/test_policy.h"

namespace weir::stage {

inline constexpr TimeNs kNoon = 1'795'262'400 * kSecond;  // 2026-11-21T12:00:00Z
inline constexpr const char* kProviderKey = "sk-provider-secret";

inline constexpr std::string_view kTestPolicy = R"(
providers:
  openai: { dialect: openai, url: "http://openai.test:8000/v1", key: sk-provider-secret, timeouts: { connect: 2s, first_byte: 5s, idle: 6s, total: 60s } }
  claude: { dialect: anthropic, url: "http://claude.test", key: sk-provider-secret, timeouts: { connect: 2s, first_byte: 5s, idle: 6s, total: 60s } }
models:
  gpt-4o: { provider: openai, price: { input: 2.50, cached_input: 1.25, output: 10.00 } }
  embed: { provider: openai, price: { input: 1, output: 0 } }
  "claude-*": { provider: claude, price: { input: 3, cached_input: 0.3, cache_write: 3.75, output: 15 } }
upstreams:
  - { path: /api/**, kind: http, url: "http://api.test:3000/base", meters: { units: { response_header: X-Units, estimate: 10 }, rows: { response_json: meta.rows, estimate: 3 } } }
  - { path: /plain/**, kind: http, url: "http://plain.test" }
  - { path: /trusting, kind: http, url: "http://plain.test", pass_authorization: true }
limits:
  - { name: requests, per: caller, meter: requests, allow: 100/1m }
  - { name: tokens, per: caller, meter: tokens, allow: 50k/1m }
  - { name: spend, per: caller, meter: usd, allow: 10/day }
  - { name: in-flight, per: caller, meter: concurrency, allow: 4 }
  - { name: units, per: caller, meter: units, allow: 1000/1h }
  - { name: rows, per: caller, meter: rows, allow: 1000/1h }
  - { name: bytes, per: caller, meter: bytes_out, allow: 100M/1h }
trusted_proxies: [10.0.0.0/8, "fd00::/8"]
auth_failures: { per: ip, allow: 3/1m }
retry: { attempts: 1 }
)";

// The test policy with one line replaced or, when `old_line` is empty, added.
inline std::string policy_with(std::string_view new_line, std::string_view old_line = {}) {
  std::string out(kTestPolicy);
  const std::size_t at = old_line.empty() ? out.size() : out.find(old_line);
  EXPECT_NE(at, std::string::npos);
  const std::size_t end = old_line.empty() ? at : out.find('\n', at);
  return out.replace(at, end - at, new_line);
}

class World final : private Dialer {
 public:
  explicit World(std::string_view yaml = kTestPolicy, LimiterOptions engine = {}) : limiter(engine) {
    secret_.fill(7);
    use_policy(yaml);
    const AuthFailures& auth = services.rules->policy().auth_failures;
    services.now = kNoon;
    services.key_hasher = &hasher_;
    services.secret = &secret_;
    services.counters = &counters;
    services.auth_failures = &auth_limiter_;
    services.auth_failure_counter =
        auth_limiter_.define({.identity = "auth", .kind = WindowKind::kSliding, .window = auth.window});
    services.journal = &journal;
    services.audit_sum = &audit_sum_;
    services.dialer = this;
    services.metrics = &book;
    services.health = &health;
    services.buffers = &buffers;
    services.learned = &learned;
    services.guard = &guard;
    services.budgets = &budgets;
    services.endpoints = &endpoints;
    services.next_id = [this] { return Hash128{1, ++ids_}; };
    agent = add_key({.name = "agent-1", .tenant = "acme", .tier = "free"});
    human = add_key({.name = "human-1", .tenant = "acme", .user = "ann", .kind = ConsumerKind::kHuman});
    service = add_key({.name = "service-1", .tenant = "acme", .kind = ConsumerKind::kService});
    revoked = add_key({.name = "revoked-1", .status = ConsumerStatus::kRevoked});
  }

  ~World() override {
    for (Exchange* exchange : services.graveyard) delete exchange;
    EXPECT_TRUE(services.live.empty()) << "an exchange is still alive at the end of the test";
  }

  void use_policy(std::string_view yaml) {
    services.rules =
        Ruleset::compile(must_load(yaml), [this](const CounterSpec& s) { return limiter.define(s); }, secret_);
  }

  std::string add_key(Consumer consumer) {
    std::array<unsigned char, 24> random{};
    random.fill(static_cast<unsigned char>(++keys_));
    const std::string key = make_key(random);
    consumer.id = keys_;
    auto snapshot = std::make_shared<ConsumerSnapshot>(services.consumers ? *services.consumers : ConsumerSnapshot());
    snapshot->add({hasher_.hash(key), std::make_shared<const Consumer>(std::move(consumer))});
    services.consumers = snapshot;
    return key;
  }

  // The end of a worker's turn.
  void turn() {
    for (int i = 0; i < 8 && journal.pending(); ++i) journal.flush(disk_ok);
    clean();
  }
  // Ends a turn without the disk having answered.
  void clean() {
    for (Exchange* exchange : std::exchange(services.graveyard, {})) delete exchange;
  }
  void pass(DurationNs time) { services.now += time; }

  FakeUpstream& upstream() {
    EXPECT_FALSE(dialed.empty()) << "nothing was sent upstream";
    return *dialed.back();
  }

  // What a caller's limit says now.
  Verdict state(const std::string& key, std::string_view limit) {
    const std::string authorization = "Bearer " + key;
    Headers headers{{{"authorization", authorization}}};
    const Identity identity = identify(services, headers, "192.0.2.1");
    Attributes attributes;
    fill_attributes(identity, headers, attributes);
    Plan plan;
    EXPECT_FALSE(services.rules->plan(attributes, {}, services.now, plan));
    Decision decision;
    limiter.peek({.subjects = plan.subjects(), .demands = plan.demands(), .now = services.now}, decision);
    for (std::size_t i = 0; i < plan.limits().size(); ++i) {
      if (plan.limits()[i].rule->name == limit) return decision.verdicts[i];
    }
    ADD_FAILURE() << "no limit " << limit;
    return {};
  }
  std::int64_t used(std::string_view limit) { return state(agent, limit).used; }
  std::int64_t reserved(std::string_view limit) { return state(agent, limit).reserved; }

  const UsageRow& row() {
    static const UsageRow kNothing;
    EXPECT_FALSE(journal.settles.empty());
    return journal.settles.empty() ? kNothing : journal.settles.back().row;
  }

  // Nothing is under way and nothing was lost: call when every request of a test is over.
  void expect_quiet() {
    turn();
    EXPECT_TRUE(services.live.empty());
    EXPECT_EQ(limiter.stats().open_reservations, 0u);
    EXPECT_EQ(book.requests_in_flight.value(), 0);
    EXPECT_EQ(book.reserved_tokens.value(), 0);
    EXPECT_EQ(book.active_streams.value(), 0);
    EXPECT_EQ(counters.waiting(), 0u);
    for (const auto& call : dialed) EXPECT_TRUE(call->released);
    for (const Outcome outcome : counters.outcomes) EXPECT_EQ(outcome, Outcome::kDone);
    ASSERT_EQ(journal.opens.size(), journal.settles.size());
    for (const FakeJournal::Opened& open : journal.opens) {
      EXPECT_EQ(
          std::count_if(journal.settles.begin(), journal.settles.end(), [&](const auto& s) { return s.id == open.id; }),
          1);
    }
    EXPECT_EQ(reserved("tokens"), 0);
    EXPECT_EQ(reserved("in-flight") + used("in-flight"), 0);
    EXPECT_EQ(buffers.used.load(), 0);
  }

  Trace trace;
  Limiter limiter;
  DeferredCounters counters{limiter};
  FakeJournal journal{trace};
  Metrics metrics;
  MetricsBook book{metrics};
  Health health;
  BufferBudget buffers;
  Learned learned;
  Guard guard{Guard::Options{}};
  RunBudgets budgets;
  FakeEndpoints endpoints;
  Services services;
  bool disk_ok = true;
  bool pool_has_one = false;  // the next dial that may comes from the pool
  std::deque<std::unique_ptr<FakeUpstream>> dialed;
  std::string agent, human, service, revoked;

 private:
  UpstreamPort* dial(const Origin& origin, UpstreamEvents& events, bool fresh) override {
    trace.emplace_back("dial");
    const bool reused = !fresh && std::exchange(pool_has_one, false);
    dialed.push_back(std::make_unique<FakeUpstream>(*this, origin, events, reused));
    return dialed.back().get();
  }

  KeyHasher hasher_{"a secret of the tests"};
  SubjectSecret secret_{};
  Limiter auth_limiter_;
  AuditSum audit_sum_;
  std::uint64_t ids_ = 0;
  int keys_ = 0;
};

inline void FakeUpstream::send(std::string_view bytes) {
  world_.trace.emplace_back("upstream");
  sent += bytes;
}
inline void FakeUpstream::bytes(std::string_view bytes) {
  bytes_within_turn(bytes);
  world_.turn();
}
inline void FakeUpstream::eof() {
  eof_within_turn();
  world_.turn();
}
inline void FakeUpstream::fail(UpstreamFailure failure, const std::string& detail) {
  if (events_ != nullptr) events_->on_upstream_failed(failure, detail);
  world_.turn();
}
inline void FakeUpstream::expire() {
  if (events_ != nullptr) events_->on_upstream_deadline();
  world_.turn();
}

// One message that the client (or the provider) received.
struct Received {
  int status = 0;
  std::map<std::string, std::string> fields;  // lower-case names
  std::string body;
  bool complete = false;
  bool keep_alive = false;
  const std::string& operator[](const std::string& name) const {
    static const std::string kAbsent = "(absent)";
    const auto found = fields.find(name);
    return found == fields.end() ? kAbsent : found->second;
  }
};

class BodyCollector final : public BodySink {
 public:
  explicit BodyCollector(std::string& out) : out_(out) {}
  void on_body(std::string_view bytes) override { out_ += bytes; }

 private:
  std::string& out_;
};

inline std::vector<Received> read_answers(std::string_view bytes, bool closed, bool head_request = false) {
  std::vector<Received> out;
  while (!bytes.empty()) {
    HttpLimits limits;
    limits.body = std::size_t{1} << 30;
    ResponseParser parser(limits, head_request);
    Received one;
    BodyCollector body(one.body);
    while (!bytes.empty() && parser.state() != MessageState::kComplete && parser.state() != MessageState::kFault) {
      bytes.remove_prefix(parser.feed(bytes, body));
    }
    if (closed) parser.finish();
    EXPECT_FALSE(parser.state() == MessageState::kFault &&
                 parser.fault().message != std::string("connection closed in the middle of a response"))
        << parser.fault().message;
    one.status = parser.head().status;
    for (const Header& field : parser.head().headers.fields)
      one.fields[to_lower(field.name)] = std::string(field.value);
    one.complete = parser.state() == MessageState::kComplete;
    one.keep_alive = parser.head().keep_alive;
    out.push_back(std::move(one));
    if (parser.state() == MessageState::kFault) break;
  }
  return out;
}

// A client and its session.
class Connection {
 public:
  explicit Connection(World& world, std::string peer = "192.0.2.1",
                      Session::Listener listener = Session::Listener::kData)
      : port(world.trace),
        world_(world),
        session(std::make_unique<Session>(world.services, port, std::move(peer), listener)) {}

  void say(std::string_view bytes) {
    session->on_bytes(bytes);
    world_.turn();
  }
  // The instant that the session waits for comes.
  void wake() {
    ASSERT_GT(port.deadline, world_.services.now) << "nothing is waited for";
    world_.services.now = port.deadline;
    port.deadline = 0;
    session->on_deadline();
    world_.turn();
  }
  void leave() {
    session->on_closed();
    world_.turn();
    session.reset();
  }
  std::vector<Received> answers(bool head_request = false) const {
    return read_answers(port.sent, port.closing || port.aborted, head_request);
  }
  Received answer(bool head_request = false) const {
    const std::vector<Received> all = answers(head_request);
    EXPECT_EQ(all.size(), 1u) << port.sent;
    return all.empty() ? Received{} : all.back();
  }

  FakeClient port;

 private:
  World& world_;

 public:
  std::unique_ptr<Session> session;
};

// --- what clients and providers say ---------------------------------------------------------------------------------

inline std::string request(std::string_view method, std::string_view path, std::string_view key,
                           std::string_view body = {}, std::string_view fields = {}) {
  std::string out;
  out.append(method).append(" ").append(path).append(" HTTP/1.1\r\nhost: 127.0.0.1\r\n");
  if (!key.empty()) append_header(out, "authorization", std::string("Bearer ").append(key));
  out += fields;
  if (!body.empty()) append_header(out, "content-length", std::to_string(body.size()));
  return out.append("\r\n").append(body);
}

inline constexpr std::string_view kChat =
    R"({"model":"gpt-4o","max_tokens":100,"messages":[{"role":"user","content":"Say hi."}]})";
inline constexpr std::string_view kChatStream =
    R"({"model":"gpt-4o","max_tokens":100,"stream":true,"messages":[{"role":"user","content":"Say hi."}]})";
inline constexpr std::string_view kMessage =
    R"({"model":"claude-x","max_tokens":100,"messages":[{"role":"user","content":"Say hi."}]})";
inline constexpr std::string_view kMessageStream =
    R"({"model":"claude-x","max_tokens":100,"stream":true,"messages":[{"role":"user","content":"Say hi."}]})";

inline std::string chat_request(std::string_view key, std::string_view body = kChat, std::string_view fields = {}) {
  return request("POST", "/v1/chat/completions", key, body, fields);
}

inline std::string response(std::string_view status, std::string_view type, std::string_view body,
                            std::string_view fields = {}) {
  std::string out = "HTTP/1.1 ";
  out.append(status).append("\r\n");
  append_header(out, "content-type", type);
  append_header(out, "content-length", std::to_string(body.size()));
  return out.append(fields).append("\r\n").append(body);
}
inline std::string json_answer(std::string_view body, std::string_view fields = {}) {
  return response("200 OK", "application/json", body, fields);
}

inline constexpr std::string_view kChatAnswer =
    R"({"id":"c1","object":"chat.completion","model":"gpt-4o-2024-08-06","choices":[{"index":0,"message":{"role":"assistant","content":"Hi."},)"
    R"("finish_reason":"stop"}],"usage":{"prompt_tokens":11,"completion_tokens":3,"total_tokens":14}})";

inline constexpr std::string_view kStreamHead =
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
inline constexpr std::string_view kLastChunk = "0\r\n\r\n";

inline std::string chunk(std::string_view bytes) {
  std::string out;
  append_chunk(out, bytes);
  return out;
}

// The events of an OpenAI stream of "Hi there."; the usage event is the one that may be hidden.
inline constexpr std::string_view kDelta1 =
    "data: {\"id\":\"c1\",\"model\":\"gpt-4o\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hi\"}}]}\n\n";
inline constexpr std::string_view kDelta2 =
    "data: {\"id\":\"c1\",\"model\":\"gpt-4o\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\" there.\"}}]}\n\n";
inline constexpr std::string_view kUsageEvent =
    "data: "
    "{\"id\":\"c1\",\"model\":\"gpt-4o\",\"choices\":[],\"usage\":{\"prompt_tokens\":11,\"completion_tokens\":4,"
    "\"total_tokens\":15}}\n\n";
inline constexpr std::string_view kDone = "data: [DONE]\n\n";

inline std::string joined(std::initializer_list<std::string_view> parts) {
  std::string out;
  for (const std::string_view part : parts) out += part;
  return out;
}

inline testing::AssertionResult has(std::string_view text, std::string_view part) {
  if (text.find(part) != std::string_view::npos) return testing::AssertionSuccess();
  return testing::AssertionFailure() << "`" << part << "` is not in: " << text;
}

}  // namespace weir::stage
