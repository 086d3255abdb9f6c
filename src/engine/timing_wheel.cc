#include "engine/timing_wheel.h"

#include <algorithm>
#include <bit>

namespace weir::engine {

TimingWheel::TimingWheel() {
  clear(near_);
  for (auto& level : slots_) {
    for (WheelEntry& slot : level) clear(slot);
  }
}

void TimingWheel::add(WheelEntry& entry) {
  const std::int64_t tick = clamp_time(entry.deadline) >> kTickBits;
  if (tick <= tick_) {
    append(near_, entry);
    return;
  }
  // The level is where the deadline's tick first differs from the current one: it shares all higher digits.
  const auto differing = static_cast<std::uint64_t>(tick ^ tick_);
  const int level = (static_cast<int>(std::bit_width(differing)) - 1) / kSlotBits;
  const auto slot = static_cast<std::size_t>(tick >> (level * kSlotBits)) % kSlots;
  append(slots_[static_cast<std::size_t>(level)][slot], entry);
}

void TimingWheel::remove(WheelEntry& entry) {
  entry.previous->next = entry.next;
  entry.next->previous = entry.previous;
  entry.next = entry.previous = nullptr;
}

WheelEntry* TimingWheel::pop_due(TimeNs now) {
  now = clamp_time(now);
  advance(now >> kTickBits);
  for (WheelEntry* entry = near_.next; entry != &near_; entry = entry->next) {
    if (entry->deadline > now) continue;
    remove(*entry);
    return entry;
  }
  return nullptr;
}

void TimingWheel::append(WheelEntry& list, WheelEntry& entry) {
  entry.previous = list.previous;
  entry.next = &list;
  list.previous->next = &entry;
  list.previous = &entry;
}

void TimingWheel::splice(WheelEntry& from, WheelEntry& to) {
  if (from.next == &from) return;
  from.next->previous = to.previous;
  from.previous->next = &to;
  to.previous->next = from.next;
  to.previous = from.previous;
  clear(from);
}

void TimingWheel::advance(std::int64_t tick) {
  if (tick <= tick_) return;
  WheelEntry passed;
  clear(passed);
  for (int level = 0; level < kLevels; ++level) {
    const std::int64_t from = tick_ >> (level * kSlotBits);
    const std::int64_t to = tick >> (level * kSlotBits);
    if (from == to) break;
    const std::int64_t steps = std::min<std::int64_t>(to - from, kSlots);
    for (std::int64_t i = 1; i <= steps; ++i) {
      splice(slots_[static_cast<std::size_t>(level)][static_cast<std::size_t>(from + i) % kSlots], passed);
    }
  }
  tick_ = tick;
  while (passed.next != &passed) {
    WheelEntry& entry = *passed.next;
    remove(entry);
    add(entry);
  }
}

}  // namespace weir::engine
