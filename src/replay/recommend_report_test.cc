#include "replay/recommend_report.h"

#include "replay/test_recommend.h"

namespace weir {
namespace {

const LimitFinding* find(const std::vector<LimitFinding>& findings, std::string_view limit, std::string_view window) {
  const auto found = std::find_if(findings.begin(), findings.end(), [&](const LimitFinding& finding) {
    return finding.limit == limit && finding.window == window;
  });
  return found == findings.end() ? nullptr : &*found;
}

TEST(Compare, SaysOfEveryLimitWhatToDoAndWhy) {
  const auto policy = policy_from(R"(
limits:
  - { name: loose, per: caller, meter: requests, allow: 500/1m }
  - { name: tight, per: key, meter: requests, allow: [3/1m, 45/1h] }
  - { name: paced, per: user, meter: requests, allow: 60/h burst 70 }
  - { name: month, per: caller, meter: usd, allow: 10/month }
  - { name: team, per: tenant, meter: tokens, allow: 1M/1m }
  - { name: one, per: caller, meter: requests, allow: 5/1m, match: { model: gpt-4o } }
  - { name: pros, per: caller, meter: requests, allow: 5/1m, match: { tier: pro } }
  - { name: own, per: caller, meter: requests, allow: "{metadata.rpm}/1m" }
  - { name: runs, per: caller, meter: runs, allow: 5/1m }
  - { name: flight, per: caller, meter: concurrency, allow: 5 }
)");
  std::vector<Used> rows;
  for (int hour = 0; hour < 30; ++hour) {
    for (int i = 0; i < 9; ++i) rows.push_back({.at = hour * 3'600.0 + i});
  }
  const UseBook book = book_of(*policy, rows);
  const auto findings = compare(*policy, book);
  const auto expect = [&](std::string_view limit, std::string_view window, LimitVerdict verdict, std::string_view to,
                          std::string_view why) {
    const LimitFinding* finding = find(findings, limit, window);
    ASSERT_NE(finding, nullptr) << limit;
    EXPECT_EQ(finding->verdict, verdict) << limit;
    EXPECT_EQ(finding->proposed, to) << limit;
    EXPECT_EQ(finding->why, why) << limit;
  };
  expect("loose", "1m", LimitVerdict::kTighten, "100",
         "500 is 55 times the p95 of 9 per minute: it would stop a runaway late; 10 times is 100");
  expect("tight", "1m", LimitVerdict::kLoosen, "40",
         "3 is 0.33 times the p95 of 9 per minute: ordinary peaks meet it; 4 times is 40");
  expect("tight", "1h", LimitVerdict::kFits, "", "45 is 5 times the p95 of 9 per hour");
  expect("paced", "60/h", LimitVerdict::kFits, "", "70 is 7.8 times the p95 of 9 per minute");
  expect("month", "month", LimitVerdict::kNotJudged, "", "use per month is not measured; minutes, hours and days are");
  expect("team", "", LimitVerdict::kNotJudged, "", "counts per tenant; only use per caller is measured");
  expect("one", "", LimitVerdict::kNotJudged, "",
         "holds for some requests only (match: model); all of a caller's are measured");
  expect("own", "1m", LimitVerdict::kNotJudged, "", "each key has its own amount");
  expect("runs", "1m", LimitVerdict::kNotJudged, "", "nothing of it was used");
  expect("flight", "", LimitVerdict::kNotJudged, "", "the meter concurrency is not measured");
  EXPECT_EQ(find(findings, "pros", "5m"), nullptr) << "holds for a tier that nobody of these has";
}

TEST(Compare, DoesNotJudgeADayByAnHour) {
  const auto policy = policy_from("limits: [{ name: day, per: caller, meter: requests, allow: 10/day }]");
  const auto findings = compare(*policy, book_of(*policy, {{.at = 0}, {.at = 3'700}}));
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].why, "less than one day was seen");
}

struct Whole {
  std::shared_ptr<const Policy> policy;
  std::vector<Used> rows;
  UseBook book;
  std::unique_ptr<Trial> trial;
  Recommendation r;
  explicit Whole(std::vector<Used> all, std::string_view limits = "")
      : policy(policy_from(limits)),
        rows(std::move(all)),
        book(book_of(*policy, rows)),
        trial(tried(*policy, book, rows)),
        r{.policy = *policy, .book = book, .trial = *trial, .notes = notes_on(*policy, book, *trial, {}, 0)} {}
};

bool has(const std::vector<std::string>& notes, std::string_view words) {
  return std::any_of(notes.begin(), notes.end(),
                     [&](const std::string& note) { return note.find(words) != std::string::npos; });
}

TEST(Notes, SayHowMuchWasSeenWhenItIsLessThanAWeek) {
  EXPECT_TRUE(has(Whole({{.at = 0}, {.at = 120}}).r.notes, "only 2 minutes seen, less than a week"));
  EXPECT_TRUE(has(Whole({{.at = 0}, {.at = 3'600}}).r.notes, "only 1 hour seen, less than a week"));
  EXPECT_TRUE(has(Whole({{.at = 0}, {.at = 3'600}}).r.notes, "no whole day was seen, so no limits per day"));
  EXPECT_TRUE(has(Whole({{.at = 0}, {.at = 3.5 * 86'400}}).r.notes, "only 3.5 days seen"));
  EXPECT_TRUE(has(Whole({{.at = 0}, {.at = 3.5 * 86'400}}).r.notes, "ask again after 2026-01-12"));
  EXPECT_FALSE(has(Whole(office(20, 9, 0)).r.notes, "less than a week"));
}

TEST(Notes, SayWhenThereAreTooFewConsumers) {
  EXPECT_TRUE(has(Whole(office(19, 9, 0)).r.notes, "free agent: only 19 consumers, too few"));
  EXPECT_FALSE(has(Whole(office(20, 9, 0)).r.notes, "too few"));
}

TEST(Notes, SayWhichTierThePolicyDoesNotKnow) {
  EXPECT_TRUE(has(Whole({{.tier = "gold"}}).r.notes, "gold agent: the policy has no such tier"));
  EXPECT_FALSE(has(Whole({{.tier = "pro"}}).r.notes, "no such tier"));
}

TEST(Notes, SayWhatWasLeftOutAndWhatLimitsCutOff) {
  const Whole whole(std::vector<Used>(1));
  Exclusions exclusions;
  exclusions.note({.event = AuditEvent::kRefused, .count = 1'234});
  const auto notes = notes_on(*whole.policy, whole.book, *whole.trial, exclusions, 2);
  EXPECT_TRUE(has(notes, "2 requests left out"));
  EXPECT_TRUE(has(notes, "1,234 requests refused meanwhile"));
}

TEST(Notes, SayWhoHasOutgrownTheTierWhenNoMultipleWillDo) {
  EXPECT_TRUE(has(Whole(office(30, 8, 100)).r.notes,
                  "free agent: even 10 times p95 would refuse 1.8% of the requests, all of them of 1 consumer"));
  EXPECT_FALSE(has(Whole(office(30, 8, 7)).r.notes, "even 10 times"));
}

TEST(Report, JsonIsOneObjectPerLine) {
  const std::string json = recommendation_json(Whole(office(30, 8, 100)).r);
  EXPECT_EQ(json.find(R"({"finding":"seen","requests":4900,"consumers":31,"from":"2026-01-05T08:00:00.000Z")"), 0u);
  EXPECT_NE(json.find(R"({"finding":"choice","tier":"free","kind":"agent","multiple":4,"chosen":false,"requests":4900,)"
                      R"("refused":96,"consumers":31,"refused_consumers":1,"who":[{"name":"heavy","refused":96}])"),
            std::string::npos)
      << json;
  EXPECT_NE(json.find(R"("meter":"requests","window":"minute","windows":4801,"p50":1,"p95":1,"p99":1,)"
                      R"("amounts":{"4":4,"5":5,"6":6,"8":8,"10":10}})"),
            std::string::npos)
      << json;
}

TEST(Report, YamlChecksWhateverTheNamesAre) {
  std::vector<Used> rows = office(30, 8, 100);
  for (std::size_t i = 0; i < rows.size(); i += 3) rows[i].tier = "evil\nlimits: []";
  for (std::size_t i = 1; i < rows.size(); i += 3) rows[i].kind = "service";
  const std::string yaml = recommendation_yaml(Whole(rows).r);
  const LoadedPolicy loaded = load_policy(yaml, "patch.yaml", [](std::string_view) { return std::nullopt; });
  for (const Diagnostic& diagnostic : loaded.diagnostics) EXPECT_FALSE(diagnostic.error) << to_string(diagnostic);
  ASSERT_TRUE(loaded.policy) << yaml;
  EXPECT_GE(loaded.policy->limits.size(), 4u);
  EXPECT_NE(yaml.find("not sized here: runs, in-flight, high-risk"), std::string::npos) << yaml;
}

TEST(Report, YamlKeepsTheLaddersOfLimitsThatItReplaces) {
  const std::string yaml = recommendation_yaml(Whole(office(30, 8, 100), R"(
limits:
  - name: spend
    per: caller
    meter: usd
    allow: 10/day
    on_exceed: degrade
    hard: 120%
    degrade:
      - { at: 50%, model: { "gpt: 4o": gpt-4o-mini, o3: o4-mini }, max_tokens: 2048 }
      - { at: 80%, keep_messages: 12 }
  - { name: of-keys, per: key, meter: tokens, allow: 10/1m, degrade: [{ at: 10%, max_tokens: 1 }] }
)")
                                                   .r);
  const LoadedPolicy loaded = load_policy(yaml, "patch.yaml", [](std::string_view) { return std::nullopt; });
  for (const Diagnostic& diagnostic : loaded.diagnostics) EXPECT_FALSE(diagnostic.error) << to_string(diagnostic);
  ASSERT_TRUE(loaded.policy) << yaml;
  for (const LimitRule& rule : loaded.policy->limits) {
    if (rule.meter_name != "usd") {
      EXPECT_TRUE(rule.degrade.empty()) << rule.name;
      continue;
    }
    EXPECT_EQ(rule.on_exceed, OnExceed::kDegrade);
    EXPECT_EQ(rule.hard_percent, 120);
    ASSERT_EQ(rule.degrade.size(), 2u);
    EXPECT_EQ(rule.degrade[0].percent, 50);
    EXPECT_EQ(rule.degrade[0].model.at("gpt: 4o"), "gpt-4o-mini");
    EXPECT_EQ(rule.degrade[0].model.at("o3"), "o4-mini");
    EXPECT_EQ(rule.degrade[0].max_tokens, 2048);
    EXPECT_EQ(rule.degrade[1].keep_messages, 12u);
  }
  EXPECT_NE(yaml.find("meter: usd"), std::string::npos) << yaml;
}

}  // namespace
}  // namespace weir
