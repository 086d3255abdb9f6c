// What is sent: the body of a message, and its signature.
//
//   std::string body = message_body(AlertTarget::Kind::kWebhook, change);
//   std::string header = signature("secret", id, now, body);       // of X-Weir-Signature: "t=1795000000,v1=5f2c…"
//
// The signature is HMAC-SHA256 in hexadecimal over "id.t.body", where t are the seconds since 1970 at which it is sent:
// a receiver refuses what is old, and an id that it knows. Pure functions.
#pragma once

#include <string>
#include <string_view>

#include "model/alert.h"
#include "model/alert_rules.h"

namespace weir {

inline constexpr std::string_view kSignatureHeader = "X-Weir-Signature";
inline constexpr std::string_view kAlertIdHeader = "X-Weir-Alert-Id";

std::string alert_json(const Alert& alert);
// Members of alert_json() without the braces, for whoever adds more.
std::string alert_members(const Alert& alert);
// Unique for what is said, not for whom.
std::string message_id(const AlertChange& change);
std::string message_body(AlertTarget::Kind kind, const AlertChange& change);
std::string test_body(AlertTarget::Kind kind, std::string_view target, TimeNs now);
std::string signature(std::string_view secret, std::string_view id, TimeNs now, std::string_view body);

}  // namespace weir
