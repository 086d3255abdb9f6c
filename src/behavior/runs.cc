#include "behavior/runs.h"

#include <algorithm>
#include <cstring>

namespace weir {

namespace {

constexpr std::string_view kPrefix = "run_";
constexpr std::string_view kHex = "0123456789abcdef";

struct StripeLinks {
  static std::uint32_t& newer(Run& run) { return run.newer; }
  static std::uint32_t& older(Run& run) { return run.older; }
};
struct OwnerLinks {
  static std::uint32_t& newer(Run& run) { return run.owners_newer; }
  static std::uint32_t& older(Run& run) { return run.owners_older; }
};

template <class Of, class At>
void push_newest(RunList& list, int which, std::uint32_t slot, At at) {
  Run& run = at(slot);
  Of::older(run) = list.newest[which];
  Of::newer(run) = RunList::kNone;
  if (list.newest[which] != RunList::kNone) Of::newer(at(list.newest[which])) = slot;
  list.newest[which] = slot;
  if (list.oldest[which] == RunList::kNone) list.oldest[which] = slot;
}

template <class Of, class At>
void take_out(RunList& list, int which, std::uint32_t slot, At at) {
  Run& run = at(slot);
  const std::uint32_t newer = Of::newer(run);
  const std::uint32_t older = Of::older(run);
  if (newer != RunList::kNone) {
    Of::older(at(newer)) = older;
  } else {
    list.newest[which] = older;
  }
  if (older != RunList::kNone) {
    Of::newer(at(older)) = newer;
  } else {
    list.oldest[which] = newer;
  }
}

char* put_hex(char* at, std::uint64_t value) {
  for (int shift = 60; shift >= 0; shift -= 4) *at++ = kHex[(value >> shift) & 15];
  return at;
}

}  // namespace

Activity& Run::act() {
  if (activity == nullptr) {
    activity = std::make_unique<Activity>();
    if (first_prompt != 0) activity->prompts.add(first_prompt, began);
  }
  return *activity;
}

std::string run_name(const Hash128& id) {
  char text[kPrefix.size() + 32];
  char* const digits = std::copy(kPrefix.begin(), kPrefix.end(), text);
  put_hex(put_hex(digits, id.high), id.low);
  return std::string(text, sizeof text);
}

std::string hex_of(std::uint64_t value) {
  char text[16];
  put_hex(text, value);
  return std::string(text, sizeof text);
}

std::optional<Hash128> run_id_from(std::string_view name) {
  if (name.size() != kPrefix.size() + 32 || !name.starts_with(kPrefix)) return std::nullopt;
  std::uint64_t halves[2] = {0, 0};
  for (std::size_t i = 0; i < 32; ++i) {
    const std::size_t digit = kHex.find(name[kPrefix.size() + i]);
    if (digit == std::string_view::npos) return std::nullopt;
    halves[i / 16] = (halves[i / 16] << 4) | digit;
  }
  return Hash128{halves[0], halves[1]};
}

Run* Runs::find(const Hash128& id) {
  if (index_.empty()) return nullptr;
  const std::uint32_t print = print_of(id);
  for (std::size_t at = index_home(print);; at = (at + 1) & (index_.size() - 1)) {
    const IndexEntry entry = index_[at];
    if (entry.slot == kNone) return nullptr;
    if (entry.print != print) continue;
    if (Run& run = in_slot(entry.slot); run.id == id) return &run;
  }
}

Run* Runs::at(const RunRef& ref) {
  if (!ref || ref.slot >= used_) return nullptr;
  Run& run = in_slot(ref.slot);
  return run.owner != nullptr && run.generation == ref.generation ? &run : nullptr;
}

Run& Runs::make(const Hash128& id, const Hash128& owner_id, std::string_view name, TimeNs now, bool evict) {
  Owner* owner = &owners_.try_emplace(owner_id, Owner{.id = owner_id}).first->second;
  Hash128 own_id = id;
  bool overflow = false;
  if (owner->live >= cap_ && !evict_one(owner->list, true, now)) {
    if (owner->overflow != kNone) return in_slot(owner->overflow);
    overflow = true;
    name = {};
  } else if (evict) {
    evict_one(list_, false, now);
  }
  // An eviction may have taken this owner's last run, and the owner with it.
  owner = &owners_.try_emplace(owner_id, Owner{.id = owner_id}).first->second;
  const std::uint32_t slot = new_slot();
  Run& run = in_slot(slot);
  run.slot = slot;
  run.generation = new_generation();
  run.id = own_id;
  run.owner = owner;
  run.began = run.last = now;
  if (overflow) {
    run.flags |= Run::kOverflow;
    owner->overflow = slot;
  }
  if (!name.empty()) {
    run.name = std::make_unique<char[]>(name.size() + 1);
    std::memcpy(run.name.get(), name.data(), name.size());
  }
  ++owner->live;
  ++size_;
  insert(run);
  index_add(slot);
  return run;
}

std::uint32_t Runs::new_generation() {
  if (++generation_ == 0) ++generation_;
  return generation_;
}

void Runs::restart(Run& run, TimeNs now) {
  run.generation = new_generation();
  run.began = run.last = now;
  run.used = run.held = {};
  run.first_prompt = 0;
  run.activity.reset();
  run.llm_calls = run.tool_calls = 0;
  run.flags &= Run::kListed | Run::kOverflow;
  touch(run, now);
}

void Runs::touch(Run& run, TimeNs now) {
  run.last = std::max(run.last, now);
  remove(run);
  insert(run);
}

void Runs::relist(Run& run) {
  if (run.is_plain() == !run.has(Run::kListed)) return;
  remove(run);
  insert(run);
}

void Runs::insert(Run& run) {
  const auto at = [this](std::uint32_t slot) -> Run& { return in_slot(slot); };
  const int which = run.is_plain() ? 0 : 1;
  run.flags = static_cast<std::uint8_t>(which == 0 ? run.flags & ~Run::kListed : run.flags | Run::kListed);
  push_newest<StripeLinks>(list_, which, run.slot, at);
  push_newest<OwnerLinks>(run.owner->list, which, run.slot, at);
}

void Runs::remove(Run& run) {
  const auto at = [this](std::uint32_t slot) -> Run& { return in_slot(slot); };
  const int which = run.has(Run::kListed) ? 1 : 0;
  take_out<StripeLinks>(list_, which, run.slot, at);
  take_out<OwnerLinks>(run.owner->list, which, run.slot, at);
}

void Runs::erase(Run& run) {
  index_remove(run.id);
  remove(run);
  Owner* owner = run.owner;
  if (run.has(Run::kOverflow)) owner->overflow = kNone;
  if (--owner->live == 0) owners_.erase(owner->id);
  const std::uint32_t slot = run.slot;
  run = Run();
  run.newer = free_;
  free_ = slot;
  --size_;
}

bool Runs::evict_one(RunList& list, bool owners, TimeNs now) {
  // Of an owner over its cap only plain runs go; of a full table also the least recently used others.
  for (int which = 0; which < (owners ? 1 : 2); ++which) {
    for (int looks = 0; looks < kMaxLooks && list.oldest[which] != kNone; ++looks) {
      Run& run = in_slot(list.oldest[which]);
      if (run.in_flight == 0 && !run.has(Run::kOverflow)) {
        if (on_evict_) on_evict_(run, now);
        erase(run);
        return true;
      }
      touch(run, std::min(run.last, now));  // not this one; behind the others
    }
  }
  return false;
}

Run* Runs::next_over(TimeNs now, DurationNs idle) {
  for (int which = 0; which < 2; ++which) {
    for (int looks = 0; looks < kMaxLooks && list_.oldest[which] != kNone; ++looks) {
      Run& run = in_slot(list_.oldest[which]);
      if (run.is_over(now, idle)) return &run;
      if (run.in_flight == 0) break;
      touch(run, run.last);
    }
  }
  return nullptr;
}

std::uint32_t Runs::new_slot() {
  if (free_ != kNone) {
    const std::uint32_t slot = free_;
    free_ = in_slot(slot).newer;
    in_slot(slot).newer = kNone;
    return slot;
  }
  if (used_ == chunks_.size() * kChunk) chunks_.push_back(std::make_unique<Run[]>(kChunk));
  return used_++;
}

void Runs::index_add(std::uint32_t slot) {
  if (index_.empty() || size_ * 3 > index_.size() * 2) {
    index_.assign(index_.empty() ? 16 : index_.size() * 2, {});
    for (std::uint32_t known = 0; known < used_; ++known) {
      if (known != slot && in_slot(known).owner != nullptr) index_add(known);
    }
  }
  const std::uint32_t print = print_of(in_slot(slot).id);
  std::size_t at = index_home(print);
  while (index_[at].slot != kNone) at = (at + 1) & (index_.size() - 1);
  index_[at] = {slot, print};
}

void Runs::index_remove(const Hash128& id) {
  const std::size_t mask = index_.size() - 1;
  const std::uint32_t print = print_of(id);
  std::size_t hole = index_home(print);
  while (index_[hole].print != print || in_slot(index_[hole].slot).id != id) hole = (hole + 1) & mask;
  // What was pushed on by the removed one moves back, so that no search ends too early.
  for (std::size_t at = (hole + 1) & mask; index_[at].slot != kNone; at = (at + 1) & mask) {
    const std::size_t home = index_home(index_[at].print);
    if (((at - home) & mask) < ((at - hole) & mask)) continue;
    index_[hole] = index_[at];
    hole = at;
  }
  index_[hole] = {};
}

std::size_t Runs::bytes() const {
  std::size_t total = chunks_.size() * kChunk * sizeof(Run) + index_.capacity() * sizeof(IndexEntry) +
                      owners_.size() * (sizeof(Owner) + 48);
  for (std::uint32_t slot = 0; slot < used_; ++slot) {
    const Run& run = chunks_[slot / kChunk][slot % kChunk];
    if (run.activity != nullptr) total += run.activity->bytes() + 16;
    if (run.name != nullptr) total += std::max<std::size_t>(32, std::strlen(run.name.get()) + 17);
  }
  return total;
}

}  // namespace weir
