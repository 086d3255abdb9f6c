#include "providers/question.h"

#include <simdjson.h>

#include <algorithm>
#include <array>

#include "truth.h"
#include "words.h"

namespace weir::sim::provider {
namespace {

using simdjson::SUCCESS;
using simdjson::dom::array;
using simdjson::dom::element;
using simdjson::dom::object;

std::string text_of(const object& from, std::string_view key) {
  std::string_view out;
  return from.at_key(key).get_string().get(out) == SUCCESS ? std::string(out) : std::string();
}

std::int64_t number_of(const object& from, std::string_view key) {
  std::int64_t out = 0;
  return from.at_key(key).get_int64().get(out) == SUCCESS ? out : 0;
}

bool flag_of(const object& from, std::string_view key, bool otherwise) {
  bool out = otherwise;
  return from.at_key(key).get_bool().get(out) == SUCCESS ? out : otherwise;
}

Operation operation_of(Dialect dialect, std::string_view path, bool& stream) {
  const auto ends = [&](std::string_view tail) { return path.ends_with(tail); };
  switch (dialect) {
    case Dialect::kOpenAi:
      if (ends("/chat/completions")) return Operation::kChat;
      if (ends("/responses")) return Operation::kResponses;
      if (ends("/completions")) return Operation::kCompletions;
      return ends("/embeddings") ? Operation::kEmbeddings : Operation::kUnknown;
    case Dialect::kAnthropic:
      return ends("/messages") ? Operation::kMessages : Operation::kUnknown;
    case Dialect::kGemini:
      stream = ends(":streamGenerateContent");
      return stream || ends(":generateContent") ? Operation::kGenerateContent : Operation::kUnknown;
    case Dialect::kOllama:
      if (ends("/api/chat")) return Operation::kOllamaChat;
      if (ends("/api/generate")) return Operation::kOllamaGenerate;
      return ends("/api/embed") ? Operation::kOllamaEmbed : Operation::kUnknown;
    case Dialect::kMcp:
      return Operation::kMcp;
    case Dialect::kHttp:
      return Operation::kHttp;
  }
  return Operation::kUnknown;
}

void declared_tools(const object& root, std::vector<std::string>& out) {
  array list;
  if (root.at_key("tools").get_array().get(list) != SUCCESS) return;
  for (const element item : list) {
    object tool, function;
    array functions;
    if (item.get_object().get(tool) != SUCCESS) continue;
    if (tool.at_key("functionDeclarations").get_array().get(functions) == SUCCESS) {
      for (const element declared : functions) {
        if (declared.get_object().get(function) == SUCCESS) out.push_back(text_of(function, "name"));
      }
    } else if (tool.at_key("function").get_object().get(function) == SUCCESS) {
      out.push_back(text_of(function, "name"));
    } else {
      out.push_back(text_of(tool, "name"));
    }
  }
}

// The last message, item or part list, as JSON; a plain prompt as it is.
std::string last_words(const object& root) {
  for (const std::string_view key : {"messages", "input", "contents", "prompt"}) {
    element value;
    if (root.at_key(key).get(value) != SUCCESS) continue;
    array list;
    if (value.get_array().get(list) != SUCCESS) return simdjson::minify(value);
    element last;
    for (const element item : list) last = item;
    return list.size() == 0 ? std::string() : std::string(simdjson::minify(last));
  }
  return {};
}

void asked_calls(const std::string& text, Question& out) {
  static constexpr std::string_view kMark = "[[call ";
  for (std::size_t at = text.find(kMark); at != std::string::npos; at = text.find(kMark, at + 1)) {
    const std::size_t name = at + kMark.size();
    const std::size_t space = text.find(' ', name), end = text.find("]]", name);
    if (space == std::string::npos || end == std::string::npos || space > end) continue;
    ToolCall call{.id = {},
                  .name = text.substr(name, space - name),
                  .arguments = R"({"q":)" + json_string(text.substr(space + 1, end - space - 1)) + "}"};
    if (std::ranges::find(out.tools, call.name) != out.tools.end()) out.asked.push_back(std::move(call));
  }
}

std::int64_t cap_of(const object& root) {
  for (const std::string_view key : {"max_completion_tokens", "max_output_tokens", "max_tokens"}) {
    if (const std::int64_t cap = number_of(root, key); cap > 0) return cap;
  }
  object options;
  if (root.at_key("options").get_object().get(options) == SUCCESS) return number_of(options, "num_predict");
  if (root.at_key("generationConfig").get_object().get(options) == SUCCESS) {
    return number_of(options, "maxOutputTokens");
  }
  return 0;
}

void read_model_request(const object& root, const std::string& body, Question& out) {
  if (out.operation != Operation::kGenerateContent) {
    const bool ollama = out.operation == Operation::kOllamaChat || out.operation == Operation::kOllamaGenerate;
    out.model = text_of(root, "model");
    out.stream = flag_of(root, "stream", ollama);
  }
  if (out.operation == Operation::kChat || out.operation == Operation::kCompletions) {
    object options;
    out.wants_usage =
        root.at_key("stream_options").get_object().get(options) == SUCCESS && flag_of(options, "include_usage", false);
  }
  out.cap = cap_of(root);
  out.prompt_tokens = prompt_tokens(body);
  declared_tools(root, out.tools);
  asked_calls(last_words(root), out);
}

// Of one message of a batch, or of the only one.
void read_rpc(const element& message, Question& out) {
  object root, params;
  if (message.get_object().get(root) != SUCCESS) return;
  element id;
  if (root.at_key("id").get(id) == SUCCESS) out.rpc_id = simdjson::minify(id);
  out.rpc_method = text_of(root, "method");
  if (root.at_key("params").get_object().get(params) == SUCCESS) out.tool = text_of(params, "name");
}

void read_mcp(const element& root, const HttpHead& head, Question& out) {
  array list;
  if (root.get_array().get(list) == SUCCESS) {
    for (const element message : list) {
      out.rpc_id.clear();
      read_rpc(message, out);
      if (!out.rpc_id.empty()) out.batch.push_back(out.rpc_id);
    }
  } else {
    read_rpc(root, out);
  }
  out.session = head.find("mcp-session-id");
  out.events_wanted = head.find("accept").find("text/event-stream") != std::string_view::npos;
}

// The newest number wins: a history holds those of earlier turns.
std::uint64_t ask_of_request(const HttpHead& head, const std::string& body) {
  if (const std::string_view named = head.find("x-ask"); !named.empty()) return ask_number(named);
  const std::size_t in_body = body.rfind("ask:");
  if (in_body != std::string::npos) return ask_number(std::string_view(body).substr(in_body));
  return ask_number(head.target);
}

}  // namespace

bool dialect_from(std::string_view word, Dialect& out) {
  static constexpr std::array<std::pair<std::string_view, Dialect>, 6> kNames = {{{"openai", Dialect::kOpenAi},
                                                                                  {"anthropic", Dialect::kAnthropic},
                                                                                  {"gemini", Dialect::kGemini},
                                                                                  {"ollama", Dialect::kOllama},
                                                                                  {"mcp", Dialect::kMcp},
                                                                                  {"http", Dialect::kHttp}}};
  for (const auto& [name, dialect] : kNames) {
    if (name != word) continue;
    out = dialect;
    return true;
  }
  return false;
}

Question read_question(Dialect dialect, const HttpHead& head, const std::string& body) {
  Question out;
  const std::string_view target = head.target;
  const std::string_view path = target.substr(0, target.find('?'));
  out.operation = operation_of(dialect, path, out.stream);
  out.method = head.method;
  out.target = head.target;
  out.ask = ask_of_request(head, body);
  if (out.operation == Operation::kGenerateContent) {
    const std::size_t at = path.rfind("/models/");
    const std::size_t begin = at == std::string_view::npos ? 0 : at + 8;
    out.model = path.substr(begin, path.rfind(':') - begin);
    out.json_array = out.stream && target.find("alt=sse") == std::string_view::npos;
  }
  if (out.operation == Operation::kHttp || out.operation == Operation::kUnknown) return out;
  if (body.empty()) {
    out.valid = dialect == Dialect::kMcp && head.method != "POST";
    out.session = head.find("mcp-session-id");
    return out;
  }
  simdjson::dom::parser parser;
  element root;
  object members;
  if (parser.parse(body).get(root) != SUCCESS) {
    out.valid = false;
  } else if (dialect == Dialect::kMcp) {
    read_mcp(root, head, out);
  } else if (root.get_object().get(members) == SUCCESS) {
    read_model_request(members, body, out);
  } else {
    out.valid = false;
  }
  return out;
}

}  // namespace weir::sim::provider
