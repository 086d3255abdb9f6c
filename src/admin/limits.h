// /admin/v1/limits: the limits in force, and changing one over the file.
//
//   add_limit_routes(router);
//
// See docs/admin-api.md.
#pragma once

#include "admin/router.h"
#include "base/json_writer.h"
#include "policy/yaml.h"

namespace weir {

void add_limit_routes(AdminRouter& router);

// A limit's `allow` by tier or default, each a list of amounts as texts.
void write_allow(JsonWriter& json, const Yaml& allow);

}  // namespace weir
