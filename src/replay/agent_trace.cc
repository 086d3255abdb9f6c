#include "replay/agent_trace.h"

#include <array>

#include "replay/agent_trace_format.h"
#include "replay/json_lines.h"

namespace weir {
namespace {

enum class Format : std::uint8_t { kOther, kEvents, kTranscripts };

// By the members of the first line. Of a damaged one what is there counts: the reader then says what is wrong.
Format format_of(std::string_view text) {
  JsonLines lines(text, "", kMaxTranscriptBytes);
  const auto found = lines.next();
  if (!found || !*found || !trim(lines.text()).starts_with('{')) return Format::kOther;
  bool trace = false, event = false, messages = false;
  const auto note = [&](std::string_view name) {
    trace |= name == "trace";
    event |= name == "step" || name == "kind";
    messages |= name == "messages";
  };
  const auto read = lines.each_field([&](std::string_view name, simdjson::ondemand::value) -> Result<void> {
    note(name);
    return {};
  });
  if (!read) {
    for (const std::string_view name : {"trace", "step", "kind", "messages"}) {
      if (lines.text().find("\"" + std::string(name) + "\"") != std::string_view::npos) note(name);
    }
  }
  if (!trace) return Format::kOther;
  return messages ? Format::kTranscripts : event ? Format::kEvents : Format::kOther;
}

}  // namespace

Result<bool> take_name(const Place& place, std::string_view name, simdjson::ondemand::value value, AgentNames& names) {
  static constexpr std::array<std::pair<std::string_view, std::string AgentNames::*>, 6> kNames = {{
      {"agent", &AgentNames::agent},
      {"task", &AgentNames::task},
      {"key", &AgentNames::key},
      {"tenant", &AgentNames::tenant},
      {"conversation", &AgentNames::conversation},
      {"model", &AgentNames::model},
  }};
  for (const auto& [known, member] : kNames) {
    if (name != known) continue;
    if (bool absent = false; !value.is_null().get(absent) && absent) return true;
    std::string_view text;
    if (value.get_string().get(text)) return place.fault("`" + std::string(name) + "` is not a string");
    if (auto checked = checked_name(place, name, text); !checked) return std::unexpected(checked.error());
    if ((names.*member).empty()) names.*member = text;
    return true;
  }
  return false;
}

bool complete(const AgentNames& names) {
  return !names.agent.empty() && !names.task.empty() && !names.key.empty() && !names.tenant.empty() &&
         !names.conversation.empty() && !names.model.empty();
}

Result<void> TracesSeen::add(const Place& place, std::string_view trace) {
  if (!seen_.insert(hash64(trace)).second) {
    return place.fault("trace `" + std::string(trace) +
                       "` comes back after it had ended; put the events of a trace together");
  }
  if (seen_.size() > kMaxTraces) {
    return place.fault("is the " + std::to_string(seen_.size()) + "th trace of the file; cut it in parts");
  }
  return {};
}

bool is_agent_trace(std::string_view text) {
  return format_of(text) != Format::kOther;
}

Result<std::unique_ptr<AgentTrace>> open_agent_trace(std::string_view text, std::string file) {
  switch (format_of(text)) {
    case Format::kEvents:
      return open_agent_events(text, std::move(file));
    case Format::kTranscripts:
      return open_transcripts(text, std::move(file));
    case Format::kOther:
      break;
  }
  return Place{file, 1}.fault(
      "is no agent trace; expected events (JSON Lines with trace, step, kind) or transcripts (trace, messages)");
}

}  // namespace weir
