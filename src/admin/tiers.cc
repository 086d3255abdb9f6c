// /admin/v1/tiers: what a tier weighs, which tools it may use, and its amounts of every limit. See docs/admin-api.md.
#include <fmt/format.h>

#include "admin/body.h"
#include "admin/overriding.h"
#include "admin/routes.h"

namespace weir {
namespace {

constexpr auto kKind = Override::Kind::kTier;

void write_words(JsonWriter& json, const std::vector<std::string>& words) {
  json.begin_array();
  for (const std::string& word : words) json.string(word);
  json.end_array();
}

// What every limit allows the tier: its own amounts, else those of all others.
void write_all_amounts(JsonWriter& json, const Yaml& root, const std::string& tier) {
  json.begin_object();
  const Yaml* limits = root.find("limits");
  for (const Yaml& limit : limits != nullptr ? limits->items : std::vector<Yaml>()) {
    const Yaml* name = limit.find("name");
    const Yaml* allow = limit.find("allow");
    if (name == nullptr || allow == nullptr) continue;
    if (allow->is_map()) {
      const Yaml* own = allow->find(tier);
      allow = own != nullptr ? own : allow->find("default");
    }
    if (allow == nullptr) continue;
    json.key(name->text);
    write_amounts(json, *allow);
  }
  json.end_object();
}

// Without `keys`, which change by themselves, and `etag`.
void write_facts(JsonWriter& json, const PolicyView& view, const Tier& tier) {
  const bool own = find_override(*view.state, kKind, tier.name) != nullptr;
  json.key("name").string(tier.name).key("weight").number(tier.weight).key("tools").begin_object();
  json.key("allow");
  write_words(json, tier.tools.allow);
  json.key("deny");
  write_words(json, tier.tools.deny);
  json.end_object().key("default").boolean(tier.name == view.policy().default_tier);
  json.key("source").string(own ? "override" : view.file_source).key("amounts");
  write_all_amounts(json, view.root, tier.name);
}

std::string etag(const PolicyView& view, std::string_view name) {
  const Tier* tier = find_named(view.policy().tiers, name);
  std::string value;
  JsonWriter json(value);
  json.begin_object();
  if (tier != nullptr) write_facts(json, view, *tier);
  json.end_object();
  return etag_of(value, find_override(*view.state, kKind, name));
}

using Counts = std::vector<NamedCount>;

void write(JsonWriter& json, const PolicyView& view, const Tier& tier, const Counts& keys) {
  json.begin_object();
  write_facts(json, view, tier);
  std::int64_t count = 0;
  for (const NamedCount& each : keys) {
    if ((each.name.empty() ? view.policy().default_tier : each.name) == tier.name) count += each.count;
  }
  json.key("keys").number(count).key("override");
  write_override(json, find_override(*view.state, kKind, tier.name));
  json.key("etag").string(etag(view, tier.name)).end_object();
}

Reply list(AdminContext& call) {
  const auto keys = call.store.consumers_by_tier();
  if (!keys) return admin_store_failed(keys.error());
  const PolicyView view(call, "tiers");
  std::string body;
  JsonWriter json(body);
  json.begin_object().key("tiers").begin_array();
  for (const Tier& tier : view.policy().tiers) write(json, view, tier, *keys);
  json.end_array().end_object();
  return admin_json(std::move(body));
}

Reply show(AdminContext& call) {
  const auto keys = call.store.consumers_by_tier();
  if (!keys) return admin_store_failed(keys.error());
  const PolicyView view(call, "tiers");
  const Tier* tier = find_named(view.policy().tiers, call.name());
  if (tier == nullptr) return admin_problem(404, fmt::format("There is no tier named {}.", call.name()));
  std::string body;
  JsonWriter json(body);
  write(json, view, *tier, *keys);
  Reply reply = admin_json(std::move(body));
  append_header(reply.headers, "etag", etag(view, tier->name));
  return reply;
}

Reply put(AdminContext& call) {
  if (const auto body = AdminBody::read(call.request.body, {"weight", "tools", "amounts"}); !body) {
    return admin_problem(400, body.error().message);
  }
  if (auto failed = put_override(call, kKind, etag(PolicyView(call, "tiers"), call.name()))) return *failed;
  return show(call);
}

Reply drop(AdminContext& call) {
  return drop_override(call, kKind, etag(PolicyView(call, "tiers"), call.name()));
}

}  // namespace

void add_tier_routes(AdminRouter& router) {
  const std::string all = "/admin/v1/tiers", one = all + "/{name}";
  router.add({"GET", all, AdminRole::kViewer, {}, list});
  router.add({"GET", one, AdminRole::kViewer, {}, show});
  router.add({"PUT", one, AdminRole::kAdmin, {}, put});
  router.add({"DELETE", one, AdminRole::kAdmin, {}, drop});
}

}  // namespace weir
