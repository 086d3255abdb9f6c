// What happens at the named bounds, and with several demands on one counter: kMaxChildren, kMaxDemands,
// max_reservations, shadow demands. P18 through a whole limiter.
#include <gtest/gtest.h>

#include <limits>
#include <random>
#include <set>

#include "engine/test_support.h"
#include "weir/subject.h"

namespace weir::engine {
namespace {

TEST(Bounds, AnOverflowedSubjectSettlesOnTheOverflowItWasChargedTo) {
  Limiter limiter;
  const CounterId counter = sliding(limiter, "c", 60 * kSecond);
  Ask ask{.counter = counter, .amount = 100, .hold = true, .owner = {7, 7}, .overflow = {8, 8}, .deadline = at(30)};
  for (std::uint64_t i = 0; i < kMaxChildren; ++i) {
    ask.key = {1, i + 1}, ask.id = {3, i + 1};
    ASSERT_TRUE(admit(limiter, ask, at(0)).admitted);
  }
  ask.cost = 60;
  ask.key = {1, kMaxChildren + 1}, ask.id = {4, 1};
  EXPECT_TRUE(admit(limiter, ask, at(1)).admitted);
  ask.key = {1, kMaxChildren + 2}, ask.id = {4, 2};
  EXPECT_FALSE(admit(limiter, ask, at(1)).admitted) << "two new subjects share one counter";
  const Ask overflow{.counter = counter, .amount = 100, .key = {8, 8}};
  EXPECT_EQ(peek(limiter, overflow, at(1)).verdicts[0].reserved, 60);
  // Another owner is not affected, and neither is a subject that was there before.
  Ask other = ask;
  other.owner = {7, 8}, other.id = {4, 3};
  EXPECT_TRUE(admit(limiter, other, at(1)).admitted);
  // Its siblings leave, so that there is room again; the reservation still settles where it was charged.
  for (std::uint64_t i = 0; i < kMaxChildren; ++i) limiter.cancel({3, i + 1}, at(1));
  for (int i = 0; i < 10; ++i) limiter.sweep(at(1), 1'000'000);
  ASSERT_LE(limiter.stats().subjects, 2u);
  std::int64_t used = 25;
  EXPECT_EQ(limiter.settle({4, 1}, {&used, 1}, at(2)).outcome, Outcome::kDone);
  EXPECT_EQ(peek(limiter, overflow, at(2)).verdicts[0].used, 25);
  EXPECT_EQ(peek(limiter, overflow, at(2)).verdicts[0].reserved, 0);
  ask.key = {1, kMaxChildren + 1}, ask.id = {};
  EXPECT_EQ(peek(limiter, ask, at(2)).verdicts[0].used, 0) << "a subject of its own now";
}

TEST(Bounds, OpenReservationsAreBoundedAndComeBack) {
  Limiter limiter({.max_reservations = 3});
  const CounterId counter = sliding(limiter, "c", 60 * kSecond);
  Ask ask{.counter = counter, .amount = 100, .hold = true};
  for (std::uint64_t i = 1; i <= 3; ++i) {
    ask.id = {1, i}, ask.deadline = at(10);
    ASSERT_TRUE(admit(limiter, ask, at(0)).admitted);
  }
  ask.id = {1, 4};
  for (const Decision& full : {peek(limiter, ask, at(0)), admit(limiter, ask, at(0))}) {
    EXPECT_FALSE(full.admitted);
    EXPECT_TRUE(full.table_full);
    EXPECT_EQ(full.verdicts[0].reserved, 0) << "every verdict is empty";
  }
  ask.id = {};
  EXPECT_TRUE(admit(limiter, ask, at(0)).admitted) << "without an id nothing is kept";
  ask.id = {1, 2};
  EXPECT_TRUE(admit(limiter, ask, at(0)).replayed) << "a known id takes no place";
  limiter.cancel({1, 1}, at(1));
  ask.id = {1, 4}, ask.deadline = at(20);
  EXPECT_TRUE(admit(limiter, ask, at(1)).admitted);
  EXPECT_EQ(limiter.stats().open_reservations, 3u);
  // A refused admission gives its place back, and so does expiry.
  limiter.cancel({1, 4}, at(2));
  ask.id = {1, 5}, ask.cost = 1000;
  EXPECT_FALSE(admit(limiter, ask, at(2)).admitted);
  EXPECT_EQ(limiter.stats().open_reservations, 2u);
  EXPECT_EQ(limiter.expire(at(10), 10), 2u);
  EXPECT_EQ(limiter.stats().open_reservations, 0u);
}

TEST(Bounds, SixteenDemandsOfSixteenSubjectsAreOneStepAndSeventeenAreRefused) {
  Limiter limiter;
  const CounterId counter = sliding(limiter, "c", 60 * kSecond);
  std::array<Subject, kMaxDemands + 1> subjects;
  std::array<Demand, kMaxDemands + 1> demands;
  for (std::size_t i = 0; i <= kMaxDemands; ++i) {
    subjects[i].key = {5, i + 1};
    demands[i] = {.counter = counter, .subject = static_cast<std::uint8_t>(i), .cost = 3, .quota = {.amount = 9}};
  }
  Decision decision;
  const auto ask = [&](std::size_t count) {
    limiter.admit({.subjects = {subjects.data(), count}, .demands = {demands.data(), count}, .now = at(0)}, decision);
    return decision.admitted;
  };
  EXPECT_FALSE(ask(kMaxDemands + 1));
  EXPECT_EQ(decision.retry_after, kNever);
  EXPECT_LE(decision.count, kMaxDemands);
  EXPECT_EQ(limiter.stats().subjects, 0u);
  EXPECT_TRUE(ask(kMaxDemands));
  demands[kMaxDemands - 1].cost = 7;  // only the last refuses
  EXPECT_FALSE(ask(kMaxDemands));
  for (std::size_t i = 0; i < kMaxDemands; ++i) {
    EXPECT_EQ(decision.verdicts[i].refuses, i == kMaxDemands - 1);
    const Ask one{.counter = counter, .amount = 9, .key = {5, i + 1}};
    EXPECT_EQ(peek(limiter, one, at(0)).verdicts[0].used, 3);
  }
}

// The last place of an owner, asked for by two new subjects of one request: the first gets it, the other counts with
// the overflow, and what the overflow refuses charges neither.
TEST(Bounds, TwoNewSubjectsOfOneRequestShareTheLastPlaceOfTheirOwner) {
  for (const bool overflow_is_full : {false, true}) {
    Limiter limiter;
    const CounterId counter = sliding(limiter, "c", 60 * kSecond);
    Ask ask{.counter = counter, .amount = 100, .owner = {7, 7}, .overflow = {8, 8}};
    for (std::uint64_t i = 1; i < kMaxChildren; ++i) {
      ask.key = {1, i};
      ASSERT_TRUE(admit(limiter, ask, at(0)).admitted);
    }
    if (overflow_is_full) {
      ASSERT_TRUE(admit(limiter, {.counter = counter, .amount = 100, .cost = 98, .key = {8, 8}}, at(0)).admitted);
    }
    const std::array<Subject, 2> subjects{Subject{.key = {2, 1}, .owner = {7, 7}, .overflow = {8, 8}},
                                          Subject{.key = {2, 2}, .owner = {7, 7}, .overflow = {8, 8}}};
    const std::array<Demand, 2> demands{Demand{.counter = counter, .subject = 0, .cost = 5, .quota = {.amount = 100}},
                                        Demand{.counter = counter, .subject = 1, .cost = 3, .quota = {.amount = 100}}};
    Decision decision;
    limiter.admit({.subjects = subjects, .demands = demands, .now = at(1)}, decision);
    EXPECT_EQ(decision.admitted, !overflow_is_full);
    EXPECT_FALSE(decision.table_full);
    const auto used = [&](Hash128 key) {
      return peek(limiter, {.counter = counter, .amount = 100, .key = key}, at(1)).verdicts[0].used;
    };
    EXPECT_EQ(used({2, 1}), overflow_is_full ? 0 : 5);
    EXPECT_EQ(used({2, 2}), 0) << "no record of its own";
    EXPECT_EQ(used({8, 8}), overflow_is_full ? 98 : 3);
  }
}

TEST(Bounds, AmountsOutOfRangeAreBroughtIntoIt) {
  Limiter limiter;
  const CounterId counter = sliding(limiter, "c", 60 * kSecond);
  Ask ask{.counter = counter, .amount = std::numeric_limits<std::int64_t>::max(), .cost = kMaxAmount};
  EXPECT_TRUE(admit(limiter, ask, at(0)).admitted);
  ask.cost = 1;
  EXPECT_FALSE(admit(limiter, ask, at(0)).admitted) << "no amount is above the largest";
  ask = {.counter = counter, .amount = -5, .key = {1, 3}};
  const Decision none = admit(limiter, ask, at(0));
  EXPECT_FALSE(none.admitted);
  EXPECT_EQ(none.retry_after, kNever) << "as an amount of 0";
}

// The period of a hold is the one it was made in; what is added later counts in the period of its own instant. Only the
// newest ones can still be given back.
TEST(Bounds, AHoldThatGrowsOverManyPeriodsGivesBackWhatStillCounts) {
  constexpr DurationNs kHour = 3600 * kSecond;
  Limiter limiter;
  const CounterId day = limiter.define({.identity = "d", .kind = WindowKind::kCalendar});
  Ask ask{.counter = day,
          .amount = 100,
          .cost = 10,
          .hold = true,
          .id = {5, 5},
          .deadline = at(999'999),
          .period_start = at(0),
          .period_end = at(0) + kHour};
  ASSERT_TRUE(admit(limiter, ask, at(1)).admitted);
  for (const std::int64_t hours : {2, 4, 6, 8}) {
    Decision decision;
    const std::int64_t more = 7;
    limiter.top_up({5, 5}, {&more, 1}, at(1) + hours * kHour, decision);
    ASSERT_TRUE(decision.admitted) << hours;
  }
  const TimeNs last = at(2) + 8 * kHour;
  const Ask look{
      .counter = day, .amount = 100, .cost = 0, .period_start = at(1) + 8 * kHour, .period_end = at(1) + 9 * kHour};
  EXPECT_EQ(peek(limiter, look, last).verdicts[0].reserved, 7) << "the last period knows its own part only";
  HeldReservation held;
  ASSERT_TRUE(limiter.held({5, 5}, held));
  EXPECT_LE(held.demands.at(0).charges.size(), 3u) << "what no period can give back any more is forgotten";
  const std::int64_t used = 0;
  EXPECT_EQ(limiter.settle({5, 5}, {&used, 1}, last).outcome, Outcome::kDone);
  EXPECT_EQ(peek(limiter, look, last).verdicts[0].reserved, 0);
  EXPECT_EQ(peek(limiter, look, last).verdicts[0].used, 0);
}

class TwoDemandsOnOneCounter : public testing::TestWithParam<std::int64_t> {};

TEST_P(TwoDemandsOnOneCounter, CountTogether) {
  const std::int64_t amount = GetParam();  // 20: a log, 200: a ring
  for (const bool same_subject_entry : {true, false}) {
    Limiter limiter;
    const std::array<CounterId, 4> counters{sliding(limiter, "s", 60 * kSecond),
                                            limiter.define({.identity = "b", .kind = WindowKind::kBucket}),
                                            limiter.define({.identity = "d", .kind = WindowKind::kCalendar}),
                                            limiter.define({.identity = "g", .kind = WindowKind::kConcurrency})};
    const std::array<Subject, 2> subjects{Subject{.key = {1, 1}}, Subject{.key = {1, 1}}};
    std::uint64_t id = 0;
    for (const CounterId counter : counters) {
      const auto ask = [&](std::int64_t first, std::int64_t second) {
        const Quota quota{.amount = amount,
                          .rate = {.units = 1, .per = 1000 * kSecond},
                          .period_start = at(0),
                          .period_end = at(3600)};
        std::array<Demand, 2> demands{
            Demand{.counter = counter, .subject = 0, .hold = true, .cost = first, .quota = quota},
            Demand{.counter = counter, .hold = true, .cost = second, .quota = quota}};
        demands[1].subject = same_subject_entry ? 0 : 1;
        Decision decision;
        limiter.admit({.subjects = subjects, .demands = demands, .now = at(0), .id = {2, ++id}, .deadline = at(90)},
                      decision);
        return decision;
      };
      EXPECT_FALSE(ask(amount / 2 + 1, amount / 2).admitted) << "together one too many";
      ASSERT_TRUE(ask(amount / 2, amount / 2).admitted);
      EXPECT_FALSE(ask(0, 1).admitted);
      const std::array<std::int64_t, 2> used{amount / 2, 1};
      limiter.settle({2, id - 1}, used, at(0));
      const bool gauge = counter == counters[3];
      EXPECT_FALSE(ask(gauge ? amount : amount / 2, 1).admitted);
      EXPECT_TRUE(ask(gauge ? amount - 1 : amount / 2 - 2, 1).admitted);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Bounds, TwoDemandsOnOneCounter, testing::Values(20, 200));

TEST(Shadow, DecidesTheSameRefusesNothingAndTakesNoPartInTheWait) {
  Limiter limiter;
  const CounterId shadow = sliding(limiter, "shadow", 600 * kSecond), real = sliding(limiter, "real", 60 * kSecond);
  const Subject subject{.key = {1, 1}};
  const auto ask = [&](std::uint64_t id, TimeNs now) {
    const std::array<Demand, 2> demands{
        Demand{.counter = shadow, .hold = true, .shadow = true, .cost = 1, .quota = {.amount = 2}},
        Demand{.counter = real, .hold = true, .cost = 1, .quota = {.amount = 3}}};
    Decision decision;
    limiter.admit({.subjects = {&subject, 1}, .demands = demands, .now = now, .id = {1, id}, .deadline = at(999)},
                  decision);
    return decision;
  };
  for (std::uint64_t i = 1; i <= 3; ++i) {
    const Decision decision = ask(i, at(0));
    EXPECT_TRUE(decision.admitted);
    EXPECT_EQ(decision.verdicts[0].refuses, i == 3);
    EXPECT_EQ(decision.verdicts[0].retry_after, i == 3 ? 600 * kSecond : 0);
  }
  const Decision refused = ask(4, at(1));
  EXPECT_FALSE(refused.admitted);
  EXPECT_EQ(refused.retry_after, 59 * kSecond) << "only what refuses says how long";
  // The third was not charged in shadow, so settling it must not touch the shadow counter.
  const std::array<std::int64_t, 2> used{9, 1};
  limiter.settle({1, 3}, used, at(2));
  const Ask look{.counter = shadow, .amount = 100, .key = {1, 1}};
  EXPECT_EQ(peek(limiter, look, at(2)).verdicts[0].used, 0);
  EXPECT_EQ(peek(limiter, look, at(2)).verdicts[0].reserved, 2);
  // Refused by the real limit: nothing is charged in shadow either.
  limiter.cancel({1, 1}, at(2));
  EXPECT_TRUE(ask(5, at(2)).admitted);
  EXPECT_FALSE(ask(6, at(2)).admitted);
  EXPECT_EQ(peek(limiter, look, at(2)).verdicts[0].reserved, 2);
}

TEST(P18, SubjectsThatLookAlikeNeverShareACounter) {
  const SubjectSecret secret{1, 2, 3};
  SubjectHasher hasher(secret);
  const std::vector<std::vector<std::string>> values{{""},
                                                     {"", ""},
                                                     {"_"},
                                                     {"a_b", "c"},
                                                     {"a", "b_c"},
                                                     {"a|b", "c"},
                                                     {"a", "b|c"},
                                                     {"a", "b"},
                                                     {"b", "a"},
                                                     {"ab"},
                                                     {{"a\0b", 3}},
                                                     {{"a\0", 2}},
                                                     {"a"},
                                                     {"A"},
                                                     {"a "},
                                                     {"stra\xC3\x9F"
                                                      "e"},
                                                     {"strasse"},
                                                     {"\xC3\xA9"},
                                                     {"e\xCC\x81"},
                                                     {{"\0", 1}}};
  Limiter limiter;
  const CounterId first = sliding(limiter, "first", 60 * kSecond), second = sliding(limiter, "second", 60 * kSecond);
  for (const char* scope : {"", "caller", "caller_a"}) {
    for (const auto& tuple : values) {
      hasher.begin(scope);
      for (const std::string& value : tuple) hasher.add(value);
      Ask ask{.counter = first, .amount = 1, .key = hasher.finish()};
      EXPECT_TRUE(admit(limiter, ask, at(0)).admitted) << scope << " / " << testing::PrintToString(tuple);
      EXPECT_FALSE(admit(limiter, ask, at(0)).admitted);
      ask.counter = second;
      EXPECT_TRUE(admit(limiter, ask, at(0)).admitted) << "another limit of the same subject";
    }
  }
}

// Pieces are copied by their length, short ones in a way of their own, and long subjects are hashed from another place.
TEST(P18, EveryByteOfAPieceOfAnyLengthCounts) {
  SubjectSecret secret;
  std::mt19937 random(1);
  for (auto& byte : secret) byte = static_cast<unsigned char>(random());
  SubjectHasher hasher(secret);
  const auto key = [&](std::string_view piece) { return hasher.begin("caller").add(piece).add("next").finish(); };
  std::set<Hash128> keys;
  std::size_t made = 0;
  for (std::size_t length = 0; length <= 300; ++length) {
    std::string piece(length, 'a');
    EXPECT_EQ(key(piece), key(std::string(piece)));
    keys.insert(key(piece)), ++made;
    for (std::size_t i = 0; i < length; i += length < 40 ? 1 : 13) {
      piece[i] = 'b';
      keys.insert(key(piece)), ++made;
      piece[i] = 'a';
    }
  }
  EXPECT_EQ(keys.size(), made);
}

}  // namespace
}  // namespace weir::engine
