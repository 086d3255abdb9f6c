// Benchmarks of what watches: one thread, processor time, virtual time of the decisions.
//
//   live_bench                                   JSON lines on stdout
//
// Workloads; each event has six limits, one of 100,000 keys, and every second one is a settlement:
//   quiet      5,000 decisions a second for a minute, nobody watches
//   watched    the same with 64 watchers of everything, each shown a sample
//   filtered   the same with 64 watchers of one key each, who see all of theirs
//   flood      100,000 decisions a second for ten seconds, nobody watches: what the gateway pays at full load
// `publish_ns` is a worker's part, `observe_ns` the observer's, both for one event; `busy` is the observer's share of a
// processor at that rate. The rival is the same traffic without a feed, which costs nothing.
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "admin/observer.h"
#include "gateway/publish.h"
#include "policy/policy.h"

namespace {

using namespace weir;

constexpr TimeNs kStart = 1'000'000 * kSecond;
constexpr std::uint64_t kKeys = 100'000;

std::int64_t thread_ns() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return now.tv_sec * 1'000'000'000ll + now.tv_nsec;
}

std::shared_ptr<const Ruleset> rules() {
  constexpr std::string_view kYaml = R"(
limits:
  - { name: requests, per: caller, meter: requests, allow: 600/1m }
  - { name: tokens, per: caller, meter: tokens, allow: 500k/1m }
  - { name: spend, per: caller, meter: usd, allow: 10/day }
  - { name: in-flight, per: caller, meter: concurrency, allow: 20 }
  - { name: tenant, per: tenant, meter: usd, allow: 1000/day }
  - { name: models, per: [tenant, model], meter: tokens, allow: 10M/1h }
)";
  const LoadedPolicy loaded = load_policy(kYaml, "bench.yaml", [](std::string_view) { return std::nullopt; });
  CounterId next = 0;
  return Ruleset::compile(
      std::make_shared<Policy>(*loaded.policy), [&](const CounterSpec&) { return next++; }, SubjectSecret{});
}

struct Workload {
  const char* name;
  int per_second, seconds;
  int watchers;
  bool one_key;
};

void watch(Observer& observer, const Workload& work, std::size_t& shown) {
  for (int i = 0; i < work.watchers; ++i) {
    auto load = std::make_shared<WatchLoad>();
    WatchFilter filter;
    if (work.one_key) filter.key = "key-" + std::to_string(i);
    observer.watchers().add(filter, load, [load, &shown](const Watchers::Text&, std::size_t decisions) {
      load->posted.fetch_sub(1);
      shown += decisions;
    });
  }
}

void run(const Workload& work) {
  Observer observer;
  const auto ruleset = rules();
  Services services;
  services.events = &observer.open_feed();
  services.rules = ruleset;
  std::size_t shown = 0;
  watch(observer, work, shown);
  Plan plan;
  Attributes attributes;
  attributes.set(Attribute::kCaller, "key-1");
  attributes.set(Attribute::kTenant, "acme");
  attributes.set(Attribute::kModel, "gpt-4o");
  Costs costs;
  costs.set(MeterKind::kRequests, 1, 1);
  costs.set(MeterKind::kTokens, 900, 900);
  ruleset->plan(attributes, costs, kStart, plan);
  Decision decision{.admitted = true, .count = static_cast<std::uint8_t>(plan.demands().size())};
  Identity who;
  UsageRow row{.time = 0, .request_id = "req_0123456789abcdef0123456789abcdef"};
  who.tenant = row.tenant = "acme";
  who.tier = row.tier = "pro";
  row.model = "gpt-4o";
  row.usage.input_uncached = 900;
  std::uint64_t random = 88172645463325252;
  std::int64_t publishing = 0, observing = 0;
  const int per_step = work.per_second / 10;
  for (int step = 0; step < work.seconds * 10; ++step) {
    services.now = kStart + step * kSecond / 10;
    std::vector<std::string> keys;
    for (int i = 0; i < per_step; ++i) {
      random ^= random << 13, random ^= random >> 7, random ^= random << 17;
      keys.push_back("key-" + std::to_string(random % kKeys));
    }
    std::int64_t began = thread_ns();
    for (int i = 0; i < per_step; i += 2) {
      who.caller = row.key = keys[static_cast<std::size_t>(i)];
      decision.verdicts[0].used = i % 600;
      publish_admitted(services,
                       {.rules = ruleset,
                        .request_id = row.request_id,
                        .who = who,
                        .model = row.model,
                        .provider = "openai",
                        .route = "/v1/chat/completions",
                        .plan = &plan,
                        .decision = &decision},
                       900);
      publish_settled(services, ruleset, row);
    }
    publishing += thread_ns() - began;
    began = thread_ns();
    observer.step(services.now);
    observing += thread_ns() - began;
  }
  const double events = static_cast<double>(work.per_second) * work.seconds;
  std::printf(
      R"({"bench":"live","workload":"%s","events_per_second":%d,"publish_ns":%.0f,"observe_ns":%.0f,"busy":%.4f,)"
      R"("shown_per_second":%.0f,"dropped":%llu})"
      "\n",
      work.name, work.per_second, static_cast<double>(publishing) / events, static_cast<double>(observing) / events,
      static_cast<double>(observing) / (work.seconds * 1e9), static_cast<double>(shown) / work.seconds,
      static_cast<unsigned long long>(observer.dropped()));
}

}  // namespace

int main() {
  for (const Workload& work : {Workload{"quiet", 5'000, 60, 0, false}, Workload{"watched", 5'000, 60, 64, false},
                               Workload{"filtered", 5'000, 60, 64, true}, Workload{"flood", 100'000, 10, 0, false}}) {
    run(work);
  }
}
