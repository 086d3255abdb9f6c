// Streams with tool calls from strangers. Checks: passing everything at once is the identity, whatever the split of the
// bytes; any rulings come to an end and what leaves is bounded by what came; cutting from whole answers removes exactly
// the calls that were cut.
//
// Input: byte 0 = operation (mod 12, lowest 4 bits), framing (bits 4 and 5, mod 3); byte 1 = seed of the rulings and
// the split; the rest = the bytes.
#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "fuzz.h"
#include "providers/dialect.h"
#include "providers/tool_calls.h"

namespace {

using namespace weir;
using fuzz::Chance;
using fuzz::require;
using Asks = CallFilter::Asks;
using Ruling = CallFilter::Ruling;

struct Outcome {
  std::string out;
  std::size_t asked = 0, calls = 0, cut = 0;
  bool lagged = false, bounded = true;
};

// `seed` 0: everything passes.
Outcome run(Operation operation, Framing framing, std::string_view bytes, std::uint32_t split, std::uint32_t seed) {
  Outcome result;
  StreamReader reader(operation, framing, /*hide_usage=*/false);
  CallFilter filter(operation, framing);
  Chance pieces(split);
  Chance rulings(seed);
  std::size_t taken = 0;
  const auto take = [&](std::string_view event) {
    taken += event.size();
    Asks asks = filter.take(event, result.out);
    for (std::size_t turns = 0; asks != Asks::kNothing; ++turns) {
      require(turns <= 2 * event.size());  // each question stands for some of its bytes, or for a call before
      ++result.asked;
      require(filter.asked().name.size() <= kMaxToolName);
      require(filter.asked().id.size() <= kMaxCallId);
      const auto ruling = seed == 0 ? Ruling::kPass : static_cast<Ruling>(rulings.below(3));
      asks = filter.rule(ruling, result.out);
    }
    result.lagged |= result.out.size() < taken;
    // What leaves is what came, with numbers in place of numbers and frames around what was held.
    result.bounded &= result.out.size() <= 4096 + 24 * taken + 256 * result.asked;
  };
  while (!bytes.empty()) {
    const std::size_t size = split == 0 ? bytes.size() : std::min<std::size_t>(bytes.size(), 1 + pieces.below(16));
    std::string_view piece = bytes.substr(0, size);
    bytes.remove_prefix(size);
    for (std::string event; reader.next(piece, event); event.clear()) take(event);
  }
  std::string rest;
  reader.finish(rest);
  if (!rest.empty()) take(rest);
  filter.finish(result.out);
  result.calls = filter.calls();
  result.cut = filter.cut();
  return result;
}

void check_stream(Operation operation, Framing framing, std::string_view bytes, std::uint32_t seed) {
  const Outcome passed = run(operation, framing, bytes, 0, 0);
  require(passed.bounded);
  // A call whose name comes late is kept until then; beyond the bound of a turn calls are cut.
  if (!passed.lagged && passed.cut == 0) require(passed.out == bytes);
  const Outcome split = run(operation, framing, bytes, seed, 0);
  if (!split.lagged && split.cut == 0) require(split.out == bytes);
  require(split.calls == passed.calls && split.asked == passed.asked);
  const Outcome judged = run(operation, framing, bytes, seed, seed);
  require(judged.bounded);
  require(judged.calls + judged.cut <= passed.asked + passed.cut);
  // What is left is a stream that can be filtered again.
  (void)run(operation, framing, judged.out, 0, 0);
}

void check_body(Operation operation, std::string_view bytes, std::uint32_t seed) {
  const std::vector<ToolCall> calls = announced_calls(operation, bytes);
  require(calls.size() <= kMaxCallsInTurn + 1);
  require(without_calls(operation, bytes, std::vector<bool>(calls.size())) == bytes || calls.size() > kMaxCallsInTurn);
  Chance chance(seed);
  std::vector<bool> cut;
  std::vector<std::uint64_t> left;
  for (const ToolCall& call : calls) {
    cut.push_back(chance.below(2) == 0);
    if (!cut.back()) left.push_back(call.signature);
  }
  const std::string rest = without_calls(operation, bytes, cut);
  require(rest.size() <= bytes.size() + 2 * calls.size());
  std::vector<std::uint64_t> found;
  for (const ToolCall& call : announced_calls(operation, rest)) found.push_back(call.signature);
  require(found == left);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const auto operation = static_cast<Operation>((data[0] & 15) % kOperationCount);
  const auto framing = static_cast<Framing>((data[0] >> 4 & 3) % 3);
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
  check_stream(operation, framing, bytes, 1u + data[1]);
  check_body(operation, bytes, 1u + data[1]);
  return 0;
}
