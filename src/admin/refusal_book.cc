#include "admin/refusal_book.h"

#include <utility>

namespace weir {

void RefusalBook::add(TimeNs now, std::string_view limit, std::string_view layer, std::string_view key, bool shadow) {
  add_row({now / kHour, std::string(limit), std::string(layer), std::string(key), shadow}, 1);
  if (shadow) return;
  auto found = recent_.find(limit);
  if (found == recent_.end()) {
    if (recent_.size() >= kMaxLimits) return;
    found = recent_.emplace(std::string(limit), Minutes{}).first;
  }
  const std::int64_t minute = now / kMinute;
  const std::size_t slot = static_cast<std::size_t>(minute) % kMinutes;
  if (std::exchange(found->second.minute[slot], minute) != minute) found->second.count[slot] = 0;
  ++found->second.count[slot];
}

void RefusalBook::add_row(Row row, std::int64_t count) {
  if (waiting_.size() >= kMaxWaiting && !waiting_.contains(row)) {
    std::get<3>(row).clear();
    constexpr std::size_t kRoomWithoutKey = kMaxWaiting / 8;
    if (waiting_.size() >= kMaxWaiting + kRoomWithoutKey && !waiting_.contains(row)) return;
  }
  waiting_[std::move(row)] += count;
}

std::vector<RefusalHour> RefusalBook::take() {
  std::vector<RefusalHour> out;
  out.reserve(waiting_.size());
  for (const auto& [row, count] : waiting_) {
    const auto& [hour, limit, layer, key, shadow] = row;
    out.push_back({.hour = hour, .limit = limit, .layer = layer, .key = key, .shadow = shadow, .count = count});
  }
  waiting_.clear();
  return out;
}

void RefusalBook::give_back(std::vector<RefusalHour> rows) {
  for (RefusalHour& row : rows) {
    add_row({row.hour, std::move(row.limit), std::move(row.layer), std::move(row.key), row.shadow}, row.count);
  }
}

std::int64_t RefusalBook::last_hour(std::string_view limit, TimeNs now) const {
  const auto found = recent_.find(limit);
  if (found == recent_.end()) return 0;
  std::int64_t sum = 0;
  for (std::size_t i = 0; i < kMinutes; ++i) {
    if (found->second.minute[i] > now / kMinute - static_cast<std::int64_t>(kMinutes)) sum += found->second.count[i];
  }
  return sum;
}

}  // namespace weir
