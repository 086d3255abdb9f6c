#include "api/holds_per_key.h"

namespace weir {

bool HoldsPerKey::take(const std::string& key) {
  const MutexLock guard(mutex_);
  std::uint32_t& open = open_[key];
  if (open >= kMaxHoldsPerKey) return false;
  ++open;
  return true;
}

void HoldsPerKey::adopt(const std::string& key) {
  const MutexLock guard(mutex_);
  ++open_[key];
}

void HoldsPerKey::give_back(const std::string& key) {
  const MutexLock guard(mutex_);
  const auto found = open_.find(key);
  if (found != open_.end() && --found->second == 0) open_.erase(found);
}

std::uint32_t HoldsPerKey::open(const std::string& key) const {
  const MutexLock guard(mutex_);
  const auto found = open_.find(key);
  return found == open_.end() ? 0 : found->second;
}

std::size_t HoldsPerKey::keys() const {
  const MutexLock guard(mutex_);
  return open_.size();
}

}  // namespace weir
