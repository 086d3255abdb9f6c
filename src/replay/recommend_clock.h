// Rows of several traces on one calendar, as a replay places them (replay.h): load rows begin at kReplayOrigin, a
// ledger at its own instants, a further trace where the one before had its last row.
//
//   TraceClock clock;
//   clock.begin(*trace);                   // before the first row of each
//   clock.place(row);                      // row.time is an instant of the calendar now
//
// A value that belongs to one thread. Limit: saturates at kMaxReplayTime.
#pragma once

#include <algorithm>

#include "replay/replay.h"

namespace weir {

class TraceClock {
 public:
  void begin(const TraceReader& trace) {
    absolute_ = trace.absolute();
    fresh_ = true;
  }

  void place(TraceRow& row) {
    const TimeNs own = absolute_ ? row.time : kReplayOrigin + row.time;
    if (fresh_) shift_ = std::max<DurationNs>(0, now_ - (absolute_ ? own : kReplayOrigin));
    fresh_ = false;
    row.time = now_ = shift_ > kMaxReplayTime - own ? kMaxReplayTime : own + shift_;
  }

 private:
  bool absolute_ = false, fresh_ = true;  // fresh: no row of the trace yet
  DurationNs shift_ = 0;                  // of the trace
  TimeNs now_ = 0;                        // of the last row of all
};

// Stands for rows that a TraceClock has placed, where a Replay asks for their trace.
class PlacedRows final : public TraceReader {
 public:
  Result<bool> next(TraceRow&) override { return false; }
  bool absolute() const override { return true; }
};

}  // namespace weir
