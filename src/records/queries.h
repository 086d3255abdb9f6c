// What the admin API asks of the records: sums that need no rows. Hours of the ledger are whole hours of UTC.
//
//   RecordQueries ask(store);
//   Result<std::vector<KeyUse>> day = ask.use_by_key(now - kDay);
//
// Made for one question or many; belongs to the thread of its store, which outlives it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "records/store.h"

namespace weir {

// What a key used, and how often limits refused it.
struct KeyUse {
  std::string key;
  std::int64_t requests = 0, tokens = 0, usd_micros = 0, refused = 0;
  bool operator==(const KeyUse&) const = default;
};

class RecordQueries {
 public:
  explicit RecordQueries(Store& store) : impl_(*store.impl_) {}

  // From the hour of `since` on, whole; by name. Keys that did nothing are left out; callers without a key are "".
  Result<std::vector<KeyUse>> use_by_key(TimeNs since);

 private:
  Store::Impl& impl_;
};

}  // namespace weir
