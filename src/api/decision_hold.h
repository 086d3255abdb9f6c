// What is kept of an admitted hold until it is settled, in a form that the journal keeps across a restart: what each
// limit held and how its meter is computed, the prices and the answer given. The policy of later is not asked.
//
//   std::string bytes = encode_hold(hold);
//   DecisionHold again;
//   if (decode_hold(bytes, again)) limiter.adopt(again.held);
//
// A value. Limits: kMaxHoldBytes when encoded (what is larger is not admitted).
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/decision_request.h"
#include "model/usage.h"
#include "policy/ruleset.h"
#include "pricing/price_book.h"

namespace weir {

struct DecisionHold {
  HeldReservation held;
  std::vector<std::vector<MeterTerm>> meters;   // by demand
  std::vector<std::vector<std::string>> tools;  // by demand: whose calls it counts; none: all calls
  MeterAmounts estimate;                        // usd_micros and tool_calls are set
  Price price;                                  // all 0: no model was named
  std::string admitted;                         // body of the answer to the admission
};

std::string encode_hold(const DecisionHold& hold);
// False if the bytes are damaged or of another version.
bool decode_hold(std::string_view bytes, DecisionHold& hold);

// What the price says a call costs.
std::int64_t priced(const Price& price, const MeterAmounts& amounts);
Usage usage_of(const MeterAmounts& amounts);
// What each demand really cost. Custom meters that `usage` leaves out cost what was estimated; its `tools` and
// `tool_calls` are set (use_tools).
// What `usage` says of tools, with what it leaves out as it was admitted; `named` are those that settle lists.
void use_tools(const MeterAmounts& estimate, const std::optional<std::vector<std::string>>& named, MeterAmounts& usage);
// Calls by tool, in order of appearance; names as limits compare them. False: one of them cannot be a tool's name.
bool count_tools(const std::vector<std::string>& names, std::vector<std::pair<std::string, std::int64_t>>& out);
std::vector<std::int64_t> actual_units(const DecisionHold& hold, const MeterAmounts& usage);

}  // namespace weir
