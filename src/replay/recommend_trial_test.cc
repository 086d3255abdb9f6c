#include "replay/recommend_trial.h"

#include <map>
#include <random>

#include "replay/test_recommend.h"

namespace weir {
namespace {

TEST(Trial, TellsHowManyRequestsOfWhomEachMultipleWouldHaveRefused) {
  const auto policy = built_in();
  const std::vector<Used> rows = office(30, 8, 100);
  const UseBook book = book_of(*policy, rows);
  const auto trial = tried(*policy, book, rows);
  // p95 of requests per minute is 1; the heavy one asks 100 times within ten seconds.
  for (std::size_t at = 0; at < kMultiples.size(); ++at) {
    const Choice& choice = trial->choices(0)[at];
    EXPECT_EQ(choice.refused, 100 - kMultiples[at]);
    EXPECT_EQ(choice.consumers, 1);
    ASSERT_EQ(choice.named.size(), 1u);
    EXPECT_EQ(choice.named[0].first, "heavy");
  }
  EXPECT_EQ(trial->chosen(0), kMultiples.size() - 1) << "none refuses at most one in a thousand";
}

TEST(Trial, ChoosesTheSmallestMultipleThatHardlyRefuses) {
  const auto policy = built_in();
  const std::vector<Used> rows = office(100, 8, 7);  // 16,007 requests
  const UseBook book = book_of(*policy, rows);
  const auto trial = tried(*policy, book, rows);
  EXPECT_EQ(trial->choices(0)[0].refused, 3);
  EXPECT_EQ(trial->chosen(0), 0u);
}

TEST(Trial, ReplaysNobodyOfWhomNothingCanBeRefused) {
  const auto policy = built_in();
  const std::vector<Used> rows = office(30, 8, 100);
  const UseBook book = book_of(*policy, rows);
  EXPECT_EQ(tried(*policy, book, rows)->replayed(), 500);
}

TEST(Trial, NamesTheFiveWithMostRefusals) {
  const auto policy = built_in();
  std::vector<Used> rows = office(30, 8, 0);
  for (int heavy = 0; heavy < 8; ++heavy) {
    for (int i = 0; i < 20 + heavy; ++i) rows.push_back({.at = 9 * 86'400.0 + i, .key = "h" + std::to_string(heavy)});
  }
  std::stable_sort(rows.begin(), rows.end(), [](const Used& a, const Used& b) { return a.at < b.at; });
  const UseBook book = book_of(*policy, rows);
  const auto trial = tried(*policy, book, rows);
  const Choice& choice = trial->choices(0)[0];
  EXPECT_EQ(choice.consumers, 8);
  std::string names;
  for (const auto& [name, refused] : choice.named) names += name + " ";
  EXPECT_EQ(names, "h7 h6 h5 h4 h3 ");
}

// Callers come in blocks of requests `gap` seconds apart, most blocks short and a few long; calm ones in between.
std::vector<Used> blocks(unsigned seed, double gap) {
  std::mt19937_64 random(seed);
  std::vector<Used> rows;
  double at = 0;
  while (rows.size() < 4'000) {
    const std::size_t who = random() % 30;
    const bool flood = random() % 80 == 0;
    const std::size_t size = flood ? 60 + random() % 200 : 1 + random() % 12;
    for (std::size_t i = 0; i < size; ++i) {
      at += (flood ? std::min(gap, 0.5) : gap) * static_cast<double>(random() % 100) / 50;
      rows.push_back({.at = at,
                      .key = "k" + std::to_string(who),
                      .input = static_cast<std::int64_t>(random() % 3'000),
                      .output = static_cast<std::int64_t>(random() % (who == 3 ? 9'000 : 200)),
                      .tier = who == 5 && random() % 2 == 0 ? "pro"
                              : who % 3 == 0                ? "pro"
                                                            : "free",
                      .kind = who % 4 == 0 ? "service" : "agent",
                      .run = "r" + std::to_string(rows.size() / (flood ? 2 : 9))});
    }
    at += static_cast<double>(random() % 600);
  }
  return rows;
}

// The shortcut must change no decision, whatever the shape and whether callers are in one tier or two.
TEST(Trial, LeavingOutTheCalmChangesNothing) {
  const auto policy = built_in();
  std::map<Shape, std::int64_t> refused;
  std::int64_t saved = 0;
  unsigned seed = 1;
  for (const double gap : {0.1, 4.0, 60.0, 0.1, 4.0, 15.0, 0.02, 3.0, 20.0}) {
    const std::vector<Used> rows = blocks(seed++, gap);
    const UseBook book = book_of(*policy, rows);
    const auto some = tried(*policy, book, rows), all = tried(*policy, book, rows, true);
    for (std::size_t group = 0; group < book.groups().size(); ++group) {
      for (std::size_t i = 0; i < kMultiples.size(); ++i) {
        const Choice& a = some->choices(group)[i];
        const Choice& b = all->choices(group)[i];
        EXPECT_EQ(a.refused, b.refused) << seed << " x" << kMultiples[i] << " " << book.groups()[group].tier;
        EXPECT_EQ(a.named, b.named);
        refused[book.groups()[group].shape] += b.refused;
      }
    }
    saved += all->replayed() - some->replayed();
  }
  for (const Shape shape : {Shape::kConversational, Shape::kBatch, Shape::kAutonomous}) {
    EXPECT_GT(refused[shape], 20) << to_string(shape) << " traffic met limits";
  }
  EXPECT_GT(saved, 10'000) << "the shortcut was taken";
}

TEST(Trial, ATierThatThePolicyDoesNotKnowIsTriedByItsOwnAmounts) {
  const auto policy = built_in();
  std::vector<Used> rows = office(30, 8, 100);
  for (Used& row : rows) row.tier = "Gold Plan";
  for (const char* tier : {"gold", "Gold Plan", "default", "", "anonymous"}) {
    for (Used& row : rows) row.tier = tier;
    const UseBook book = book_of(*policy, rows);
    EXPECT_EQ(tried(*policy, book, rows)->choices(0)[0].refused, 96) << tier;
  }
}

}  // namespace
}  // namespace weir
