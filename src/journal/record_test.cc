#include "journal/record.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <limits>

#include "journal/segment.h"
#include "journal/test_support.h"

namespace weir {
namespace {

std::int64_t any_number() {
  return *rc::gen::arbitrary<std::int64_t>();
}
std::string any_text() {
  return *rc::gen::arbitrary<std::string>();
}

UsageRow any_row() {
  UsageRow row;
  row.time = any_number();
  for (std::string* text : {&row.request_id, &row.key, &row.tenant, &row.user, &row.tier, &row.kind, &row.conversation,
                            &row.run, &row.agent, &row.model, &row.provider, &row.route, &row.degraded}) {
    *text = any_text();
  }
  row.usage = {.input_uncached = any_number(),
               .cache_read = any_number(),
               .cache_write = any_number(),
               .cache_write_1h = *rc::gen::element<std::int64_t>(0, any_number()),
               .output_visible = any_number(),
               .reasoning = any_number(),
               .audio_in = any_number(),
               .audio_out = any_number(),
               .tool_units = *rc::gen::element<std::int64_t>(0, any_number())};
  row.usd_micros = any_number();
  row.reserved_tokens = any_number();
  row.status = *rc::gen::inRange(0, 1000);
  row.tool_calls = *rc::gen::inRange(0, std::numeric_limits<std::int32_t>::max());
  row.attempts = *rc::gen::inRange(0, 100);
  row.settled = static_cast<Settled>(*rc::gen::inRange(0, 4));
  row.tools = *rc::gen::element<std::string>("", "search*2,send_email", any_text());
  row.node = *rc::gen::element<std::uint32_t>(0, *rc::gen::arbitrary<std::uint32_t>());
  row.parent = *rc::gen::element<std::uint32_t>(0, *rc::gen::arbitrary<std::uint32_t>());
  row.depth = *rc::gen::element(0, 3, std::numeric_limits<std::int32_t>::max());
  return row;
}

std::vector<Effect> any_effects() {
  return *rc::gen::container<std::vector<Effect>>(rc::gen::exec([] {
    return Effect{
        .subject = {.high = *rc::gen::arbitrary<std::uint64_t>(), .low = *rc::gen::arbitrary<std::uint64_t>()},
        .counter = *rc::gen::arbitrary<std::uint64_t>(),
        .at = any_number(),
        .amount = any_number(),
        .period_start = any_number(),
        .epoch = *rc::gen::arbitrary<std::uint32_t>()};
  }));
}

bool same(const Effect& a, const Effect& b) {
  return a.subject == b.subject && a.counter == b.counter && a.at == b.at && a.amount == b.amount &&
         a.period_start == b.period_start && a.epoch == b.epoch;
}
bool same(const std::vector<Effect>& a, const std::vector<Effect>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const Effect& x, const Effect& y) { return same(x, y); });
}

// The one record in `bytes`.
Record decoded(const std::string& bytes) {
  Record record;
  EXPECT_TRUE(decode_record(static_cast<std::uint8_t>(bytes[kRecordHeader]),
                            std::string_view(bytes).substr(kRecordHeader + 1), record));
  return record;
}

RC_GTEST_PROP(Record, RowsAndEffectsComeBackAsTheyWere, ()) {
  const UsageRow row = any_row();
  const std::vector<Effect> effects = any_effects();
  const Hash128 id = test_id(*rc::gen::arbitrary<std::uint64_t>());
  std::string bytes;
  const auto place = RecordEncoder(bytes).open(id, row, effects);
  Record record = decoded(bytes);
  RC_ASSERT(record.type == RecordType::kOpen && record.id == id && record.row == row);
  RC_ASSERT(same(record.effects, effects));

  std::string carry;
  const std::int64_t tokens = any_number(), usd = any_number();
  RecordEncoder(carry).carry(id, std::string_view(bytes).substr(place.offset, place.length), tokens, usd);
  record = decoded(carry);
  RC_ASSERT(record.type == RecordType::kCarry && record.id == id && record.row == row && record.effects.empty());
  RC_ASSERT(record.extra_tokens == tokens && record.extra_usd_micros == usd);

  std::string top_up;
  RecordEncoder(top_up).top_up(id, tokens, usd, effects);
  record = decoded(top_up);
  RC_ASSERT(record.type == RecordType::kTopUp && record.extra_tokens == tokens && same(record.effects, effects));
}

RC_GTEST_PROP(Record, AuditRowsComeBackAsTheyWere, ()) {
  AuditRow row;
  row.time = any_number();
  for (std::string* text : {&row.request_id, &row.key, &row.layer, &row.limit, &row.per_json, &row.used, &row.reserved,
                            &row.requested, &row.allowed, &row.evidence, &row.config_version}) {
    *text = any_text();
  }
  if (*rc::gen::arbitrary<bool>()) {
    for (std::string* text : {&row.user, &row.tool, &row.run, &row.agent}) *text = any_text();
  }
  row.event = static_cast<AuditEvent>(*rc::gen::inRange(0, 7));
  row.retry_after_s = *rc::gen::inRange(-1, 1000) * 0.5;
  row.count = any_number();
  std::string bytes;
  RecordEncoder(bytes).audit(row);
  RC_ASSERT(decoded(bytes).audit == row);
}

// An audit row as it was written before rows had user, tool, run and agent.
TEST(Record, AuditRowsOfEarlierVersionsAreReadAndWrittenAlike) {
  AuditRow row;
  row.time = 7;
  row.key = "ann";
  row.limit = "x";
  std::string bytes;
  RecordEncoder(bytes).audit(row);
  // Time, wait, event, count, and eleven texts of which two have a letter more than their length, one two more.
  EXPECT_EQ(bytes.size() - kRecordHeader - 1, 8u + 8 + 1 + 1 + 11 + 3 + 1 + 2);
  Record record;
  record.audit.user = record.audit.tool = "left from the record before";
  ASSERT_TRUE(decode_record(static_cast<std::uint8_t>(RecordType::kAudit),
                            std::string_view(bytes).substr(kRecordHeader + 1), record));
  EXPECT_EQ(record.audit, row);
  const std::string cut = bytes.substr(kRecordHeader + 1) + std::string("\1u\0", 3);
  EXPECT_FALSE(decode_record(static_cast<std::uint8_t>(RecordType::kAudit), cut, record)) << "half of the new texts";
}

RC_GTEST_PROP(Record, DamagedPayloadsNeverDecodeBeyondTheirEnd, ()) {
  std::string bytes;
  RecordEncoder(bytes).settle(test_id(1), any_row(), any_effects());
  std::string payload = bytes.substr(kRecordHeader + 1);
  payload.resize(*rc::gen::inRange<std::size_t>(0, payload.size()));
  Record record;
  RC_ASSERT(!decode_record(static_cast<std::uint8_t>(RecordType::kSettle), payload, record));
  const std::string noise = any_text();
  for (std::uint8_t type = 0; type < 8; ++type) (void)decode_record(type, noise, record);
}

// An open, a carry and a settlement as the first version wrote them: no cache_write_1h, no tool_units.
constexpr std::string_view kFirstVersion =
    "86000000e76600cd014074df7d2c6da6da0300000000000000c0c65736fe9c9717057265715f3303616e6e0461636d65"
    "000000000000066770742d346f066f70656e6169142f76312f636861742f636f6d706c6574696f6e73057370656e64ca"
    "010ed804640a0204a413b202c80102010101070000000000000001000000000000000b00000000000000140a00026c00"
    "0000a84f81a5054074df7d2c6da6da0300000000000000c0c65736fe9c9717057265715f3303616e6e0461636d650000"
    "00000000066770742d346f066f70656e6169142f76312f636861742f636f6d706c6574696f6e73057370656e64ca010e"
    "d804640a0204a413b202c801020101800112860000004f939ae8034074df7d2c6da6da0300000000000000c0c65736fe"
    "9c9717057265715f3303616e6e0461636d65000000000000066770742d346f066f70656e6169142f76312f636861742f"
    "636f6d706c6574696f6e73057370656e64ca010ed804640a0204a413b202c80102010101070000000000000001000000"
    "000000000b00000000000000140a0002";

std::string from_hex(std::string_view hex) {
  std::string bytes;
  for (std::size_t i = 0; i < hex.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
  }
  return bytes;
}

TEST(Record, JournalsOfTheFirstVersionAreReadAndWrittenAlike) {
  TempDir dir;
  std::ofstream(segment_path(dir.path(), 0, 1), std::ios::binary) << kSegmentMagic << from_hex(kFirstVersion);
  UsageRow row = test_row(3);
  row.usage = {.input_uncached = 101,
               .cache_read = 7,
               .cache_write = 300,
               .output_visible = 50,
               .reasoning = 5,
               .audio_in = 1,
               .audio_out = 2};
  row.degraded = "spend";
  row.tool_calls = 2;
  row.settled = Settled::kCounted;
  const Effect effect = test_effect(1, 5, 10, 2);
  const auto records = read_records(dir.path());
  ASSERT_EQ(records.size(), 3u);
  const RecordType types[] = {RecordType::kOpen, RecordType::kCarry, RecordType::kSettle};
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(records[i].type, types[i]);
    EXPECT_EQ(records[i].id, test_id(3));
    EXPECT_EQ(records[i].row, row);
  }
  EXPECT_TRUE(same(records[0].effects, {effect}));
  EXPECT_TRUE(same(records[2].effects, {effect}));
  EXPECT_EQ(records[1].extra_tokens, 64);
  std::string bytes;
  RecordEncoder encode(bytes);
  const auto place = encode.open(test_id(3), row, {&effect, 1});
  encode.carry(test_id(3), bytes.substr(place.offset, place.length), 64, 9);
  encode.settle(test_id(3), row, {&effect, 1});
  EXPECT_EQ(bytes, from_hex(kFirstVersion)) << "a row without the later numbers is as it always was";
}

TEST(Record, UnknownTypesAndTrailingBytesAreRefused) {
  std::string bytes;
  RecordEncoder(bytes).settle(test_id(1), test_row(1), {});
  const std::string payload = bytes.substr(kRecordHeader + 1);
  Record record;
  EXPECT_TRUE(decode_record(3, payload, record));
  EXPECT_FALSE(decode_record(9, payload, record));
  EXPECT_FALSE(decode_record(3, payload + "x", record));
}

TEST(Record, NumbersThatDoNotEndAreRefused) {
  std::string bytes;
  RecordEncoder(bytes).top_up(test_id(1), 5, 6, {});
  std::string payload = bytes.substr(kRecordHeader + 1, 16);
  Record record;
  EXPECT_TRUE(decode_record(static_cast<std::uint8_t>(RecordType::kTopUp), bytes.substr(kRecordHeader + 1), record));
  payload += std::string(30, '\xFF');
  EXPECT_FALSE(decode_record(static_cast<std::uint8_t>(RecordType::kTopUp), payload, record));
}

TEST(Record, AClosedHoldOfTooManyEffectsIsClosedByItsLastRecord) {
  const std::vector<Effect> effects(kMaxEffects + 5, test_effect(1, 3, 77));
  TempDir dir;
  std::string bytes(kSegmentMagic);
  RecordEncoder(bytes).settle_hold(test_row(1), {.id = test_id(1), .at = 7, .admitted = "a", .answer = "b"}, effects);
  std::ofstream(segment_path(dir.path(), 0, 1), std::ios::binary) << bytes;
  const auto records = read_records(dir.path());
  ASSERT_EQ(records.size(), 2u);
  EXPECT_EQ(records[0].type, RecordType::kTopUp);
  EXPECT_EQ(records[0].effects.size(), 5u);
  EXPECT_EQ(records[1].type, RecordType::kSettleHold);
  EXPECT_EQ(records[1].effects.size(), kMaxEffects);
  EXPECT_EQ(records[1].closed.answer, "b");
}

TEST(Record, TooManyEffectsBecomeSeveralRecordsAndTheClosingOneIsLast) {
  const std::vector<Effect> effects(kMaxEffects * 2 + 5, test_effect(1, 3, 77));
  for (const bool open : {true, false}) {
    TempDir dir;
    std::string bytes(kSegmentMagic);
    if (open) {
      RecordEncoder(bytes).open(test_id(1), test_row(1), effects);
    } else {
      RecordEncoder(bytes).settle(test_id(1), test_row(1), effects);
    }
    std::ofstream(segment_path(dir.path(), 0, 1), std::ios::binary) << bytes;
    const auto records = read_records(dir.path());
    ASSERT_EQ(records.size(), 3u);
    EXPECT_EQ((open ? records.front() : records.back()).type, open ? RecordType::kOpen : RecordType::kSettle);
    std::size_t count = 0;
    for (const Record& record : records) count += record.effects.size();
    EXPECT_EQ(count, effects.size());
  }
}

TEST(Record, LongTextsAreCut) {
  UsageRow row = test_row(1);
  row.model = std::string(kMaxText + 100, 'm');
  std::string bytes;
  RecordEncoder(bytes).settle(test_id(1), row, {});
  EXPECT_EQ(decoded(bytes).row.model.size(), kMaxText);
}

TEST(Record, ExpiredRowsAreChargedWhatWasHeld) {
  UsageRow row = test_row(1);
  row.usage = {.input_uncached = 100};
  row.reserved_tokens = 400;
  row.usd_micros = 10;
  const UsageRow expired = expired_row(row, 64, 5);
  EXPECT_EQ(expired.settled, Settled::kExpired);
  EXPECT_EQ(expired.usage.input(), 100);
  EXPECT_EQ(expired.usage.total(), 464);
  EXPECT_EQ(expired.reserved_tokens, 464);
  EXPECT_EQ(expired.usd_micros, 15);
}

TEST(Record, EncodingAllocatesNothingOnceTheBufferIsLargeEnough) {
  std::string buffer;
  buffer.reserve(1 << 20);
  const char* const memory = buffer.data();
  const std::vector<Effect> effects(8, test_effect(1, 1500, 10));
  for (int i = 0; i < 1000; ++i) {
    if (buffer.size() > (1 << 19)) buffer.clear();
    RecordEncoder(buffer).open(test_id(1), test_row(1), effects);
    RecordEncoder(buffer).settle(test_id(1), test_row(1), effects);
  }
  EXPECT_EQ(buffer.data(), memory);
}

}  // namespace
}  // namespace weir
