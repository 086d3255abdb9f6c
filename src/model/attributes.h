// The facts about one request that limits can use. Views into the request and the consumer: valid while both live.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>

#include "model/consumer.h"

namespace weir {

enum class Attribute : std::uint8_t {
  kKey,
  kTenant,
  kUser,
  kCaller,
  kTier,
  kKind,
  kIp,
  kTeam,
  kApp,
  kConversation,
  kRun,
  kAgent,
  kDepth,
  kTask,
  kModel,
  kProvider,
  kRoute,
  kTool,
  kServer,
  kMethod,
};
inline constexpr std::size_t kAttributeCount = 20;

std::string_view to_string(Attribute attribute);
std::optional<Attribute> attribute_from(std::string_view name);

// True for attributes a caller can set as it likes (conversation, run, agent, task, depth): they are nested under the
// verified key. `user` is nested too when a header asserted it; Attributes says so.
bool is_caller_asserted(Attribute attribute);

struct Attributes {
  std::array<std::string_view, kAttributeCount> values;           // empty view with null data = absent
  const Consumer* consumer = nullptr;                             // null: anonymous
  int trust_permille = 1000;                                      // of the caller: scales contextual limits
  bool user_asserted = false;                                     // `user` came from a header or the body
  std::function<std::string_view(std::string_view name)> header;  // lower-case name; null data = absent

  std::string_view operator[](Attribute a) const { return values[static_cast<std::size_t>(a)]; }
  void set(Attribute a, std::string_view value) { values[static_cast<std::size_t>(a)] = value; }
  bool has(Attribute a) const { return values[static_cast<std::size_t>(a)].data() != nullptr; }
};

}  // namespace weir
