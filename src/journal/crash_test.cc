// Processes that die within a write, again and again: what was acknowledged is charged, and booked exactly once.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "journal/test_process.h"

namespace weir {
namespace {

constexpr std::size_t kSubjects = 3;

struct Rng {
  std::uint64_t state;
  std::uint64_t below(std::uint64_t n) {
    state = state * 6364136223846793005ull + 1442695040888963407ull;
    return (state >> 33) % n;
  }
};

// What a request may count for if the process dies now: between low and high, the values since it was acknowledged.
struct Charge {
  std::size_t who = 0;
  std::int64_t low = 0, high = 0, last = 0;
  bool acknowledged = false;
  void set(std::int64_t value) {
    last = value;
    low = std::min(low, value);
    high = std::max(high, value);
  }
  void acknowledge() {
    low = high = last;
    acknowledged = true;
  }
};

// What outlives the processes.
struct World {
  Data data;
  Rng rng;
  TimeNs now = kStart;
  std::uint64_t next = 1;
  std::set<std::uint64_t> collected;  // segments whose rows are in `booked`
  std::map<Hash128, int> booked;

  // Stands for the drain.
  bool collect(std::uint64_t sequence) {
    if (!collected.insert(sequence).second) return true;
    const auto files = list_segments(data.journal()).value();
    for (const SegmentFile& file : files) {
      if (file.sequence != sequence) continue;
      SegmentReader reader;
      EXPECT_TRUE(reader.open(file.path));
      RecordView view;
      Record record;
      while (reader.next(view) == SegmentReader::kRecord) {
        if (decode_record(view.type, view.payload, record) && record.type == RecordType::kSettle) ++booked[record.id];
      }
    }
    return true;
  }
};

// One process: random work, snapshots and acknowledgements, then death within a write.
class Life {
 public:
  explicit Life(World& world) : world_(world), process_(world.data.journal(), world.data.disk) {
    process_.snapshots->set_drained([&world](std::uint64_t sequence) { return world.collect(sequence); });
  }

  std::map<std::uint64_t, Charge> run() {
    for (std::uint64_t i = world_.rng.below(120); i > 0; --i) {
      work();
      if (world_.rng.below(4) == 0) acknowledge();
      if (world_.rng.below(25) == 0) {
        acknowledge();
        process_.snapshot(world_.now);
      }
    }
    acknowledge();
    const auto before = list_segments(world_.data.journal()).value();
    const std::size_t kept = before.empty() ? 0 : std::filesystem::file_size(before.back().path);
    for (std::uint64_t i = world_.rng.below(6); i > 0; --i) work();
    process_.writer->flush();
    const auto after = list_segments(world_.data.journal()).value();
    if (before.empty() || before.size() != after.size()) {
      acknowledge();  // a new segment was begun: all of the write stays
    } else {
      const std::size_t size = std::filesystem::file_size(after.back().path);
      std::filesystem::resize_file(after.back().path, kept + world_.rng.below(size - kept + 1));
    }
    return charges_;
  }

 private:
  void acknowledge() {
    process_.writer->flush();
    for (auto& [n, charge] : charges_) charge.acknowledge();
  }

  void work() {
    Rng& rng = world_.rng;
    world_.now += static_cast<TimeNs>(rng.below(kSecond));
    const std::uint64_t choice = rng.below(10);
    if (choice < 4 || open_.empty()) {
      const std::uint64_t n = world_.next++;
      Charge& charge = charges_[n];
      charge.who = rng.below(kSubjects);
      charge.set(static_cast<std::int64_t>(rng.below(1000)) + 1);
      process_.admit(n, charge.who, charge.last, world_.now);
      open_.push_back(n);
      return;
    }
    const std::size_t at = rng.below(open_.size());
    Charge& charge = charges_[open_[at]];
    if (choice < 6) {
      process_.top_up(open_[at], 64, world_.now);
      charge.set(charge.last + 64);
      return;
    }
    charge.set(static_cast<std::int64_t>(rng.below(1500)));
    process_.settle(open_[at], charge.last, world_.now);
    open_.erase(open_.begin() + static_cast<std::ptrdiff_t>(at));
  }

  World& world_;
  Process process_;
  std::map<std::uint64_t, Charge> charges_;
  std::vector<std::uint64_t> open_;
};

RC_GTEST_PROP(Crash, WhateverWasAcknowledgedIsChargedAndBookedOnce, ()) {
  World world{.rng = {*rc::gen::arbitrary<std::uint64_t>()}};
  std::array<std::int64_t, kSubjects> found{};  // usage after the recovery before
  std::set<std::uint64_t> must_be_booked;
  for (int life = 0; life < 4; ++life) {
    const std::map<std::uint64_t, Charge> charges = Life(world).run();
    std::array<std::int64_t, kSubjects> low = found, high = found;
    for (const auto& [n, charge] : charges) {
      low[charge.who] += charge.low;
      high[charge.who] += charge.high;
      if (charge.acknowledged) must_be_booked.insert(n);
    }
    const Process process(world.data.journal(), world.data.disk);
    for (std::size_t who = 0; who < kSubjects; ++who) {
      found[who] = process.usage(who, world.now);
      RC_ASSERT(found[who] >= low[who]);
      RC_ASSERT(found[who] <= high[who]);
    }
  }
  const auto files = list_segments(world.data.journal()).value();
  for (const SegmentFile& file : files) world.collect(file.sequence);
  for (const std::uint64_t n : must_be_booked) RC_ASSERT(world.booked[test_id(n)] == 1);
  for (const auto& [id, count] : world.booked) RC_ASSERT(count == 1);
}

}  // namespace
}  // namespace weir
