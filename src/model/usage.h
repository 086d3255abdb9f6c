// What one provider call really used, in the normal form of all dialects, and the rows kept of requests.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"

namespace weir {

// Tokens. Fields a dialect does not report are 0; every field is 0 to 2^40.
struct Usage {
  std::int64_t input_uncached = 0;
  std::int64_t cache_read = 0;
  std::int64_t cache_write = 0;     // kept for the provider's usual time (five minutes)
  std::int64_t cache_write_1h = 0;  // kept for an hour
  std::int64_t output_visible = 0;
  std::int64_t reasoning = 0;
  std::int64_t audio_in = 0;    // of the input
  std::int64_t audio_out = 0;   // of the output
  std::int64_t tool_units = 0;  // calls of tools that the provider runs and bills itself, such as web searches

  std::int64_t input() const { return input_uncached + cache_read + cache_write + cache_write_1h; }
  std::int64_t output() const { return output_visible + reasoning; }
  std::int64_t total() const { return input() + output(); }
  Usage& operator+=(const Usage& other);
  bool operator==(const Usage&) const = default;
};

// What a provider charges by besides tokens: the value in the answer is the real one, the request's only a wish.
enum class ServiceTier : std::uint8_t { kStandard, kFlex, kPriority, kBatch };
const char* to_string(ServiceTier tier);               // "standard", "flex", "priority", "batch"
ServiceTier service_tier_from(std::string_view word);  // also "default", "auto" … -> kStandard

// How a request's charge came about. kUsage: reported by the provider; kCounted: usage missing or the client left;
// kNone: the provider produced nothing; kExpired: the process died or the deadline passed.
enum class Settled : std::uint8_t { kUsage, kCounted, kNone, kExpired };
const char* to_string(Settled settled);

inline constexpr std::size_t kMaxToolsOfRow = 16;
// The tools of a row as text: "search*2,send_email" is two calls of one and one call of another. Each name stands once;
// commas in names become underscores; of tools beyond kMaxToolsOfRow only the row's `tool_calls` tells.
struct ToolCount {
  std::string name;
  std::int64_t calls = 0;
  bool operator==(const ToolCount&) const = default;
};
void add_tool(std::string& tools, std::string_view name);
std::vector<ToolCount> tool_counts(std::string_view tools);

// One admitted request, as `weir usage` shows it.
struct UsageRow {
  TimeNs time = 0;  // of admission
  std::string request_id;
  std::string key, tenant, user, tier, kind, conversation, run, agent, model, provider, route;
  std::int32_t status = 0;  // HTTP status given to the client; 0 unknown
  Usage usage;
  std::int64_t usd_micros = 0;
  std::int64_t reserved_tokens = 0;
  std::int32_t tool_calls = 0;
  std::string degraded;  // as in X-Weir-Degraded; empty if not
  std::int32_t attempts = 0;
  Settled settled = Settled::kUsage;
  std::string tools;  // that `tool_calls` counts, see add_tool()
  // Its place in its run's tree: its own node, and that of the request whose lineage token it showed; 0: none.
  std::uint32_t node = 0, parent = 0;
  std::int32_t depth = 0;
  bool operator==(const UsageRow&) const = default;
};

enum class AuditEvent : std::uint8_t { kRefused, kWarned, kBroken, kStripped, kDegraded, kTrust, kAdmin };
const char* to_string(AuditEvent event);
std::optional<AuditEvent> audit_event_from(std::string_view word);

// One refusal or other event a reviewer may ask about, as `weir audit` shows it.
struct AuditRow {
  TimeNs time = 0;
  std::string request_id;  // of the first, when count > 1
  std::string key;
  AuditEvent event = AuditEvent::kRefused;
  std::string layer, limit;
  std::string per_json = "{}";
  std::string used, reserved, requested, allowed;  // decimal numbers as shown to the caller; empty = null
  double retry_after_s = -1;                       // negative = null
  std::int64_t count = 1;                          // refusals this row stands for
  std::string evidence;
  std::string config_version;
  std::string user, tool, run, agent;  // where the event knows them
  bool operator==(const AuditRow&) const = default;
};

}  // namespace weir
