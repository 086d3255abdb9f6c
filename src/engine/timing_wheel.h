// Hierarchical timing wheel (Varghese and Lauck 1987): O(1) to add and remove, exact deadlines, cheap clock jumps.
//
//   TimingWheel wheel;
//   wheel.add(entry);                 // entry.deadline is set
//   while (WheelEntry* due = wheel.pop_due(now)) …
//
// Entries belong to the caller and must be removed before they die. Not thread-safe.
#pragma once

#include <array>

#include "engine/arithmetic.h"

namespace weir::engine {

struct WheelEntry {
  WheelEntry* next = nullptr;
  WheelEntry* previous = nullptr;
  TimeNs deadline = 0;
  bool linked() const { return next != nullptr; }
};

class TimingWheel {
 public:
  TimingWheel();

  void add(WheelEntry& entry);
  static void remove(WheelEntry& entry);
  // Removes and returns an entry whose deadline is at or before `now`; nullptr if there is none.
  WheelEntry* pop_due(TimeNs now);

 private:
  static constexpr int kTickBits = 24;  // 16.8 ms
  static constexpr int kSlotBits = 6;
  static constexpr int kLevels = 7;  // 42 bits of ticks: every TimeNs up to kMaxTime
  static constexpr std::size_t kSlots = std::size_t{1} << kSlotBits;

  static void append(WheelEntry& list, WheelEntry& entry);
  static void clear(WheelEntry& list) { list.next = list.previous = &list; }
  static void splice(WheelEntry& from, WheelEntry& to);
  void advance(std::int64_t tick);

  std::int64_t tick_ = 0;
  WheelEntry near_;  // deadlines within the current tick or before
  std::array<std::array<WheelEntry, kSlots>, kLevels> slots_;
};

}  // namespace weir::engine
