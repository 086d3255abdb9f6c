#include "gateway/publish.h"

#include <algorithm>
#include <optional>

namespace weir {
namespace {

using What = DecisionEvent::What;

// A limit in mode shadow that would have refused charged nothing.
void fill_pressures(const EventSource& of, DecisionEvent& event) {
  if (of.plan == nullptr || of.decision == nullptr) return;
  const LimitRule* first = event.rules->policy().limits.data();
  const std::size_t count = std::min<std::size_t>(of.plan->demands().size(), of.decision->count);
  for (std::size_t i = 0; i < count; ++i) {
    const Demand& demand = of.plan->demands()[i];
    const PlannedLimit& limit = of.plan->limits()[i];
    const Verdict& verdict = of.decision->verdicts[i];
    const bool charged = of.decision->admitted && !verdict.refuses;
    event.pressures[i] = {
        .limit = static_cast<std::uint16_t>(limit.rule - first),
        .permille = permille_of(verdict.used + verdict.reserved + (charged ? demand.cost : 0), limit.amount),
        .allowed = limit.amount};
    if (demand.shadow && verdict.refuses) event.shadow_limits |= 1u << i;
  }
  event.pressure_count = static_cast<std::uint8_t>(count);
  event.subjects.assign(of.plan->subjects().begin(), of.plan->subjects().end());
  event.demands.assign(of.plan->demands().begin(), of.plan->demands().end());
  event.shadow = of.decision->admitted && event.shadow_limits != 0;
}

void fill(const Services& services, What what, const std::shared_ptr<const Ruleset>& rules, DecisionEvent& event) {
  event.time = services.now;
  event.what = what;
  if (event.rules != rules) event.rules = rules;
}

void fill(const Services& services, What what, const EventSource& of, DecisionEvent& event) {
  fill(services, what, of.rules ? of.rules : services.rules, event);
  event.of_call = of.of_call;
  event.request_id = of.request_id;
  if (of.who.consumer) event.key = of.who.consumer->name;
  event.caller = of.who.caller;
  event.tenant = of.who.tenant;
  event.user = of.who.user;
  event.tier = of.who.tier;
  event.kind = of.who.kind;
  event.agent = of.who.agent;
  event.conversation = of.who.conversation;
  event.run = of.run;
  event.model = of.model;
  event.provider = of.provider;
  event.route = of.route;
}

void fill(const Services& services, What what, const std::shared_ptr<const Ruleset>& rules, const UsageRow& row,
          DecisionEvent& event) {
  fill(services, what, rules, event);
  event.request_id = row.request_id;
  event.key = row.key;
  event.tenant = row.tenant;
  event.user = row.user;
  event.tier = row.tier;
  event.kind = row.kind;
  event.agent = row.agent;
  event.conversation = row.conversation;
  event.run = row.run;
  event.model = row.model;
  event.provider = row.provider;
  event.route = row.route;
}

std::optional<What> what_of(AuditEvent event) {
  switch (event) {
    case AuditEvent::kRefused:
      return What::kRefused;
    case AuditEvent::kWarned:
      return What::kWarned;
    case AuditEvent::kBroken:
      return What::kBroken;
    case AuditEvent::kStripped:
      return What::kStripped;
    case AuditEvent::kDegraded:
    case AuditEvent::kTrust:
    case AuditEvent::kAdmin:
      break;
  }
  return std::nullopt;
}

void fill_audited(const AuditRow& row, DecisionEvent& event) {
  event.layer = row.layer;
  event.limit = row.limit;
  event.evidence = row.evidence;
  event.retry_after_s = row.retry_after_s;
  event.audited = std::make_shared<const AuditRow>(row);
}

}  // namespace

void publish_admitted(Services& services, const EventSource& of, std::int64_t reserved_tokens) {
  if (services.events == nullptr) return;
  services.events->publish([&](DecisionEvent& event) {
    fill(services, What::kAdmitted, of, event);
    event.reserved_tokens = reserved_tokens;
    fill_pressures(of, event);
  });
}

void publish_rejected(Services& services, const EventSource& of, int status, std::string_view message) {
  if (services.events == nullptr) return;
  services.events->publish([&](DecisionEvent& event) {
    fill(services, What::kRejected, of, event);
    event.layer = "entry";
    event.status = status;
    event.evidence = message;
  });
}

void publish_audited(Services& services, const EventSource& of, const AuditRow& row) {
  const std::optional<What> what = what_of(row.event);
  if (services.events == nullptr || !what) return;
  services.events->publish([&](DecisionEvent& event) {
    fill(services, *what, of, event);
    fill_audited(row, event);
    if (*what == What::kRefused) fill_pressures(of, event);
  });
}

void publish_degraded(Services& services, const std::shared_ptr<const Ruleset>& rules, const UsageRow& row,
                      const AuditRow& audited) {
  if (services.events == nullptr) return;
  services.events->publish([&](DecisionEvent& event) {
    fill(services, What::kDegraded, rules, row, event);
    fill_audited(audited, event);
  });
}

void publish_settled(Services& services, const std::shared_ptr<const Ruleset>& rules, const UsageRow& row) {
  if (services.events == nullptr) return;
  services.events->publish([&](DecisionEvent& event) {
    fill(services, What::kSettled, rules, row, event);
    event.input_tokens = row.usage.input();
    event.output_tokens = row.usage.output();
    event.usd_micros = row.usd_micros;
    event.reserved_tokens = row.reserved_tokens;
    event.status = row.status;
  });
}

}  // namespace weir
