// Tells those who watch what became of a request. Nobody watches: nothing is built.
//
//   const EventSource of{.rules = rules_, .request_id = id, .who = identity, .run = run, .route = route};
//   publish_admitted(services, of, reserved_tokens);
//   publish_settled(services, rules_, row);
//
// Functions of a worker's thread; everything is copied.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "gateway/event_feed.h"
#include "gateway/identity.h"
#include "gateway/services.h"
#include "model/usage.h"

namespace weir {

// Who and what an event is about. Views of the caller's; unknown ones are empty.
struct EventSource {
  const std::shared_ptr<const Ruleset>& rules;
  std::string_view request_id;
  const Identity& who;
  std::string_view run{}, model{}, provider{}, route{};
  bool of_call = false;  // see DecisionEvent
  // What the counters said, of admissions and refusals by a limit.
  const Plan* plan = nullptr;
  const Decision* decision = nullptr;
};

void publish_admitted(Services& services, const EventSource& of, std::int64_t reserved_tokens);
void publish_rejected(Services& services, const EventSource& of, int status, std::string_view message);
// Refused, broken, warned, stripped: as the audit has it. Other rows are of no interest here.
void publish_audited(Services& services, const EventSource& of, const AuditRow& row);
void publish_degraded(Services& services, const std::shared_ptr<const Ruleset>& rules, const UsageRow& row,
                      const AuditRow& audited);
void publish_settled(Services& services, const std::shared_ptr<const Ruleset>& rules, const UsageRow& row);

}  // namespace weir
