// /admin/v1/health, /admin/v1/reload and /admin/v1/openapi.json: the running server.
#include "admin/body.h"
#include "admin/openapi.h"
#include "admin/overriding.h"
#include "admin/routes.h"
#include "base/enum_words.h"
#include "base/json_writer.h"

namespace weir {
namespace {

const char* to_string(ServerHealth::Provider::State state) {
  static constexpr std::array kWords = {"closed", "half_open", "open"};
  return word_of(kWords, state);
}

void write_instant(JsonWriter& json, std::string_view name, TimeNs at) {
  json.key(name);
  at == 0 ? json.null() : json.string(format_rfc3339(at, 3));
}

void write_problems(JsonWriter& json, std::string_view name, const std::vector<HealthProblem>& problems) {
  json.key(name).begin_array();
  for (const HealthProblem& problem : problems) {
    json.begin_object().key("what").string(problem.what);
    write_instant(json, "since", problem.since);
    json.key("detail").string(problem.detail).key("do").string(problem.remedy).end_object();
  }
  json.end_array();
}

void write_providers(JsonWriter& json, const std::vector<ServerHealth::Provider>& providers) {
  json.key("providers").begin_array();
  for (const ServerHealth::Provider& each : providers) {
    json.begin_object().key("provider").string(each.provider).key("model").string(each.model);
    json.key("state").string(to_string(each.state));
    write_instant(json, "until", each.until);
    json.end_object();
  }
  json.end_array();
}

void write_parts(JsonWriter& json, const ServerHealth& health, const RecordCounts& counts) {
  json.key("counters").begin_object().key("subjects").number(health.subjects).key("bytes").number(health.counter_bytes);
  json.key("open_reservations").number(health.open_reservations).end_object();
  json.key("journal").begin_object().key("healthy").boolean(health.journal_healthy);
  json.key("bytes_written").number(health.journal_bytes).end_object();
  json.key("ledger").begin_object().key("healthy").boolean(health.ledger_healthy);
  json.key("rows").number(counts.usage).key("audit_rows").number(counts.audit).end_object();
  json.key("workers").number(health.workers).key("open_connections").number(health.open_connections);
  json.key("requests_in_flight").number(health.requests_in_flight);
  write_providers(json, health.providers);
  json.key("events").begin_object().key("per_second").real(health.events_per_second);
  json.key("dropped").number(health.events_dropped).key("watchers").number(health.watchers).end_object();
  json.key("alerts").begin_object().key("firing").number(health.alerts_firing).end_object();
  json.key("overrides").begin_object().key("count").number(health.overrides).key("skipped").begin_array();
  for (const ServerHealth::Skipped& each : health.overrides_skipped) {
    json.begin_object().key("kind").string(each.kind).key("name").string(each.name).key("why").string(each.why);
    json.end_object();
  }
  json.end_array().end_object();
}

// Health is told even when the store is not: that is one of the problems.
Reply health(AdminContext& call) {
  ServerHealth health = call.host.health();
  const auto counts = call.store.record_counts();
  if (!counts) {
    health.problems.push_back({.what = "record store",
                               .since = 0,
                               .detail = "The record store cannot be read: " + counts.error().message +
                                         ". Decisions go on; records wait in the journal.",
                               .remedy = "See that the data folder is there, readable, and on a disk that works; no "
                                         "restart is needed."});
  }
  const ServerAddresses addresses = call.host.addresses();
  std::string out;
  JsonWriter json(out);
  json.begin_object().key("status");
  json.string(health.draining ? "draining" : health.problems.empty() ? "ok" : "degraded");
  json.key("version").string(health.version).key("config_version").string(call.host.rules()->policy().version);
  json.key("policy_source").string(addresses.policy_source.empty() ? "built-in" : addresses.policy_source);
  write_instant(json, "started_at", health.started_at);
  json.key("listen").string(addresses.listen).key("admin").string(addresses.admin).key("data").string(addresses.data);
  write_problems(json, "problems", health.problems);
  write_problems(json, "notes", health.notes);
  write_parts(json, health, counts.value_or(RecordCounts{}));
  json.end_object();
  return admin_json(std::move(out));
}

Reply reload(AdminContext& call) {
  const auto body = AdminBody::read(call.request.body, {});
  if (!body) return admin_problem(400, body.error().message);
  const std::string previous = call.host.rules()->policy().version;
  const ReloadOutcome outcome = call.host.reload("asked by " + call.request.caller.name);
  if (!outcome.loaded) {
    return invalid_policy("The policy is not valid; the old one stays in force.", outcome.diagnostics);
  }
  if (auto noted = call.store.note_change(call.change(), "reload", "policy", outcome.version); !noted) {
    return admin_store_failed(noted.error());
  }
  std::string out;
  JsonWriter(out).begin_object().key("version").string(outcome.version).key("previous").string(previous).end_object();
  return admin_json(std::move(out));
}

Reply openapi(AdminContext&) {
  return admin_json(std::string(openapi_document()));
}

}  // namespace

void add_server_routes(AdminRouter& router) {
  router.add({"GET", "/admin/v1/health", AdminRole::kViewer, {}, health});
  router.add({"POST", "/admin/v1/reload", AdminRole::kAdmin, {}, reload});
  router.add({"GET", "/admin/v1/openapi.json", AdminRole::kViewer, {}, openapi});
}

}  // namespace weir
