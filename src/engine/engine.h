// The parts of a Limiter. Lock order: shelf of the reservation, stripes by ascending address, then the leaves (pool,
// owners). define_mutex_ is taken before any stripe and never while one is held.
#pragma once

#include <atomic>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/mutex.h"
#include "engine/counter_defs.h"
#include "engine/reservation.h"
#include "engine/table.h"
#include "weir/limiter.h"

namespace weir::engine {

struct Engine {
  explicit Engine(const LimiterOptions& limiter_options)
      : options(limiter_options),
        table(limiter_options.max_bytes, limiter_options.stripes, defs),
        book(limiter_options) {}

  // Why a demand's cell could not be made ready.
  enum class Ready : std::uint8_t { kYes, kOwnerFull, kNoMemory };

  enum class Usage : std::uint8_t { kGiven, kNone, kAllHeld };

  // Books the end of an open or expired reservation: what was used is given, or nothing, or all that is held.
  void close(Reservation& reservation, Usage usage, std::span<const std::int64_t> actual, TimeNs now,
             std::vector<Effect>* effects);
  // Charges of an earlier process that are counted as used are open holds again.
  bool adopt(const HeldDemand& demand, const Def& def);
  SettleResult settle(Hash128 id, std::span<const std::int64_t> actual, bool nothing_used, TimeNs now,
                      std::vector<Effect>* effects);

  // Finds the cell of `def`, starting at `cursor` and moving it behind; converts one of an older shape. Needs the
  // stripe's lock.
  Cell* find_cell(Stripe& stripe, Record*& record, const Def& def, std::uint32_t& cursor, std::int64_t amount,
                  bool& converted) WEIR_REQUIRES(stripe.lock);
  // The same when the cell at `cursor` is the one, as it nearly always is.
  Cell* find_next_cell(Stripe& stripe, Record*& record, const Def& def, std::uint32_t& cursor, std::int64_t amount,
                       bool& converted) WEIR_REQUIRES(stripe.lock) {
    if (cursor < record->bytes) {
      Cell* cell = record->cell_at(cursor);
      if (cell->counter() == def.id) {
        cursor += static_cast<std::uint32_t>(cell_bytes(*cell));
        return cell;
      }
    }
    return find_cell(stripe, record, def, cursor, amount, converted);
  }
  // Makes sure that `units` at `t` can be charged: creates record and cell, grows or changes shape.
  Ready make_ready(Stripe& stripe, Record*& record, const Hash128& key, const Hash128& owner, const Def& def, TimeNs t,
                   std::int64_t units, std::int64_t amount, bool force) WEIR_REQUIRES(stripe.lock);
  Cell* convert(Stripe& stripe, Record*& record, Cell* cell, const Def& from, const Def& to, Shape shape,
                std::size_t log_entries, bool force) WEIR_REQUIRES(stripe.lock);

  std::uint32_t write_snapshot(const std::function<void(std::string_view)>& write);
  bool restore_snapshot(std::string_view bytes, std::uint32_t snapshot_epoch);
  void apply_effect(const Def& def, const Effect& effect);

 private:
  std::size_t write_stripe(const Stripe& from, std::string& out, std::set<CounterId>& used) WEIR_REQUIRES(from.lock);
  bool restore_chunk(std::string_view body, std::uint32_t shapes, std::uint64_t& records);
  bool restore_record(std::string_view& body, const std::unordered_map<CounterId, const Def*>& known);
  bool restore_cell(std::string_view& body, Stripe& stripe, Record*& record, const Def& def, std::int64_t amount)
      WEIR_REQUIRES(stripe.lock);
  Cell* take_over(Stripe& stripe, Record*& record, const Def& def, std::uint32_t& cursor, std::int64_t amount,
                  bool& converted) WEIR_REQUIRES(stripe.lock);
  void apply_waiting() WEIR_EXCLUDES(define_mutex);
  bool book_sliding(Stripe& stripe, Record*& record, const Def& def, const Charge& charge) WEIR_REQUIRES(stripe.lock);
  void apply_to_record(Stripe& stripe, Record*& record, const Def& def, const Effect& effect, TimeNs at)
      WEIR_REQUIRES(stripe.lock);

 public:
  LimiterOptions options;
  CounterDefs defs;
  Table table;
  ReservationBook book;

  Mutex define_mutex;
  std::unordered_map<std::uint64_t, std::vector<Effect>> waiting
      WEIR_GUARDED_BY(define_mutex);  // replayed effects of undefined counters
  Mutex snapshot_mutex;
  std::atomic<std::uint32_t> epoch{1};
  std::atomic<std::uint32_t> restored_epoch{0};
  std::atomic<std::uint32_t> next_stripe{0};  // of sweep()
  std::atomic<std::uint32_t> next_shelf{0};   // of expire()
};

}  // namespace weir::engine

namespace weir {

struct Limiter::Impl : engine::Engine {
  using Engine::Engine;
};

}  // namespace weir
