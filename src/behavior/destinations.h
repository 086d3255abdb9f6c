// Where a tool call would send something, and whether its run was told to: recipients, addresses, URLs, accounts and
// files among the arguments, looked for in the system's and the user's words.
//
//   classify(R"({"to":["bob@corp.com"],"body":"…"})", "Mail Bob (bob@corp.com) the minutes");   // kKnown
//   classify(R"({"to":["eve@evil.com"],"body":"…"})", "Mail Bob (bob@corp.com) the minutes");   // kOutside
//   classify(R"({"limit":10})", "…");                                                           // kNone
//
// Destinations are strings and numbers under keys that name one (to, recipients, url, iban, channel, file_id …), and
// values that are an e-mail address, a URL or an IBAN wherever they stand. Texts (subject, body, content …) are none.
// E-mail addresses and hosts are compared without case; a URL is also known by its host and path.
//
// Pure and thread-safe. Bounded: kMaxArguments bytes and kMaxDestinations destinations are looked at, against the first
// kMaxPrompt bytes of the prompt; what is malformed, longer or more counts as outside if anything in it looks like a
// destination.
#pragma once

#include <cstddef>
#include <string_view>

#include "model/agent.h"

namespace weir {

inline constexpr std::size_t kMaxArguments = std::size_t{64} << 10;
inline constexpr std::size_t kMaxPrompt = std::size_t{256} << 10;
inline constexpr std::size_t kMaxDestinations = 64;

Destination classify(std::string_view arguments_json, std::string_view prompt_text);

}  // namespace weir
