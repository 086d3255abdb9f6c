#include "model/attributes.h"

#include "base/check.h"
#include "base/enum_words.h"

namespace weir {
namespace {

constexpr std::array<std::string_view, kAttributeCount> kNames = {
    "key", "tenant", "user",  "caller", "tier",  "kind",     "ip",    "team", "app",    "conversation",
    "run", "agent",  "depth", "task",   "model", "provider", "route", "tool", "server", "method"};

}  // namespace

std::string_view to_string(Attribute attribute) {
  const auto index = static_cast<std::size_t>(attribute);
  WEIR_CHECK(index < kNames.size());
  return kNames[index];
}

std::optional<Attribute> attribute_from(std::string_view name) {
  return value_of<Attribute>(kNames, name);
}

bool is_caller_asserted(Attribute attribute) {
  switch (attribute) {
    case Attribute::kConversation:
    case Attribute::kRun:
    case Attribute::kAgent:
    case Attribute::kDepth:
    case Attribute::kTask:
      return true;
    default:
      return false;
  }
}

}  // namespace weir
