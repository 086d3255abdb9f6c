// Properties of whole histories over several limits and subjects, each against its own definition: P5, P6, P8, P11,
// P12, P14, P15, P17. Most compare two limiters that see histories which must not differ in any answer.
#include "engine/property_support.h"

namespace weir::engine {
namespace {

Hash128 id_of(std::size_t i) {
  return {7, i + 1};
}

// Time of a history: mostly forward; back by up to 3 s now and then if `back`.
TimeNs advance(TimeNs now, const Op& op, bool back) {
  if (back && op.pick % 25 == 0) return now - op.gap_ms * 2 * kMillisecond;
  if (op.pick % 40 == 1) return now + op.gap_ms * 3 * kSecond;
  return op.pick % 3 == 0 ? now : now + op.gap_ms * kMillisecond / 4;
}

TEST(P5, ARefusalLeavesEveryCounterOfEverySubjectAsBefore) {
  int refused = 0;
  const bool many = check_property(60, [&](const std::vector<Op>& history) {
    Bench bench;
    TimeNs now = kTestStart;
    for (std::size_t i = 0; i < history.size(); ++i) {
      now = advance(now, history[i], true);
      const auto before = bench.observe(now);
      const LimiterStats stats = bench.limiter.stats();
      if (bench.admit(history[i], now, id_of(i)).admitted) continue;
      ++refused;
      RC_ASSERT(bench.observe(now) == before);
      RC_ASSERT(bench.limiter.stats().bytes == stats.bytes);
      RC_ASSERT(bench.limiter.stats().open_reservations == stats.open_reservations);
    }
  });
  EXPECT_TRUE(!many || refused > 500) << "the histories test something: " << refused;
}

TEST(P6, RemovingRefusedRequestsChangesNoOtherAnswer) {
  check_property(100, [](const std::vector<Op>& history) {
    Bench whole, pruned;
    TimeNs now = kTestStart;
    for (std::size_t i = 0; i < history.size(); ++i) {
      const Op& op = history[i];
      now = advance(now, op, true);
      if (op.kind < 15) {
        const Decision decision = whole.admit(op, now, id_of(i));
        if (!decision.admitted && op.pick % 2 == 0) continue;  // as if it had never been asked
        RC_ASSERT(same(pruned.admit(op, now, id_of(i)), decision));
      } else {
        const std::size_t which = static_cast<std::size_t>(op.pick) % (i + 1);
        const std::array<std::int64_t, kKinds> used{op.actual, op.actual, op.actual, op.actual, 0};
        RC_ASSERT(whole.limiter.settle(id_of(which), used, now).outcome ==
                  pruned.limiter.settle(id_of(which), used, now).outcome);
      }
    }
    RC_ASSERT(whole.observe(now) == pruned.observe(now));
  });
}

TEST(P8, PeekIsTheNextAdmitAndChangesNothing) {
  check_property(100, [](const std::vector<Op>& history) {
    Bench peeked, plain;
    TimeNs now = kTestStart;
    for (std::size_t i = 0; i < history.size(); ++i) {
      now = advance(now, history[i], true);
      const Hash128 id = history[i].kind % 2 == 0 ? id_of(i) : Hash128{};
      peeked.peek(history[i], now + kHour, id);  // a look ahead must not move time either
      const Decision told = peeked.peek(history[i], now, id), done = peeked.admit(history[i], now, id);
      RC_ASSERT(same(told, done));
      RC_ASSERT(same(done, plain.admit(history[i], now, id)));
      RC_ASSERT(peeked.limiter.stats().bytes == plain.limiter.stats().bytes);
    }
  });
}

using Sums = std::array<std::array<std::int64_t, kKinds>, 4>;  // by subject and kind

std::vector<std::int64_t> amounts_of(const Op& op, std::int64_t each) {
  std::vector<std::int64_t> amounts;
  for (std::size_t kind = 0; kind < kKinds; ++kind) {
    if (op.mask >> kind & 1) amounts.push_back(kind == 4 ? 0 : each);
  }
  return amounts;
}

void expect_sums(Bench& bench, TimeNs now, const Sums& settled, const Sums& held) {
  const auto seen = bench.observe(now);
  for (std::size_t r = 0; r < 4; ++r) {
    for (std::size_t k = 0; k < kKinds; ++k) {
      if (k == 2) continue;  // a bucket refills
      RC_ASSERT(seen[(r * kKinds + k) * 3] == settled[r][k]);
      RC_ASSERT(seen[(r * kKinds + k) * 3 + 1] == held[r][k]);
    }
  }
}

TEST(P11, CountersAreTheSumsOfWhatIsOpenSettledAndExpired) {
  check_property(80, [](const std::vector<Op>& history) {
    Bench bench;
    bench.amounts = {1'000'000, 1'000'000, 1'000'000, 1'000'000, 1'000'000};
    bench.ids[0] = sliding(bench.limiter, "wide ring", kHour, 60);
    bench.ids[1] = sliding(bench.limiter, "narrow ring", kHour / 2, 7);
    struct Open {
      Op op;
      std::int64_t extra = 0;
      TimeNs deadline = 0;
      enum { kOpen, kExpired, kClosed } state = kOpen;
    };
    std::vector<Open> opened;
    Sums settled{}, held{};
    const auto row = [](const Op& op, std::size_t kind) {
      return kind == 1 || kind == 3 ? std::size_t{3} : static_cast<std::size_t>(op.who);
    };
    const auto each = [&](const Open& open, const auto& apply) {
      for (std::size_t kind = 0; kind < kKinds; ++kind) {
        if ((open.op.mask >> kind & 1) == 0) continue;
        apply(row(open.op, kind), kind, Bench::cost_of(open.op, kind) + (kind == 4 ? 0 : open.extra));
      }
    };
    TimeNs now = kTestStart - kTestStart % kHour;
    for (const Op& op : history) {
      now += op.gap_ms * kMillisecond / 4;
      if (op.kind < 10 || opened.empty()) {
        Open open{.op = op, .deadline = now + op.pick * 20 * kMillisecond};
        RC_ASSERT(bench.admit(op, now, id_of(opened.size()), open.deadline).admitted);
        each(open, [&](std::size_t r, std::size_t k, std::int64_t units) { held[r][k] += units; });
        opened.push_back(open);
        continue;
      }
      const std::size_t which = static_cast<std::size_t>(op.pick) % opened.size();
      Open& open = opened[which];
      const std::vector<std::int64_t> amounts = amounts_of(open.op, op.actual);
      if (op.kind < 13) {
        Decision decision;
        bench.limiter.top_up(id_of(which), amounts, now, decision);
        RC_ASSERT(decision.admitted == (open.state == Open::kOpen));
        if (!decision.admitted) continue;
        each(open, [&](std::size_t r, std::size_t k, std::int64_t) { held[r][k] += k == 4 ? 0 : op.actual; });
        open.extra += op.actual;
      } else if (op.kind < 18) {
        const bool cancel = op.kind == 17;
        const Outcome outcome = cancel ? bench.limiter.cancel(id_of(which), now).outcome
                                       : bench.limiter.settle(id_of(which), amounts, now).outcome;
        RC_ASSERT(outcome == (open.state == Open::kClosed ? Outcome::kRepeated : Outcome::kDone));
        if (open.state == Open::kClosed) continue;
        each(open, [&](std::size_t r, std::size_t k, std::int64_t units) {
          (open.state == Open::kOpen ? held : settled)[r][k] -= k == 4 && open.state == Open::kExpired ? 0 : units;
          settled[r][k] += k == 4 || cancel ? 0 : op.actual;
        });
        open.state = Open::kClosed;
      } else {
        bench.limiter.expire(now, 10'000);
        for (Open& due : opened) {
          if (due.state != Open::kOpen || due.deadline > now) continue;
          each(due, [&](std::size_t r, std::size_t k, std::int64_t units) {
            held[r][k] -= units;
            settled[r][k] += k == 4 ? 0 : units;
          });
          due.state = Open::kExpired;
        }
      }
    }
    expect_sums(bench, now, settled, held);
  });
}

TEST(P12, AClosedIdChangesNothingWhateverIsCalledInWhateverOrder) {
  check_property(
      100,
      [](const std::vector<Op>& history) {
        Bench bench, once;
        TimeNs now = kTestStart;
        const Op ask{.mask = 31, .cost = 11};
        for (Bench* b : {&bench, &once}) RC_ASSERT(b->admit(ask, now, id_of(0), now + 20 * kSecond).admitted);
        bool expired = false, closed = false;
        for (const Op& op : history) {
          now += op.gap_ms * kMillisecond / 2;
          const std::array<std::int64_t, kKinds> units{op.actual, op.actual % 12, op.actual, op.actual, 1};
          const bool unknown = op.pick % 5 == 0;
          const Hash128 id = unknown ? id_of(500 + static_cast<std::size_t>(op.pick)) : id_of(0);
          if (op.kind < 12) {
            const auto close = [&](Limiter& limiter) {
              return op.kind < 8 ? limiter.settle(id, units, now).outcome : limiter.cancel(id, now).outcome;
            };
            const Outcome expected = unknown ? Outcome::kUnknown : closed ? Outcome::kRepeated : Outcome::kDone;
            RC_ASSERT(close(bench.limiter) == expected);
            if (expected != Outcome::kDone) continue;
            close(once.limiter);
            closed = true;
          } else if (op.kind < 15) {
            const bool due = !closed && !expired && now >= kTestStart + 20 * kSecond;
            RC_ASSERT(bench.limiter.expire(now, 10) == (due ? 1u : 0u));
            if (!due) continue;
            once.limiter.expire(now, 10);
            expired = true;
          } else if (op.kind < 18) {
            if (!closed && !expired && !unknown) continue;
            Decision decision;
            bench.limiter.top_up(id, units, now, decision);
            RC_ASSERT(!decision.admitted && decision.count == 0);
          } else {
            const Decision again = bench.admit({.mask = 3, .cost = 5}, now, id_of(0));
            RC_ASSERT(again.replayed && again.admitted && again.count == kKinds);
          }
          RC_ASSERT(bench.observe(now) == once.observe(now));
        }
        RC_ASSERT(bench.observe(now) == once.observe(now));
      },
      60);
}

TEST(P14, WhereverTheCallerDiesNothingIsLeft) {
  check_property(60, [](const std::vector<Op>& history) {
    Bench bench({.remember_closed = kSecond, .stripes = 4});
    const std::size_t base = bench.limiter.stats().bytes;
    TimeNs now = kTestStart;
    for (std::size_t i = 0; i < history.size(); ++i) {
      const Op& op = history[i];
      now += op.gap_ms * kMillisecond;
      const std::array<std::int64_t, kKinds> units{op.actual, op.actual, op.actual, op.actual, 1};
      const Hash128 before = id_of(static_cast<std::size_t>(op.pick) % (i + 1));
      Decision decision;
      if (op.kind < 12)
        bench.admit(op, now, id_of(i), now + op.pick * kMillisecond);
      else if (op.kind < 14)
        bench.limiter.top_up(before, units, now, decision);
      else if (op.kind < 17)
        bench.limiter.settle(before, units, now);
      else if (op.kind < 18)
        bench.limiter.cancel(before, now);
      else
        bench.limiter.expire(now, 3);
    }
    now += 10 * kSecond;
    while (bench.limiter.expire(now, 7) > 0) {
    }
    const auto seen = bench.observe(now);
    for (std::size_t i = 1; i < seen.size(); i += 3) RC_ASSERT(seen[i] == 0);
    now += 24 * kHour;
    bench.limiter.expire(now, 1);
    for (int i = 0; i < 40; ++i) bench.limiter.sweep(now, 100'000);
    const LimiterStats stats = bench.limiter.stats();
    RC_ASSERT(stats.open_reservations == 0u);
    RC_ASSERT(stats.closed_remembered == 0u);
    RC_ASSERT(stats.subjects == 0u);
    RC_ASSERT(stats.bytes == base);
  });
}

TEST(P15, TheOvershootIsWhatWasUsedBeyondTheHolds) {
  for (const bool truthful : {true, false}) {
    check_property(60, [truthful](const std::vector<Op>& history) {
      Bench bench;
      bench.ids[0] = sliding(bench.limiter, "wide ring", kHour, 60);
      bench.ids[1] = sliding(bench.limiter, "narrow ring", kHour / 2, 7);
      std::array<std::array<std::int64_t, 4>, 4> overrun{};
      std::vector<Op> open(history.size());
      TimeNs now = kTestStart - kTestStart % kHour;
      for (std::size_t i = 0; i < history.size(); ++i) {
        const Op& op = history[i];
        now += op.gap_ms * kMillisecond / 4;
        if (op.kind < 12) {
          if (bench.admit({.mask = op.mask & 11, .who = op.who, .cost = op.cost}, now, id_of(i)).admitted) open[i] = op;
        } else {
          const std::size_t which = static_cast<std::size_t>(op.pick) % (i + 1);
          Op& settled = open[which];
          std::vector<std::int64_t> used;
          for (const std::size_t kind : {0u, 1u, 3u}) {
            if ((settled.mask >> kind & 1) == 0) continue;
            const std::int64_t held = Bench::cost_of(settled, kind);
            used.push_back(truthful ? std::min(op.actual, held) : op.actual);
            overrun[kind == 0 ? static_cast<std::size_t>(settled.who) : 3][kind] +=
                std::max<std::int64_t>(used.back() - held, 0);
          }
          bench.limiter.settle(id_of(which), used, now);
          settled = {};
        }
        const auto seen = bench.observe(now);
        for (std::size_t r = 0; r < 4; ++r) {
          for (const std::size_t kind : {0u, 1u, 3u}) {
            const std::size_t place = (r * kKinds + kind) * 3;
            RC_ASSERT(seen[place] + seen[place + 1] <= bench.amounts[kind] + overrun[r][kind]);
          }
        }
      }
    });
  }
}

TEST(P17, SweepingAllTheTimeChangesNoAnswerOfAnyKindOfWindow) {
  check_property(60, [](const std::vector<Op>& history) {
    Bench swept, kept;
    TimeNs now = kTestStart;
    for (std::size_t i = 0; i < history.size(); ++i) {
      const Op& op = history[i];
      now = advance(now, op, false);
      swept.limiter.sweep(now, 1000);
      const Hash128 id = id_of(op.kind < 14 ? i : static_cast<std::size_t>(op.pick) % (i + 1));
      if (op.kind < 14) {
        RC_ASSERT(same(swept.admit(op, now, id, now + op.pick * kMillisecond),
                       kept.admit(op, now, id, now + op.pick * kMillisecond)));
      } else if (op.kind < 18) {
        const std::array<std::int64_t, kKinds> used{op.actual, op.actual % 7, op.actual, op.actual, 0};
        RC_ASSERT(swept.limiter.settle(id, used, now).outcome == kept.limiter.settle(id, used, now).outcome);
      } else {
        RC_ASSERT(swept.limiter.expire(now, 1000) == kept.limiter.expire(now, 1000));
      }
      RC_ASSERT(swept.observe(now) == kept.observe(now));
    }
  });
}

// Beyond max_bytes only refusals are added: whatever else is answered is what unlimited memory answers.
TEST(P17, AFullTableOnlyAddsRefusals) {
  int full = 0, answered_when_full = 0;
  const bool many = check_seeds(50, [&](std::uint64_t seed) {
    Random random(seed);
    Limiter small({.max_bytes = 20'000, .stripes = 4}), large({.stripes = 4});
    for (Limiter* limiter : {&small, &large}) sliding(*limiter, "c", 30 * kSecond, 5);
    TimeNs now = kTestStart;
    for (int i = 0; i < 1000; ++i) {
      now += random.below(100) * kMillisecond;
      const Ask ask{.amount = random() % 2 == 0 ? 20 : 60, .cost = random.below(15), .key = {random() % 600 + 1, 5}};
      const Decision decision = admit(small, ask, now);
      ASSERT_LE(small.stats().bytes, 20'000u);
      if (decision.table_full) {
        ASSERT_FALSE(decision.admitted);
        ++full;
        continue;
      }
      answered_when_full += full > 0;
      ASSERT_TRUE(same(decision, admit(large, ask, now))) << "step " << i;
    }
  });
  if (!many) return;
  EXPECT_GT(full, 1000);
  EXPECT_GT(answered_when_full, 1000);
}

}  // namespace
}  // namespace weir::engine
