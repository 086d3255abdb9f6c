// Reads one number out of a JSON answer, for custom meters.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace weir {

// The value at a dotted path ("meta.rows"), rounded up to an integer; nothing if absent, negative or not a number.
std::optional<std::int64_t> json_integer_at(std::string_view json, std::string_view path);

}  // namespace weir
