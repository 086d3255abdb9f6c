#include "policy/merge_tree.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>

#include "policy/compiled.h"
#include "policy/loader.h"
#include "policy/overrides.h"

namespace weir {
namespace {

constexpr std::size_t kMaxMergedTiers = 100, kMaxMergedTenants = 10'000;  // as of a file

std::size_t count_nodes(const Yaml& node) {
  std::size_t out = 1 + node.keys.size();
  for (const Yaml& item : node.items) out += count_nodes(item);
  return out;
}

Result<Yaml> convert(simdjson::dom::element element, int line, int depth) {
  if (depth > kMaxOverrideDepth) return fail("nested too deep");
  Yaml out = make_yaml(Yaml::Kind::kScalar);
  const auto text = [&](std::string_view value) -> Result<void> {
    if (value.find("${") != std::string_view::npos) {
      return fail("a value may not name variables (`${`); only the file may");
    }
    out.text = value;
    return {};
  };
  switch (element.type()) {
    case simdjson::dom::element_type::ARRAY:
      out.kind = Yaml::Kind::kList;
      for (const auto item : simdjson::dom::array(element)) {
        auto node = convert(item, line, depth + 1);
        if (!node) return node;
        out.items.push_back(std::move(*node));
      }
      break;
    case simdjson::dom::element_type::OBJECT:
      out.kind = Yaml::Kind::kMap;
      for (const auto field : simdjson::dom::object(element)) {
        auto node = convert(field.value, line, depth + 1);
        if (!node) return node;
        if (find_member(out, field.key) != nullptr) return fail(fmt::format("`{}` stands twice", field.key));
        set_member(out, field.key, std::move(*node)).line = line;
      }
      break;
    case simdjson::dom::element_type::NULL_VALUE:
      out.kind = Yaml::Kind::kNull;
      break;
    case simdjson::dom::element_type::STRING:
      if (auto taken = text(std::string_view(element)); !taken) return std::unexpected(taken.error());
      break;
    default:
      out.text = simdjson::minify(element);
  }
  out.line = line;
  return out;
}

Yaml scalar(std::string text) {
  return make_yaml(Yaml::Kind::kScalar, std::move(text));
}

Yaml ladder_of(const LimitRule& rule) {
  Yaml out = make_yaml(Yaml::Kind::kList);
  for (const Rung& rung : rule.degrade) {
    Yaml map = make_yaml(Yaml::Kind::kMap);
    set_member(map, "at", scalar(fmt::format("{}%", rung.percent)));
    if (!rung.model.empty()) {
      Yaml& models = set_member(map, "model", make_yaml(Yaml::Kind::kMap));
      for (const auto& [from, to] : rung.model) set_member(models, from, scalar(to));
    }
    if (rung.max_tokens) set_member(map, "max_tokens", scalar(std::to_string(*rung.max_tokens)));
    if (rung.keep_messages) set_member(map, "keep_messages", scalar(std::to_string(*rung.keep_messages)));
    out.items.push_back(std::move(map));
  }
  return out;
}

Yaml tiers_of(const Policy& policy) {
  Yaml out = make_yaml(Yaml::Kind::kMap);
  for (const Tier& tier : policy.tiers) {
    Yaml& map = set_member(out, tier.name, make_yaml(Yaml::Kind::kMap));
    set_member(map, "weight", scalar(std::to_string(tier.weight)));
  }
  return out;
}

// The members laid over an entry; null takes one away.
void lay_over(Yaml& entry, Yaml& members, int mark) {
  for (std::size_t i = 0; i < members.keys.size(); ++i) {
    if (members.items[i].kind == Yaml::Kind::kNull) {
      remove_member(entry, members.keys[i].text);
    } else {
      set_member(entry, members.keys[i].text, std::move(members.items[i]));
    }
  }
  entry.line = mark;
}

}  // namespace

Result<Yaml> yaml_of_json(std::string_view json, int line) {
  if (json.size() > kMaxOverrideBytes) return fail("more than 16 KiB");
  simdjson::dom::parser parser;
  simdjson::dom::element element;
  if (parser.parse(json.data(), json.size()).get(element) != simdjson::SUCCESS) return fail("not JSON");
  return convert(element, line, 0);
}

Yaml built_in_limits(const Policy& policy) {
  Reporter none("built-in policy");
  const std::optional<Yaml> root = parse_yaml(built_in_yaml(), none);
  Yaml limits = root ? *root->find("limits") : make_yaml(Yaml::Kind::kList);
  const auto forget_places = [](auto& self, Yaml& node) -> void {
    node.line = node.column = 0;
    for (Yaml& item : node.items) self(self, item);
  };
  forget_places(forget_places, limits);
  for (Yaml& limit : limits.items) {
    if (find_member(limit, "degrade") == nullptr) continue;
    const auto rule = std::find_if(policy.limits.begin(), policy.limits.end(),
                                   [&](const LimitRule& r) { return r.name == limit.find("name")->text; });
    // Without what cannot be called under the file's own models, as the loader has it.
    if (rule == policy.limits.end() || rule->degrade.empty()) {
      remove_member(limit, "degrade");
    } else {
      set_member(limit, "degrade", ladder_of(*rule));
    }
  }
  return limits;
}

MergeTree::MergeTree(Yaml root, const Policy& policy)
    : root_(std::move(root)), policy_(policy), nodes_(count_nodes(root_)) {}

std::optional<MergeTree::Fault> MergeTree::apply(const Override& change, std::size_t index) {
  const int mark = -static_cast<int>(index) - 1;
  Result<Yaml> members = yaml_of_json(change.json, mark);
  if (!members) return Fault{"", members.error().message};
  if (!members->is_map()) return Fault{"", "it must be a JSON object"};
  const std::size_t nodes = count_nodes(*members) + 4;
  if (nodes_ + nodes > kMaxPolicyNodes) return Fault{"", "file and overrides together have more than 50,000 values"};
  std::optional<Fault> fault;
  switch (change.kind) {
    case Override::Kind::kLimit:
      fault = apply_limit(change, std::move(*members), mark);
      break;
    case Override::Kind::kTier:
      fault = apply_tier(change, std::move(*members), mark);
      break;
    case Override::Kind::kTenant:
      fault = apply_tenant(change, std::move(*members), mark);
      break;
  }
  if (!fault) nodes_ += nodes;
  return fault;
}

std::optional<MergeTree::Fault> MergeTree::apply_limit(const Override& change, Yaml members, int mark) {
  if (members.find("name") != nullptr) return Fault{"name", "a limit's name is fixed; set another limit instead"};
  Yaml& limits = section("limits", built_in_limits(policy_));
  if (!limits.is_list()) return Fault{"", "`limits` of the file is no list"};
  Yaml* limit = find_limit(change.name);
  if (limit == nullptr) {
    if (limits.items.size() >= kMaxLimits) return Fault{"", "there are 1000 limits, more cannot be"};
    Yaml fresh = make_yaml(Yaml::Kind::kMap);
    set_member(fresh, "name", scalar(change.name)).line = mark;
    limits.items.push_back(std::move(fresh));
    limit = &limits.items.back();
  }
  lay_over(*limit, members, mark);
  return std::nullopt;
}

std::optional<MergeTree::Fault> MergeTree::apply_tier(const Override& change, Yaml members, int mark) {
  const Yaml* amounts = members.find("amounts");
  if (amounts != nullptr && amounts->kind != Yaml::Kind::kNull) {
    if (auto fault = apply_amounts(change.name, *amounts, mark)) return fault;
  }
  remove_member(members, "amounts");
  Yaml& tiers = section("tiers", tiers_of(policy_));
  Yaml* tier = find_member(tiers, change.name);
  if (tier == nullptr) {
    if (tiers.keys.size() >= kMaxMergedTiers) return Fault{"", "there are 100 tiers, more cannot be"};
    tier = &set_member(tiers, change.name, make_yaml(Yaml::Kind::kMap));
    tier->line = mark;
  }
  if (tier->kind == Yaml::Kind::kNull) *tier = make_yaml(Yaml::Kind::kMap);
  if (!members.keys.empty()) lay_over(*tier, members, mark);
  return std::nullopt;
}

// All of them or none: the tier's part of each limit's `allow`.
std::optional<MergeTree::Fault> MergeTree::apply_amounts(const std::string& tier, const Yaml& amounts, int mark) {
  if (!amounts.is_map()) return Fault{"amounts", "it must be an object: limit -> its amounts for this tier"};
  section("limits", built_in_limits(policy_));
  for (const Yaml& name : amounts.keys) {
    const Yaml* limit = find_limit(name.text);
    if (limit == nullptr) return Fault{"amounts", fmt::format("there is no limit `{}`", name.text)};
    if (limit->find("allow") == nullptr) return Fault{"amounts", fmt::format("`{}` allows nothing yet", name.text)};
  }
  for (std::size_t i = 0; i < amounts.keys.size(); ++i) {
    Yaml& limit = *find_limit(amounts.keys[i].text);
    Yaml allow = *limit.find("allow");
    if (!allow.is_map()) {
      Yaml by_tier = make_yaml(Yaml::Kind::kMap);
      set_member(by_tier, "default", std::move(allow));
      allow = std::move(by_tier);
      allow.line = mark;
    }
    if (amounts.items[i].kind == Yaml::Kind::kNull) {
      remove_member(allow, tier);
    } else {
      set_member(allow, tier, amounts.items[i]);
    }
    set_member(limit, "allow", std::move(allow));
  }
  return std::nullopt;
}

std::optional<MergeTree::Fault> MergeTree::apply_tenant(const Override& change, Yaml members, int mark) {
  Yaml& tenants = section("tenants", make_yaml(Yaml::Kind::kMap));
  Yaml* tenant = find_member(tenants, change.name);
  if (tenant == nullptr) {
    if (tenants.keys.size() >= kMaxMergedTenants) return Fault{"", "there are 10000 tenants, more cannot be"};
    tenant = &set_member(tenants, change.name, make_yaml(Yaml::Kind::kMap));
  }
  if (tenant->kind == Yaml::Kind::kNull) *tenant = make_yaml(Yaml::Kind::kMap);
  lay_over(*tenant, members, mark);
  return std::nullopt;
}

Yaml& MergeTree::section(const char* name, Yaml otherwise) {
  Yaml* found = find_member(root_, name);
  const bool map = otherwise.is_map();
  // `tenants:` with nothing behind it is an empty map.
  if (found != nullptr && map && found->kind == Yaml::Kind::kNull) *found = make_yaml(Yaml::Kind::kMap);
  return found != nullptr ? *found : set_member(root_, name, std::move(otherwise));
}

Yaml* MergeTree::find_limit(std::string_view name) {
  Yaml* limits = find_member(root_, "limits");
  if (limits == nullptr || !limits->is_list()) return nullptr;
  const auto found = std::find_if(limits->items.begin(), limits->items.end(), [&](const Yaml& limit) {
    const Yaml* own = limit.find("name");
    return own != nullptr && own->text == name;
  });
  return found == limits->items.end() ? nullptr : &*found;
}

}  // namespace weir
