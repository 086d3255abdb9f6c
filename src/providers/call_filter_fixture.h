// Drives a CallFilter as the gateway does, with rulings by the names of calls. For tests.
//
//   Filtered got = filtered(Operation::kChatCompletions, Framing::kSse, stream, {{"pay", {Ruling::kCut}}});
//   got.out; got.asked;   // "name pay", "call pay {}"
//
// One thread at a time.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "providers/dialect.h"
#include "providers/tool_calls.h"

namespace weir {

using Ruling = CallFilter::Ruling;

struct Rulings {
  Ruling at_name = Ruling::kPass;
  Ruling at_call = Ruling::kPass;
};
using RulingsByName = std::map<std::string, Rulings>;  // others pass

struct Filtered {
  std::string out;
  std::vector<std::string> asked;
  std::size_t calls = 0, cut = 0;
  bool lagged = false;  // at some event less had left than had come
};

inline Filtered filtered(Operation operation, Framing framing, std::string_view stream, const RulingsByName& rulings) {
  Filtered result;
  StreamReader reader(operation, framing, /*hide_usage=*/false);
  CallFilter filter(operation, framing);
  std::string_view bytes = stream;
  const auto take = [&](std::string_view event) {
    CallFilter::Asks asks = filter.take(event, result.out);
    while (asks != CallFilter::Asks::kNothing) {
      const ToolCall& call = filter.asked();
      const auto found = rulings.find(call.name);
      const Rulings ruling = found == rulings.end() ? Rulings() : found->second;
      const bool name = asks == CallFilter::Asks::kName;
      result.asked.push_back(name ? "name " + call.name : "call " + call.name + " " + call.arguments);
      asks = filter.rule(name ? ruling.at_name : ruling.at_call, result.out);
    }
    result.lagged |= result.out.size() < stream.size() - bytes.size();
  };
  for (std::string event; reader.next(bytes, event); event.clear()) take(event);
  std::string rest;
  reader.finish(rest);
  if (!rest.empty()) take(rest);
  filter.finish(result.out);
  result.calls = filter.calls();
  result.cut = filter.cut();
  return result;
}

inline constexpr Rulings kCutByName{Ruling::kCut, Ruling::kPass};
inline constexpr Rulings kHeldThenPassed{Ruling::kHold, Ruling::kPass};
inline constexpr Rulings kHeldThenCut{Ruling::kHold, Ruling::kCut};

}  // namespace weir
