// P18 and P22 over random histories: keys made of whatever strings, and amounts, times and rates up to their ends.
#include <map>
#include <set>

#include "engine/prove_support.h"
#include "weir/subject.h"

namespace weir::engine {
namespace {

using Tuple = std::vector<std::string>;

std::string nasty_value(Random& random) {
  static const std::vector<std::string> kPieces{
      "", "a", "b", "_", "|", ",", ":", "\\", " ", "/", "\n", "\xC3\xA9", "e\xCC\x81", "\xF0\x9F\x98\x80", "A", "0"};
  std::string value;
  for (std::size_t i = random.index(4); i > 0; --i) value += kPieces[random.index(kPieces.size())];
  if (random.one_in(8)) value.push_back('\0');
  if (random.one_in(12)) value.append(random.index(300), 'x');
  return value;
}

// A tuple that is easily mistaken for `from`: joined, split, moved or reordered.
Tuple look_alike(Random& random, Tuple from) {
  if (from.empty()) return {""};
  const std::size_t i = random.index(from.size());
  switch (random.below(6)) {
    case 0:
      from.insert(from.begin() + static_cast<std::ptrdiff_t>(i), "");
      break;
    case 1:
      if (i + 1 < from.size()) {
        from[i] += "_" + from[i + 1];
        from.erase(from.begin() + static_cast<std::ptrdiff_t>(i) + 1);
      }
      break;
    case 2: {
      const std::size_t cut = random.index(from[i].size() + 1);
      from.insert(from.begin() + static_cast<std::ptrdiff_t>(i) + 1, from[i].substr(cut));
      from[i].resize(cut);
      break;
    }
    case 3:
      // Joined by what the encoding itself may put between two values.
      if (i + 1 < from.size()) {
        const std::uint64_t between = random.one_in(2) ? from[i + 1].size() : random() % 3;
        from[i].append(reinterpret_cast<const char*>(&between), sizeof(between)).append(from[i + 1]);
        from.erase(from.begin() + static_cast<std::ptrdiff_t>(i) + 1);
      }
      break;
    case 4:
      std::swap(from[i], from[random.index(from.size())]);
      break;
    default:
      from[i].push_back('\0');
  }
  return from;
}

TEST(P18, DistinctTuplesNeverShareStateWhateverTheyAreMadeOf) {
  check_seeds(200, [](std::uint64_t seed) {
    Random random(seed);
    SubjectSecret secret;
    for (auto& byte : secret) byte = static_cast<unsigned char>(random());
    std::set<Tuple> tuples;
    while (tuples.size() < 20) {
      Tuple tuple(1 + random.index(3));
      for (std::string& value : tuple) value = nasty_value(random);
      tuples.insert(tuple);
      tuples.insert(look_alike(random, tuple));
    }
    SubjectHasher hasher(secret);
    std::vector<Hash128> keys;
    for (const Tuple& tuple : tuples) {
      hasher.begin(tuple[0]);
      for (std::size_t i = 1; i < tuple.size(); ++i) hasher.add(tuple[i]);
      keys.push_back(hasher.finish());
    }
    ASSERT_EQ(std::set<Hash128>(keys.begin(), keys.end()).size(), keys.size());
    Limiter limiter({.stripes = 4});
    const std::array<CounterId, 2> counters{sliding(limiter, "a", 60 * kSecond), sliding(limiter, "a_b", 60 * kSecond)};
    std::map<std::pair<std::size_t, std::size_t>, std::int64_t> used;
    for (int i = 0; i < 100; ++i) {
      const std::size_t key = random.index(keys.size()), counter = random.index(2);
      const Ask ask{.counter = counters[counter], .amount = 5, .cost = random.below(4), .key = keys[key]};
      std::int64_t& sum = used[{key, counter}];
      ASSERT_EQ(admit(limiter, ask, at(0)).admitted, sum + ask.cost <= 5);
      if (sum + ask.cost <= 5) sum += ask.cost;
    }
  });
}

// Everything at one instant, so that the sums are known exactly whatever the window: they saturate and never wrap.
struct Extreme {
  WindowKind kind = WindowKind::kSliding;
  Ask ask;
  __int128 total = 0;
  std::map<std::uint64_t, std::int64_t> held;  // by id

  bool exact() const { return kind != WindowKind::kBucket; }
  __int128 counted() const { return std::min<__int128>(total, kMaxTotal); }
};

Extreme extreme_counter(Random& random, Limiter& limiter, TimeNs now) {
  Extreme extreme{.kind = static_cast<WindowKind>(random.below(4))};
  extreme.ask = {
      .amount = random.one_in(4) ? 0 : random.any_size(kMaxAmount),
      .hold = true,
      .rate = {.units = 1 + random.any_size(kMaxAmount - 1), .per = kMinWindow + random.any_size(kMaxWindow)},
      .period_start = now - random.below(1000),
      .period_end = now + 1 + random.any_size(kMaxWindow)};
  if (random.one_in(3)) extreme.ask.amount = kMaxAmount - random.below(3);
  extreme.ask.counter = limiter.define({.identity = "c",
                                        .kind = extreme.kind,
                                        .window = kMinWindow + random.any_size(kMaxWindow - kMinWindow),
                                        .precision = static_cast<std::uint16_t>(1 + random.below(1000))});
  return extreme;
}

void check_extreme_admission(Random& random, Limiter& limiter, Extreme& extreme, TimeNs now, std::uint64_t id) {
  Ask ask = extreme.ask;
  ask.cost = random.one_in(3) ? random.below(3) : random.any_size(ask.amount + 1);
  if (random.one_in(6)) ask.cost = std::max<std::int64_t>(ask.amount - static_cast<std::int64_t>(extreme.counted()), 0);
  if (random.one_in(10)) ask.cost = random.one_in(2) ? -1 - random.any_size(kMaxAmount) : kMaxAmount + 1;
  ask.id = {1, id};
  ask.deadline = kMaxTime;
  const Decision decision = admit(limiter, ask, now);
  if (ask.cost < 0 || ask.cost > kMaxAmount) {
    ASSERT_FALSE(decision.admitted);
    ASSERT_EQ(decision.retry_after, kNever);
    return;
  }
  const Verdict& verdict = decision.verdicts[0];
  ASSERT_GE(verdict.used, 0);
  ASSERT_GE(verdict.reserved, 0);
  ASSERT_LE(verdict.used, kMaxTotal);
  ASSERT_GE(verdict.retry_after, 0);
  ASSERT_EQ(verdict.refuses, verdict.retry_after > 0);
  ASSERT_TRUE(ask.amount > 0 || decision.admitted == (ask.cost == 0 && extreme.total == 0));
  if (extreme.exact()) {
    ASSERT_TRUE(verdict.used + verdict.reserved == extreme.counted());
    ASSERT_EQ(decision.admitted, extreme.counted() + ask.cost <= ask.amount);
  } else if (decision.admitted) {
    // Of rates above one unit per nanosecond, the refill of a nanosecond is the smallest amount that can be told apart.
    const std::int64_t grain = ask.rate.units > ask.rate.per ? ask.rate.units / ask.rate.per + 1 : 0;
    // Debt saturates at the refill of 73 years, so a cost of nothing may find just no room used.
    ASSERT_TRUE(ask.cost == 0 || extreme.total + ask.cost <= ask.amount + grain)
        << "a bucket gives its burst at one instant, no more";
  }
  if (!decision.admitted) return;
  extreme.total += ask.cost;
  extreme.held[id] = ask.cost;
}

TEST(P22, AmountsRatesAndInstantsUpToTheirEndsSaturateAndNeverWrap) {
  check_seeds(300, [](std::uint64_t seed) {
    Random random(seed);
    Limiter limiter({.stripes = 1});
    const TimeNs now = random.one_in(4) ? kMaxTime - random.any_size(kMaxWindow) : 1 + random.any_size(kMaxTime);
    Extreme extreme = extreme_counter(random, limiter, now);
    // Instants beyond the ends are the ends.
    const TimeNs told = now >= kMaxTime && random.one_in(2) ? std::numeric_limits<TimeNs>::max() : now;
    for (std::uint64_t id = 1; id <= 60; ++id) {
      check_extreme_admission(random, limiter, extreme, told, id);
      if (testing::Test::HasFatalFailure()) return;
      if (extreme.held.empty() || random.one_in(2)) continue;
      const auto one = std::next(extreme.held.begin(), random.below(static_cast<std::int64_t>(extreme.held.size())));
      // What was used may be far more than any amount: it counts as the largest amount.
      const std::int64_t used =
          random.one_in(4) ? std::numeric_limits<std::int64_t>::max() : random.any_size(kMaxAmount);
      const bool overruns = used > one->second;
      if (!overruns && extreme.total > kMaxTotal) continue;  // what is taken off a saturated sum is not known
      ASSERT_EQ(limiter.settle({1, one->first}, {&used, 1}, told).outcome, Outcome::kDone);
      const std::int64_t counted = extreme.kind == WindowKind::kConcurrency ? 0 : std::min(used, kMaxAmount);
      extreme.total += counted - one->second;
      extreme.held.erase(one);
    }
  });
}

}  // namespace
}  // namespace weir::engine
