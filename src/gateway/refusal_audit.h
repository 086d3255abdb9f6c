// Every refusal leaves evidence: an audit row in the journal, summed under flood.
#pragma once

#include <string>

#include "gateway/services.h"
#include "model/refusal.h"

namespace weir {

void audit_refusal(Services& services, const Refusal& refusal, const std::string& key, const std::string& request_id);

// Writes the sums of seconds that are over; `all` at shutdown.
void flush_audit(Services& services, bool all);

}  // namespace weir
