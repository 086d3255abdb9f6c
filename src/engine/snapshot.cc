// Snapshot, restore and replay.
//
// A snapshot is a list of chunks: [magic u32][length u32][checksum u64][body]. A body is [count u32] shapes
// {id u32, kind u8, precision u16, window i64, name u64}, then records {key, owner, last_t, cells u32} with their cells
// {id u32, shape u8, content}. The last chunk has no shapes and only the number of records. Little-endian hosts only.
#include <algorithm>
#include <bit>
#include <cstring>
#include <set>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "engine/engine.h"
#include "engine/windows.h"

static_assert(std::endian::native == std::endian::little);

namespace weir::engine {
namespace {

constexpr std::uint32_t kMagic = 0x31534557;  // "WES1"
constexpr std::uint32_t kLastChunk = 0xFFFF'FFFF;
constexpr std::size_t kChunkBytes = 256 * 1024;
constexpr std::size_t kChunkHeader = 16;

template <typename T>
void put(std::string& out, const T& value) {
  static_assert(std::is_trivially_copyable_v<T>);
  out.append(reinterpret_cast<const char*>(&value), sizeof(T));
}

template <typename T>
bool take(std::string_view& in, T& value) {
  if (in.size() < sizeof(T)) return false;
  std::memcpy(&value, &in.front(), sizeof(T));
  in.remove_prefix(sizeof(T));
  return true;
}

// `as`: the counter that its contents belong to, `def`: its own shape.
void put_cell(std::string& out, CounterId as, const Def& def, const Cell& cell, TimeNs newest) {
  put(out, as);
  put(out, static_cast<std::uint8_t>(cell.shape()));
  if (cell.shape() == Shape::kBucket) {
    put(out, static_cast<const BucketCell&>(cell).arrival);
  } else if (cell.shape() == Shape::kCalendar) {
    const auto& calendar = static_cast<const CalendarCell&>(cell);
    put(out, calendar.period_s);
    put(out, calendar.hours());
    put(out, calendar.total());
  } else {
    const std::vector<Charge> charges = contents(def, cell, newest);
    put(out, static_cast<std::uint32_t>(charges.size()));
    for (const Charge& charge : charges) put(out, charge);
  }
}

std::string framed(const std::string& body) {
  std::string chunk;
  chunk.reserve(body.size() + kChunkHeader);
  put(chunk, kMagic);
  put(chunk, static_cast<std::uint32_t>(body.size()));
  put(chunk, static_cast<std::uint64_t>(XXH3_64bits(body.data(), body.size())));
  return chunk + body;
}

std::string shapes_of(const std::set<CounterId>& used, const CounterDefs& defs) {
  std::string out;
  put(out, static_cast<std::uint32_t>(used.size()));
  for (const CounterId id : used) {
    const Def& def = *defs.get(id);
    put(out, id);
    put(out, def.kind);
    put(out, def.precision);
    put(out, def.window);
    put(out, def.identity->hash);
  }
  return out;
}

}  // namespace

std::size_t Engine::write_stripe(const Stripe& from, std::string& out, std::set<CounterId>& used) {
  std::size_t records = 0;
  table.for_each(from, [&](Record& record) {
    ++records;
    put(out, record.key);
    put(out, table.owners().key_of(record.owner));
    put(out, record.last_t);
    const std::size_t count_at = out.size();
    std::uint32_t cells = 0;
    put(out, cells);
    for (std::uint32_t offset = sizeof(Record); offset < record.bytes;) {
      const Cell& cell = *record.cell_at(offset);
      offset += static_cast<std::uint32_t>(cell_bytes(cell));
      if (cell.shape() == Shape::kGauge) continue;
      const Def& def = *defs.get(cell.counter());
      // Cells of former windows become one when their subject is next seen. Read back under those windows the longer
      // one would be cut to the shorter; calendars and buckets have no contents that another shape could hold.
      const CounterId as = def.kind == WindowKind::kSliding ? defs.current(def.id)->id : def.id;
      put_cell(out, as, def, cell, record.last_t);
      used.insert(as);
      ++cells;
    }
    std::memcpy(out.data() + count_at, &cells, sizeof(cells));
  });
  return records;
}

// The snapshot ends what they are replayed from. A counter that it knew before needs no definition; of others the shape
// is not known, and their effects wait on.
void Engine::apply_waiting() {
  const MutexLock guard(define_mutex);
  for (auto it = waiting.begin(); it != waiting.end();) {
    const Def* def = defs.find(it->first);
    if (def == nullptr) {
      ++it;
      continue;
    }
    for (const Effect& effect : it->second) apply_effect(*def, effect);
    it = waiting.erase(it);
  }
}

std::uint32_t Engine::write_snapshot(const std::function<void(std::string_view)>& write) {
  const MutexLock one_at_a_time(snapshot_mutex);
  apply_waiting();
  const std::uint32_t next = epoch.fetch_add(1, std::memory_order_relaxed) + 1;
  std::uint64_t records = 0;
  std::string body;
  std::set<CounterId> used;
  const auto flush = [&] {
    if (body.empty()) return;
    write(framed(shapes_of(used, defs) + body));
    body.clear();
    used.clear();
  };
  for (std::uint32_t i = 0; i < table.stripe_count(); ++i) {
    Stripe& from = table.stripe(i);
    {
      const SpinGuard guard(from.lock);
      from.epoch = next;
      records += write_stripe(from, body, used);
    }
    if (body.size() >= kChunkBytes) flush();
  }
  flush();
  put(body, kLastChunk);
  put(body, records);
  write(framed(body));
  return next;
}

bool Engine::restore_snapshot(std::string_view bytes, std::uint32_t snapshot_epoch) {
  std::uint64_t records = 0;
  while (true) {
    std::uint32_t magic = 0, length = 0, shapes = 0;
    std::uint64_t checksum = 0;
    if (!take(bytes, magic) || !take(bytes, length) || !take(bytes, checksum)) return false;
    if (magic != kMagic || length > bytes.size()) return false;
    std::string_view body = bytes.substr(0, length);
    bytes.remove_prefix(length);
    if (XXH3_64bits(body.data(), body.size()) != checksum || !take(body, shapes)) return false;
    if (shapes == kLastChunk) {
      std::uint64_t expected = 0;
      if (!take(body, expected) || !body.empty() || !bytes.empty() || expected != records) return false;
      break;
    }
    if (!restore_chunk(body, shapes, records)) return false;
  }
  restored_epoch.store(snapshot_epoch, std::memory_order_relaxed);
  epoch.store(std::max(epoch.load(std::memory_order_relaxed), snapshot_epoch), std::memory_order_relaxed);
  for (std::uint32_t i = 0; i < table.stripe_count(); ++i) {
    Stripe& stripe = table.stripe(i);
    const SpinGuard guard(stripe.lock);
    stripe.epoch = std::max(stripe.epoch, snapshot_epoch);
  }
  return true;
}

bool Engine::restore_chunk(std::string_view body, std::uint32_t shapes, std::uint64_t& records) {
  std::unordered_map<CounterId, const Def*> known;
  for (std::uint32_t i = 0; i < shapes; ++i) {
    CounterId id = 0;
    auto kind = WindowKind::kSliding;
    std::uint16_t precision = 0;
    DurationNs window = 0;
    std::uint64_t hash = 0;
    const bool whole =
        take(body, id) && take(body, kind) && take(body, precision) && take(body, window) && take(body, hash);
    if (!whole || kind > WindowKind::kConcurrency) return false;
    const Def* def = defs.restore(hash, kind, window, precision);
    if (def == nullptr) return false;
    known[id] = def;
  }
  while (!body.empty()) {
    if (!restore_record(body, known)) return false;
    ++records;
  }
  return true;
}

bool Engine::restore_record(std::string_view& body, const std::unordered_map<CounterId, const Def*>& known) {
  Hash128 key, owner;
  TimeNs last_t = 0;
  std::uint32_t cells = 0;
  if (!take(body, key) || !take(body, owner) || !take(body, last_t) || !take(body, cells)) return false;
  Stripe& stripe = table.stripe_of(key);
  const SpinGuard guard(stripe.lock);
  Record* record = table.find(stripe, key);
  for (std::uint32_t i = 0; i < cells; ++i) {
    CounterId id = 0;
    std::uint8_t shape = 0;
    if (!take(body, id) || !take(body, shape) || !known.contains(id)) return false;
    const Def& def = *known.at(id);
    const std::int64_t amount = shape == static_cast<std::uint8_t>(Shape::kRing64)   ? kMaxAmount
                                : shape == static_cast<std::uint8_t>(Shape::kRing32) ? kRing32Amount - 1
                                                                                     : kLogAmount;
    const auto ready = make_ready(stripe, record, key, owner, def, last_t, 0, amount, true);
    if (ready != Ready::kYes) return false;
    record->last_t = std::max(record->last_t, last_t);  // two cells may become one
    if (!restore_cell(body, stripe, record, def, amount)) return false;
  }
  return true;
}

bool Engine::restore_cell(std::string_view& body, Stripe& stripe, Record*& record, const Def& def,
                          std::int64_t amount) {
  std::uint32_t cursor = sizeof(Record);
  bool converted = false;
  Cell* cell = find_cell(stripe, record, def, cursor, amount, converted);
  if (def.kind == WindowKind::kBucket) return take(body, static_cast<BucketCell*>(cell)->arrival);
  if (def.kind == WindowKind::kCalendar) {
    std::uint32_t period = 0, hours = 0;
    std::int64_t total = 0;
    if (!take(body, period) || !take(body, hours) || !take(body, total) || total < 0 || total > kMaxTotal) return false;
    static_cast<CalendarCell*>(cell)->reset(period, std::min<std::uint32_t>(hours, 0xFFFF));
    static_cast<CalendarCell*>(cell)->set_total(total);
    return true;
  }
  std::uint32_t count = 0;
  if (def.kind != WindowKind::kSliding || !take(body, count)) return false;
  for (std::uint32_t i = 0; i < count; ++i) {
    Charge charge;
    if (!take(body, charge) || charge.at < 0 || charge.amount < 0 || charge.amount > kMaxTotal) return false;
    if (!book_sliding(stripe, record, def, charge)) return false;
  }
  return true;
}

// Takes back what a ring took back. A ring keeps one instant per bucket, so what is left of the amount belongs to other
// charges of the same bucket, which a log keeps apart.
void give_back_past(const Def& def, Cell& cell, TimeNs t, Charge charge) {
  charge.amount -= give_back(def, cell, t, charge);
  if (cell.shape() != Shape::kLog) return;
  auto& log = static_cast<LogCell&>(cell);
  const std::int64_t bucket = def.bucket_of(charge.at);
  for (std::uint16_t i = log.count; i-- > 0 && charge.amount > 0;) {
    const TimeNs at = log.entries()[i].at;
    if (def.bucket_of(at) == bucket) charge.amount -= give_back(def, cell, t, {.at = at, .amount = charge.amount});
  }
}

// Books a past charge whatever shape the cell has now, changing it where needed.
bool Engine::book_sliding(Stripe& stripe, Record*& record, const Def& def, const Charge& charge) {
  std::uint32_t cursor = sizeof(Record);
  bool converted = false;
  Cell* cell = find_cell(stripe, record, def, cursor, kLogAmount, converted);
  const bool in_log = cell != nullptr && cell->shape() == Shape::kLog;
  const std::int64_t amount = cell == nullptr || in_log ? kLogAmount : 0;
  const std::int64_t units = std::max<std::int64_t>(charge.amount, 0);
  // Instant 0: a full log grows instead of dropping what is over, so that a ring made of it later is the ring it was.
  if (make_ready(stripe, record, record->key, {}, def, 0, units, amount, true) != Ready::kYes) return false;
  cursor = sizeof(Record);  // what was behind it may have moved
  cell = find_cell(stripe, record, def, cursor, amount, converted);
  book_past(def, *cell, charge);
  return true;
}

void Engine::apply_effect(const Def& def, const Effect& effect) {
  Stripe& stripe = table.stripe_of(effect.subject);
  const SpinGuard guard(stripe.lock);
  const TimeNs at = clamp_time(effect.at);
  Record* record = table.find(stripe, effect.subject);
  if (effect.amount < 0 && record == nullptr) return;
  const std::int64_t amount = def.kind == WindowKind::kSliding ? kLogAmount : kMaxAmount;
  if (record == nullptr && make_ready(stripe, record, effect.subject, {}, def, at, 0, amount, true) != Ready::kYes) {
    return;
  }
  apply_to_record(stripe, record, def, effect, at);
  if (effect.amount > 0) record->last_t = std::max(record->last_t, at);
}

void Engine::apply_to_record(Stripe& stripe, Record*& record, const Def& def, const Effect& effect, TimeNs at) {
  const std::int64_t taken =
      effect.amount < 0 ? -std::max(effect.amount, -std::numeric_limits<std::int64_t>::max()) : 0;
  std::uint32_t cursor = sizeof(Record);
  bool converted = false;
  Cell* cell = find_cell(stripe, record, def, cursor, kLogAmount, converted);
  if (cell == nullptr && effect.amount < 0) return;
  if (def.kind == WindowKind::kSliding) {
    if (effect.amount < 0) {
      give_back_past(def, *cell, record->last_t, {.at = at, .amount = taken});
    } else {
      book_sliding(stripe, record, def, {.at = at, .amount = std::min(effect.amount, kMaxTotal)});
    }
    return;
  }
  if (cell == nullptr) cell = table.add_cell(stripe, record, def, new_shape(def, 0), true);
  if (cell == nullptr) return;
  if (def.kind == WindowKind::kBucket) {
    auto& bucket = static_cast<BucketCell&>(*cell);
    if (effect.amount < 0) {
      give_back_span(bucket, at, taken);
    } else {
      bucket.arrival = add_saturating(std::max(bucket.arrival, at), effect.amount);
    }
  } else if (def.kind == WindowKind::kCalendar) {
    auto& calendar = static_cast<CalendarCell&>(*cell);
    const auto period =
        static_cast<std::uint32_t>(std::clamp<std::int64_t>(effect.period_start / kSecond, 0, 0xFFFF'FFFF));
    if (effect.amount < 0) {
      give_back(def, *cell, at, {.at = period, .amount = taken});
    } else if (period >= calendar.period_s) {
      // The length of the period is not in the effect: until the next charge says it, nothing evicts the cell.
      if (period > calendar.period_s || calendar.hours() == 0) calendar.reset(period, 0xFFFF);
      calendar.set_total(calendar.total() + bookable(calendar.total(), effect.amount));
    }
  }
}

}  // namespace weir::engine

namespace weir {

std::uint32_t Limiter::snapshot(const std::function<void(std::string_view chunk)>& write) {
  return impl_->write_snapshot(write);
}

bool Limiter::restore(std::string_view bytes, std::uint32_t epoch) {
  return impl_->restore_snapshot(bytes, epoch);
}

void Limiter::replay(const Effect& effect) {
  if (effect.epoch < impl_->restored_epoch.load(std::memory_order_relaxed)) return;
  const engine::Def* def = nullptr;
  {
    const MutexLock guard(impl_->define_mutex);
    def = impl_->defs.find_defined(effect.counter);
    if (def == nullptr) impl_->waiting[effect.counter].push_back(effect);
  }
  if (def != nullptr) impl_->apply_effect(*def, effect);
}

}  // namespace weir
