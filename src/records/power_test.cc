// Processes and machines that end at any operation of the journal, the snapshots or the drain, several times in a row:
// what was acknowledged is in the ledger with its usage and in the counters, and nothing is there twice.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "journal/power_disk.h"
#include "journal/test_process.h"
#include "records/drain.h"

namespace weir {
namespace {

constexpr std::size_t kSubjects = 3;
constexpr std::uint64_t kLives = 4;
using End = PowerDisk::End;

// What a request may count for if everything ends now: any value since the last acknowledgement.
struct Charge {
  std::size_t who = 0;
  std::int64_t low = 0, high = 0, last = 0;
  bool settled = false;
  bool open_acknowledged = false, settlement_acknowledged = false;
  void set(std::int64_t value) {
    last = value;
    low = std::min(low, value);
    high = std::max(high, value);
  }
  void acknowledge() {
    low = high = last;
    open_acknowledged = true;
    settlement_acknowledged = settled;
  }
};

struct Listener : JournalEvents {
  void on_written(bool ok) override { good = ok; }
  bool good = false;
};

// What outlives the processes: the journal on a disk that may lose it, and a ledger that loses nothing it has
// committed.
struct World {
  TempDir dir{memory_directory()};
  PowerDisk disk;
  Chance chance;
  End how;
  Store store = Store::open(dir / "ledger", {.create = true}).value();
  TimeNs now = kStart;
  std::uint64_t next = 1;
  std::map<std::uint64_t, Charge> acknowledged;  // of all lives

  World(std::uint64_t seed, End end) : disk(seed), chance{seed * 77 + 1}, how(end) {}
  std::string journal() const { return dir / "journal"; }
  bool strict() const { return how == End::kPower; }
  std::uint64_t first_sequence() { return first_unread_segment(store).value(); }
  DrainOptions drain_options(const Process& process, std::size_t batch) const {
    return {
        .journal_dir = journal(), .closed_below = process.recovered.next_sequence, .batch = batch, .strict = strict()};
  }
  std::map<std::string, std::vector<UsageRow>> booked() {
    std::map<std::string, std::vector<UsageRow>> rows;
    EXPECT_TRUE(store.usage(0, [&](const UsageRow& row) {
      rows[row.request_id].push_back(row);
      return true;
    }));
    return rows;
  }
};

class Life {
 public:
  explicit Life(World& world)
      : world_(world),
        process_(world.journal(), world.disk, world.strict(), world.first_sequence()),
        drain_(world.store, world.disk, world.drain_options(process_, 1 + world.chance.below(9))) {
    process_.snapshots->set_drained([this](std::uint64_t sequence) { return drain_.finished(sequence); });
  }
  // Works until the end comes, or all of its work is done.
  std::map<std::uint64_t, Charge> run() {
    for (std::uint64_t i = 0; i < 90 && !world_.disk.ended(); ++i) turn();
    return charges_;
  }

 private:
  void turn() {
    switch (world_.chance.below(12)) {
      case 0:
      case 1:
        drain_.step();
        break;
      case 2:
        if (world_.chance.below(4) == 0) process_.snapshots->request();
        process_.snapshots->step(world_.now);
        break;
      case 3:  // what a reload does
        if (world_.chance.below(4) == 0) {
          process_.limiter.define({.identity = "more" + std::to_string(world_.next), .kind = WindowKind::kCalendar});
          process_.snapshots->request();
        }
        break;
      case 4:
      case 5:
        acknowledge();
        break;
      default:
        work();
    }
  }
  void acknowledge() {
    Listener listener;
    process_.writer->when_written(listener);
    if (world_.chance.below(3) == 0) world_.disk.meanwhile = [this] { drain_.step(); };
    process_.writer->flush();
    world_.disk.meanwhile = nullptr;
    if (!listener.good) return;
    for (auto& [n, charge] : charges_) charge.acknowledge();
  }
  void work() {
    Chance& chance = world_.chance;
    world_.now += static_cast<TimeNs>(chance.below(kSecond));
    const std::uint64_t choice = chance.below(10);
    if (choice < 4 || open_.empty()) {
      const std::uint64_t n = world_.next++;
      Charge& charge = charges_[n];
      charge.who = chance.below(kSubjects);
      charge.set(static_cast<std::int64_t>(chance.below(1000)) + 1);
      process_.admit(n, charge.who, charge.last, world_.now);
      open_.push_back(n);
      return;
    }
    const std::size_t at = chance.below(open_.size());
    Charge& charge = charges_[open_[at]];
    if (choice < 6) {
      process_.top_up(open_[at], 64, world_.now);
      charge.set(charge.last + 64);
      return;
    }
    charge.set(static_cast<std::int64_t>(chance.below(1500)));
    charge.settled = true;
    process_.settle(open_[at], charge.last, world_.now);
    open_.erase(open_.begin() + static_cast<std::ptrdiff_t>(at));
  }

  World& world_;
  Process process_;
  Drain drain_;
  std::map<std::uint64_t, Charge> charges_;
  std::vector<std::uint64_t> open_;
};

// The start itself may be cut short, more than once.
void interrupted_starts(World& world) {
  while (world.chance.below(3) == 0) {
    world.disk.end_after(world.chance.below(6), world.how);
    Limiter limiter;
    const auto recovered = recover(world.journal(), limiter, world.disk, world.first_sequence());
    EXPECT_TRUE(recovered || world.disk.ended()) << (recovered ? "" : recovered.error().message);
    world.disk.restart();
  }
}

void check_ledger(World& world) {
  const Process process(world.journal(), world.disk, world.strict(), world.first_sequence());
  Drain drain(world.store, world.disk, world.drain_options(process, 2000));
  while (drain.step() > 0) continue;
  ASSERT_TRUE(drain.healthy()) << drain.reason();
  const auto rows = world.booked();
  for (const auto& [id, same] : rows) ASSERT_EQ(same.size(), 1u) << id << " is booked more than once";
  for (const auto& [n, charge] : world.acknowledged) {
    const auto found = rows.find("req_" + std::to_string(n));
    ASSERT_NE(found, rows.end()) << n << " was acknowledged";
    if (!charge.settlement_acknowledged) continue;
    EXPECT_EQ(found->second[0].settled, Settled::kUsage) << n;
    EXPECT_EQ(found->second[0].usage.total(), charge.last) << n;
  }
}

void live_and_end(std::uint64_t seed, End how) {
  SCOPED_TRACE("seed " + std::to_string(seed));
  World world(seed, how);
  std::array<std::int64_t, kSubjects> found{};  // usage after the recovery before
  for (std::uint64_t life = 0; life < kLives; ++life) {
    interrupted_starts(world);
    std::map<std::uint64_t, Charge> charges;
    {
      Life process(world);
      world.disk.end_after(world.chance.below(50), how);
      charges = process.run();
    }
    world.disk.restart();
    std::array<std::int64_t, kSubjects> low = found, high = found;
    for (const auto& [n, charge] : charges) {
      low[charge.who] += charge.low;
      high[charge.who] += charge.high;
      if (charge.open_acknowledged) world.acknowledged[n] = charge;
    }
    interrupted_starts(world);
    const Process process(world.journal(), world.disk, world.strict(), world.first_sequence());
    for (std::size_t who = 0; who < kSubjects; ++who) {
      found[who] = process.usage(who, world.now);
      ASSERT_GE(found[who], low[who]) << "life " << life;
      ASSERT_LE(found[who], high[who]) << "life " << life;
    }
  }
  check_ledger(world);
}

// Moved away by hand, or lost by a file system after a power loss of a relaxed journal.
TEST(Power, ALedgerWhoseJournalIsGoneBooksWhatTheNextOneHolds) {
  World world(1, End::kKill);
  const auto serve = [&](std::uint64_t from, std::uint64_t to) {
    Process process(world.journal(), world.disk, false, world.first_sequence());
    for (std::uint64_t n = from; n < to; ++n) {
      process.admit(n, 0, 10, kStart);
      process.settle(n, 10, kStart);
    }
    process.writer->flush();
    return world.drain_options(process, 2000);
  };
  const auto book = [&](const DrainOptions& options) {
    Drain drain(world.store, world.disk, options);
    while (drain.step() > 0) continue;
  };
  book(serve(0, 20));
  std::filesystem::remove_all(world.journal());
  serve(20, 22);  // killed before anything is booked
  book(serve(22, 23));
  EXPECT_EQ(world.booked().size(), 23u);
}

TEST(Power, WhateverIsKilledAtAnyOperationLosesAndDoublesNothing) {
  for (std::uint64_t seed = 1; seed <= 60 && !HasFatalFailure(); ++seed) live_and_end(seed, End::kKill);
}

TEST(Power, AStrictJournalLosesAndDoublesNothingWhenThePowerFails) {
  for (std::uint64_t seed = 1; seed <= 60 && !HasFatalFailure(); ++seed) live_and_end(seed, End::kPower);
}

}  // namespace
}  // namespace weir
