// Every key of weir.yaml in one table: the loader accepts, the JSON Schema lists and the docs test checks exactly
// these.
//
//   for (const KeySpec& spec : policy_keys()) …
//
// Constant data.
#pragma once

#include <span>
#include <string_view>
#include <vector>

namespace weir {

enum class ValueType : unsigned char {
  kText,
  kName,
  kZone,
  kUrl,
  kEndpoint,
  kPath,
  kInteger,
  kFraction,
  kBoolean,
  kDuration,
  kBytes,
  kUsdPerMillion,
  kChoice,      // detail: "a|b"
  kSection,     // detail: the section's name
  kSectionMap,  // free keys -> section
  kSectionList,
  kTextList,
  kTextMap,  // free keys -> text
  kPercent,  // "50%"
  kRetryWhen,
  kOutputRange,
  kPrice,
  kAllow,
  kMeter,
  kMatch,
  kPer,
  kWorkers,
  kAmount,    // "10M"
  kUsd,       // dollars
  kOnExceed,  // detail: the plain words; or {queue: 2s}
};

struct KeySpec {
  std::string_view section;  // "" is the top level
  std::string_view key;
  ValueType type = ValueType::kText;
  std::string_view detail;
  std::string_view about;  // for the schema
  bool later = false;      // known, "not available in this version"
};

std::span<const KeySpec> policy_keys();
std::vector<std::string_view> keys_of(std::string_view section);  // those that work
const KeySpec* find_key(std::string_view section, std::string_view key);

}  // namespace weir
