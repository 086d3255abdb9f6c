#include "replay/recommend_proposal.h"

#include "replay/test_recommend.h"

namespace weir {
namespace {

constexpr std::array kPlain = {UseMeter::kRequests, UseMeter::kTokens, UseMeter::kRuns};

TEST(WrittenAmount, IsAFigurePeopleWriteAndNotLess) {
  const std::pair<std::int64_t, std::string> cases[] = {
      {0, "1"},        {1, "1"},        {7, "7"},        {9, "9"},          {11, "12"},        {13, "15"},
      {21, "25"},      {61, "80"},      {81, "100"},     {101, "120"},      {999, "1k"},       {1'001, "1k"},
      {1'010, "1200"}, {1'400, "1500"}, {49'999, "50k"}, {111'000, "120k"}, {2'000'000, "2M"}, {2'100'000, "2500k"}};
  for (const auto& [amount, text] : cases) {
    EXPECT_EQ(amount_text(written_amount(amount, UseMeter::kTokens), UseMeter::kTokens), text) << amount;
  }
  for (std::int64_t amount = 1; amount < (std::int64_t{1} << 50); amount += 1 + amount / 7) {
    const std::int64_t written = written_amount(amount, UseMeter::kTokens);
    EXPECT_GE(written, amount - amount / 128);
    EXPECT_LE(static_cast<double>(written), 1.34 * static_cast<double>(amount));
    EXPECT_EQ(written_amount(written, UseMeter::kTokens), written);
  }
}

TEST(WrittenAmount, OfMoneyIsDollarsAndAtLeastACent) {
  EXPECT_EQ(amount_text(written_amount(1, UseMeter::kUsd), UseMeter::kUsd), "0.01");
  EXPECT_EQ(amount_text(written_amount(13'000, UseMeter::kUsd), UseMeter::kUsd), "0.015");
  EXPECT_EQ(amount_text(written_amount(2'400'000, UseMeter::kUsd), UseMeter::kUsd), "2.50");
  EXPECT_EQ(amount_text(written_amount(41'000'000, UseMeter::kUsd), UseMeter::kUsd), "50");
}

TEST(WrittenAmount, IsWithinWhatAPolicyTakesEvenForTheLargestUse) {
  for (const UseMeter meter : kPlain) EXPECT_LE(written_amount(std::int64_t{1} << 62, meter), kMaxAmount);
}

std::string texts(const GroupProposal& proposal) {
  std::string out;
  for (const ProposedLimit& limit : proposal.limits) {
    out += limit.meter + ":";
    for (const std::string& window : limit.windows) out += " " + window;
    out += "; ";
  }
  return out;
}

GroupUse used(Shape shape, UseWindow longest) {
  GroupUse group;
  group.shape = shape;
  group.longest = longest;
  group.requests = 100;
  group.answer_seconds = 300;
  const std::int64_t amounts[kUseWindows][kUseMeters] = {
      {10, 1'000, 5'000, 1}, {100, 10'000, 50'000, 8}, {400, 40'000, 200'000, 20}};
  for (std::size_t window = 0; window < kUseWindows; ++window) {
    for (std::size_t meter = 0; meter < kUseMeters; ++meter) group.use[window][meter].add(amounts[window][meter]);
  }
  return group;
}

TEST(Proposal, WindowsFollowTheShape) {
  using enum UseWindow;
  EXPECT_EQ(texts(propose(used(Shape::kConversational, kPerDay), 5)),
            "requests: 50/1m 2k/day; tokens: 5k/1m 200k/day; usd: 1/day; ");
  EXPECT_EQ(texts(propose(used(Shape::kUnknown, kPerDay), 4)),
            "requests: 40/1m 2k/day; tokens: 4k/1m 200k/day; usd: 0.80/day; ");
  EXPECT_EQ(texts(propose(used(Shape::kBatch, kPerDay), 5)),
            "requests: 500/h burst 50; tokens: 50k/hour 200k/day; usd: 1/day; concurrency: 3; ");
  EXPECT_EQ(texts(propose(used(Shape::kAutonomous, kPerDay), 5)),
            "requests: 500/h burst 50; tokens: 50k/1h 200k/day; usd: 1/day; runs: 40/1h; ");
}

TEST(Proposal, NoWindowIsLongerThanWhatWasSeen) {
  using enum UseWindow;
  EXPECT_EQ(texts(propose(used(Shape::kConversational, kPerHour), 5)),
            "requests: 50/1m; tokens: 5k/1m; usd: 0.25/hour; ");
  EXPECT_EQ(texts(propose(used(Shape::kAutonomous, kPerMinute), 5)),
            "requests: 50/1m; tokens: 5k/1m; usd: 0.025/1m; runs: 5/1m; ");
}

TEST(Proposal, ALongerWindowNeverGetsLess) {
  // One steady caller fills the minutes; of hours most belong to callers who come once.
  std::vector<Used> rows;
  for (int minute = 0; minute < 60; ++minute) {
    for (int i = 0; i < 50; ++i) rows.push_back({.at = minute * 60.0 + i, .key = "steady"});
  }
  for (int i = 0; i < 100; ++i) rows.push_back({.at = 90'000.0 + i, .key = "once-" + std::to_string(i)});
  const auto policy = built_in();
  const UseBook book = book_of(*policy, rows);
  const GroupUse& group = book.groups()[0];
  EXPECT_GT(group.of(UseWindow::kPerMinute, UseMeter::kRequests).quantile(0.95),
            group.of(UseWindow::kPerHour, UseMeter::kRequests).quantile(0.95));
  EXPECT_GE(amount_at(group, UseWindow::kPerDay, UseMeter::kRequests, 4),
            amount_at(group, UseWindow::kPerMinute, UseMeter::kRequests, 4));
}

TEST(Proposal, ChecksAsAFileWithTiersAndKindsOfTheirOwn) {
  const std::vector<std::string> tiers = {"free", "pro", "enterprise"};
  std::vector<GroupUse> groups(4, used(Shape::kConversational, UseWindow::kPerDay));
  groups[1] = used(Shape::kAutonomous, UseWindow::kPerDay);
  groups[2] = used(Shape::kBatch, UseWindow::kPerDay);
  const std::pair<const char*, const char*> names[] = {
      {"free", "agent"}, {"pro", "agent"}, {"pro", "service"}, {"gold: {}", "human"}};
  std::vector<GroupProposal> proposals;
  for (std::size_t i = 0; i < groups.size(); ++i) {
    groups[i].tier = names[i].first;
    groups[i].kind = names[i].second;
    groups[i].requests = 100 - static_cast<std::int64_t>(i);
    proposals.push_back(propose(groups[i], 6));
  }
  const std::string yaml = limits_yaml(groups, proposals, tiers, "free");
  const LoadedPolicy loaded = load_policy(yaml, "patch.yaml", [](std::string_view) { return std::nullopt; });
  for (const Diagnostic& diagnostic : loaded.diagnostics) ADD_FAILURE() << to_string(diagnostic) << "\n" << yaml;
  ASSERT_TRUE(loaded.policy);
  EXPECT_EQ(yaml.find("gold"), std::string::npos) << "a tier that the policy does not know stands in no map";
  EXPECT_NE(yaml.find("kind: human"), std::string::npos);
  EXPECT_NE(yaml.find("kind: { not: [human, service] }"), std::string::npos)
      << "the busiest kind stands for all others";
}

TEST(Proposal, OneKindNeedsNoMatch) {
  std::vector<GroupUse> groups{used(Shape::kConversational, UseWindow::kPerDay)};
  groups[0].tier = "free";
  groups[0].kind = "agent";
  const std::vector<GroupProposal> proposals{propose(groups[0], 4)};
  EXPECT_EQ(limits_yaml(groups, proposals, {}, "free"), R"(limits:
  - name: requests
    per: caller
    meter: requests
    allow:
      default: [40/1m, 2k/day]
  - name: tokens
    per: caller
    meter: tokens
    allow:
      default: [4k/1m, 200k/day]
  - name: usd
    per: caller
    meter: usd
    allow:
      default: 0.80/day
)");
}

}  // namespace
}  // namespace weir
