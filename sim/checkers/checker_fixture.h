// A hand-fed world for tests of checkers: one clock, one policy, one key, books that the test writes.
//
//   CheckerFixture world("limits:\n  - {name: r, per: key, meter: requests, allow: 2/1m}\n");
//   auto checker = world.make(make_truth_limits);
//   world.start();  world.ask_and_call(); …  EXPECT_TRUE(world.failed(*checker));
//
// For tests only. One thread.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "checkers/checkers.h"
#include "truth.h"

namespace weir::sim {

class CheckerFixture {
 public:
  explicit CheckerFixture(const std::string& text = {}) { set_policy(text); }

  void set_policy(const std::string& text) {
    LoadedPolicy loaded = load_policy(text, "weir.yaml", [](std::string_view) { return std::nullopt; });
    for (const Diagnostic& d : loaded.diagnostics) EXPECT_FALSE(d.error) << to_string(d);
    policy = loaded.policy;
  }
  template <class Make>
  std::unique_ptr<Checker> make(Make maker) {
    Sources sources{.running = [] { return true; },
                    .now = [this] { return now() + clock_offset; },
                    .policy = [this] { return policy; },
                    .books = [this] { return books; },
                    .ledger = [this]() -> Result<std::vector<UsageRow>> { return ledger; },
                    .audit = [this]() -> Result<std::vector<AuditRow>> { return audit; },
                    .verify_audit = [this]() -> Result<AuditVerdict> { return verdict; },
                    .sums = [this](const UsageFilter& filter, SumBy) -> Result<UsageSums> {
                      return sums ? sums(filter) : UsageSums{};
                    },
                    .usage = [this](const std::string& key, const std::string&) -> std::optional<Node::Usage> {
                      return key == "ann" ? usage : std::nullopt;
                    },
                    .peek =
                        [this](const AdmitRequest& request, Decision& decision) {
                          if (peek) peek(request, decision);
                          return peek != nullptr;
                        }};
    auto checker = maker(Setup{.world = world, .context = context, .sources = std::move(sources)});
    context.truth.add(*checker);
    return checker;
  }

  TimeNs now() const { return schedule.now(); }
  void wait(DurationNs time) { schedule.step(schedule.now() + time); }
  void tell(NodeEvent event) {
    context.truth.tell([&](Observer& o) { o.on_node(event, now()); });
  }
  void start() { tell(NodeEvent::kStarted); }

  Ask& ask(Ask ask = {}) {
    if (ask.key.empty()) ask.key = "ann";
    if (ask.route.empty()) ask.route = "chat";
    if (ask.client.empty()) ask.client = "human.0";
    ask.sent = now();
    return truth.begin(std::move(ask));
  }
  Call& call(const Ask& ask, Call call = {}) {
    call.ask = ask.number;
    call.arrived = now();
    return truth.arrive(std::move(call));
  }
  void answer(Ask& ask) { truth.end(ask, AskEnd::kAnswered, now()); }
  void refuse(Ask& ask, RefusalSeen refusal, int status = 429) {
    ask.refusal = std::move(refusal);
    ask.status = status;
    truth.end(ask, AskEnd::kRefused, now());
  }
  // The row of an ask, not yet in the ledger.
  UsageRow row_of(const Ask& ask, Settled settled = Settled::kUsage, std::int64_t output = 0) {
    UsageRow row;
    row.time = now();
    row.request_id = "req_" + std::to_string(ask.number);
    row.key = ask.key;
    row.user = "ask-" + std::to_string(ask.number);
    row.route = "/v1/chat/completions";
    row.settled = settled;
    row.usage.output_visible = output;
    row.attempts = 1;
    return row;
  }
  void opened(const UsageRow& row) {
    context.truth.tell([&](Observer& o) { o.on_opened({1, std::hash<std::string>{}(row.request_id)}, row); });
  }
  void settled(const UsageRow& row) {
    context.truth.tell([&](Observer& o) { o.on_settled({1, std::hash<std::string>{}(row.request_id)}, row); });
  }
  void decided(const Decided& decided) {
    context.truth.tell([&](Observer& o) { o.on_decided(decided); });
  }
  void defined(CounterId id, const CounterSpec& spec) {
    context.truth.tell([&](Observer& o) { o.on_defined(id, spec); });
  }
  void changed(const char* what, const std::string& name) {
    context.truth.tell([&](Observer& o) { o.on_change(what, name); });
  }
  static bool failed(const Checker& checker) { return !checker.failures().empty(); }
  static std::string why(const Checker& checker) {
    return checker.failures().empty() ? std::string() : checker.failures().front().message;
  }

  World world = a_world();
  Schedule schedule{1'795'262'400 * kSecond};
  Trace trace;
  Network network{schedule, Random(1), trace};
  Truth truth;
  Context context{
      .schedule = schedule, .network = network, .truth = truth, .trace = trace, .random = Random(1), .keys = {}};
  std::shared_ptr<const Policy> policy;
  DurationNs clock_offset = 0;
  Node::Books books;
  std::vector<UsageRow> ledger;
  std::vector<AuditRow> audit;
  AuditVerdict verdict;
  std::function<UsageSums(const UsageFilter&)> sums;
  std::optional<Node::Usage> usage;
  std::function<void(const AdmitRequest&, Decision&)> peek;

 private:
  static World a_world() {
    World out;
    for (const char* name : {"ann", "bob"}) {
      KeySpec spec;
      spec.consumer.name = name;
      spec.consumer.tenant = "acme";
      out.keys.push_back(spec);
    }
    return out;
  }
};

}  // namespace weir::sim
