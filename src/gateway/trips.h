// A breaker's trip in the words of refusals, headers and the audit.
#pragma once

#include <string>

#include "behavior/guard.h"
#include "gateway/publish.h"
#include "gateway/services.h"
#include "model/refusal.h"

namespace weir {

// Layer `breaker`; `per` names the run, or who else was stopped.
Refusal refusal_of(const Trip& trip, const Entry& entry, const Identity& who, std::string_view tool, TimeNs now);
// "Breaker `repeats`: `search` was called 5 times …. Try again in 30 s."
std::string message_of(const Trip& trip);
// "repeats; used=3; allowed=5", as in X-Weir-Warning.
std::string warning_of(const Trip& trip);

// One row of the audit for a trip: kBroken when something was stopped, else as the note says.
void audit_trip(Services& services, AuditEvent event, const Trip& trip, const Entry& entry, std::string_view tool,
                const EventSource& of);
// The caller may not use the tool.
Refusal denial_of(const Identity& who, std::string_view tool);

}  // namespace weir
