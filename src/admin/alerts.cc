#include "admin/alerts.h"

#include <algorithm>
#include <map>

#include "admin/body.h"
#include "admin/routes.h"
#include "alerts/words.h"
#include "base/json_writer.h"
#include "policy/suggest.h"

namespace weir {
namespace {

bool arrived(const AlertMessage& message) {
  return message.done_at != 0 && !message.result.starts_with("given up");
}

struct TargetState {
  TimeNs sent_at = 0, failed_at = 0;
  std::string error;
  std::int64_t waiting = 0;
};

std::map<std::string, TargetState> states_of(const std::vector<StoredAlert>& alerts) {
  std::map<std::string, TargetState> out;
  for (const StoredAlert& stored : alerts) {
    for (const AlertMessage& message : stored.messages) {
      TargetState& state = out[message.target];
      if (arrived(message)) {
        state.sent_at = std::max(state.sent_at, message.done_at);
        continue;
      }
      if (message.done_at == 0) ++state.waiting;
      if (message.result.empty() || message.created_at < state.failed_at) continue;
      state.failed_at = message.created_at;
      state.error = message.result;
    }
  }
  return out;
}

void write_rules(JsonWriter& json, const AlertSettings& settings) {
  json.key("rules").begin_array();
  for (const AlertRule& rule : settings.rules) {
    json.begin_object().key("name").string(rule.name).key("when").string(to_string(rule.when));
    json.key("words").string(rule_words(rule)).end_object();
  }
  json.end_array();
}

void write_targets(JsonWriter& json, const AlertSettings& settings, const std::vector<StoredAlert>& alerts) {
  const std::map<std::string, TargetState> states = states_of(alerts);
  json.key("targets").begin_array();
  for (const AlertTarget& target : settings.targets) {
    const auto known = states.find(target.name);
    const TargetState state = known == states.end() ? TargetState() : known->second;
    json.begin_object().key("name").string(target.name).key("kind").string(to_string(target.kind));
    json.key("host").string(target.host).key("last_sent");
    state.sent_at == 0 ? json.null() : json.string(format_rfc3339(state.sent_at, 3));
    json.key("last_error");
    state.error.empty() ? json.null() : json.string(state.error);
    json.key("waiting").number(state.waiting).end_object();
  }
  json.end_array();
}

Reply list(AdminContext& call) {
  const auto state = call.query.choice("state", "firing|resolved|all", "firing");
  if (!state) return admin_problem(400, state.error().message);
  const AlertsOf which = *state == "firing" ? AlertsOf::kFiring
                         : *state == "all"  ? AlertsOf::kAll
                                            : AlertsOf::kResolved;
  const auto alerts = call.store.alerts(which, kMaxAlertsShown);
  const auto latest = call.store.alerts(AlertsOf::kAll, kMaxAlertsShown);
  if (!alerts) return admin_store_failed(alerts.error());
  if (!latest) return admin_store_failed(latest.error());
  const auto rules = call.host.rules();
  const AlertSettings& settings = rules->policy().alerts;
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  write_rules(json, settings);
  json.key("alerts").begin_array();
  for (const StoredAlert& stored : *alerts) json.raw(stored_alert_json(stored));
  json.end_array();
  write_targets(json, settings, *latest);
  json.end_object();
  return admin_json(std::move(out));
}

std::optional<Reply> test(AdminContext& call) {
  const auto body = AdminBody::read(call.request.body, {"target"});
  if (!body) return admin_problem(400, body.error().message);
  const auto wanted = body->text("target");
  if (!wanted) return admin_problem(400, wanted.error().message);
  std::vector<AlertTarget> targets = call.host.rules()->policy().alerts.targets;
  if (*wanted) {
    std::vector<std::string> names;
    for (const AlertTarget& target : targets) names.push_back(target.name);
    const std::vector<std::string_view> views(names.begin(), names.end());
    std::erase_if(targets, [&](const AlertTarget& target) { return target.name != **wanted; });
    if (targets.empty()) {
      return admin_problem(404, "There is no alert target " + **wanted + did_you_mean(**wanted, views) + ".");
    }
  }
  if (targets.empty()) {
    return admin_problem(409, "weir.yaml names no alert targets: add `alerts: { targets: … }` and reload.");
  }
  return call.later([&host = call.host, targets = std::move(targets)](Store&, TimeNs now) {
    const std::vector<TriedTarget> results = host.try_alert_targets(targets, now);
    std::string out;
    JsonWriter json(out);
    json.begin_object().key("results").begin_array();
    for (std::size_t i = 0; i < results.size(); ++i) {
      json.begin_object().key("target").string(targets[i].name).key("ok").boolean(results[i].ok).key("status");
      results[i].status == 0 ? json.null() : json.number(results[i].status);
      json.key("detail").string(results[i].detail).end_object();
    }
    json.end_array().end_object();
    return admin_json(std::move(out));
  });
}

}  // namespace

std::string stored_alert_json(const StoredAlert& stored) {
  std::string out = "{" + stored.members + ",\"sent\":";
  JsonWriter json(out);
  json.begin_array();
  for (const AlertMessage& message : stored.messages) {
    json.begin_object().key("target").string(message.target).key("at");
    json.string(format_rfc3339(message.done_at != 0 ? message.done_at : message.created_at, 3)).key("ok");
    message.done_at == 0 ? json.null() : json.boolean(arrived(message));
    json.end_object();
  }
  json.end_array();
  return out + "}";
}

void add_alert_routes(AdminRouter& router) {
  router.add({"GET", "/admin/v1/alerts", AdminRole::kViewer, {"state"}, list});
  router.add({"POST", "/admin/v1/alerts/test", AdminRole::kAdmin, {}, test});
}

}  // namespace weir
