// /admin/v1/audit…: every refusal and other event, each with the sentence that explains it, and sums of them.
#include "admin/questions.h"
#include "admin/routes.h"
#include "admin/sentence.h"
#include "base/json_writer.h"
#include "records/row_json.h"

namespace weir {
namespace {

constexpr std::size_t kMaxAuditSums = 1000;           // groups of one answer, the largest
constexpr std::string_view kDecisions = "decisions";  // all but `admin`
constexpr std::string_view kEvents = "refused|warned|broken|stripped|degraded|trust|admin|decisions";

Reply rows(AdminContext& call) {
  const AdminQuery& query = call.query;
  const auto range = query.range(call.now);
  if (!range) return admin_problem(400, range.error().message);
  const auto event = query.choice("event", kEvents, {});
  if (!event) return admin_problem(400, event.error().message);
  const auto ask = page_of(query);
  if (!ask) return admin_problem(400, ask.error().message);
  const AuditFilter filter{.since = range->since,
                           .until = range->until,
                           .event = audit_event_from(*event),
                           .decisions = *event == kDecisions,
                           .layer = query.text("layer"),
                           .limit = query.text("limit"),
                           .user = query.text("user"),
                           .tool = query.text("tool"),
                           .run = query.text("run"),
                           .request_id = query.text("request_id"),
                           .key = query.text("key")};
  const auto page = RecordQueries(call.store).audit(filter, *ask);
  if (!page) return question_refused(page.error());
  const std::shared_ptr<const Ruleset> rules = call.host.rules();
  std::string body;
  JsonWriter json(body);
  json.begin_object().key("rows").begin_array();
  for (const AuditRow& row : page->rows) {
    json.begin_object();
    add_members(json, row);
    json.key("sentence").string(sentence_of(row, rules ? &rules->policy() : nullptr)).end_object();
  }
  json.end_array();
  add_next(json, page->next);
  if (!filter.request_id.empty() && page->rows.empty()) json.key("note").string(kNoSuchRequest);
  json.end_object();
  return admin_json(std::move(body));
}

Reply sums(AdminContext& call) {
  const auto range = call.query.range(call.now);
  if (!range) return admin_problem(400, range.error().message);
  const auto word = call.query.choice("by", "limit|layer|key|event", "limit");
  if (!word) return admin_problem(400, word.error().message);
  const AuditBy by = *word == "layer"   ? AuditBy::kLayer
                     : *word == "key"   ? AuditBy::kKey
                     : *word == "event" ? AuditBy::kEvent
                                        : AuditBy::kLimit;
  const auto event = call.query.choice("event", kDecisions, {});
  if (!event) return admin_problem(400, event.error().message);
  const auto counts = RecordQueries(call.store).audit_sums(range->since, range->until, by, *event == kDecisions);
  if (!counts) return question_refused(counts.error());
  std::string body;
  JsonWriter json(body);
  json.begin_object().key("sums").begin_array();
  for (std::size_t i = 0; i < counts->size() && i < kMaxAuditSums; ++i) {
    json.begin_object().key("group").string((*counts)[i].group).key("count").number((*counts)[i].count).end_object();
  }
  json.end_array().end_object();
  return admin_json(std::move(body));
}

}  // namespace

void add_audit_routes(AdminRouter& router) {
  const std::vector<std::string> filters{"event", "layer", "limit",      "key",       "user",
                                         "tool",  "run",   "request_id", "page_size", "cursor"};
  router.add({"GET", "/admin/v1/audit", AdminRole::kViewer, with_range(filters), rows});
  router.add({"GET", "/admin/v1/audit/sums", AdminRole::kViewer, with_range({"by", "event"}), sums});
}

}  // namespace weir
