// The sentences of breakers: what happened, how often, where. No prompt text, no arguments.
//
//   trip.evidence = evidence::same_call("search", 5, "nightly-42", 5 * kMinute);
//
// Names that callers choose are cut to kMaxShown bytes. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/time.h"
#include "model/kill_switch.h"

namespace weir::evidence {

inline constexpr std::size_t kMaxShown = 80;

std::string duration(DurationNs span);  // "5 minutes", "90 s"
std::string shown(std::string_view name);

std::string same_call(std::string_view tool, std::int64_t times, std::string_view run, DurationNs within);
std::string open_call(std::string_view tool, std::string_view run);
std::string same_prompt(std::int64_t times, std::string_view where, DurationNs within);
std::string tool_errors(std::int64_t times, std::string_view run);
std::string nothing_new(int results, std::string_view run);
// "run nightly-42 has made 200 tool calls, all that a run may".
std::string bound(std::string_view run, std::string_view did, std::int64_t used, std::int64_t allowed);
std::string burst(std::int64_t calls, std::string_view run, DurationNs within);
std::string killed(const KillSwitch& off);

}  // namespace weir::evidence
