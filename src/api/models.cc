#include "api/models.h"

#include <set>
#include <utility>
#include <vector>

#include "base/json_writer.h"

namespace weir {
namespace {

bool is_literal(std::string_view pattern) {
  return pattern.find('*') == std::string_view::npos;
}

// (model, provider) in the order of the rules, without repeats.
std::vector<std::pair<std::string, std::string>> routed_models(const Policy& policy) {
  std::vector<std::pair<std::string, std::string>> out;
  std::set<std::string, std::less<>> seen;
  const auto add = [&](const std::string& model) {
    const ModelRule* rule = policy.find_model(model);
    if (rule != nullptr && seen.insert(model).second) out.emplace_back(model, rule->provider);
  };
  for (const ModelRule& rule : policy.models) {
    if (is_literal(rule.pattern)) add(rule.pattern);
  }
  for (const PriceRow& row : PriceBook::built_in().rows()) {
    if (!is_literal(row.pattern)) continue;
    const ModelRule* rule = policy.find_model(row.pattern);
    const Provider* provider = rule ? policy.find_provider(rule->provider) : nullptr;
    if (provider && (provider->simulate || to_string(provider->dialect) == row.dialect)) add(row.pattern);
  }
  return out;
}

}  // namespace

std::string models_json(const Policy& policy, bool anthropic_shape) {
  const auto models = routed_models(policy);
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  if (!anthropic_shape) json.key("object").string("list");
  json.key("data").begin_array();
  for (const auto& [model, provider] : models) {
    json.begin_object().key("id").string(model);
    if (anthropic_shape) {
      json.key("type")
          .string("model")
          .key("display_name")
          .string(model)
          .key("created_at")
          .string("1970-01-01T00:00:00Z");
    } else {
      json.key("object").string("model").key("created").number(0).key("owned_by").string(provider);
    }
    json.end_object();
  }
  json.end_array();
  if (anthropic_shape) {
    json.key("has_more").boolean(false);
    json.key("first_id");
    models.empty() ? json.null() : json.string(models.front().first);
    json.key("last_id");
    models.empty() ? json.null() : json.string(models.back().first);
  }
  json.end_object();
  return out;
}

}  // namespace weir
