// What holds when many threads use one Limiter. Short, so that it can run under TSan.
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <random>
#include <thread>

#include "engine/spin_lock.h"
#include "engine/test_support.h"

namespace weir::engine {
namespace {

// A call of expire() that met another one left shelves out, because both took their turns from one counter.
TEST(P14, ExpiryThatMeetsAnotherStillFindsAllThatIsDue) {
  Limiter limiter;
  const CounterId gauge = limiter.define({.identity = "g", .kind = WindowKind::kConcurrency});
  std::atomic<bool> stop{false};
  std::thread other([&] {
    while (!stop) limiter.expire(at(1), 10);
  });
  for (std::uint64_t round = 1; round <= 300; ++round) {
    for (std::uint64_t i = 1; i <= 50; ++i) {
      Ask ask{.counter = gauge, .amount = 100, .id = {round, i}, .deadline = at(2)};
      EXPECT_TRUE(admit(limiter, ask, at(1)).admitted);
    }
    ASSERT_EQ(limiter.expire(at(2), 1000), 50u) << "round " << round;
  }
  stop = true;
  other.join();
}

// peek() looked for the id in one step and at the counters in another, and could find the id's own charge.
TEST(P8, PeekNeverCountsTheIdItAsksAbout) {
  Limiter limiter;
  const CounterId counter = sliding(limiter, "c", 3600 * kSecond);
  std::atomic<std::uint64_t> current{1};
  std::thread other([&] {
    for (std::uint64_t i = 1; i <= 300'000; ++i) {
      current = i;
      for (std::uint64_t pause = i % 200; pause > 0; --pause) current.load();
      admit(limiter, {.counter = counter, .amount = 9, .cost = 9, .hold = true, .key = {1, i}, .id = {1, i}}, at(0));
    }
    current = 0;
  });
  int wrong = 0;
  while (const std::uint64_t i = current) {
    const Ask ask{.counter = counter, .amount = 9, .cost = 9, .hold = true, .key = {1, i}, .id = {1, i}};
    wrong += !peek(limiter, ask, at(0)).admitted;
  }
  other.join();
  EXPECT_EQ(wrong, 0) << "an id that is admitted cannot be refused";
}

#ifndef NDEBUG
TEST(SpinLockDeathTest, WorkOnAStripeThatNobodyHasLockedIsNoticed) {
  const SpinLock nobodys;
  EXPECT_DEATH(nobodys.held(), "kHeld");
}
#endif

// Lost updates are rare; that a stripe is not locked is noticed each time: SpinLock::held() checks it.
TEST(P1, SettlingLocksEverySubjectThatIsHeld) {
  Limiter limiter({.stripes = 64});
  const CounterId counter = sliding(limiter, "c", 60 * kSecond);
  std::array<Subject, 8> subjects;
  std::array<Demand, 8> demands;
  for (std::uint8_t i = 0; i < 8; ++i) {
    subjects[i] = {.key = {7, i}};  // each in a stripe of its own
    demands[i] = {.counter = counter, .subject = i, .hold = true, .cost = 5, .quota = {.amount = 100}};
  }
  for (std::uint64_t way = 1; way <= 3; ++way) {
    Decision decision;
    limiter.admit({.subjects = subjects, .demands = demands, .now = at(0), .id = {1, way}, .deadline = at(1)},
                  decision);
    ASSERT_TRUE(decision.admitted);
  }
  EXPECT_EQ(limiter.settle({1, 1}, std::array<std::int64_t, 8>{1, 2, 3, 4, 5, 6, 7, 8}, at(0)).outcome, Outcome::kDone);
  EXPECT_EQ(limiter.cancel({1, 2}, at(0)).outcome, Outcome::kDone);
  EXPECT_EQ(limiter.expire(at(2), 10), 1u);
  for (std::uint64_t i = 0; i < 8; ++i) {
    const Ask look{.counter = counter, .amount = 100, .cost = 0, .key = {7, i}};
    EXPECT_EQ(peek(limiter, look, at(2)).verdicts[0].used, static_cast<std::int64_t>(i) + 1 + 5);
    EXPECT_EQ(peek(limiter, look, at(2)).verdicts[0].reserved, 0);
  }
}

TEST(P5, CountersAreTheSumOfWhatWasAdmittedUnderConcurrency) {
  Limiter limiter({.stripes = 64});
  const CounterId first = sliding(limiter, "first", 3600 * kSecond);
  const CounterId second = limiter.define({.identity = "second", .kind = WindowKind::kCalendar});
  constexpr std::uint64_t kSubjects = 8;
  std::array<std::atomic<std::int64_t>, kSubjects> expected_first{}, expected_second{};
  std::atomic<bool> stop{false};
  const auto work = [&](std::uint64_t thread) {
    std::mt19937_64 random(thread);
    for (std::uint64_t i = 0; i < static_cast<std::uint64_t>(scaled(4000)); ++i) {
      const std::uint64_t a = random() % kSubjects, b = random() % kSubjects;
      const std::array<Subject, 2> subjects{Subject{.key = {1, a}}, Subject{.key = {1, b}}};
      const auto cost = static_cast<std::int64_t>(random() % 5);
      const std::array<Demand, 2> demands{
          Demand{.counter = first, .subject = 0, .hold = true, .cost = cost, .quota = {.amount = 4000}},
          Demand{.counter = second,
                 .subject = 1,
                 .cost = 1,
                 .quota = {.amount = 700, .period_start = at(0), .period_end = at(86'400)}}};
      Decision decision;
      const Hash128 id{thread, i + 1};
      limiter.admit({.subjects = subjects, .demands = demands, .now = at(1), .id = id, .deadline = at(100)}, decision);
      if (!decision.admitted) continue;
      const std::int64_t used = static_cast<std::int64_t>(random() % 5);
      limiter.settle(id, {&used, 1}, at(1));
      expected_first[a] += used;
      expected_second[b] += 1;
    }
  };
  std::thread maintenance([&] {
    while (!stop) {
      limiter.sweep(at(1), 100);
      limiter.expire(at(1), 10);
      std::size_t bytes = 0;
      limiter.snapshot([&](std::string_view chunk) { bytes += chunk.size(); });
      EXPECT_GT(bytes, 0u);
    }
  });
  std::vector<std::thread> threads;
  for (std::uint64_t i = 1; i <= 3; ++i) threads.emplace_back(work, i);
  for (std::thread& thread : threads) thread.join();
  stop = true;
  maintenance.join();
  for (std::uint64_t i = 0; i < kSubjects; ++i) {
    Ask ask{.counter = first, .amount = kMaxAmount, .cost = 0, .key = {1, i}};
    EXPECT_EQ(peek(limiter, ask, at(1)).verdicts[0].used, expected_first[i]);
    EXPECT_EQ(peek(limiter, ask, at(1)).verdicts[0].reserved, 0);
    ask.counter = second;
    ask.period_start = at(0), ask.period_end = at(86'400);
    EXPECT_EQ(peek(limiter, ask, at(1)).verdicts[0].used, expected_second[i]);
    EXPECT_LE(expected_second[i], 700);
  }
}

}  // namespace
}  // namespace weir::engine
