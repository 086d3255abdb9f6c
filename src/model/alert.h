// An alert: that a rule holds for a subject, from when to when; and the messages that tell of it. Values.
//
//   const Alert alert{.id = alert_id("budget-80", "limit spend of key ann", now), .rule = "budget-80", …};
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/time.h"

namespace weir {

struct Alert {
  std::int64_t id = 0;  // positive; shown as 16 hexadecimal digits
  std::string rule, subject;
  TimeNs since = 0, until = 0;      // until 0: firing
  TimeNs told_at = 0;               // when it was last said
  double value = 0, threshold = 0;  // in the rule's unit: percent, dollars, tokens, requests, times
  std::string cause;                // of a spike: loop, injection, provider, outgrown_tier, unknown
  std::string sentence;
  bool firing() const { return until == 0; }
};

std::int64_t alert_id(std::string_view rule, std::string_view subject, TimeNs since);

std::string hex_id(std::int64_t id);  // 16 digits: how alerts are shown, and how ids of messages begin

struct AlertChange {
  enum class What : std::uint8_t { kBegan, kAgain, kResolved };
  What what = What::kBegan;
  Alert alert;
};
const char* to_string(AlertChange::What what);

// One message to one target.
struct AlertMessage {
  std::string id;  // unique: a second one of the same id is the same message
  std::int64_t alert = 0;
  std::string rule;  // of the alert
  std::string target, body;
  TimeNs created_at = 0;
  std::int64_t tries = 0;
  TimeNs next_at = 0;  // when it is tried next
  TimeNs done_at = 0;  // 0: waiting
  std::string result;  // of the last try: "200", or what went wrong
};

}  // namespace weir
