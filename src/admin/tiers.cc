#include "admin/tiers.h"

#include <fmt/format.h>

#include <algorithm>

#include "admin/body.h"
#include "admin/overriding.h"

namespace weir {
namespace {

struct View {
  std::shared_ptr<const PolicyState> state;
  std::shared_ptr<const Ruleset> rules;
  Yaml root;
  const char* file_source;

  explicit View(AdminContext& call)
      : state(policy_now(call)),
        rules(call.host.rules()),
        root(effective_tree(*state, rules->policy())),
        file_source(source_of(*state, false, "tiers")) {}

  const Tier* find(std::string_view name) const {
    const auto& tiers = rules->policy().tiers;
    const auto found = std::find_if(tiers.begin(), tiers.end(), [&](const Tier& t) { return t.name == name; });
    return found == tiers.end() ? nullptr : &*found;
  }
};

void write_words(JsonWriter& json, const std::vector<std::string>& words) {
  json.begin_array();
  for (const std::string& word : words) json.string(word);
  json.end_array();
}

// What every limit allows the tier: its own amounts, else those of all others.
void write_amounts(JsonWriter& json, const Yaml& root, const std::string& tier) {
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
    json.key(name->text).begin_array();
    if (allow->is_scalar()) json.string(allow->text);
    for (const Yaml& item : allow->items) json.string(item.text);
    json.end_array();
  }
  json.end_object();
}

// Without `keys`, which change by themselves, and `etag`.
void write_facts(JsonWriter& json, const View& view, const Tier& tier) {
  const bool own = find_override(*view.state, Override::Kind::kTier, tier.name) != nullptr;
  json.key("name").string(tier.name).key("weight").number(tier.weight).key("tools").begin_object();
  json.key("allow");
  write_words(json, tier.tools.allow);
  json.key("deny");
  write_words(json, tier.tools.deny);
  json.end_object().key("default").boolean(tier.name == view.rules->policy().default_tier);
  json.key("source").string(own ? "override" : view.file_source).key("amounts");
  write_amounts(json, view.root, tier.name);
}

std::string etag(const View& view, std::string_view name) {
  const Tier* tier = view.find(name);
  std::string value;
  JsonWriter json(value);
  json.begin_object();
  if (tier != nullptr) write_facts(json, view, *tier);
  json.end_object();
  const Override* own = find_override(*view.state, Override::Kind::kTier, name);
  return etag_of(value + "|" + (own != nullptr ? own->json : ""));
}

using Counts = std::vector<NamedCount>;

void write(JsonWriter& json, const View& view, const Tier& tier, const Counts& keys) {
  json.begin_object();
  write_facts(json, view, tier);
  std::int64_t count = 0;
  for (const NamedCount& each : keys) {
    if ((each.name.empty() ? view.rules->policy().default_tier : each.name) == tier.name) count += each.count;
  }
  const Override* own = find_override(*view.state, Override::Kind::kTier, tier.name);
  json.key("keys").number(count).key("override");
  own != nullptr ? json.raw(own->json) : json.null();
  json.key("etag").string(etag(view, tier.name)).end_object();
}

Reply list(AdminContext& call) {
  const auto keys = call.store.consumers_by_tier();
  if (!keys) return admin_store_failed(keys.error());
  const View view(call);
  std::string body;
  JsonWriter json(body);
  json.begin_object().key("tiers").begin_array();
  for (const Tier& tier : view.rules->policy().tiers) write(json, view, tier, *keys);
  json.end_array().end_object();
  return admin_json(std::move(body));
}

Reply show(AdminContext& call) {
  const auto keys = call.store.consumers_by_tier();
  if (!keys) return admin_store_failed(keys.error());
  const View view(call);
  const Tier* tier = view.find(call.name());
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
  if (auto stale = refuse_stale(call.request, etag(View(call), call.name()))) return std::move(*stale);
  const WantedOverride wanted{Override::Kind::kTier, call.name(),
                              call.request.body.empty() ? "{}" : minified(call.request.body)};
  if (auto done = put_overrides(call, {&wanted, 1}); !done) return std::move(done.error());
  return show(call);
}

Reply drop(AdminContext& call) {
  const View before(call);
  if (find_override(*before.state, Override::Kind::kTier, call.name()) == nullptr) {
    return admin_problem(404, fmt::format("Nothing is changed over the file's tier {}.", call.name()));
  }
  if (auto stale = refuse_stale(call.request, etag(before, call.name()))) return std::move(*stale);
  const WantedOverride wanted{Override::Kind::kTier, call.name(), ""};
  if (auto done = put_overrides(call, {&wanted, 1}); !done) return std::move(done.error());
  return {.status = 204, .content_type = {}, .headers = {}, .body = {}};
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
