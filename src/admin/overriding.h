// How admin calls change the policy: tried over the file first, stored only if it holds, in force before the answer.
//
//   const PolicyView before(call, "tiers");   // what the store says, in force
//   if (auto failed = put_override(call, Override::Kind::kTier, etag(before))) return *failed;   // 412, 422, 503
//   return show(call);
//
// Belongs to the thread that runs admin work.
#pragma once

#include <algorithm>
#include <expected>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "admin/router.h"
#include "base/json_writer.h"
#include "policy/yaml_writer.h"

namespace weir {

// The policy in force. Takes up first what another process wrote into the store a moment ago.
std::shared_ptr<const PolicyState> policy_now(AdminContext& call);

// A text that a caller sent, loaded as the file is; it may name variables only where the policy in force does.
LoadedPolicy load_draft(const AdminContext& call, const PolicyState& state, std::string_view yaml);

struct WantedOverride {
  Override::Kind kind = Override::Kind::kLimit;
  std::string name;
  std::string json;  // empty: none
};
std::expected<void, Reply> put_overrides(AdminContext& call, std::span<const WantedOverride> wanted);

// The body of a PUT of one entry, or nothing of its DELETE: over the file, unless it is stale. Nothing: it is done.
std::optional<Reply> put_override(AdminContext& call, Override::Kind kind, std::string_view etag);
Reply drop_override(AdminContext& call, Override::Kind kind, std::string_view etag);

const Override* find_override(const PolicyState& state, Override::Kind kind, std::string_view name);

// What is laid over the file, or null.
void write_override(JsonWriter& json, const Override* own);
std::string etag_of(std::string_view value, const Override* own);

// What holds now, read once for a call.
struct PolicyView {
  PolicyView(AdminContext& call, const char* section);
  const Policy& policy() const { return rules->policy(); }

  std::shared_ptr<const PolicyState> state;
  std::shared_ptr<const Ruleset> rules;
  Yaml root;                // as a tree with the built-in limits spelled out
  const char* file_source;  // where an entry of the section is from that is not overridden: "file", "built-in"
};

template <class Named>
const Named* find_named(const std::vector<Named>& all, std::string_view name) {
  const auto found = std::find_if(all.begin(), all.end(), [&](const Named& each) { return each.name == name; });
  return found == all.end() ? nullptr : &*found;
}

// 422 with `diagnostics`.
Reply invalid_policy(std::string message, std::span<const Diagnostic> diagnostics);
void write_diagnostics(JsonWriter& json, std::span<const Diagnostic> diagnostics);
void write_skipped(JsonWriter& json, const PolicyState& state);
// Numbers as numbers.
void write_yaml_value(JsonWriter& json, const Yaml& node);
// Amounts of a limit as a list of texts.
void write_amounts(JsonWriter& json, const Yaml& amounts);

}  // namespace weir
