// /admin/v1/session and /admin/v1/whoami: sessions of the dashboard, and who one is.
#pragma once

#include <string_view>

#include "admin/router.h"

namespace weir {

inline constexpr std::string_view kSessionPath = "/admin/v1/session";
inline constexpr std::string_view kWrongCode =
    "This code is not known, was used before, or is older than an hour; restart `weir serve` for a new link, or sign "
    "in "
    "with a token.";
inline constexpr std::string_view kNoCode =
    "Send `{\"code\": …}` from the link that `weir serve` prints, or a token: `Authorization: Bearer …`.";

}  // namespace weir
