// The open runs of one stripe: found by id or place, bounded, the least recently used first to go.
//
//   Runs runs(stripe, cap_per_owner);
//   Run* run = runs.find(id);
//   run = runs.make(id, owner, name, now, evict);    // `evict`: the table of all stripes is full
//   runs.touch(*run, now);
//   runs.erase(*run);
//
// An owner has at most `cap_per_owner` of them. Beyond it, its idle runs of a single plain call make room; without any,
// make() answers the one run that all its further ones share. Not thread-safe: the stripe's lock guards it. A Run stays
// where it is until it is erased. About 170 bytes a run, index included, and its Activity once it does more than one
// plain request.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/time.h"
#include "behavior/activity.h"
#include "behavior/guard.h"
#include "behavior/links.h"
#include "behavior/striped.h"
#include "weir/types.h"

namespace weir {

// The ends of a list through the runs: [0] idle runs of a single plain call, [1] the others.
struct RunList {
  static constexpr std::uint32_t kNone = 0xffffffff;
  std::uint32_t newest[2] = {kNone, kNone}, oldest[2] = {kNone, kNone};
};

struct Owner {
  Hash128 id;
  std::size_t live = 0;
  RunList list;
  std::uint32_t overflow = RunList::kNone;  // the run of those beyond its cap
};

struct Run {
  Hash128 id;
  Owner* owner = nullptr;
  TimeNs began = 0, last = 0;
  RunUse used, held;
  std::uint64_t first_prompt = 0;  // until there is an activity
  std::uint64_t profile = 0;       // of agent and task; 0: not known
  std::unique_ptr<Activity> activity;
  std::unique_ptr<char[]> name;  // as asserted; null: it has only its id
  std::uint32_t llm_calls = 0, tool_calls = 0, in_flight = 0;
  std::uint32_t generation = 0;
  std::uint32_t slot = 0;
  std::uint32_t newer = RunList::kNone, older = RunList::kNone;
  std::uint32_t owners_newer = RunList::kNone, owners_older = RunList::kNone;
  enum Flag : std::uint8_t {
    kBegun = 1,      // a request of it was admitted
    kListed = 2,     // in list [1]
    kTainted = 4,    // an anomaly, break or refusal: teaches nothing
    kOrdinary = 8,   // declared so: teaches
    kOverflow = 16,  // its owner's shared one
    kOverCalls = 32  // tried to call more tools than it may
  };
  std::uint8_t flags = 0;

  bool has(Flag flag) const { return (flags & flag) != 0; }
  bool is_plain() const { return llm_calls <= 1 && tool_calls == 0 && activity == nullptr; }
  bool is_over(TimeNs now, DurationNs idle) const { return in_flight == 0 && idle > 0 && now - last > idle; }
  Activity& act();  // made if there is none
};

// "run_" and 32 hex digits.
std::string run_name(const Hash128& id);
std::optional<Hash128> run_id_from(std::string_view name);
std::string hex_of(std::uint64_t value);  // 16 digits

class Runs {
 public:
  // `on_evict` is told of a run that goes to make room.
  using OnEvict = std::function<void(Run&, TimeNs)>;
  Runs(std::uint16_t stripe, std::size_t cap_per_owner, OnEvict on_evict = {})
      : stripe_(stripe), cap_(cap_per_owner), on_evict_(std::move(on_evict)) {}

  Run* find(const Hash128& id);
  Run* at(const RunRef& ref);  // null: gone
  RunRef ref(const Run& run) const { return {run.slot, run.generation, stripe_}; }

  Run& make(const Hash128& id, const Hash128& owner, std::string_view name, TimeNs now, bool evict);
  // It goes on after having been idle: a new run with the same id. What led to the old one does not lead to it.
  void restart(Run& run, TimeNs now);
  void touch(Run& run, TimeNs now);
  void relist(Run& run);  // it may be plain no longer, or again; nobody used it
  void erase(Run& run);
  // An idle one that could end: the least recently used of the stripe that is `idle` over; null: none.
  Run* next_over(TimeNs now, DurationNs idle);
  // Every run, in no order. `visit` may erase the one it is given.
  template <class Visit>
  void each(Visit visit) {
    for (std::uint32_t slot = 0; slot < used_; ++slot) {
      Run& run = in_slot(slot);
      if (run.owner != nullptr) visit(run);
    }
  }

  std::size_t size() const { return size_; }
  std::size_t bytes() const;

 private:
  static constexpr std::uint32_t kNone = RunList::kNone;
  static constexpr std::uint32_t kChunk = 128;  // runs
  static constexpr int kMaxLooks = 8;           // past runs that cannot go

  Run& in_slot(std::uint32_t slot) { return chunks_[slot / kChunk][slot % kChunk]; }
  std::uint32_t new_slot();
  void insert(Run& run);
  void remove(Run& run);
  bool evict_one(RunList& list, bool owners, TimeNs now);
  std::uint32_t new_generation();

  void index_add(std::uint32_t slot);
  void index_remove(const Hash128& id);
  // Beside the slot a part of the id's hash, which is also where the entry belongs: neither a search nor a removal
  // looks at any run but the one it finds, for the others may long have left the cache.
  struct IndexEntry {
    std::uint32_t slot = RunList::kNone;
    std::uint32_t print = 0;
  };
  static std::uint32_t print_of(const Hash128& id) { return static_cast<std::uint32_t>(Hash128Hash()(id) >> 32); }
  std::size_t index_home(std::uint32_t print) const { return print & (index_.size() - 1); }

  std::uint16_t stripe_;
  std::size_t cap_;
  OnEvict on_evict_;
  std::size_t size_ = 0;
  std::uint32_t used_ = 0;      // slots ever
  std::uint32_t free_ = kNone;  // chained by `newer`
  std::uint32_t generation_ = 0;
  std::vector<std::unique_ptr<Run[]>> chunks_;
  std::vector<IndexEntry> index_;  // open addressing
  std::unordered_map<Hash128, Owner, Hash128Hash> owners_;
  RunList list_;
};

}  // namespace weir
