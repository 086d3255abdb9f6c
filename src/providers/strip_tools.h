// Takes tools out of a request's list, byte for byte elsewhere.
//
//   std::string out = without_tools(Operation::kMessages, body, {"send_email"});
//
// A list that is left empty goes, and with it what is only allowed beside one; a choice that names a removed tool goes
// back to the dialect's default, which is to leave it out. Internal to this folder. Thread-safe. `body` was read
// before.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "providers/operation.h"

namespace weir {

// `names`: canonical.
std::string without_tools(Operation operation, std::string_view body, std::vector<std::string> names);

}  // namespace weir
