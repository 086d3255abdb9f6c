// Sums by hour of the rows of one transaction: a group that many rows share is written once.
//
//   HourSums sums;
//   for (const UsageRow& row : rows) sums.add(row);
//   if (!sums.write(upsert, reopen)) …                    // of hour_sums_sql() and day_reopen_sql()
//
// Belongs to src/records and to one transaction; bounded by its rows.
#pragma once

#include <array>
#include <cstdint>
#include <set>
#include <string>
#include <unordered_map>

#include "base/result.h"
#include "model/usage.h"
#include "records/sqlite.h"

namespace weir {

std::string hour_sums_sql();
std::string day_reopen_sql();
// Of the rows of a file that had no sums, in a transaction of the caller's. Hour by hour: grouping all rows at once
// would sort them in a temporary file as large as the ledger.
Result<void> sum_existing_hours(Database& db);

class HourSums {
 public:
  void add(const UsageRow& row);
  bool write(Statement& upsert, Statement& reopen) const;

 private:
  static constexpr std::size_t kSums = 9;
  struct Group {
    const UsageRow* row = nullptr;  // the first of the group
    std::array<std::int64_t, kSums> sums{};
  };
  std::string name_;             // of the row at hand
  std::set<std::int64_t> days_;  // whose sums hold no more
  std::unordered_map<std::string, Group> groups_;
};

}  // namespace weir
