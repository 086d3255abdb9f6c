// Transcripts: a run per line. Request k is all messages before the k-th assistant's, which is the provider's answer.
// Both are put together as bodies and read by the dialect's own code, so that a replay sees what a gateway would.
#include <deque>
#include <set>

#include "base/json_writer.h"
#include "behavior/destinations.h"
#include "providers/request.h"
#include "providers/tool_calls.h"
#include "replay/agent_trace_format.h"
#include "replay/json_lines.h"
#include "tokens/estimate.h"

namespace weir {
namespace {

constexpr Operation kOperation = Operation::kChatCompletions;
constexpr std::string_view kNoModel = "unknown";  // a request has to name one

struct Message {
  std::string_view json;  // as it came
  bool assistant = false, tool = false;
};

class Transcripts final : public AgentTrace {
 public:
  Transcripts(std::string_view text, std::string file) : lines_(text, std::move(file), kMaxTranscriptBytes) {}

  Result<bool> next(AgentEvent& event) override {
    while (calls_.empty() && at_ >= messages_.size()) {
      const auto found = lines_.next();
      if (!found) return std::unexpected(found.error());
      if (!*found) return false;
      if (auto begun = begin_run(); !begun) return std::unexpected(begun.error());
    }
    event = {};
    event.line = lines_.line();
    event.trace = trace_;
    event.names = &names_;
    event.begins = step_ == 0;
    event.step = step_++;
    if (!calls_.empty()) {
      event.kind = AgentEvent::Kind::kToolCall;
      event.call = std::move(calls_.front());
      event.destination = classify(event.call.arguments, prompt_);
      calls_.pop_front();
    } else if (messages_[at_].tool) {
      event.kind = AgentEvent::Kind::kToolResult;
      event.in_next_request = true;
      add_to_history(messages_[at_++]);
    } else if (auto called = call_model(event); !called) {
      return std::unexpected(called.error());
    }
    skip_to_event();
    return true;
  }

 private:
  Result<void> begin_run() {
    trace_.clear();
    names_ = {};
    messages_.clear();
    history_.clear();
    at_ = 0;
    step_ = 0;
    bool has_messages = false;
    const auto read = lines_.each_field([&](std::string_view name, simdjson::ondemand::value value) -> Result<void> {
      auto named = take_name(lines_.place(), name, value, names_);
      if (!named) return std::unexpected(named.error());
      if (*named) return {};
      if (name == "trace") {
        std::string_view text;
        if (value.get_string().get(text)) return lines_.fault("`trace` is not a string");
        trace_ = text;
        return checked_name(lines_.place(), name, text);
      }
      if (name != "messages") return {};
      has_messages = true;
      return take_messages(value);
    });
    if (!read) return read;
    if (trace_.empty()) return lines_.fault("has no `trace`");
    if (!has_messages) return lines_.fault("has no `messages`");
    if (auto added = traces_.add(lines_.place(), trace_); !added) return added;
    if (auto sorted = sort_messages(); !sorted) return sorted;
    declare_tools();
    skip_to_event();
    return {};
  }

  Result<void> take_messages(simdjson::ondemand::value value) {
    simdjson::ondemand::array array;
    if (value.get_array().get(array)) return lines_.fault("`messages` is not a list");
    for (auto element : array) {
      simdjson::ondemand::object message;
      std::string_view json;
      if (element.get_object().get(message) || message.raw_json().get(json)) {
        return lines_.fault("`messages` holds what is not a JSON object");
      }
      messages_.push_back({.json = json});
    }
    return {};
  }

  Result<void> sort_messages() {
    std::size_t turns = 0;
    for (std::size_t i = 0; i < messages_.size(); ++i) {
      Message& message = messages_[i];
      message_json_.assign(message.json);
      message_json_.append(simdjson::SIMDJSON_PADDING, ' ');
      simdjson::ondemand::document document;
      std::string_view role;
      const simdjson::padded_string_view padded(message_json_.data(), message.json.size(), message_json_.size());
      if (parser_.iterate(padded).get(document) || document["role"].get_string().get(role)) {
        return lines_.fault("message " + std::to_string(i + 1) + " has no `role`");
      }
      message.assistant = role == "assistant";
      message.tool = role == "tool";
      turns += message.assistant ? 1 : 0;
    }
    if (turns > kMaxTranscriptTurns) {
      return lines_.fault("has " + std::to_string(turns) + " answers of the model; at most 1000 are replayed");
    }
    return {};
  }

  // Which tools the requests declared is not recorded: those that the run used.
  void declare_tools() {
    std::set<std::string> names;
    for (const Message& message : messages_) {
      if (!message.assistant) continue;
      for (ToolCall& call : announced_calls(kOperation, answer(message.json))) names.insert(std::move(call.name));
    }
    tools_.clear();
    if (names.empty()) return;
    JsonWriter w(tools_);
    w.begin_array();
    for (const std::string& name : names) {
      w.begin_object().key("type").string("function").key("function").begin_object();
      w.key("name").string(name).end_object().end_object();
    }
    w.end_array();
  }

  std::string answer(std::string_view message) const {
    std::string out;
    JsonWriter w(out);
    w.begin_object().key("object").string("chat.completion").key("choices").begin_array();
    w.begin_object().key("index").number(0).key("message").raw(message).end_object().end_array().end_object();
    return out;
  }

  std::string request() const {
    std::string out;
    JsonWriter w(out);
    w.begin_object().key("model").string(names_.model.empty() ? kNoModel : std::string_view(names_.model));
    if (!tools_.empty()) w.key("tools").raw(tools_);
    std::string list = "[";
    list.append(history_).append("]");
    w.key("messages").raw(list).end_object();
    return out;
  }

  Result<void> call_model(AgentEvent& event) {
    const Message& message = messages_[at_];
    const std::string body = request();
    auto facts = read_request(kOperation, body, {}, {});
    if (!facts) {
      return lines_.fault("the request before message " + std::to_string(at_ + 1) +
                          " is none: " + facts.error().message);
    }
    facts_ = std::move(*facts);
    prompt_ = prompt_text(kOperation, body);
    for (ToolCall& call : announced_calls(kOperation, answer(message.json))) calls_.push_back(std::move(call));
    event.kind = AgentEvent::Kind::kModelCall;
    event.facts = &facts_.agent;
    event.input_tokens = estimate_output_tokens(facts_.text_bytes);
    event.output_tokens = estimate_output_tokens(static_cast<std::int64_t>(message.json.size()));
    event.finished = calls_.empty();
    add_to_history(message);
    ++at_;
    return {};
  }

  void add_to_history(const Message& message) {
    if (!history_.empty()) history_ += ',';
    history_ += message.json;
  }

  // What users and systems say is part of the next request, not an event by itself.
  void skip_to_event() {
    if (!calls_.empty()) return;
    for (; at_ < messages_.size() && !messages_[at_].assistant && !messages_[at_].tool; ++at_) {
      add_to_history(messages_[at_]);
    }
  }

  JsonLines lines_;
  TracesSeen traces_;
  simdjson::ondemand::parser parser_;
  std::string message_json_;

  // The present run.
  std::string trace_, tools_, history_;
  AgentNames names_;
  std::vector<Message> messages_;
  std::size_t at_ = 0;  // message
  std::int64_t step_ = 0;
  RequestFacts facts_;
  std::string prompt_;
  std::deque<ToolCall> calls_;  // announced, not told yet
};

}  // namespace

std::unique_ptr<AgentTrace> open_transcripts(std::string_view text, std::string file) {
  return std::make_unique<Transcripts>(text, std::move(file));
}

}  // namespace weir
