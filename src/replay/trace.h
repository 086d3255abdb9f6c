// Recorded traffic, row by row: load rows (CSV) and Weir's own ledger (`weir usage --json`), told apart by content.
//
//   auto trace = open_trace(text, "monday.csv");
//   TraceRow row;
//   while (true) {
//     auto more = trace->next(row);
//     if (!more) return fail(more.error().message);   // "monday.csv:17: input_tokens is negative …"
//     if (!*more) break;
//     …row…
//   }
//
// A byte order mark and CRLF are tolerated; everything else that is not the format is an error that names file and
// line: rows out of order, numbers that are negative or too large, columns that are missing. A reader belongs to one
// thread. The text must outlive it; the views of a row last until the next call. Limits: kMaxRowBytes a row,
// kMaxColumns columns, kMaxRowTokens tokens of
// input, kMaxRowOutput of output, kMaxNameBytes a name.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"

namespace weir {

inline constexpr std::size_t kMaxRowBytes = 64 << 10;
inline constexpr std::size_t kMaxColumns = 64;
inline constexpr std::size_t kMaxNameBytes = 256;  // tenant, session, model, …
inline constexpr std::int64_t kMaxRowTokens = 100'000'000;
inline constexpr std::int64_t kMaxRowOutput = 10'000'000;     // each top_up of it is an event
inline constexpr DurationNs kMaxTraceTime = 10 * 366 * kDay;  // of load rows, from their zero

struct TraceRow {
  TimeNs time = 0;  // load rows: since the trace's zero; ledger: since 1970
  std::size_t line = 0;
  // Empty where the trace does not say.
  std::string_view tenant, conversation, model;
  std::string_view key, user, tier, kind, run, agent, route;     // ledger only
  const std::map<std::string, std::string>* metadata = nullptr;  // of its key, as Consumer has it; null: unknown
  std::int64_t input_tokens = 0;
  std::int64_t cached_tokens = 0;  // of the input; ledger only
  std::int64_t output_tokens = 0;
  std::int64_t output_held = -1;  // when it was admitted; negative: the trace does not say
};

// Virtual because the two formats share nothing but their rows.
class TraceReader {
 public:
  virtual ~TraceReader() = default;
  // False at the end. After an error there is nothing more to read.
  virtual Result<bool> next(TraceRow& row) = 0;
  // Rows carry instants of the calendar, not seconds since the trace's own zero.
  virtual bool absolute() const = 0;
};

// `file` is the name for messages.
Result<std::unique_ptr<TraceReader>> open_trace(std::string_view text, std::string file);

}  // namespace weir
