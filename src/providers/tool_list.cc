#include "providers/tool_list.h"

#include "providers/request_parts.h"
#include "providers/turns.h"

namespace weir {
namespace {

using simdjson::dom::array;
using simdjson::dom::element;
using simdjson::dom::object;

bool visit_name(const object& from, std::string_view key, const NameVisit& visit) {
  std::string_view name;
  if (from.at_key(key).get_string().get(name) != simdjson::SUCCESS) return false;
  visit(name);
  return true;
}

// {"type":"function","function":{"name"}}, {"type":"custom","custom":{"name"}}, or flat: functions, Responses,
// Anthropic.
void named_tool(const object& tool, const NameVisit& visit) {
  object body;
  for (const std::string_view kind : {"function", "custom"}) {
    if (tool.at_key(kind).get_object().get(body) == simdjson::SUCCESS && visit_name(body, "name", visit)) return;
  }
  const std::string_view type = string_at(tool, "type");
  // A server's tools are called by the provider; in a choice, `name` is one of them.
  if (type != "mcp" && visit_name(tool, "name", visit)) return;
  if (!type.empty() && type != "function" && type != "custom") visit(type);
}

void gemini_tool(const object& tool, const NameVisit& visit) {
  for (auto it = tool.begin(); it != tool.end(); ++it) {
    const std::string_view key = it.key();
    if (key != "functionDeclarations" && key != "function_declarations") {
      visit(key);
      continue;
    }
    each_object(tool, key, [&](const object& function) { visit_name(function, "name", visit); });
  }
}

void gemini_choice(const object& config, const NameVisit& visit) {
  for (const std::string_view key : {"functionCallingConfig", "function_calling_config"}) {
    object calling;
    if (config.at_key(key).get_object().get(calling) != simdjson::SUCCESS) continue;
    for (const std::string_view names : {"allowedFunctionNames", "allowed_function_names"}) {
      array list;
      std::string_view name;
      if (calling.at_key(names).get_array().get(list) != simdjson::SUCCESS) continue;
      for (const element item : list) {
        if (item.get_string().get(name) == simdjson::SUCCESS) visit(name);
      }
    }
  }
}

}  // namespace

void each_declared(Operation operation, const object& tool, const NameVisit& visit) {
  dialect_of(operation) == Dialect::kGemini ? gemini_tool(tool, visit) : named_tool(tool, visit);
}

void each_chosen(Operation operation, const element& choice, const NameVisit& visit) {
  object fields;
  if (choice.get_object().get(fields) != simdjson::SUCCESS) return;
  if (dialect_of(operation) == Dialect::kGemini) return gemini_choice(fields, visit);
  const std::string_view type = string_at(fields, "type");
  if (dialect_of(operation) == Dialect::kAnthropic) {
    if (type == "tool") visit_name(fields, "name", visit);
    return;
  }
  if (type != "allowed_tools") return named_tool(fields, visit);
  object allowed;
  if (fields.at_key("allowed_tools").get_object().get(allowed) != simdjson::SUCCESS) allowed = fields;
  each_object(allowed, "tools", [&](const object& tool) { named_tool(tool, visit); });
}

}  // namespace weir
