// What the readers of trace formats share. Internal to src/replay.
//
//   Place place{"monday.csv", 17};
//   if (auto name = checked_name(place, "tenant", text); !name) return std::unexpected(name.error());
//
// Pure functions.
#pragma once

#include "replay/trace.h"

namespace weir {

struct Place {
  std::string_view file;
  std::size_t line = 0;
  std::unexpected<Error> fault(std::string_view message) const;
};

// Names are UTF-8 without control characters, at most kMaxNameBytes long.
Result<void> checked_name(const Place& place, std::string_view what, std::string_view value);
Result<void> checked_tokens(const Place& place, std::string_view what, std::int64_t value, std::int64_t most);

// `text` starts with the header or the first row.
Result<std::unique_ptr<TraceReader>> open_load_rows(std::string_view text, std::string file);
Result<std::unique_ptr<TraceReader>> open_ledger(std::string_view text, std::string file);

}  // namespace weir
