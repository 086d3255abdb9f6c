#include <algorithm>
#include <array>
#include <charconv>

#include "base/enum_words.h"
#include "model/agent.h"
#include "model/consumer.h"
#include "model/usage.h"

namespace weir {
namespace {

constexpr std::array kConsumerKinds = {"agent", "human", "service"};
constexpr std::array kConsumerStatuses = {"active", "revoked"};
constexpr std::array kSettled = {"usage", "counted", "none", "expired"};
constexpr std::array kServiceTiers = {"standard", "flex", "priority", "batch"};
constexpr std::array kAuditEvents = {"refused", "warned", "broken", "stripped", "degraded", "trust", "admin"};

}  // namespace

const char* to_string(ConsumerKind kind) {
  return word_of(kConsumerKinds, kind);
}
const char* to_string(ConsumerStatus status) {
  return word_of(kConsumerStatuses, status);
}
const char* to_string(Settled settled) {
  return word_of(kSettled, settled);
}
const char* to_string(ServiceTier tier) {
  return word_of(kServiceTiers, tier);
}
ServiceTier service_tier_from(std::string_view word) {
  return value_of<ServiceTier>(kServiceTiers, word).value_or(ServiceTier::kStandard);
}
const char* to_string(AuditEvent event) {
  return word_of(kAuditEvents, event);
}
std::optional<AuditEvent> audit_event_from(std::string_view word) {
  return value_of<AuditEvent>(kAuditEvents, word);
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
