// Benchmarks of the guard: one thread, processor time, virtual time of the requests.
//
//   guard_bench [speed|open_plain|open_tools]     JSON lines on stdout
//
// Workloads:
//   plain       enter, begin and leave of requests of a model without a run, tools or ids; 1000 callers
//   unwatched   plain, without the fingerprint that `unlinked` counts by
//   named       the same with X-Weir-Run, ten requests a run
//   loop        an agent: a result comes in, a call is announced, in runs of 20 calls
//   lineage     plain, and a token signed and verified
//   open_plain  1M open runs of one plain request: bytes a run as stats() tells them, and as the process grew
//   open_tools  1M open runs of 3 tool calls each, announced and answered: likewise
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <ctime>
#include <functional>
#include <memory>
#include <string>

#include "base/hash.h"
#include "behavior/guard.h"

namespace {

using namespace weir;

constexpr TimeNs kStart = 1'000'000 * kSecond;
constexpr std::uint64_t kOwners = 1000;

std::int64_t thread_ns() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return now.tv_sec * 1'000'000'000ll + now.tv_nsec;
}

std::size_t resident() {
  std::size_t pages = 0, held = 0;
  if (FILE* file = std::fopen("/proc/self/statm", "r")) {
    if (std::fscanf(file, "%zu %zu", &pages, &held) != 2) held = 0;
    std::fclose(file);
  }
  return held * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

struct World {
  Guard guard{Guard::Options{}};
  BehaviorRules rules;
  KillSwitches switches;

  static Arrival arrival(std::uint64_t number) {
    Arrival out;
    out.owner = out.caller = {hash64("owner", number % kOwners), number % kOwners + 1};
    out.key = "key-of-caller";
    out.tenant = "tenant";
    out.kind = Arrival::Kind::kModel;
    return out;
  }
  Entry pass(const Arrival& arrival, TimeNs now, const std::function<void(Entry&)>& inside = {}) {
    Entry entry = guard.enter(arrival, rules, switches, now);
    guard.begin(entry, now);
    if (inside) inside(entry);
    guard.leave(entry, {.finished = true, .used = {.tokens = 900, .usd_micros = 40}}, now);
    return entry;
  }
};

void time_it(const char* name, int count, const std::function<void(int)>& one) {
  for (int i = 0; i < count / 10; ++i) one(i);
  const std::int64_t before = thread_ns();
  for (int i = 0; i < count; ++i) one(i + count);
  std::printf("{\"workload\":\"%s\",\"ns\":%lld}\n", name, static_cast<long long>((thread_ns() - before) / count));
}

void speed() {
  World world;
  AgentFacts facts;
  facts.prompt = 1;
  facts.turn = 2;
  facts.task = 3;
  for (const bool watched : {true, false}) {
    time_it(watched ? "plain" : "unwatched", 500'000, [&](int i) {
      Arrival arrival = World::arrival(static_cast<std::uint64_t>(i));
      arrival.facts = &facts;
      arrival.fingerprint = watched ? static_cast<std::uint64_t>(i) + 1 : 0;
      world.pass(arrival, kStart + i * kMillisecond);
    });
  }
  time_it("named", 500'000, [&](int i) {
    Arrival arrival = World::arrival(static_cast<std::uint64_t>(i / 10));
    const std::string run = "run-" + std::to_string(i / 10);
    arrival.run = run;
    world.pass(arrival, kStart + i * kMillisecond);
  });
  std::string id;
  time_it("loop", 200'000, [&](int i) {
    Arrival arrival = World::arrival(static_cast<std::uint64_t>(i / 20));
    AgentFacts told;
    if (i % 20 != 0) told.results.push_back({id, "search", false, static_cast<std::uint64_t>(i)});
    arrival.facts = &told;
    id = "call_" + std::to_string(i);
    world.pass(arrival, kStart + i * kMillisecond, [&](Entry& entry) {
      const ToolCall call{id, "search", "{}", static_cast<std::uint64_t>(i) + 1};
      world.guard.call(entry, call, Destination::kNone, kStart + i * kMillisecond);
    });
  });
  std::string token;
  time_it("lineage", 100'000, [&](int i) {
    Arrival arrival = World::arrival(0);
    arrival.lineage = token;
    Entry entry = world.pass(arrival, kStart + i * kMillisecond);
    if (i % 5 == 0) token = world.guard.sign(entry, Guard::lineage_scope("tenant", ""));
  });
}

void open_runs(const char* name, int calls) {
  constexpr std::uint64_t kRuns = 1'000'000;
  const auto world = std::make_unique<World>();
  const std::size_t before = resident();
  for (std::uint64_t run = 0; run < kRuns; ++run) {
    std::string id;
    for (int call = 0; call <= calls; ++call) {
      Arrival arrival = World::arrival(run);
      AgentFacts facts;
      facts.turn = run + 1;
      if (!id.empty()) facts.results.push_back({id, "search", false, run * 8 + static_cast<std::uint64_t>(call)});
      id = "call_" + std::to_string(run) + "_" + std::to_string(call);
      arrival.facts = &facts;
      world->pass(arrival, kStart, [&](Entry& entry) {
        if (call == calls) return;
        const ToolCall made{id, "search", "{}", hash64(id)};
        world->guard.call(entry, made, Destination::kNone, kStart);
      });
    }
  }
  const Guard::Stats stats = world->guard.stats();
  std::printf(
      "{\"workload\":\"%s\",\"runs\":%zu,\"links\":%zu,\"bytes\":%zu,\"bytes_per_run\":%zu,\"rss_growth\":%zu}\n", name,
      stats.runs, stats.links, stats.bytes, stats.bytes / (stats.runs + 1), resident() - before);
}

}  // namespace

int main(int argc, char** argv) {
  const std::string only = argc > 1 ? argv[1] : "";  // in a process of its own, where its growth is to be told
  if (only.empty() || only == "speed") speed();
  if (only.empty() || only == "open_plain") open_runs("open_plain", 0);
  if (only.empty() || only == "open_tools") open_runs("open_tools", 3);
}
