// What the simulator wants to know of a request. Lenient where a provider would be strict: it exists to be called.
#include <simdjson.h>

#include <algorithm>
#include <array>
#include <limits>

#include "providers/simulator_plan.h"
#include "providers/simulator_script.h"

namespace weir {
namespace {

using simdjson::dom::array;
using simdjson::dom::element;
using simdjson::dom::object;

constexpr std::int64_t kFlatPartReported = 800;
constexpr std::int64_t kMaxSimulatedChoices = 128;
constexpr BodyBounds kAnyBody{.depth = 1024,
                              .messages = std::numeric_limits<std::size_t>::max(),
                              .tools = std::numeric_limits<std::size_t>::max()};

std::string string_at(const object& from, std::string_view key) {
  std::string_view text;
  return from.at_key(key).get_string().get(text) == simdjson::SUCCESS ? std::string(text) : std::string();
}

bool flag_at(const object& from, std::string_view key, bool otherwise) {
  bool flag = otherwise;
  return from.at_key(key).get_bool().get(flag) == simdjson::SUCCESS ? flag : otherwise;
}

std::int64_t positive_at(const object& from, std::string_view key, std::int64_t otherwise) {
  std::int64_t value = 0;
  const bool found = from.at_key(key).get_int64().get(value) == simdjson::SUCCESS;
  return found && value > 0 ? value : otherwise;
}

object object_at(const object& from, std::string_view key, bool& found) {
  object out;
  found = from.at_key(key).get_object().get(out) == simdjson::SUCCESS;
  return out;
}

// The name in {"function":{"name":…}} or {"name":…}.
std::string tool_name(const object& tool) {
  bool nested = false;
  const object function = object_at(tool, "function", nested);
  return string_at(nested ? function : tool, "name");
}

std::string first_tool(const object& from, const char* key) {
  array tools;
  if (from.at_key(key).get_array().get(tools) != simdjson::SUCCESS) return {};
  for (const element tool : tools) {
    object fields;
    if (tool.get_object().get(fields) != simdjson::SUCCESS) continue;
    if (std::string name = tool_name(fields); !name.empty()) return name;
    if (std::string name = first_tool(fields, "functionDeclarations"); !name.empty()) return name;
  }
  return {};
}

// The tool that `tool_choice` demands; empty if the model may answer in text.
std::string demanded_tool(const object& root) {
  element choice;
  if (root.at_key("tool_choice").get(choice) != simdjson::SUCCESS) return {};
  object named;
  bool any = false;
  std::string_view word;
  if (choice.get_string().get(word) == simdjson::SUCCESS) {
    any = word == "required";
  } else if (choice.get_object().get(named) == simdjson::SUCCESS) {
    if (std::string name = tool_name(named); !name.empty()) return name;
    any = string_at(named, "type") == "any";
  }
  return any ? first_tool(root, "tools") : std::string();
}

// Gemini's way to say the same.
std::string demanded_function(const object& root) {
  bool found = false;
  const object config = object_at(root, "toolConfig", found);
  const object calling = found ? object_at(config, "functionCallingConfig", found) : object();
  if (!found || string_at(calling, "mode") != "ANY") return {};
  array names;
  if (calling.at_key("allowedFunctionNames").get_array().get(names) == simdjson::SUCCESS) {
    for (const element name : names) {
      std::string_view text;
      if (name.get_string().get(text) == simdjson::SUCCESS) return std::string(text);
    }
  }
  return first_tool(root, "tools");
}

std::vector<SimulatedCall> calls_to_announce(Operation operation, const object& root) {
  std::vector<SimulatedCall> calls = scripted_calls(operation, root);
  if (!calls.empty()) return calls;
  std::string tool = dialect_of(operation) == Dialect::kGemini ? demanded_function(root) : demanded_tool(root);
  if (!tool.empty()) calls.push_back({.name = std::move(tool)});
  return calls;
}

// Bytes of strings, but not of images and files; token ids count as four.
std::int64_t text_bytes(const element& value) {
  std::string_view text;
  if (value.get_string().get(text) == simdjson::SUCCESS) return static_cast<std::int64_t>(text.size());
  if (value.is_int64()) return 4;
  std::int64_t sum = 0;
  array list;
  if (value.get_array().get(list) == simdjson::SUCCESS) {
    for (const element item : list) sum += text_bytes(item);
  }
  object fields;
  if (value.get_object().get(fields) == simdjson::SUCCESS) {
    for (auto it = fields.begin(); it != fields.end(); ++it) {
      static constexpr std::array<std::string_view, 6> kNotText{"data",      "images",    "url",
                                                                "image_url", "file_data", "fileUri"};
      if (std::find(kNotText.begin(), kNotText.end(), it.key()) == kNotText.end()) sum += text_bytes(it.value());
    }
  }
  return sum;
}

std::int64_t prompt_tokens(const object& root) {
  std::int64_t bytes = 0;
  for (const char* key : {"messages", "system", "tools", "input", "instructions", "prompt", "suffix", "contents",
                          "systemInstruction", "generateContentRequest"}) {
    element value;
    if (root.at_key(key).get(value) == simdjson::SUCCESS) bytes += text_bytes(value);
  }
  return std::max<std::int64_t>(1, bytes / 4);
}

// Chat and messages are read as strictly as any request.
std::expected<SimulatedRequest, RequestFault> from_facts(Operation operation, std::string_view body) {
  const auto facts = read_request(operation, body, kAnyBody);
  if (!facts) return std::unexpected(facts.error());
  SimulatedRequest request;
  request.model = facts->model;
  request.stream = facts->stream;
  request.include_usage = facts->wants_stream_usage;
  request.cap = facts->output_cap.value_or(request.cap);
  request.choices = facts->choices;
  request.input_tokens =
      std::max<std::int64_t>(1, facts->text_bytes / 4 + facts->flat_parts * kFlatPartReported + facts->token_ids);
  simdjson::dom::parser parser;
  object root;
  if (facts->tools > 0 && request.cap > 0 &&
      parser.parse(body.data(), body.size()).get_object().get(root) == simdjson::SUCCESS) {
    request.calls = calls_to_announce(operation, root);
  }
  return request;
}

void read_dialect(Operation operation, const object& root, SimulatedRequest& request) {
  bool found = false;
  switch (operation) {
    case Operation::kResponses:
      request.stream = flag_at(root, "stream", false);
      request.cap = positive_at(root, "max_output_tokens", request.cap);
      request.calls = calls_to_announce(operation, root);
      break;
    case Operation::kCompletions: {
      request.stream = flag_at(root, "stream", false);
      request.cap = positive_at(root, "max_tokens", request.cap);
      request.choices = positive_at(root, "n", 1);
      const object options = object_at(root, "stream_options", found);
      request.include_usage = found && flag_at(options, "include_usage", false);
      break;
    }
    case Operation::kGenerate:
    case Operation::kStreamGenerate: {
      request.stream = operation == Operation::kStreamGenerate;
      request.calls = calls_to_announce(operation, root);
      const object config = object_at(root, "generationConfig", found);
      if (!found) break;
      request.cap = positive_at(config, "maxOutputTokens", request.cap);
      request.choices = positive_at(config, "candidateCount", 1);
      break;
    }
    case Operation::kOllamaChat:
    case Operation::kOllamaGenerate: {
      request.stream = flag_at(root, "stream", true);
      if (operation == Operation::kOllamaChat) request.calls = scripted_calls(operation, root);
      const object options = object_at(root, "options", found);
      if (found) request.cap = positive_at(options, "num_predict", request.cap);
      break;
    }
    default:
      break;
  }
}

}  // namespace

std::expected<SimulatedRequest, RequestFault> read_simulated_request(Operation operation, std::string_view body,
                                                                     std::string_view path_model) {
  if (operation == Operation::kChatCompletions || operation == Operation::kMessages) {
    return from_facts(operation, body);
  }
  simdjson::dom::parser parser;
  object root;
  if (parser.parse(body.data(), body.size()).get_object().get(root) != simdjson::SUCCESS) {
    return std::unexpected(RequestFault{.message = "The body must be a JSON object.", .param = {}});
  }
  SimulatedRequest request;
  request.model = path_model.empty() ? string_at(root, "model") : std::string(path_model);
  if (request.model.empty()) {
    return std::unexpected(RequestFault{.message = "`model` is missing; name the model to call.", .param = "model"});
  }
  read_dialect(operation, root, request);
  request.choices = std::min(request.choices, kMaxSimulatedChoices);
  request.input_tokens = prompt_tokens(root);
  return request;
}

}  // namespace weir
