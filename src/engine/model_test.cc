// The Limiter against the reference model on random histories: every answer must be equal. Covers P2, P3, P5 to P13,
// P15 and P16 at once; properties_test.cc then states each on its own.
#include <gtest/gtest.h>

#include "engine/prove_support.h"
#include "engine/reference_model.h"

namespace weir::engine {
namespace {

constexpr std::size_t kCounters = 6;

struct World {
  Limiter limiter{LimiterOptions{.remember_closed = kMaxWindow, .stripes = 4}};
  std::vector<CounterId> ids;
  ReferenceModel model{{}};
  Random random;
  TimeNs now = kTestStart - kTestStart % (24 * 3600 * kSecond);
  std::uint64_t next_id = 1;
  std::vector<Hash128> reservations;

  // Worlds whose clock steps back keep a slot open on every subject: an evicted record leaves its time to the whole
  // stripe (Stripe::floor), which the model does not know.
  const bool steps_back;

  explicit World(std::uint64_t seed) : random(seed), steps_back(seed % 2 == 0) {
    const auto precision = static_cast<std::uint16_t>(below(2) == 0 ? 60 : 1 + below(10));
    std::vector<ModelCounter> counters{
        {.kind = WindowKind::kSliding, .window = 10 * kSecond, .precision = precision},
        {.kind = WindowKind::kSliding, .window = 7 * kSecond + 13, .precision = precision},
        {.kind = WindowKind::kBucket},
        {.kind = WindowKind::kBucket},
        {.kind = WindowKind::kCalendar},
        {.kind = WindowKind::kConcurrency}};
    for (std::size_t i = 0; i < counters.size(); ++i) {
      ids.push_back(limiter.define({.identity = "counter " + std::to_string(i),
                                    .kind = counters[i].kind,
                                    .window = counters[i].window,
                                    .precision = precision}));
    }
    model = ReferenceModel(counters);
    const CounterId pin = limiter.define({.identity = "pin", .kind = WindowKind::kConcurrency});
    for (std::uint64_t i = 0; i < 6 && steps_back; ++i) {
      Ask ask{
          .counter = pin, .amount = 1, .key = {1, 10 * (i / 2 + 1) + i % 2}, .id = {99, i + 1}, .deadline = kMaxTime};
      admit(limiter, ask, now);
    }
  }

  std::int64_t below(std::int64_t bound) { return random.below(bound); }

  Quota quota(CounterId counter) {
    Quota quota{.amount = std::array<std::int64_t, kCounters>{200, 8, 10, 50, 300, 4}[counter]};
    if (counter == 2) quota.rate = {.units = 3, .per = kSecond};
    if (counter == 3) quota.rate = {.units = 7, .per = kSecond};
    quota.period_start = now - now % (3600 * kSecond);
    quota.period_end = quota.period_start + 3600 * kSecond;
    return quota;
  }

  void step_time() {
    const auto kind = below(40);
    if (kind == 0)
      now += below(2 * 3600) * kSecond;
    else if (kind == 1 && steps_back)
      now -= std::min(below(3) * kSecond, now % (3600 * kSecond));  // stays within the period
    else if (kind < 20)
      now += below(3 * kSecond);
    else if (kind < 30)
      now += below(200);
  }
};

void expect_equal(const Decision& real, const Decision& model, const char* what) {
  ASSERT_EQ(real.admitted, model.admitted) << what;
  ASSERT_EQ(real.count, model.count) << what;
  ASSERT_EQ(real.replayed, model.replayed) << what;
  ASSERT_EQ(real.retry_after, model.retry_after) << what;
  for (std::size_t i = 0; i < real.count; ++i) {
    ASSERT_EQ(real.verdicts[i].refuses, model.verdicts[i].refuses) << what << i;
    ASSERT_EQ(real.verdicts[i].used, model.verdicts[i].used) << what << i;
    ASSERT_EQ(real.verdicts[i].reserved, model.verdicts[i].reserved) << what << i;
    ASSERT_EQ(real.verdicts[i].retry_after, model.verdicts[i].retry_after) << what << i;
    ASSERT_EQ(real.verdicts[i].reset_at, model.verdicts[i].reset_at) << what << i;
  }
}

void admission(World& world) {
  std::array<Subject, 3> subjects;
  for (std::size_t i = 0; i < 3; ++i) subjects[i].key = {1, 10 * (i + 1) + static_cast<std::uint64_t>(world.below(2))};
  std::vector<Demand> demands;
  for (CounterId counter = 0; counter < kCounters; ++counter) {
    if (world.below(2) == 0) continue;
    const std::int64_t most = std::array<std::int64_t, kCounters>{60, 3, 4, 20, 60, 2}[counter];
    demands.push_back({.counter = counter,
                       .subject = static_cast<std::uint8_t>(world.below(3)),
                       .hold = world.below(2) == 0,
                       .shadow = world.below(8) == 0,
                       .cost = world.below(30) == 0 ? 1000 : world.below(most + 1),
                       .quota = world.quota(counter)});
  }
  Hash128 id{};
  if (world.below(2) == 0) id = {5, world.below(20) == 0 ? world.next_id : ++world.next_id};
  const AdmitRequest model_request{.subjects = subjects,
                                   .demands = demands,
                                   .now = world.now,
                                   .id = id,
                                   .deadline = world.now + world.below(30) * kSecond};
  std::vector<Demand> real_demands = demands;
  for (Demand& demand : real_demands) demand.counter = world.ids[demand.counter];
  AdmitRequest real_request = model_request;
  real_request.demands = real_demands;
  Decision real;
  if (world.below(4) == 0) {
    world.limiter.peek(real_request, real);
    return expect_equal(real, world.model.peek(model_request), "peek ");
  }
  world.limiter.admit(real_request, real);
  expect_equal(real, world.model.admit(model_request), "admit ");
  if (id && real.admitted) world.reservations.push_back(id);
}

void later(World& world) {
  if (world.reservations.empty()) return;
  const Hash128 id =
      world.reservations[static_cast<std::size_t>(world.below(static_cast<std::int64_t>(world.reservations.size())))];
  std::vector<std::int64_t> amounts(kMaxDemands);
  for (std::int64_t& amount : amounts) amount = world.below(8);
  const auto kind = world.below(10);
  if (kind < 3) {
    Decision decision;
    world.limiter.top_up(id, amounts, world.now, decision);
    expect_equal(decision, world.model.top_up(id, amounts, world.now), "top_up ");
  } else if (kind < 4) {
    ASSERT_EQ(world.limiter.cancel(id, world.now).outcome, world.model.settle(id, {}, world.now));
  } else {
    for (std::int64_t& amount : amounts) amount = world.below(6) == 0 ? world.below(100) : world.below(20);
    ASSERT_EQ(world.limiter.settle(id, amounts, world.now).outcome, world.model.settle(id, amounts, world.now));
  }
}

TEST(Model, EveryAnswerOfARandomHistoryIsEqual) {
  check_seeds(400, [](std::uint64_t seed) {
    World world(seed);
    for (int step = 0; step < 200; ++step) {
      SCOPED_TRACE(testing::Message() << "step " << step << " now " << world.now);
      world.step_time();
      const auto kind = world.below(20);
      if (kind < 13)
        admission(world);
      else if (kind < 18)
        later(world);
      else
        ASSERT_EQ(world.limiter.expire(world.now, 1000), world.model.expire(world.now));
      if (testing::Test::HasFatalFailure()) return;
    }
  });
}

}  // namespace
}  // namespace weir::engine
