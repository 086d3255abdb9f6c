// Where `weir recommend` has its rows from: the ledger or traces, read as often as asked.
//
//   Result<RecordedRows> rows = rows_of_ledger(dir, since, now);
//   rows->each(progress, "reading", [&](const TraceRow& row) -> Result<void> { … });
//
// Every pass gives the same rows, in the order of time, with instants of the calendar (replay/recommend_clock.h); rows
// that arrive while the ledger is read are none of them. Belongs to one thread. Memory: one trace at a time.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "app/progress.h"
#include "base/result.h"
#include "replay/recommend_exclusions.h"
#include "replay/recorded_keys.h"
#include "replay/trace.h"

namespace weir {

struct RecordedRows {
  using Row = std::function<Result<void>(const TraceRow&)>;
  std::function<Result<void>(Progress&, std::string_view what, const Row&)> each;
  Exclusions excluded;  // what the audit says against some of them
  std::shared_ptr<RecordedKeys> keys;
};

Result<RecordedRows> rows_of_ledger(const std::string& dir, TimeNs since, TimeNs now);
RecordedRows rows_of_traces(std::vector<std::string> paths, std::shared_ptr<RecordedKeys> keys);

}  // namespace weir
