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
  if (row.event == AuditEvent::kAdmin || row.event == AuditEvent::kDegraded) {
    out.push_back(std::move(row));
    return;
  }
  const std::lock_guard lock(mutex_);
  // Time that went backwards belongs to the second already begun, else it would open the sums anew.
  if (now / kSecond > second_) {
    close_second(out);
    second_ = now / kSecond;
  }
  std::string name(1, static_cast<char>(row.event));
  for (const std::string* part : {&row.key, &row.limit, &row.tool}) name.append(*part).push_back('\0');
  auto found = pairs_.find(name);
  if (found == pairs_.end()) {
    if (pairs_.size() >= kMaxAuditPairs) {
      for (std::string* text : {&row.key, &row.limit, &row.user, &row.tool, &row.run, &row.agent}) text->clear();
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
