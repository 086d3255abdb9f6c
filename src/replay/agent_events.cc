// Agent events, one per line. `t` is seconds since its trace began.
#include <algorithm>
#include <cmath>

#include "base/hash.h"
#include "replay/agent_trace_format.h"
#include "replay/json_lines.h"

namespace weir {
namespace {

using Value = simdjson::ondemand::value;

constexpr std::size_t kMaxOpenCalls = kMaxCallsInTurn;  // without a result yet, per trace; older ones are forgotten

// A line as it stands; views until the next line.
struct Fields {
  std::string_view trace, kind, tool;
  std::string_view args_hash, result_hash;  // null data: not given
  std::optional<std::int64_t> step;
  std::optional<DurationNs> time;
  std::int64_t input_tokens = 0, output_tokens = 0, calls = 0;
  bool error = false;
  Destination destination = Destination::kNone;
};

bool is_null(Value& value) {
  bool null = false;
  return !value.is_null().get(null) && null;
}

class Events final : public AgentTrace {
 public:
  Events(std::string_view text, std::string file) : lines_(text, std::move(file), kMaxRowBytes) {}

  Result<bool> next(AgentEvent& event) override {
    const auto found = lines_.next();
    if (!found) return std::unexpected(found.error());
    if (!*found) return false;
    Fields fields;
    AgentNames names;
    if (auto read = read_line(lines_, fields, names); !read) return std::unexpected(read.error());
    event = {};
    event.line = lines_.line();
    if (fields.trace.empty()) return lines_.fault("has no `trace`");
    if (!fields.step) return lines_.fault("has no `step`");
    if (fields.trace != trace_ || !in_trace_) {
      if (auto begun = begin(fields.trace, std::move(names)); !begun) return std::unexpected(begun.error());
      event.begins = true;
    }
    event.trace = trace_;
    event.names = &names_;
    event.step = *fields.step;
    event.time = fields.time;
    if (fields.time) {
      if (*fields.time < latest_) return lines_.fault("`t` is earlier than in an event before of the same trace");
      latest_ = *fields.time;
    }
    if (auto filled = fill(fields, event); !filled) return std::unexpected(filled.error());
    return true;
  }

 private:
  Result<void> read_line(JsonLines& lines, Fields& fields, AgentNames& names) {
    return lines.each_field([&](std::string_view name, Value value) -> Result<void> {
      auto named = take_name(lines.place(), name, value, names);
      if (!named) return std::unexpected(named.error());
      return *named ? Result<void>() : take(lines, name, value, fields);
    });
  }

  // The names that its later events carry hold from the beginning, so they are looked for ahead.
  Result<void> begin(std::string_view trace, AgentNames names) {
    trace_ = trace;
    in_trace_ = true;
    names_ = std::move(names);
    latest_ = 0;
    open_.clear();
    if (auto added = traces_.add(lines_.place(), trace_); !added) return added;
    if (complete(names_)) return {};
    JsonLines ahead = lines_.ahead();
    while (!complete(names_)) {
      const auto found = ahead.next();
      Fields fields;
      AgentNames more = names_;
      // What is wrong there is said when its turn comes.
      if (!found || !*found || !read_line(ahead, fields, more) || fields.trace != trace_) break;
      names_ = std::move(more);
    }
    return {};
  }

  Result<void> fill(const Fields& fields, AgentEvent& event) {
    if (fields.kind == "llm_call") {
      event.kind = AgentEvent::Kind::kModelCall;
      event.input_tokens = fields.input_tokens;
      event.output_tokens = fields.output_tokens;
      event.finished = fields.calls == 0;
      return {};
    }
    const bool call = fields.kind == "tool_call";
    if (!call && fields.kind != "tool_result") {
      return lines_.fault(fields.kind.empty() ? std::string("has no `kind`")
                                              : "`kind` is `" + std::string(fields.kind) +
                                                    "`; expected llm_call, tool_call or tool_result");
    }
    if (fields.tool.empty()) return lines_.fault("has no `tool`");
    const std::string tool = canonical_tool_name(fields.tool);
    if (tool.empty()) return lines_.fault("`tool` is not usable as a name: control characters, or over 256 bytes");
    // What is not told is never taken for the same as anything else.
    const std::uint64_t alone = hash64(std::to_string(event.line), hash64("line"));
    if (call) {
      event.kind = AgentEvent::Kind::kToolCall;
      event.call.id = trace_ + ":" + std::to_string(event.line);
      if (event.call.id.size() > kMaxCallId) event.call.id.clear();
      event.call.name = tool;
      event.call.signature =
          hash_pair(hash64(tool), fields.args_hash.data() == nullptr ? alone : hash64(fields.args_hash));
      event.destination = fields.destination;
      remember(tool, event.call.id);
      return {};
    }
    event.kind = AgentEvent::Kind::kToolResult;
    event.result = {.call_id = answered(tool),
                    .name = tool,
                    .error = fields.error,
                    .content = fields.result_hash.data() == nullptr ? alone : hash64(fields.result_hash)};
    return {};
  }

  // A result answers the oldest open call of its tool: the format has no ids.
  void remember(const std::string& tool, const std::string& id) {
    if (open_.size() >= kMaxOpenCalls) open_.erase(open_.begin());
    open_.emplace_back(tool, id);
  }
  std::string answered(std::string_view tool) {
    const auto found = std::find_if(open_.begin(), open_.end(), [&](const auto& call) { return call.first == tool; });
    if (found == open_.end()) return {};
    std::string id = std::move(found->second);
    open_.erase(found);
    return id;
  }

  static Result<void> take(const JsonLines& lines, std::string_view name, Value value, Fields& fields) {
    if (name == "trace" || name == "kind" || name == "tool" || name == "args_hash" || name == "result_hash") {
      return take_text(lines, name, value, fields);
    }
    if (name == "step") {
      std::int64_t step = 0;
      if (value.get_int64().get(step) || step < 0) return lines.fault("`step` is not a whole number from 0");
      fields.step = step;
      return {};
    }
    if (is_null(value)) return {};
    if (name == "t") return take_time(lines, value, fields);
    if (name == "in_tok") return take_count(lines, name, value, fields.input_tokens, kMaxRowTokens);
    if (name == "out_tok") return take_count(lines, name, value, fields.output_tokens, kMaxRowOutput);
    if (name == "tool_calls") return take_count(lines, name, value, fields.calls, kMaxRowTokens);
    if (name == "error") return take_flag(lines, name, value, fields.error);
    if (name == "dest_new") {
      bool outside = false;
      if (auto taken = take_flag(lines, name, value, outside); !taken) return taken;
      fields.destination = outside ? Destination::kOutside : Destination::kKnown;
    }
    return {};
  }

  static Result<void> take_text(const JsonLines& lines, std::string_view name, Value value, Fields& fields) {
    const bool hash = name == "args_hash" || name == "result_hash";
    if ((hash || name == "tool") && is_null(value)) return {};
    std::string_view text;
    if (value.get_string().get(text)) return lines.fault("`" + std::string(name) + "` is not a string");
    if (name == "tool") {
      fields.tool = text;  // canonical_tool_name() judges it
      return {};
    }
    if (auto checked = checked_name(lines.place(), name, text); !checked) return checked;
    (name == "trace"       ? fields.trace
     : name == "kind"      ? fields.kind
     : name == "args_hash" ? fields.args_hash
                           : fields.result_hash) = text;
    return {};
  }

  static Result<void> take_time(const JsonLines& lines, Value value, Fields& fields) {
    double seconds = 0;
    if (value.get_double().get(seconds) || !std::isfinite(seconds) || seconds < 0 ||
        seconds > static_cast<double>(kMaxTraceTime) / 1e9) {
      return lines.fault("`t` is not seconds since the trace began, from 0 to ten years");
    }
    fields.time = std::llround(seconds * 1e9);
    return {};
  }

  static Result<void> take_count(const JsonLines& lines, std::string_view name, Value value, std::int64_t& out,
                                 std::int64_t most) {
    if (value.get_int64().get(out)) {
      return lines.fault("`" + std::string(name) + "` is not a whole number, or too large");
    }
    return checked_tokens(lines.place(), name, out, most);
  }

  static Result<void> take_flag(const JsonLines& lines, std::string_view name, Value value, bool& out) {
    std::int64_t number = 0;
    if (!value.get_bool().get(out)) return {};
    if (value.get_int64().get(number) || number < 0 || number > 1) {
      return lines.fault("`" + std::string(name) + "` is neither 0 nor 1");
    }
    out = number == 1;
    return {};
  }

  JsonLines lines_;
  TracesSeen traces_;
  bool in_trace_ = false;
  std::string trace_;
  AgentNames names_;
  DurationNs latest_ = 0;
  std::vector<std::pair<std::string, std::string>> open_;  // calls: tool, id
};

}  // namespace

std::unique_ptr<AgentTrace> open_agent_events(std::string_view text, std::string file) {
  return std::make_unique<Events>(text, std::move(file));
}

}  // namespace weir
