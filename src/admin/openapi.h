// The OpenAPI document of the admin API, put together from src/admin/openapi when the program was built.
//
//   return admin_json(std::string(openapi_document()));
#pragma once

#include <string_view>

namespace weir {

std::string_view openapi_document();

}  // namespace weir
