// What an operator changed over the file: merged into its YAML before it is loaded, so that an override can do nothing
// that a file could not.
//
//   MergedPolicy merged = merge_overrides(file_text, overrides);
//   LoadedPolicy loaded = load_policy(merged.yaml, "weir.yaml with overrides", environment);
//
// Pure. Limits: kMaxOverrides, kMaxOverrideBytes each.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace weir {

inline constexpr std::size_t kMaxOverrides = 5'000;
inline constexpr std::size_t kMaxOverrideBytes = 16 << 10;

struct Override {
  enum class Kind : std::uint8_t { kLimit, kTier, kTenant };
  Kind kind = Kind::kLimit;
  std::string name;
  std::string json = "{}";  // members replace those of the file's entry of that name; null removes one
  std::string by;           // who set it
  TimeNs at = 0;
};
const char* to_string(Override::Kind kind);  // "limit", "tier", "tenant"

}  // namespace weir
