#include "providers/prompt_count.h"

#include <simdjson.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string>

#include "providers/request_members.h"
#include "providers/request_parts.h"

namespace weir {
namespace {

using simdjson::dom::array;
using simdjson::dom::element;
using simdjson::dom::object;

// What the cookbook says of a family of models.
struct Rule {
  std::int64_t per_message = kMessageTokens;
  std::int64_t per_name = kNameTokens;
  std::int64_t function_init = 7;
  bool published = false;
};

constexpr std::int64_t kPropertiesInit = 3;
constexpr std::int64_t kPropertyKey = 3;
constexpr std::int64_t kEnumInit = -3;
constexpr std::int64_t kEnumItem = 3;
constexpr std::int64_t kFunctionsEnd = 12;

Rule rule_of(std::string_view model) {
  Rule rule;
  if (model == "gpt-3.5-turbo-0301") return {.per_message = 4, .per_name = -1, .function_init = 10, .published = true};
  rule.published = model.starts_with("gpt-3.5-turbo") || model == "gpt-4" || model.starts_with("gpt-4-") ||
                   model.starts_with("gpt-4o");
  // GPT-4 and GPT-3.5 have a longer head for each function.
  if (rule.published && !model.starts_with("gpt-4o")) rule.function_init = 10;
  return rule;
}

std::string_view without_full_stop(std::string_view text) {
  return text.ends_with('.') ? text.substr(0, text.size() - 1) : text;
}

bool is_container(const element& value) {
  return value.is_object() || value.is_array() || value.is_string();
}

bool is_text(const element& value, std::string_view wanted) {
  std::string_view text;
  return value.get_string().get(text) == simdjson::SUCCESS && text == wanted;
}

class PromptCounter {
 public:
  PromptCounter(std::string_view model, const TokenCount& count) : rule_(rule_of(model)), count_(count) {}

  void text(std::string_view text) { exact_ += count_(text); }
  // Every text, or token id, of an input; other values by their JSON.
  void texts(const element& value);
  void chat(const element& messages);
  void functions(const element& tools);
  // Without a rule of its own.
  void loose(const element& value);
  void loose_messages(const element& messages);
  void loosen() { all_exact_ = false; }
  PromptCount result() const;

 private:
  void message(const object& message);
  void content(const element& content);
  void function(const object& function);
  void parameters(const object& schema);
  void property(std::string_view name, const element& value);

  Rule rule_;
  const TokenCount& count_;
  std::int64_t exact_ = 0;
  std::int64_t loose_ = 0;
  bool all_exact_ = true;
};

PromptCount PromptCounter::result() const {
  const std::int64_t margin = (loose_ * kMarginPercent + 99) / 100;
  return {.tokens = std::max<std::int64_t>(0, exact_ + loose_ + margin), .exact = all_exact_};
}

void PromptCounter::loose(const element& value) {
  all_exact_ = false;
  std::string_view only;
  loose_ += value.get_string().get(only) == simdjson::SUCCESS ? count_(only) : count_(simdjson::minify(value));
}

void PromptCounter::loose_messages(const element& messages) {
  loose(messages);
  array list;
  if (messages.get_array().get(list) == simdjson::SUCCESS) {
    loose_ += static_cast<std::int64_t>(list.size()) * kMarginPerMessage;
  }
}

void PromptCounter::texts(const element& value) {
  std::string_view only;
  if (value.get_string().get(only) == simdjson::SUCCESS) return text(only);
  array list;
  if (value.get_array().get(list) != simdjson::SUCCESS) return loose(value);
  for (const element item : list) {
    if (item.is_int64()) {
      ++exact_;
    } else {
      texts(item);  // one level of token ids: deeper ones were refused
    }
  }
}

void PromptCounter::content(const element& content) {
  std::string_view only;
  if (content.is_null()) return;
  if (content.get_string().get(only) == simdjson::SUCCESS) return text(only);
  array parts;
  if (content.get_array().get(parts) != simdjson::SUCCESS) return loose(content);
  for (const element item : parts) {
    object part;
    std::string_view type, words;
    if (item.get_object().get(part) == simdjson::SUCCESS) type = string_at(part, "type");
    if (is_openai_attachment(type)) {
      // Sized by who reads the request; but the text in a file is text.
      all_exact_ = false;
      loose_ += count_(base64_decoded(text_file_of(part, type)));
    } else if ((type == "text" || type == "refusal") &&
               part.at_key(type).get_string().get(words) == simdjson::SUCCESS) {
      text(words);
      if (type == "refusal") all_exact_ = false;
    } else {
      loose(item);  // some servers read as text what OpenAI would refuse
    }
  }
}

void PromptCounter::message(const object& message) {
  exact_ += rule_.per_message;
  for (auto it = message.begin(); it != message.end(); ++it) {
    const std::string_view key = it.key();
    const element value = it.value();
    std::string_view word;
    if (key == "content") {
      content(value);
    } else if ((key == "role" || key == "name") && value.get_string().get(word) == simdjson::SUCCESS) {
      text(word);
      if (key == "name") exact_ += rule_.per_name;
      if (word == "tool" || word == "function") all_exact_ = false;  // results of calls have no published rule
    } else if (!value.is_null()) {
      loose(value);  // tool_calls, tool_call_id, reasoning …
      loose_ += kMarginPerMessage;
    }
  }
}

void PromptCounter::chat(const element& messages) {
  if (!rule_.published) all_exact_ = false;
  array list;
  if (messages.get_array().get(list) != simdjson::SUCCESS) return loose(messages);
  for (const element item : list) {
    object fields;
    if (item.get_object().get(fields) == simdjson::SUCCESS) {
      message(fields);
    } else {
      loose(item);
    }
  }
  exact_ += kReplyTokens;
}

void PromptCounter::property(std::string_view name, const element& value) {
  exact_ += kPropertyKey;
  object fields;
  if (value.get_object().get(fields) != simdjson::SUCCESS) return loose(value);
  element listed;
  array items;
  if (fields.at_key("enum").get(listed) == simdjson::SUCCESS && listed.get_array().get(items) == simdjson::SUCCESS) {
    exact_ += kEnumInit;
    for (const element item : items) {
      exact_ += kEnumItem;
      std::string_view word;
      item.get_string().get(word) == simdjson::SUCCESS ? text(word) : loose(item);
    }
  }
  if (string_at(fields, "type").empty()) all_exact_ = false;
  std::string line(name);
  line += ':';
  line += string_at(fields, "type");
  line += ':';
  line += without_full_stop(string_at(fields, "description"));
  text(line);
  for (auto it = fields.begin(); it != fields.end(); ++it) {
    const std::string_view key = it.key();
    const bool ruled =
        key == "enum" ? it.value().is_array() : (key == "type" || key == "description") && it.value().is_string();
    if (!ruled) loose(it.value());
  }
}

void PromptCounter::function(const object& function) {
  exact_ += rule_.function_init;
  std::string line(string_at(function, "name"));
  line += ':';
  line += without_full_stop(string_at(function, "description"));
  text(line);
  for (auto it = function.begin(); it != function.end(); ++it) {
    const std::string_view key = it.key();
    object schema;
    if (key == "parameters" && it.value().get_object().get(schema) == simdjson::SUCCESS) {
      parameters(schema);
    } else if ((key == "name" || key == "description") && it.value().is_string()) {
      continue;  // in the line
    } else if (is_container(it.value()) && !(key == "type" && is_text(it.value(), "function"))) {
      loose(it.value());
    }
  }
}

void PromptCounter::parameters(const object& schema) {
  for (auto it = schema.begin(); it != schema.end(); ++it) {
    const std::string_view key = it.key();
    object properties;
    if (key == "properties" && it.value().get_object().get(properties) == simdjson::SUCCESS) {
      if (properties.begin() != properties.end()) exact_ += kPropertiesInit;
      for (auto each = properties.begin(); each != properties.end(); ++each) property(each.key(), each.value());
    } else if (key == "type" && is_text(it.value(), "object")) {
      continue;
    } else if (key == "required" && rule_.published) {
      continue;  // other models' templates write it out
    } else if (key != "additionalProperties" || is_container(it.value())) {
      loose(it.value());  // $defs, anyOf …
    }
  }
}

// {"type":"function","function":{…}}, or flat ones: the legacy `functions`, and those of Responses.
void PromptCounter::functions(const element& tools) {
  array list;
  if (tools.get_array().get(list) != simdjson::SUCCESS) {
    if (!tools.is_null()) loose(tools);
    return;
  }
  if (list.begin() == list.end()) return;
  for (const element item : list) {
    object tool;
    object inner;
    if (item.get_object().get(tool) != simdjson::SUCCESS) {
      loose(item);
    } else if (tool.at_key("function").get_object().get(inner) == simdjson::SUCCESS) {
      function(inner);
      for (auto it = tool.begin(); it != tool.end(); ++it) {
        const bool known = it.key() == "function" || (it.key() == "type" && is_text(it.value(), "function"));
        if (!known && is_container(it.value())) loose(it.value());
      }
    } else if (const std::string_view type = string_at(tool, "type"); type.empty() || type == "function") {
      function(tool);
    } else {
      loose(item);
    }
  }
  exact_ += kFunctionsEnd;
}

// Members of a chat body that change no token: everything else that is no bare number or flag is counted.
bool is_setting(std::string_view key) {
  static constexpr std::array<std::string_view, 14> kSettings = {"model",
                                                                 "stream",
                                                                 "stream_options",
                                                                 "stop",
                                                                 "logit_bias",
                                                                 "user",
                                                                 "safety_identifier",
                                                                 "metadata",
                                                                 "service_tier",
                                                                 "modalities",
                                                                 "audio",
                                                                 "verbosity",
                                                                 "reasoning_effort",
                                                                 "prompt_cache_key"};
  return std::find(kSettings.begin(), kSettings.end(), key) != kSettings.end();
}

void count_chat(PromptCounter& counter, const object& root) {
  for (auto it = root.begin(); it != root.end(); ++it) {
    const std::string_view key = it.key();
    if (key == "messages") {
      counter.chat(it.value());
    } else if (key == "tools" || key == "functions") {
      counter.functions(it.value());
    } else if (!is_setting(key) && is_container(it.value())) {
      // {"tool_choice":"auto"} and the like change nothing.
      if ((key == "tool_choice" || key == "function_call") && it.value().is_string()) continue;
      counter.loose(it.value());
    }
  }
}

// Responses: a text is one message of a user; items as they are written.
void count_response(PromptCounter& counter, const object& root) {
  counter.loosen();
  for (auto it = root.begin(); it != root.end(); ++it) {
    switch (member_of(Operation::kResponses, it.key())) {
      case Member::kItems:
        counter.loose_messages(it.value());
        break;
      case Member::kTools:
        counter.functions(it.value());
        break;
      case Member::kText:
      case Member::kPromptTemplate:
      case Member::kPrompt:
        if (is_container(it.value())) counter.loose(it.value());
        break;
      default:
        break;
    }
  }
}

// Completions and embeddings: their texts alone, unless something stands beside them that may be text too.
void count_texts(PromptCounter& counter, Operation operation, const object& root) {
  for (auto it = root.begin(); it != root.end(); ++it) {
    switch (member_of(operation, it.key())) {
      case Member::kInput:
      case Member::kPrompts:
        counter.texts(it.value());
        break;
      case Member::kText:
      case Member::kPrompt:
        if (is_container(it.value())) counter.loose(it.value());
        break;
      default:
        break;
    }
  }
}

// Other dialects: no public vocabulary, so near enough is all there is.
void count_loosely(PromptCounter& counter, const object& root) {
  counter.loosen();
  for (auto it = root.begin(); it != root.end(); ++it) {
    const std::string_view key = it.key();
    if (key == "messages" || key == "contents") {
      counter.loose_messages(it.value());
    } else if (!is_setting(key) && is_container(it.value())) {
      counter.loose(it.value());
    }
  }
}

}  // namespace

PromptCount count_prompt_with(Operation operation, std::string_view body, std::string_view model,
                              const TokenCount& count) {
  simdjson::dom::parser parser;
  object root;
  if (parser.parse(body.data(), body.size()).get_object().get(root) != simdjson::SUCCESS) return {};
  PromptCounter counter(model, count);
  element value;
  // A text alone, as whoever asks only for a count may send it. In other bodies `text` is a member like others.
  if (operation == Operation::kChatCompletions && root.at_key("messages").get(value) != simdjson::SUCCESS &&
      root.at_key("text").get(value) == simdjson::SUCCESS && value.is_string()) {
    counter.texts(value);
    return counter.result();
  }
  switch (operation) {
    case Operation::kChatCompletions:
      count_chat(counter, root);
      break;
    case Operation::kResponses:
      count_response(counter, root);
      break;
    case Operation::kCompletions:
    case Operation::kEmbeddings:
      count_texts(counter, operation, root);
      break;
    default:
      count_loosely(counter, root);
  }
  return counter.result();
}

}  // namespace weir
