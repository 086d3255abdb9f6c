#include "replay/recommend_rhythm.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <map>
#include <random>
#include <sstream>

#include "replay/service_time.h"
#include "replay/trace.h"

namespace weir {
namespace {

constexpr DurationNs kAnswer = 3 * kSecond;

Rhythm of_gaps(const std::vector<double>& gaps, DurationNs answer = kAnswer) {
  Rhythm rhythm;
  double at = 1'000'000;
  rhythm.add(static_cast<TimeNs>(at * 1e9), answer);
  for (const double gap : gaps) rhythm.add(static_cast<TimeNs>((at += gap) * 1e9), answer);
  return rhythm;
}

TEST(Rhythm, BurstinessIsThatOfGohAndBarabasi) {
  EXPECT_NEAR(of_gaps(std::vector<double>(200, 60)).burstiness(), -1, 1e-9);  // a clock
  std::mt19937_64 random(3);
  std::exponential_distribution<double> chance(1.0 / 60);
  std::vector<double> gaps(20'000);
  for (double& gap : gaps) gap = chance(random);
  EXPECT_NEAR(of_gaps(gaps).burstiness(), 0, 0.02);
  gaps.assign(2'000, 1);
  for (std::size_t i = 0; i < gaps.size(); i += 100) gaps[i] = 10'000;
  double mean = 0, squares = 0;
  for (const double gap : gaps) mean += gap / 2'000;
  for (const double gap : gaps) squares += (gap - mean) * (gap - mean) / 2'000;
  const double exact = (std::sqrt(squares) - mean) / (std::sqrt(squares) + mean);
  EXPECT_NEAR(of_gaps(gaps).burstiness(), exact, 1e-6);
  EXPECT_GT(exact, 0.7);
}

TEST(Rhythm, TellsNothingOfTooFewRequests) {
  EXPECT_EQ(Rhythm().shape(), Shape::kUnknown);
  EXPECT_EQ(of_gaps(std::vector<double>(Rhythm::kMinGaps - 1, 60)).shape(), Shape::kUnknown);
  EXPECT_NE(of_gaps(std::vector<double>(Rhythm::kMinGaps, 60)).shape(), Shape::kUnknown);
}

TEST(Rhythm, APersonWhoReadsAnswersIsConversational) {
  std::vector<double> gaps;
  for (int session = 0; session < 10; ++session) {
    for (const double gap : {25.0, 40.0, 12.0, 90.0, 31.0}) gaps.push_back(gap);
    gaps.push_back(4 * 3'600);
  }
  const Rhythm rhythm = of_gaps(gaps);
  EXPECT_EQ(rhythm.shape(), Shape::kConversational);
  EXPECT_FALSE(rhythm.crowd());
}

TEST(Rhythm, SlowRequestsAroundTheClockAreNoPersons) {
  EXPECT_EQ(of_gaps(std::vector<double>(100, 1'800)).shape(), Shape::kAutonomous);  // two days
  EXPECT_EQ(of_gaps(std::vector<double>(90, 1'800)).shape(), Shape::kConversational) << "less than two days seen";
}

TEST(Rhythm, CallsThatFollowEachOtherAtOnceAreAnAgents) {
  std::vector<double> gaps;
  for (int run = 0; run < 10; ++run) {
    for (int i = 0; i < 15; ++i) gaps.push_back(3.5 + 0.1 * i);  // the answer ends, a tool runs, the next call
    gaps.push_back(1'800);
  }
  EXPECT_EQ(of_gaps(gaps).shape(), Shape::kAutonomous);
}

TEST(Rhythm, ParallelBurstsAreABatch) {
  std::vector<double> gaps;
  for (int hour = 0; hour < 5; ++hour) {
    gaps.insert(gaps.end(), 200, 0.2);
    gaps.push_back(20 * 3'600);
  }
  EXPECT_EQ(of_gaps(gaps).shape(), Shape::kBatch);
}

TEST(Rhythm, ParallelChanceIsACrowdBehindOneName) {
  std::mt19937_64 random(3);
  std::exponential_distribution<double> chance(5);
  std::vector<double> gaps(5'000);
  for (double& gap : gaps) gap = chance(random);
  const Rhythm rhythm = of_gaps(gaps);
  EXPECT_EQ(rhythm.shape(), Shape::kConversational);
  EXPECT_TRUE(rhythm.crowd());
}

TEST(Rhythm, CountsHoursNightsAndTheBusiestHour) {
  Rhythm rhythm;
  const TimeNs day = 20'000 * kDay;
  for (int i = 0; i < 3; ++i) rhythm.add(day + 9 * kHour + i * kMinute, kAnswer);
  rhythm.add(day + 23 * kHour, kAnswer);
  EXPECT_EQ(rhythm.hours(), 2);
  EXPECT_DOUBLE_EQ(rhythm.night(), 0.25);
  EXPECT_DOUBLE_EQ(rhythm.busiest_hour(), 0.75);
}

// --- real traffic ---------------------------------------------------------------------------------------------------

std::string shared_file(const std::string& name) {
  std::ifstream file(WEIR_SOURCE_DIR "/../shared/data/" + name, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// Requests by tenant, or by session.
std::map<std::string, Rhythm> rhythms(const std::string& text, std::string_view TraceRow::* who) {
  std::map<std::string, Rhythm> out;
  auto trace = open_trace(text, "trace");
  EXPECT_TRUE(trace);
  TraceRow row;
  while ((*trace)->next(row).value_or(false)) {
    out[std::string(row.*who)].add(row.time, ServiceTime{}.of(row.output_tokens));
  }
  return out;
}

TEST(Rhythm, AzuresConversationsAreACrowdBehindOneName) {
  const std::string text = shared_file("load_azure2023_conv.csv");
  if (text.empty()) GTEST_SKIP() << "no shared data";
  const Rhythm all = rhythms(text, &TraceRow::tenant).at("");
  EXPECT_EQ(all.shape(), Shape::kConversational);
  EXPECT_TRUE(all.crowd());
  EXPECT_NEAR(all.burstiness(), 0.04, 0.01);
}

TEST(Rhythm, MooncakesSessionsAreConversations) {
  const std::string text = shared_file("load_mooncake_synthetic.csv");
  if (text.empty()) GTEST_SKIP() << "no shared data";
  int judged = 0;
  for (const auto& [session, rhythm] : rhythms(text, &TraceRow::conversation)) {
    if (rhythm.shape() == Shape::kUnknown) continue;
    ++judged;
    EXPECT_EQ(rhythm.shape(), Shape::kConversational) << session;
    EXPECT_FALSE(rhythm.crowd()) << session;
  }
  EXPECT_EQ(judged, 3);
}

// Steps of these agents come one a second, or spread evenly over the run: their pace, not their sessions, is real.
TEST(Rhythm, RecordedAgentsAreAutonomous) {
  int judged = 0;
  for (const char* name : {"traj_autogpt_events.jsonl", "traj_taubench_events.jsonl"}) {
    std::istringstream lines(shared_file(name));
    std::map<std::string, Rhythm> runs;
    for (std::string line; std::getline(lines, line);) {
      if (line.find("\"llm_call\"") == std::string::npos) continue;
      const auto after = [&](std::string_view word) {
        const std::size_t at = line.find(word);
        return at == std::string::npos ? std::string_view() : std::string_view(line).substr(at + word.size());
      };
      const std::string_view id = after("\"trace\":");
      std::int64_t step = std::atoll(std::string(after("\"step\":")).c_str());
      const std::int64_t out = std::atoll(std::string(after("\"out_tok\":")).c_str());
      runs[std::string(id.substr(0, id.find(',')))].add(step * kSecond, ServiceTime{}.of(out));
    }
    for (const auto& [run, rhythm] : runs) {
      if (rhythm.shape() == Shape::kUnknown) continue;
      ++judged;
      EXPECT_EQ(rhythm.shape(), Shape::kAutonomous) << name << " " << run;
    }
  }
  if (judged == 0) GTEST_SKIP() << "no shared data";
  EXPECT_GE(judged, 12);
}

}  // namespace
}  // namespace weir
