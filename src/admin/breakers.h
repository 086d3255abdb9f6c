// /admin/v1/breakers: the kill switches over HTTP.
#pragma once

#include <string>
#include <string_view>

#include "admin/router.h"
#include "model/kill_switch.h"

namespace weir {

inline constexpr std::string_view kBreakersPath = "/admin/v1/breakers";

// {"kind":"tool","name":"send_email","reason":"…","by":"admin","since":"…"}
std::string kill_switch_json(const KillSwitch& off);

// The name that a switch is stored under: a tool's is canonical, others are as they are. Empty: not usable as a name.
std::string kill_switch_name(KillSwitch::Kind kind, std::string_view name);

}  // namespace weir
