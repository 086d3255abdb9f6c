// The parts of load_policy. Each reads its keys from the top-level section into the policy and reports what is wrong.
// Internal to src/policy.
#pragma once

#include <vector>

#include "policy/section.h"

namespace weir {

// Where a limit stands in its file, for checks that need the whole policy.
struct LimitSource {
  const Yaml* node = nullptr;
  const Yaml* match = nullptr;  // null if absent
  const Yaml* per = nullptr;
  const Yaml* meter = nullptr;
  const Yaml* allow = nullptr;
};

bool is_name(std::string_view text);   // [a-z0-9._-]{1,64}
bool is_value(std::string_view text);  // UTF-8, 1 to 256 bytes, no control characters
bool is_known_zone(const std::string& zone);

void load_server(Section& root, Policy& policy);
void load_tiers(Section& root, Policy& policy);

// `runs`, `breaker`, `profiles` and `trust`.
void load_behavior(Section& root, BehaviorRules& rules);

inline constexpr std::size_t kMaxToolPatterns = 1'000;  // of one list
// A list of tools: names or globs, in the form in which tools' names are compared.
void read_tools(Section& parent, std::string_view key, std::vector<std::string>& out);
// The pattern in that form; empty after reporting that no tool can be called so.
std::string read_tool_pattern(Reporter& reporter, const Yaml& at);

// `built_in`: entries whose key is not in the environment are left out, nothing is reported about them.
void load_providers(Section& root, Policy& policy, bool built_in);
void load_models(Section& root, Policy& policy, bool built_in);
void load_upstreams(Section& root, Policy& policy);
void check_models(const Section& root, const Policy& policy);

// `degrade`, `on_exceed` and `hard` of a limit.
inline constexpr std::size_t kMaxRungs = 16;          // of one ladder
inline constexpr std::size_t kMaxLadderModels = 100;  // of one rung
void read_on_exceed(Section& limit, LimitRule& rule);

// The tree must live as long as `sources` is used.
void load_limits(Section& root, Policy& policy, bool built_in, std::vector<LimitSource>& sources);
// What only the whole policy can tell: limits that match nothing, colliding names, missing tiers.
void check_limits(Policy& policy, const std::vector<LimitSource>& sources, Reporter& reporter);

// `alerts`, after the limits that its rules name.
void load_alerts(Section& root, Policy& policy);

// Where the text is what secrets_masked() makes of `known` in that place, `known`'s own is put back. What is left of
// masks is reported: an error in `alerts`, elsewhere a warning, so that an export loads.
void restore_secrets(Yaml& root, std::string_view known);
void report_masks(const Yaml& root, Reporter& reporter);

// Ladders against the models: what they change must be callable. A built-in ladder loses what is not.
void check_ladders(Policy& policy, const std::vector<LimitSource>& sources, Reporter& reporter);

// providers, models and limits of the built-in policy, as YAML.
std::string_view built_in_yaml();

}  // namespace weir
