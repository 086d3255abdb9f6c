#include "admin/limits.h"

#include <fmt/format.h>

#include <algorithm>

#include "admin/body.h"
#include "admin/overriding.h"
#include "policy/limit_words.h"

namespace weir {
namespace {

const char* to_word(FailMode mode) {
  return mode == FailMode::kOpen ? "open" : mode == FailMode::kClosed ? "closed" : "local";
}

// The limits of one call: what holds now, read once.
struct View {
  std::shared_ptr<const PolicyState> state;
  std::shared_ptr<const Ruleset> rules;
  Yaml root;
  const char* file_source;

  explicit View(AdminContext& call)
      : state(policy_now(call)),
        rules(call.host.rules()),
        root(effective_tree(*state, rules->policy())),
        file_source(source_of(*state, false, "limits")) {}

  const LimitRule* find(std::string_view name) const {
    const auto& limits = rules->policy().limits;
    const auto found = std::find_if(limits.begin(), limits.end(), [&](const LimitRule& r) { return r.name == name; });
    return found == limits.end() ? nullptr : &*found;
  }
  const Override* override_of(std::string_view name) const {
    return find_override(*state, Override::Kind::kLimit, name);
  }
  // Of what can be changed; use and refusals come and go.
  std::string etag(std::string_view name) const {
    std::string value;
    JsonWriter json(value);
    if (const Yaml* limit = limit_of(root, name)) write_yaml_value(json, *limit);
    const Override* own = override_of(name);
    return etag_of(value + "|" + (own != nullptr ? own->json : ""));
  }
};

void write_member(JsonWriter& json, const Yaml* limit, const char* name, const char* otherwise) {
  json.key(name);
  const Yaml* value = limit != nullptr ? limit->find(name) : nullptr;
  if (value != nullptr) {
    write_yaml_value(json, *value);
  } else {
    json.raw(otherwise);
  }
}

void write_use(JsonWriter& json, const LimitRule& rule, Observer& observer) {
  const bool usd = rule.meter.size() == 1 && rule.meter.front().kind == MeterKind::kUsd;
  const auto amount = [&](std::int64_t value) { return static_cast<double>(value) / (usd ? 1e6 : 1); };
  const std::vector<HotSubject> near = observer.hot(rule.name);
  json.key("refused_1h").number(observer.refused_last_hour(rule.name));
  json.key("utilisation").begin_object().key("max").real(near.empty() ? 0 : near.front().ratio);
  json.key("hot").begin_array();
  for (const HotSubject& hot : near) {
    json.begin_object().key("per").begin_object();
    for (const auto& [attribute, value] : hot.per) json.key(attribute).string(value);
    json.end_object().key("ratio").real(hot.ratio);
    json.key("used").real(amount(hot.used)).key("allowed").real(amount(hot.allowed));
    json.key("at").string(format_rfc3339(hot.at, 3)).end_object();
  }
  json.end_array().end_object();
}

void write(JsonWriter& json, const View& view, const LimitRule& rule, AdminHost& host) {
  const Yaml* limit = limit_of(view.root, rule.name);
  json.begin_object().key("name").string(rule.name).key("per").begin_array();
  for (const std::string& attribute : rule.per) json.string(attribute);
  json.end_array();
  write_member(json, limit, "meter", "null");
  write_member(json, limit, "match", "{}");
  json.key("allow");
  const Yaml* allow = limit != nullptr ? limit->find("allow") : nullptr;
  write_allow(json, allow != nullptr ? *allow : make_yaml(Yaml::Kind::kMap));
  json.key("layer").string(to_string(rule.layer)).key("mode").string(rule.shadow ? "shadow" : "enforce");
  write_member(json, limit, "on_exceed", "\"refuse\"");
  write_member(json, limit, "degrade", "[]");
  json.key("fail").string(to_word(rule.fail)).key("words").string(words_of(rule));
  const Override* own = view.override_of(rule.name);
  json.key("source").string(own != nullptr ? "override" : view.file_source).key("override");
  own != nullptr ? json.raw(own->json) : json.null();
  json.key("etag").string(view.etag(rule.name));
  write_use(json, rule, host.observer());
  json.end_object();
}

Reply list(AdminContext& call) {
  const View view(call);
  std::string body;
  JsonWriter json(body);
  json.begin_object().key("limits").begin_array();
  for (const LimitRule& rule : view.rules->policy().limits) write(json, view, rule, call.host);
  json.end_array().end_object();
  return admin_json(std::move(body));
}

Reply shown(AdminContext& call, const View& view) {
  const LimitRule* rule = view.find(call.name());
  if (rule == nullptr) return admin_problem(404, fmt::format("There is no limit named {}.", call.name()));
  std::string body;
  JsonWriter json(body);
  write(json, view, *rule, call.host);
  Reply reply = admin_json(std::move(body));
  append_header(reply.headers, "etag", view.etag(rule->name));
  return reply;
}

Reply show(AdminContext& call) {
  return shown(call, View(call));
}

Reply put(AdminContext& call) {
  if (const auto body =
          AdminBody::read(call.request.body, {"match", "per", "meter", "allow", "degrade", "hard", "on_exceed", "mode",
                                              "fail", "missing", "precision", "contextual"});
      !body) {
    return admin_problem(400, body.error().message);
  }
  const View before(call);
  if (auto stale = refuse_stale(call.request, before.etag(call.name()))) return std::move(*stale);
  const WantedOverride wanted{Override::Kind::kLimit, call.name(),
                              call.request.body.empty() ? "{}" : minified(call.request.body)};
  if (auto done = put_overrides(call, {&wanted, 1}); !done) return std::move(done.error());
  return shown(call, View(call));
}

Reply drop(AdminContext& call) {
  const View before(call);
  if (before.override_of(call.name()) == nullptr) {
    return admin_problem(404, fmt::format("Nothing is changed over the file's limit {}.", call.name()));
  }
  if (auto stale = refuse_stale(call.request, before.etag(call.name()))) return std::move(*stale);
  const WantedOverride wanted{Override::Kind::kLimit, call.name(), ""};
  if (auto done = put_overrides(call, {&wanted, 1}); !done) return std::move(done.error());
  return {.status = 204, .content_type = {}, .headers = {}, .body = {}};
}

void write_amounts(JsonWriter& json, const Yaml& amounts) {
  json.begin_array();
  if (amounts.is_scalar()) json.string(amounts.text);
  for (const Yaml& item : amounts.items) json.string(item.text);
  json.end_array();
}

}  // namespace

void write_allow(JsonWriter& json, const Yaml& allow) {
  json.begin_object();
  if (!allow.is_map()) {
    json.key("default");
    write_amounts(json, allow);
  }
  for (std::size_t i = 0; i < allow.keys.size(); ++i) {
    json.key(allow.keys[i].text);
    write_amounts(json, allow.items[i]);
  }
  json.end_object();
}

void add_limit_routes(AdminRouter& router) {
  const std::string all = "/admin/v1/limits", one = all + "/{name}";
  router.add({"GET", all, AdminRole::kViewer, {}, list});
  router.add({"GET", one, AdminRole::kViewer, {}, show});
  router.add({"PUT", one, AdminRole::kAdmin, {}, put});
  router.add({"DELETE", one, AdminRole::kAdmin, {}, drop});
}

}  // namespace weir
