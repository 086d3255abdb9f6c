#include "admin/top_keys.h"

#include <algorithm>

namespace weir {

void TopKeys::add(std::string_view key, const LiveCounts& counts) {
  if (key.empty()) return;
  auto found = open_.find(key);
  if (found == open_.end()) {
    if (open_.size() >= kMaxKeys) return;
    found = open_.emplace(std::string(key), LiveCounts{}).first;
  }
  found->second += counts;
}

std::vector<NamedCounts> TopKeys::largest(const Map& counts, std::size_t most) {
  std::vector<NamedCounts> all(counts.begin(), counts.end());
  const auto first = [](const NamedCounts& a, const NamedCounts& b) {
    if (a.second.requests != b.second.requests) return a.second.requests > b.second.requests;
    if (a.second.tokens != b.second.tokens) return a.second.tokens > b.second.tokens;
    return a.first < b.first;
  };
  const std::size_t count = std::min(most, all.size());
  std::partial_sort(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(count), all.end(), first);
  all.resize(count);
  return all;
}

std::vector<NamedCounts> TopKeys::this_second(std::size_t most) const {
  return largest(open_, most);
}

void TopKeys::close() {
  closed_[next_].assign(open_.begin(), open_.end());
  next_ = (next_ + 1) % kSeconds;
  open_.clear();
}

std::vector<NamedCounts> TopKeys::last_minute(std::size_t most) const {
  Map sums = open_;
  for (const auto& second : closed_) {
    for (const auto& [key, counts] : second) sums[key] += counts;
  }
  return largest(sums, most);
}

}  // namespace weir
