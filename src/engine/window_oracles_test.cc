// Every kind of window against an exact oracle: a list of what was charged, when and by whom, summed up anew for every
// question. P2, P3, P10, P11, P13, P16 per window; the calendar's periods are in src/policy/calendar_zones_test.cc.
#include <map>
#include <set>

#include "engine/property_support.h"

namespace weir::engine {
namespace {

struct Charged {
  TimeNs at = 0;
  std::int64_t units = 0;
};

// One held request: its charges, oldest first.
struct HeldRequest {
  std::vector<Charged> charges;
  TimeNs deadline = 0;
  enum { kOpen, kExpired, kClosed } state = kOpen;

  std::int64_t total() const {
    std::int64_t sum = 0;
    for (const Charged& charge : charges) sum += charge.units;
    return sum;
  }
};

// A sliding window: an exact log while its amount is small, otherwise a ring of that precision.
struct SlidingOracle {
  DurationNs window = 0;
  std::int64_t precision = 0, amount = 0;
  std::vector<HeldRequest> requests;
  TimeNs last = 0;

  DurationNs width() const { return (window + precision - 1) / precision; }
  bool ring() const { return amount > 32; }
  TimeNs leaves(TimeNs at) const { return ring() ? (at / width() + precision + 1) * width() : at + window; }
  TimeNs time(TimeNs now) const { return std::max(now, last); }

  std::int64_t sum(TimeNs t) const {
    std::int64_t sum = 0;
    for (const HeldRequest& request : requests) {
      for (const Charged& charge : request.charges) sum += leaves(charge.at) > t ? charge.units : 0;
    }
    return sum;
  }
  // What the definition of a window of this length, without buckets, would count.
  std::int64_t exact(TimeNs t, DurationNs length) const {
    std::int64_t sum = 0;
    for (const HeldRequest& request : requests) {
      for (const Charged& charge : request.charges) sum += charge.at > t - length && charge.at <= t ? charge.units : 0;
    }
    return sum;
  }
  std::int64_t open() const {
    std::int64_t sum = 0;
    for (const HeldRequest& request : requests) sum += request.state == HeldRequest::kOpen ? request.total() : 0;
    return sum;
  }
  // The first instant after `now` at which `cost` fits, by trying every instant at which something leaves.
  TimeNs first_fit(TimeNs now, std::int64_t cost) const {
    std::set<TimeNs> instants;
    for (const HeldRequest& request : requests) {
      for (const Charged& charge : request.charges) instants.insert(leaves(charge.at));
    }
    for (const TimeNs at : instants) {
      if (at > now && sum(time(at)) + cost <= amount) return at;
    }
    return kNever;
  }
  void settle(HeldRequest& request, std::int64_t used, TimeNs now) {
    std::int64_t surplus = request.total() - used;
    if (surplus < 0) {
      last = time(now);
      request.charges.push_back({last, -surplus});
    }
    for (auto charge = request.charges.rbegin(); charge != request.charges.rend() && surplus > 0; ++charge) {
      const std::int64_t part = std::min(surplus, charge->units);
      surplus -= part;
      if (leaves(charge->at) > time(now)) charge->units -= part;  // what has left is not given back
    }
    request.state = HeldRequest::kClosed;
  }
};

void follow(const std::vector<Op>& history, SlidingOracle oracle) {
  Limiter limiter;
  const CounterId counter = sliding(limiter, "c", oracle.window, static_cast<std::uint16_t>(oracle.precision));
  // Keeps the subject alive, so that it alone knows its time.
  const CounterId pin = limiter.define({.identity = "pin", .kind = WindowKind::kConcurrency});
  admit(limiter, {.counter = pin, .amount = 1, .id = {9, 9}, .deadline = kMaxTime}, kTestStart);
  oracle.last = kTestStart;
  TimeNs now = kTestStart;
  for (const Op& op : history) {
    now += op.pick % 30 == 0 ? -op.gap_ms * 2 * kMillisecond : op.gap_ms * kMillisecond;
    const auto which = static_cast<std::size_t>(op.pick) % (oracle.requests.size() + 1);
    const auto id = [](std::size_t i) { return Hash128{7, i + 1}; };
    Ask ask{.counter = counter, .amount = oracle.amount, .cost = op.cost % (oracle.amount / 2 + 2), .hold = true};
    const std::int64_t before = oracle.sum(oracle.time(now));
    const Decision seen = peek(limiter, ask, now);
    RC_ASSERT(seen.verdicts[0].used + seen.verdicts[0].reserved == before);
    RC_ASSERT(seen.verdicts[0].reserved == std::min(oracle.open(), before));
    RC_ASSERT(seen.admitted == (before + ask.cost <= oracle.amount));
    if (!seen.admitted) {
      const TimeNs fit = ask.cost > oracle.amount ? kNever : oracle.first_fit(now, ask.cost);
      RC_ASSERT(seen.retry_after == (fit == kNever ? kNever : fit - now));
    }
    const TimeNs t = oracle.time(now);
    const DurationNs slack = oracle.ring() ? oracle.width() : 0;
    RC_ASSERT(before >= oracle.exact(t, oracle.window));
    RC_ASSERT(before <= oracle.exact(t, oracle.width() * oracle.precision + slack));
    if (op.kind < 10) {
      ask.id = id(oracle.requests.size()), ask.deadline = now + op.pick * 20 * kMillisecond;
      if (!admit(limiter, ask, now).admitted) continue;
      oracle.requests.push_back({.charges = {{t, ask.cost}}, .deadline = ask.deadline});
      if (ask.cost > 0) oracle.last = t;
    } else if (op.kind < 13 && which < oracle.requests.size()) {
      HeldRequest& request = oracle.requests[which];
      const std::int64_t more = op.actual % 7;
      Decision decision;
      limiter.top_up(id(which), {&more, 1}, now, decision);
      RC_ASSERT(decision.admitted ==
                (request.state == HeldRequest::kOpen && (more == 0 || before + more <= oracle.amount)));
      if (!decision.admitted || more == 0) continue;
      request.charges.push_back({t, more});
      oracle.last = t;
    } else if (op.kind < 18 && which < oracle.requests.size()) {
      HeldRequest& request = oracle.requests[which];
      const std::int64_t used = op.kind == 17 ? 0 : op.actual;
      const Outcome outcome = limiter.settle(id(which), {&used, 1}, now).outcome;
      RC_ASSERT(outcome == (request.state == HeldRequest::kClosed ? Outcome::kRepeated : Outcome::kDone));
      if (outcome == Outcome::kDone) oracle.settle(request, used, now);
    } else {
      limiter.expire(now, 1000);
      for (HeldRequest& request : oracle.requests) {
        if (request.state == HeldRequest::kOpen && request.deadline <= now) request.state = HeldRequest::kExpired;
      }
    }
  }
}

TEST(P2P10P11P13P16Oracle, ALogIsTheListOfItsCharges) {
  check_property(
      150,
      [](const std::vector<Op>& history) { follow(history, {.window = 7 * kSecond, .precision = 7, .amount = 24}); },
      100);
}

TEST(P2P10P11P13P16Oracle, ARingIsTheListOfItsChargesRoundedUpToItsBuckets) {
  for (const std::int64_t precision : {1, 10}) {
    check_property(
        100,
        [precision](const std::vector<Op>& history) {
          follow(history, {.window = 10 * kSecond + 3, .precision = precision, .amount = 90});
        },
        100);
  }
}

// Exact fractions: what a bucket lacks of its burst, in units times `per`; it refills by `units` every nanosecond.
struct BucketOracle {
  RefillRate rate;
  std::int64_t burst = 0;
  __int128 lacks = 0;
  TimeNs last = 0;
  std::int64_t charges = 0;  // since it was last full: each may be rounded up by a nanosecond

  void advance(TimeNs now) {
    if (now <= last) return;
    lacks -= static_cast<__int128>(now - last) * rate.units;
    last = now;
    if (lacks <= -static_cast<__int128>(charges) * rate.units) charges = 0;  // full, however it was rounded
    lacks = std::max<__int128>(lacks, 0);
  }
  __int128 need(std::int64_t cost) const { return lacks + static_cast<__int128>(cost) * rate.per; }
  __int128 full() const { return static_cast<__int128>(burst) * rate.per; }
};

TEST(P3P10Oracle, ABucketIsTheExactFractionOfItsRateToANanosecondPerCharge) {
  check_seeds(300, [](std::uint64_t seed) {
    Random random(seed);
    BucketOracle oracle{.rate = {.units = 1 + random.any_size(1'000'000), .per = kMinWindow + random.any_size(kHour)},
                        .burst = 1 + random.below(200)};
    Limiter limiter;
    Ask ask{.counter = limiter.define({.identity = "b", .kind = WindowKind::kBucket}),
            .amount = oracle.burst,
            .rate = oracle.rate};
    TimeNs now = kTestStart;
    int admitted = 0;
    for (int i = 0; i < 120; ++i) {
      const DurationNs unit = oracle.rate.per / oracle.rate.units + 1;
      now += random.one_in(20) ? -random.below(unit * 3) : random.one_in(3) ? 0 : random.below(unit * 4);
      ask.cost = random.one_in(10) ? random.below(oracle.burst + 2) : random.below(4);
      const BucketOracle before = oracle;
      if (now > oracle.last) oracle.advance(now);
      const Decision decision = admit(limiter, ask, now);
      const __int128 slack = static_cast<__int128>(oracle.charges + 2) * (oracle.rate.units + 1);
      if (decision.admitted) {
        // The burst's own span is rounded up too: what refills in a nanosecond comes that much early.
        ASSERT_TRUE(oracle.need(ask.cost) < oracle.full() + oracle.rate.units) << "more than it holds, step " << i;
      } else {
        ASSERT_TRUE(oracle.need(ask.cost) + slack > oracle.full()) << "less than it holds, step " << i;
        ASSERT_EQ(decision.retry_after == kNever, ask.cost > oracle.burst);
      }
      if (!decision.admitted || ask.cost == 0) {
        oracle = before;  // only a charge moves the bucket's own time
        continue;
      }
      ++admitted;
      oracle.lacks = oracle.need(ask.cost);
      ++oracle.charges;
    }
    ASSERT_GT(admitted, 3);
  });
}

TEST(P11P12P14Oracle, AGaugeIsTheSetOfWhatIsOpen) {
  check_property(100, [](const std::vector<Op>& history) {
    Limiter limiter;
    constexpr std::int64_t kAmount = 12;
    Ask ask{.counter = limiter.define({.identity = "g", .kind = WindowKind::kConcurrency}), .amount = kAmount};
    std::map<std::uint64_t, std::pair<std::int64_t, TimeNs>> open;  // id -> units, deadline
    TimeNs now = kTestStart;
    std::uint64_t next = 1;
    for (const Op& op : history) {
      now += op.gap_ms * kMillisecond - 300 * kMillisecond;
      std::int64_t in_flight = 0;
      for (const auto& [id, held] : open) in_flight += held.first;
      const std::uint64_t which = 1 + static_cast<std::uint64_t>(op.pick) % next;
      if (op.kind < 11) {
        ask.cost = op.cost % 5, ask.id = {7, next}, ask.deadline = now + op.pick * 20 * kMillisecond;
        const Decision decision = admit(limiter, ask, now);
        RC_ASSERT(decision.verdicts[0].reserved == in_flight);
        RC_ASSERT(decision.verdicts[0].used == 0);
        RC_ASSERT(decision.admitted == (in_flight + ask.cost <= kAmount));
        if (decision.admitted) open[next++] = {ask.cost, ask.deadline};
      } else if (op.kind < 17) {
        const std::int64_t used = op.actual;  // a slot is released whatever is said
        op.kind < 14 ? limiter.settle({7, which}, {&used, 1}, now) : limiter.cancel({7, which}, now);
        open.erase(which);
      } else {
        const std::size_t due = limiter.expire(now, 1000);
        RC_ASSERT(due == std::erase_if(open, [&](const auto& one) { return one.second.second <= now; }));
      }
    }
    RC_ASSERT(limiter.stats().open_reservations == open.size());
  });
}

// The clock of the first limiter jumps; the second is told the time that the first one's subject goes by.
TEST(P16, ABackwardStepAdmitsNothingExtraAndDelaysByTheStep) {
  int stepped = 0;
  const bool many = check_property(80, [&](const std::vector<Op>& history) {
    Bench jumpy, steady;
    for (Bench* bench : {&jumpy, &steady}) {
      const CounterId pin = bench->limiter.define({.identity = "pin", .kind = WindowKind::kConcurrency});
      for (const Hash128 key : {Hash128{1, 1}, Hash128{2, 1}}) {
        admit(bench->limiter, {.counter = pin, .amount = 1, .key = key, .id = {9, key.high}, .deadline = kMaxTime},
              kTestStart);
      }
    }
    TimeNs now = kTestStart;
    std::array<TimeNs, 2> last{kTestStart, kTestStart};  // of the caller, and of what all share
    for (std::size_t i = 0; i < history.size(); ++i) {
      Op op = history[i];
      op.who = 0;
      const std::size_t subject = op.pick % 3 == 0 ? 1 : 0;
      op.mask &= subject == 1 ? 0b01010 : 0b10101;
      if (op.kind < 3) {
        now -= std::min(op.gap_ms * 5 * kMillisecond, now % kHour);  // within the hour, which is the calendar's period
      } else {
        now += op.gap_ms * (op.pick % 40 == 2 ? 200 : 1) * kMillisecond / 3;
      }
      const TimeNs t = std::max(now, last[subject]);
      stepped += t > now;
      if (t / kHour != now / kHour) continue;
      const Decision got = jumpy.admit(op, now, {7, i + 1}), fair = steady.admit(op, t, {7, i + 1});
      RC_ASSERT(got.admitted == fair.admitted);
      for (std::size_t k = 0; k < got.count; ++k) {
        RC_ASSERT(got.verdicts[k].used == fair.verdicts[k].used);
        RC_ASSERT(got.verdicts[k].reserved == fair.verdicts[k].reserved);
      }
      if (!got.admitted)
        RC_ASSERT(got.retry_after == (fair.retry_after == kNever ? kNever : fair.retry_after + t - now));
      bool charged = false;
      for (std::size_t kind = 0; kind < kKinds; ++kind) {
        charged = charged || ((op.mask >> kind & 1) != 0 && Bench::cost_of(op, kind) > 0);
      }
      if (got.admitted && charged) last[subject] = t;
    }
  });
  EXPECT_TRUE(!many || stepped > 300) << stepped;
}

}  // namespace
}  // namespace weir::engine
