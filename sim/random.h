// Chance in integers, from a seed: the same on every machine, compiler and standard library.
//
//   Random random(seed);
//   Random network = random.fork("network");        // a stream of its own: what others draw changes nothing here
//   if (network.permille(5)) …
//
// A value; copies go on by themselves.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/check.h"

namespace weir::sim {

class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}

  std::uint64_t next() {  // splitmix64
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15ull);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
  }
  std::uint64_t below(std::uint64_t n) {  // 0 to n - 1; the bias of a 64-bit modulus does not matter here
    WEIR_CHECK(n > 0);
    return next() % n;
  }
  std::int64_t between(std::int64_t low, std::int64_t high) {  // both included
    return low + static_cast<std::int64_t>(below(static_cast<std::uint64_t>(high - low) + 1));
  }
  bool permille(std::int64_t p) { return static_cast<std::int64_t>(below(1000)) < p; }
  // About `mean` on average, most often less: gaps between events that do not know of each other.
  std::int64_t gap(std::int64_t mean) {
    // -ln(u) in 1/1024, by the number of leading zeros and a straight line between powers of two.
    const std::uint64_t u = next() | 1;
    const int zeros = __builtin_clzll(u);
    const auto rest = static_cast<std::int64_t>((u << zeros) >> 54) - 512;  // 0 to 511
    const std::int64_t in_1024 = zeros * 710 + (512 - rest) * 710 / 512;
    return mean / 1024 * in_1024 + mean % 1024 * in_1024 / 1024;
  }
  // An independent stream; the name says whose.
  Random fork(std::string_view name) const {
    std::uint64_t hash = state_ ^ 0xcbf29ce484222325ull;
    for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ull;
    Random out(hash);
    out.next();
    return out;
  }

 private:
  std::uint64_t state_;
};

}  // namespace weir::sim
