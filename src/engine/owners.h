// How many live records each owner has, so that nobody fills the table through attributes it asserts itself.
//
//   std::uint32_t handle = owners.acquire(owner);   // kNoOwner: the owner has kMaxChildren already
//   owners.release(handle);
//
// Thread-safe; takes no other lock.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "engine/spin_lock.h"
#include "weir/limiter.h"

namespace weir::engine {

struct HashOfKey {
  // Ids need not be random, so every bit of them reaches every bit of the result.
  std::size_t operator()(const Hash128& key) const {
    const std::uint64_t mixed = (key.low ^ (key.high >> 32) ^ (key.high << 32)) * 0x9E3779B97F4A7C15ull;
    return (mixed ^ (mixed >> 32)) * 0xD6E8FEB86659FD93ull >> 8;
  }
};

class Owners {
 public:
  static constexpr std::uint32_t kNoOwner = 0;

  std::uint32_t acquire(const Hash128& owner) {
    const SpinGuard guard(lock_);
    std::uint32_t& handle = handles_[owner];
    if (handle == kNoOwner) handle = new_entry(owner);
    Entry& entry = entries_[handle];
    if (entry.live >= kMaxChildren) return kNoOwner;
    ++entry.live;
    return handle;
  }

  void release(std::uint32_t handle) {
    if (handle == kNoOwner) return;
    const SpinGuard guard(lock_);
    Entry& entry = entries_[handle];
    if (--entry.live > 0) return;
    handles_.erase(entry.key);
    free_.push_back(handle);
  }

  bool full(const Hash128& owner) const {
    const SpinGuard guard(lock_);
    const auto found = handles_.find(owner);
    return found != handles_.end() && entries_[found->second].live >= kMaxChildren;
  }

  Hash128 key_of(std::uint32_t handle) const {
    if (handle == kNoOwner) return {};
    const SpinGuard guard(lock_);
    return entries_[handle].key;
  }

 private:
  struct Entry {
    Hash128 key;
    std::uint32_t live = 0;
  };

  std::uint32_t new_entry(const Hash128& owner) WEIR_REQUIRES(lock_) {
    if (free_.empty()) {
      entries_.push_back({.key = owner});
      return static_cast<std::uint32_t>(entries_.size() - 1);
    }
    const std::uint32_t handle = free_.back();
    free_.pop_back();
    entries_[handle] = {.key = owner};
    return handle;
  }

  mutable SpinLock lock_;
  std::unordered_map<Hash128, std::uint32_t, HashOfKey> handles_ WEIR_GUARDED_BY(lock_);
  std::vector<Entry> entries_ WEIR_GUARDED_BY(lock_) = std::vector<Entry>(1);  // 0 is kNoOwner
  std::vector<std::uint32_t> free_ WEIR_GUARDED_BY(lock_);
};

}  // namespace weir::engine
