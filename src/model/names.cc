#include <algorithm>
#include <charconv>

#include "model/agent.h"
#include "model/consumer.h"
#include "model/usage.h"

namespace weir {

const char* to_string(ConsumerKind kind) {
  switch (kind) {
    case ConsumerKind::kAgent:
      return "agent";
    case ConsumerKind::kHuman:
      return "human";
    case ConsumerKind::kService:
      return "service";
  }
  return "";  // every name is above
}

const char* to_string(ConsumerStatus status) {
  switch (status) {
    case ConsumerStatus::kActive:
      return "active";
    case ConsumerStatus::kRevoked:
      return "revoked";
  }
  return "";  // every name is above
}

const char* to_string(Settled settled) {
  switch (settled) {
    case Settled::kUsage:
      return "usage";
    case Settled::kCounted:
      return "counted";
    case Settled::kNone:
      return "none";
    case Settled::kExpired:
      return "expired";
  }
  return "";  // every name is above
}

Usage& Usage::operator+=(const Usage& other) {
  input_uncached += other.input_uncached;
  cache_read += other.cache_read;
  cache_write += other.cache_write;
  cache_write_1h += other.cache_write_1h;
  output_visible += other.output_visible;
  reasoning += other.reasoning;
  audio_in += other.audio_in;
  audio_out += other.audio_out;
  tool_units += other.tool_units;
  return *this;
}

const char* to_string(ServiceTier tier) {
  switch (tier) {
    case ServiceTier::kStandard:
      return "standard";
    case ServiceTier::kFlex:
      return "flex";
    case ServiceTier::kPriority:
      return "priority";
    case ServiceTier::kBatch:
      return "batch";
  }
  return "";  // every name is above
}

ServiceTier service_tier_from(std::string_view word) {
  for (const ServiceTier tier : {ServiceTier::kFlex, ServiceTier::kPriority, ServiceTier::kBatch}) {
    if (word == to_string(tier)) return tier;
  }
  return ServiceTier::kStandard;
}

const char* to_string(AuditEvent event) {
  switch (event) {
    case AuditEvent::kRefused:
      return "refused";
    case AuditEvent::kWarned:
      return "warned";
    case AuditEvent::kBroken:
      return "broken";
    case AuditEvent::kStripped:
      return "stripped";
    case AuditEvent::kDegraded:
      return "degraded";
    case AuditEvent::kTrust:
      return "trust";
    case AuditEvent::kAdmin:
      return "admin";
  }
  return "";  // every name is above
}

std::optional<AuditEvent> audit_event_from(std::string_view word) {
  using enum AuditEvent;
  for (const AuditEvent event : {kRefused, kWarned, kBroken, kStripped, kDegraded, kTrust, kAdmin}) {
    if (word == to_string(event)) return event;
  }
  return std::nullopt;
}

std::vector<ToolCount> tool_counts(std::string_view tools) {
  std::vector<ToolCount> counts;
  while (!tools.empty() && counts.size() < kMaxToolsOfRow) {
    const std::string_view entry = tools.substr(0, tools.find(','));
    tools.remove_prefix(std::min(entry.size() + 1, tools.size()));
    const std::size_t star = entry.rfind('*');
    std::int64_t calls = 0;
    const char* const end = entry.data() + entry.size();
    if (star != std::string_view::npos) {
      const auto [stop, error] = std::from_chars(entry.data() + star + 1, end, calls);
      if (error != std::errc() || stop != end) calls = 0;
    }
    counts.push_back(calls > 0 ? ToolCount{std::string(entry.substr(0, star)), calls}
                               : ToolCount{std::string(entry), 1});
  }
  return counts;
}

void add_tool(std::string& tools, std::string_view name) {
  std::string plain(name.substr(0, kMaxToolName));
  std::replace(plain.begin(), plain.end(), ',', '_');
  std::vector<ToolCount> counts = tool_counts(tools);
  const auto known =
      std::find_if(counts.begin(), counts.end(), [&](const ToolCount& each) { return each.name == plain; });
  if (known != counts.end()) {
    ++known->calls;
  } else if (counts.size() < kMaxToolsOfRow && !plain.empty()) {
    counts.push_back({std::move(plain), 1});
  }
  tools.clear();
  for (const ToolCount& each : counts) {
    if (!tools.empty()) tools += ',';
    tools += each.name;
    // A name that could be read as one with a count gets its count.
    if (each.calls > 1 || each.name.find('*') != std::string::npos) tools += '*' + std::to_string(each.calls);
  }
}

}  // namespace weir
