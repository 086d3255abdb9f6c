// The bytes of journal records: [length u32][checksum u32][type u8][payload], little-endian, varints inside.
//
//   RecordEncoder encode(buffer);
//   encode.open(id, row, effects);             // appends one whole record to `buffer`
//   Record record;
//   if (decode_record(type, payload, record)) …
//
// Encoding appends to a string and allocates only when that string grows. Texts longer than kMaxText are cut.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/decision.h"
#include "model/usage.h"
#include "weir/limiter.h"

namespace weir {

enum class RecordType : std::uint8_t {
  kOpen = 1,    // id, row, effects
  kTopUp = 2,   // id, extra tokens, extra micro-dollars, effects
  kSettle = 3,  // id, row, effects
  kAudit = 4,   // audit row
  kCarry = 5,   // id, row, extra tokens, extra micro-dollars: an open repeated in a newer segment. Its effects are not
                // repeated: they are in an older segment or in the snapshot that made it unnecessary
  kHold = 6,    // id, row, hold, effects: an open that survives the process
  kCarryHold = 7,   // id, row, hold: likewise repeated in a newer segment
  kSettleHold = 8,  // id, row, instant, how, two answers, effects
};

inline constexpr std::size_t kMaxText = 16 << 10;
inline constexpr std::size_t kMaxEffects = 4096;  // per record

class RecordEncoder {
 public:
  explicit RecordEncoder(std::string& out) : out_(out) {}
  // Returns where the encoded row lies in the record just written, as (offset, length) of `out`.
  struct RowPlace {
    std::size_t offset = 0, length = 0;
  };
  RowPlace open(Hash128 id, const UsageRow& row, std::span<const Effect> effects);
  void top_up(Hash128 id, std::int64_t extra_tokens, std::int64_t extra_usd_micros, std::span<const Effect> effects);
  void settle(Hash128 id, const UsageRow& row, std::span<const Effect> effects);
  RowPlace open_hold(Hash128 id, const UsageRow& row, std::string_view hold, std::span<const Effect> effects);
  void settle_hold(const UsageRow& row, const ClosedDecision& closed, std::span<const Effect> effects);
  // `encoded`: the bytes at the place that open_hold() returned.
  void carry_hold(Hash128 id, std::string_view encoded);
  void audit(const AuditRow& row);
  void carry(Hash128 id, std::string_view encoded_row, std::int64_t extra_tokens, std::int64_t extra_usd_micros);

 private:
  std::string& out_;
};

// Any record; only the members of its type are meaningful. Reuse one object: its strings keep their memory.
struct Record {
  RecordType type = RecordType::kOpen;
  Hash128 id;
  UsageRow row;
  AuditRow audit;
  std::string hold;
  ClosedDecision closed;
  std::int64_t extra_tokens = 0, extra_usd_micros = 0;
  std::vector<Effect> effects;
};

// False if the payload is not well formed or the type is unknown.
bool decode_record(std::uint8_t type, std::string_view payload, Record& record);

// The ledger row of a request whose process died: charged with what it held.
UsageRow expired_row(UsageRow row, std::int64_t extra_tokens, std::int64_t extra_usd_micros);

}  // namespace weir
