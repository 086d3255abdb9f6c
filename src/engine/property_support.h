// Random histories for the property tests: a vector of small operations that can be shrunk, and five counters of every
// kind to run them on.
//
//   TEST(P8, PeekTellsTheTruth) {
//     check_property(100, [](const std::vector<Op>& history) { Bench bench; ... RC_ASSERT(...); });
//   }
//
// How many histories and from which seed: prove_support.h.
#pragma once

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <array>
#include <optional>
#include <sstream>
#include <vector>

#include "engine/prove_support.h"

namespace weir::engine {

inline constexpr DurationNs kMillisecond = 1'000'000;
inline constexpr DurationNs kHour = 3600 * kSecond;
inline constexpr std::size_t kKinds = 5;  // ring, log, bucket, calendar, gauge

// What the numbers mean is up to the test; each is uniform in its range.
struct Op {
  int kind = 0;             // 0 to 19
  int mask = 0;             // 0 to 31: which counters
  int who = 0;              // 0 to 2
  int pick = 0;             // 0 to 999: an earlier reservation, a coin
  std::int64_t cost = 0;    // 0 to 19
  std::int64_t actual = 0;  // 0 to 29
  std::int64_t gap_ms = 0;  // 0 to 1499
};

inline std::ostream& operator<<(std::ostream& out, const Op& op) {
  return out << "{" << op.kind << ", " << op.mask << ", " << op.who << ", " << op.pick << ", " << op.cost << ", "
             << op.actual << ", " << op.gap_ms << "}";
}

// Up to `length` operations; short histories are as likely as long ones.
inline std::vector<Op> history_of(std::uint64_t seed, int length) {
  Random random(seed);
  std::vector<Op> history(random.index(static_cast<std::size_t>(length) + 1));
  for (Op& op : history) {
    op = {.kind = static_cast<int>(random.below(20)),
          .mask = static_cast<int>(random.below(32)),
          .who = static_cast<int>(random.below(3)),
          .pick = static_cast<int>(random.below(1000)),
          .cost = random.below(20),
          .actual = random.below(30),
          .gap_ms = random.below(1500)};
  }
  return history;
}

// What the property says against a history; nothing if it holds.
template <typename Property>
std::optional<std::string> objection(const Property& property, const std::vector<Op>& history) {
  try {
    property(history);
  } catch (const rc::detail::CaseResult& result) {
    return result.description;
  }
  return std::nullopt;
}

// Leaves out operations, many at a time and then fewer, as long as the property still fails.
template <typename Property>
std::vector<Op> shrunk(const Property& property, std::vector<Op> history) {
  for (std::size_t chunk = std::max<std::size_t>(history.size() / 2, 1); chunk > 0; chunk /= 2) {
    for (std::size_t from = 0; from < history.size();) {
      std::vector<Op> less = history;
      const auto begin = less.begin() + static_cast<std::ptrdiff_t>(from);
      less.erase(begin, begin + static_cast<std::ptrdiff_t>(std::min(chunk, less.size() - from)));
      if (objection(property, less)) {
        history = std::move(less);
      } else {
        from += chunk;
      }
    }
  }
  return history;
}

template <typename Property>
bool check_property(int cases, const Property& property, int length = 200) {
  return check_seeds(cases, [&](std::uint64_t seed) {
    const std::vector<Op> history = history_of(seed, length);
    if (!objection(property, history)) return;
    const std::vector<Op> least = shrunk(property, history);
    std::ostringstream text;
    for (const Op& op : least) text << op << "\n";
    ADD_FAILURE() << objection(property, least).value_or("fails only sometimes") << "\nhistory:\n" << text.str();
  });
}

// One limiter with a counter of every kind, and requests of two subjects: a caller and what all callers share.
struct Bench {
  Limiter limiter;
  std::array<CounterId, kKinds> ids{};
  std::array<std::int64_t, kKinds> amounts{100, 12, 40, 300, 5};

  explicit Bench(LimiterOptions options = {.remember_closed = kMaxWindow, .stripes = 4}) : limiter(options) {
    ids = {sliding(limiter, "ring", 10 * kSecond, 10), sliding(limiter, "log", 7 * kSecond),
           limiter.define({.identity = "bucket", .kind = WindowKind::kBucket}),
           limiter.define({.identity = "calendar", .kind = WindowKind::kCalendar}),
           limiter.define({.identity = "gauge", .kind = WindowKind::kConcurrency})};
  }

  Demand demand(std::size_t kind, std::uint8_t subject, std::int64_t cost, TimeNs now) const {
    const TimeNs hour = now - now % kHour;
    return {.counter = ids[kind],
            .subject = subject,
            .hold = true,
            .cost = cost,
            .quota = {.amount = amounts[kind],
                      .rate = {.units = 4, .per = kSecond},
                      .period_start = hour,
                      .period_end = hour + kHour}};
  }

  static std::int64_t cost_of(const Op& op, std::size_t kind) {
    return kind == 4 ? 1 : kind == 1 ? op.cost % 4 : op.cost;
  }

  // The counters of op.mask: ring, bucket and gauge of the caller, log and calendar of all.
  Decision ask(const Op& op, TimeNs now, Hash128 id, bool peek, TimeNs deadline) {
    const std::array<Subject, 2> subjects{Subject{.key = {1, 1 + static_cast<std::uint64_t>(op.who)}},
                                          Subject{.key = {2, 1}}};
    std::vector<Demand> demands;
    for (std::size_t kind = 0; kind < kKinds; ++kind) {
      if ((op.mask >> kind & 1) == 0) continue;
      demands.push_back(demand(kind, kind == 1 || kind == 3 ? 1 : 0, cost_of(op, kind), now));
    }
    Decision decision;
    const AdmitRequest request{
        .subjects = subjects, .demands = demands, .now = now, .id = id, .deadline = deadline, .effects = nullptr};
    peek ? limiter.peek(request, decision) : limiter.admit(request, decision);
    return decision;
  }

  Decision admit(const Op& op, TimeNs now, Hash128 id = {}, TimeNs deadline = kMaxTime) {
    return ask(op, now, id, false, deadline);
  }
  Decision peek(const Op& op, TimeNs now, Hash128 id = {}) { return ask(op, now, id, true, kMaxTime); }

  // Everything that can be seen from outside, of every subject and counter.
  std::vector<std::int64_t> observe(TimeNs now) const {
    std::vector<std::int64_t> seen;
    for (std::uint64_t who = 0; who < 4; ++who) {
      const Subject subject{.key = who == 3 ? Hash128{2, 1} : Hash128{1, 1 + who}};
      for (std::size_t kind = 0; kind < kKinds; ++kind) {
        const Demand one = demand(kind, 0, 0, now);
        Decision decision;
        limiter.peek({.subjects = {&subject, 1}, .demands = {&one, 1}, .now = now}, decision);
        const Verdict& verdict = decision.verdicts[0];
        seen.insert(seen.end(), {verdict.used, verdict.reserved, verdict.reset_at});
      }
    }
    return seen;
  }
};

inline bool same(const Decision& a, const Decision& b) {
  bool equal = a.admitted == b.admitted && a.table_full == b.table_full && a.replayed == b.replayed &&
               a.retry_after == b.retry_after && a.count == b.count;
  for (std::size_t i = 0; equal && i < a.count; ++i) {
    const Verdict &x = a.verdicts[i], &y = b.verdicts[i];
    equal = x.refuses == y.refuses && x.used == y.used && x.reserved == y.reserved && x.retry_after == y.retry_after &&
            x.reset_at == y.reset_at;
  }
  return equal;
}

}  // namespace weir::engine
