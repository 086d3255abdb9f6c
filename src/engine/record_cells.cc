// Finding, making and converting the cells of a record.
#include <algorithm>

#include "engine/engine.h"
#include "engine/windows.h"

namespace weir::engine {

Cell* Engine::find_cell(Stripe& stripe, Record*& record, const Def& def, std::uint32_t& cursor, std::int64_t amount,
                        bool& converted) {
  // Requests name their counters in the same order every time, so the next cell is usually the one.
  for (int lap = 0; lap < 2; ++lap) {
    const std::uint32_t end = lap == 0 ? record->bytes : cursor;
    for (std::uint32_t at = lap == 0 ? cursor : static_cast<std::uint32_t>(sizeof(Record)); at < end;) {
      Cell* cell = record->cell_at(at);
      at += static_cast<std::uint32_t>(cell_bytes(*cell));
      if (cell->counter() != def.id) continue;
      cursor = at;
      return cell;
    }
  }
  if (def.kind != WindowKind::kSliding || !def.identity->reshaped.load(std::memory_order_acquire)) return nullptr;
  return take_over(stripe, record, def, cursor, amount, converted);
}

// Cells in older shapes, or of a counter that only a snapshot knew, become one. Usage must not be lost for want of
// memory.
Cell* Engine::take_over(Stripe& stripe, Record*& record, const Def& def, std::uint32_t& cursor, std::int64_t amount,
                        bool& converted) {
  std::vector<Charge> further;  // of all but the first
  std::int64_t open = 0;
  std::uint32_t first = 0;
  for (std::uint32_t at = sizeof(Record); at < record->bytes;) {
    const Cell& cell = *record->cell_at(at);
    const std::size_t bytes = cell_bytes(cell);
    const Def& other = *defs.get(cell.counter());
    if (!is_part_of(*other.identity, *def.identity)) {
      at += static_cast<std::uint32_t>(bytes);
    } else if (first == 0) {
      first = at;
      at += static_cast<std::uint32_t>(bytes);
    } else {
      const std::vector<Charge> charges = contents(other, cell, record->last_t);
      open += open_holds(cell);
      if (!table.resize_cell(stripe, record, at, bytes, 0, true)) break;
      further.insert(further.end(), charges.begin(), charges.end());
    }
  }
  if (first == 0) return nullptr;
  Cell* cell = record->cell_at(first);
  const Def& other = *defs.get(cell->counter());
  const std::vector<Charge> known = contents(other, *cell, record->last_t);
  const Shape shape = cell->shape() == Shape::kLog ? Shape::kLog : std::max(new_shape(def, amount), cell->shape());
  converted = true;
  cursor = sizeof(Record);
  cell = convert(stripe, record, cell, other, def, shape, known.size(), true);
  if (cell == nullptr || (further.empty() && open == 0)) return cell;
  set_open_holds(*cell, open_holds(*cell) + open);
  for (const Charge& charge : further) book_sliding(stripe, record, def, charge);
  return find_cell(stripe, record, def, cursor = sizeof(Record), amount, converted);
}

Cell* Engine::convert(Stripe& stripe, Record*& record, Cell* cell, const Def& from, const Def& to, Shape shape,
                      std::size_t log_entries, bool force) {
  const std::vector<Charge> known = contents(from, *cell, record->last_t);
  const std::int64_t open = open_holds(*cell);
  const std::uint32_t offset = record->offset_of(cell);
  std::size_t bytes = new_cell_bytes(to, shape);
  if (shape == Shape::kLog) bytes = sizeof(LogCell) + sizeof(Charge) * std::max<std::size_t>(log_entries, 2);
  if (!table.resize_cell(stripe, record, offset, cell_bytes(*cell), bytes, force)) return nullptr;
  Cell* converted = record->cell_at(offset);
  init(to, *converted, shape, bytes);
  for (const Charge& charge : known) book_past(to, *converted, charge);
  set_open_holds(*converted, open);
  return converted;
}

Engine::Ready Engine::make_ready(Stripe& stripe, Record*& record, const Hash128& key, const Hash128& owner,
                                 const Def& def, TimeNs t, std::int64_t units, std::int64_t amount, bool force) {
  if (record == nullptr) {
    std::uint32_t handle = Owners::kNoOwner;
    if (owner) handle = table.owners().acquire(owner);
    if (owner && handle == Owners::kNoOwner) return Ready::kOwnerFull;
    record = table.insert(stripe, key, handle, force);
    if (record == nullptr) {
      table.owners().release(handle);
      return Ready::kNoMemory;
    }
  }
  std::uint32_t cursor = sizeof(Record);
  bool converted = false;
  Cell* cell = find_cell(stripe, record, def, cursor, amount, converted);
  if (converted && cell == nullptr) return Ready::kNoMemory;
  if (cell == nullptr) cell = table.add_cell(stripe, record, def, new_shape(def, amount), force);
  if (cell == nullptr) return Ready::kNoMemory;
  if (fits(def, *cell, t, units, amount)) return Ready::kYes;
  if (cell->shape() == Shape::kLog && amount <= kLogAmount) {
    const std::size_t capacity = static_cast<const LogCell*>(cell)->capacity;
    if (capacity < kLogEntries) {
      const std::size_t entries = std::min<std::size_t>(capacity * 2, kLogEntries);
      return convert(stripe, record, cell, def, def, Shape::kLog, entries, force) ? Ready::kYes : Ready::kNoMemory;
    }
  }
  // Too many for a log, or too much for 32-bit buckets.
  std::int64_t sum = units;
  for (const Charge& charge : contents(def, *cell, record->last_t)) sum = add_saturating(sum, charge.amount);
  const bool wide = amount >= kRing32Amount || sum > kRing32Most || cell->shape() == Shape::kRing32;
  const Shape shape = wide ? Shape::kRing64 : Shape::kRing32;
  return convert(stripe, record, cell, def, def, shape, 0, force) ? Ready::kYes : Ready::kNoMemory;
}

}  // namespace weir::engine
