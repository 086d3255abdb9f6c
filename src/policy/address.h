// Addresses as weir.yaml writes them: listen addresses, URLs of providers, networks of trusted proxies.
//
//   Result<Url> url = parse_url("https://api.openai.com/v1");
//
// Pure functions; no name is resolved.
#pragma once

#include <string_view>

#include "base/result.h"
#include "policy/policy.h"

namespace weir {

// "127.0.0.1:8080", "[::1]:8080", "localhost:0".
Result<Endpoint> parse_endpoint(std::string_view text);
// http or https, no user, query or fragment.
Result<Url> parse_url(std::string_view text);
// "10.0.0.0/8", "::1", "192.168.1.7"; bits beyond the prefix must be zero.
Result<Cidr> parse_cidr(std::string_view text);

}  // namespace weir
