#include "journal/audit_sum.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/time.h"

namespace weir {

void AuditSum::sum(Pair& pair, AuditRow row) {
  const auto of_user = [&pair](const std::string& user) {
    return std::find_if(pair.sums.begin(), pair.sums.end(), [&](const AuditRow& sum) { return sum.user == user; });
  };
  auto found = of_user(row.user);
  const bool many = pair.sums.size() >= kMaxSummedUsers || (!pair.sums.empty() && sums_ >= 2 * kMaxAuditPairs);
  if (found == pair.sums.end() && many) {
    for (std::string* text : {&row.user, &row.run, &row.agent}) text->clear();
    row.per_json = "{}";
    found = of_user(row.user);
  }
  if (found != pair.sums.end()) {
    found->count += row.count;
    return;
  }
  ++sums_;
  pair.sums.push_back(std::move(row));
}

// Time that goes back by a second belongs to the one already begun, else workers that are a little apart would open the
// sums again and again. A clock that was set back by more begins anew: the sums would wait for the old time.
bool AuditSum::another_second(TimeNs now) const {
  return now / kSecond > second_ || now / kSecond + 1 < second_;
}

void AuditSum::close_second(std::vector<AuditRow>& out) {
  for (auto& [name, pair] : pairs_) {
    std::move(pair.sums.begin(), pair.sums.end(), std::back_inserter(out));
  }
  std::move(others_.sums.begin(), others_.sums.end(), std::back_inserter(out));
  pairs_.clear();
  sums_ = 0;
  others_ = Pair{};
}

void AuditSum::add(AuditRow row, TimeNs now, std::vector<AuditRow>& out) {
  if (row.event == AuditEvent::kAdmin) {
    out.push_back(std::move(row));
    return;
  }
  const MutexLock lock(mutex_);
  if (another_second(now)) {
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
      sum(others_, std::move(row));
      return;
    }
    found = pairs_.emplace(std::move(name), Pair{}).first;
  }
  Pair& pair = found->second;
  if (pair.passed < singles_per_second_) {
    ++pair.passed;
    out.push_back(std::move(row));
  } else {
    sum(pair, std::move(row));
  }
}

void AuditSum::flush(TimeNs now, std::vector<AuditRow>& out, bool all) {
  const MutexLock lock(mutex_);
  const bool over = another_second(now);
  if (!all && !over) return;
  close_second(out);
  if (over) second_ = now / kSecond;
}

}  // namespace weir
