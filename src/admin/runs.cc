// /admin/v1/runs: agents' runs as the ledger and the guard know them, and one run as a tree of its requests. Limit: the
// last kMaxQueryPage requests of a run and as many audit rows about it.
#include <fmt/format.h>

#include <algorithm>

#include "admin/questions.h"
#include "admin/routes.h"
#include "admin/sentence.h"
#include "gateway/identity.h"
#include "records/row_json.h"

namespace weir {
namespace {

DurationNs idle_of(const BehaviorRules& rules) {
  return rules.runs.idle > 0 ? std::min(rules.runs.idle, kDay) : kDay;
}

// Which runs go on. Owns what it needs: a ranked page is made on another thread.
struct Living {
  explicit Living(const AdminContext& call)
      : host(call.host), rules(host.rules()), consumers(host.consumers()), now(call.now) {}

  const BehaviorRules& behavior() const { return rules->policy().behavior; }
  // Of keys that are no more the guard cannot be asked: then time tells.
  bool operator()(const std::string& key, const std::string& run, TimeNs last) const {
    Identity who;
    if (!key.empty()) who.consumer = consumers->find_name(key);
    if (!who.consumer) return now - last <= idle_of(behavior());
    return host.guard().is_live(owner_of(who, host.subject_secret()), run, behavior(), now);
  }

  AdminHost& host;
  const std::shared_ptr<const Ruleset> rules;
  const std::shared_ptr<const ConsumerSnapshot> consumers;
  const TimeNs now;
};

void add_run(JsonWriter& json, const RunSum& run, bool live) {
  json.key("run").string(run.run).key("key").string(run.key).key("tenant").string(run.tenant);
  json.key("user").string(run.user).key("agent").string(run.agent).key("live").boolean(live);
  json.key("first").string(format_rfc3339(run.first, 3)).key("last").string(format_rfc3339(run.last, 3));
  json.key("llm_calls").number(run.llm_calls).key("tool_calls").number(run.tool_calls);
  json.key("tokens").number(run.tokens).key("usd_micros").number(run.usd_micros);
  json.key("requests").number(run.requests).key("depth").number(run.depth).key("flags").begin_array();
  for (const std::string& flag : run.flags) json.string(flag);
  json.end_array();
}

Reply page_of_runs(Store& store, const RunFilter& filter, const PageAsk& ask, const Living& live) {
  const auto page = RecordQueries(store).runs(filter, ask);
  if (!page) return question_refused(page.error());
  std::string body;
  JsonWriter json(body);
  json.begin_object().key("runs").begin_array();
  for (const RunSum& run : page->runs) {
    json.begin_object();
    add_run(json, run, live(run.key, run.run, run.last));
    json.end_object();
  }
  json.end_array().key("ranked_since");
  page->ranked_since > 0 ? json.string(format_rfc3339(page->ranked_since, 3)) : json.null();
  add_next(json, page->next);
  json.end_object();
  return admin_json(std::move(body));
}

std::optional<Reply> list(AdminContext& call) {
  const AdminQuery& query = call.query;
  const auto range = query.range(call.now);
  if (!range) return admin_problem(400, range.error().message);
  const auto state = query.choice("state", "live|ended|all", "all");
  const auto flagged = query.choice("flagged", "true|false", "false");
  const auto single = query.choice("single", "true|false", "true");
  const auto sort = query.choice("sort", "last|cost", "last");
  for (const auto* word : {&state, &flagged, &single, &sort}) {
    if (!*word) return admin_problem(400, word->error().message);
  }
  const auto ask = page_of(query);
  if (!ask) return admin_problem(400, ask.error().message);
  const Living live(call);
  RunFilter filter{.since = range->since,
                   .until = range->until,
                   .key = query.text("key"),
                   .agent = query.text("agent"),
                   .flagged = *flagged == "true",
                   .single = *single == "true",
                   .by_cost = *sort == "cost",
                   .idle = idle_of(live.behavior())};
  if (*state == "live") {
    filter.wanted = live;
    filter.since = std::max(filter.since, call.now - filter.idle);
  } else if (*state == "ended") {
    filter.wanted = [live](const std::string& key, const std::string& run, TimeNs last) {
      return !live(key, run, last);
    };
  }
  if (!filter.by_cost) return page_of_runs(call.store, filter, *ask, live);
  // Reads every row of the range: kill switches do not wait for that.
  return call.later(
      [filter, ask = *ask, live](Store& store, TimeNs) { return page_of_runs(store, filter, ask, live); });
}

void add_node(JsonWriter& json, const char* name, std::uint32_t node) {
  json.key(name);
  node == 0 ? json.null() : json.string(fmt::format("{:08x}", node));
}

void add_calls(JsonWriter& json, const std::vector<UsageRow>& calls) {
  json.key("calls").begin_array();
  for (const UsageRow& row : calls) {
    json.begin_object().key("time").string(format_rfc3339(row.time, 3)).key("request_id").string(row.request_id);
    json.key("agent").string(row.agent);
    add_node(json, "node", row.node);
    add_node(json, "parent", row.parent);
    json.key("depth").number(row.depth).key("model").string(row.model).key("route").string(row.route);
    json.key("status").number(row.status).key("tokens").number(row.usage.total());
    json.key("usd_micros").number(row.usd_micros).key("tools").string(row.tools);
    json.key("degraded").string(row.degraded).end_object();
  }
  json.end_array();
}

void add_evidence(JsonWriter& json, const std::vector<AuditRow>& rows, const Policy& policy) {
  json.key("evidence").begin_array();
  for (const AuditRow& row : rows) {
    json.begin_object();
    add_members(json, row);
    json.key("sentence").string(sentence_of(row, &policy)).end_object();
  }
  json.end_array();
}

Reply show(AdminContext& call) {
  const auto range = call.query.range(call.now, 30 * kDay);
  if (!range) return admin_problem(400, range.error().message);
  const Living live(call);
  const DurationNs idle = idle_of(live.behavior());
  RecordQueries records(call.store);
  const auto found = records.run(
      {.since = range->since, .until = range->until, .key = call.query.text("key"), .idle = idle}, call.name());
  if (!found) return question_refused(found.error());
  if (!*found) return admin_problem(404, "No request of a run of this name is in the ledger within the range.");
  const RunSum& run = (*found)->sum;
  const AuditFilter about{.since = run.first, .until = run.last + idle, .run = run.run, .key = run.key};
  const auto evidence = records.audit(about, {.size = kMaxQueryPage});
  if (!evidence) return question_refused(evidence.error());
  std::string body;
  JsonWriter json(body);
  json.begin_object();
  add_run(json, run, live(run.key, run.run, run.last));
  add_calls(json, (*found)->calls);
  add_evidence(json, evidence->rows, live.rules->policy());
  json.end_object();
  return admin_json(std::move(body));
}

}  // namespace

void add_run_routes(AdminRouter& router) {
  router.add({"GET", "/admin/v1/runs", AdminRole::kViewer,
              with_range({"key", "agent", "state", "flagged", "single", "sort", "page_size", "cursor"}), list});
  router.add({"GET", "/admin/v1/runs/{run}", AdminRole::kViewer, with_range({"key"}), show});
}

}  // namespace weir
