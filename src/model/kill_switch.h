// Kill switches: keys, agents, tools and runs that an operator (or an escalation) has stopped.
//
//   if (const KillSwitch* off = switches->find(KillSwitch::Kind::kTool, "send_email")) …refuse, say off->reason…
//
// KillSwitches is an immutable snapshot of the store's, replaced when they change.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/time.h"

namespace weir {

struct KillSwitch {
  enum class Kind : std::uint8_t { kKey, kAgent, kTool, kRun };
  Kind kind = Kind::kKey;
  std::string name;    // key name, agent, canonical tool name, or run id
  std::string reason;  // as the operator gave it; shown to callers
  std::string by;      // who threw it: "cli", "admin", "escalation"
  TimeNs since = 0;
  bool operator==(const KillSwitch&) const = default;
};
const char* to_string(KillSwitch::Kind kind);  // "key", "agent", "tool", "run"
std::optional<KillSwitch::Kind> kill_switch_kind_from(std::string_view word);

class KillSwitches {
 public:
  const KillSwitch* find(KillSwitch::Kind kind, std::string_view name) const;
  void add(KillSwitch off);
  bool empty() const { return by_name_.empty(); }
  std::size_t size() const { return by_name_.size(); }

 private:
  struct Less {
    using is_transparent = void;
    using View = std::pair<KillSwitch::Kind, std::string_view>;
    static View view(const std::pair<KillSwitch::Kind, std::string>& key) { return {key.first, key.second}; }
    static View view(const View& key) { return key; }
    template <class A, class B>
    bool operator()(const A& a, const B& b) const {
      return view(a) < view(b);
    }
  };
  std::map<std::pair<KillSwitch::Kind, std::string>, KillSwitch, Less> by_name_;
};

}  // namespace weir
