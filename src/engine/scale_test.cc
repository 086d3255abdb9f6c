// Many threads, many operations, exact sums at the end: no overshoot at any moment, and every counter is what its
// callers were told, with reloads, snapshots, sweeps and expiry going on. Under a thread sanitizer it runs longest.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "engine/prove_support.h"

namespace weir::engine {
namespace {

#if defined(__SANITIZE_THREAD__)
constexpr bool kThreadSanitizer = true;
#elif defined(__has_feature)
constexpr bool kThreadSanitizer = __has_feature(thread_sanitizer);
#else
constexpr bool kThreadSanitizer = false;
#endif

constexpr std::size_t kThreads = 8;
constexpr std::size_t kCallers = 24;
constexpr TimeNs kStart = kTestStart;
constexpr DurationNs kSpan = kSecond;  // all instants lie within it, and it within one bucket of every ring
constexpr DurationNs kDay = 86'400 * kSecond;

enum Counter : std::uint8_t { kRing, kReloaded, kCalendarDay, kBucketRate, kGauge, kLog, kCounters };
constexpr std::array<std::int64_t, kCounters> kAmounts{4'000, 3'000, 60'000, 5'000, 12, 30};

// The same for every thread: what was asked, and which settlement was the one that counted.
struct Ticket {
  std::array<std::int64_t, kCounters> held{};  // of each counter, top-ups included
  std::array<bool, kCounters> asked{};
  std::uint8_t caller = 0;
};

using Totals = std::array<std::array<std::int64_t, kCounters>, kCallers + 1>;

// One worker's view of what it did; summed up at the end.
struct Ledger {
  Totals used{};
  std::int64_t calls = 0, admitted = 0, double_settlements = 0;
  std::vector<Effect> effects;
};

// What all threads share.
struct Arena {
  Limiter limiter{LimiterOptions{.max_closed = 1 << 20, .remember_closed = kMaxWindow, .stripes = 64}};
  std::array<CounterId, kCounters> ids{};
  std::atomic<CounterId> reloaded{0};
  std::atomic<bool> stop{false};
  std::atomic<std::int64_t> overshoots{0};
  bool keep_effects = false;

  Arena() {
    ids = {sliding(limiter, "ring", 300 * kDay),
           sliding(limiter, "reloaded", 100 * kDay),
           limiter.define({.identity = "day", .kind = WindowKind::kCalendar}),
           limiter.define({.identity = "rate", .kind = WindowKind::kBucket}),
           limiter.define({.identity = "gauge", .kind = WindowKind::kConcurrency}),
           sliding(limiter, "log", 200 * kDay)};
    reloaded = ids[kReloaded];
  }

  // Subject 0 is shared by all callers and owns the day and the log.
  static std::size_t row_of(std::size_t counter, std::size_t caller) {
    return counter == kCalendarDay || counter == kLog ? kCallers : caller;
  }
  static Hash128 key_of(std::size_t row) { return row == kCallers ? Hash128{2, 1} : Hash128{1, row + 1}; }

  Demand demand(std::size_t counter, std::int64_t cost) const {
    return {.counter = counter == kReloaded ? reloaded.load() : ids[counter],
            .subject = static_cast<std::uint8_t>(counter == kCalendarDay || counter == kLog ? 1 : 0),
            .hold = true,
            .cost = cost,
            .quota = {.amount = kAmounts[counter],
                      .rate = {.units = 1, .per = 3600 * kSecond},
                      .period_start = kStart - kDay,
                      .period_end = kStart + kDay}};
  }

  Verdict look(std::size_t counter, std::size_t row, TimeNs now) const {
    const Subject subject{.key = key_of(row)};
    Demand one = demand(counter, 0);
    one.subject = 0;
    Decision decision;
    limiter.peek({.subjects = {&subject, 1}, .demands = {&one, 1}, .now = now}, decision);
    return decision.verdicts[0];
  }
};

class Worker {
 public:
  Worker(Arena& arena, std::uint64_t number) : arena_(arena), random_(number), number_(number) {}

  void run(int operations) {
    for (int i = 0; i < operations; ++i) step();
  }
  Ledger ledger;

 private:
  Hash128 id_of(std::uint64_t ticket) const { return {number_, ticket + 1}; }
  TimeNs now() { return kStart + random_.below(kSpan); }
  std::vector<Effect>* effects() { return arena_.keep_effects ? &ledger.effects : nullptr; }

  void step() {
    ++ledger.calls;
    const auto what = random_.below(20);
    if (what < 9 || open_.empty()) return admit();
    const std::size_t which = random_.index(open_.size());
    const std::uint64_t ticket = open_[which];
    if (what < 13) return top_up(ticket);
    open_[which] = open_.back();
    open_.pop_back();
    if (what < 14) return;  // abandoned: expiry charges it
    settle(ticket, what == 14);
  }

  void admit() {
    Ticket ticket{.caller = static_cast<std::uint8_t>(random_.index(kCallers))};
    const std::array<Subject, 2> subjects{Subject{.key = Arena::key_of(ticket.caller), .owner = {3, 1}},
                                          Subject{.key = Arena::key_of(kCallers)}};
    std::vector<Demand> demands;
    for (std::size_t counter = 0; counter < kCounters; ++counter) {
      // The shared log is asked seldom, so that something else is admitted when it is full.
      ticket.asked[counter] = random_.one_in(counter == kLog ? 40 : 2);
      if (!ticket.asked[counter]) continue;
      ticket.held[counter] = counter == kGauge || counter == kLog ? 1 : random_.below(20);
      demands.push_back(arena_.demand(counter, ticket.held[counter]));
    }
    const std::uint64_t number = tickets_.size();
    Decision decision;
    arena_.limiter.admit({.subjects = subjects,
                          .demands = demands,
                          .now = now(),
                          .id = id_of(number),
                          .deadline = kStart + random_.below(3 * kSpan),
                          .effects = effects()},
                         decision);
    if (!decision.admitted) return;
    ++ledger.admitted;
    tickets_.push_back(ticket);
    open_.push_back(number);
  }

  template <typename Amount>
  std::vector<std::int64_t> amounts(const Ticket& ticket, const Amount& amount) {
    std::vector<std::int64_t> result;
    for (std::size_t counter = 0; counter < kCounters; ++counter) {
      if (ticket.asked[counter]) result.push_back(amount(counter));
    }
    return result;
  }

  void top_up(std::uint64_t number) {
    Ticket& ticket = tickets_[number];
    const std::int64_t more = random_.below(6);
    const auto extra = [&](std::size_t counter) { return counter == kGauge || counter == kLog ? 0 : more; };
    Decision decision;
    arena_.limiter.top_up(id_of(number), amounts(ticket, extra), now(), decision, effects());
    if (!decision.admitted) return;  // refused, or expired meanwhile
    for (std::size_t counter = 0; counter < kCounters; ++counter) {
      if (ticket.asked[counter]) ticket.held[counter] += extra(counter);
    }
  }

  // Twice, as a caller that is not sure whether the first one arrived.
  void settle(std::uint64_t number, bool cancel) {
    Ticket& ticket = tickets_[number];
    const Ticket held = ticket;
    for (std::size_t counter = 0; counter < kCounters; ++counter) {
      ticket.held[counter] = cancel ? 0 : random_.below(held.held[counter] + 1);
    }
    const auto used = amounts(ticket, [&](std::size_t counter) { return ticket.held[counter]; });
    for (int i = 0; i < 2; ++i) {
      const Outcome outcome = cancel ? arena_.limiter.cancel(id_of(number), now(), effects()).outcome
                                     : arena_.limiter.settle(id_of(number), used, now(), effects()).outcome;
      ledger.double_settlements += outcome != (i == 0 ? Outcome::kDone : Outcome::kRepeated);
    }
  }

 public:
  // After the last deadline every ticket stands for what was used, or was held when it expired.
  void close() {
    for (const Ticket& ticket : tickets_) {
      for (std::size_t counter = 0; counter < kCounters; ++counter) {
        if (!ticket.asked[counter] || counter == kGauge) continue;
        ledger.used[Arena::row_of(counter, ticket.caller)][counter] += ticket.held[counter];
      }
    }
  }

 private:
  Arena& arena_;
  Random random_;
  const std::uint64_t number_;
  std::vector<Ticket> tickets_;
  std::vector<std::uint64_t> open_;
};

// Looks at every counter, over and over: whatever is going on, none may hold more than its amount.
void watch(Arena& arena) {
  for (std::size_t i = 0; !arena.stop; ++i) {
    const std::size_t counter = i % kCounters, row = Arena::row_of(counter, i / kCounters % kCallers);
    const Verdict verdict = arena.look(counter, row, kStart + kSpan);
    arena.overshoots += verdict.used + verdict.reserved > kAmounts[counter] || verdict.used < 0;
  }
}

void reload(Arena& arena) {
  constexpr std::array<std::pair<int, std::uint16_t>, 3> kShapes{{{100, 60}, {366, 12}, {50, 7}}};
  for (std::size_t i = 0; !arena.stop; ++i) {
    const auto [days, precision] = kShapes[i % kShapes.size()];
    arena.reloaded = sliding(arena.limiter, "reloaded", days * kDay, precision);
    arena.limiter.sweep(kStart, 10);
    arena.limiter.expire(kStart + static_cast<DurationNs>(i % 3) * kSpan, 50);
    std::this_thread::yield();
  }
}

struct Result {
  Totals used{};
  std::int64_t calls = 0, admitted = 0, double_settlements = 0;
  std::vector<Effect> effects;
};

Result run_all(Arena& arena, int operations, const std::function<void()>& meanwhile) {
  std::vector<Worker> workers;
  for (std::uint64_t i = 1; i <= kThreads; ++i) workers.emplace_back(arena, i);
  std::vector<std::thread> threads;
  for (Worker& worker : workers) threads.emplace_back([&worker, operations] { worker.run(operations); });
  std::thread watching([&] { watch(arena); }), reloading([&] { reload(arena); });
  meanwhile();
  for (std::thread& thread : threads) thread.join();
  arena.stop = true;
  watching.join();
  reloading.join();
  arena.limiter.expire(kStart + 3 * kSpan, ~std::size_t{0});
  Result result;
  for (Worker& worker : workers) {
    worker.close();
    const Ledger& ledger = worker.ledger;
    result.calls += ledger.calls;
    result.admitted += ledger.admitted;
    result.double_settlements += ledger.double_settlements;
    result.effects.insert(result.effects.end(), ledger.effects.begin(), ledger.effects.end());
    for (std::size_t row = 0; row <= kCallers; ++row) {
      for (std::size_t counter = 0; counter < kCounters; ++counter) {
        result.used[row][counter] += ledger.used[row][counter];
      }
    }
  }
  return result;
}

void expect_totals(const Arena& arena, const Totals& used, const char* whose) {
  for (std::size_t row = 0; row <= kCallers; ++row) {
    for (std::size_t counter = 0; counter < kCounters; ++counter) {
      if (Arena::row_of(counter, row) != row) continue;
      const Verdict verdict = arena.look(counter, row, kStart + 3 * kSpan);
      EXPECT_EQ(verdict.used, used[row][counter]) << whose << " counter " << counter << " of " << row;
      EXPECT_EQ(verdict.reserved, 0) << whose << " counter " << counter << " of " << row;
      EXPECT_LE(verdict.used, kAmounts[counter]);
    }
  }
}

TEST(P5P11P15Scale, MillionsOfCallsOfManyThreadsAddUpExactly) {
  Arena arena;
  const int operations = scaled(kThreadSanitizer ? 250'000 : 30'000);
  std::size_t bytes = 0;
  const Result result = run_all(arena, operations, [&] {
    for (int i = 0; i < 20; ++i) arena.limiter.snapshot([&](std::string_view chunk) { bytes += chunk.size(); });
  });
  EXPECT_EQ(arena.overshoots, 0);
  EXPECT_EQ(result.double_settlements, 0) << "each id is settled once";
  EXPECT_GT(bytes, 0u);
  EXPECT_GT(result.admitted, result.calls / 20) << "of " << result.calls;
  EXPECT_EQ(arena.limiter.stats().open_reservations, 0u);
  expect_totals(arena, result.used, "limiter");
  std::int64_t full = 0;
  for (const auto& row : result.used) full += row[kRing] > kAmounts[kRing] * 4 / 5;
  EXPECT_GT(full, 0) << "limits were met";
  std::printf("%lld calls, %lld admitted, %lld rings full\n", static_cast<long long>(result.calls),
              static_cast<long long>(result.admitted), static_cast<long long>(full));
}

// A snapshot taken in the thick of it, with the effects that are not in it, is the state at the end.
TEST(P14Scale, ASnapshotTakenAmongThreadsAndItsTailAreExact) {
  Arena arena;
  arena.keep_effects = true;
  std::string bytes;
  std::uint32_t epoch = 0;
  const Result result = run_all(arena, scaled(5'000), [&] {
    for (int i = 0; i < 3; ++i) {
      bytes.clear();
      epoch = arena.limiter.snapshot([&](std::string_view chunk) { bytes += chunk; });
    }
  });
  Arena restored;
  ASSERT_TRUE(restored.limiter.restore(bytes, epoch));
  for (const Effect& effect : result.effects) restored.limiter.replay(effect);
  EXPECT_GT(result.effects.size(), 1000u);
  expect_totals(restored, result.used, "restored");
}

}  // namespace
}  // namespace weir::engine
