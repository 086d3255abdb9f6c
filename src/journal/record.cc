#include "journal/record.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>

#include "journal/journal.h"
#include "journal/segment.h"

namespace weir {
namespace {

static_assert(std::endian::native == std::endian::little, "records are written in the machine's byte order");

constexpr std::size_t kVarint = 10;                    // longest
constexpr std::size_t kRowNumbers = 8 + 18 * kVarint;  // bytes of a row without its texts, at most
constexpr std::size_t kEffectBytes = 16 + 8 + 3 * kVarint + 5;
constexpr std::uint32_t kMaxStatus = 999;
// Beside `settled`: the numbers that rows did not have at first follow. Rows without them are as they always were, so
// that old journals can be read.
constexpr std::uint32_t kMoreNumbers = 0x10;
constexpr std::uint32_t kTools = 0x20;  // likewise the names of tools
constexpr std::uint32_t kPlace = 0x40;  // likewise node, parent and depth, last
constexpr std::uint32_t kRowFlags = kMoreNumbers | kTools | kPlace;

// Writes into memory that is known to be large enough.
class Out {
 public:
  explicit Out(char* at) : at_(at) {}
  char* at() const { return at_; }

  void byte(std::uint8_t value) { *at_++ = static_cast<char>(value); }
  void fixed64(std::uint64_t value) { raw(&value, sizeof value); }
  void raw(const void* data, std::size_t size) {
    std::memcpy(at_, data, size);
    at_ += size;
  }
  void varint(std::uint64_t value) {
    while (value >= 0x80) {
      byte(static_cast<std::uint8_t>(value | 0x80));
      value >>= 7;
    }
    byte(static_cast<std::uint8_t>(value));
  }
  void zigzag(std::int64_t value) {
    varint((static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63));
  }
  void text(std::string_view value, std::size_t most = kMaxText) {
    value = value.substr(0, most);
    varint(value.size());
    if (!value.empty()) raw(value.data(), value.size());
  }
  void id(Hash128 value) {
    fixed64(value.high);
    fixed64(value.low);
  }

 private:
  char* at_;
};

// Reads what Out wrote; after anything that does not fit, ok() is false and every value is zero.
class In {
 public:
  explicit In(std::string_view bytes) : rest_(bytes) {}
  bool ok() const { return ok_; }
  bool done() const { return ok_ && rest_.empty(); }

  std::uint8_t byte() {
    if (rest_.empty()) return bad();
    const auto value = static_cast<std::uint8_t>(rest_[0]);
    rest_.remove_prefix(1);
    return value;
  }
  std::uint64_t fixed64() {
    std::uint64_t value = 0;
    if (rest_.size() < sizeof value) return bad();
    std::memcpy(&value, rest_.data(), sizeof value);
    rest_.remove_prefix(sizeof value);
    return value;
  }
  std::uint64_t varint() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      const std::uint8_t b = byte();
      value |= static_cast<std::uint64_t>(b & 0x7F) << shift;
      if (b < 0x80) return value;
    }
    return bad();
  }
  std::int64_t zigzag() {
    const std::uint64_t value = varint();
    return static_cast<std::int64_t>((value >> 1) ^ (~(value & 1) + 1));
  }
  // A number that must lie in 0 to `most`.
  std::uint32_t small(std::uint32_t most) { return at_most(varint(), most); }
  std::uint32_t at_most(std::uint64_t value, std::uint32_t most) {
    return value > most ? bad() : static_cast<std::uint32_t>(value);
  }
  void text(std::string& value, std::size_t most = kMaxText) {
    const std::uint64_t size = varint();
    if (size > rest_.size() || size > most) {
      bad();
      value.clear();
      return;
    }
    value.assign(rest_.substr(0, size));
    rest_.remove_prefix(size);
  }
  Hash128 id() {
    const std::uint64_t high = fixed64();
    return {.high = high, .low = fixed64()};
  }

 private:
  std::uint8_t bad() {
    ok_ = false;
    rest_ = {};
    return 0;
  }
  std::string_view rest_;
  bool ok_ = true;
};

// The members of a row in file order, for both directions.
template <class Row, class Each>
void for_each_text(Row& row, Each each) {
  for (auto* text : {&row.request_id, &row.key, &row.tenant, &row.user, &row.tier, &row.kind, &row.conversation,
                     &row.run, &row.agent, &row.model, &row.provider, &row.route, &row.degraded}) {
    each(*text);
  }
}

template <class Row, class Each>
void for_each_number(Row& row, Each each) {
  for (auto* number :
       {&row.usage.input_uncached, &row.usage.cache_read, &row.usage.cache_write, &row.usage.output_visible,
        &row.usage.reasoning, &row.usage.audio_in, &row.usage.audio_out, &row.usd_micros, &row.reserved_tokens}) {
    each(*number);
  }
}

template <class Row, class Each>
void for_each_later_number(Row& row, Each each) {
  for (auto* number : {&row.usage.cache_write_1h, &row.usage.tool_units}) each(*number);
}

template <class Row, class Each>
void for_each_audit_text(Row& row, Each each) {
  for (auto* text : {&row.request_id, &row.key, &row.layer, &row.limit, &row.per_json, &row.used, &row.reserved,
                     &row.requested, &row.allowed, &row.evidence, &row.config_version}) {
    each(*text);
  }
}

// Texts that audit rows did not have at first: they follow only where one of them is not empty.
template <class Row, class Each>
void for_each_later_audit_text(Row& row, Each each) {
  for (auto* text : {&row.user, &row.tool, &row.run, &row.agent}) each(*text);
}

std::size_t text_bytes(const std::string& text) {
  return std::min(text.size(), kMaxText) + 3;
}

std::size_t row_bytes(const UsageRow& row) {
  std::size_t size = kRowNumbers + text_bytes(row.tools);
  for_each_text(row, [&](const std::string& text) { size += text_bytes(text); });
  return size;
}

void put_row(Out& out, const UsageRow& row) {
  out.fixed64(static_cast<std::uint64_t>(row.time));
  for_each_text(row, [&](const std::string& text) { out.text(text); });
  for_each_number(row, [&](std::int64_t number) { out.zigzag(number); });
  out.varint(static_cast<std::uint64_t>(std::clamp(row.status, 0, static_cast<std::int32_t>(kMaxStatus))));
  out.varint(static_cast<std::uint64_t>(std::max(row.tool_calls, 0)));
  out.varint(static_cast<std::uint64_t>(std::max(row.attempts, 0)));
  const bool has_place = row.node != 0 || row.parent != 0 || row.depth != 0;
  bool more = false;
  for_each_later_number(row, [&](std::int64_t number) { more = more || number != 0; });
  out.byte(static_cast<std::uint8_t>(static_cast<std::uint32_t>(row.settled) | (more ? kMoreNumbers : 0) |
                                     (row.tools.empty() ? 0 : kTools) | (has_place ? kPlace : 0)));
  if (more) for_each_later_number(row, [&](std::int64_t number) { out.zigzag(number); });
  if (!row.tools.empty()) out.text(row.tools);
  if (!has_place) return;
  out.varint(row.node);
  out.varint(row.parent);
  out.varint(static_cast<std::uint64_t>(std::max(row.depth, 0)));
}

void get_row(In& in, UsageRow& row) {
  constexpr std::uint32_t kMaxCount = std::numeric_limits<std::int32_t>::max();
  row.time = static_cast<TimeNs>(in.fixed64());
  for_each_text(row, [&](std::string& text) { in.text(text); });
  for_each_number(row, [&](std::int64_t& number) { number = in.zigzag(); });
  row.status = static_cast<std::int32_t>(in.small(kMaxStatus));
  row.tool_calls = static_cast<std::int32_t>(in.small(kMaxCount));
  row.attempts = static_cast<std::int32_t>(in.small(kMaxCount));
  const std::uint32_t settled = in.small(static_cast<std::uint32_t>(Settled::kExpired) | kRowFlags);
  row.settled = static_cast<Settled>(in.at_most(settled & ~kRowFlags, static_cast<std::uint32_t>(Settled::kExpired)));
  const bool more = (settled & kMoreNumbers) != 0;
  for_each_later_number(row, [&](std::int64_t& number) { number = more ? in.zigzag() : 0; });
  row.tools.clear();
  if ((settled & kTools) != 0) in.text(row.tools);
  constexpr std::uint32_t kMaxNode = std::numeric_limits<std::uint32_t>::max();
  const bool placed = (settled & kPlace) != 0;
  row.node = placed ? in.small(kMaxNode) : 0;
  row.parent = placed ? in.small(kMaxNode) : 0;
  row.depth = placed ? static_cast<std::int32_t>(in.small(kMaxCount)) : 0;
}

void get_audit(In& in, AuditRow& row) {
  row.time = static_cast<TimeNs>(in.fixed64());
  row.retry_after_s = std::bit_cast<double>(in.fixed64());
  row.event = static_cast<AuditEvent>(in.small(static_cast<std::uint32_t>(AuditEvent::kAdmin)));
  row.count = in.zigzag();
  for_each_audit_text(row, [&](std::string& text) { in.text(text); });
  const bool later = in.ok() && !in.done();
  for_each_later_audit_text(row, [&](std::string& text) {
    text.clear();
    if (later) in.text(text);
  });
}

void put_effects(Out& out, std::span<const Effect> effects) {
  out.varint(effects.size());
  TimeNs previous = 0;
  for (const Effect& effect : effects) {
    out.id(effect.subject);
    out.fixed64(effect.counter);
    out.zigzag(static_cast<std::int64_t>(static_cast<std::uint64_t>(effect.at) - static_cast<std::uint64_t>(previous)));
    out.zigzag(effect.amount);
    out.zigzag(effect.period_start);
    out.varint(effect.epoch);
    previous = effect.at;
  }
}

bool get_effects(In& in, std::vector<Effect>& effects) {
  const std::uint64_t count = in.varint();
  if (count > kMaxEffects) return false;
  TimeNs previous = 0;
  for (std::uint64_t i = 0; i < count && in.ok(); ++i) {
    Effect effect;
    effect.subject = in.id();
    effect.counter = in.fixed64();
    effect.at = static_cast<TimeNs>(static_cast<std::uint64_t>(previous) + static_cast<std::uint64_t>(in.zigzag()));
    effect.amount = in.zigzag();
    effect.period_start = in.zigzag();
    effect.epoch = in.small(std::numeric_limits<std::uint32_t>::max());
    previous = effect.at;
    effects.push_back(effect);
  }
  return in.ok();
}

// Appends one record whose payload `write(Out&)` fills with at most `most` bytes.
template <class Write>
void append_record(std::string& out, RecordType type, std::size_t most, Write write) {
  const std::size_t begin = out.size();
  const std::size_t room = begin + kRecordHeader + 1 + most;
  // Growth by doubling: resize_and_overwrite alone would allocate for each record anew.
  if (room > out.capacity()) out.reserve(std::max(room, 2 * out.capacity()));
  out.resize_and_overwrite(room, [&](char* data, std::size_t) {
    char* const body = data + begin + kRecordHeader;
    Out writer(body);
    writer.byte(static_cast<std::uint8_t>(type));
    write(writer);
    const auto length = static_cast<std::uint32_t>(writer.at() - body);
    const std::uint32_t checksum = record_checksum({body, length});
    std::memcpy(data + begin, &length, sizeof length);
    std::memcpy(data + begin + 4, &checksum, sizeof checksum);
    return begin + kRecordHeader + length;
  });
}

void append_effects_record(std::string& out, Hash128 id, std::int64_t tokens, std::int64_t usd_micros,
                           std::span<const Effect> effects) {
  append_record(out, RecordType::kTopUp, 16 + 3 * kVarint + effects.size() * kEffectBytes, [&](Out& o) {
    o.id(id);
    o.zigzag(tokens);
    o.zigzag(usd_micros);
    put_effects(o, effects);
  });
}

}  // namespace

RecordEncoder::RowPlace RecordEncoder::open(Hash128 id, const UsageRow& row, std::span<const Effect> effects) {
  const auto first = effects.first(std::min(effects.size(), kMaxEffects));
  RowPlace place{.offset = out_.size() + kRecordHeader + 1 + 16, .length = 0};
  const std::size_t most = 16 + row_bytes(row) + kVarint + first.size() * kEffectBytes;
  append_record(out_, RecordType::kOpen, most, [&](Out& o) {
    o.id(id);
    const char* const begin = o.at();
    put_row(o, row);
    place.length = static_cast<std::size_t>(o.at() - begin);
    put_effects(o, first);
  });
  if (first.size() < effects.size()) top_up(id, 0, 0, effects.subspan(first.size()));
  return place;
}

void RecordEncoder::top_up(Hash128 id, std::int64_t extra_tokens, std::int64_t extra_usd_micros,
                           std::span<const Effect> effects) {
  do {
    const auto part = effects.first(std::min(effects.size(), kMaxEffects));
    append_effects_record(out_, id, extra_tokens, extra_usd_micros, part);
    extra_tokens = extra_usd_micros = 0;
    effects = effects.subspan(part.size());
  } while (!effects.empty());
}

void RecordEncoder::settle(Hash128 id, const UsageRow& row, std::span<const Effect> effects) {
  // The record that closes the request comes last.
  if (effects.size() > kMaxEffects) {
    top_up(id, 0, 0, effects.subspan(kMaxEffects));
    effects = effects.first(kMaxEffects);
  }
  append_record(out_, RecordType::kSettle, 16 + row_bytes(row) + kVarint + effects.size() * kEffectBytes, [&](Out& o) {
    o.id(id);
    put_row(o, row);
    put_effects(o, effects);
  });
}

RecordEncoder::RowPlace RecordEncoder::open_hold(Hash128 id, const UsageRow& row, std::string_view hold,
                                                 std::span<const Effect> effects) {
  const auto first = effects.first(std::min(effects.size(), kMaxEffects));
  RowPlace place{.offset = out_.size() + kRecordHeader + 1 + 16, .length = 0};
  const std::size_t most = 16 + row_bytes(row) + hold.size() + 2 * kVarint + first.size() * kEffectBytes;
  append_record(out_, RecordType::kHold, most, [&](Out& o) {
    o.id(id);
    const char* const begin = o.at();
    put_row(o, row);
    o.text(hold, kMaxHoldBytes);
    place.length = static_cast<std::size_t>(o.at() - begin);
    put_effects(o, first);
  });
  if (first.size() < effects.size()) top_up(id, 0, 0, effects.subspan(first.size()));
  return place;
}

void RecordEncoder::settle_hold(const UsageRow& row, const ClosedDecision& closed, std::span<const Effect> effects) {
  if (effects.size() > kMaxEffects) {
    top_up(closed.id, 0, 0, effects.subspan(kMaxEffects));
    effects = effects.first(kMaxEffects);
  }
  const std::size_t most = 16 + row_bytes(row) + 9 + closed.admitted.size() + closed.answer.size() + 3 * kVarint +
                           effects.size() * kEffectBytes;
  append_record(out_, RecordType::kSettleHold, most, [&](Out& o) {
    o.id(closed.id);
    put_row(o, row);
    o.fixed64(static_cast<std::uint64_t>(closed.at));
    o.byte(static_cast<std::uint8_t>(closed.how));
    o.text(closed.admitted, kMaxHoldBytes);
    o.text(closed.answer, kMaxHoldBytes);
    put_effects(o, effects);
  });
}

void RecordEncoder::carry_hold(Hash128 id, std::string_view encoded) {
  append_record(out_, RecordType::kCarryHold, 16 + encoded.size(), [&](Out& o) {
    o.id(id);
    o.raw(encoded.data(), encoded.size());
  });
}

void RecordEncoder::audit(const AuditRow& row) {
  std::size_t most = 8 + 8 + 1 + kVarint;
  bool later = false;
  for_each_audit_text(row, [&](const std::string& text) { most += text_bytes(text); });
  for_each_later_audit_text(row, [&](const std::string& text) {
    most += text_bytes(text);
    later = later || !text.empty();
  });
  append_record(out_, RecordType::kAudit, most, [&](Out& o) {
    o.fixed64(static_cast<std::uint64_t>(row.time));
    o.fixed64(std::bit_cast<std::uint64_t>(row.retry_after_s));
    o.byte(static_cast<std::uint8_t>(row.event));
    o.zigzag(row.count);
    for_each_audit_text(row, [&](const std::string& text) { o.text(text); });
    if (later) for_each_later_audit_text(row, [&](const std::string& text) { o.text(text); });
  });
}

void RecordEncoder::carry(Hash128 id, std::string_view encoded_row, std::int64_t extra_tokens,
                          std::int64_t extra_usd_micros) {
  append_record(out_, RecordType::kCarry, 16 + encoded_row.size() + 2 * kVarint, [&](Out& o) {
    o.id(id);
    o.raw(encoded_row.data(), encoded_row.size());
    o.zigzag(extra_tokens);
    o.zigzag(extra_usd_micros);
  });
}

bool decode_record(std::uint8_t type, std::string_view payload, Record& record) {
  In in(payload);
  record.type = static_cast<RecordType>(type);
  record.extra_tokens = record.extra_usd_micros = 0;
  record.effects.clear();
  switch (record.type) {
    case RecordType::kOpen:
    case RecordType::kSettle:
      record.id = in.id();
      get_row(in, record.row);
      return get_effects(in, record.effects) && in.done();
    case RecordType::kTopUp:
      record.id = in.id();
      record.extra_tokens = in.zigzag();
      record.extra_usd_micros = in.zigzag();
      return get_effects(in, record.effects) && in.done();
    case RecordType::kAudit:
      get_audit(in, record.audit);
      return in.done();
    case RecordType::kCarry:
      record.id = in.id();
      get_row(in, record.row);
      record.extra_tokens = in.zigzag();
      record.extra_usd_micros = in.zigzag();
      return in.done();
    case RecordType::kHold:
    case RecordType::kCarryHold:
      record.id = in.id();
      get_row(in, record.row);
      in.text(record.hold, kMaxHoldBytes);
      if (record.type == RecordType::kCarryHold) return in.done();
      return get_effects(in, record.effects) && in.done();
    case RecordType::kSettleHold:
      record.id = record.closed.id = in.id();
      get_row(in, record.row);
      record.closed.at = static_cast<TimeNs>(in.fixed64());
      record.closed.how = static_cast<ClosedHow>(in.small(static_cast<std::uint32_t>(ClosedHow::kExpired)));
      in.text(record.closed.admitted, kMaxHoldBytes);
      in.text(record.closed.answer, kMaxHoldBytes);
      return get_effects(in, record.effects) && in.done();
  }
  return false;
}

UsageRow expired_row(UsageRow row, std::int64_t extra_tokens, std::int64_t extra_usd_micros) {
  row.reserved_tokens += extra_tokens;
  row.usd_micros += extra_usd_micros;
  // The ledger must show at least what the counters were charged; what is not known to be input counts as output.
  row.usage.output_visible += std::max<std::int64_t>(row.reserved_tokens - row.usage.total(), 0);
  row.settled = Settled::kExpired;
  return row;
}

}  // namespace weir
