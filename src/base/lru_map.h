// A map with a bound: what was used least recently makes room for what is new.
//
//   LruMap<std::uint64_t, Entry> map(20'000);
//   Entry& entry = map.touch(key);            // found or made, now the most recent
//   if (Entry* known = map.use(key)) …        // likewise, but never made
//   if (const Entry* known = map.find(key)) …
//
// Not thread-safe; a reference stays valid until its entry is forgotten or erased. O(1) a call. A key may be looked for
// by anything that a transparent Hash takes, such as a std::string_view.
#pragma once

#include <cstddef>
#include <functional>
#include <list>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <utility>

namespace weir {

// Of texts: looks for a std::string by a view of it.
struct TextHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
};

template <class Key, class Value, class Hash = std::hash<Key>>
class LruMap {
 public:
  explicit LruMap(std::size_t most) : most_(most) {}

  template <class Like = Key>
  Value& touch(const Like& key) {
    if (Value* known = use(key)) return *known;
    if (order_.size() >= most_) {
      index_.erase(order_.back().first);
      order_.pop_back();
    }
    order_.emplace_front(std::piecewise_construct, std::forward_as_tuple(key), std::forward_as_tuple());
    index_.emplace(order_.front().first, order_.begin());
    return order_.front().second;
  }

  template <class Like = Key>
  Value* use(const Like& key) {
    const auto found = index_.find(key);
    if (found == index_.end()) return nullptr;
    order_.splice(order_.begin(), order_, found->second);
    return &order_.front().second;
  }

  // Does not count as a use.
  template <class Like = Key>
  const Value* find(const Like& key) const {
    const auto found = index_.find(key);
    return found == index_.end() ? nullptr : &found->second->second;
  }

  template <class Like = Key>
  void erase(const Like& key) {
    const auto found = index_.find(key);
    if (found == index_.end()) return;
    order_.erase(found->second);
    index_.erase(found);
  }

  std::size_t size() const { return order_.size(); }

  // Pairs of key and value, the most recent first.
  auto begin() const { return order_.begin(); }
  auto end() const { return order_.end(); }

 private:
  using Order = std::list<std::pair<const Key, Value>>;
  std::size_t most_;
  Order order_;  // most recent first
  std::unordered_map<Key, typename Order::iterator, Hash, std::equal_to<>> index_;
};

}  // namespace weir
