// What leads from an id to a run: call ids, answer ids, turns, announced calls, each hashed under its owner.
//
//   Links links(1'000'000);
//   links.put(key, {.run = ref, .depth = 1});
//   if (auto link = links.find(key)) …link->run…
//
// Bounded: the oldest goes first; a link to a run that is gone is told by the run's generation. 24 bytes a link and
// some for the index. Not thread-safe; belongs to a stripe.
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
  std::uint16_t depth = 0;  // of the request that made the link
};

class Links {
 public:
  explicit Links(std::size_t most) : most_(most == 0 ? 1 : most) {}

  void put(std::uint64_t key, const Link& link);
  std::optional<Link> find(std::uint64_t key) const;
  std::size_t size() const { return entries_.size(); }
  std::size_t bytes() const { return entries_.capacity() * sizeof(Entry) + heads_.capacity() * sizeof(std::uint32_t); }

 private:
  static constexpr std::uint32_t kNone = 0xffffffff;
  struct Entry {
    std::uint64_t key = 0;
    std::uint32_t slot = 0, generation = 0;
    std::uint16_t stripe = 0, depth = 0;
    std::uint32_t next = kNone;  // with the same head
  };
  std::uint32_t& head(std::uint64_t key) { return heads_[key & (heads_.size() - 1)]; }
  std::uint32_t index_of(std::uint64_t key) const;
  void unlink(std::uint32_t index);
  void grow_heads();

  std::size_t most_;
  std::vector<Entry> entries_;  // a ring once it is full
  std::vector<std::uint32_t> heads_;
  std::uint32_t oldest_ = 0;
};

}  // namespace weir
