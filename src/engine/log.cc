// Exact log: every charge with its instant; a charge at `at` counts until at + window.
#include <algorithm>
#include <cstring>

#include "engine/windows.h"

namespace weir::engine {
namespace {

// The first entry that still counts at `t`.
std::uint16_t first_live(const Def& def, const LogCell& cell, TimeNs t) {
  std::uint16_t first = 0;
  while (first < cell.count && cell.entries()[first].at + def.window <= t) ++first;
  return first;
}

void remove_entries(LogCell& cell, std::uint16_t from, std::uint16_t how_many) {
  Charge* entries = cell.entries();
  std::memmove(entries + from, entries + from + how_many, sizeof(Charge) * (cell.count - from - how_many));
  cell.count = static_cast<std::uint16_t>(cell.count - how_many);
}

std::int64_t sum_from(const LogCell& cell, std::uint16_t first) {
  std::int64_t sum = 0;
  for (std::uint16_t i = first; i < cell.count; ++i) sum += cell.entries()[i].amount;
  return sum;
}

}  // namespace

Assessment assess_log(const Def& def, const LogCell* cell, TimeNs t, std::int64_t amount, std::int64_t cost) {
  Assessment result;
  std::uint16_t first = 0;
  if (cell != nullptr) {
    first = first_live(def, *cell, t);
    result.total = sum_from(*cell, first);
    result.open = cell->open;
    if (first < cell->count) result.reset_at = cell->entries()[first].at + def.window;
  }
  result.refuses = result.total + cost > amount;
  if (!result.refuses) return result;
  result.retry_at = kNever;
  if (cost > amount || cell == nullptr) return result;
  std::int64_t left = result.total;
  for (std::uint16_t i = first; i < cell->count && left + cost > amount; ++i) {
    left -= cell->entries()[i].amount;
    result.retry_at = cell->entries()[i].at + def.window;
  }
  return result;
}

Booked charge_log(const Def& def, LogCell& cell, const Booking& booking) {
  const std::uint16_t expired = first_live(def, cell, booking.at);
  if (expired > 0) remove_entries(cell, 0, expired);
  const std::int64_t amount = bookable(sum_from(cell, 0), booking.units);
  insert_log(def, cell, {.at = booking.at, .amount = amount});
  if (booking.hold) cell.open += bookable(cell.open, booking.units);
  return {.amount = amount, .at = booking.at};
}

std::int64_t give_back_log(const Def& def, LogCell& cell, TimeNs t, const Charge& charge) {
  if (charge.at + def.window <= t) return 0;
  for (std::uint16_t i = cell.count; i-- > 0;) {
    Charge& entry = cell.entries()[i];
    if (entry.at != charge.at) continue;
    const std::int64_t taken = std::min(entry.amount, charge.amount);
    entry.amount -= taken;
    if (entry.amount == 0) remove_entries(cell, i, 1);
    return taken;
  }
  return 0;
}

// Keeps the entries sorted and their instants distinct.
void insert_log(const Def& def, LogCell& cell, const Charge& charge) {
  if (charge.amount == 0) return;
  if (cell.count == cell.capacity) remove_entries(cell, 0, first_live(def, cell, charge.at));
  Charge* entries = cell.entries();
  std::uint16_t place = cell.count;
  while (place > 0 && entries[place - 1].at > charge.at) --place;
  if (place > 0 && entries[place - 1].at == charge.at) {
    entries[place - 1].amount += bookable(entries[place - 1].amount, charge.amount);
    return;
  }
  std::memmove(entries + place + 1, entries + place, sizeof(Charge) * (cell.count - place));
  entries[place] = charge;
  ++cell.count;
}

}  // namespace weir::engine
