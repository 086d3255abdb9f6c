// Conservative ring: k + 1 buckets of width w = W / k, the oldest counted in full. A window of length W meets at most
// k + 1 buckets, and their sum was within the amount at the last admission among them, so no window ever holds more.
//
//   Assessment a = assess_ring(def, cell, t, amount, cost);   // reads the header only, unless something has left
//   if (!a.refuses) charge_ring(def, cell, booking);          // touches one bucket, unless something has left
//
// Bucket number b lives in word b % (k + 1), so a caller can fetch it before it has seen the cell. What a decision
// needs is in the header: the sum, and where the oldest bucket that is not empty lies. Inline: the hot path.
#pragma once

#include <algorithm>
#include <cstring>

#include "engine/cell.h"

namespace weir::engine {

inline bool is_narrow(const RingCell& cell) {
  return cell.shape() == Shape::kRing32;
}

// How many buckets before the head still count when `steps` newer ones have begun; negative: none.
inline std::int64_t oldest_kept(const RingCell& cell, std::int64_t steps) {
  return std::int64_t{cell.buckets} - 1 - std::max<std::int64_t>(steps, 0);
}

// Walks the buckets from `age` before the head down to `last` before it; stops when `visit` answers false.
template <typename Word, typename Ring, typename Visit>
void walk_ring(const Def& def, Ring& cell, std::int64_t age, std::int64_t last, Visit visit) {
  if (age < last) return;
  for (std::uint32_t slot = def.slot_of(cell.head - age); age >= last; --age) {
    if (!visit(age, cell.template words<Word>()[slot])) return;
    if (++slot == cell.buckets) slot = 0;
  }
}

template <typename Word>
std::int64_t ring_sum_at(const Def& def, const RingCell& cell, std::int64_t steps) {
  const std::int64_t kept = oldest_kept(cell, steps);
  if (cell.oldest <= kept) return cell.sum;
  if (kept < 0) return 0;
  std::int64_t sum = cell.sum;
  walk_ring<Word>(def, cell, cell.oldest, kept + 1, [&](std::int64_t, const Word& word) {
    sum -= static_cast<std::int64_t>(word);
    return true;
  });
  return sum;
}

// Finds again the oldest bucket that is not empty, at most `age` before the head.
template <typename Word>
void find_oldest(const Def& def, RingCell& cell, std::int64_t age) {
  cell.oldest = 0;
  if (cell.sum == 0) return;
  walk_ring<Word>(def, cell, age, 1, [&](std::int64_t at, const Word& word) {
    if (word == 0) return true;
    cell.oldest = static_cast<std::uint16_t>(at);
    return false;
  });
}

// Makes `bucket` the head if it is newer.
template <typename Word>
void roll_ring(const Def& def, RingCell& cell, std::int64_t bucket) {
  const std::int64_t steps = bucket - cell.head;
  if (steps <= 0) return;
  const std::int64_t kept = oldest_kept(cell, steps);
  if (cell.sum > 0 && kept < 0) {
    std::memset(cell.words<Word>(), 0, sizeof(Word) * cell.buckets);
    cell.sum = 0;
  } else if (cell.sum > 0 && cell.oldest > kept) {
    walk_ring<Word>(def, cell, cell.oldest, kept + 1, [&](std::int64_t, Word& word) {
      cell.sum -= static_cast<std::int64_t>(word);
      word = 0;
      return true;
    });
    find_oldest<Word>(def, cell, kept);
  }
  cell.oldest = cell.sum == 0 ? std::uint16_t{0} : static_cast<std::uint16_t>(cell.oldest + steps);
  cell.head = bucket;
}

// Fills retry_at and reset_at of a ring that is not empty: from the oldest bucket that counts until enough has left.
template <typename Word>
void find_exits(const Def& def, const RingCell& cell, std::int64_t steps, std::int64_t amount, std::int64_t cost,
                Assessment& result) {
  const auto leaves = [&](std::int64_t age) { return (cell.head - age + cell.buckets) * def.width; };
  const std::int64_t kept = oldest_kept(cell, steps);
  if (!result.refuses && cell.oldest <= kept) {
    result.reset_at = leaves(cell.oldest);
    return;
  }
  std::int64_t left = result.total;
  walk_ring<Word>(def, cell, std::min<std::int64_t>(cell.oldest, kept), 0, [&](std::int64_t age, const Word& word) {
    if (word == 0) return true;
    if (result.reset_at == 0) result.reset_at = leaves(age);
    if (!result.refuses || cost > amount) return false;
    left -= static_cast<std::int64_t>(word);
    if (left + cost > amount) return true;
    result.retry_at = leaves(age);
    return false;
  });
}

template <typename Word>
Assessment assess_words(const Def& def, const RingCell& cell, TimeNs t, std::int64_t amount, std::int64_t cost) {
  const std::int64_t steps = def.bucket_of(t) - cell.head;
  Assessment result;
  result.total = ring_sum_at<Word>(def, cell, steps);
  result.open = cell.open;
  result.refuses = result.total + cost > amount;
  if (result.refuses) result.retry_at = kNever;
  if (result.total > 0) find_exits<Word>(def, cell, steps, amount, cost, result);
  return result;
}

template <typename Word>
Booked charge_words(const Def& def, RingCell& cell, const Booking& booking) {
  roll_ring<Word>(def, cell, def.bucket_of(booking.at));
  const std::int64_t amount = bookable(cell.sum, booking.units);
  Word& word = cell.words<Word>()[def.slot_of(cell.head)];
  word = static_cast<Word>(word + static_cast<Word>(amount));
  cell.sum += amount;
  if (booking.hold) cell.open += bookable(cell.open, booking.units);
  return {.amount = amount, .at = booking.at};
}

inline Assessment assess_ring(const Def& def, const RingCell& cell, TimeNs t, std::int64_t amount, std::int64_t cost) {
  return is_narrow(cell) ? assess_words<std::uint32_t>(def, cell, t, amount, cost)
                         : assess_words<std::uint64_t>(def, cell, t, amount, cost);
}

inline Booked charge_ring(const Def& def, RingCell& cell, const Booking& booking) {
  return is_narrow(cell) ? charge_words<std::uint32_t>(def, cell, booking)
                         : charge_words<std::uint64_t>(def, cell, booking);
}

std::int64_t give_back_ring(const Def& def, RingCell& cell, TimeNs t, const Charge& charge);
std::int64_t ring_total(const Def& def, const RingCell& cell, TimeNs t);
void insert_ring(const Def& def, RingCell& cell, const Charge& charge);
std::vector<Charge> ring_contents(const Def& def, const RingCell& cell, TimeNs newest);

}  // namespace weir::engine
