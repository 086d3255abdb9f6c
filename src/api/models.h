// GET /v1/models: what is routed, in the list shape of the dialect that asks.
#pragma once

#include <string>

#include "policy/policy.h"

namespace weir {

// Literal names of `models:`, and price-book names that match a glob whose provider speaks their dialect.
std::string models_json(const Policy& policy, bool anthropic_shape);

}  // namespace weir
