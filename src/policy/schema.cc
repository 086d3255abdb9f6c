#include <set>

#include "base/json_writer.h"
#include "policy/keys.h"
#include "policy/policy.h"

namespace weir {
namespace {

// Any value may be written as a text that reads the environment, so numbers and choices allow "${…}" too.
constexpr std::string_view kVariable = R"({"type":"string","pattern":"\\$\\{"})";

std::string any_of(std::initializer_list<std::string_view> schemas) {
  std::string out = R"({"anyOf":[)";
  for (const std::string_view schema : schemas) out.append(out.back() == '[' ? "" : ",").append(schema);
  return out + "]}";
}

std::string reference(std::string_view section) {
  std::string name(section);
  for (char& c : name) c = c == ' ' ? '_' : c;
  return R"({"$ref":"#/$defs/)" + name + "\"}";
}

std::string choices(std::string_view detail) {
  std::string list = R"({"enum":[)";
  while (!detail.empty()) {
    const std::size_t bar = detail.find('|');
    list.append(list.back() == '[' ? "\"" : ",\"").append(detail.substr(0, bar)).append("\"");
    detail.remove_prefix(bar == std::string_view::npos ? detail.size() : bar + 1);
  }
  return any_of({list + "]}", kVariable});
}

std::string pattern(std::string_view expression) {
  std::string out = R"({"type":"string","pattern":)";
  append_json_string(out, expression);
  return out + "}";
}

std::string duration() {
  return any_of({pattern("^[0-9]+(ms|s|m|h|d)$"), kVariable});
}
std::string integer() {
  return any_of({R"({"type":"integer","minimum":0})", pattern("^[0-9]+$"), kVariable});
}

std::string amounts() {
  constexpr std::string_view kOne = R"({"type":["string","integer","number"]})";
  return any_of({kOne, R"({"type":"array","items":{"type":["string","integer","number"]},"minItems":1,"maxItems":8})"});
}

std::string match() {
  const std::string value = R"({"type":["string","number","boolean"]})";
  const std::string list = R"({"type":"array","minItems":1,"items":)" + value + "}";
  const std::string values = any_of({value, list});
  const std::string negated =
      R"({"type":"object","required":["not"],"additionalProperties":false,"properties":{"not":)" + values + "}}";
  return R"({"type":"object","additionalProperties":)" + any_of({value, list, negated}) + "}";
}

std::string on_exceed(std::string_view words) {
  const std::string map =
      R"({"type":"object","required":["queue"],"additionalProperties":false,"properties":{"queue":)" + duration() +
      "}}";
  return any_of({choices(words), pattern("^queue: *[0-9]+(ms|s|m)$"), map});
}

std::string value_schema(const KeySpec& spec) {
  switch (spec.type) {
    case ValueType::kText:
    case ValueType::kZone:
      return R"({"type":["string","number","boolean"]})";
    case ValueType::kName:
      return any_of({pattern("^[a-z0-9._-]{1,64}$"), kVariable});
    case ValueType::kUrl:
      return any_of({pattern("^https?://"), kVariable});
    case ValueType::kEndpoint:
      return any_of({pattern(":[0-9]+$"), kVariable});
    case ValueType::kPath:
      return any_of({pattern("^/"), kVariable});
    case ValueType::kInteger:
      return integer();
    case ValueType::kFraction:
      return any_of({R"({"type":"number"})", R"({"type":"string"})"});
    case ValueType::kBoolean:
      return any_of({R"({"type":"boolean"})", pattern("^(true|false)$"), kVariable});
    case ValueType::kDuration:
      return duration();
    case ValueType::kBytes:
      return any_of({R"({"type":"integer","minimum":0})", pattern("^[0-9]+[kMG]?$"), kVariable});
    case ValueType::kUsdPerMillion:
      return any_of({R"({"type":"number","minimum":0})", R"({"type":"string"})"});
    case ValueType::kChoice:
      return choices(spec.detail);
    case ValueType::kSection:
      return reference(spec.detail);
    case ValueType::kSectionMap:
      return R"({"type":"object","additionalProperties":)" + reference(spec.detail) + "}";
    case ValueType::kSectionList:
      return R"({"type":"array","items":)" + reference(spec.detail) + "}";
    case ValueType::kTextList:
      return R"({"type":"array","items":{"type":"string"}})";
    case ValueType::kTextMap:
      return R"({"type":"object","minProperties":1,"additionalProperties":{"type":"string"}})";
    case ValueType::kPercent:
      return any_of({pattern("^[0-9]+%$"), kVariable});
    case ValueType::kRetryWhen:
      return R"({"type":"array","minItems":1,"items":{"enum":["connect","429","502","503","504",429,502,503,504]}})";
    case ValueType::kOutputRange:
      return any_of({integer(), pattern(R"(^[0-9]+\.\.[0-9]+$)")});
    case ValueType::kPrice:
      return any_of({R"({"type":["number","string"]})", reference("price")});
    case ValueType::kAllow:
      return any_of({amounts(), R"({"type":"object","minProperties":1,"additionalProperties":)" + amounts() + "}"});
    case ValueType::kMeter:
      return any_of(
          {R"({"type":"string"})", R"({"type":"object","minProperties":1,"additionalProperties":)" + integer() + "}"});
    case ValueType::kMatch:
      return match();
    case ValueType::kPer:
      return any_of(
          {R"({"type":"string"})", R"({"type":"array","items":{"type":"string"},"minItems":1,"maxItems":8})"});
    case ValueType::kWorkers:
      return any_of({R"({"const":"auto"})", integer()});
    case ValueType::kAmount:
      return any_of({R"({"type":"integer","minimum":0})", pattern("^[0-9]+[kMG]?$"), kVariable});
    case ValueType::kUsd:
      return any_of({R"({"type":"number","minimum":0})", R"({"type":"string"})"});
    case ValueType::kOnExceed:
      break;
  }
  return on_exceed(spec.detail);
}

std::string_view required_keys(std::string_view section) {
  if (section == "limit") return R"(["name","per","meter","allow"])";
  if (section == "rung") return R"(["at"])";
  if (section == "alert target") return R"(["url"])";
  if (section == "alert rule") return R"(["when"])";
  if (section == "model") return R"(["provider"])";
  if (section == "escalate") return R"(["throttles","within","action"])";
  if (section == "upstream") return R"(["path","kind","url"])";
  if (section == "tls") return R"(["cert","key"])";
  return "[]";
}

void write_section(JsonWriter& json, std::string_view section) {
  json.key("type").string("object").key("additionalProperties").boolean(false);
  json.key("required").raw(required_keys(section)).key("properties").begin_object();
  for (const KeySpec& spec : policy_keys()) {
    if (spec.section != section || spec.later) continue;
    json.key(spec.key).begin_object().key("description").string(spec.about);
    // As an only member of allOf, because a description beside $ref or anyOf must not change them.
    json.key("allOf").begin_array().raw(value_schema(spec)).end_array().end_object();
  }
  json.end_object();
}

}  // namespace

std::string policy_schema() {
  std::string out;
  JsonWriter json(out);
  json.begin_object().key("$schema").string("https://json-schema.org/draft/2020-12/schema");
  json.key("title").string("weir.yaml");
  write_section(json, "");
  json.key("$defs").begin_object();
  std::set<std::string_view> written{""};
  for (const KeySpec& spec : policy_keys()) {
    if (!written.insert(spec.section).second) continue;
    std::string name(spec.section);
    for (char& c : name) c = c == ' ' ? '_' : c;
    json.key(name).begin_object();
    write_section(json, spec.section);
    json.end_object();
  }
  json.end_object().end_object();
  return out;
}

}  // namespace weir
