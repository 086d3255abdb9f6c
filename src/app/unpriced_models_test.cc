// Notes about models without a price: bounded, only of what was charged, and gone with a price.
#include "app/unpriced_models.h"

#include <gtest/gtest.h>

#include "policy/test_ruleset.h"

namespace weir {
namespace {

class UnpricedModelsTest : public RulesetTest {
 protected:
  UnpricedModelsTest() { compile(kAny); }
  void settle(const std::string& model, std::int64_t usd_micros) {
    DecisionEvent event;
    event.what = DecisionEvent::What::kSettled;
    event.rules = rules_;
    event.provider = "any";
    event.model = model;
    event.usd_micros = usd_micros;
    const DecisionEvent* const events[] = {&event};
    unpriced.take(events, kNow);
  }
  std::vector<HealthProblem> notes() {
    std::vector<HealthProblem> out;
    unpriced.add_notes(rules_->policy(), out);
    return out;
  }
  static constexpr const char* kAny = "providers: { any: { dialect: openai, url: \"http://127.0.0.1:9\" } }\n";
  UnpricedModels unpriced;
};

TEST_F(UnpricedModelsTest, OnlyWhatWasChargedIsNotedAndAPriceEndsIt) {
  settle("invented", 0);
  EXPECT_TRUE(notes().empty());
  settle("dear", 5);
  settle("gpt-4o", 5);
  ASSERT_EQ(notes().size(), 1u);
  EXPECT_EQ(notes()[0].what, "price of dear");
  compile(std::string(kAny) + "models: { dear: { provider: any, price: { input: 1, output: 1 } } }\n");
  EXPECT_TRUE(notes().empty());
}

TEST_F(UnpricedModelsTest, TenAreShownTheRestIsCountedAndTheLatestAreKnown) {
  for (int i = 0; i < 210; ++i) settle("m" + std::to_string(i), 5);
  const std::vector<HealthProblem> all = notes();
  ASSERT_EQ(all.size(), UnpricedModels::kMaxShown + 1);
  EXPECT_EQ(all[0].what, "price of m209");
  EXPECT_NE(all.back().detail.find("Of 190 more"), std::string::npos) << all.back().detail;
}

}  // namespace
}  // namespace weir
