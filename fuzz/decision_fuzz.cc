// The decision API and the admin API's kill switches, asked whatever the input makes of their JSON. A real limiter,
// desk and policy behind real sessions; the disk and the clock are played. Checks: every call gets one answer, in JSON,
// that is a decision or a fault with words; a repeated call gets the same answer; the books conserve: what limits hold
// is the sum of the open holds, what they have used is the sum of the last row of each closed one, nobody is in flight
// twice, and in the end nothing is held. Kill switches that are thrown are listed, shown and cleared, and the audit's
// chain stays whole.
//
// Input: byte 0 = bit 0: kill switches instead; the rest = steps: a call written by a small grammar, with bytes changed
// or raw, or time that passes.
#include <simdjson.h>

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "admin/breakers.h"
#include "admin/routes.h"
#include "admin/test_host.h"
#include "api/endpoints.h"
#include "fuzz.h"
#include "gateway/gateway_fixture.h"
#include "journal/test_support.h"
#include "json_grammar.h"

namespace {

using namespace weir;
using namespace weir::fuzz;
using namespace weir::stage;

constexpr std::string_view kPolicy = R"(
providers:
  openai: { dialect: openai, url: "http://openai.test:8000/v1", key: sk-provider-secret }
models:
  gpt-4o: { provider: openai, price: { input: 2.50, cached_input: 1.25, output: 10.00 } }
upstreams:
  - { path: /api/**, kind: http, url: "http://api.test:3000", meters: { units: { response_header: X-Units, estimate: 9 } } }
limits:
  - { name: requests, per: caller, meter: requests, allow: 12/day }
  - { name: tokens, per: caller, meter: tokens, allow: 900000000/day }
  - { name: spend, per: caller, meter: usd, allow: 90000000/day }
  - { name: units, per: caller, meter: units, allow: 900000/1h }
  - { name: in-flight, per: caller, meter: concurrency, allow: 4 }
)";

bool is_json(std::string_view text) {
  simdjson::dom::parser parser;
  return parser.parse(text.data(), text.size()).error() == simdjson::SUCCESS;
}

// --- decisions
// --------------------------------------------------------------------------------------------------------

class Desk {
 public:
  Desk() { world_.services.endpoints = &*api_; }
  ~Desk() { api_->shut_down(); }

  void step(Input& input) {
    static constexpr std::string_view kCalls[] = {"admit", "admit", "settle", "settle", "cancel", "check"};
    const std::uint32_t what = input.below(8);
    if (what >= std::size(kCalls)) {
      world_.pass((1 + input.below(100)) * kSecond);
      if (what == 7) expire();
      return check_books();
    }
    const std::string_view call = kCalls[what];
    std::string body = input.below(12) == 11 ? std::string(input.text(64)) : write(call, input);
    if (input.below(6) == 5) change_bytes(input, body);
    world_.disk_ok = input.below(10) != 9;
    const Received answer = post(call, body);
    const bool disk_ok = std::exchange(world_.disk_ok, true);
    check_books();
    // Asked again it says the same, and costs nothing more.
    if (!disk_ok || answer.status != 200 || call == "check" || body.find("\"id\"") == std::string::npos) return;
    const std::size_t opens = world_.journal.opens.size(), settles = world_.journal.settles.size();
    const Received again = post(call, body);
    require(again.status == 200 && (again.body == answer.body || call == "admit"));
    require(world_.journal.opens.size() == opens && world_.journal.settles.size() == settles);
    check_books();
  }

  // Everything expires, and another day begins.
  void end() {
    world_.pass(kMostHold + kSecond);
    expire();
    require(world_.reserved("tokens") == 0 && world_.reserved("spend") == 0 && world_.reserved("units") == 0);
    require(world_.state(world_.agent, "in-flight").used + world_.reserved("in-flight") == 0);
    require(world_.limiter.stats().open_reservations == 0 && api_->desk().open() == 0);
    world_.pass(2 * kDay - world_.services.now % kDay + kSecond);
    world_.trace.clear();
    world_.journal.opens.clear();
    world_.journal.settles.clear();
    world_.journal.audits.clear();
    world_.counters.outcomes.clear();
  }

 private:
  Received post(std::string_view call, std::string_view body) {
    Connection client(world_);
    client.say(request("POST", joined({"/weir/v1/", call}), world_.agent, body));
    const Received answer = client.answer();
    require(answer.complete && is_json(answer.body));
    require(answer.status == 200 || answer.status == 400 || answer.status == 404 || answer.status == 409 ||
            answer.status == 411 || answer.status == 413 || answer.status == 429 || answer.status == 503);
    if (answer.status != 200) require(answer.body.find("\"detail\"") != std::string::npos);
    return answer;
  }

  void expire() {
    world_.limiter.expire(world_.services.now, 1000, [&](Hash128 id) { api_->desk().expired(world_.services, id); });
    world_.turn();
  }

  static std::string amounts(Input& input, JsonWriterOfFuzz& json) {
    static constexpr std::string_view kNames[] = {"input_tokens", "output_tokens", "cached_tokens", "reasoning_tokens",
                                                  "usd",          "tool_calls",    "units",         "bytes_in"};
    JsonMembers members;
    for (std::uint32_t bits = input.byte(), i = 0; i < std::size(kNames); ++i) {
      if ((bits >> i & 1) == 0) continue;
      const std::uint32_t kind = input.below(16);
      std::string amount = std::to_string(input.below(3000));
      if (kind == 15) amount = "-" + amount;
      if (kind == 14) amount += ".5";
      if (kind == 13) amount = "9007199254740993";
      if (kind == 12) amount = json.text(amount);
      members.emplace_back(kNames[i], amount);
    }
    return json.object(members);
  }

  static std::string write(std::string_view call, Input& input) {
    JsonWriterOfFuzz json(input);
    static constexpr std::string_view kIds[] = {"a", "b", "c", "a.b-c_9", "", "sp ace"};
    JsonMembers members;
    if (call != "check" && input.below(8) > 0)
      members.emplace_back("id", json.text(kIds[input.below(std::size(kIds))]));
    if (call == "cancel") return json.object(members);
    if (call == "settle") {
      members.emplace_back("usage", amounts(input, json));
      return json.object(members);
    }
    members.emplace_back("estimate", amounts(input, json));
    if (input.flag()) members.emplace_back("model", json.text("gpt-4o"));
    if (input.below(3) == 0) members.emplace_back("hold", json.text(std::to_string(1 + input.byte()) + "s"));
    if (input.below(4) == 0) members.emplace_back("tools", json.list({json.text("search"), json.text("search")}));
    if (input.below(4) == 0) {
      members.emplace_back("attributes", json.object({{"run", json.text("r1")}, {"agent", json.text("x")}}));
    }
    return json.object(members);
  }

  void check_books() {
    std::map<Hash128, const UsageRow*> open, closed;
    for (const auto& one : world_.journal.opens) open[one.id] = &one.row;
    const std::map<Hash128, const UsageRow*> held = open;
    for (const auto& one : world_.journal.settles) {
      closed[one.id] = &one.row;
      open.erase(one.id);
      require(one.row.usage.total() >= 0 && one.row.usd_micros >= 0);
    }
    std::int64_t tokens = 0, usd = 0;
    for (const auto& [id, row] : open) tokens += row->reserved_tokens, usd += row->usd_micros;
    require(world_.reserved("tokens") == tokens && world_.reserved("spend") == usd);
    tokens = usd = 0;
    for (const auto& [id, row] : closed) {
      // Limits of what the admission spoke of neither by a model nor by an amount do not apply to it.
      const UsageRow& admitted = *held.at(id);
      if (!admitted.model.empty() || admitted.reserved_tokens > 0) tokens += row->usage.total();
      if (!admitted.model.empty() || admitted.usd_micros > 0) usd += row->usd_micros;
    }
    require(world_.used("tokens") == tokens && world_.used("spend") == usd);
    require(world_.used("requests") + world_.reserved("requests") <= 12);
    require(world_.limiter.stats().open_reservations == open.size() && open.size() <= 4);
    require(api_->desk().open() == open.size());
    for (const Outcome outcome : world_.counters.outcomes) require(outcome == Outcome::kDone);
  }

  World world_{kPolicy};
  ApiOptions options_;
  std::unique_ptr<Api> api_ = std::make_unique<Api>(options_);
};

// --- kill switches
// ----------------------------------------------------------------------------------------------------

class Switches {
 public:
  Switches() {
    Consumer ann{.name = "ann", .created_at = kNoon};
    require(store_.create_consumer(ann, KeyHash{}).has_value());
    add_breaker_routes(router_);
  }

  void step(Input& input) {
    static constexpr std::string_view kMethods[] = {"GET", "PUT", "DELETE", "POST", "PATCH"};
    static constexpr std::string_view kPlaces[] = {"/key/ann", "/tool/send_email", "/tool/s%65nd_email", "/run/r1", ""};
    std::string path(kBreakersPath);
    path += kPlaces[input.below(std::size(kPlaces))];
    if (input.below(4) == 3) path += input.text(1 + input.below(12));
    JsonWriterOfFuzz json(input);
    std::string body = input.flag() ? json.object({{"reason", json.text(pick_word(input))}}) : std::string();
    if (input.below(4) == 3) change_bytes(input, body);
    AdminRequest call{.method = std::string(kMethods[input.below(std::size(kMethods))]),
                      .path = std::move(path),
                      .body = std::move(body),
                      .caller = {"admin", AdminRole::kAdmin}};
    const Reply reply = host_.ask(router_, store_, call, ++now_);
    if (reply.status == 204) return require(call.method == "DELETE" && reply.body.empty());
    require(is_json(reply.body) && (reply.status == 200 || (reply.status >= 400 && reply.status < 500)));
    if (call.method != "PUT" || reply.status != 200) return;
    call.method = "GET";
    call.body.clear();
    require(host_.ask(router_, store_, call, now_).body == reply.body);
    call.path = kBreakersPath;
    require(host_.ask(router_, store_, call, now_).body.find(reply.body) != std::string::npos);
  }

  void end() {
    const auto all = store_.kill_switches();
    require(all.has_value());
    for (const KillSwitch& off : *all) {
      require(!off.name.empty() && kill_switch_name(off.kind, off.name) == off.name && is_json(kill_switch_json(off)));
      require(store_.clear_kill_switch(off.kind, off.name, {.at = ++now_}).value());
    }
    const auto verdict = store_.verify_audit();
    require(verdict.has_value() && verdict->intact);
    require(store_.purge_audit(now_ - 100, 1000, now_).has_value());
  }

 private:
  TempDir dir_{memory_directory()};
  Store store_ = Store::open(dir_.path(), {.create = true, .busy_timeout_ms = 20}).value();
  World world_{kPolicy};
  FakeAdminHost host_{world_};
  AdminRouter router_{host_};
  TimeNs now_ = kNoon;
};

}  // namespace

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  testing::GTEST_FLAG(break_on_failure) = true;  // what the fixture expects ends the target
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2 || size > 4096) return 0;
  static Desk desk;
  static Switches switches;
  Input input(data, size);
  const bool kills = input.flag();
  for (int steps = 0; steps < 24 && !input.empty(); ++steps) kills ? switches.step(input) : desk.step(input);
  kills ? switches.end() : desk.end();
  return 0;
}
