#include "behavior/profiles.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

namespace weir {
namespace {

const ProfileKey kTask = Profiles::key({1, 2}, "bot", "invoices");
const ProfileRules kRules{.warmup = 8};

RunUses uses(std::initializer_list<std::pair<const char*, Destination>> tools) {
  RunUses made;
  for (const auto& [tool, destination] : tools) made.note(tool, destination);
  return made;
}

void teach(Profiles& profiles, const ProfileKey& key, const RunUses& run, std::int64_t times) {
  for (std::int64_t i = 0; i < times; ++i) profiles.learn(key, run, 0);
}

TEST(Profiles, JudgeNothingBeforeWarmup) {
  Profiles profiles({});
  teach(profiles, kTask, {}, 7);
  EXPECT_FALSE(profiles.judge(kTask, "send_money", Destination::kOutside, kRules, 0));
  teach(profiles, kTask, {}, 1);
  EXPECT_TRUE(profiles.judge(kTask, "send_money", Destination::kNone, kRules, 0));
}

TEST(Profiles, AToolThatNoOrdinaryRunUsedIsAnAnomalyAndSaysSo) {
  Profiles profiles({});
  teach(profiles, kTask, uses({{"send_email", Destination::kKnown}}), 20);
  EXPECT_FALSE(profiles.judge(kTask, "send_email", Destination::kKnown, kRules, 0));
  const auto anomaly = profiles.judge(kTask, "send_money", Destination::kKnown, kRules, 0);
  ASSERT_TRUE(anomaly);
  EXPECT_EQ(anomaly->runs, 20);
  EXPECT_EQ(anomaly->sentence, "send_money was never used in 20 ordinary runs of this task");
}

TEST(Profiles, AnOutsideDestinationIsNewOnlyWhereSeveralRunsHadNone) {
  Profiles profiles({});
  teach(profiles, kTask, uses({{"send_email", Destination::kKnown}}), Profiles::kFewestRuns - 1);
  teach(profiles, kTask, {}, 10);
  EXPECT_FALSE(profiles.judge(kTask, "send_email", Destination::kOutside, kRules, 0)) << "three runs say too little";
  teach(profiles, kTask, uses({{"send_email", Destination::kKnown}}), 1);
  const auto anomaly = profiles.judge(kTask, "send_email", Destination::kOutside, kRules, 0);
  ASSERT_TRUE(anomaly);
  EXPECT_NE(anomaly->sentence.find("4 of 14 ordinary runs"), std::string::npos) << anomaly->sentence;
  EXPECT_FALSE(profiles.judge(kTask, "send_email", Destination::kNone, kRules, 0));
  teach(profiles, kTask, uses({{"send_email", Destination::kOutside}}), 1);
  EXPECT_FALSE(profiles.judge(kTask, "send_email", Destination::kOutside, kRules, 0));
}

TEST(Profiles, OwnersAgentsAndTasksDoNotShareOne) {
  Profiles profiles({});
  teach(profiles, kTask, {}, 20);
  for (const ProfileKey& other : {Profiles::key({1, 3}, "bot", "invoices"), Profiles::key({1, 2}, "bo", "tinvoices"),
                                  Profiles::key({1, 2}, "bot", "")}) {
    EXPECT_FALSE(profiles.judge(other, "send_money", Destination::kNone, kRules, 0));
  }
}

TEST(Profiles, JudgingIsNotLearning) {
  Profiles profiles({});
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(profiles.judge(kTask, "send_money", Destination::kNone, kRules, 0));
  EXPECT_EQ(profiles.size(), 0U);
}

TEST(Profiles, ARunWithMoreToolsThanARunMayHaveDoesNotTeach) {
  Profiles profiles({});
  RunUses run;
  for (std::size_t i = 0; i < Profiles::kMaxTools; ++i) run.note("tool" + std::to_string(i), Destination::kNone);
  EXPECT_TRUE(run.complete());
  run.note("tool0", Destination::kOutside);
  EXPECT_TRUE(run.complete());
  run.note("one more", Destination::kNone);
  EXPECT_FALSE(run.complete());
  EXPECT_EQ(run.tools().size(), Profiles::kMaxTools);
  profiles.learn(kTask, run, 0);
  EXPECT_EQ(profiles.learned(kTask), 0);
}

TEST(Profiles, ATaskOfMoreToolsThanFitTakesNoneForNew) {
  Profiles profiles({});
  for (std::size_t i = 0; i <= Profiles::kMaxTools; ++i) {
    const std::string name = "tool" + std::to_string(i);
    teach(profiles, kTask, uses({{name.c_str(), Destination::kKnown}}), Profiles::kFewestRuns);
  }
  EXPECT_FALSE(profiles.judge(kTask, "another", Destination::kOutside, kRules, 0));
  EXPECT_TRUE(profiles.judge(kTask, "tool0", Destination::kOutside, kRules, 0)) << "what fits is still judged";
}

TEST(Profiles, CountsThatReachTheirMostStillKnowWhatWasRare) {
  Profiles profiles({});
  teach(profiles, kTask, uses({{"rare", Destination::kOutside}, {"also", Destination::kKnown}}), 3);
  teach(profiles, kTask, {}, 3 * Profiles::kMaxRuns);
  EXPECT_LE(profiles.learned(kTask), Profiles::kMaxRuns);
  EXPECT_FALSE(profiles.judge(kTask, "rare", Destination::kOutside, kRules, 0));
  EXPECT_TRUE(profiles.judge(kTask, "never", Destination::kNone, kRules, 0));
}

TEST(Profiles, InventedTasksArePushedOutBeforeWhatWasLearned) {
  Profiles profiles({.max_profiles = 320});
  std::vector<ProfileKey> learned;
  for (int i = 0; i < 50; ++i) learned.push_back(Profiles::key({7, 7}, "bot", "task" + std::to_string(i)));
  for (const ProfileKey& key : learned) teach(profiles, key, {}, 8);
  for (int i = 0; i < 10'000; ++i) profiles.learn(Profiles::key({8, 8}, "bot", std::to_string(i)), {}, 0);
  EXPECT_LE(profiles.size(), 320U);
  int kept = 0;
  for (const ProfileKey& key : learned) kept += profiles.learned(key) == 8 ? 1 : 0;
  EXPECT_EQ(kept, 50);
}

TEST(Profiles, TheLeastRecentlyUsedGoes) {
  Profiles profiles({.max_profiles = 16 * 8});
  const ProfileKey used = Profiles::key({7, 7}, "bot", "used"), idle = Profiles::key({7, 7}, "bot", "idle");
  teach(profiles, used, {}, 8);
  teach(profiles, idle, {}, 8);
  for (int i = 0; i < 1000; ++i) {
    profiles.judge(used, "x", Destination::kNone, kRules, 0);
    teach(profiles, Profiles::key({8, 8}, "bot", std::to_string(i)), {}, 8);
  }
  EXPECT_EQ(profiles.learned(used), 8);
  EXPECT_EQ(profiles.learned(idle), 0);
  EXPECT_LE(profiles.size(), 128U);
}

TEST(Profiles, WorkersShareThem) {
  Profiles profiles({});
  std::vector<std::thread> workers;
  for (int worker = 0; worker < 4; ++worker) {
    workers.emplace_back([&] {
      for (int i = 0; i < 500; ++i) {
        profiles.learn(kTask, uses({{"send_email", Destination::kKnown}}), 0);
        profiles.judge(kTask, "send_email", Destination::kOutside, kRules, 0);
      }
    });
  }
  for (std::thread& worker : workers) worker.join();
  EXPECT_EQ(profiles.learned(kTask), 2000);
}

}  // namespace
}  // namespace weir
