// prompt_text: what the agent was told to do.
#include <simdjson.h>

#include "providers/request_parts.h"
#include "providers/tool_calls.h"
#include "providers/turns.h"

namespace weir {
namespace {

using simdjson::dom::array;
using simdjson::dom::element;
using simdjson::dom::object;

constexpr std::size_t kSharedParser = 256 << 10;

class Words {
 public:
  explicit Words(Operation operation) : operation_(operation) {}

  void body(const object& root) {
    for (auto it = root.begin(); it != root.end(); ++it) member(it.key(), it.value());
  }
  std::string take() { return std::move(text_); }

 private:
  void member(std::string_view key, const element& value);
  void add(std::string_view text) {
    if (text.empty()) return;
    if (!text_.empty()) text_ += '\n';
    text_ += text;
  }
  void content(const element& value);
  void strings(const element& value);
  void message(const object& message);

  Operation operation_;
  std::string text_;
};

// A text, or parts with `text`; parts that bring results of tools have none of their own.
void Words::content(const element& value) {
  std::string_view text;
  if (value.get_string().get(text) == simdjson::SUCCESS) return add(text);
  object fields;
  if (value.get_object().get(fields) == simdjson::SUCCESS) return add(string_at(fields, "text"));
  array parts;
  if (value.get_array().get(parts) != simdjson::SUCCESS) return;
  for (const element part : parts) {
    if (part.get_string().get(text) == simdjson::SUCCESS) {
      add(text);
    } else if (part.get_object().get(fields) == simdjson::SUCCESS) {
      add(string_at(fields, "text"));
    }
  }
}

// The values of an object: variables of a prompt template.
void Words::strings(const element& value) {
  object fields;
  if (value.get_object().get(fields) != simdjson::SUCCESS) return;
  for (auto it = fields.begin(); it != fields.end(); ++it) content(it.value());
}

void Words::message(const object& message) {
  const Speaker speaker = speaker_of(operation_, message);
  const std::string_view role = string_at(message, "role");
  // A user's words may stand beside results of tools.
  const bool users = speaker == Speaker::kTool && (role == "user" || role.empty()) &&
                     dialect_of(operation_) != Dialect::kOpenAi && dialect_of(operation_) != Dialect::kOllama;
  if (speaker != Speaker::kSystem && speaker != Speaker::kUser && !users) return;
  for (const std::string_view key : {"content", "parts"}) {
    element value;
    if (message.at_key(key).get(value) == simdjson::SUCCESS) content(value);
  }
}

void Words::member(std::string_view key, const element& value) {
  const bool is_list =
      key == "messages" || key == "contents" || (key == "input" && operation_ == Operation::kResponses);
  if (is_list && !value.is_string()) {
    each_object(value, [this](const object& each) { message(each); });
  } else if (key == "systemInstruction" || key == "system_instruction") {
    object fields;
    if (value.get_object().get(fields) != simdjson::SUCCESS) return;
    element parts;
    if (fields.at_key("parts").get(parts) == simdjson::SUCCESS) content(parts);
  } else if (key == "prompt" && value.is_object()) {
    element variables;
    if (value.at_key("variables").get(variables) == simdjson::SUCCESS) strings(variables);
  } else if (is_list || key == "prompt" || key == "system" || key == "instructions") {
    content(value);
  }
}

}  // namespace

std::string prompt_text(Operation operation, std::string_view body) {
  if (!generates(operation)) return {};
  const auto read = [&](simdjson::dom::parser& parser) {
    Words words(operation);
    object root;
    if (parser.parse(body.data(), body.size(), /*realloc_if_needed=*/true).get_object().get(root) ==
        simdjson::SUCCESS) {
      words.body(root);
    }
    return words.take();
  };
  if (body.size() > kSharedParser) {
    simdjson::dom::parser parser;
    return read(parser);
  }
  thread_local simdjson::dom::parser parser;
  return read(parser);
}

}  // namespace weir
