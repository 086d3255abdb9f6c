// Conservative ring: k + 1 buckets of width w = W / k, the oldest counted in full. A window of length W meets at most
// k + 1 buckets, and their sum was within the amount at the last admission among them, so no window ever holds more.
#include <algorithm>
#include <cstring>

#include "engine/windows.h"

namespace weir::engine {
namespace {

template <typename Word>
std::uint32_t slot_back(const RingCell& cell, std::int64_t steps) {
  const std::int64_t slot = std::int64_t{cell.head_slot} - steps;
  return static_cast<std::uint32_t>(slot < 0 ? slot + cell.buckets : slot);
}

// Sum of the oldest `count` buckets, count < buckets.
template <typename Word>
std::int64_t oldest_sum(const RingCell& cell, std::int64_t count) {
  std::int64_t sum = 0;
  std::uint32_t slot = cell.head_slot;
  for (std::int64_t i = 0; i < count; ++i) {
    if (++slot == cell.buckets) slot = 0;
    sum += static_cast<std::int64_t>(cell.words<Word>()[slot]);
  }
  return sum;
}

// Makes `bucket` the head if it is newer.
template <typename Word>
void roll(RingCell& cell, std::int64_t bucket) {
  const std::int64_t steps = bucket - cell.head;
  if (steps <= 0) return;
  cell.head = bucket;
  if (cell.sum == 0) return;  // every bucket is zero: any slot may be the head
  if (steps >= cell.buckets) {
    std::memset(cell.words<Word>(), 0, sizeof(Word) * cell.buckets);
    cell.sum = 0;
    return;
  }
  std::uint32_t slot = cell.head_slot;
  for (std::int64_t i = 0; i < steps; ++i) {
    if (++slot == cell.buckets) slot = 0;
    cell.sum -= static_cast<std::int64_t>(cell.words<Word>()[slot]);
    cell.words<Word>()[slot] = 0;
  }
  cell.head_slot = static_cast<std::uint16_t>(slot);
}

template <typename Word>
std::int64_t total_at(const Def& def, const RingCell& cell, TimeNs t) {
  const std::int64_t steps = def.bucket_of(t) - cell.head;
  if (steps <= 0) return cell.sum;
  return steps >= cell.buckets ? 0 : cell.sum - oldest_sum<Word>(cell, steps);
}

// Fills retry_at and reset_at: walks from the oldest bucket that counts until enough has left.
template <typename Word>
void walk(const Def& def, const RingCell& cell, TimeNs t, std::int64_t amount, std::int64_t cost, Assessment& result) {
  const std::int64_t oldest = std::max(cell.head, def.bucket_of(t)) - cell.buckets + 1;
  std::int64_t left = result.total;
  if (result.refuses) result.retry_at = kNever;
  for (std::int64_t bucket = oldest; bucket <= cell.head; ++bucket) {
    const auto value = static_cast<std::int64_t>(cell.words<Word>()[slot_back<Word>(cell, cell.head - bucket)]);
    if (value == 0) continue;
    const TimeNs leaves = (bucket + cell.buckets) * def.width;
    if (result.reset_at == 0) result.reset_at = leaves;
    if (!result.refuses || cost > amount) return;
    left -= value;
    if (left + cost <= amount) {
      result.retry_at = leaves;
      return;
    }
  }
}

template <typename Word>
Booked charge_words(const Def& def, RingCell& cell, const Booking& booking) {
  roll<Word>(cell, def.bucket_of(booking.at));
  const std::int64_t amount = bookable(cell.sum, booking.units);
  Word& word = cell.words<Word>()[cell.head_slot];
  word = static_cast<Word>(word + static_cast<Word>(amount));
  cell.sum += amount;
  if (booking.hold) cell.open += bookable(cell.open, booking.units);
  return {.amount = amount, .at = booking.at};
}

template <typename Word>
std::int64_t give_back_words(const Def& def, RingCell& cell, TimeNs t, const Charge& charge) {
  const std::int64_t bucket = def.bucket_of(charge.at);
  const std::int64_t newest = std::max(cell.head, def.bucket_of(t));
  if (bucket <= newest - cell.buckets || bucket <= cell.head - cell.buckets || bucket > cell.head) return 0;
  Word& word = cell.words<Word>()[slot_back<Word>(cell, cell.head - bucket)];
  const std::int64_t taken = std::min(static_cast<std::int64_t>(word), charge.amount);
  word = static_cast<Word>(word - static_cast<Word>(taken));
  cell.sum -= taken;
  return taken;
}

template <typename Word>
void insert_words(const Def& def, RingCell& cell, const Charge& charge) {
  const std::int64_t bucket = def.bucket_of(charge.at);
  roll<Word>(cell, bucket);
  if (bucket <= cell.head - cell.buckets) return;
  const std::int64_t amount = bookable(cell.sum, charge.amount);
  Word& word = cell.words<Word>()[slot_back<Word>(cell, cell.head - bucket)];
  word = static_cast<Word>(word + static_cast<Word>(amount));
  cell.sum += amount;
}

template <typename Word>
std::vector<Charge> contents_words(const Def& def, const RingCell& cell, TimeNs newest) {
  std::vector<Charge> result;
  for (std::int64_t back = cell.buckets - 1; back >= 0; --back) {
    const auto value = static_cast<std::int64_t>(cell.words<Word>()[slot_back<Word>(cell, back)]);
    if (value > 0) result.push_back({.at = std::min((cell.head - back + 1) * def.width - 1, newest), .amount = value});
  }
  return result;
}

bool narrow(const RingCell& cell) {
  return cell.shape() == Shape::kRing32;
}

}  // namespace

Assessment assess_ring(const Def& def, const RingCell& cell, TimeNs t, std::int64_t amount, std::int64_t cost) {
  Assessment result;
  result.total = ring_total(def, cell, t);
  result.open = cell.open;
  result.refuses = result.total + cost > amount;
  if (!result.refuses && result.total == 0) return result;
  narrow(cell) ? walk<std::uint32_t>(def, cell, t, amount, cost, result)
               : walk<std::uint64_t>(def, cell, t, amount, cost, result);
  if (result.refuses && cost > amount) result.retry_at = kNever;
  return result;
}

std::int64_t ring_total(const Def& def, const RingCell& cell, TimeNs t) {
  return narrow(cell) ? total_at<std::uint32_t>(def, cell, t) : total_at<std::uint64_t>(def, cell, t);
}

Booked charge_ring(const Def& def, RingCell& cell, const Booking& booking) {
  return narrow(cell) ? charge_words<std::uint32_t>(def, cell, booking)
                      : charge_words<std::uint64_t>(def, cell, booking);
}

std::int64_t give_back_ring(const Def& def, RingCell& cell, TimeNs t, const Charge& charge) {
  return narrow(cell) ? give_back_words<std::uint32_t>(def, cell, t, charge)
                      : give_back_words<std::uint64_t>(def, cell, t, charge);
}

void insert_ring(const Def& def, RingCell& cell, const Charge& charge) {
  narrow(cell) ? insert_words<std::uint32_t>(def, cell, charge) : insert_words<std::uint64_t>(def, cell, charge);
}

std::vector<Charge> ring_contents(const Def& def, const RingCell& cell, TimeNs newest) {
  return narrow(cell) ? contents_words<std::uint32_t>(def, cell, newest)
                      : contents_words<std::uint64_t>(def, cell, newest);
}

}  // namespace weir::engine
