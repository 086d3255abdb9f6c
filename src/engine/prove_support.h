// How often a property runs, and what it says when it fails: each random history grows from one seed of its own.
//
//   TEST(P2, NoWindowHoldsMore) {
//     check_seeds(60, [](std::uint64_t seed) { Random random(seed); ... ASSERT_LE(...); });
//   }
//
// Without more ado a test runs the number of histories it names (WEIR_TEST_SCALE multiplies it) from a fixed seed.
// WEIR_PROVE=N makes it N and prints a line that `./dev prove` sums up; WEIR_PROVE_SEED=S begins with seed S. A failure
// names its seed, and WEIR_PROVE=1 WEIR_PROVE_SEED=<seed> repeats just that history.
// One test at a time: it reads gtest's current test.
#pragma once

#include <gtest/gtest.h>
#include <sys/prctl.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "engine/test_support.h"

namespace weir::engine {

// SplitMix64 (Steele, Lea, Flood 2014): good enough, and nothing to set up for a history of a few steps.
class Random {
 public:
  using result_type = std::uint64_t;
  explicit Random(std::uint64_t seed) : state_(seed) {}

  static constexpr std::uint64_t min() { return 0; }
  static constexpr std::uint64_t max() { return ~std::uint64_t{0}; }
  std::uint64_t operator()() {
    std::uint64_t z = (state_ += 0x9E3779B97F4A7C15ull);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    return z ^ (z >> 31);
  }
  // 0 to bound - 1.
  std::int64_t below(std::int64_t bound) {
    return static_cast<std::int64_t>((*this)() % static_cast<std::uint64_t>(bound));
  }
  std::size_t index(std::size_t size) { return static_cast<std::size_t>((*this)() % size); }
  bool one_in(std::int64_t n) { return below(n) == 0; }
  // 0 to most; small and large powers of two are equally likely.
  std::int64_t any_size(std::int64_t most) {
    return std::min(most, static_cast<std::int64_t>((*this)() >> (1 + below(63))));
  }

 private:
  std::uint64_t state_;
};

struct Plan {
  int histories = 0;
  std::uint64_t seed = 0;
  bool proving = false;
};

inline Plan plan_of(int cases) {
  const char* histories = std::getenv("WEIR_PROVE");
  const char* seed = std::getenv("WEIR_PROVE_SEED");
  return {.histories = histories == nullptr ? scaled(cases) : std::max(1, std::atoi(histories)),
          .seed = seed == nullptr ? 2024 : std::strtoull(seed, nullptr, 10),
          .proving = histories != nullptr};
}

// A limiter maps huge pages, which take longer to clear than a short history takes to run; here small ones do.
inline void use_small_pages() {
  static const int result = prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
  static_cast<void>(result);
}

inline std::string current_test() {
  const auto* info = testing::UnitTest::GetInstance()->current_test_info();
  return std::string(info->test_suite_name()) + "." + info->name();
}

inline void report_histories(const Plan& plan, int ran) {
  if (!plan.proving) return;
  std::printf("proved %s %d histories, seeds %llu to %llu\n", current_test().c_str(), ran,
              static_cast<unsigned long long>(plan.seed),
              static_cast<unsigned long long>(plan.seed + static_cast<std::uint64_t>(ran) - 1));
  std::fflush(stdout);
}

// Runs `run(seed)` for as many seeds as planned and stops at the first failure. True if so many ran that what they met
// by chance can be expected.
template <typename Run>
bool check_seeds(int cases, const Run& run) {
  const Plan plan = plan_of(cases);
  use_small_pages();
  for (int i = 0; i < plan.histories; ++i) {
    const std::uint64_t seed = plan.seed + static_cast<std::uint64_t>(i);
    run(seed);
    if (!testing::Test::HasFailure()) continue;
    ADD_FAILURE() << current_test() << ": seed " << seed
                  << " is a counterexample; again: WEIR_PROVE=1 WEIR_PROVE_SEED=" << seed
                  << " <this program> --gtest_filter=" << current_test();
    return false;
  }
  report_histories(plan, plan.histories);
  return plan.histories >= std::min(cases, 20);
}

}  // namespace weir::engine
