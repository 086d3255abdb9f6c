// Why a request was not admitted: the machine part that every refusal carries (PRODUCT section 4).
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/time.h"

namespace weir {

// Numbers are decimal text in the unit of the meter (dollars for usd), ready for JSON; empty = null.
struct Refusal {
  std::string limit;                                     // name of the limit (or breaker)
  std::string layer;                                     // rate | budget | tool | plan | breaker | entry
  std::vector<std::pair<std::string, std::string>> per;  // attribute -> value shown; key names, never secrets
  std::string meter;
  std::string allowed, used, reserved, requested;
  std::string window;             // "1m", "day", …; empty = null (concurrency)
  double retry_after_s = -1;      // negative = null: it can never fit
  TimeNs reset_at = 0;            // 0 = null
  std::vector<std::string> also;  // other limits that refuse
};

// {"limit":…,"layer":…,"per":{…},…,"also":[…]}
std::string machine_json(const Refusal& refusal);

}  // namespace weir
