// The free JSON object of a consumer.
//
//   auto flat = flatten_metadata(R"({"plan":{"seats":5}})");     // {"plan.seats": "5"}
//
// Pure. Limits: 16 KiB of text, 16 levels, 256 scalars; keys may not repeat.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/result.h"
#include "model/consumer.h"

namespace weir {

// Every scalar by its dotted path; elements of arrays by index; null is left out. An error says what is wrong.
Result<std::map<std::string, std::string>> flatten_metadata(std::string_view json);

// The same JSON without line breaks and spaces between values; "{}" if it is no JSON object.
std::string one_line_json(std::string_view json);

// Takes the object over into a consumer, flattened and on one line; an error names what is wrong.
Result<void> set_metadata(Consumer& consumer, std::string_view json);

// What differs between two consumers' metadata, for the audit: members by name, limits and tools also by value, since
// these grant and the others may be private: `limits.requests "50/1m" -> "500/1m", plan changed`. Cut where it is long.
std::string metadata_changes(const Consumer& before, const Consumer& now);
// The members that are gone: "lineage, limits.requests, tools".
std::string members_gone(const Consumer& before, const Consumer& now);

// A consumer's name: [A-Za-z0-9._-]{1,64}.
bool is_consumer_name(std::string_view name);
// A value shown to people and used in keys of limits: UTF-8, at most 256 bytes, no control characters; may be empty.
bool is_plain_value(std::string_view value);

}  // namespace weir
