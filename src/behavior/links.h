// What leads from an id to a run: call ids, answer ids, turns, announced calls, each hashed under its owner.
//
//   Links links(1'000'000);
//   links.put(key, {.run = ref, .depth = 1}, owner);     // one link per key: the last
//   if (auto link = links.find(key)) …link->run…
//   links.push(key, {.run = ref}, owner);                // several per key: each taken once, the oldest first
//   if (auto link = links.take(key)) …  links.give_back(key, link->run);
//
// Bounded: once it is full, the oldest goes first, but of those kMaxLooks oldest it is one of whose owner has most, so
// that no owner pushes out the links of others. Owners are told apart by kOwners buckets of their hash. A link to a run
// that is gone is told by the run's generation. 24 bytes a link and some for the index. Not thread-safe; belongs to a
// stripe.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace weir {

// Where a run lies.
struct RunRef {
  std::uint32_t slot = 0;
  std::uint32_t generation = 0;  // 0: no run
  std::uint16_t stripe = 0;
  explicit operator bool() const { return generation != 0; }
  bool operator==(const RunRef&) const = default;
};

struct Link {
  RunRef run;
  std::uint16_t depth = 0;  // of the request that made the link; at most Links::kMaxDepth
};

class Links {
 public:
  static constexpr std::size_t kMaxSame = 8;  // of one key
  static constexpr std::uint32_t kMaxLooks = 32;
  static constexpr std::size_t kOwners = 2048;
  static constexpr std::uint16_t kMaxDepth = (1U << 14) - 1;

  explicit Links(std::size_t most) : most_(most == 0 ? 1 : most) {}

  void put(std::uint64_t key, const Link& link, std::uint64_t owner);
  std::optional<Link> find(std::uint64_t key) const;

  // Beside those that the key has; of kMaxSame the oldest gives way. `once`: not if it has one to that run.
  void push(std::uint64_t key, const Link& link, std::uint64_t owner, bool once);
  std::optional<Link> take(std::uint64_t key);         // the oldest that was not taken
  bool take_of(std::uint64_t key, const RunRef& run);  // the newest such of this run; false: none
  void give_back(std::uint64_t key, const RunRef& run);
  std::vector<Link> all(std::uint64_t key) const;  // taken or not, the newest first

  std::size_t size() const { return entries_.size(); }
  std::size_t bytes() const {
    return entries_.capacity() * sizeof(Entry) + (heads_.capacity() + counts_.capacity()) * sizeof(std::uint32_t);
  }

 private:
  static constexpr std::uint32_t kNone = 0xffffffff;
  struct Entry {
    std::uint64_t key = 0;
    std::uint32_t slot = 0, generation = 0;
    std::uint32_t stripe : 6 = 0, depth : 14 = 0, owner : 11 = 0, taken : 1 = 0;
    std::uint32_t next = kNone;  // with the same head, the newest first

    Link link() const;
    bool leads_to(const RunRef& run) const;
    void set(const Link& to, std::uint32_t of);
  };
  static_assert(sizeof(Entry) == 24);

  std::uint32_t& head(std::uint64_t key) { return heads_[key & (heads_.size() - 1)]; }
  std::uint32_t index_of(std::uint64_t key) const;
  std::uint32_t next_of(std::uint32_t index) const;  // with the same key
  std::uint32_t new_entry(std::uint64_t key);
  std::uint32_t oldest_of_the_richest();
  void chain(std::uint32_t index);
  void unlink(std::uint32_t index);
  void grow_heads();
  void set(Entry& entry, const Link& link, std::uint64_t owner);

  std::size_t most_;
  std::vector<Entry> entries_;  // a ring once it is full
  std::vector<std::uint32_t> heads_;
  std::vector<std::uint32_t> counts_;  // of owners; from when it is full
  std::uint32_t oldest_ = 0;
};

}  // namespace weir
