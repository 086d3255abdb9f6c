// What an operator changed over the file: one row of the record store. policy/overrides.h says what becomes of it.
//
//   Override pro{.kind = Override::Kind::kTier, .name = "pro", .json = R"({"weight":8})", .by = "ops", .at = now};
//
// A value. Limits: kMaxOverrides of them, kMaxOverrideBytes each.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

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
  bool operator==(const Override&) const = default;
};

inline const char* to_string(Override::Kind kind) {
  return kind == Override::Kind::kLimit ? "limit" : kind == Override::Kind::kTier ? "tier" : "tenant";
}

}  // namespace weir
