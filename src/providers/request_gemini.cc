// What only Gemini's endpoints take. Members have two spellings, camelCase and snake_case, as protobuf JSON has them;
// a list of one may stand without its brackets.
#include <fmt/format.h>

#include "providers/request_reader.h"
#include "providers/tool_list.h"

namespace weir {

RequestReader::Found RequestReader::either(std::string_view parent, const object& from, std::string_view camel,
                                           std::string_view snake, element& out) {
  element other;
  const bool first = from.at_key(camel).get(out) == simdjson::SUCCESS;
  const bool second = from.at_key(snake).get(other) == simdjson::SUCCESS;
  if (first && second) {
    refuse(fmt::format("`{}.{}` is given twice, in both spellings; send it once.", parent, camel),
           fmt::format("{}.{}", parent, snake));
    return Found::kRefused;
  }
  if (second) out = other;
  return (first || second) && !out.is_null() ? Found::kYes : Found::kNo;
}

bool RequestReader::contents(const element& value) {
  object content;
  if (value.is_object()) {
    if (!message_of("contents", value, content)) return false;
    parts_.turn(content);
    return true;
  }
  simdjson::dom::array list;
  if (value.get_array().get(list) != simdjson::SUCCESS) {
    return refuse("`contents` must be an array of contents, each with `role` and `parts`.", "contents");
  }
  for (const element item : list) {
    if (!message_of("contents", item, content)) return false;
    parts_.turn(content);
  }
  return true;
}

bool RequestReader::system_instruction(std::string_view key, const element& value) {
  if (value.is_null()) return true;
  object content;
  if (!object_of(key, value, content)) return false;
  parts_.turn(content);
  return true;
}

bool RequestReader::generation_config(std::string_view key, const element& value) {
  if (value.is_null()) return true;
  object config;
  if (!object_of(key, value, config)) return false;
  element member;
  Found found = either("generationConfig", config, "maxOutputTokens", "max_output_tokens", member);
  if (found == Found::kRefused) return false;
  if (found == Found::kYes && !cap("generationConfig.maxOutputTokens", member)) return false;
  found = either("generationConfig", config, "candidateCount", "candidate_count", member);
  if (found == Found::kRefused) return false;
  if (found == Found::kYes && !choices("generationConfig.candidateCount", member)) return false;
  found = either("generationConfig", config, "thinkingConfig", "thinking_config", member);
  if (found == Found::kRefused) return false;
  if (found == Found::kYes && !thinking_config(member)) return false;
  // The model reads the shape its answer must have.
  for (const std::string_view schema :
       {"responseSchema", "response_schema", "responseJsonSchema", "response_json_schema"}) {
    JsonMeasure measure;
    if (config.at_key(schema).get(member) != simdjson::SUCCESS) continue;
    if (!audit_.walk(member, 3, measure)) return refuse_flaw(schema);
    facts_.text_bytes += measure.text + measure.scalars;
  }
  return true;
}

// 0: off; -1: as the model sees fit.
bool RequestReader::thinking_config(const element& value) {
  object config;
  if (!object_of("generationConfig.thinkingConfig", value, config)) return false;
  element budget;
  const Found found = either("generationConfig.thinkingConfig", config, "thinkingBudget", "thinking_budget", budget);
  if (found != Found::kYes) return found == Found::kNo;
  std::int64_t tokens = 0;
  if (!integer("generationConfig.thinkingConfig.thinkingBudget", budget, -1, kMaxTokens, tokens)) return false;
  if (tokens >= 0) facts_.thinking_budget = tokens;
  return true;
}

bool RequestReader::gemini_tools(const element& value) {
  if (value.is_null()) return true;
  const auto add = [this](const element& tool) {
    object fields;
    if (tool.get_object().get(fields) != simdjson::SUCCESS) {
      return refuse("Each of `tools` must be an object.", fmt::format("tools[{}]", facts_.tools));
    }
    if (fields.size() > kMaxToolMembers) {
      return refuse(
          fmt::format("Each of `tools` may have at most {} members; send more tools with fewer.", kMaxToolMembers),
          fmt::format("tools[{}]", facts_.tools));
    }
    element declared;
    const Found found = either("tools", fields, "functionDeclarations", "function_declarations", declared);
    if (found == Found::kRefused) return false;
    simdjson::dom::array functions;
    if (found == Found::kYes && declared.get_array().get(functions) != simdjson::SUCCESS && !declared.is_object()) {
      return refuse("`tools.functionDeclarations` must be an array.", "tools.functionDeclarations");
    }
    facts_.tools += found == Found::kYes && declared.is_array() ? functions.size() : 1;
    return facts_.tools <= bounds_.tools ||
           refuse(fmt::format("`tools` has more than {} entries; send fewer tools.", bounds_.tools), "tools");
  };
  if (value.is_object()) return add(value);
  simdjson::dom::array list;
  if (value.get_array().get(list) != simdjson::SUCCESS) return refuse("`tools` must be an array.", "tools");
  if (list.size() > bounds_.tools) {
    return refuse(fmt::format("`tools` has more than {} entries; send fewer tools.", bounds_.tools), "tools");
  }
  for (const element tool : list) {
    if (!add(tool)) return false;
  }
  return true;
}

// countTokens may wrap a whole request of generateContent.
bool RequestReader::generate_content_request(std::string_view key, const element& value) {
  if (value.is_null()) return true;
  object request;
  if (!object_of(key, value, request)) return false;
  for (auto it = request.begin(); it != request.end(); ++it) {
    if (member_of(operation_, it.key()) == Member::kGenerateContentRequest) {
      return refuse("`generateContentRequest` stands inside itself; send it once.", std::string(key));
    }
    if (!member(it.key(), it.value())) return false;
  }
  return true;
}

}  // namespace weir
