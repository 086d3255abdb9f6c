// Traces as files: their text in memory, and how far a reader is in it.
//
//   const auto text = read_trace("monday.csv");
//   const double lines = lines_of(*text);             // TraceRow::line of these is all of it
//
// Errors are one line with the file's name. Limit: kMaxTraceBytes a file.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.h"

namespace weir {

inline constexpr std::size_t kMaxTraceBytes = std::size_t{1} << 30;  // of one file

Result<std::string> read_trace(const std::string& path);
// At least 1.
double lines_of(std::string_view text);

}  // namespace weir
