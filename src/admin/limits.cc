// /admin/v1/limits: the limits in force, and changing one over the file. See docs/admin-api.md.
#include <fmt/format.h>

#include "admin/body.h"
#include "admin/overriding.h"
#include "admin/routes.h"
#include "policy/limit_words.h"

namespace weir {
namespace {

constexpr auto kKind = Override::Kind::kLimit;

const char* to_word(FailMode mode) {
  return mode == FailMode::kOpen ? "open" : mode == FailMode::kClosed ? "closed" : "local";
}

const Yaml* limit_of(const PolicyView& view, std::string_view name) {
  const Yaml* limits = view.root.find("limits");
  if (limits == nullptr) return nullptr;
  for (const Yaml& limit : limits->items) {
    const Yaml* own = limit.find("name");
    if (own != nullptr && own->text == name) return &limit;
  }
  return nullptr;
}

// Of what can be changed; use and refusals come and go.
std::string etag(const PolicyView& view, std::string_view name) {
  std::string value;
  JsonWriter json(value);
  if (const Yaml* limit = limit_of(view, name)) write_yaml_value(json, *limit);
  return etag_of(value, find_override(*view.state, kKind, name));
}

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

// A limit's `allow` by tier or default, each a list of amounts as texts.
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

void write(JsonWriter& json, const PolicyView& view, const LimitRule& rule, AdminHost& host) {
  const Yaml* limit = limit_of(view, rule.name);
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
  const Override* own = find_override(*view.state, kKind, rule.name);
  json.key("source").string(own != nullptr ? "override" : view.file_source).key("override");
  write_override(json, own);
  json.key("etag").string(etag(view, rule.name));
  write_use(json, rule, host.observer());
  json.end_object();
}

Reply list(AdminContext& call) {
  const PolicyView view(call, "limits");
  std::string body;
  JsonWriter json(body);
  json.begin_object().key("limits").begin_array();
  for (const LimitRule& rule : view.policy().limits) write(json, view, rule, call.host);
  json.end_array().end_object();
  return admin_json(std::move(body));
}

Reply show(AdminContext& call) {
  const PolicyView view(call, "limits");
  const LimitRule* rule = find_named(view.policy().limits, call.name());
  if (rule == nullptr) return admin_problem(404, fmt::format("There is no limit named {}.", call.name()));
  std::string body;
  JsonWriter json(body);
  write(json, view, *rule, call.host);
  Reply reply = admin_json(std::move(body));
  append_header(reply.headers, "etag", etag(view, rule->name));
  return reply;
}

Reply put(AdminContext& call) {
  if (const auto body =
          AdminBody::read(call.request.body, {"match", "per", "meter", "allow", "degrade", "hard", "on_exceed", "mode",
                                              "fail", "missing", "precision", "contextual"});
      !body) {
    return admin_problem(400, body.error().message);
  }
  if (auto failed = put_override(call, kKind, etag(PolicyView(call, "limits"), call.name()))) return *failed;
  return show(call);
}

Reply drop(AdminContext& call) {
  return drop_override(call, kKind, etag(PolicyView(call, "limits"), call.name()));
}

}  // namespace

void add_limit_routes(AdminRouter& router) {
  const std::string all = "/admin/v1/limits", one = all + "/{name}";
  router.add({"GET", all, AdminRole::kViewer, {}, list});
  router.add({"GET", one, AdminRole::kViewer, {}, show});
  router.add({"PUT", one, AdminRole::kAdmin, {}, put});
  router.add({"DELETE", one, AdminRole::kAdmin, {}, drop});
}

}  // namespace weir
