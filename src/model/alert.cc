#include "model/alert.h"

#include <fmt/format.h>

#include "base/hash.h"

namespace weir {

std::int64_t alert_id(std::string_view rule, std::string_view subject, TimeNs since) {
  const std::uint64_t who = hash_pair(hash64(rule), hash64(subject));
  const std::uint64_t all = hash_pair(who, static_cast<std::uint64_t>(since) | 1);
  return static_cast<std::int64_t>(all >> 1 | 1);
}

std::string hex_id(std::int64_t id) {
  return fmt::format("{:016x}", static_cast<std::uint64_t>(id));
}

const char* to_string(AlertChange::What what) {
  return what == AlertChange::What::kResolved ? "resolved" : what == AlertChange::What::kAgain ? "again" : "firing";
}

}  // namespace weir
