// What Ruleset keeps besides the policy: limits with their terms, scopes and counters prepared for deciding.
// Internal to src/policy; immutable after Ruleset::compile.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/lru_map.h"
#include "base/strings.h"
#include "policy/amounts.h"
#include "policy/ruleset.h"
#include "policy/tool_patterns.h"

namespace weir {

inline constexpr std::size_t kMaxLimits = 1'000;  // of one policy

// An attribute by name, resolved once: "model", "metadata.plan", "header.x-team".
class AttributeReader {
 public:
  explicit AttributeReader(std::string_view name);
  std::string_view value(const Attributes& attributes) const;  // null data = absent
  bool asserted(const Attributes& attributes) const;           // by the caller, for this request
  bool is(Attribute attribute) const { return source_ == Source::kAttribute && attribute_ == attribute; }
  bool indexable() const { return source_ == Source::kAttribute; }
  Attribute attribute() const { return attribute_; }
  const std::string& name() const { return name_; }

 private:
  enum class Source : unsigned char { kAttribute, kMetadata, kHeader };
  Source source_ = Source::kAttribute;
  Attribute attribute_ = Attribute::kKey;
  std::string name_, path_;
};

struct CompiledTerm {
  AttributeReader attribute;
  std::vector<std::string> literals, globs;
  bool negated = false;
  bool holds(const Attributes& attributes) const;
};

// The `per` of one or more limits: their counters share a subject's record.
struct Scope {
  std::string name;  // sorted attribute names; "global"
  std::string overflow_name;
  std::vector<AttributeReader> per;
  bool with_tenant = false;  // key, user, caller, team and app are names within a tenant
  bool tenant_zone = false;
  bool overridable = false;  // a key's metadata may change amounts
};

struct CompiledAllowance {
  std::string_view tier;
  std::vector<CounterId> counters;  // beside `windows` of the rule's allowance
  const std::vector<WindowRule>* windows = nullptr;
};

// How a limit looks at calls of tools.
struct ToolUse {
  bool counts = false;           // its meter counts them, or how many of them are in flight
  bool calls_in_flight = false;  // concurrency that matches tools: of calls only, never of other requests
  bool by_name = false;          // it matches or groups by their names
};
ToolUse tool_use_of(const LimitRule& rule);

// The tools that some limit may count.
class CountedTools {
 public:
  void add(const LimitRule& rule);
  bool contains(std::string_view tool) const;

 private:
  bool all_ = false;
  ToolPatterns these_;
  std::vector<ToolPatterns> all_but_;
};

struct CompiledToolLists {
  ToolPatterns allow, deny;
};

struct CompiledLimit {
  const LimitRule* rule = nullptr;
  std::vector<CompiledTerm> terms;
  std::uint32_t scope = 0;
  std::vector<CompiledAllowance> allow;  // the one for every tier last
  std::string override_key;              // "limits.NAME"
  AmountUnit unit = AmountUnit::kCount;
  bool hold = true;
  ToolUse tools;
};

template <class T>
using TextMap = std::unordered_map<std::string, T, TextHash, std::equal_to<>>;

// Limits that ask for exact values of one attribute are found by that value; the others are tried on every request.
struct LimitIndex {
  Attribute attribute = Attribute::kModel;
  TextMap<std::vector<std::uint16_t>> by_value;
};

struct Ruleset::Compiled {
  class Planner;
  SubjectSecret secret;
  std::vector<Scope> scopes;
  std::vector<CompiledLimit> limits;
  std::vector<std::uint16_t> always;
  std::vector<LimitIndex> indexes;
  TextMap<std::string> tenant_zones;
  CountedTools counted_tools;
  TextMap<CompiledToolLists> tier_tools;  // of tiers that have any
};

// The zone of a limit's calendar windows for this request.
const std::string& zone_for(const Policy& policy, const Scope& scope, const TextMap<std::string>& tenant_zones,
                            const Attributes& attributes);
// Sum of weight x cost; 0 to 2^53.
std::int64_t metered(const LimitRule& rule, const std::array<std::int64_t, kMeterCount>& amounts,
                     const std::vector<std::pair<std::string_view, std::int64_t>>& custom);
AmountUnit unit_of(const LimitRule& rule);

}  // namespace weir
