// Whether what a tool returned says that it failed, where no field of the dialect does.
//
//   is_error_text("ValueError: no such file");            // true
//   is_error_text("The log holds 3 lines with Error.");   // false: it only mentions one
//   is_error_text(R"({"error":"not found"})");            // true
//
// Rather a failure missed than a success taken for one. Internal to this folder. Thread-safe; only the beginning of a
// text is looked at, unless it is a JSON object with a member of such a name.
#pragma once

#include <simdjson.h>

#include <string_view>

namespace weir {

bool is_error_text(std::string_view text);
// A truthy `error`, `isError` or `is_error` at the top of an object.
bool is_error_object(const simdjson::dom::object& object);

}  // namespace weir
