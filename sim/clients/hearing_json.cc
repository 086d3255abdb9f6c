#include "clients/hearing_json.h"

#include <simdjson.h>

#include <cmath>

namespace weir::sim::client {
namespace {

using simdjson::SUCCESS;
using simdjson::dom::array;
using simdjson::dom::element;
using simdjson::dom::object;

std::string text_of(const object& from, std::string_view key) {
  std::string_view out;
  return from.at_key(key).get_string().get(out) == SUCCESS ? std::string(out) : std::string();
}

bool flag_of(const object& from, std::string_view key) {
  bool out = false;
  return from.at_key(key).get_bool().get(out) == SUCCESS && out;
}

bool child(const object& from, std::string_view key, object& out) {
  return from.at_key(key).get_object().get(out) == SUCCESS;
}

bool present(const object& from, std::string_view key) {
  element value;
  return from.at_key(key).get(value) == SUCCESS && !value.is_null();
}

std::int64_t amount(const object& from, std::string_view key, bool dollars) {
  double out = 0;
  if (from.at_key(key).get_double().get(out) != SUCCESS) return 0;
  return std::llround(dollars ? out * 1e6 : out);
}

bool machine_part(const object& root, object& out) {
  object inner, data;
  if (child(root, "weir", out)) return true;
  if (child(root, "error", inner)) {
    if (child(inner, "weir", out)) return true;
    return child(inner, "data", data) && child(data, "weir", out);
  }
  return child(root, "result", inner) && child(inner, "structuredContent", data) && child(data, "weir", out);
}

void hear_refusal(const object& root, Heard& heard) {
  object part;
  if (!machine_part(root, part)) return;
  RefusalSeen seen;
  seen.limit = text_of(part, "limit");
  seen.layer = text_of(part, "layer");
  seen.meter = text_of(part, "meter");
  seen.window = text_of(part, "window");
  const bool dollars = seen.meter == "usd";
  seen.allowed = amount(part, "allowed", dollars);
  seen.used = amount(part, "used", dollars);
  seen.reserved = amount(part, "reserved", dollars);
  seen.requested = amount(part, "requested", dollars);
  double wait = 0;
  if (part.at_key("retry_after").get_double().get(wait) == SUCCESS) {
    seen.retry_after_ms = static_cast<std::int64_t>(std::ceil(wait * 1000));
  }
  array also;
  if (part.at_key("also").get_array().get(also) == SUCCESS) {
    for (const element name : also) {
      if (name.is_string()) seen.also.emplace_back(name.get_string().value_unsafe());
    }
  }
  heard.refusal = std::move(seen);
}

ToolCall& call_at(Heard& heard, std::size_t index) {
  constexpr std::size_t kMaxCalls = 256;
  if (heard.calls.size() <= index) heard.calls.resize(std::min(index, kMaxCalls - 1) + 1);
  return heard.calls[std::min(index, kMaxCalls - 1)];
}

void chat_calls(const object& message, Heard& heard) {
  array calls;
  if (message.at_key("tool_calls").get_array().get(calls) != SUCCESS) return;
  std::size_t place = 0;
  for (const element item : calls) {
    object fields, function;
    if (item.get_object().get(fields) != SUCCESS) continue;
    std::uint64_t index = 0;
    if (fields.at_key("index").get_uint64().get(index) != SUCCESS) index = place;
    ++place;
    ToolCall& call = call_at(heard, index);
    if (std::string id = text_of(fields, "id"); !id.empty()) call.id = std::move(id);
    if (!child(fields, "function", function)) continue;
    call.name += text_of(function, "name");
    call.arguments += text_of(function, "arguments");
  }
}

Piece hear_chat(const object& root, Heard& heard) {
  Piece out;
  heard.answer_id = text_of(root, "id");
  array choices;
  if (root.at_key("choices").get_array().get(choices) != SUCCESS) return out;
  for (const element item : choices) {
    object choice, message;
    if (item.get_object().get(choice) != SUCCESS) continue;
    out.text += text_of(choice, "text");
    if (!child(choice, "delta", message) && !child(choice, "message", message)) continue;
    out.text += text_of(message, "content");
    chat_calls(message, heard);
  }
  return out;
}

void response_call(const object& item, Heard& heard) {
  if (text_of(item, "type") != "function_call" || text_of(item, "status") == "in_progress") return;
  heard.calls.push_back(
      {.id = text_of(item, "call_id"), .name = text_of(item, "name"), .arguments = text_of(item, "arguments")});
}

Piece hear_response(const object& root, Heard& heard) {
  Piece out;
  const std::string type = text_of(root, "type");
  object item, response;
  if (type == "response.output_text.delta") out.text = text_of(root, "delta");
  if (type == "response.output_item.done" && child(root, "item", item)) response_call(item, heard);
  if (child(root, "response", response)) heard.answer_id = text_of(response, "id");
  out.finished = type == "response.completed" || type == "response.incomplete";
  out.error = type == "response.failed" || type == "error";
  if (text_of(root, "object") != "response") return out;
  heard.answer_id = text_of(root, "id");
  array output;
  if (root.at_key("output").get_array().get(output) != SUCCESS) return out;
  for (const element entry : output) {
    array content;
    if (entry.get_object().get(item) != SUCCESS) continue;
    response_call(item, heard);
    if (item.at_key("content").get_array().get(content) != SUCCESS) continue;
    for (const element part : content) {
      if (part.get_object().get(response) == SUCCESS) out.text += text_of(response, "text");
    }
  }
  return out;
}

void message_block(const object& block, Piece& out, Heard& heard) {
  out.text += text_of(block, "text");
  if (text_of(block, "type") != "tool_use") return;
  ToolCall call{.id = text_of(block, "id"), .name = text_of(block, "name"), .arguments = {}};
  object input;
  if (child(block, "input", input) && input.size() != 0) call.arguments = simdjson::minify(input);
  heard.calls.push_back(std::move(call));
}

Piece hear_message(const object& root, Heard& heard) {
  Piece out;
  const std::string type = text_of(root, "type");
  object part;
  out.finished = type == "message_stop";
  out.error = type == "error";
  if (type == "message_start" && child(root, "message", part)) heard.answer_id = text_of(part, "id");
  if (type == "content_block_start" && child(root, "content_block", part)) message_block(part, out, heard);
  if (type == "content_block_delta" && child(root, "delta", part)) {
    out.text += text_of(part, "text");
    if (!heard.calls.empty()) heard.calls.back().arguments += text_of(part, "partial_json");
  }
  array content;
  if (type != "message" || root.at_key("content").get_array().get(content) != SUCCESS) return out;
  heard.answer_id = text_of(root, "id");
  for (const element block : content) {
    if (block.get_object().get(part) == SUCCESS) message_block(part, out, heard);
  }
  return out;
}

Piece hear_gemini(const object& root, Heard& heard) {
  Piece out;
  heard.answer_id = text_of(root, "responseId");
  array candidates, parts;
  if (root.at_key("candidates").get_array().get(candidates) != SUCCESS) return out;
  for (const element item : candidates) {
    object candidate, content, part, function, arguments;
    if (item.get_object().get(candidate) != SUCCESS) continue;
    out.finished |= present(candidate, "finishReason");
    if (!child(candidate, "content", content) || content.at_key("parts").get_array().get(parts) != SUCCESS) continue;
    for (const element entry : parts) {
      if (entry.get_object().get(part) != SUCCESS) continue;
      out.text += text_of(part, "text");
      if (!child(part, "functionCall", function)) continue;
      ToolCall call{.id = text_of(function, "id"), .name = text_of(function, "name"), .arguments = {}};
      if (child(function, "args", arguments)) call.arguments = simdjson::minify(arguments);
      heard.calls.push_back(std::move(call));
    }
  }
  return out;
}

Piece hear_ollama(const object& root, Heard& heard) {
  Piece out;
  out.finished = flag_of(root, "done");
  out.text = text_of(root, "response");
  object message;
  if (!child(root, "message", message)) return out;
  out.text += text_of(message, "content");
  array calls;
  if (message.at_key("tool_calls").get_array().get(calls) != SUCCESS) return out;
  for (const element item : calls) {
    object fields, function, arguments;
    if (item.get_object().get(fields) != SUCCESS || !child(fields, "function", function)) continue;
    ToolCall call{.id = text_of(fields, "id"), .name = text_of(function, "name"), .arguments = {}};
    if (child(function, "arguments", arguments)) call.arguments = simdjson::minify(arguments);
    heard.calls.push_back(std::move(call));
  }
  return out;
}

Piece hear_mcp(const object& root) {
  Piece out;
  object result;
  array content;
  out.finished = present(root, "id") && (present(root, "result") || present(root, "error"));
  if (!child(root, "result", result)) return out;
  if (result.at_key("content").get_array().get(content) != SUCCESS) return out;
  for (const element item : content) {
    object part;
    if (item.get_object().get(part) == SUCCESS) out.text += text_of(part, "text");
  }
  return out;
}

}  // namespace

Piece hear_object(Operation operation, std::string_view json, Heard& heard) {
  simdjson::dom::parser parser;
  object root;
  if (parser.parse(json.data(), json.size()).get_object().get(root) != SUCCESS) return {};
  hear_refusal(root, heard);
  Piece out;
  switch (operation) {
    case Operation::kResponses:
      out = hear_response(root, heard);
      break;
    case Operation::kMessages:
      out = hear_message(root, heard);
      break;
    case Operation::kGenerateContent:
      out = hear_gemini(root, heard);
      break;
    case Operation::kOllamaChat:
    case Operation::kOllamaGenerate:
    case Operation::kOllamaEmbed:
      out = hear_ollama(root, heard);
      break;
    case Operation::kMcp:
      out = hear_mcp(root);
      break;
    default:
      out = hear_chat(root, heard);
  }
  out.error |= present(root, "error");
  return out;
}

}  // namespace weir::sim::client
