// Events that are kept back, in order. Neighbours that begin and end alike (fragments of one call do) share what they
// have in common, so that many small fragments cost little more than what is new in them.
//
//   HeldEvents held;
//   held.add(event);
//   held.each([&](const std::string& event) { out += event; });
//
// The caller bounds bytes(). Internal to this folder. One thread at a time.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

namespace weir {

class HeldEvents {
 public:
  void add(std::string_view event) {
    const std::size_t most = std::min(last_.size(), event.size());
    std::size_t front = 0;
    while (front < most && last_[front] == event[front]) ++front;
    std::size_t back = 0;
    while (back < most - front && last_[last_.size() - 1 - back] == event[event.size() - 1 - back]) ++back;
    const std::string_view middle = event.substr(front, event.size() - front - back);
    append_length(front);
    append_length(back);
    append_length(middle.size());
    packed_.append(middle);
    last_.assign(event);
  }

  template <class Visit>
  void each(Visit visit) const {
    std::string event;
    for (std::size_t at = 0; at < packed_.size();) {
      const std::size_t front = read_length(at);
      const std::size_t back = read_length(at);
      const std::size_t size = read_length(at);
      event.replace(front, event.size() - front - back, std::string_view(packed_).substr(at, size));
      at += size;
      visit(std::as_const(event));
    }
  }

  std::size_t bytes() const { return packed_.size() + last_.size(); }
  bool empty() const { return packed_.empty(); }
  void clear() {
    std::string().swap(packed_);
    std::string().swap(last_);
  }

 private:
  // Seven bits a byte, the last one without the high bit.
  void append_length(std::size_t length) {
    for (; length >= 128; length >>= 7) packed_.push_back(static_cast<char>(128 | (length & 127)));
    packed_.push_back(static_cast<char>(length));
  }
  std::size_t read_length(std::size_t& at) const {
    std::size_t length = 0;
    for (unsigned shift = 0;; shift += 7) {
      const auto byte = static_cast<unsigned char>(packed_[at++]);
      length |= std::size_t{byte & 127u} << shift;
      if (byte < 128) return length;
    }
  }

  std::string packed_, last_;
};

}  // namespace weir
