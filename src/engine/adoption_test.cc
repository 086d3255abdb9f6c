// A restart with open holds that are adopted again: afterwards nothing differs from a process that never died.
#include <gtest/gtest.h>

#include <map>

#include "engine/prove_support.h"

namespace weir::engine {
namespace {

constexpr std::size_t kKindCount = 5;

struct Ids {
  CounterId ring, log, bucket, day, gauge;

  explicit Ids(Limiter& limiter)
      : ring(sliding(limiter, "ring", 60 * kSecond)),
        log(sliding(limiter, "log", 30 * kSecond)),
        bucket(limiter.define({.identity = "bucket", .kind = WindowKind::kBucket})),
        day(limiter.define({.identity = "day", .kind = WindowKind::kCalendar})),
        gauge(limiter.define({.identity = "gauge", .kind = WindowKind::kConcurrency})) {}
  CounterId operator[](std::size_t i) const { return std::array{ring, log, bucket, day, gauge}[i]; }
};

Quota quota_for(std::size_t kind, TimeNs now) {
  constexpr DurationNs kPeriod = 40 * kSecond;
  return {.amount = std::array<std::int64_t, kKindCount>{500, 10, 40, 900, 30}[kind],
          .rate = {.units = 2, .per = kSecond},
          .period_start = now - now % kPeriod,
          .period_end = now - now % kPeriod + kPeriod};
}

Decision ask(Limiter& limiter, const Ids& ids, Hash128 id, std::uint64_t who, std::int64_t cost, TimeNs now,
             std::vector<Effect>* effects, bool peek = false) {
  const Subject subject{.key = {1, who}};
  std::array<Demand, kKindCount> demands;
  for (std::size_t kind = 0; kind < kKindCount; ++kind) {
    demands[kind] = {.counter = ids[kind],
                     .hold = true,
                     .cost = kind == 4 ? std::min<std::int64_t>(cost, 1) : cost,
                     .quota = quota_for(kind, now)};
  }
  Decision decision;
  const AdmitRequest request{.subjects = {&subject, 1},
                             .demands = demands,
                             .now = now,
                             .id = id,
                             .deadline = now + 20 * kSecond,
                             .effects = effects};
  peek ? limiter.peek(request, decision) : limiter.admit(request, decision);
  return decision;
}

void expect_same(Limiter& a, const Ids& of_a, Limiter& b, const Ids& of_b, TimeNs now) {
  for (std::uint64_t who = 0; who < 3; ++who) {
    const Decision lived = ask(a, of_a, {}, who, 0, now, nullptr, true);
    const Decision died = ask(b, of_b, {}, who, 0, now, nullptr, true);
    for (std::size_t kind = 0; kind < kKindCount; ++kind) {
      ASSERT_EQ(died.verdicts[kind].used, lived.verdicts[kind].used) << "kind " << kind << " subject " << who;
      ASSERT_EQ(died.verdicts[kind].reserved, lived.verdicts[kind].reserved) << "kind " << kind << " subject " << who;
    }
  }
}

// The limiter that lives, and what its journal knows.
struct Lived {
  Limiter limiter{{.stripes = 4}};
  Ids ids{limiter};
  std::vector<Effect> journal;
  std::map<Hash128, HeldReservation> open;
  std::string snapshot;
  std::uint32_t epoch = 0;

  void admit(std::uint64_t n, std::uint64_t who, std::int64_t cost, TimeNs now) {
    const Hash128 id{5, n};
    if (!ask(limiter, ids, id, who, cost, now, &journal).admitted) return;
    HeldReservation held;
    ASSERT_TRUE(limiter.held(id, held));
    ASSERT_EQ(held.id, id);
    ASSERT_EQ(held.count, kKindCount);
    ASSERT_EQ(held.demands.size(), kKindCount);
    open[id] = held;
  }
  void expire(TimeNs now) {
    limiter.expire(now, 1000, [&](Hash128 id) { open.erase(id); });
  }
  void take_snapshot() {
    snapshot.clear();
    epoch = limiter.snapshot([&](std::string_view chunk) { snapshot.append(chunk); });
  }
};

std::unique_ptr<Limiter> restarted(const Lived& lived) {
  auto limiter = std::make_unique<Limiter>(LimiterOptions{.stripes = 16});
  EXPECT_TRUE(lived.snapshot.empty() || limiter->restore(lived.snapshot, lived.epoch));
  for (const Effect& effect : lived.journal) limiter->replay(effect);
  const Ids defined(*limiter);
  for (const auto& [id, held] : lived.open) EXPECT_TRUE(limiter->adopt(held));
  return limiter;
}

TEST(P14Crash, AHistoryWithARestartIsTheHistoryWithout) {
  check_seeds(200, [](std::uint64_t seed) {
    Random random(seed);
    Lived lived;
    TimeNs now = kTestStart;
    const std::uint64_t snapshot_at = random() % 120, restart_at = random() % 120;
    std::unique_ptr<Limiter> second;
    std::optional<Ids> ids;
    for (std::uint64_t i = 1; i <= 160; ++i) {
      now += static_cast<DurationNs>(random() % static_cast<std::uint64_t>(kSecond));
      if (i == snapshot_at && !second) lived.take_snapshot();
      if (i == restart_at) {
        lived.expire(now);
        second = restarted(lived);
        ids.emplace(*second);
        // Effects do not say how large an amount is: a sliding counter comes back as a log, until a charge makes it a
        // ring, which lets go a bucket later.
        for (std::uint64_t who = 0; who < 3; ++who) {
          ASSERT_TRUE(admit(lived.limiter, {.counter = lived.ids.ring, .amount = 500, .key = {1, who}}, now).admitted);
          ASSERT_TRUE(admit(*second, {.counter = ids->ring, .amount = 500, .key = {1, who}}, now).admitted);
        }
        expect_same(lived.limiter, lived.ids, *second, *ids, now);
      }
      const std::uint64_t what = random() % 10, who = random() % 3, other = 1 + random() % i;
      const auto amount = static_cast<std::int64_t>(random() % 8);
      const std::array<std::int64_t, kKindCount> used{amount, amount, amount, amount, 0};
      const Hash128 id{5, what < 5 ? i : other};
      const bool forgotten = second && !lived.open.contains(id);  // closed, or expired before the restart
      if (what < 5) {
        lived.admit(i, who, amount, now);
        if (second) ask(*second, *ids, id, who, amount, now, nullptr);
      } else if (what < 8 && !forgotten) {
        lived.limiter.settle(id, used, now, &lived.journal);
        const bool open = lived.open.erase(id) > 0;
        if (second) {
          ASSERT_EQ(second->settle(id, used, now).outcome == Outcome::kDone, open);
        }
      } else if (what == 8 && !forgotten) {
        lived.limiter.cancel(id, now, &lived.journal);
        const bool open = lived.open.erase(id) > 0;
        if (second) {
          ASSERT_EQ(second->cancel(id, now).outcome == Outcome::kDone, open);
        }
      } else if (what == 9) {
        lived.expire(now);
        if (second) second->expire(now, 1000);
      }
      if (second) expect_same(lived.limiter, lived.ids, *second, *ids, now);
      if (testing::Test::HasFatalFailure()) return;
    }
  });
}

TEST(Adopt, IsOnceAndSettlesOnce) {
  Lived lived;
  lived.admit(1, 1, 5, kTestStart);
  const std::unique_ptr<Limiter> limiter = restarted(lived);
  EXPECT_FALSE(limiter->adopt(lived.open.begin()->second)) << "it is open already";
  EXPECT_EQ(limiter->stats().open_reservations, 1u);
  const std::array<std::int64_t, kKindCount> used{2, 2, 2, 2, 0};
  EXPECT_EQ(limiter->settle({5, 1}, used, kTestStart + 1).outcome, Outcome::kDone);
  EXPECT_EQ(limiter->settle({5, 1}, used, kTestStart + 2).outcome, Outcome::kRepeated);
  EXPECT_FALSE(limiter->adopt(lived.open.begin()->second)) << "it is closed";
  const Ids ids(*limiter);
  const Decision state = ask(*limiter, ids, {}, 1, 0, kTestStart + 3, nullptr, true);
  EXPECT_EQ(state.verdicts[0].used, 2);
  EXPECT_EQ(state.verdicts[0].reserved, 0);
  EXPECT_EQ(state.verdicts[4].reserved, 0);
}

TEST(Adopt, WhoseDeadlinePassedMeanwhileExpiresAndStaysCharged) {
  Lived lived;
  lived.admit(1, 1, 5, kTestStart);
  const std::unique_ptr<Limiter> limiter = restarted(lived);
  std::vector<Hash128> expired;
  EXPECT_EQ(limiter->expire(kTestStart + 21 * kSecond, 10, [&](Hash128 id) { expired.push_back(id); }), 1u);
  EXPECT_EQ(expired, std::vector<Hash128>{(Hash128{5, 1})});
  const Ids ids(*limiter);
  const Decision state = ask(*limiter, ids, {}, 1, 0, kTestStart + 21 * kSecond, nullptr, true);
  EXPECT_EQ(state.verdicts[0].used, 5);
  EXPECT_EQ(state.verdicts[0].reserved, 0);
  EXPECT_EQ(state.verdicts[4].used + state.verdicts[4].reserved, 0) << "concurrency is released";
}

TEST(Adopt, ACounterThatIsNoLongerDefinedStaysUsedAndTheRestSettles) {
  Lived lived;
  lived.admit(1, 1, 5, kTestStart);
  Limiter limiter;
  for (const Effect& effect : lived.journal) limiter.replay(effect);
  const CounterId ring = sliding(limiter, "ring", 60 * kSecond);
  ASSERT_TRUE(limiter.adopt(lived.open.begin()->second));
  const std::array<std::int64_t, kKindCount> used{1, 1, 1, 1, 0};
  EXPECT_EQ(limiter.settle({5, 1}, used, kTestStart + 1).outcome, Outcome::kDone);
  EXPECT_EQ(peek(limiter, {.counter = ring, .amount = 500, .cost = 0, .key = {1, 1}}, kTestStart + 1).verdicts[0].used,
            1);
  const CounterId log = sliding(limiter, "log", 30 * kSecond);
  EXPECT_EQ(peek(limiter, {.counter = log, .amount = 10, .cost = 0, .key = {1, 1}}, kTestStart + 1).verdicts[0].used,
            5);
}

TEST(Adopt, RefusesWhatCannotBe) {
  Limiter limiter({.max_reservations = 1});
  EXPECT_FALSE(limiter.adopt({}));
  EXPECT_FALSE(limiter.adopt({.id = {1, 1}, .count = kMaxDemands + 1}));
  EXPECT_FALSE(limiter.adopt({.id = {1, 1}, .count = 0, .demands = {HeldDemand{}}}));
  EXPECT_TRUE(limiter.adopt({.id = {1, 1}}));
  EXPECT_FALSE(limiter.adopt({.id = {1, 2}})) << "no place is left";
  HeldReservation held;
  EXPECT_FALSE(limiter.held({9, 9}, held));
  EXPECT_FALSE(limiter.held({}, held));
}

}  // namespace
}  // namespace weir::engine
