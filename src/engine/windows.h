// The kinds of windows behind cell.h, one pair of functions each. Internal to cell.cc and its siblings.
#pragma once

#include "engine/cell.h"
#include "engine/rate_scale.h"

namespace weir::engine {

Assessment assess_bucket(const BucketCell* cell, TimeNs t, const Quota& quota, std::int64_t cost, std::int64_t pending);
Booked charge_bucket(BucketCell& cell, const Booking& booking);

Assessment assess_calendar(const CalendarCell* cell, TimeNs t, const Quota& quota, std::int64_t cost);
Booked charge_calendar(CalendarCell& cell, const Booking& booking);

Assessment assess_log(const Def& def, const LogCell* cell, TimeNs t, std::int64_t amount, std::int64_t cost);
Booked charge_log(const Def& def, LogCell& cell, const Booking& booking);
std::int64_t give_back_log(const Def& def, LogCell& cell, TimeNs t, const Charge& charge);
void insert_log(const Def& def, LogCell& cell, const Charge& charge);

Assessment assess_ring(const Def& def, const RingCell& cell, TimeNs t, std::int64_t amount, std::int64_t cost);
Booked charge_ring(const Def& def, RingCell& cell, const Booking& booking);
std::int64_t give_back_ring(const Def& def, RingCell& cell, TimeNs t, const Charge& charge);
std::int64_t ring_total(const Def& def, const RingCell& cell, TimeNs t);
void insert_ring(const Def& def, RingCell& cell, const Charge& charge);
std::vector<Charge> ring_contents(const Def& def, const RingCell& cell, TimeNs newest);

}  // namespace weir::engine
