#include "journal/audit_sum.h"

#include <utility>

#include "base/time.h"

namespace weir {

void AuditSum::Pair::add(AuditRow row) {
  if (summed) {
    sum.count += row.count;
    return;
  }
  summed = true;
  sum = std::move(row);
}

void AuditSum::close_second(std::vector<AuditRow>& out) {
  for (auto& [name, pair] : pairs_) {
    if (pair.summed) out.push_back(std::move(pair.sum));
  }
  if (others_.summed) out.push_back(std::move(others_.sum));
  pairs_.clear();
  others_ = Pair{};
}

void AuditSum::add(AuditRow row, TimeNs now, std::vector<AuditRow>& out) {
  if (row.event != AuditEvent::kRefused) {
    out.push_back(std::move(row));
    return;
  }
  const std::lock_guard lock(mutex_);
  // Time that went backwards belongs to the second already begun, else it would open the sums anew.
  if (now / kSecond > second_) {
    close_second(out);
    second_ = now / kSecond;
  }
  std::string name = row.key;
  name += '\0';
  name += row.limit;
  auto found = pairs_.find(name);
  if (found == pairs_.end()) {
    if (pairs_.size() >= kMaxAuditPairs) {
      row.key.clear();
      row.limit.clear();
      row.per_json = "{}";
      others_.add(std::move(row));
      return;
    }
    found = pairs_.emplace(std::move(name), Pair{}).first;
  }
  Pair& pair = found->second;
  if (pair.passed < singles_per_second_) {
    ++pair.passed;
    out.push_back(std::move(row));
  } else {
    pair.add(std::move(row));
  }
}

void AuditSum::flush(TimeNs now, std::vector<AuditRow>& out, bool all) {
  const std::lock_guard lock(mutex_);
  if (!all && now / kSecond <= second_) return;
  close_second(out);
  if (now / kSecond > second_) second_ = now / kSecond;
}

}  // namespace weir
