// What the fuzz targets share: a check that says where it failed, decisions read from the input, and random numbers
// that depend on a seed only.
//
//   Input input(data, size);
//   if (input.below(3) == 0) … input.text(12) … input.rest()
//   require(books == expected);
//
// Values, one thread. After the end of the input every decision is 0 and every text empty, so each input means
// something and a shorter one means nearly the same.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <source_location>
#include <string_view>

namespace weir::fuzz {

inline void require(bool condition, std::source_location where = std::source_location::current()) {
  if (condition) return;
  std::fprintf(stderr, "%s:%u: does not hold\n", where.file_name(), static_cast<unsigned>(where.line()));
  std::abort();
}

class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size) : rest_(reinterpret_cast<const char*>(data), size) {}
  bool empty() const { return rest_.empty(); }
  std::uint8_t byte() {
    if (rest_.empty()) return 0;
    const auto value = static_cast<std::uint8_t>(rest_.front());
    rest_.remove_prefix(1);
    return value;
  }
  std::uint32_t below(std::uint32_t bound) {
    const std::uint32_t first = byte();
    return bound <= 256 ? first % bound : (first | static_cast<std::uint32_t>(byte()) << 8) % bound;
  }
  bool flag() { return (byte() & 1) != 0; }
  std::string_view text(std::size_t most) {
    const std::string_view taken = rest_.substr(0, std::min(most, rest_.size()));
    rest_.remove_prefix(taken.size());
    return taken;
  }
  std::string_view rest() { return text(rest_.size()); }

 private:
  std::string_view rest_;
};

class Chance {
 public:
  explicit Chance(std::uint32_t seed) : state_(seed) {}
  std::uint32_t below(std::uint32_t bound) {
    state_ = state_ * 1'664'525u + 1'013'904'223u;
    return (state_ >> 16) % bound;
  }

 private:
  std::uint32_t state_;
};

}  // namespace weir::fuzz
