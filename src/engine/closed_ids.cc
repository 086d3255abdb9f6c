#include "engine/closed_ids.h"

#include <algorithm>
#include <cstring>

namespace weir::engine {

int ClosedIds::find(const Hash128& id) const {
  if (queue_.empty()) return -1;
  const std::uint32_t tag = tag_of(id);
  for (std::uint32_t slot = home(tag); slots_[slot] != kFree; slot = (slot + 1) & mask()) {
    if (slots_[slot] >> 16 != tag) continue;
    const Entry& entry = entry_at(slots_[slot] & 0xFFFF);
    if (std::memcmp(entry.data(), &id, sizeof(id)) == 0) return static_cast<int>(entry[4] & ((1u << kNoteBits) - 1));
  }
  return -1;
}

void ClosedIds::add(const Hash128& id, std::uint8_t note, TimeNs now) {
  if ((queue_.size() + 1) * 5 > slots_.size() * 4) grow();
  const auto number = static_cast<std::uint32_t>(first_ + queue_.size()) & 0xFFFF;
  newest_ = std::max(newest_, static_cast<std::uint32_t>(std::min<TimeNs>(clamp_time(now) >> kAtBits, 0xFFFF'FFFF)));
  Entry& entry = queue_.emplace_back();
  std::memcpy(entry.data(), &id, sizeof(id));
  entry[4] = newest_ << kNoteBits | note;
  place(tag_of(id) << 16 | number);
}

void ClosedIds::drop_oldest() {
  Hash128 id;
  std::memcpy(static_cast<void*>(&id), queue_.front().data(), sizeof(id));
  const std::uint32_t wanted = tag_of(id) << 16 | first_;
  std::uint32_t hole = home(tag_of(id));
  while (slots_[hole] != wanted) hole = (hole + 1) & mask();
  for (std::uint32_t next = (hole + 1) & mask(); slots_[next] != kFree; next = (next + 1) & mask()) {
    if (((next - home(slots_[next] >> 16)) & mask()) < ((next - hole) & mask())) continue;
    slots_[hole] = slots_[next];
    hole = next;
  }
  slots_[hole] = kFree;
  queue_.pop_front();
  first_ = (first_ + 1) & 0xFFFF;
  if (queue_.empty()) {
    std::vector<std::uint32_t>().swap(slots_);
  }
}

void ClosedIds::place(std::uint32_t entry) {
  std::uint32_t slot = home(entry >> 16);
  while (slots_[slot] != kFree) slot = (slot + 1) & mask();
  slots_[slot] = entry;
}

void ClosedIds::grow() {
  std::vector<std::uint32_t> before(std::max<std::size_t>(slots_.size() * 2, 16), kFree);
  before.swap(slots_);
  for (const std::uint32_t entry : before) {
    if (entry != kFree) place(entry);
  }
}

}  // namespace weir::engine
