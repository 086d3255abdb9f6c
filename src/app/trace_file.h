// Traces as files: their text in memory, how far a reader is in it, and what a store knows of the keys that they name.
//
//   const auto text = read_trace("monday.csv");
//   const double lines = lines_of(*text);             // TraceRow::line of these is all of it
//
// Errors are one line with the file's name. Limit: kMaxTraceBytes a file.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "app/command.h"
#include "base/result.h"
#include "replay/recorded_keys.h"

namespace weir {

inline constexpr std::size_t kMaxTraceBytes = std::size_t{1} << 30;  // of one file

Result<std::string> read_trace(const std::string& path);
// At least 1.
double lines_of(std::string_view text);
// Where there is no store none is known, and the keys' note says so.
RecordedKeys keys_of(const StoreChoice& choice, const CommandContext& context);

}  // namespace weir
