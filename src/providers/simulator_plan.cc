#include "providers/simulator_plan.h"

#include <fmt/format.h>

#include <array>

#include "base/json_writer.h"
#include "providers/simulator_random.h"

namespace weir {
namespace {

// Four letters and more: with the space before it, a word is never more tokens than the output estimate allows for it.
constexpr std::array<std::string_view, 32> kWords{
    "water",  "river", "stone",  "quiet",   "morning", "bridge", "light",   "under",  "meadow", "slowly", "carries",
    "toward", "small", "valley", "between", "hill",    "autumn", "follows", "broad",  "shore",  "never",  "again",
    "gentle", "rises", "mill",   "summer",  "against", "wooden", "banks",   "deeply", "turns",  "north"};

}  // namespace

std::string quoted_json(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

std::string sse_event(std::string_view name, std::string_view json) {
  return fmt::format("event: {}\ndata: {}\n\n", name, json);
}

std::string SimulatedPlan::word(std::int64_t choice, std::int64_t index) const {
  const std::uint64_t at = static_cast<std::uint64_t>(choice) << 32 ^ static_cast<std::uint64_t>(index);
  const std::string_view picked = kWords[mix64(words_seed ^ mix64(at)) % kWords.size()];
  return (index == 0 ? "" : " ") + std::string(picked);
}

std::string SimulatedPlan::text(std::int64_t choice) const {
  std::string out;
  for (std::int64_t i = 0; i < length(choice); ++i) out += word(choice, i);
  return out;
}

std::string SimulatedPlan::call_id(std::int64_t choice, std::size_t call) const {
  return fmt::format("{:016x}", mix64(words_seed ^ static_cast<std::uint64_t>(choice) ^ std::uint64_t{call} << 32));
}

std::int64_t SimulatedPlan::steps(std::int64_t choice) const {
  return calls.empty() ? length(choice) : static_cast<std::int64_t>(calls.size());
}

}  // namespace weir
