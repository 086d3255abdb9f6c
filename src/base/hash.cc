#include "base/hash.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/hash_avx2.h"

namespace weir {
namespace {

std::uint64_t any_hash(std::string_view text, std::uint64_t seed) {
#if defined(__x86_64__)
  static const bool has_avx2 = __builtin_cpu_supports("avx2") != 0;
  if (text.size() > XXH3_MIDSIZE_MAX && has_avx2) return long_hash_avx2(text.data(), text.size(), seed);
#endif
  return XXH3_64bits_withSeed(text.data(), text.size(), seed);
}

}  // namespace

std::uint64_t hash64(std::string_view text, std::uint64_t seed) {
  const std::uint64_t hash = any_hash(text, seed);
  return hash != 0 ? hash : 1;
}

std::uint64_t hash_pair(std::uint64_t first, std::uint64_t second) {
  const std::uint64_t both[2] = {first, second};
  return hash64({reinterpret_cast<const char*>(both), sizeof both});
}

}  // namespace weir
