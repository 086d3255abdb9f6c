// A map with a bound: what was used least recently makes room for what is new.
//
//   LruMap<std::uint64_t, Entry> map(20'000);
//   Entry& entry = map.touch(key);            // found or made, now the most recent
//   if (const Entry* known = map.find(key)) …
//
// Not thread-safe; a reference stays valid until the next touch(). O(1) a call.
#pragma once

#include <cstddef>
#include <functional>
#include <list>
#include <unordered_map>
#include <utility>

namespace weir {

template <class Key, class Value, class Hash = std::hash<Key>>
class LruMap {
 public:
  explicit LruMap(std::size_t most) : most_(most) {}

  Value& touch(const Key& key) {
    const auto found = index_.find(key);
    if (found != index_.end()) {
      order_.splice(order_.begin(), order_, found->second);
      return order_.front().second;
    }
    if (order_.size() >= most_) {
      index_.erase(order_.back().first);
      order_.pop_back();
    }
    order_.emplace_front(key, Value{});
    index_.emplace(key, order_.begin());
    return order_.front().second;
  }

  // Does not count as a use.
  const Value* find(const Key& key) const {
    const auto found = index_.find(key);
    return found == index_.end() ? nullptr : &found->second->second;
  }

  std::size_t size() const { return order_.size(); }

 private:
  using Order = std::list<std::pair<Key, Value>>;
  std::size_t most_;
  Order order_;  // most recent first
  std::unordered_map<Key, typename Order::iterator, Hash> index_;
};

}  // namespace weir
