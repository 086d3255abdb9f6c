#include "engine/table.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace weir::engine {

Table::Table(std::size_t max_bytes, std::uint32_t stripes, const CounterDefs& defs)
    : defs_(defs),
      stripe_mask_(std::bit_ceil(std::clamp<std::uint32_t>(stripes, 1, 1u << 20)) - 1),
      pool_(max_bytes),
      index_memory_(stripe_mask_ + 1),
      stripes_(std::make_unique<Stripe[]>(stripe_mask_ + 1)) {}

Record* Table::insert(Stripe& stripe, const Hash128& key, std::uint32_t owner, bool force) {
  const std::uint64_t* slots = stripe.slots.load(std::memory_order_relaxed);
  const std::uint32_t count = slots == nullptr ? 0 : stripe.mask.load(std::memory_order_relaxed) + 1;
  if (stripe.live + 1 > count - count / 4 && !resize_index(stripe, std::max(count * 2, kFirstSlots), force)) {
    if (stripe.live + 2 > count) return nullptr;  // the last free slot ends every search
  }
  auto* record = static_cast<Record*>(pool_.allocate(sizeof(Record), force));
  if (record == nullptr) return nullptr;
  record->key = key;
  record->last_t = 0;
  record->owner = owner;
  record->bytes = sizeof(Record);
  std::uint64_t* entries = stripe.slots.load(std::memory_order_relaxed);
  const std::uint32_t mask = stripe.mask.load(std::memory_order_relaxed);
  const std::uint64_t tag = tag_of(key);
  auto slot = static_cast<std::uint32_t>(tag) & mask;
  while (entries[slot] != 0) slot = (slot + 1) & mask;
  entries[slot] = pack(tag, record);
  ++stripe.live;
  live_.fetch_add(1, std::memory_order_relaxed);
  return record;
}

Cell* Table::add_cell(Stripe& stripe, Record*& record, const Def& def, Shape shape, bool force) {
  const std::size_t bytes = new_cell_bytes(def, shape);
  const std::uint32_t offset = record->bytes;
  if (!resize_cell(stripe, record, offset, 0, bytes, force)) return nullptr;
  Cell* cell = record->cell_at(offset);
  init(def, *cell, shape, bytes);
  return cell;
}

bool Table::resize_cell(Stripe& stripe, Record*& record, std::uint32_t offset, std::size_t old_bytes,
                        std::size_t new_bytes, bool force) {
  const std::size_t before = record->bytes;
  const std::size_t after = before - old_bytes + new_bytes;
  const std::size_t tail = before - offset - old_bytes;
  if (SpanPool::block_bytes(after) == SpanPool::block_bytes(before)) {
    std::memmove(record->base() + offset + new_bytes, record->base() + offset + old_bytes, tail);
    record->bytes = static_cast<std::uint32_t>(after);
    return true;
  }
  auto* moved = static_cast<Record*>(pool_.allocate(after, force));
  if (moved == nullptr) return false;
  std::memcpy(static_cast<void*>(moved), record, offset);
  std::memcpy(moved->base() + offset + new_bytes, record->base() + offset + old_bytes, tail);
  moved->bytes = static_cast<std::uint32_t>(after);
  std::uint64_t* entries = stripe.slots.load(std::memory_order_relaxed);
  entries[slot_of(stripe, record)] = pack(tag_of(record->key), moved);
  pool_.release(record, before);
  record = moved;
  return true;
}

void Table::erase(Stripe& stripe, Record* record) {
  erase_slot(stripe, slot_of(stripe, record));
  owners_.release(record->owner);
  pool_.release(record, record->bytes);
  --stripe.live;
  live_.fetch_sub(1, std::memory_order_relaxed);
}

void Table::evict_some(Stripe& stripe, TimeNs now, std::uint32_t slots) {
  const std::uint64_t* entries = stripe.slots.load(std::memory_order_relaxed);
  if (entries == nullptr) return;
  const std::uint32_t mask = stripe.mask.load(std::memory_order_relaxed);
  for (std::uint32_t i = 0; i < slots; ++i) {
    stripe.hand &= mask;
    const std::uint64_t entry = entries[stripe.hand];
    Record* record = entry == 0 ? nullptr : unpack(entry);
    const TimeNs t = record == nullptr ? 0 : std::max({now, record->last_t, stripe.floor});
    if (record == nullptr || !dead(*record, t)) {
      if (record != nullptr) drop_dead_cells(stripe, record);
      ++stripe.hand;
      continue;
    }
    stripe.floor = t;
    erase(stripe, record);  // the slot now holds what moved back into it: look again
  }
}

void Table::shrink(Stripe& stripe) {
  if (stripe.slots.load(std::memory_order_relaxed) == nullptr) return;
  const std::uint32_t count = stripe.mask.load(std::memory_order_relaxed) + 1;
  if (stripe.live == 0) {
    resize_index(stripe, 0, true);
  } else if (count > kFirstSlots && stripe.live < count / 8) {
    resize_index(stripe, count / 2, true);
  }
}

void Table::for_each(const Stripe& stripe, const std::function<void(Record&)>& visit) const {
  const std::uint64_t* slots = stripe.slots.load(std::memory_order_relaxed);
  if (slots == nullptr) return;
  const std::uint32_t mask = stripe.mask.load(std::memory_order_relaxed);
  for (std::uint32_t slot = 0; slot <= mask; ++slot) {
    if (slots[slot] != 0) visit(*unpack(slots[slot]));
  }
}

bool Table::resize_index(Stripe& stripe, std::uint32_t slots, bool force) {
  std::uint64_t* before = stripe.slots.load(std::memory_order_relaxed);
  const std::uint32_t count = before == nullptr ? 0 : stripe.mask.load(std::memory_order_relaxed) + 1;
  if (slots > kMostSlots || !pool_.charge(slots * sizeof(std::uint64_t), force)) return false;
  const auto number = static_cast<std::uint32_t>(&stripe - stripes_.get());
  std::uint64_t* after = slots == 0 ? nullptr : index_memory_.take(number, slots);
  if (slots > 0 && after == nullptr) {
    pool_.uncharge(slots * sizeof(std::uint64_t));
    return false;
  }
  for (std::uint32_t i = 0; i < count && slots > 0; ++i) {
    if (before[i] == 0) continue;
    auto slot = static_cast<std::uint32_t>(before[i] >> kAddressBits) & (slots - 1);
    while (after[slot] != 0) slot = (slot + 1) & (slots - 1);
    after[slot] = before[i];
  }
  stripe.mask.store(slots == 0 ? 0 : slots - 1, std::memory_order_relaxed);
  stripe.slots.store(after, std::memory_order_relaxed);
  if (count > 0) index_memory_.give(number, count);
  pool_.uncharge(count * sizeof(std::uint64_t));
  return true;
}

void Table::erase_slot(Stripe& stripe, std::uint32_t slot) {
  std::uint64_t* entries = stripe.slots.load(std::memory_order_relaxed);
  const std::uint32_t mask = stripe.mask.load(std::memory_order_relaxed);
  std::uint32_t hole = slot;
  for (std::uint32_t next = (hole + 1) & mask; entries[next] != 0; next = (next + 1) & mask) {
    const auto home = static_cast<std::uint32_t>(entries[next] >> kAddressBits) & mask;
    // An entry may move back unless its home lies behind the hole.
    if (((next - home) & mask) < ((next - hole) & mask)) continue;
    entries[hole] = entries[next];
    hole = next;
  }
  entries[hole] = 0;
}

std::uint32_t Table::slot_of(const Stripe& stripe, const Record* record) const {
  const std::uint64_t* entries = stripe.slots.load(std::memory_order_relaxed);
  const std::uint32_t mask = stripe.mask.load(std::memory_order_relaxed);
  const std::uint64_t tag = tag_of(record->key);
  auto slot = static_cast<std::uint32_t>(tag) & mask;
  while (entries[slot] != pack(tag, record)) slot = (slot + 1) & mask;
  return slot;
}

bool Table::dead(const Record& record, const Cell& cell, TimeNs t) const {
  const Def& def = *defs_.get(cell.counter());
  if (!is_dead(def, cell, t)) return false;
  // After a reload it is converted only when a request looks at it, and a longer window still counts what it holds.
  const Def& current = *defs_.current(cell.counter());
  return &current == &def || def.kind != WindowKind::kSliding ||
         is_dead_once_converted(def, current, cell, record.last_t, t);
}

bool Table::dead(const Record& record, TimeNs t) const {
  for (std::uint32_t offset = sizeof(Record); offset < record.bytes;) {
    const Cell& cell = *record.cell_at(offset);
    if (!dead(record, cell, t)) return false;
    offset += static_cast<std::uint32_t>(cell_bytes(cell));
  }
  return true;
}

void Table::drop_dead_cells(Stripe& stripe, Record*& record) {
  // Dead at last_t is dead for ever, because no later decision on this record looks at an earlier instant.
  const auto dead_at = [&](std::uint32_t offset) { return dead(*record, *record->cell_at(offset), record->last_t); };
  std::uint32_t dead_bytes = 0;
  for (std::uint32_t offset = sizeof(Record); offset < record->bytes;) {
    const auto bytes = static_cast<std::uint32_t>(cell_bytes(*record->cell_at(offset)));
    if (dead_at(offset)) dead_bytes += bytes;
    offset += bytes;
  }
  if (dead_bytes * 2 < record->bytes) return;
  for (std::uint32_t offset = sizeof(Record); offset < record->bytes;) {
    const std::size_t bytes = cell_bytes(*record->cell_at(offset));
    if (!dead_at(offset)) {
      offset += static_cast<std::uint32_t>(bytes);
    } else if (!resize_cell(stripe, record, offset, bytes, 0, true)) {
      return;
    }
  }
}

}  // namespace weir::engine
