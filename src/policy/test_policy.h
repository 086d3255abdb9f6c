// What the tests of this folder share: loading a text, a fake environment, counters that only number themselves.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "policy/policy.h"
#include "policy/ruleset.h"

namespace weir {

using Variables = std::map<std::string, std::string, std::less<>>;

inline Environment environment_of(Variables variables) {
  return [variables = std::move(variables)](std::string_view name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    return found == variables.end() ? std::nullopt : std::optional(found->second);
  };
}

inline LoadedPolicy load(std::string_view text, Variables variables = {}) {
  return load_policy(text, "weir.yaml", environment_of(std::move(variables)));
}

// Every diagnostic, one per line, without the file's name.
inline std::string problems(const LoadedPolicy& loaded) {
  std::string out;
  for (const Diagnostic& d : loaded.diagnostics) {
    std::string line = to_string(d);
    if (line.starts_with("weir.yaml:")) line.erase(0, 10);
    out += line + "\n";
  }
  return out;
}

inline std::shared_ptr<const Policy> must_load(std::string_view text, Variables variables = {}) {
  const LoadedPolicy loaded = load(text, std::move(variables));
  EXPECT_TRUE(loaded.policy != nullptr) << problems(loaded);
  return loaded.policy ? loaded.policy : std::make_shared<const Policy>();
}

inline constexpr std::string_view kMinimalLimits =
    "limits:\n  - { name: a, per: caller, meter: requests, allow: 1/1m }\n";

}  // namespace weir
