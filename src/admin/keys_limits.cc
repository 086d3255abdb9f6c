// /admin/v1/keys/{name}/limits: the limits that hold for a plain request of this key now, and how full they are.
#include <fmt/format.h>

#include <algorithm>

#include "admin/routes.h"
#include "base/json_writer.h"
#include "gateway/identity.h"

namespace weir {
namespace {

bool in_dollars(const LimitRule& rule) {
  return std::all_of(rule.meter.begin(), rule.meter.end(),
                     [](const MeterTerm& term) { return term.kind == MeterKind::kUsd; });
}

void write(JsonWriter& json, const PlannedLimit& limit, const Verdict& verdict, const std::string& words, TimeNs now) {
  const bool dollars = in_dollars(*limit.rule);
  const auto amount = [&](const char* name, std::int64_t n) {
    json.key(name);
    dollars ? json.raw(decimal_usd(n)) : json.number(n);
  };
  const bool slots = limit.window->kind == WindowKind::kConcurrency;
  const std::int64_t all = verdict.used + verdict.reserved;
  json.begin_object().key("name").string(limit.rule->name).key("layer").string(to_string(limit.rule->layer));
  json.key("meter").string(limit.rule->meter_name).key("window");
  limit.window->label.empty() ? json.null() : json.string(limit.window->label);
  amount("allowed", limit.amount);
  amount("used", slots ? all : verdict.used);
  amount("reserved", slots ? 0 : verdict.reserved);
  amount("remaining", std::max<std::int64_t>(0, limit.amount - all));
  json.key("ratio").raw(fmt::format("{:.4f}", limit.amount > 0
                                                  ? static_cast<double>(all) / static_cast<double>(limit.amount)
                                              : all > 0 ? 1.0
                                                        : 0.0));
  const TimeNs reset = limit.window->kind == WindowKind::kCalendar ? limit.period.end : verdict.reset_at;
  json.key("reset_at");
  reset > now ? json.string(format_rfc3339(reset, 3)) : json.null();
  json.key("shadow").boolean(limit.rule->shadow).key("words").string(words).end_object();
}

Reply limits(AdminContext& call) {
  const auto found = call.store.find_consumer(call.name());
  if (!found) return admin_store_failed(found.error());
  if (!*found) return admin_problem(404, "There is no key named " + call.name() + ".");
  const auto rules = call.host.rules();
  Identity identity;
  act_for(rules->policy(), std::make_shared<const Consumer>(**found), identity);
  const Headers no_headers;
  Attributes attributes;
  fill_attributes(identity, no_headers, attributes);
  attributes.trust_permille = call.host.guard().trust_permille(caller_of(identity, call.host.subject_secret()),
                                                               rules->policy().behavior.trust, call.now);
  Plan plan;
  if (const auto fault = rules->plan(attributes, Costs{}, call.now, plan)) plan.clear();
  const auto state = call.host.peek(plan, call.now);
  if (!state) return admin_problem(503, "The counters cannot be read: " + state.error().message + ".");
  const std::vector<std::string> words = rules->explain(plan, attributes, nullptr, call.now);  // use is in the numbers
  std::string out;
  JsonWriter json(out);
  json.begin_object().key("key").string(call.name()).key("tier").string(identity.tier);
  json.key("trust").real(attributes.trust_permille / 1000.0).key("limits").begin_array();
  for (std::size_t i = 0; i < plan.limits().size() && i < state->count; ++i) {
    write(json, plan.limits()[i], state->verdicts[i], words[i], call.now);
  }
  json.end_array().end_object();
  return admin_json(std::move(out));
}

}  // namespace

void add_key_limit_routes(AdminRouter& router) {
  router.add({"GET", "/admin/v1/keys/{name}/limits", AdminRole::kViewer, {}, limits});
}

}  // namespace weir
