// How admin calls change the policy: tried over the file first, stored only if it holds, in force before the answer.
//
//   const auto state = policy_now(call);                      // what the store says, in force
//   Result<void, Reply> done = put_overrides(call, {{Override::Kind::kTier, "pro", R"({"weight":8})"}});
//   if (!done) return done.error();                           // 412, 422 with diagnostics, 503
//
// Belongs to the thread that runs admin work.
#pragma once

#include <expected>
#include <memory>
#include <span>
#include <string>
#include <string_view>

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

const Override* find_override(const PolicyState& state, Override::Kind kind, std::string_view name);

// What holds, as a tree with the built-in limits spelled out.
Yaml effective_tree(const PolicyState& state, const Policy& policy);
const Yaml* limit_of(const Yaml& root, std::string_view name);

// 422 with `diagnostics`.
Reply invalid_policy(std::string message, std::span<const Diagnostic> diagnostics);
void write_diagnostics(JsonWriter& json, std::span<const Diagnostic> diagnostics);
void write_skipped(JsonWriter& json, const PolicyState& state);
// Numbers as numbers.
void write_yaml_value(JsonWriter& json, const Yaml& node);
// Where an entry comes from: "override", "file", "built-in".
const char* source_of(const PolicyState& state, bool overridden, const char* section);

}  // namespace weir
