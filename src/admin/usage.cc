// /admin/v1/usage…: rows of the ledger, sums and series.
#include <algorithm>
#include <iterator>

#include "admin/questions.h"
#include "admin/routes.h"
#include "base/json_writer.h"
#include "records/row_json.h"

namespace weir {
namespace {

constexpr std::size_t kMaxTopGroups = 1000, kMaxTopSeries = 50;  // `top` of sums and of series
constexpr std::string_view kSumWords = "key|tenant|user|tier|model|provider|agent|run|day|hour";
constexpr std::string_view kNames[] = {"key", "tenant", "user", "tier", "model", "provider"};  // that can be without

// The names that every question about usage may give, with `more`.
std::vector<std::string> parameters(std::initializer_list<const char*> more) {
  std::vector<std::string> out{"key",      "tenant", "user", "tier",         "model",
                               "provider", "agent",  "run",  "conversation", "without"};
  out.insert(out.end(), more.begin(), more.end());
  return with_range(std::move(out));
}

Result<UsageFilter> filter_of(const AdminContext& call) {
  const auto range = call.query.range(call.now);
  if (!range) return std::unexpected(range.error());
  const AdminQuery& query = call.query;
  const std::string words = query.text("without");
  UsageFilter filter{.since = range->since,
                     .until = range->until,
                     .key = query.text("key"),
                     .tenant = query.text("tenant"),
                     .user = query.text("user"),
                     .tier = query.text("tier"),
                     .model = query.text("model"),
                     .provider = query.text("provider"),
                     .agent = query.text("agent"),
                     .run = query.text("run"),
                     .conversation = query.text("conversation")};
  for (std::string_view rest = words; !rest.empty();) {
    const std::string_view word = rest.substr(0, rest.find(','));
    if (std::ranges::find(kNames, word) == std::end(kNames) || rest.ends_with(',')) {
      return fail("`without` must be one or more of key, tenant, user, tier, model, provider, separated by commas.");
    }
    filter.without.emplace_back(word);
    rest.remove_prefix(std::min(rest.size(), word.size() + 1));
  }
  return filter;
}

Reply rows(AdminContext& call) {
  const auto filter = filter_of(call);
  if (!filter) return admin_problem(400, filter.error().message);
  const auto ask = page_of(call.query);
  if (!ask) return admin_problem(400, ask.error().message);
  const auto page = RecordQueries(call.store).usage(*filter, *ask);
  if (!page) return question_refused(page.error());
  std::string body;
  JsonWriter json(body);
  json.begin_object().key("rows").begin_array();
  for (const UsageRow& row : page->rows) {
    json.begin_object();
    add_members(json, row);
    json.end_object();
  }
  json.end_array();
  add_next(json, page->next);
  json.end_object();
  return admin_json(std::move(body));
}

// A group's own name may be "other" too: then there is a second one, the last, of the rest.
Reply sums(AdminContext& call) {
  const auto filter = filter_of(call);
  if (!filter) return admin_problem(400, filter.error().message);
  const auto word = call.query.choice("by", kSumWords, {});
  const auto top = call.query.number("top", 1, kMaxTopGroups, 50);
  if (!word || !top) return admin_problem(400, (!word ? word.error() : top.error()).message);
  const auto by = sum_by_from(*word);
  if (!by) return admin_problem(400, "`by` must be given: one of " + std::string(kSumWords) + ".");
  const auto sums = RecordQueries(call.store).usage_sums(*filter, *by, static_cast<std::size_t>(*top));
  if (!sums) return question_refused(sums.error());
  std::string body;
  JsonWriter json(body);
  json.begin_object().key("sums").begin_array();
  for (const UsageSum& sum : sums->sums) {
    const bool rest = sums->others > 0 && &sum == &sums->sums.back();
    json.begin_object().key("group").string(rest ? "other" : sum.group);
    add_members(json, sum);
    json.end_object();
  }
  json.end_array().key("total").begin_object();
  add_members(json, sums->total);
  json.end_object().end_object();
  return admin_json(std::move(body));
}

void add_values(JsonWriter& json, const char* name, const std::vector<std::int64_t>& values) {
  json.key(name);
  if (values.empty()) {
    json.null();
    return;
  }
  json.begin_array();
  for (const std::int64_t value : values) json.number(value);
  json.end_array();
}

Reply series(AdminContext& call) {
  const auto filter = filter_of(call);
  if (!filter) return admin_problem(400, filter.error().message);
  const auto word = call.query.choice("by", kSumWords, {});
  const auto step = call.query.choice("step", "hour|day", "hour");
  const auto top = call.query.number("top", 1, kMaxTopSeries, 8);
  for (const auto* wrong : {&word, &step}) {
    if (!*wrong) return admin_problem(400, wrong->error().message);
  }
  if (!top) return admin_problem(400, top.error().message);
  const auto series = RecordQueries(call.store)
                          .usage_series(*filter, sum_by_from(*word).value_or(SumBy::kAll),
                                        *step == "day" ? kDay : kHour, static_cast<std::size_t>(*top));
  if (!series) return question_refused(series.error());
  std::string body;
  JsonWriter json(body);
  json.begin_object().key("step").string(*step).key("times").begin_array();
  for (const TimeNs time : series->times) json.string(format_rfc3339(time));
  json.end_array().key("series").begin_array();
  for (const SeriesGroup& group : series->groups) {
    json.begin_object().key("group").string(group.rest ? "other" : group.group);
    add_values(json, "requests", group.requests);
    add_values(json, "tokens", group.tokens);
    add_values(json, "usd_micros", group.usd_micros);
    add_values(json, "refused", group.refused);
    json.end_object();
  }
  json.end_array().end_object();
  return admin_json(std::move(body));
}

}  // namespace

void add_usage_routes(AdminRouter& router) {
  router.add({"GET", "/admin/v1/usage", AdminRole::kViewer, parameters({"page_size", "cursor"}), rows});
  router.add({"GET", "/admin/v1/usage/sums", AdminRole::kViewer, parameters({"by", "top"}), sums});
  router.add({"GET", "/admin/v1/usage/series", AdminRole::kViewer, parameters({"by", "step", "top"}), series});
}

}  // namespace weir
