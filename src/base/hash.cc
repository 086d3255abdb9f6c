#include "base/hash.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace weir {

std::uint64_t hash64(std::string_view text, std::uint64_t seed) {
  const std::uint64_t hash = XXH3_64bits_withSeed(text.data(), text.size(), seed);
  return hash != 0 ? hash : 1;
}

std::uint64_t hash_pair(std::uint64_t first, std::uint64_t second) {
  const std::uint64_t both[2] = {first, second};
  return hash64({reinterpret_cast<const char*>(both), sizeof both});
}

}  // namespace weir
