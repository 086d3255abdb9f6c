#include "counters/local.h"

#include "counters/contract_test.h"

namespace weir {
namespace {

class LocalRig final : public CountersRig {
 public:
  Counters& counters() override { return counters_; }
  void wait() override {}

 private:
  Limiter limiter_;
  LocalCounters counters_{limiter_};
};

INSTANTIATE_TEST_SUITE_P(Local, CountersContract, testing::Values(+[]() -> std::unique_ptr<CountersRig> {
                           return std::make_unique<LocalRig>();
                         }));

// A listener may ask again from within its answer; the effects it was given stay intact.
struct Asking final : AdmissionEvents {
  LocalCounters* counters = nullptr;
  RecordedSettlement inner;
  Effect seen;

  void on_decision(CountersStatus, const Decision&, std::span<const Effect> effects) override {
    counters->cancel({3, 3}, 1'000, inner);
    seen = effects[0];
  }
};

TEST(LocalCounters, MayBeAskedFromWithinAnAnswer) {
  Limiter limiter;
  LocalCounters counters(limiter);
  const CounterId id = counters.define({.identity = "tokens", .window = 1'000'000'000});
  const Subject subject{.key = {1, 2}};
  const Demand demand{.counter = id, .hold = true, .cost = 5, .quota = {.amount = 10}};
  Asking asking;
  asking.counters = &counters;
  counters.admit({.subjects = {&subject, 1}, .demands = {&demand, 1}, .now = 500, .id = {3, 3}}, asking);
  EXPECT_EQ(asking.seen.amount, 5);
  EXPECT_EQ(asking.inner.outcome, Outcome::kDone);
}

}  // namespace
}  // namespace weir
