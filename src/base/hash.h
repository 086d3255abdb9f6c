// 64-bit hashes of text, for tables and for telling texts apart. Not for secrets: who chooses the text can find another
// with the same hash, so nothing that one caller sends may be looked up under another's.
//
//   std::uint64_t h = hash64("tool");
//   h = hash64("arguments", h);            // a sequence: order and borders count
#pragma once

#include <cstdint>
#include <string_view>

namespace weir {

// Never 0, so that 0 can mean "none".
std::uint64_t hash64(std::string_view text, std::uint64_t seed = 0);
// Of two hashes, in this order.
std::uint64_t hash_pair(std::uint64_t first, std::uint64_t second);

}  // namespace weir
