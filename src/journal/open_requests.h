// The requests a worker's journal has opened and not yet closed, with what is needed to repeat them in a new segment.
//
//   OpenRequests open;
//   open.insert(id, encoded_row);
//   open.for_each([](Hash128 id, std::string_view row, std::int64_t tokens, std::int64_t usd, bool hold) { … });
//
// Belongs to one thread. Slots are reused, so a steady number of requests allocates nothing. Limit: kMaxOpenRequests.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "weir/types.h"

namespace weir {

inline constexpr std::size_t kMaxOpenRequests = 1'000'000;

class OpenRequests {
 public:
  OpenRequests();
  // False if full. An id that is there already is replaced.
  // `hold`: the bytes are those of a hold, which is repeated as one.
  bool insert(Hash128 id, std::string_view encoded_row, bool hold = false);
  // False if unknown.
  bool raise(Hash128 id, std::int64_t extra_tokens, std::int64_t extra_usd_micros);
  bool erase(Hash128 id);
  std::size_t size() const { return size_; }

  template <class Visit>
  void for_each(Visit visit) const {
    for (const std::uint32_t index : table_) {
      if (index == kEmpty) continue;
      const Slot& slot = slots_[index];
      visit(slot.id, std::string_view(slot.row), slot.extra_tokens, slot.extra_usd_micros, slot.hold);
    }
  }

 private:
  struct Slot {
    Hash128 id;
    std::string row;
    std::int64_t extra_tokens = 0, extra_usd_micros = 0;
    bool hold = false;
  };
  static constexpr std::uint32_t kEmpty = ~std::uint32_t{0};

  std::size_t home(Hash128 id) const;
  std::size_t find(Hash128 id) const;  // position in table_: of the id, or of the empty place where it belongs
  void grow();

  std::vector<std::uint32_t> table_;  // open addressing, linear probing; index into slots_
  std::vector<Slot> slots_;
  std::vector<std::uint32_t> free_;
  std::size_t size_ = 0;
};

}  // namespace weir
