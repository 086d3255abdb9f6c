// Every refusal leaves evidence: an audit row in the journal, summed under flood. So does every ladder that was
// applied.
#pragma once

#include <string>

#include "gateway/publish.h"
#include "gateway/services.h"
#include "model/refusal.h"

namespace weir {

// Any event with the numbers of a refusal: a refusal, a warning, a break, a stripped tool. Those who watch see it too.
void audit_event(Services& services, AuditEvent event, const Refusal& refusal, const EventSource& of,
                 std::string evidence);

// Any other event: warned, broken, stripped, trust. Summed under flood like refusals; the time and the policy's version
// are filled in where the row has none.
void audit_note(Services& services, AuditRow row);

// An admitted call whose row says how it was degraded; `state`: what the ladder saw of its limit. Summed like refusals.
void note_degraded(Services& services, const UsageRow& row, const std::shared_ptr<const Ruleset>& rules,
                   const Refusal& state);

// Writes the sums of seconds that are over; `all` at shutdown.
void flush_audit(Services& services, bool all);

}  // namespace weir
