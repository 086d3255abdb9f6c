#include "replay/trace.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace weir {
namespace {

const std::string kHeader = "timestamp_s,tenant,session,turn,model,input_tokens,output_tokens\n";

struct Owned {
  TimeNs time;
  std::string tenant, conversation, model;
  std::int64_t input, output;
  std::size_t line;
  bool operator==(const Owned&) const = default;
};

// All rows, then the error if there is one.
struct Everything {
  std::vector<Owned> rows;
  std::string error;
};

Everything read_all(const std::string& text) {
  Everything out;
  auto trace = open_trace(text, "t.csv");
  if (!trace) {
    out.error = trace.error().message;
    return out;
  }
  TraceRow row;
  while (true) {
    const auto more = (*trace)->next(row);
    if (!more) out.error = more.error().message;
    if (!more || !*more) return out;
    out.rows.push_back({row.time, std::string(row.tenant), std::string(row.conversation), std::string(row.model),
                        row.input_tokens, row.output_tokens, row.line});
  }
}

std::string error_of(const std::string& rows) {
  return read_all(kHeader + rows).error;
}

TEST(LoadRows, AreReadAsTheyStand) {
  const Everything all = read_all(kHeader + "0.000,,,,azure-conv,374,44\n4.315,acme,s1,2,m,396,109");
  EXPECT_EQ(all.error, "");
  ASSERT_EQ(all.rows.size(), 2u);
  EXPECT_EQ(all.rows[0], (Owned{0, "", "", "azure-conv", 374, 44, 2}));
  EXPECT_EQ(all.rows[1], (Owned{4'315 * kMillisecond, "acme", "s1", "m", 396, 109, 3}));
}

TEST(LoadRows, ColumnsAreFoundByName) {
  const Everything all =
      read_all("output_tokens,note,input_tokens,model,turn,session,tenant,timestamp_s\n7,x,5,m,1,s,t,1.5\n");
  EXPECT_EQ(all.error, "");
  ASSERT_EQ(all.rows.size(), 1u);
  EXPECT_EQ(all.rows[0], (Owned{1'500 * kMillisecond, "t", "s", "m", 5, 7, 2}));
}

TEST(LoadRows, AByteOrderMarkCarriageReturnsAndEmptyLinesAtTheEndAreTolerated) {
  const Everything all = read_all(
      "\xEF\xBB\xBF"
      "timestamp_s,tenant,session,turn,model,input_tokens,output_tokens\r\n"
      "1,t,,,m,1,2\r\n2,t,,,m,3,4\r\n\r\n\n");
  EXPECT_EQ(all.error, "");
  ASSERT_EQ(all.rows.size(), 2u);
  EXPECT_EQ(all.rows[1], (Owned{2 * kSecond, "t", "", "m", 3, 4, 3}));
  EXPECT_TRUE(read_all(kHeader).rows.empty()) << "a header alone is a trace without rows";
  EXPECT_EQ(read_all(kHeader).error, "");
}

TEST(LoadRows, QuotedFieldsMayHoldCommasQuotesAndLineBreaks) {
  const Everything all = read_all(kHeader + "1,\"a,\"\"b\"\"\",,,\"m\",1,2\r\n2,t,,,m,x,1\n");
  ASSERT_EQ(all.rows.size(), 1u);
  EXPECT_EQ(all.rows[0].tenant, "a,\"b\"");
  EXPECT_EQ(all.error, "t.csv:3: input_tokens is not a whole number: `x`");
  EXPECT_EQ(read_all(kHeader + "1,t,,\"1\n2\",m,1,2\n").error, "t.csv:2: turn is not a whole number");
  EXPECT_EQ(read_all(kHeader + "1,t,,\"3\",m,1,\"2\"").rows.size(), 1u);
  // A line break inside quotes counts as a line.
  const Everything broken = read_all(
      "\"timestamp_s\",tenant,session,turn,model,input_tokens,output_tokens,\"no\nte\"\n"
      "1,t,,,m,1,2,\n0,t,,,m,1,2,\n");
  EXPECT_EQ(broken.error, "t.csv:4: timestamp_s is smaller than in the row before; sort the rows by it");
}

TEST(LoadRows, TimesAreExactToTheNanosecond) {
  const auto time_of = [](const std::string& text) { return read_all(kHeader + text + ",,,,m,1,1\n").rows.at(0).time; };
  EXPECT_EQ(time_of("0.1"), 100 * kMillisecond);
  EXPECT_EQ(time_of("3599.999999999"), 3'599'999'999'999);
  EXPECT_EQ(time_of("0.30000000000000004"), 300 * kMillisecond);
  EXPECT_EQ(time_of("1e-05"), 10 * kMicrosecond);
  EXPECT_EQ(time_of("7."), 7 * kSecond);
}

TEST(LoadRows, FaultsNameFileAndLine) {
  const std::string good = "1,t,,,m,1,2\n";
  EXPECT_EQ(error_of(good + "2,t,,,m,1\n"), "t.csv:3: has 6 fields, the header 7");
  EXPECT_EQ(error_of(good + "2,t,,,m,1,2,3\n"), "t.csv:3: has 8 fields, the header 7");
  EXPECT_EQ(error_of(good + "0.5,t,,,m,1,2\n"),
            "t.csv:3: timestamp_s is smaller than in the row before; sort the rows by it");
  EXPECT_EQ(error_of("-1,t,,,m,1,2\n"), "t.csv:2: timestamp_s is negative");
  EXPECT_EQ(error_of("1,t,,,m,-1,2\n"), "t.csv:2: input_tokens is negative");
  EXPECT_EQ(error_of("1,t,,,m,1,-2\n"), "t.csv:2: output_tokens is negative");
  EXPECT_EQ(error_of("1,t,,,m,1,2.5\n"), "t.csv:2: output_tokens is not a whole number: `2.5`");
  EXPECT_EQ(error_of("1,t,,,m,,2\n"), "t.csv:2: input_tokens is not a whole number: ``");
  EXPECT_EQ(error_of("1,t,,,m,1,10000001\n"), "t.csv:2: output_tokens is more than 10000000");
  EXPECT_EQ(error_of("1,t,,,m,99999999999999999999,1\n"), "t.csv:2: input_tokens is too large: `99999999999999999999`");
  EXPECT_EQ(error_of("1e400,t,,,m,1,2\n"), "t.csv:2: timestamp_s is out of range");
  EXPECT_EQ(error_of("nan,t,,,m,1,2\n"), "t.csv:2: timestamp_s is not a number of seconds: `nan`");
  EXPECT_EQ(error_of("soon,t,,,m,1,2\n"), "t.csv:2: timestamp_s is not a number of seconds: `soon`");
  EXPECT_EQ(error_of(",t,,,m,1,2\n"), "t.csv:2: timestamp_s is not a number of seconds: ``");
  EXPECT_TRUE(error_of("1700000000,t,,,m,1,2\n").starts_with("t.csv:2: timestamp_s is more than ten years"));
  EXPECT_EQ(error_of(good + "\n" + good), "t.csv:3: is an empty line");
  EXPECT_EQ(error_of(good + "2,\"t,,,m,1,2\n"), "t.csv:3: has a quote that is not closed within 64 KiB");
  EXPECT_EQ(error_of("2,\"t\"x,,,m,1,2\n"), "t.csv:2: has text after a closing quote");
  EXPECT_EQ(error_of("2,t\"x,,,m,1,2\n"), "t.csv:2: has a quote inside a field that does not begin with one");
  EXPECT_EQ(error_of("2,t\x01,,,m,1,2\n"), "t.csv:2: tenant contains a control character");
  EXPECT_EQ(error_of("2,t\xFF,,,m,1,2\n"), "t.csv:2: tenant is not UTF-8");
}

TEST(LoadRows, AnErrorComesAfterTheRowsBeforeIt) {
  EXPECT_EQ(read_all(kHeader + "1,t,,,m,1,2\n2,t,,,m,1,2\n3,t,,,m,x,2\n").rows.size(), 2u);
}

TEST(LoadRows, BoundsAreReached) {
  EXPECT_EQ(error_of("1," + std::string(kMaxNameBytes, 't') + ",,,m,1,2\n"), "");
  EXPECT_EQ(error_of("1," + std::string(kMaxNameBytes + 1, 't') + ",,,m,1,2\n"),
            "t.csv:2: tenant is longer than 256 bytes");
  EXPECT_EQ(error_of("1,t,,,m,100000000,10000000\n"), "");
  EXPECT_EQ(error_of("1,t,,,m,100000001,2\n"), "t.csv:2: input_tokens is more than 100000000");
  EXPECT_EQ(error_of("1," + std::string(kMaxRowBytes, 't') + ",,,m,1,2\n"), "t.csv:2: is longer than 64 KiB");
  EXPECT_EQ(error_of("1,\"" + std::string(kMaxRowBytes + 2, 't') + "\",,,m,1,2\n"),
            "t.csv:2: has a quote that is not closed within 64 KiB");
  std::string wide = "timestamp_s,tenant,session,turn,model,input_tokens,output_tokens";
  std::string row = "1,t,,,m,1,2";
  for (std::size_t i = 7; i < kMaxColumns; ++i) wide += ",c", row += ",";
  EXPECT_EQ(read_all(wide + "\n" + row + "\n").rows.size(), 1u);
  EXPECT_EQ(read_all(wide + ",c\n").error, "t.csv:1: has more than 64 columns");
  EXPECT_EQ(read_all(wide + ",\"c\"\n").error, "t.csv:1: has more than 64 columns");
}

TEST(LoadRows, AnotherHeaderIsRefusedAndTheRightOneNamed) {
  const std::string error = read_all("timestamp,tenant,session,turn,model,input_tokens,output_tokens\n").error;
  EXPECT_TRUE(error.starts_with("t.csv:1: the column timestamp_s is missing; the header of load rows is")) << error;
  EXPECT_EQ(read_all("tenant,tenant,session,turn,model,input_tokens,output_tokens\n").error,
            "t.csv:1: the column tenant is there twice");
  EXPECT_TRUE(read_all("").error.starts_with("t.csv:1: is empty"));
  EXPECT_TRUE(read_all("\xEF\xBB\xBF\r\n\n").error.starts_with("t.csv:1: is empty"));
}

const std::string kLedgerLine =
    R"({"time":"2026-11-20T10:00:00.250Z","request_id":"r1","key":"ann","tenant":"acme","user":"","tier":"pro",)"
    R"("kind":"agent","conversation":"c1","run":"","agent":"","model":"gpt-4o","provider":"openai","route":"chat",)"
    R"("status":200,"input_tokens":900,"output_tokens":41,"cached_tokens":100,"cache_write_tokens":0,)"
    R"("reasoning_tokens":0,"usd_micros":12,"reserved_tokens":1924,"tool_calls":0,"degraded":"","attempts":1,)"
    R"("settled":"usage"})";

TEST(LedgerRows, AreReadByContentWhateverTheFileIsCalled) {
  const std::string text = "\n" + kLedgerLine + "\r\n";
  auto trace = open_trace(text, "t.csv");
  ASSERT_TRUE(trace) << trace.error().message;
  EXPECT_TRUE((*trace)->absolute());
  TraceRow row;
  const auto more = (*trace)->next(row);
  ASSERT_TRUE(more && *more) << (more ? "" : more.error().message);
  EXPECT_EQ(row.time, 1'795'168'800ll * kSecond + 250 * kMillisecond);
  EXPECT_EQ(row.tenant, "acme");
  EXPECT_EQ(row.key, "ann");
  EXPECT_EQ(row.tier, "pro");
  EXPECT_EQ(row.conversation, "c1");
  EXPECT_EQ(row.model, "gpt-4o");
  EXPECT_EQ(row.route, "chat");
  EXPECT_EQ(row.input_tokens, 900);
  EXPECT_EQ(row.cached_tokens, 100);
  EXPECT_EQ(row.output_tokens, 41);
  EXPECT_EQ(row.line, 2u);
  EXPECT_FALSE((*trace)->next(row).value());
}

std::string ledger_error(const std::string& line) {
  return read_all(kLedgerLine + "\n" + line + "\n").error;
}

TEST(LedgerRows, FaultsNameFileAndLine) {
  EXPECT_EQ(ledger_error(kLedgerLine), "") << "equal times are in order";
  EXPECT_EQ(ledger_error("{\"time\":"), "t.csv:2: is not a JSON object");
  EXPECT_EQ(ledger_error("[1]"), "t.csv:2: is not a JSON object");
  EXPECT_EQ(ledger_error(kLedgerLine + kLedgerLine), "t.csv:2: has more than one JSON value");
  EXPECT_EQ(ledger_error(R"({"time":"2026-11-20T10:00:01Z","input_tokens":1})"), "t.csv:2: has no `output_tokens`");
  EXPECT_EQ(ledger_error(R"({"time":"2026-11-20T09:59:59Z","input_tokens":1,"output_tokens":1})"),
            "t.csv:2: `time` is earlier than in the line before; sort the lines by it");
  EXPECT_EQ(ledger_error(R"({"time":"2026-02-30T10:00:00Z","input_tokens":1,"output_tokens":1})"),
            "t.csv:2: `time` is not an instant like 2026-11-20T10:00:00.000Z");
  EXPECT_EQ(ledger_error(R"({"time":5,"input_tokens":1,"output_tokens":1})"), "t.csv:2: `time` is not a string");
  EXPECT_EQ(ledger_error(R"({"time":"2026-11-20T10:00:01Z","input_tokens":-1,"output_tokens":1})"),
            "t.csv:2: input_tokens is negative");
  EXPECT_EQ(ledger_error(R"({"time":"2026-11-20T10:00:01Z","input_tokens":1,"output_tokens":1e30})"),
            "t.csv:2: `output_tokens` is not a whole number, or too large");
  EXPECT_EQ(ledger_error(R"({"time":"2026-11-20T10:00:01Z","input_tokens":1,"output_tokens":1,"model":7})"),
            "t.csv:2: `model` is not a string");
  EXPECT_EQ(ledger_error(R"({"time":"2026-11-20T10:00:01Z","input_tokens":1,"output_tokens":1,"cached_tokens":2})"),
            "t.csv:2: `cached_tokens` is more than `input_tokens`");
  EXPECT_EQ(ledger_error(std::string(kMaxRowBytes + 1, ' ') + "{}"), "t.csv:2: is longer than 64 KiB");
}

// Whatever the bytes are: rows, then the end or an error that names a line which exists.
RC_GTEST_PROP(TraceProperties, AnyBytesAreReadOrRefusedWithALine, ()) {
  const auto start = *rc::gen::element<std::string>("", kHeader, kHeader + "1,t,,,m,1,2\n", kLedgerLine + "\n", "{");
  const auto piece = rc::gen::element<std::string>(",", "\"", "\n", "\r\n", "\r", "1", "9.5", "-", "t", "{", "}", ":",
                                                   "[", "\"time\"", "e", "\\", std::string(1, '\0'), "\xC3",
                                                   kLedgerLine, "2,t,,,m,1,2\n", "\"a\"\"b\",");
  const auto pieces = *rc::gen::container<std::vector<std::string>>(piece);
  std::string text = start;
  for (const std::string& part : pieces) text += part;
  const Everything all = read_all(text);
  if (all.error.empty()) return;
  RC_ASSERT(all.error.starts_with("t.csv:"));
  const std::int64_t line = std::stoll(all.error.substr(6));
  RC_ASSERT(line >= 1);
  RC_ASSERT(line <= 1 + std::count(text.begin(), text.end(), '\n'));
}

TEST(OtherTraces, AreRefusedWithTheFormatsThatAreKnown) {
  EXPECT_EQ(read_all(R"({"hello":1})").error,
            "t.csv:1: is none of load rows (CSV), lines of `weir usage --json`, agent events, transcripts");
}

}  // namespace
}  // namespace weir
