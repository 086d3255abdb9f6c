// Who is calling: one API key and what is known of it.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "base/time.h"

namespace weir {

enum class ConsumerKind : std::uint8_t { kAgent, kHuman, kService };
enum class ConsumerStatus : std::uint8_t { kActive, kRevoked };

const char* to_string(ConsumerKind kind);
const char* to_string(ConsumerStatus status);

// A value; shared between workers as shared_ptr<const Consumer>.
struct Consumer {
  std::int64_t id = 0;  // row id; never reused
  std::string name;     // unique, shown in refusals, ledger and audit
  std::string tenant;   // may be empty
  std::string user;     // the key's own user; may be empty
  std::string tier;     // empty: the policy's default_tier
  ConsumerKind kind = ConsumerKind::kAgent;
  ConsumerStatus status = ConsumerStatus::kActive;
  std::string metadata_json = "{}";             // free JSON object as stored
  std::map<std::string, std::string> metadata;  // every scalar of it, flattened: "plan.seats" -> "5"
  TimeNs created_at = 0;
};

}  // namespace weir
