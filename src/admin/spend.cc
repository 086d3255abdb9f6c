// /admin/v1/spend/forecast: what a day, week or month will have cost (admin/forecast.h has the formula).
#include <utility>

#include "admin/forecast.h"
#include "admin/questions.h"
#include "admin/routes.h"
#include "base/json_writer.h"
#include "policy/policy.h"

namespace weir {
namespace {

// Without gaps, from the first hour that had anything.
ForecastFacts facts_of(const std::vector<HourSpend>& spends, TimeNs now) {
  ForecastFacts facts;
  if (spends.empty()) return facts;
  facts.first_hour = spends.front().hour;
  facts.hours.resize(static_cast<std::size_t>(now / kHour - facts.first_hour));
  for (const HourSpend& each : spends)
    facts.hours[static_cast<std::size_t>(each.hour - facts.first_hour)] = each.usd_micros;
  return facts;
}

// Periods are those of the tenant's calendar, as its limits have them.
std::string zone_of(const Policy& policy, const std::string& tenant) {
  const auto own = policy.tenant_zones.find(tenant);
  return own != policy.tenant_zones.end() ? own->second : policy.zone;
}

Reply show(AdminContext& call) {
  const auto word = call.query.choice("period", "day|week|month", "month");
  if (!word) return admin_problem(400, word.error().message);
  const std::string tenant = call.query.text("tenant");
  const std::string zone = zone_of(call.host.rules()->policy(), tenant);
  const auto period = calendar_period(*word, zone, call.now);
  if (!period) return admin_problem(400, period.error().message);
  RecordQueries ask(call.store);
  const auto spends = ask.spend_by_hour(call.now - kForecastDays * kDay, call.now, tenant);
  if (!spends) return question_refused(spends.error());
  UsageFilter so_far{.since = period->start, .until = call.now + 1, .key = {}, .tenant = tenant};
  const auto spent = ask.usage_sums(so_far, SumBy::kAll, 1);
  if (!spent) return question_refused(spent.error());
  ForecastFacts facts = facts_of(*spends, call.now);
  facts.now = call.now;
  facts.until = period->end;
  facts.spent = spent->total.usd_micros;
  const Forecast answer = forecast(facts);
  std::string body;
  JsonWriter json(body);
  json.begin_object().key("period").begin_object().key("start").string(format_rfc3339(period->start));
  json.key("end").string(format_rfc3339(period->end)).key("zone").string(zone).end_object();
  json.key("spent_usd_micros").number(facts.spent);
  for (const auto& [name, value] : {std::pair("forecast_usd_micros", answer.expected),
                                    {"low_usd_micros", answer.low},
                                    {"high_usd_micros", answer.high}}) {
    json.key(name);
    answer.days_seen > 0 ? json.number(value) : json.null();
  }
  json.key("method").string(answer.method).key("days_seen").number(answer.days_seen).end_object();
  return admin_json(std::move(body));
}

}  // namespace

void add_spend_routes(AdminRouter& router) {
  router.add({"GET", "/admin/v1/spend/forecast", AdminRole::kViewer, {"period", "tenant"}, show});
}

}  // namespace weir
