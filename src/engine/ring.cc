#include "engine/ring.h"

namespace weir::engine {
namespace {

template <typename Word>
std::int64_t give_back_words(const Def& def, RingCell& cell, TimeNs t, const Charge& charge) {
  const std::int64_t bucket = def.bucket_of(charge.at);
  const std::int64_t newest = std::max(cell.head, def.bucket_of(t));
  if (bucket <= newest - cell.buckets || bucket > cell.head) return 0;
  Word& word = cell.words<Word>()[def.slot_of(bucket)];
  const std::int64_t taken = std::min(static_cast<std::int64_t>(word), charge.amount);
  word = static_cast<Word>(word - static_cast<Word>(taken));
  cell.sum -= taken;
  if (word == 0 && cell.head - bucket == cell.oldest) find_oldest<Word>(def, cell, cell.oldest);
  return taken;
}

template <typename Word>
void insert_words(const Def& def, RingCell& cell, const Charge& charge) {
  const std::int64_t bucket = def.bucket_of(charge.at);
  roll_ring<Word>(def, cell, bucket);
  const std::int64_t age = cell.head - bucket;
  const std::int64_t amount = bookable(cell.sum, charge.amount);
  if (age >= cell.buckets || amount == 0) return;
  Word& word = cell.words<Word>()[def.slot_of(bucket)];
  word = static_cast<Word>(word + static_cast<Word>(amount));
  if (cell.sum == 0 || age > cell.oldest) cell.oldest = static_cast<std::uint16_t>(age);
  cell.sum += amount;
}

template <typename Word>
std::vector<Charge> contents_words(const Def& def, const RingCell& cell, TimeNs newest) {
  std::vector<Charge> result;
  walk_ring<Word>(def, cell, cell.oldest, 0, [&](std::int64_t age, const Word& word) {
    if (word == 0) return true;
    result.push_back(
        {.at = std::min((cell.head - age + 1) * def.width - 1, newest), .amount = static_cast<std::int64_t>(word)});
    return true;
  });
  return result;
}

}  // namespace

std::int64_t ring_total(const Def& def, const RingCell& cell, TimeNs t) {
  const std::int64_t steps = def.bucket_of(t) - cell.head;
  return is_narrow(cell) ? ring_sum_at<std::uint32_t>(def, cell, steps) : ring_sum_at<std::uint64_t>(def, cell, steps);
}

std::int64_t give_back_ring(const Def& def, RingCell& cell, TimeNs t, const Charge& charge) {
  return is_narrow(cell) ? give_back_words<std::uint32_t>(def, cell, t, charge)
                         : give_back_words<std::uint64_t>(def, cell, t, charge);
}

void insert_ring(const Def& def, RingCell& cell, const Charge& charge) {
  is_narrow(cell) ? insert_words<std::uint32_t>(def, cell, charge) : insert_words<std::uint64_t>(def, cell, charge);
}

std::vector<Charge> ring_contents(const Def& def, const RingCell& cell, TimeNs newest) {
  return is_narrow(cell) ? contents_words<std::uint32_t>(def, cell, newest)
                         : contents_words<std::uint64_t>(def, cell, newest);
}

}  // namespace weir::engine
