// Takes calls out of a whole JSON answer.
#include <simdjson.h>

#include "providers/call_reader.h"
#include "providers/json_view.h"
#include "providers/tool_calls.h"

namespace weir {
namespace {

using Reader = std::optional<CallView> (*)(const simdjson::dom::object&);

class CallCutter {
 public:
  CallCutter(std::string_view body, const std::vector<bool>& cut) : body_(body), cut_(cut) {}

  void chat(const JsonView& root) {
    for (const JsonView& choice : root["choices"].objects()) {
      const JsonView message = choice["message"];
      if (!message.is_object() || !chat_message(message)) continue;
      correct(choice["finish_reason"], {"tool_calls", "function_call"}, "\"stop\"");
      const JsonView content = message["content"];
      if (content.is_null() && !message.says_more_than({"role", "tool_calls", "function_call"})) {
        edits_.replace(content.range(), "\"\"");
      }
    }
  }

  void messages(const JsonView& root) {
    if (list(root, "content", anthropic_call, /*keeps_empty=*/true)) {
      correct(root["stop_reason"], {"tool_use"}, "\"end_turn\"");
    }
  }

  void responses(const JsonView& root) { list(root, "output", responses_call, /*keeps_empty=*/true); }

  void gemini(const JsonView& root) {
    for (const JsonView& candidate : root["candidates"].objects()) {
      const JsonView content = candidate["content"];
      if (content.is_object()) list(content, "parts", gemini_call, /*keeps_empty=*/true);
    }
  }

  void ollama(const JsonView& root) {
    const JsonView message = root["message"];
    if (message.is_object() && chat_message(message)) correct(root["done_reason"], {"tool_calls"}, "\"stop\"");
  }

  std::string apply() { return edits_.empty() ? std::string(body_) : edits_.apply(body_); }

 private:
  struct Member {
    bool any_cut = false, any_left = false, erased = false;
  };

  bool goes() {
    const std::size_t at = next_++;
    return at >= cut_.size() || cut_[at];
  }

  static bool is_call(const JsonView& value, Reader reader) {
    simdjson::dom::parser parser;
    simdjson::dom::object fields;
    const std::string_view json = value.raw();
    return parser.parse(json.data(), json.size()).get_object().get(fields) == simdjson::SUCCESS &&
           reader(fields).has_value();
  }

  // Cuts the calls among the elements of one member. It goes when nothing is left of it, unless an empty list stays.
  Member cut_member(const JsonView& parent, std::string_view name, Reader reader, bool keeps_empty, bool may_erase) {
    Member result;
    const auto member = find_member(body_, parent.range(), {name});
    if (!member) return result;
    const JsonView value(body_, member->value);
    const std::vector<JsonView> elements = value.is_object() ? value.objects() : value.elements();
    std::vector<bool> gone;
    bool any = false;
    for (const JsonView& element : elements) {
      const bool call = element.is_object() && is_call(element, reader);
      const bool out = call && goes();
      gone.push_back(out);
      result.any_cut |= out;
      result.any_left |= call && !out;
      any |= !out;
    }
    if (!result.any_cut) return result;
    if (value.is_array() && (any || keeps_empty)) {
      erase_elements(elements, gone, edits_);
    } else if (may_erase) {
      edits_.erase(member->erased);
      result.erased = true;
    } else {
      edits_.replace(member->value, "null");
    }
    return result;
  }

  // True if calls were cut and none is left. So are the others.
  bool list(const JsonView& parent, std::string_view name, Reader reader, bool keeps_empty) {
    const Member member = cut_member(parent, name, reader, keeps_empty, true);
    return member.any_cut && !member.any_left;
  }

  bool chat_message(const JsonView& message) {
    const Member calls = cut_member(message, "tool_calls", chat_call, false, true);
    // Two neighbours that go would both take the comma between them.
    const Member older = cut_member(message, "function_call", function_call, false, !calls.erased);
    return (calls.any_cut || older.any_cut) && !calls.any_left && !older.any_left;
  }

  void correct(const JsonView& reason, std::initializer_list<std::string_view> from, const char* to) {
    const std::string now = reason.string();
    for (const std::string_view word : from) {
      if (now == word) edits_.replace(reason.range(), to);
    }
  }

  std::string_view body_;
  const std::vector<bool>& cut_;
  TextEdits edits_;
  std::size_t next_ = 0;
};

}  // namespace

std::string without_calls(Operation operation, std::string_view body, const std::vector<bool>& cut) {
  if (!is_json_object(body)) return std::string(body);
  CallCutter cutter(body, cut);
  const JsonView root(body);
  switch (operation) {
    case Operation::kChatCompletions:
      cutter.chat(root);
      break;
    case Operation::kResponses:
      cutter.responses(root);
      break;
    case Operation::kMessages:
      cutter.messages(root);
      break;
    case Operation::kGenerate:
    case Operation::kStreamGenerate:
      cutter.gemini(root);
      break;
    case Operation::kOllamaChat:
      cutter.ollama(root);
      break;
    default:
      break;  // no tools
  }
  return cutter.apply();
}

}  // namespace weir
