#include "replay/recorded_runs.h"

#include "replay/test_recommend.h"

namespace weir {
namespace {

struct Runs : RecordedRuns {
  explicit Runs(const BehaviorRules& rules) : RecordedRuns(rules) {}
  bool take(double at, std::string_view run, double answer = 1, std::int64_t key = 1) {
    const bool begins = enter(key, run, since(at));
    admit(since(at), since(at + answer));
    return begins;
  }
  static TimeNs since(double at) { return kReplayOrigin + static_cast<TimeNs>(at * 1e9); }
};

TEST(RecordedRuns, ARunBeginsWithItsFirstRequestAndAgainAfterItWasIdle) {
  const BehaviorRules rules;  // idle: 10m
  Runs runs(rules);
  EXPECT_TRUE(runs.take(0, "r"));
  EXPECT_FALSE(runs.take(1, "r"));
  EXPECT_FALSE(runs.take(601, "r")) << "at the last instant";
  EXPECT_FALSE(runs.take(602, "r", 300));
  EXPECT_FALSE(runs.take(1'400, "r")) << "idle since its answer ended";
  EXPECT_TRUE(runs.take(2'002, "r"));
  EXPECT_TRUE(runs.take(90'000, "other")) << "by then the idle one is swept away";
  EXPECT_TRUE(runs.take(90'001, "r"));
}

TEST(RecordedRuns, ARunWithoutABoundOnItsIdlenessIsNeverOver) {
  BehaviorRules rules;
  rules.runs.idle = 0;
  Runs runs(rules);
  EXPECT_TRUE(runs.take(0, "r"));
  EXPECT_FALSE(runs.take(1e6, "r"));
}

TEST(RecordedRuns, ARunIsItsKeys) {
  const BehaviorRules rules;
  Runs runs(rules);
  EXPECT_TRUE(runs.take(0, "r", 1, 1));
  EXPECT_TRUE(runs.take(1, "r", 1, 2));
  EXPECT_FALSE(runs.take(2, "r", 1, 1));
}

TEST(RecordedRuns, ARefusedRequestBeginsNoneAndKeepsNoneFromBeingOver) {
  const BehaviorRules rules;
  Runs runs(rules);
  EXPECT_TRUE(runs.enter(1, "r", Runs::since(0)));
  runs.refuse(Runs::since(0));
  EXPECT_TRUE(runs.take(1, "r"));
  EXPECT_FALSE(runs.enter(1, "r", Runs::since(500)));
  runs.refuse(Runs::since(500));
  EXPECT_TRUE(runs.take(700, "r")) << "idle since 2";
}

TEST(RecordedRuns, BeyondTheBoundTheOldestIsForgotten) {
  const BehaviorRules rules;
  Runs runs(rules);
  const std::size_t last = RecordedRuns::kMaxRuns + 20'000;
  const auto key = [](std::size_t i) { return static_cast<std::int64_t>(i / 100); };
  for (std::size_t i = 0; i <= last; ++i) {
    ASSERT_TRUE(runs.take(static_cast<double>(i) * 1e-4, "run " + std::to_string(i), 0, key(i)));
  }
  EXPECT_FALSE(runs.take(41, "run " + std::to_string(last), 0, key(last)));
  EXPECT_TRUE(runs.take(41, "run 0", 0, 0));
}

// --- in a replay ----------------------------------------------------------------------------------------------------

// a: allowed, r: refused.
std::string replayed(std::string_view limits, const std::vector<Used>& rows, bool ledger = true) {
  std::string out;
  Replay replay(policy_from(limits), {},
                [&](const ReplayedRow& row) { out += row.decision == ReplayDecision::kRefuse ? 'r' : 'a'; });
  replay.begin_trace(FakeTrace(ledger));
  for (const Used& used : rows) {
    TraceRow row = ledger_row(used);
    if (!ledger) row.time -= kReplayOrigin;
    const auto added = replay.add(row);
    EXPECT_TRUE(added) << (added ? "" : added.error().message);
  }
  replay.finish();
  return out;
}

constexpr std::string_view kTwoRuns = "limits: [{ name: runs, per: caller, meter: runs, allow: 2/1h }]";

TEST(ReplayedRuns, OnlyTheFirstRequestOfARunIsChargedAndARefusedOneChargesNothing) {
  EXPECT_EQ(replayed(kTwoRuns, {{.at = 0, .run = "1"},
                                {.at = 1, .run = "1"},
                                {.at = 2, .run = "2"},
                                {.at = 3, .run = "3"},
                                {.at = 4, .run = "2"},
                                {.at = 5, .run = "3"},
                                {.at = 3'601, .run = "3"}}),
            "aaarara");
}

TEST(ReplayedRuns, ARunThatIdledOutCountsAgain) {
  EXPECT_EQ(replayed(kTwoRuns, {{.at = 0, .run = "1"},
                                {.at = 602, .run = "1"},
                                {.at = 1'300, .run = "1"},
                                {.at = 1'301, .run = "1"},
                                {.at = 2'000, .run = "1"}}),
            "aaaar");
}

TEST(ReplayedRuns, OneThatAnotherLimitRefusesHasBegunNone) {
  const std::string limits =
      "limits: [{ name: runs, per: caller, meter: runs, allow: 2/1h },"
      "{ name: tokens, per: caller, meter: tokens, allow: 5000/1m }]";
  EXPECT_EQ(replayed(limits, {{.at = 0, .run = "1"},
                              {.at = 1, .input = 4'500, .run = "2"},
                              {.at = 90, .run = "2"},
                              {.at = 91, .run = "3"}}),
            "arar");
}

TEST(ReplayedRuns, ARowOfTheLedgerWithoutARunBeganNoneAndALoadRowIsARunOfItsOwn) {
  const std::vector<Used> rows = {{.at = 0}, {.at = 1}, {.at = 2}};
  EXPECT_EQ(replayed(kTwoRuns, rows), "aaa");
  EXPECT_EQ(replayed(kTwoRuns, rows, false), "aar");
}

TEST(ReplayedRuns, LimitsPerRunHaveAWindowForEachRun) {
  const std::string limits = "limits: [{ name: each, per: run, meter: requests, allow: 2/1h }]";
  EXPECT_EQ(replayed(limits, {{.at = 0, .run = "1"},
                              {.at = 1, .run = "2"},
                              {.at = 2, .run = "1"},
                              {.at = 3, .run = "1"},
                              {.at = 4, .run = "2"},
                              {.at = 5, .key = "bob", .run = "1"}}),
            "aaaraa");
  EXPECT_EQ(replayed(limits, {{.at = 0}, {.at = 1}, {.at = 2}}, false), "aaa") << "each is a run";
}

}  // namespace
}  // namespace weir
