// Crash recovery: snapshot + tail of effects = what was there, with open reservations counted as used.
#include <gtest/gtest.h>

#include "engine/prove_support.h"

namespace weir::engine {
namespace {

struct Ids {
  CounterId ring, log, bucket, day;

  explicit Ids(Limiter& limiter)
      : ring(sliding(limiter, "ring", 60 * kSecond)),
        log(sliding(limiter, "log", 30 * kSecond)),
        bucket(limiter.define({.identity = "bucket", .kind = WindowKind::kBucket})),
        day(limiter.define({.identity = "day", .kind = WindowKind::kCalendar})) {}
  CounterId operator[](std::uint64_t i) const { return std::array{ring, log, bucket, day}[i]; }
};

Ask ask_for(const Ids& ids, std::uint64_t kind, std::uint64_t subject) {
  return {.counter = ids[kind],
          .amount = std::array<std::int64_t, 4>{500, 10, 40, 900}[kind],
          .cost = 0,
          .key = {1, subject},
          .rate = {.units = 2, .per = kSecond},
          .period_start = kTestStart - kTestStart % (24 * 3600 * kSecond),
          .period_end = kTestStart - kTestStart % (24 * 3600 * kSecond) + 24 * 3600 * kSecond};
}

void expect_same(const Limiter& before, const Ids& a, const Limiter& after, const Ids& b, TimeNs now) {
  for (std::uint64_t kind = 0; kind < 4; ++kind) {
    for (std::uint64_t subject = 0; subject < 4; ++subject) {
      const Verdict old = peek(before, ask_for(a, kind, subject), now).verdicts[0];
      const Verdict recovered = peek(after, ask_for(b, kind, subject), now).verdicts[0];
      ASSERT_EQ(recovered.used, old.used + old.reserved) << "kind " << kind << " subject " << subject;
      ASSERT_EQ(recovered.reserved, 0);
      ASSERT_EQ(recovered.reset_at, old.reset_at);
    }
  }
}

TEST(P14Crash, RecoveryAfterACrashIsExact) {
  check_seeds(150, [](std::uint64_t seed) {
    Random random(seed);
    Limiter limiter({.stripes = 4});
    const Ids ids(limiter);
    std::vector<Effect> journal;
    std::string snapshot;
    std::uint32_t epoch = 0;
    TimeNs now = kTestStart;
    const auto snapshot_at = random() % 200;
    for (std::uint64_t i = 0; i < 200; ++i) {
      now += static_cast<DurationNs>(random() % static_cast<std::uint64_t>(kSecond));
      if (i == snapshot_at) {
        snapshot.clear();
        epoch = limiter.snapshot([&](std::string_view chunk) { snapshot.append(chunk); });
      }
      const std::uint64_t kind = random() % 4;  // in this order with every compiler
      Ask ask = ask_for(ids, kind, random() % 4);
      ask.cost = static_cast<std::int64_t>(random() % 6);
      ask.hold = true;
      ask.id = {5, i + 1};
      admit(limiter, ask, now, &journal);
      const std::int64_t used = static_cast<std::int64_t>(random() % 8);
      if (random() % 2 == 0) limiter.settle({5, 1 + random() % (i + 1)}, {&used, 1}, now, &journal);
      Decision decision;
      const std::int64_t more = 1;
      if (random() % 4 == 0) limiter.top_up({5, 1 + random() % (i + 1)}, {&more, 1}, now, decision, &journal);
    }
    Limiter recovered({.stripes = 16});
    const bool define_first = random() % 2 == 0;
    if (define_first) recovered.define({.identity = "another, so that the ids differ", .kind = WindowKind::kBucket});
    ASSERT_TRUE(recovered.restore(snapshot, epoch));
    if (define_first) Ids early(recovered);
    for (const Effect& effect : journal) recovered.replay(effect);
    const Ids new_ids(recovered);
    // Effects do not say how large an amount is: a sliding counter comes back as a log, until a charge makes it a ring.
    for (std::uint64_t subject = 0; subject < 4; ++subject) {
      Ask before = ask_for(ids, 0, subject), after = ask_for(new_ids, 0, subject);
      before.cost = after.cost = 1;
      before.amount = after.amount = 100'000;
      admit(limiter, before, now);
      const Decision touched = admit(recovered, after, now);
      ASSERT_EQ(touched.verdicts[0].reserved, 0);
    }
    expect_same(limiter, ids, recovered, new_ids, now);
    if (testing::Test::HasFatalFailure()) return;
  });
}

TEST(Snapshot, ATailReplayedTwiceNeverGivesLessThanTrue) {
  Limiter limiter;
  const Ids ids(limiter);
  std::vector<Effect> journal;
  Ask ask = ask_for(ids, 0, 1);
  ask.hold = true;
  ask.cost = 100;
  for (std::uint64_t i = 1; i <= 3; ++i) {
    ask.id = {5, i};
    admit(limiter, ask, at(static_cast<std::int64_t>(i)), &journal);
    const std::int64_t used = 40;
    limiter.settle(ask.id, {&used, 1}, at(static_cast<std::int64_t>(i)), &journal);
  }
  Limiter recovered;
  const Ids new_ids(recovered);
  for (int i = 0; i < 2; ++i) {
    for (const Effect& effect : journal) recovered.replay(effect);
  }
  EXPECT_GE(peek(recovered, ask_for(new_ids, 0, 1), at(4)).verdicts[0].used, 120);
}

// A limit that one policy leaves out and the next one has again: two restarts with a snapshot in between.
TEST(Snapshot, WhatWasReplayedOfACounterThatNobodyDefinedIsInTheNextSnapshot) {
  const auto written = [](Limiter& limiter, std::string& out) {
    return limiter.snapshot([&](std::string_view chunk) { out.append(chunk); });
  };
  for (std::uint64_t kind = 0; kind < 4; ++kind) {
    Limiter first, without, last;
    const Ids ids(first);
    Ask ask = ask_for(ids, kind, 1);
    ask.hold = true;
    ask.cost = 8;
    ask.id = {5, 1};
    admit(first, ask, kTestStart);
    std::string early, late;
    const std::uint32_t epoch = written(first, early);
    std::vector<Effect> journal;
    const std::int64_t used = 3;
    first.settle(ask.id, {&used, 1}, kTestStart, &journal);
    ask.id = {5, 2};
    ask.cost = 1;
    admit(first, ask, kTestStart, &journal);

    ASSERT_TRUE(without.restore(early, epoch));
    for (const Effect& effect : journal) without.replay(effect);
    const std::uint32_t next = written(without, late);
    ASSERT_TRUE(last.restore(late, next));
    const Ids again(last);
    const Verdict before = peek(first, ask_for(ids, kind, 1), kTestStart).verdicts[0];
    EXPECT_EQ(peek(last, ask_for(again, kind, 1), kTestStart).verdicts[0].used, before.used + before.reserved)
        << "kind " << kind;
  }
}

std::uint32_t written(Limiter& limiter, std::string& out) {
  return limiter.snapshot([&](std::string_view chunk) { out.append(chunk); });
}

// What the subject has used after the charge.
std::int64_t charge(Limiter& limiter, CounterId counter, std::int64_t cost, TimeNs now) {
  Ask ask{.counter = counter, .amount = 1000, .cost = cost, .key = {1, 1}};
  if (cost > 0) admit(limiter, ask, now);
  return peek(limiter, ask, now).verdicts[0].used;
}

CounterId named_before(Limiter& limiter, std::string identity, std::string formerly, DurationNs window) {
  return limiter.define({.identity = std::move(identity),
                         .kind = WindowKind::kSliding,
                         .window = window,
                         .formerly = std::move(formerly),
                         .precision = 60});
}

// A window that one policy has, the next one not, and the third again in the place of the second's. The snapshot is
// taken before or after the subject is seen again.
TEST(Snapshot, ACounterThatTookTheNameOfOneOnlyASnapshotKnewIsWhole) {
  for (const DurationNs later : {40 * kSecond, 300 * kSecond}) {
    for (const std::int64_t seen : {0, 11}) {
      Limiter first, second, third;
      std::string early, late;
      charge(first, sliding(first, "minute", 60 * kSecond), 5, kTestStart);
      const std::uint32_t before = written(first, early);
      ASSERT_TRUE(second.restore(early, before));
      const TimeNs now = kTestStart + later;
      EXPECT_EQ(charge(second, sliding(second, "half", 30 * kSecond), 7, now), 7);
      const CounterId minute = named_before(second, "minute", "half", 60 * kSecond);
      if (seen > 0) charge(second, minute, seen, now + kSecond);
      const std::uint32_t epoch = written(second, late);
      const std::int64_t used = (later < 60 * kSecond ? 5 : 0) + 7 + seen;
      EXPECT_EQ(charge(second, minute, 0, now + 2 * kSecond), used);
      const CounterId again = sliding(third, "minute", 60 * kSecond);
      ASSERT_TRUE(third.restore(late, epoch));
      EXPECT_EQ(charge(third, again, 0, now + 2 * kSecond), used) << later << ' ' << seen;
    }
  }
}

TEST(Snapshot, DamagedBytesAreNoticed) {
  Limiter limiter;
  const Ids ids(limiter);
  for (std::uint64_t subject = 0; subject < 4; ++subject) {
    Ask ask = ask_for(ids, subject, subject);
    ask.cost = 3;
    admit(limiter, ask, at(0));
  }
  std::string bytes;
  const std::uint32_t epoch = limiter.snapshot([&](std::string_view chunk) { bytes.append(chunk); });
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::string damaged = bytes;
    damaged[i] = static_cast<char>(damaged[i] ^ 1);
    Limiter other;
    EXPECT_FALSE(other.restore(damaged, epoch)) << i;
    EXPECT_FALSE(Limiter().restore(std::string_view(bytes).substr(0, i), epoch)) << i;
  }
}

TEST(Snapshot, OwnersAreCountedAgain) {
  Limiter limiter;
  const CounterId counter = sliding(limiter, "c", 60 * kSecond);
  for (std::uint64_t i = 0; i < kMaxChildren; ++i) {
    admit(limiter, {.counter = counter, .amount = 5, .key = {1, i}, .owner = {7, 7}, .overflow = {8, 8}}, at(0));
  }
  std::string bytes;
  const std::uint32_t epoch = limiter.snapshot([&](std::string_view chunk) { bytes.append(chunk); });
  Limiter recovered;
  ASSERT_TRUE(recovered.restore(bytes, epoch));
  const CounterId same = sliding(recovered, "c", 60 * kSecond);
  admit(recovered, {.counter = same, .amount = 5, .key = {2, 1}, .owner = {7, 7}, .overflow = {8, 8}}, at(1));
  EXPECT_EQ(peek(recovered, {.counter = same, .amount = 5, .key = {8, 8}}, at(1)).verdicts[0].used, 1);
}

}  // namespace
}  // namespace weir::engine
