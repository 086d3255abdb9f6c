// What a first run shows: the call to paste, and which limit it will meet.
//
//   if (auto bite = first_bite(policy)) …bite->allowed of these per bite->window…
//   std::cout << curl_for("http://127.0.0.1:8080", demo_key);
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "policy/policy.h"

namespace weir {

inline constexpr std::string_view kTryModel = "gpt-4o";

struct FirstBite {
  std::string limit, window;
  std::int64_t allowed = 0;
};
// The tightest limit on requests that every caller of the default tier meets.
std::optional<FirstBite> first_bite(const Policy& policy);

// Who answers kTryModel; null: nobody is routed for it.
const Provider* provider_of_try(const Policy& policy);

// An empty key: the variable WEIR_KEY.
std::string curl_for(std::string_view listen, std::string_view key);

}  // namespace weir
