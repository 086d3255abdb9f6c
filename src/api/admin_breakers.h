// /admin/v1/breakers: the kill switches over HTTP.
//
//   Result<BreakerCall, AdminFault> call = read_breaker_call(method, path, body);
//   Reply reply = run_breaker_call(store, *call, now);     // on the thread that owns the store
//
// Values in, values out. The token has been checked before.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

#include "gateway/reply.h"
#include "model/kill_switch.h"
#include "records/store.h"

namespace weir {

inline constexpr std::string_view kBreakersPath = "/admin/v1/breakers";
inline constexpr std::size_t kMaxBreakerBody = 4096;

struct BreakerCall {
  enum class Verb : std::uint8_t { kList, kShow, kThrow, kClear };
  Verb verb = Verb::kList;
  KillSwitch::Kind kind = KillSwitch::Kind::kKey;
  std::string name, reason;
};

struct AdminFault {
  int status = 400;
  std::string message;
};

std::expected<BreakerCall, AdminFault> read_breaker_call(std::string_view method, std::string_view path,
                                                         std::string_view body);
Reply run_breaker_call(Store& store, const BreakerCall& call, TimeNs now);
Reply admin_fault_reply(const AdminFault& fault);

// {"kind":"tool","name":"send_email","reason":"…","by":"admin","since":"…"}
std::string kill_switch_json(const KillSwitch& off);

// The name that a switch is stored under: a tool's is canonical, others are as they are. Empty: not usable as a name.
std::string kill_switch_name(KillSwitch::Kind kind, std::string_view name);

}  // namespace weir
