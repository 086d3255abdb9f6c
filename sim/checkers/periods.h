// Calendar periods by the checkers' own arithmetic: fixed offsets and the summer times of Europe and the United States.
//
//   const auto day = own_period("day", "Europe/Berlin", now);      // [00:00 there, 00:00 there)
//
// Values. Zones it does not know give nothing.
#pragma once

#include <optional>
#include <string>

#include "base/time.h"

namespace weir::sim {

struct Span {
  TimeNs start = 0, end = 0;
  bool operator==(const Span&) const = default;
};
std::optional<Span> own_period(const std::string& word, const std::string& zone, TimeNs now);

}  // namespace weir::sim
