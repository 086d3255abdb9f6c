#include "api/limits_json.h"

#include <algorithm>

#include "base/json_writer.h"
#include "gateway/reply.h"

namespace weir {
namespace {

bool in_dollars(const LimitRule& rule) {
  return std::all_of(rule.meter.begin(), rule.meter.end(),
                     [](const MeterTerm& t) { return t.kind == MeterKind::kUsd; });
}

}  // namespace

void append_limits_json(const Plan& plan, const Decision& decision, TimeNs now, std::string& out) {
  JsonWriter json(out);
  json.begin_array();
  for (std::size_t i = 0; i < plan.limits().size() && i < decision.count; ++i) {
    const PlannedLimit& limit = plan.limits()[i];
    const Verdict& v = decision.verdicts[i];
    const bool dollars = in_dollars(*limit.rule);
    const auto amount = [&](const char* name, std::int64_t n) {
      json.key(name);
      dollars ? json.raw(decimal_usd(n)) : json.number(n);
    };
    json.begin_object();
    json.key("name").string(limit.rule->name);
    json.key("layer").string(to_string(limit.rule->layer));
    json.key("meter").string(limit.rule->meter_name);
    json.key("window");
    limit.window->label.empty() ? json.null() : json.string(limit.window->label);
    amount("allowed", limit.amount);
    amount("used", limit.window->kind == WindowKind::kConcurrency ? v.used + v.reserved : v.used);
    amount("reserved", limit.window->kind == WindowKind::kConcurrency ? 0 : v.reserved);
    amount("remaining", std::max<std::int64_t>(0, limit.amount - v.used - v.reserved));
    json.key("reset_at");
    const TimeNs reset = limit.window->kind == WindowKind::kCalendar ? limit.period.end : v.reset_at;
    reset > now ? json.string(format_rfc3339(reset, 3)) : json.null();
    json.end_object();
  }
  json.end_array();
}

}  // namespace weir
