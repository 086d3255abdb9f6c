#include "model/kill_switch.h"

#include <array>

#include "base/enum_words.h"
#include "model/agent.h"

namespace weir {
namespace {

constexpr std::array kKinds = {"key", "agent", "tool", "run"};

}  // namespace

const char* to_string(KillSwitch::Kind kind) {
  return word_of(kKinds, kind);
}
std::optional<KillSwitch::Kind> kill_switch_kind_from(std::string_view word) {
  return value_of<KillSwitch::Kind>(kKinds, word);
}

const KillSwitch* KillSwitches::find(KillSwitch::Kind kind, std::string_view name) const {
  const auto found = by_name_.find(std::pair(kind, name));
  return found == by_name_.end() ? nullptr : &found->second;
}

// A switch must meet the tool whatever letters it was thrown with.
void KillSwitches::add(KillSwitch off) {
  if (off.kind == KillSwitch::Kind::kTool) {
    if (std::string name = canonical_tool_name(off.name); !name.empty()) off.name = std::move(name);
  }
  auto key = std::pair(off.kind, off.name);
  by_name_.insert_or_assign(std::move(key), std::move(off));
}

}  // namespace weir
