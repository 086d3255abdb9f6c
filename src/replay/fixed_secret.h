// The secret of a replay's counters. They live in memory only, so their hashes need none; they need to be the same
// every time. Internal to src/replay.
//
//   Ruleset::compile(policy, define, fixed_secret());
//
// Pure.
#pragma once

#include "weir/subject.h"

namespace weir {

inline std::uint64_t mixed(std::uint64_t value) {
  value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9u;
  value = (value ^ (value >> 27)) * 0x94D049BB133111EBu;
  return value ^ (value >> 31);
}

inline SubjectSecret fixed_secret() {
  SubjectSecret secret{};
  for (std::size_t i = 0; i < secret.size(); ++i) secret[i] = static_cast<unsigned char>(mixed(i + 1));
  return secret;
}

}  // namespace weir
